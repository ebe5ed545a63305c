/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: opening queues, streams and groups, reading without a lease, and looking at it all.
#include <poll.h>

#include <algorithm>
#include <chrono>

#include "contract/store_contract.hpp"

namespace vtx::test {
namespace {

using driver::Inspect;
using driver::OpenGroup;
using driver::OpenQueue;
using driver::OpenStream;

OpenQueue opening(const std::string& name, std::optional<std::string> retain = {}) {
  OpenQueue open;
  open.queue = name;
  open.retain = std::move(retain);
  open.defaults.retain = "consumed";
  return open;
}

TEST_P(StoreContract, FindsWhatItCreated) {
  const auto a = open();
  const auto b = open();
  const Id queue = a->queue("q");
  EXPECT_NE(queue, 0U);
  EXPECT_EQ(b->queue("q"), queue);
  EXPECT_NE(b->queue("Q"), queue);  // names are told apart by case
  const Id stream = a->stream(queue);
  EXPECT_EQ(b->stream(queue), stream);
  EXPECT_NE(b->stream(queue, 1), stream);
  const Id group = a->group(queue);
  EXPECT_EQ(b->group(queue), group);
  EXPECT_NE(b->group(queue, "other"), group);
  EXPECT_NE(b->group(a->queue("Q")), group);
}

TEST_P(StoreContract, CreatesAQueueOnlyWhenAsked) {
  const auto a = open();
  OpenQueue open = opening("q");
  open.create = false;
  EXPECT_EQ(a->ask(open).status.code(), Code::not_found);
  const Id queue = a->queue("q");
  EXPECT_EQ(a->run(open).id, queue);
}

/// What becomes of it: the failure of start(), or that of the session, which a server tells only later.
Status fate_of(driver::Store& store, const driver::Endpoint& endpoint) {
  if (Status status = store.start(endpoint, false); !status.ok()) return status;
  const auto deadline = std::chrono::steady_clock::now() + kGenerous;
  std::vector<Completion> out;
  while (out.empty() && std::chrono::steady_clock::now() < deadline) {
    pollfd waiting{store.fd(), POLLIN, 0};
    ::poll(&waiting, 1, static_cast<int>(std::min(store.next_poll(), Ms(100)).count()));
    store.poll(out);
  }
  return out.empty() ? Status(Code::busy, "nothing came") : out.front().status;
}

TEST_P(StoreContract, CreatesADatabaseOnlyWhenAsked) {
  const auto store = place().open();
  const Code without = GetParam().is_alone ? Code::not_found : Code::ok;
  EXPECT_EQ(fate_of(*store, place().endpoint()).code(), without);
  store->stop();
  const auto a = open();
  EXPECT_TRUE(fate_of(*store, place().endpoint()).ok());
  store->stop();
}

TEST_P(StoreContract, CreatorDeclaresAndTheOthersMustAgree) {
  const auto a = open();
  EXPECT_EQ(a->run(opening("q", "forever")).declared.retain, "forever");
  EXPECT_EQ(a->run(opening("q")).declared.retain, "forever");  // no declaration of its own: any will do
  EXPECT_TRUE(a->ask(opening("q", "forever")).status.ok());
  EXPECT_EQ(a->ask(opening("q", "consumed")).status.code(), Code::mismatch);

  OpenQueue change = opening("q", "consumed");
  change.change = true;
  EXPECT_EQ(a->run(change).declared.retain, "consumed");
  EXPECT_EQ(a->ask(opening("q", "forever")).status.code(), Code::mismatch);
  EXPECT_EQ(open()->run(opening("q")).declared.retain, "consumed");
}

TEST_P(StoreContract, MailboxesOfPeersWithOddNamesAreTheirOwn) {
  const auto a = open();
  const Id queue = a->queue("q");
  const std::vector<std::string> peers{std::string("\0\1\2\3\4", 5),
                                       std::string("\0\1", 2),
                                       "peer",
                                       "PEER",
                                       "'; DROP TABLE x;--",
                                       "\xff\xfe",
                                       "a\nb",
                                       "%",
                                       "",
                                       std::string(255, 'p')};
  std::set<Id> streams;
  for (const std::string& peer : peers) {
    const Id stream = a->run(OpenStream{queue, "mailbox", peer, 0}).id;
    EXPECT_TRUE(streams.insert(stream).second) << peer;
    a->append(stream, {peer});
  }
  const Id holder = a->holder();
  for (const std::string& peer : peers) {
    OpenGroup open;
    open.queue = queue;
    open.kind = "mailbox";
    open.peer = peer;
    open.name = "g";
    EXPECT_EQ(a->drain(a->run(open).id, holder), std::vector{peer});
  }
}

TEST_P(StoreContract, KindsOfOneQueueAreApart) {
  const auto a = open();
  const Id queue = a->queue("q");
  std::set<Id> streams;
  for (const char* kind : {"main", "up", "down"}) {
    const Id stream = a->run(OpenStream{queue, kind, "", 0}).id;
    EXPECT_TRUE(streams.insert(stream).second);
    a->append(stream, {kind});
  }
  OpenGroup up;
  up.queue = queue;
  up.kind = "up";
  up.name = "g";
  const Id holder = a->holder();
  EXPECT_EQ(a->drain(a->run(up).id, holder), std::vector<std::string>{"up"});
  EXPECT_EQ(a->drain(a->group(queue), holder), std::vector<std::string>{"main"});
}

TEST_P(StoreContract, GroupKeepsItsMaxDeliveriesUntilAnotherIsDeclared) {
  const auto a = open();
  OpenGroup open;
  open.queue = a->queue("q");
  open.kind = "main";
  open.name = "g";
  open.filter = std::string("\0\1 filter", 9);
  open.default_max_deliveries = 7;
  EXPECT_EQ(a->run(open).max_deliveries, 7U);
  open.default_max_deliveries = 10;
  EXPECT_EQ(a->run(open).max_deliveries, 7U);
  open.max_deliveries = 3;
  EXPECT_EQ(a->run(open).max_deliveries, 3U);
  open.max_deliveries.reset();
  const Completion kept = this->open()->run(open);
  EXPECT_EQ(kept.max_deliveries, 3U);
  EXPECT_EQ(kept.filter, open.filter);
}

TEST_P(StoreQueueContract, ReadsWithoutLeasing) {
  a_->append(stream_, numbers(1, 10));
  const Completion got = a_->run(driver::Read{stream_, 4, {3, driver::kMaxBatchBytes}});
  EXPECT_EQ(texts(got), numbers(4, 6));
  EXPECT_EQ(got.head, 10U);
  EXPECT_EQ(got.tail, 1U);
  EXPECT_FALSE(got.claim);
  EXPECT_TRUE(a_->run(driver::Read{stream_, 11, {}}).messages.empty());
  EXPECT_EQ(a_->run(driver::Read{stream_, 1, {driver::kMaxBatch, 1}}).messages.size(), 1U);
  EXPECT_EQ(a_->stats("q").groups.at(0).depth, 10U);
  EXPECT_EQ(texts(claim()), numbers(1, 10));
}

TEST_P(StoreQueueContract, CountsWhatThereIs) {
  a_->append(stream_, {"12345", "678"});
  a_->append(stream_, {"", "1234567890"});
  a_->group(queue_, "idle");
  Settle settle = settle_all(claim(3));
  settle.done = bits({0, 2});
  settle.odd = {{2, Verdict::nacked, {}, ""}};
  a_->settle({settle});

  const auto stats = a_->stats("q");
  EXPECT_EQ(stats.name, "q");
  EXPECT_EQ(stats.declared.retain, "consumed");
  EXPECT_EQ(stats.messages, 4U);
  EXPECT_EQ(stats.bytes, 18U);
  EXPECT_EQ(stats.head, 4U);
  EXPECT_EQ(stats.tail, 1U);
  EXPECT_EQ(stats.dead, 0U);
  ASSERT_EQ(stats.groups.size(), 2U);
  const auto group = [&](const std::string& name) {
    return *std::ranges::find(stats.groups, name, &driver::GroupStats::name);
  };
  EXPECT_EQ(group("g").depth, 3U);
  EXPECT_EQ(group("g").claimed, 1U);
  EXPECT_EQ(group("g").retrying, 1U);
  EXPECT_EQ(group("idle").depth, 4U);
  EXPECT_EQ(group("idle").claimed, 0U);
}

TEST_P(StoreContract, InspectsAllQueuesOrOneAndCreatesNone) {
  const auto a = open();
  EXPECT_TRUE(a->run(Inspect{}).queues.empty());
  EXPECT_EQ(a->ask(Inspect{"q"}).status.code(), Code::not_found);
  a->queue("q");
  a->queue("p");
  const Completion all = a->run(Inspect{});
  ASSERT_EQ(all.queues.size(), 2U);
  EXPECT_EQ(all.queues[0].name, "p");
  EXPECT_EQ(all.queues[1].name, "q");
  EXPECT_EQ(a->run(Inspect{"q"}).queues.size(), 1U);
}

TEST_P(StoreQueueContract, ChecksItself) {
  const Completion checked = a_->run(driver::Check{});
  EXPECT_FALSE(checked.findings.empty());
  for (const auto& finding : checked.findings) {
    EXPECT_NE(finding.level, driver::Finding::Level::error) << finding.subject << ": " << finding.text;
    EXPECT_FALSE(finding.subject.empty());
    EXPECT_EQ(finding.remedy.empty(), finding.level == driver::Finding::Level::ok) << finding.subject;
  }
}

}  // namespace
}  // namespace vtx::test

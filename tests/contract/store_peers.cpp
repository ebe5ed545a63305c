/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: the peers of a queue are listed in the order in which they came, who waits for the next is told of it, and roles that exclude each
// other do not meet.
#include "contract/store_contract.hpp"
#include "vtx/driver/names.hpp"

namespace vtx::test {
namespace {

using driver::Hold;
using driver::ListPeers;
using driver::OpenQueue;
using driver::Peer;

std::vector<std::string> names(const std::vector<Peer>& peers) {
  std::vector<std::string> all;
  for (const Peer& peer : peers) all.push_back(peer.name);
  return all;
}

/// Has heard of everything before, and found no peer behind this one.
void wait_in_vain(StoreSession& session, Id queue, Id after) {
  while (session.wait_changed("q", Ms{2})) {
  }
  EXPECT_TRUE(session.run(ListPeers{queue, after, false, true}).peers.empty());
}

TEST_P(StoreMailboxContract, ListsPeersInTheOrderInWhichTheyCame) {
  for (const char* peer : {"b", "~1", "a"}) readers(peer);
  readers("b");  // is back
  const auto all = a_->run(ListPeers{queue_}).peers;
  EXPECT_EQ(names(all), (std::vector<std::string>{"b", "~1", "a"}));
  EXPECT_EQ(names(a_->run(ListPeers{queue_, all[0].id}).peers), (std::vector<std::string>{"~1", "a"}));
  EXPECT_EQ(names(a_->run(ListPeers{queue_, 0, true}).peers), std::vector<std::string>{"~1"});
  EXPECT_TRUE(a_->run(ListPeers{queue_, all[2].id}).peers.empty());
  EXPECT_TRUE(a_->run(ListPeers{a_->queue("another")}).peers.empty());
}

TEST_P(StoreMailboxContract, ListsManyPeersInParts) {
  constexpr std::size_t kMany = 2500;
  for (std::size_t i = 0; i < kMany; ++i) readers("p" + std::to_string(i));
  std::size_t count = 0;
  Id after = 0;
  for (bool more = true; more;) {
    const auto answer = a_->run(ListPeers{queue_, after});
    for (const Peer& peer : answer.peers) {
      EXPECT_EQ(peer.name, "p" + std::to_string(count++));
      EXPECT_GT(peer.id, after);
      after = peer.id;
    }
    more = answer.more;
  }
  EXPECT_EQ(count, kMany);
}

TEST_P(StoreMailboxContract, APeerThatHasGoneIsNotListed) {
  EXPECT_TRUE(a_->ask(Hold{queue_, driver::hold_of_peer("~1"), holder_, false}).status.ok());
  readers("~1");
  const auto before = a_->run(ListPeers{queue_}).peers;
  EXPECT_TRUE(a_->ask(Hold{queue_, driver::hold_of_peer("~1"), holder_, true}).status.ok());
  EXPECT_TRUE(a_->run(ListPeers{queue_}).peers.empty());
  readers("~2");
  EXPECT_EQ(names(a_->run(ListPeers{queue_, before.front().id}).peers), std::vector<std::string>{"~2"})
      << "ids are never used again";
}

TEST_P(StoreMailboxContract, TellsWhoWaitsForThePeersOfAQueue) {
  const auto first = open();
  const auto second = open();
  wait_in_vain(*first, queue_, 0);
  wait_in_vain(*second, queue_, 0);
  readers("new");
  for (StoreSession* session : {first.get(), second.get()}) {
    EXPECT_TRUE(session->wait_changed("q"));
    EXPECT_EQ(names(session->run(ListPeers{queue_, 0, false, true}).peers), std::vector<std::string>{"new"});
  }
}

TEST_P(StoreMailboxContract, RolesThatExcludeEachOtherDoNotMeet) {
  OpenQueue first;
  first.queue = "roles";
  first.role = "connect:REQ";
  first.excludes = {"bind:REQ"};
  EXPECT_TRUE(a_->ask(first).status.ok());
  OpenQueue second = first;
  second.role = "bind:REQ";
  second.excludes = {"connect:REQ"};
  const auto b = open();
  const auto refused = b->ask(second);
  EXPECT_EQ(refused.status.code(), Code::mismatch);
  EXPECT_NE(refused.status.text().find("REQ"), std::string::npos) << refused.status.text();
  second.role = "bind:REP";
  second.excludes = {"bind:REQ"};
  EXPECT_TRUE(b->ask(second).status.ok()) << "what was refused is not remembered";
  first.excludes = {"bind:REP"};
  EXPECT_EQ(a_->ask(first).status.code(), Code::mismatch);
  first.role.clear();
  first.excludes.clear();
  EXPECT_TRUE(a_->ask(first).status.ok());
  OpenQueue third;
  third.queue = "roles";
  third.role = "connect:PUSH";
  third.groups = {"none"};
  EXPECT_EQ(a_->ask(third).status.code(), Code::mismatch);
  OpenQueue fourth;
  fourth.queue = "roles";
  fourth.excludes = {"connect:PUSH"};
  EXPECT_TRUE(a_->ask(fourth).status.ok()) << "it never attached";
}

}  // namespace
}  // namespace vtx::test

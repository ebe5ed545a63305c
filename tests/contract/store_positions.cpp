/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: where a reader or a new group begins. Positions are found by sequence or by the store's own times.
#include <algorithm>
#include <cstdio>
#include <ctime>

#include "contract/store_contract.hpp"

namespace vtx::test {
namespace {

using driver::Locate;
using driver::OpenGroup;
using driver::Steer;
using driver::StoreTime;
using driver::Verb;

std::string at_time(StoreTime time) {
  const auto ms = time.time_since_epoch().count();
  const std::time_t seconds = ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char day[32] = {};
  std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
  char text[64] = {};
  std::snprintf(text, sizeof text, "time:%s.%03dZ", day, static_cast<int>(ms % 1000));
  return text;
}

OpenGroup opening(Id queue, const std::string& name, const std::string& from) {
  OpenGroup open;
  open.queue = queue;
  open.kind = "main";
  open.name = name;
  open.from = from;
  return open;
}

Seq locate(StoreSession& a, Id stream, const std::string& from) { return a.run(Locate{stream, from}).first; }
StoreTime stored(StoreSession& a, Id stream, Seq seq) {
  return a.run(driver::Read{stream, seq, {1, 1}}).messages.at(0).stored;
}

TEST_P(StoreQueueContract, FindsTheEndsOfAStream) {
  const Completion empty = a_->run(Locate{stream_, "oldest"});
  EXPECT_EQ(empty.first, 1U);
  EXPECT_EQ(empty.head, 0U);
  EXPECT_EQ(empty.tail, 1U);
  a_->append(stream_, numbers(1, 5));
  a_->settle({settle_all(claim(2))});
  a_->tend("q");
  const Completion got = a_->run(Locate{stream_, "oldest"});
  EXPECT_EQ(got.first, 3U);
  EXPECT_EQ(got.head, 5U);
  EXPECT_EQ(got.tail, 3U);
  EXPECT_EQ(locate(*a_, stream_, "now"), 6U);
  a_->drain(group_, holder_);
  a_->tend("q");
  EXPECT_EQ(locate(*a_, stream_, "oldest"), 6U);
  EXPECT_EQ(locate(*a_, stream_, "now"), 6U);
}

TEST_P(StoreQueueContract, FindsASequenceOrTheNextRetained) {
  a_->append(stream_, numbers(1, 5));
  a_->settle({settle_all(claim(2))});
  a_->tend("q");
  const std::vector<std::pair<std::string, Seq>> rows{
      {"seq:1", 3}, {"seq:3", 3}, {"seq:4", 4}, {"seq:6", 6}, {"seq:9", 6}};
  for (const auto& [from, seq] : rows) EXPECT_EQ(locate(*a_, stream_, from), seq) << from;
  // A number that no sequence can have leads to no other stream's messages.
  EXPECT_EQ(locate(*a_, stream_, "seq:18446744073709551615"), 6U);
  EXPECT_TRUE(a_->read(stream_, ~Seq{0}).empty());
}

TEST_P(StoreQueueContract, FindsAMomentBetweenMessages) {
  for (u64 batch = 0; batch < 5; ++batch) {
    a_->append(stream_, numbers(batch * 100 + 1, batch * 100 + 100));
    place().advance(Ms{8});
  }
  for (const Seq first : {Seq{101}, Seq{201}, Seq{401}}) {
    ASSERT_LT(stored(*a_, stream_, first - 1) + Ms{1}, stored(*a_, stream_, first));
    EXPECT_EQ(locate(*a_, stream_, at_time(stored(*a_, stream_, first))), first);
    EXPECT_EQ(locate(*a_, stream_, at_time(stored(*a_, stream_, first) - Ms{1})), first);
    EXPECT_EQ(locate(*a_, stream_, at_time(stored(*a_, stream_, first - 1) + Ms{1})), first);
  }
  EXPECT_EQ(locate(*a_, stream_, at_time(stored(*a_, stream_, 1))), 1U);
  EXPECT_EQ(locate(*a_, stream_, "time:1999-12-31T23:59:59Z"), 1U);
  EXPECT_EQ(locate(*a_, stream_, at_time(stored(*a_, stream_, 500) + Ms{1})), 501U);
  EXPECT_EQ(locate(*a_, stream_, "time:2999-01-01T00:00:00+02:00"), 501U);
}

TEST_P(StoreQueueContract, FindsAnAge) {
  a_->append(stream_, numbers(1, 10));
  place().advance(Ms{10});
  EXPECT_EQ(locate(*a_, stream_, "-1h"), 1U);
  EXPECT_EQ(locate(*a_, stream_, "-2ms"), 11U);
}

TEST_P(StoreQueueContract, LocatesWithinItsOwnStreamOnly) {
  const Id other = a_->stream(queue_, 1);
  a_->append(stream_, numbers(1, 3));
  a_->append(other, numbers(1, 7));
  EXPECT_EQ(locate(*a_, stream_, "now"), 4U);
  EXPECT_EQ(locate(*a_, stream_, "seq:5"), 4U);
  EXPECT_EQ(locate(*a_, stream_, "time:2999-01-01T00:00:00Z"), 4U);
  EXPECT_EQ(a_->run(Locate{other, "seq:5"}).first, 5U);
}

TEST_P(StoreQueueContract, RefusesToLocateNonsenseOrNowhere) {
  for (const char* from :
       {"", "yesterday", "seq:", "seq:0", "seq:x", "time:", "time:2026-02-30T00:00:00Z", "-", "-5"}) {
    const Status refused = a_->ask(Locate{stream_, from}).status;
    EXPECT_EQ(refused.code(), Code::invalid) << from;
    EXPECT_TRUE(refused.text().starts_with("option 'from': ") || refused.text().starts_with("Option 'from': "))
        << refused.text();
  }
  EXPECT_EQ(a_->ask(Locate{stream_ + 1000, "now"}).status.code(), Code::not_found);
}

TEST_P(StoreQueueContract, NewGroupBeginsWhereItSays) {
  a_->append(stream_, numbers(1, 5));
  place().advance(Ms{8});
  a_->append(stream_, numbers(6, 10));
  const std::vector<std::pair<std::string, Seq>> rows{
      {"oldest", 1}, {"", 1},        {"now", 11},
      {"seq:1", 1},  {"seq:7", 7},   {at_time(stored(*a_, stream_, 6)), 6},
      {"-1h", 1},    {"seq:11", 11}, {"time:2999-01-01T00:00:00Z", 11}};
  std::vector<Id> groups;
  for (const auto& [from, first] : rows) groups.push_back(a_->run(opening(queue_, "from " + from, from)).id);
  a_->append(stream_, numbers(11, 12));
  for (std::size_t i = 0; i < rows.size(); ++i)
    EXPECT_EQ(a_->drain(groups[i], holder_), numbers(rows[i].second, 12)) << rows[i].first;
}

TEST_P(StoreQueueContract, NewGroupBeginsInEveryStreamByItself) {
  const Id urgent = a_->stream(queue_, 9);
  a_->append(stream_, {"a1", "a2", "a3", "a4", "a5"});
  a_->append(urgent, {"b1", "b2", "b3"});
  const Id third = a_->run(opening(queue_, "third", "seq:3")).id;
  const Id now = a_->run(opening(queue_, "now", "now")).id;
  a_->append(urgent, {"b4"});
  a_->append(stream_, {"a6"});
  a_->append(a_->stream(queue_, 5), {"c1"});  // a stream that came later is new from its beginning
  EXPECT_EQ(a_->drain(third, holder_),
            (std::vector<std::string>{"b1", "b2", "b3", "b4", "c1", "a3", "a4", "a5", "a6"}));
  EXPECT_EQ(a_->drain(now, holder_), (std::vector<std::string>{"b4", "c1", "a6"}));
}

TEST_P(StoreQueueContract, ExistingGroupKeepsItsCursor) {
  a_->append(stream_, numbers(1, 6));
  a_->settle({settle_all(claim(2))});
  for (const char* from : {"now", "oldest", "seq:5"}) EXPECT_EQ(a_->run(opening(queue_, "g", from)).id, group_) << from;
  EXPECT_EQ(a_->drain(group_, holder_), numbers(3, 6));
}

TEST_P(StoreQueueContract, APlaceBeyondTheNewestMessageIsNow) {
  const Id queue = a_->queue("later");
  const Id stream = a_->stream(queue);
  a_->append(stream, numbers(1, 5));
  const Id group = a_->run(opening(queue, "g", "seq:8")).id;
  EXPECT_EQ(a_->tend("later"), 5U);
  EXPECT_EQ(a_->append(stream, numbers(6, 7)), 7U);
  EXPECT_EQ(a_->drain(group, holder_), numbers(6, 7));
}

TEST_P(StoreQueueContract, ASequenceThatPriority0CannotPlaceTakesNothingFromTheOthers) {
  const auto steer = [&](Verb verb, const std::string& from) {
    Steer order{verb, "q", verb == Verb::trim ? "" : "g", 0};
    order.from = from;
    return a_->run(order).count;
  };
  send(numbers(1, 3), 5);
  EXPECT_EQ(steer(Verb::trim, "seq:1"), 0U) << "priority 0 never held anything";
  EXPECT_EQ(steer(Verb::seek, "seq:1"), 0U);
  EXPECT_EQ(a_->drain(a_->run(opening(queue_, "late", "seq:1")).id, holder_), numbers(1, 3));
  EXPECT_EQ(a_->drain(group_, holder_), numbers(1, 3));
  send(numbers(1, 9), 0);
  EXPECT_EQ(a_->drain(group_, holder_), numbers(1, 9));
  EXPECT_EQ(a_->drain(a_->group(queue_, "late"), holder_), numbers(1, 9));
  EXPECT_EQ(a_->tend("q"), 12U);
  send(numbers(4, 6), 5);
  EXPECT_EQ(steer(Verb::trim, "seq:5"), 0U) << "message 5 of priority 0 has been retired";
  EXPECT_EQ(steer(Verb::seek, "seq:5"), 0U);
  EXPECT_EQ(a_->drain(group_, holder_), numbers(4, 6));
  send(numbers(7, 8), 5);
  EXPECT_EQ(steer(Verb::seek, "seq:10"), 2U) << "beyond the newest is now";
}

TEST_P(StoreQueueContract, RefusesToBeginAGroupNowhere) {
  for (const char* from : {"tomorrow", "seq:0", "time:x", "-x"})
    EXPECT_EQ(a_->ask(opening(queue_, "new", from)).status.code(), Code::invalid) << from;
  EXPECT_EQ(a_->stats("q").groups.size(), 1U);
}

TEST_P(StoreQueueContract, GroupKeepsItsFilterUntilAnotherIsGiven) {
  const std::string filter("\0\1 filter", 9);
  OpenGroup open = opening(queue_, "filtered", "now");
  EXPECT_EQ(a_->run(open).filter, "");
  open.filter = filter;
  EXPECT_EQ(a_->run(open).filter, filter);
  open.filter.reset();
  EXPECT_EQ(this->open()->run(open).filter, filter);
  open.filter = "";
  EXPECT_EQ(a_->run(open).filter, "");
  open.filter.reset();
  EXPECT_EQ(a_->run(open).filter, "");
  open.name = "new";
  open.filter = filter;
  EXPECT_EQ(a_->run(open).filter, filter);
}

}  // namespace
}  // namespace vtx::test

/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: when a message comes, and whether it still does. Priorities and time to live, by option and by property.
#include <algorithm>
#include <thread>

#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

/// The value of a `Name: value` line of the last frame; "-" when there is none.
std::string value_of(const Frames& message, const std::string& name) {
  const std::string text = '\n' + message.back();
  const auto at = text.find('\n' + name + ": ");
  if (at == std::string::npos) return "-";
  const auto begin = at + name.size() + 3;
  return text.substr(begin, text.find('\n', begin) - begin);
}

TEST_P(LinkContract, HigherPrioritiesGoFirst) {
  const auto put_at = [&](const std::string& options, const Frames& texts) {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at(options));
    push.send_each(texts);
    push.flush();
  };
  put_at("", {"0a", "0b"});
  put_at("priority=9", {"9a", "9b"});
  put_at("priority=5", {"5a"});
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  EXPECT_EQ(pull.receive(5), (Frames{"9a", "9b", "5a", "0a", "0b"}));
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, APropertyOverridesThePriorityOfTheLink) {
  {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at("properties=on&priority=3"));
    push.send(Frames{"low", "Priority: 0\n"});
    push.send(Frames{"as the link", "Colour: blue\n"});
    push.send(Frames{"top", "Priority: 9\n"});
    push.send(Frames{"as the link, too", ""});
    push.flush();
  }
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at("properties=on"));
  const std::vector<std::pair<std::string, std::string>> expected{
      {"top", "9"}, {"as the link", "3"}, {"as the link, too", "3"}, {"low", "-"}};
  for (const auto& [text, priority] : expected) {
    const auto message = pull.receive_frames();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->front(), text);
    EXPECT_EQ(value_of(*message, "Priority"), priority);
  }
}

TEST_P(LinkContract, APriorityOvertakesWhatWaitsInTheConsumer) {
  put(count_up(1, 100));
  Socket pull(world(), ZMQ_PULL);
  pull.set(ZMQ_RCVHWM, 1).connect(at("ack=manual"));  // has them all, and few of them in the pipe
  ASSERT_TRUE(wait_until([&] { return group().claimed == 100; }));
  {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at("priority=1"));
    push.send("urgent");
    push.flush();
  }
  ASSERT_TRUE(wait_until([&] { return group().claimed == 101; }));
  const Frames got = pull.receive(8);
  EXPECT_NE(std::ranges::find(got, "urgent"), got.end());
}

TEST_P(LinkContract, AReaderIsGivenADelayedMessageAfterOneThatExpired) {
  Socket sub(world(), ZMQ_SUB);
  sub.set(ZMQ_SUBSCRIBE, "").connect(at("from=oldest&retain=forever"));
  {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at("properties=on"));
    push.send(Frames{"expires", "Delay: 300ms\nTtl: 1ms\n"});
    push.send(Frames{"comes", "Delay: 600ms\n"});
    push.flush();
  }
  std::string got = sub.receive();
  if (got == "expires") got = sub.receive();  // it was not late
  EXPECT_EQ(got, "comes");
}

TEST_P(LinkContract, WhoPublishesHasNoPriorities) {
  for (const int type : {ZMQ_PUB, ZMQ_XPUB}) {
    Socket pub(world(), type);
    EXPECT_EQ(vtx_connect(world().vtx(), pub.get(), at("priority=1").c_str()), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_NE(std::string(vtx_last_error()).find("a history, which has one order"), std::string::npos)
        << vtx_last_error();
    EventLog events(world(), pub);
    pub.connect(at("properties=on"));
    pub.send(Frames{"body", "Priority: 1\n"});
    const auto told = events.wait(VTX_EVENT, VTX_EVENT_BAD_PROPERTIES);
    ASSERT_TRUE(told);
    EXPECT_NE(told->sentence.find("one order"), std::string::npos) << told->sentence;
    pub.send(Frames{"body", "Priority: 0\n"});
    pub.flush();
    Socket sub(world(), ZMQ_SUB);
    sub.set(ZMQ_SUBSCRIBE, "").connect(at("from=oldest"));
    for (int i = 0; i < 2; ++i) EXPECT_EQ(sub.receive(), "body");  // alone: the line was taken off
  }
}

TEST_P(LinkContract, RequestsAndRepliesHavePriorities) {
  Socket rep(world(), ZMQ_REP);
  rep.bind(at("properties=on"));
  std::vector<std::unique_ptr<Socket>> askers;
  Frames held{"first", "low", "high"};
  for (const std::string& question : held) {
    auto& req = *askers.emplace_back(std::make_unique<Socket>(world(), ZMQ_REQ));
    req.connect(at(question == "high" ? "priority=9" : ""));
    req.send(question);
    req.flush();
    if (question != "first") continue;
    EXPECT_EQ(rep.receive_frames()->front(), "first");  // it is busy with this one
  }
  rep.send(Frames{"to first", "Priority: 4\n"});
  EXPECT_EQ(askers[0]->receive(), "to first");
  const auto next = rep.receive_frames();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->front(), "high");
  EXPECT_EQ(value_of(*next, "Priority"), "9");
  rep.send(Frames{"to high", ""});
  EXPECT_EQ(askers[2]->receive(), "to high");
  EXPECT_EQ(rep.receive_frames()->front(), "low");
  rep.send(Frames{"to low", ""});
  EXPECT_EQ(askers[1]->receive(), "to low");
}

TEST_P(LinkContract, TimeToLiveIsTheLinksUnlessAPropertySaysElse) {
  {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at("properties=on&ttl=1ms"));
    push.send(Frames{"as the link", ""});
    push.send(Frames{"for ever", "Ttl: none\n"});
    push.send(Frames{"an hour", "Ttl: 1h\n"});
    push.flush();
  }
  std::this_thread::sleep_for(Ms{30});
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  EXPECT_EQ(pull.receive(2), (Frames{"for ever", "an hour"}));
  EXPECT_TRUE(pull.reaches(&vtx_stats_t::expired, 1));
  EXPECT_TRUE(drained());
  EXPECT_EQ(show(world(), at()).counters["expired"], 1U);
}

TEST_P(LinkContract, WhatWaitedInTheConsumerIsNotDeliveredLate) {
  Socket pull(world(), ZMQ_PULL);
  pull.set(ZMQ_RCVHWM, 1).connect(at("ack=manual"));
  {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at("ttl=1s"));
    push.send_each(count_up(1, 20));
    push.flush();
  }
  ASSERT_TRUE(wait_until([&] { return group().claimed == 20; }));
  std::this_thread::sleep_for(Ms{1100});
  int in_time = 0;
  while (pull.receive_frames(Ms{in_time < 2 ? 30'000 : 200})) ++in_time;
  EXPECT_EQ(in_time, 2) << "these were in the pipe; another waited with its frame made";
  EXPECT_TRUE(pull.reaches(&vtx_stats_t::expired, 18));
  EXPECT_TRUE(wait_until([&] { return show(world(), at()).counters["expired"] == 18; }));
}

TEST_P(LinkContract, AReaderIsNotGivenWhatIsLateEither) {
  Subscriber sub(world());
  sub.set(ZMQ_RCVHWM, 1).connect(at("from=oldest"));
  {
    Socket pub(world(), ZMQ_PUB);
    pub.connect(at("ttl=1s"));
    pub.send_each(count_up(1, 20));
    pub.flush();
  }
  ASSERT_TRUE(wait_until([&] { return sub.stats().delivered >= 2; }));
  std::this_thread::sleep_for(Ms{1100});
  int in_time = 0;
  while (sub.receive_frames(Ms{200})) ++in_time;
  EXPECT_LE(in_time, 3);
  EXPECT_TRUE(sub.reaches(&vtx_stats_t::expired, 20 - static_cast<std::uint64_t>(in_time)));
}

TEST_P(LinkContract, ADelayedMessageComesLater) {
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  const auto begin = std::chrono::steady_clock::now();
  {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at("delay=200ms&properties=on"));
    push.send(Frames{"as the link", ""});
    push.send(Frames{"later", "Delay: 400ms\n"});
    push.send(Frames{"at once", "Delay: none\n"});
    push.flush();
  }
  EXPECT_EQ(pull.receive(3), (Frames{"at once", "as the link", "later"}));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, Ms{400});
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, ADelayedMessageOutlivesItsSenderAndIsShown) {
  {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at("delay=300ms"));
    push.send("kept");
    push.flush();
  }
  EXPECT_LE(show(world(), at()).messages, 1U);
  restart();
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  EXPECT_EQ(pull.receive(), "kept");
  EXPECT_EQ(show(world(), at()).delayed, 0U);
  Socket push(world(), ZMQ_PUSH);
  push.connect(at("delay=1h"));
  push.send("for long");
  push.flush();
  EXPECT_EQ(show(world(), at()).delayed, 1U);
}

TEST_P(LinkContract, WhoOnlyReadsGetsDelayedMessagesToo) {
  Subscriber sub(world());
  EventLog events(world(), sub);
  sub.connect(at());
  ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_CAUGHT_UP));
  const auto elsewhere = open();  // another program sends, and has ended when they are due
  {
    Socket pub(*elsewhere, ZMQ_PUB);
    pub.connect(at("delay=300ms"));
    pub.send("late");
    pub.flush();
  }
  elsewhere->destroy();
  EXPECT_EQ(sub.receive(), "late");
}

TEST_P(LinkContract, WhatIsDelayedIsNoHistoryToCatchUpWith) {
  publish({"delayed"}, "delay=1h");
  Subscriber sub(world());
  EventLog events(world(), sub);
  sub.connect(at("from=oldest&subscription=s"));
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_CAUGHT_UP));
}

TEST_P(LinkContract, AnAnswerMayBeDelayed) {
  Socket rep(world(), ZMQ_REP);
  rep.bind(at("delay=100ms"));
  Socket req(world(), ZMQ_REQ);
  req.connect(at());
  req.send("?");
  EXPECT_EQ(rep.receive(), "?");
  rep.send("!");
  EXPECT_EQ(req.receive(), "!");
}

}  // namespace
}  // namespace vtx::test

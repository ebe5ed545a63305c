/* SPDX-License-Identifier: MPL-2.0 */
//
// The options of an endpoint: their defaults, units and bounds, whom they are for, and word for word what is said about the others.
#include <fstream>
#include <iterator>

#include "endpoint/option_table.hpp"
#include "endpoint_test.hpp"

namespace vtx::test {
namespace {

using namespace std::chrono_literals;

TEST(EndpointOptions, HaveDefaults) {
  const LinkOptions o = accepted("file:q").options;
  EXPECT_EQ(o.queue, "default");
  EXPECT_EQ(o.group, "default");
  EXPECT_EQ(o.ack, Ack::release);
  EXPECT_EQ(o.hold, 0ms);
  EXPECT_TRUE(o.sync);
  EXPECT_EQ(o.prefetch, 1000U);
  EXPECT_EQ(o.prefetch_bytes, 64U << 20);
  EXPECT_EQ(o.lease, 5s);
  EXPECT_EQ(o.max_deliveries, std::nullopt);
  EXPECT_EQ(o.retain, std::nullopt);
}

TEST(EndpointOptions, AreRead) {
  const LinkOptions o =
      accepted(
          "file:q?queue=Jobs.1_a-b&group=g&ack=manual&hold=90s&prefetch=7&prefetch_bytes=3MiB&lease=250ms&"
          "max_deliveries=3&retain=forever")
          .options;
  EXPECT_EQ(o.queue, "Jobs.1_a-b");
  EXPECT_EQ(o.group, "g");
  EXPECT_EQ(o.ack, Ack::manual);
  EXPECT_EQ(o.hold, 90s);
  EXPECT_EQ(o.prefetch, 7U);
  EXPECT_EQ(o.prefetch_bytes, 3U << 20);
  EXPECT_EQ(o.lease, 250ms);
  EXPECT_EQ(o.max_deliveries, 3U);
  EXPECT_EQ(o.retain, "forever");
  EXPECT_EQ(accepted("file:q?retain=consumed", &kPush).options.retain, "consumed");
  EXPECT_EQ(accepted("file:q?retain=48h", &kPush).options.retain, "2d");
  EXPECT_TRUE(accepted("file:q?properties=on", &kPush).options.properties);
  EXPECT_EQ(accepted("file:q?hold=none").options.hold, 0ms);
}

TEST(EndpointOptions, TakeEveryChoice) {
  EXPECT_EQ(accepted("file:q?ack=release").options.ack, Ack::release);
  EXPECT_EQ(accepted("file:q?ack=next").options.ack, Ack::next);
  EXPECT_EQ(accepted("file:q?ack=none").options.ack, Ack::none);
  EXPECT_TRUE(accepted("file:q?durability=sync", &kPush).options.sync);
  EXPECT_FALSE(accepted("file:q?durability=async", &kPush).options.sync);
}

TEST(EndpointOptions, TakeEveryUnit) {
  EXPECT_EQ(accepted("file:q?lease=100ms").options.lease, 100ms);
  EXPECT_EQ(accepted("file:q?lease=2m").options.lease, 2min);
  EXPECT_EQ(accepted("file:q?lease=3h").options.lease, 3h);
  EXPECT_EQ(accepted("file:q?lease=7d").options.lease, 168h);
  EXPECT_EQ(accepted("file:q?busy_poll=50us").options.busy_poll, 50us);
  EXPECT_EQ(accepted("file:q?busy_poll=2ms").options.busy_poll, 2ms);
  EXPECT_EQ(accepted("file:q?busy_poll=none").options.busy_poll, 0us);
  EXPECT_EQ(accepted("file:q?prefetch_bytes=4096").options.prefetch_bytes, 4096U);
  EXPECT_EQ(accepted("file:q?prefetch_bytes=4KiB").options.prefetch_bytes, 4096U);
  EXPECT_EQ(accepted("file:q?prefetch_bytes=1GiB").options.prefetch_bytes, 1U << 30);
}

TEST(EndpointOptions, AllowNamesUpToAHundredCharacters) {
  const std::string name(100, 'n');
  EXPECT_EQ(accepted("file:q?queue=" + name).options.queue, name);
  EXPECT_EQ(accepted("file:q?queue=" + name + ".dead").options.queue, name + ".dead");
  EXPECT_EQ(error("file:q?queue=" + name + "n"),
            "file:q?queue=" + name +
                "n: option 'queue': 'nnnnnnnnnnnnnnnnnnnn...' has 101 characters: write a name of at most 100");
}

TEST(EndpointOptions, KeepDeadLetterQueuesForConsumers) {
  EXPECT_EQ(accepted("file:q?queue=jobs.dead").options.queue, "jobs.dead");
  EXPECT_EQ(accepted("file:q?queue=jobs.dead", nullptr).options.queue, "jobs.dead");
  EXPECT_EQ(
      error("file:q?queue=jobs.dead", &kPush),
      "file:q?queue=jobs.dead: queue 'jobs.dead' is a dead-letter queue, which only VTX itself writes, and PUSH sends: "
      "consume it, or send to 'jobs'");
  EXPECT_EQ(refused("file:q?queue=jobs.dead", &kDealer).code(), Code::invalid);
}

TEST(EndpointOptions, SayWhatIsWrong) {
  const std::string name_rule = ": write 1 to 100 characters of A-Z a-z 0-9 . _ -";
  const std::pair<const char*, std::string> cases[] = {
      {"queue=", "option 'queue': the name is empty" + name_rule},
      {"queue=a/b", "option 'queue': 'a/b' is not a name" + name_rule},
      {"queue=%C3%BC", "option 'queue': '\xc3\xbc' is not a name" + name_rule},
      {"queue=.dead", "option 'queue': '.dead' is the ending of dead-letter queues: write NAME.dead"},
      {"queue=a.dead.dead",
       "option 'queue': 'a.dead.dead' cannot exist, a dead-letter queue has none of its own: write 'a.dead'"},
      {"group=", "option 'group': the name is empty" + name_rule},
      {"group=a+b", "option 'group': 'a+b' is not a name" + name_rule},
      {"group=g.dead",
       "option 'group': 'g.dead' ends in '.dead', which is kept for dead-letter queues: write another name"},
      {"ack=realese", "option 'ack': unknown value 'realese': did you mean 'release'?"},
      {"ack=", "option 'ack': unknown value '': write release, next, manual or none"},
      {"ack=RELEASE", "option 'ack': unknown value 'RELEASE': write release, next, manual or none"},
      {"hold=0s", "option 'hold': '0s' is too small: write at least 1ms"},
      {"hold=366d", "option 'hold': '366d' is too large: write at most 365d"},
      {"hold=5", "option 'hold': '5' is not a time: write a whole number with ms, s, m, h or d, such as 5s"},
      {"lease=", "option 'lease': '' is not a time: write a whole number with ms, s, m, h or d, such as 5s"},
      {"lease=-5s", "option 'lease': '-5s' is not a time: write a whole number with ms, s, m, h or d, such as 5s"},
      {"lease=1.5s", "option 'lease': '1.5s' is not a time: write a whole number with ms, s, m, h or d, such as 5s"},
      {"lease=s", "option 'lease': 's' is not a time: write a whole number with ms, s, m, h or d, such as 5s"},
      {"lease=99ms", "option 'lease': '99ms' is too small: write at least 100ms"},
      {"lease=8d", "option 'lease': '8d' is too large: write at most 7d"},
      {"lease=18446744073709551615d", "option 'lease': '18446744073709551615d' is too large: write at most 7d"},
      {"prefetch=0", "option 'prefetch': '0' is too small: write at least 1"},
      {"prefetch=1000001", "option 'prefetch': '1000001' is too large: write at most 1000000"},
      {"prefetch=18446744073709551616",
       "option 'prefetch': '18446744073709551616' is too large: write at most 1000000"},
      {"prefetch=12x", "option 'prefetch': '12x' is not a count: write a whole number such as 100"},
      {"prefetch=+5", "option 'prefetch': '+5' is not a count: write a whole number such as 100"},
      {"prefetch_bytes=0", "option 'prefetch_bytes': '0' is too small: write at least 1"},
      {"prefetch_bytes=65GiB", "option 'prefetch_bytes': '65GiB' is too large: write at most 64GiB"},
      {"prefetch_bytes=17179869184GiB", "option 'prefetch_bytes': '17179869184GiB' is too large: write at most 64GiB"},
      {"prefetch_bytes=64MB",
       "option 'prefetch_bytes': '64MB' is not a size: write a whole number of bytes or with KiB, MiB or GiB, such as "
       "64MiB"},
      {"busy_poll=11ms", "option 'busy_poll': '11ms' is too large: write at most 10ms"},
      {"busy_poll=1s",
       "option 'busy_poll': '1s' is not a moment: write a whole number with us or ms, such as 50us, or none"},
      {"max_deliveries=0", "option 'max_deliveries': '0' is too small: write at least 1"},
      {"max_deliveries=4294967296", "option 'max_deliveries': '4294967296' is too large: write at most 4294967295"},
      {"retain=forevr", "option 'retain': unknown value 'forevr': did you mean 'forever'?"},
      {"retain=", "option 'retain': unknown value '': write consumed or forever"},
      {"durability=sync", "option 'durability' is for sockets that send, not for PULL: remove it"},
      {"subscription=s", "option 'subscription' is for SUB and XSUB, not for PULL: remove it"},
      {"full=drop", "option 'full' is for ROUTER, not for PULL: remove it"},
      {"qeue=a", "unknown option 'qeue': did you mean 'queue'?"},
      {"moed=a", "unknown option 'moed': did you mean 'mode'?"},
      {"Queue=a", "unknown option 'Queue': did you mean 'queue'?"},
  };
  for (const auto& [option, text] : cases) {
    const std::string uri = "file:q?" + std::string(option);
    EXPECT_EQ(refused(uri).code(), Code::invalid) << uri;
    EXPECT_EQ(error(uri), uri + ": " + text);
  }
}

TEST(EndpointOptions, ListWhatThereIsWhenNothingIsNear) {
  const std::string text = error("file:q?frobnicate=1");
  EXPECT_NE(text.find("unknown option 'frobnicate': write one of ack, busy_poll, cache, delay, durability"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("subscription, ttl"), std::string::npos) << text;
}

TEST(EndpointOptions, BelongToAScheme) {
  EXPECT_EQ(accepted("file:q?mode=ro").address.options.at("mode"), "ro");
  EXPECT_EQ(refused("server://h/d?mode=ro").code(), Code::invalid);
  EXPECT_TRUE(accepted("file:q?mode=ro").given.count("mode"));
}

TEST(EndpointOptions, OfConsumersAreRefusedToProducers) {
  for (const OptionRow& row : option_table()) {
    const std::string uri = "file:q?" + std::string(row.name) + "=1";
    if (row.of == OptionOf::consumers) {
      EXPECT_NE(error(uri, &kPush).find("not for PUSH: remove it"), std::string::npos) << row.name;
    }
    if (row.of == OptionOf::producers) {
      EXPECT_NE(error(uri, &kPull).find("not for PULL: remove it"), std::string::npos) << row.name;
    }
  }
  EXPECT_EQ(error("file:q?lease=5s", &kPush),
            "file:q?lease=5s: option 'lease' is for sockets that receive, not for PUSH: remove it");
  EXPECT_EQ(error("file:q?group=g", &kSub), "file:q?group=g: option 'group' is for PULL, not for SUB: remove it");
}

TEST(EndpointOptions, OnMainAreThoseOfWhatTheLinkDoes) {
  const EndpointUse worker{.produces = true, .consumes = true, .type = "DEALER", .on_main = true};
  const LinkOptions options =
      accepted("file:q?group=g&groups=g,h&ack=next&hold=1s&from=oldest&ttl=1s", &worker).options;
  EXPECT_EQ(options.group, "g");
  EXPECT_EQ(options.groups, (std::vector<std::string>{"g", "h"}));
  EXPECT_EQ(error("file:q?subscription=s", &worker),
            "file:q?subscription=s: option 'subscription' is for SUB and XSUB, not for DEALER: remove it");
  EXPECT_EQ(error("file:q?group=g", &kDealer), "file:q?group=g: option 'group' is for PULL, not for DEALER: remove it");
  const EndpointUse sends{.produces = true, .consumes = false, .type = "PUSH", .on_main = true};
  EXPECT_EQ(error("file:q?group=g", &sends), "file:q?group=g: option 'group' is for PULL, not for PUSH: remove it");
  EXPECT_EQ(accepted("file:q?groups=g", &sends).options.groups, std::vector<std::string>{"g"});
}

TEST(EndpointOptions, OfEitherSideAreAcceptedFromBothAndFromAnOperator) {
  EXPECT_EQ(accepted("file:q?lease=1s&durability=async", &kDealer).options.lease, 1s);
  const LinkEndpoint e = accepted("file:q?lease=1s&durability=async&group=g", nullptr);
  EXPECT_FALSE(e.options.sync);
  EXPECT_EQ(e.options.group, "g");
}

TEST(EndpointOptions, ThatComeLaterAreRefusedAsSuch) {
  const std::set<std::string> later{"spool", "spool_max", "peer_priority", "peer_weight"};
  for (const std::string& name : later) {
    const Status status = refused("file:q?" + name + "=1", nullptr);
    EXPECT_EQ(status.code(), Code::unsupported) << name;
    EXPECT_EQ(status.text(), "file:q?" + name + "=1: option '" + name + "' is not yet supported: remove it");
  }
  for (const OptionRow& row : option_table())
    EXPECT_EQ(row.since.empty(), later.count(std::string(row.name)) == 1) << row.name;
}

TEST(EndpointOptions, OfAReaderLeaveOutWhatSettles) {
  const EndpointUse sub{false, true, "SUB", true};
  for (const std::string option : {"ack=next", "hold=1s", "lease=1s", "max_deliveries=3"}) {
    EXPECT_EQ(error("file:q?" + option, &sub), "file:q?" + option + ": option '" + option.substr(0, option.find('=')) +
                                                   "' needs subscription=NAME: SUB without one only reads, and "
                                                   "settles nothing");
    EXPECT_EQ(accepted("file:q?subscription=s&" + option, &sub).options.subscription, "s");
  }
  EXPECT_EQ(accepted("file:q?from=-15m", &sub).options.from, "-15m");
}

TEST(EndpointOptions, OfTimeAndPriority) {
  const LinkOptions options = accepted("file:q?delay=5s&ttl=2h&priority=9", &kPush).options;
  EXPECT_EQ(options.delay, 5s);
  EXPECT_EQ(options.ttl, 2h);
  EXPECT_EQ(options.priority, 9);
  const LinkOptions none = accepted("file:q?delay=none&ttl=none&priority=0", &kPush).options;
  EXPECT_EQ(none.delay, 0s);
  EXPECT_EQ(none.ttl, 0s);
  EXPECT_EQ(none.priority, 0);
  for (const char* wrong : {"delay=5", "delay=99999d", "ttl=0s", "ttl=soon", "priority=10", "priority=-1", "priority="})
    EXPECT_EQ(refused(std::string("file:q?") + wrong, &kPush).code(), Code::invalid) << wrong;
  const EndpointUse pub{.produces = true, .consumes = false, .type = "PUB", .publishes = true};
  EXPECT_EQ(error("file:q?priority=1", &pub),
            "file:q?priority=1: option 'priority' is not for PUB: what is published is a history, which has one order, "
            "and its readers read one stream; remove it");
  EXPECT_EQ(accepted("file:q?ttl=1s", &pub).options.priority, std::nullopt);
}

TEST(EndpointOptions, OfWhatAQueueHolds) {
  EXPECT_EQ(accepted("file:q?limit=1000").options.limit, "1000");
  EXPECT_EQ(accepted("file:q?limit=65536B").options.limit, "64KiB");
  EXPECT_EQ(accepted("file:q?limit=none").options.limit, "");
  EXPECT_EQ(accepted("file:q").options.limit, std::nullopt);
  for (const char* wrong : {"limit=0", "limit=7d", "limit=forever", "groups=", "groups=a,,b", "groups=a,b.dead"})
    EXPECT_EQ(refused(std::string("file:q?") + wrong).code(), Code::invalid) << wrong;
  EXPECT_EQ(accepted("file:q?groups=a,b.c").options.groups, (std::vector<std::string>{"a", "b.c"}));
}

/// The page for users and the table may not drift apart.
TEST(EndpointOptions, AreAllDocumented) {
  std::ifstream file(VTX_SOURCE_DIR "/docs/endpoints.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  for (const OptionRow& row : option_table()) {
    const auto at = page.find("| `" + std::string(row.name) + "` |");
    ASSERT_NE(at, std::string::npos) << row.name;
    const std::string line = page.substr(at, page.find('\n', at) - at);
    EXPECT_NE(line.find(row.since.empty() ? "| later |" : "| " + std::string(row.since) + " |"), std::string::npos)
        << line;
  }
}

}  // namespace
}  // namespace vtx::test

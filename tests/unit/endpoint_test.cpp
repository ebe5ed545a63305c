/* SPDX-License-Identifier: MPL-2.0 */
//
// Endpoints as users write them: what is understood, and word for word what is said about what is not.
#include "endpoint/endpoint.hpp"

#include <gtest/gtest.h>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include "endpoint/characters.hpp"
#include "endpoint/option_table.hpp"

namespace vtx {
namespace {

using namespace std::chrono_literals;

const EndpointUse kPush{.produces = true, .consumes = false, .type = "PUSH"};
const EndpointUse kPull{.produces = false, .consumes = true, .type = "PULL"};
const EndpointUse kSub{.produces = false, .consumes = true, .type = "SUB"};
const EndpointUse kDealer{.produces = true, .consumes = true, .type = "DEALER"};

/// Three invented drivers, so that the tests show that the names are the caller's.
Schemes schemes() {
  Schemes all;
  all.names = {"file", "server", "net"};
  all.options_of = [](std::string_view scheme) -> std::optional<std::vector<std::string>> {
    if (scheme == "file") return std::vector<std::string>{"mode", "cache"};
    if (scheme == "server") return std::vector<std::string>{"sslmode", "password", "sslpassword"};
    if (scheme == "net") return std::vector<std::string>{};
    return std::nullopt;
  };
  return all;
}

LinkEndpoint accepted(std::string_view uri, const EndpointUse* use = &kPull) {
  Result<LinkEndpoint> parsed = parse_endpoint(uri, schemes(), use);
  EXPECT_TRUE(parsed) << uri << " -> " << (parsed ? "" : parsed.error().text());
  return parsed.value_or(LinkEndpoint{});
}

Status refused(std::string_view uri, const EndpointUse* use = &kPull) {
  Result<LinkEndpoint> parsed = parse_endpoint(uri, schemes(), use);
  EXPECT_FALSE(parsed) << uri;
  return parsed ? Status() : parsed.error();
}

std::string error(std::string_view uri, const EndpointUse* use = &kPull) { return refused(uri, use).text(); }

// --- grammar

TEST(EndpointGrammar, SplitsAbsolutePathBehindAnEmptyAuthority) {
  const LinkEndpoint e = accepted("file:///var/lib/q.db?queue=jobs");
  EXPECT_EQ(e.address.scheme, "file");
  EXPECT_TRUE(e.address.has_authority);
  EXPECT_EQ(e.address.authority, "");
  EXPECT_EQ(e.address.path, "/var/lib/q.db");
  EXPECT_EQ(e.options.queue, "jobs");
  EXPECT_EQ(e.given, std::set<std::string>{"queue"});
  EXPECT_EQ(e.address.text, "file:///var/lib/q.db?queue=jobs");
}

TEST(EndpointGrammar, SplitsPathsWithoutAuthority) {
  EXPECT_EQ(accepted("file:q.db").address.path, "q.db");
  EXPECT_FALSE(accepted("file:q.db").address.has_authority);
  EXPECT_EQ(accepted("file:/tmp/q.db?queue=a").address.path, "/tmp/q.db");
  EXPECT_EQ(accepted("file:a:b?").address.path, "a:b");
  EXPECT_EQ(accepted("file:").address.path, "");
}

TEST(EndpointGrammar, SplitsUserPasswordAndHosts) {
  const LinkEndpoint e = accepted("server://us%3Aer:p%40s%3As%2F@host1,host2:5432/app?sslmode=verify-full&queue=a");
  EXPECT_EQ(e.address.user, "us:er");
  EXPECT_EQ(e.address.password, "p@s:s/");
  EXPECT_EQ(e.address.authority, "host1,host2:5432");
  EXPECT_EQ(e.address.path, "/app");
  EXPECT_EQ(e.address.options, (std::map<std::string, std::string>{{"sslmode", "verify-full"}}));
  EXPECT_EQ(accepted("server://user@host/db").address.user, "user");
  EXPECT_EQ(accepted("server://user@host/db").address.password, std::nullopt);
  EXPECT_EQ(accepted("server://user:@host/db").address.password, "");
  EXPECT_EQ(accepted("server://host/db").address.user, std::nullopt);
}

TEST(EndpointGrammar, TakesNetworkAuthorities) {
  for (const char* authority : {"*:32000", "[::]:32000", "192.0.2.7:32000", "*:*", ""})
    EXPECT_EQ(accepted("net://" + std::string(authority)).address.authority, authority);
  EXPECT_EQ(accepted("net://[fe80::1%25eth0]:1").address.authority, "[fe80::1%eth0]:1");
}

/// The examples of RFC 3986, section 1.1.2, with their schemes replaced where a scheme must be registered.
TEST(EndpointGrammar, SplitsTheExamplesOfTheRfc) {
  const LinkEndpoint ftp = accepted("net://ftp.is.co.za/rfc/rfc1808.txt");
  EXPECT_EQ(ftp.address.authority, "ftp.is.co.za");
  EXPECT_EQ(ftp.address.path, "/rfc/rfc1808.txt");
  const LinkEndpoint ldap = accepted("net://[2001:db8::7]/c=GB");
  EXPECT_EQ(ldap.address.authority, "[2001:db8::7]");
  EXPECT_EQ(ldap.address.path, "/c=GB");
  EXPECT_EQ(accepted("net:John.Doe@example.com").address.path, "John.Doe@example.com");
  EXPECT_EQ(accepted("net:comp.infosystems.www.servers.unix").address.path, "comp.infosystems.www.servers.unix");
  EXPECT_EQ(accepted("net:+1-816-555-1212").address.path, "+1-816-555-1212");
  EXPECT_EQ(accepted("net://192.0.2.16:80/").address.path, "/");
  EXPECT_EQ(accepted("net:oasis:names:specification:docbook:dtd:xml:4.1.2").address.path,
            "oasis:names:specification:docbook:dtd:xml:4.1.2");
}

TEST(EndpointGrammar, DecodesOnceAndKeepsPlus) {
  EXPECT_EQ(accepted("file:a%20b+c%2525").address.path, "a b+c%25");
  EXPECT_EQ(accepted("file:x?mode=a+b").address.options.at("mode"), "a+b");
}

TEST(EndpointGrammar, DecodesNamesOfOptions) {
  EXPECT_EQ(accepted("file:x?%71ueue=%61&mode=a%26b%3Dc=d").options.queue, "a");
  EXPECT_EQ(accepted("file:x?mode=a%26b%3Dc=d").address.options.at("mode"), "a&b=c=d");
}

TEST(EndpointGrammar, TakesUtf8) {
  EXPECT_EQ(accepted("file:/d/\xc3\xbcr").address.path, "/d/\xc3\xbcr");
  EXPECT_EQ(accepted("file:/d/%C3%BCr").address.path, "/d/\xc3\xbcr");
}

TEST(EndpointGrammar, FindsTheScheme) {
  EXPECT_EQ(scheme_of("SQLite:x"), "sqlite");
  EXPECT_EQ(scheme_of("a+b-c.d9://x"), "a+b-c.d9");
  for (const char* none : {"", ":", ":x", "/tmp/q.db", "9a:x", "a b:x", "q.db", "a_b:x"})
    EXPECT_EQ(scheme_of(none), "") << none;
}

struct Refusal {
  const char* uri;
  const char* text;
};

TEST(EndpointGrammar, SaysWhatIsWrong) {
  const Refusal cases[] = {
      {"", "empty endpoint: there is no scheme: write SCHEME:PATH or SCHEME://HOST/PATH"},
      {"/tmp/q.db", "/tmp/q.db: there is no scheme: write SCHEME:PATH or SCHEME://HOST/PATH"},
      {"file:q.db#x", "file:q.db#x: '#' begins a fragment, which means nothing here: write a literal one as %23"},
      {"file:a b", "file:a b: path: ' ' must be percent-encoded in a URI: write %20"},
      {"file:a[1]", "file:a[1]: path: '[' must be percent-encoded in a URI: write %5B"},
      {"file:a%2",
       "file:a%2: path: '%' must be followed by two hexadecimal digits: write a literal percent sign as %25"},
      {"file:%zz",
       "file:%zz: path: '%' must be followed by two hexadecimal digits: write a literal percent sign as %25"},
      {"file:a%00", "file:a%00: path: the control character %00 is not allowed: remove it"},
      {"file:a\x7f", "file:a%7F: path: the control character %7F is not allowed: remove it"},
      {"file:a%FF", "file:a%FF: path: the byte %FF is not UTF-8: write the text in UTF-8"},
      {"file:a\xc0\xaf", "file:a%C0%AF: path: the byte %C0 is not UTF-8: write the text in UTF-8"},
      {"file:a\xc2\x9b", "file:a%C2%9B: path: the byte %C2 is not UTF-8: write the text in UTF-8"},
      {"net://a\nb:1", "net://a%0Ab:1: authority: the control character %0A (newline) is not allowed: remove it"},
      {"net://u%0A@h", "net://u%0A@h: user: the control character %0A (newline) is not allowed: remove it"},
      {"file:q?queue=a\nb",
       "file:q?queue=a%0Ab: option 'queue': the control character %0A (newline) is not allowed: remove it"},
      {"file:q?queue=a%0Ab",
       "file:q?queue=a%0Ab: option 'queue': the control character %0A (newline) is not allowed: remove it"},
      {"file:q?queue", "file:q?queue: option 'queue' has no value: write queue=VALUE"},
      {"file:q?a@b=x",
       "file:q?a@b=x: an option's name holds other characters than A-Z a-z 0-9 . _ -: write name=value"},
      {"file:q?=x", "file:q?=x: an option has no name: write name=value"},
      {"file:q?queue=a&&group=b",
       "file:q?queue=a&&group=b: an option is empty: write name=value, with one '&' between options"},
      {"file:q?queue=a&", "file:q?queue=a&: an option is empty: write name=value, with one '&' between options"},
      {"file:q?%G1=a",
       "file:q?%G1=a: option name: '%' must be followed by two hexadecimal digits: write a literal percent sign as "
       "%25"},
      {"file:q?queue=a&group=b&queue=a",
       "file:q?queue=a&group=b&queue=a: option 'queue' is given twice: keep one of them"},
      {"file:q?mode=a&mode=b", "file:q?mode=a&mode=b: option 'mode' is given twice: keep one of them"},
  };
  for (const Refusal& c : cases) {
    EXPECT_EQ(error(c.uri), c.text);
    EXPECT_EQ(refused(c.uri).code(), Code::invalid);
  }
}

TEST(EndpointGrammar, RefusesWhatIsTooLongAndQuotesItsBeginning) {
  const std::string text = error("file:" + std::string(kMaxUriBytes, 'a'));
  EXPECT_NE(text.find("aaa...: the endpoint has 8197 bytes: write at most 8192"), std::string::npos) << text;
  EXPECT_LT(text.size(), 400U);
}

TEST(EndpointGrammar, NamesTheSchemesThereAre) {
  EXPECT_EQ(refused("fiel:x").code(), Code::no_scheme);
  EXPECT_EQ(error("fiel:x"),
            "fiel:x: there is no driver for scheme 'fiel' (registered: file, net, server): did you mean 'file'?");
  EXPECT_EQ(error("oracle:x"),
            "oracle:x: there is no driver for scheme 'oracle' (registered: file, net, server): register one first");
  const Schemes none{[](std::string_view) { return std::nullopt; }, {}};
  EXPECT_EQ(parse_endpoint("file:x", none, nullptr).error().text(),
            "file:x: there is no driver for scheme 'file', nor for any other: register one first");
}

// --- secrets

TEST(EndpointSecrets, AreMaskedInTheText) {
  EXPECT_EQ(accepted("server://u:secret@h/db").address.text, "server://u:***@h/db");
  EXPECT_EQ(accepted("server://u:se:c@ret@h/db").address.text, "server://u:***@h/db");
  EXPECT_EQ(accepted("server://h/db?password=secret&queue=a").address.text, "server://h/db?password=***&queue=a");
  EXPECT_EQ(accepted("server://h/db?queue=a&sslpassword=secret").address.text, "server://h/db?queue=a&sslpassword=***");
  EXPECT_EQ(accepted("server://h/db?p%61ssword=secret").address.text, "server://h/db?p%61ssword=***");
  EXPECT_EQ(accepted("server://h/db?password=secret").address.options.at("password"), "secret");
}

TEST(EndpointSecrets, MustBeEncoded) {
  EXPECT_EQ(error("server://u:a/b@h/db"),
            "server://u:***@h/db: the password holds a bare '/', '?' or '#': write %2F, %3F or %23");
  EXPECT_EQ(error("server://h/db?password=a&b"),
            "server://h/db?password=***&***: the value of option 'password' holds a bare '&': write it as %26");
}

TEST(EndpointSecrets, LeaveInnocentTextsAlone) {
  for (const char* uri :
       {"net://[::1]:5/x@y", "server://u@h:5432/db", "server://h1:1,h2:2/db?sslmode=a@b", "file:/a:b@c/q.db"})
    EXPECT_EQ(accepted(uri).address.text, uri);
}

TEST(EndpointSecrets, AreHiddenInErrorsHoweverTheyAreWritten) {
  const char* const uris[] = {
      "server://u:sec%ret@h/db",
      "server://u:sec ret@h/db",
      "server://u:sec#ret@h/db",
      "server://u:sec/ret@h/db?nonsense=1",
      "server://u:sec?ret@h/db",
      "server://u:sec?ret&x@h/db",
      "server://u:sec?ret=x@h/db",
      "server://u:sec&ret@h/db?nonsense=1",
      "server://h/db?password=sec%ret",
      "server://h/db?password=sec&ret",
      "server://h/db?password=sec#ret",
      "server://h/db?pasword=sec_ret",
      "server://h/db?Password=sec_ret",
      "server://h/db?password=sec_ret&password=sec_ret",
      "nowhere://u:sec_ret@h/db",
      "file:q?spool=server%3A%2F%2Fu%3Asec_ret%40h%2Fdb",
      "file:q?spool=server://u:sec_ret@h/db",
  };
  for (const char* uri : uris) {
    const std::string text = error(uri);
    EXPECT_EQ(text.find("sec"), std::string::npos) << text;
    EXPECT_EQ(text.find("ret@"), std::string::npos) << text;
    EXPECT_EQ(text.find("&ret"), std::string::npos) << text;
    EXPECT_EQ(text.find("'ret'"), std::string::npos) << text;
  }
}

// --- options

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
  EXPECT_NE(text.find("unknown option 'frobnicate': write one of ack, cache, delay, durability"), std::string::npos)
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

// --- anything at all

void expect_clean(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    ASSERT_FALSE(is_control(text[i])) << text;
    const std::size_t length = utf8_length(text, i);
    ASSERT_NE(length, 0U) << text;
    i += length;
  }
}

std::string random_uri(std::mt19937_64& random) {
  static const char* const pieces[] = {
      "file:", "server://", "net://",  "FILE:", "/",        "//",         "?",      "&",
      "=",     "queue",     "group=g", "ack=",  "lease=5s", "password=x", "%",      "%0A",
      "%00",   "%41",       "%C3%BC",  "%FF",   "@",        ":",          "#",      "[",
      "]",     "+",         "\n",      "\x1b",  "\xc3\xbc", "\xff",       "mode=a", "18446744073709551616",
      ".dead", " ",         "u:p@"};
  std::string uri = random() % 8 == 0 ? "" : pieces[random() % 4];
  for (auto count = random() % 12; count > 0; --count) {
    if (random() % 4 == 0)
      uri += static_cast<char>(random());
    else
      uri += pieces[random() % std::size(pieces)];
  }
  return uri;
}

TEST(EndpointFuzz, NeverAcceptsControlCharactersNorShowsThem) {
  const char* given = std::getenv("VTX_TEST_SEED");
  const unsigned long long seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE(testing::Message() << "VTX_TEST_SEED=" << seed);
  RecordProperty("seed", std::to_string(seed));
  std::mt19937_64 random(seed);
  int good = 0;
  for (int i = 0; i < 50'000 && !HasFatalFailure(); ++i) {
    const std::string uri = random_uri(random);
    const EndpointUse* const uses[] = {nullptr, &kPush, &kPull};
    const Result<LinkEndpoint> parsed = parse_endpoint(uri, schemes(), uses[random() % 3]);
    if (!parsed) {
      expect_clean(parsed.error().text());
      continue;
    }
    ++good;
    const driver::Endpoint& a = parsed->address;
    for (const std::string& text : {a.text, a.scheme, a.authority, a.path, a.user.value_or(""), a.password.value_or(""),
                                    parsed->options.queue, parsed->options.group})
      expect_clean(text);
    for (const auto& [name, value] : a.options) expect_clean(name), expect_clean(value);
  }
  EXPECT_GT(good, 1000) << "the generator no longer writes endpoints that parse";
}

}  // namespace
}  // namespace vtx

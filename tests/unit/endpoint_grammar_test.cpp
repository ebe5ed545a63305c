/* SPDX-License-Identifier: MPL-2.0 */
//
// Endpoints as users write them: what is understood, and word for word what is said about what is not.
#include "endpoint_test.hpp"

namespace vtx::test {
namespace {

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

}  // namespace
}  // namespace vtx::test

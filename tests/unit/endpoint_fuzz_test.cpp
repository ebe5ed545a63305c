/* SPDX-License-Identifier: MPL-2.0 */
//
// Any text at all as an endpoint: it is refused, or what is made of it is clean.
#include <iterator>

#include "endpoint/characters.hpp"
#include "endpoint_test.hpp"
#include "support/random.hpp"

namespace vtx::test {
namespace {

void expect_clean(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    ASSERT_FALSE(is_control(text[i])) << text;
    const std::size_t length = utf8_length(text, i);
    ASSERT_NE(length, 0U) << text;
    i += length;
  }
}

std::string random_uri(Chance& chance) {
  static const char* const pieces[] = {
      "file:", "server://", "net://",  "FILE:", "/",        "//",         "?",      "&",
      "=",     "queue",     "group=g", "ack=",  "lease=5s", "password=x", "%",      "%0A",
      "%00",   "%41",       "%C3%BC",  "%FF",   "@",        ":",          "#",      "[",
      "]",     "+",         "\n",      "\x1b",  "\xc3\xbc", "\xff",       "mode=a", "18446744073709551616",
      ".dead", " ",         "u:p@"};
  std::string uri = chance.below(8) == 0 ? "" : pieces[chance.below(4)];
  for (auto count = chance.below(12); count > 0; --count) {
    if (chance.below(4) == 0)
      uri += static_cast<char>(chance.below(256));
    else
      uri += pieces[chance.below(std::size(pieces))];
  }
  return uri;
}

TEST(EndpointFuzz, NeverAcceptsControlCharactersNorShowsThem) {
  Chance chance;
  int good = 0;
  for (int i = 0; i < 50'000 && !HasFatalFailure(); ++i) {
    const std::string uri = random_uri(chance);
    const EndpointUse* const uses[] = {nullptr, &kPush, &kPull};
    const Result<LinkEndpoint> parsed = parse_endpoint(uri, schemes(), uses[chance.below(3)]);
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
}  // namespace vtx::test

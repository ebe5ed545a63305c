/* SPDX-License-Identifier: MPL-2.0 */
//
// The values of retain and from: every form, what it says when it is none, and that what is shown can be read again.
#include "vtx/driver/options.hpp"

#include <gtest/gtest.h>

namespace vtx::driver {
namespace {

using namespace std::chrono_literals;

struct Wrong {
  const char* text;
  const char* says;
};

StoreTime at(std::chrono::sys_days day, Ms of_day) { return StoreTime(day.time_since_epoch() + of_day); }

TEST(Retain, TakesEveryForm) {
  using Kind = Retention::Kind;
  const std::pair<const char*, Retention> rows[] = {
      {"consumed", {Kind::consumed, {}, 0}},
      {"forever", {Kind::forever, {}, 0}},
      {"1s", {Kind::age, 1s, 0}},
      {"1500ms", {Kind::age, 1500ms, 0}},
      {"15m", {Kind::age, 15min, 0}},
      {"2h", {Kind::age, 2h, 0}},
      {"7d", {Kind::age, 168h, 0}},
      {"36500d", {Kind::age, 24h * 36500, 0}},
      {"1", {Kind::count, {}, 1}},
      {"100000", {Kind::count, {}, 100'000}},
      {"1B", {Kind::size, {}, 1}},
      {"1000B", {Kind::size, {}, 1000}},
      {"64KiB", {Kind::size, {}, 65'536}},
      {"64MiB", {Kind::size, {}, 67'108'864}},
      {"2GiB", {Kind::size, {}, 2'147'483'648}},
      {"9007199254740992", {Kind::count, {}, std::uint64_t{1} << 53}},
  };
  for (const auto& [text, retention] : rows) {
    const auto read = parse_retention(text);
    ASSERT_TRUE(read) << text << ": " << read.error().text();
    EXPECT_EQ(*read, retention) << text;
  }
}

TEST(Retain, ShowsWhatItReadsAgain) {
  for (const char* text : {"consumed", "forever", "1s", "1500ms", "15m", "2h", "7d", "1", "100000", "1B", "1000B",
                           "64KiB", "64MiB", "2GiB"}) {
    const auto read = parse_retention(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(to_text(*read), text);
  }
  EXPECT_EQ(to_text(*parse_retention("1024")), "1024");   // a count
  EXPECT_EQ(to_text(*parse_retention("1024B")), "1KiB");  // a size
  EXPECT_EQ(to_text(*parse_retention("168h")), "7d");     // one text for one meaning
  EXPECT_EQ(to_text(*parse_retention("65536KiB")), "64MiB");
}

TEST(Retain, SaysWhatIsWrong) {
  constexpr const char* kForms = "; or a count as 100000, a size as 64MiB, consumed, forever";
  const auto with_forms = [&](const std::string& text) { return text + kForms; };
  const std::pair<const char*, std::string> rows[] = {
      {"", "unknown value '': write consumed or forever"},
      {"consume", "unknown value 'consume': did you mean 'consumed'?"},
      {"always", "unknown value 'always': write consumed or forever"},
      {"-1", "unknown value '-1': write consumed or forever"},
      {"0", "'0' is too small: write at least 1"},
      {"9007199254740993", "'9007199254740993' is too large: write at most 9007199254740992"},
      {"0B", "'0' is too small: write at least 1"},
      {"64XB", "'64XB' is not a size: write a whole number of bytes or with KiB, MiB or GiB, such as 64MiB"},
      {"0MiB", "'0MiB' is too small: write at least 1"},
      {"999999999999GiB", "'999999999999GiB' is too large: write at most 8388608GiB"},
      {"999ms", with_forms("'999ms' is too small: write at least 1s")},
      {"40000d", with_forms("'40000d' is too large: write at most 36500d")},
      {"7 d", with_forms("'7 d' is not a time: write a whole number with ms, s, m, h or d, such as 5s")},
      {"1.5h", with_forms("'1.5h' is not a time: write a whole number with ms, s, m, h or d, such as 5s")},
  };
  for (const auto& [text, says] : rows) {
    const auto read = parse_retention(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code(), Code::invalid);
    EXPECT_EQ(read.error().text(), says) << text;
  }
}

TEST(From, TakesEveryForm) {
  using Kind = Start::Kind;
  using std::chrono::August, std::chrono::November;
  const auto november = std::chrono::sys_days(2026y / November / 21);
  const std::pair<const char*, Start> rows[] = {
      {"oldest", {}},
      {"now", {Kind::now, 0, {}, {}}},
      {"seq:1", {Kind::seq, 1, {}, {}}},
      {"seq:18446744073709551615", {Kind::seq, ~std::uint64_t{0}, {}, {}}},
      {"-0ms", {Kind::age, 0, {}, 0ms}},
      {"-15m", {Kind::age, 0, {}, 15min}},
      {"-7d", {Kind::age, 0, {}, 168h}},
      {"time:2026-11-21T08:00:00Z", {Kind::time, 0, at(november, 8h), {}}},
      {"time:2026-11-21t08:00:00z", {Kind::time, 0, at(november, 8h), {}}},
      {"time:2026-11-21 08:00:00Z", {Kind::time, 0, at(november, 8h), {}}},
      {"time:2026-11-21T08:00:00.5Z", {Kind::time, 0, at(november, 8h + 500ms), {}}},
      {"time:2026-11-21T08:00:00.0429999Z", {Kind::time, 0, at(november, 8h + 42ms), {}}},
      {"time:2026-11-21T08:00:00+02:00", {Kind::time, 0, at(november, 6h), {}}},
      {"time:2026-11-21T20:00:00-05:30", {Kind::time, 0, at(november, 25h + 30min), {}}},
      {"time:2016-12-31T23:59:60Z", {Kind::time, 0, at(2017y / 1 / 1, 0h), {}}},
      {"time:2024-02-29T00:00:00Z", {Kind::time, 0, at(2024y / 2 / 29, 0h), {}}},
  };
  for (const auto& [text, start] : rows) {
    const auto read = parse_start(text);
    ASSERT_TRUE(read) << text << ": " << read.error().text();
    EXPECT_EQ(*read, start) << text;
  }
}

TEST(From, SaysWhatIsWrong) {
  const Wrong rows[] = {
      {"", "'' is no place to begin: write oldest, now, seq:N, time:2026-11-21T08:00:00Z or an age as -15m"},
      {"newest",
       "'newest' is no place to begin: write oldest, now, seq:N, time:2026-11-21T08:00:00Z or an age as -15m"},
      {"seq:", "'' is not a count: write a whole number such as 100"},
      {"seq:x", "'x' is not a count: write a whole number such as 100"},
      {"seq:0", "'0' is too small: write at least 1"},
      {"seq:18446744073709551616", "'18446744073709551616' is too large: write at most 18446744073709551615"},
      {"-", "'' is not a time: write a whole number with ms, s, m, h or d, such as 5s"},
      {"-15", "'15' is not a time: write a whole number with ms, s, m, h or d, such as 5s"},
      {"-40000d", "'40000d' is too large: write at most 36500d"},
  };
  for (const auto& [text, says] : rows) {
    const auto read = parse_start(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code(), Code::invalid);
    EXPECT_EQ(read.error().text(), says) << text;
  }
}

TEST(From, RefusesWhatIsNoTime) {
  for (const char* text : {"time:",
                           "time:now",
                           "time:2026-11-21",
                           "time:2026-11-21T08:00Z",
                           "time:2026-11-21T08:00:00",
                           "time:2026-11-21T08:00:00.Z",
                           "time:2026-02-29T00:00:00Z",
                           "time:2026-13-01T00:00:00Z",
                           "time:2026-00-01T00:00:00Z",
                           "time:2026-11-21T24:00:00Z",
                           "time:2026-11-21T08:60:00Z",
                           "time:2026-11-21T08:00:61Z",
                           "time:2026-11-21T08:00:00+24:00",
                           "time:2026-11-21T08:00:00+02:60",
                           "time:2026-11-21T08:00:00+0200",
                           "time:2026-11-21T08:00:00Zx",
                           "time:26-11-21T08:00:00Z",
                           "time:2026-11-21T08:00:00.1234567890123Z",
                           "time:2026-1-21T08:00:00Z",
                           "time:+026-11-21T08:00:00Z"}) {
    const auto read = parse_start(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().text(),
              "'" + std::string(text) + "' is not a time as of RFC 3339: write time:2026-11-21T08:00:00Z");
  }
}

}  // namespace
}  // namespace vtx::driver

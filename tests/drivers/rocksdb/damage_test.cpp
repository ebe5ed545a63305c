/* SPDX-License-Identifier: MPL-2.0 */
//
// Files that are not what was written.
#include "scene.hpp"

namespace vtx::rocks::test {
namespace {

using DamageTest = RocksTest;

TEST_F(DamageTest, ATornLogIsReadUpToWhereItIsTorn) {
  std::string epoch;
  {
    const auto a = open();
    const Id stream = a->stream(a->queue("q", "forever"));
    for (u64 i = 1; i <= 4; ++i) a->append(stream, {std::to_string(i)});
    epoch = a->epoch();
  }
  const fs::path log = largest(".log");
  ASSERT_FALSE(log.empty());
  fs::resize_file(log, fs::file_size(log) - 3);
  const auto a = open();
  EXPECT_TRUE(a->went_back()) << "what was not synced is gone, and others may have seen it";
  EXPECT_NE(a->epoch(), epoch);
  const Id stream = a->stream(a->queue("q", "forever"));
  EXPECT_EQ(a->read(stream), numbers(1, 3));
  EXPECT_EQ(a->append(stream, {"4"}), 4U);
  EXPECT_EQ(a->read(stream), numbers(1, 4));
}

/// Turns round some bytes in the middle of the file.
void damage(const fs::path& file) {
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  const auto middle = static_cast<std::streamoff>(fs::file_size(file) / 2);
  bytes.seekg(middle);
  char was[16] = {};
  bytes.read(was, sizeof was);
  for (char& byte : was) byte = static_cast<char>(~byte);
  bytes.seekp(middle);
  bytes.write(was, sizeof was);
}

/// Whoever asks for a claim again takes what is missing of it for removed.
TEST_F(DamageTest, AClaimIsNotRepeatedInPart) {
  const auto a = open();
  const Id queue = a->queue("q", "forever");
  const Id stream = a->stream(queue);
  for (u64 i = 1; i <= 50; ++i) a->append(stream, {std::string(10'000, 'x')});
  driver::ClaimNext wish{a->group(queue), a->holder(), {}};
  wish.number = 1;
  EXPECT_EQ(texts(a->run(wish)).size(), 50U);
  a->start();  // what was in the log goes to files
  damage(largest(".sst"));
  a->start();
  EXPECT_EQ(a->ask(wish).status.code(), Code::corrupt);
}

TEST_F(DamageTest, ADamagedBodyIsReportedWithItsFile) {
  {
    const auto a = open();
    const Id stream = a->stream(a->queue("q", "forever"));
    for (u64 i = 1; i <= 50; ++i) a->append(stream, {std::string(10'000, 'x')});
  }
  open();  // what was in the log goes to files
  const fs::path file = largest(".sst");
  ASSERT_FALSE(file.empty());
  damage(file);

  const auto a = open();
  const Id queue = a->queue("q", "forever");
  const Id stream = a->stream(queue);
  // What lies before the damage is not held up by it.
  const std::size_t before = texts(a->run(driver::Read{stream, 1, {}})).size();
  EXPECT_GT(before, 10U);
  EXPECT_LT(before, 50U);
  const Completion read = a->ask(driver::Read{stream, before + 1, {}});
  EXPECT_EQ(read.status.code(), Code::corrupt);
  EXPECT_NE(read.status.text().find((path_ / file.filename()).string()), std::string::npos) << read.status.text();
  const Id group = a->group(queue), holder = a->holder();
  EXPECT_EQ(texts(a->run(driver::ClaimNext{group, holder, {}})).size(), before);
  EXPECT_EQ(a->ask(driver::ClaimNext{group, holder, {}}).status.code(), Code::corrupt);

  const Completion check = a->run(driver::Check{});
  int errors = 0;
  for (const auto& finding : check.findings) {
    if (finding.level != driver::Finding::Level::error) continue;
    ++errors;
    EXPECT_NE(finding.text.find(file.filename().string()), std::string::npos) << finding.text;
    EXPECT_FALSE(finding.remedy.empty());
  }
  EXPECT_EQ(errors, 2) << "the files, and the messages";

  // Around the damage life goes on.
  EXPECT_EQ(a->append(stream, {"after"}), 51U);
  EXPECT_EQ(texts(a->run(driver::Read{stream, 51, {}})), std::vector<std::string>{"after"});
  EXPECT_EQ(texts(a->run(driver::Read{stream, 1, {1, 1}})).size(), 1U);
}

TEST_F(DamageTest, ASoundDatabaseHasNoErrors) {
  const auto a = open();
  const Id stream = a->stream(a->queue("q", "forever"));
  a->append(stream, numbers(1, 100));
  const Completion check = a->run(driver::Check{});
  for (const auto& finding : check.findings) EXPECT_NE(finding.level, driver::Finding::Level::error) << finding.text;
  EXPECT_EQ(check.findings.back().text, "100 can be read");
}

}  // namespace
}  // namespace vtx::rocks::test

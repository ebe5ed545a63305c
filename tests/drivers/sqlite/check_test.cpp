/* SPDX-License-Identifier: MPL-2.0 */
//
// What `vtx check` finds in a SQLite database: each finding is provoked once.
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <filesystem>

#include "harness.hpp"
#include "support/manual_clock.hpp"

namespace vtx::sqlite::test {
namespace {

using Level = Finding::Level;

class Checking : public SqliteTest {
 protected:
  static Finding find(Driven& store, const std::string& subject) {
    const auto answer = store.run(Check{});
    for (const auto& finding : answer.findings)
      if (finding.subject == subject) return finding;
    ADD_FAILURE() << "nothing about " << subject << ": " << answer.status.text();
    return {};
  }
  /// Expects a warning that says so, with a remedy.
  static void expect_warning(Driven& store, const std::string& subject, const std::string& words) {
    const Finding finding = find(store, subject);
    EXPECT_EQ(finding.level, Level::warning) << subject;
    EXPECT_NE(finding.text.find(words), std::string::npos) << finding.text;
    EXPECT_FALSE(finding.remedy.empty()) << subject;
  }
};

TEST_F(Checking, FindsNothingWrongWithAFreshStore) {
  Driven store(path_);
  store.open();
  const auto answer = store.run(Check{});
  EXPECT_EQ(answer.findings.size(), 13U);
  for (const auto& finding : answer.findings) {
    // These depend on the machine.
    if (finding.subject == "SQLite version" || finding.subject == "file system" || finding.subject == "disk") continue;
    EXPECT_EQ(finding.level, Level::ok) << finding.subject << ": " << finding.text;
  }
}

TEST_F(Checking, NamesTheDefectOfTheLibrary) {
  Driven store(path_);
  store.open();
  const Finding finding = find(store, "SQLite version");
  EXPECT_TRUE(finding.text.starts_with(sqlite3_libversion()));
  const int version = sqlite3_libversion_number();
  const bool sound = version >= 3051003 || version == 3050007 || version == 3044006;
  EXPECT_EQ(finding.level, sound ? Level::ok : Level::warning);
  EXPECT_EQ(finding.remedy.find("wal_autocheckpoint=0") == std::string::npos, sound);
}

TEST_F(Checking, FindsALogThatAReaderKeepsLong) {
  Driven store(path_);
  store.open();
  store.declare();
  Foreign reader(path_);
  reader.run("BEGIN");
  reader.value("SELECT count(*) FROM vtx_queue");
  for (int i = 0; i < 70; ++i) ASSERT_TRUE(store.send({std::string(1 << 20, 'x')}, false).ok());
  expect_warning(store, "write-ahead log", "KiB");
  EXPECT_NE(find(store, "write-ahead log").remedy.find("transactions"), std::string::npos);
}

TEST_F(Checking, FindsWhoElseMayReadIt) {
  Driven store(path_);
  store.open();
  ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  expect_warning(store, "permissions", "0644");
}

TEST_F(Checking, FindsFilesThatOthersCannotOpen) {
  Driven store(path_);
  store.open();
  ASSERT_EQ(chmod((path_ + "-wal").c_str(), 0640), 0);
  expect_warning(store, "files beside it", "-wal");
  ASSERT_EQ(chmod((path_ + "-wal").c_str(), 0600), 0);
  EXPECT_EQ(find(store, "files beside it").level, Level::ok);
}

TEST_F(Checking, FindsADirectoryThatIsOpenToEverybody) {
  Driven store(path_);
  store.open();
  ASSERT_EQ(chmod(directory_.c_str(), 0777), 0);
  expect_warning(store, "directory", "0777");
  ASSERT_EQ(chmod(directory_.c_str(), 01777), 0);
  EXPECT_EQ(find(store, "directory").level, Level::ok);
}

TEST_F(Checking, FindsAFileSystemInMemory) {
  struct statfs system {};
  if (statfs("/dev/shm", &system) != 0 || system.f_type != 0x01021994) GTEST_SKIP() << "this machine has no tmpfs";
  std::string place = "/dev/shm/vtx-check-XXXXXX";
  ASSERT_NE(mkdtemp(place.data()), nullptr);
  {
    Driven store(place + "/q.db");
    store.open();
    expect_warning(store, "file system", "tmpfs");
  }
  std::filesystem::remove_all(place);
}

TEST_F(Checking, FindsAMessageOfTheFuture) {
  vtx::test::ManualClock clock;
  Driven store(path_, {}, clock);
  store.open();
  store.declare();
  ASSERT_TRUE(store.send({"x"}).ok());
  EXPECT_EQ(find(store, "clock").level, Level::ok);
  clock.set_wall(clock.wall() - 1h);
  expect_warning(store, "clock", "3600 s ahead");
}

TEST_F(Checking, FindsWhatIsToComeAgainInTheDistantFuture) {
  vtx::test::ManualClock clock;
  Driven store(path_, {}, clock);
  store.open();
  store.declare();
  ASSERT_TRUE(store.send({"x"}).ok());
  const auto got = store.claim();
  Settle settle{store.group, got.claim->id, {1}, {{0, Verdict::nacked, 24h * 6, "later"}}};
  Commit commit;
  commit.settles.push_back(settle);
  ASSERT_TRUE(store.run(commit).status.ok());
  EXPECT_EQ(find(store, "clock").level, Level::ok);
  Foreign(path_).run("UPDATE vtx_retry SET due = due + 30 * 86400000");
  expect_warning(store, "clock", "come again");
}

TEST_F(Checking, FindsClaimsThatNobodyTakesOver) {
  Driven store(path_);
  store.open();
  store.declare();
  ASSERT_TRUE(store.send({"x"}).ok());
  store.claim();
  EXPECT_EQ(find(store, "claims").level, Level::ok);  // its consumer lives
  store.store().stop();
  Driven other(path_);
  other.open();
  expect_warning(other, "claims", "1 of 1 consumers");
}

TEST_F(Checking, FindsDamage) {
  {
    Driven store(path_);
    store.open();
    store.declare();
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(store.send({std::string(3000, 'x')}, false).ok());
    store.store().stop();
  }
  // The last page, which is one of messages.
  const auto size = std::filesystem::file_size(path_);
  FILE* file = std::fopen(path_.c_str(), "r+b");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(std::fseek(file, static_cast<long>(size - 4096), SEEK_SET), 0);
  const std::string rubbish(4096, '\x5a');
  ASSERT_EQ(std::fwrite(rubbish.data(), 1, rubbish.size(), file), rubbish.size());
  std::fclose(file);
  Driven store(path_);
  store.open();
  const Finding finding = find(store, "integrity");
  EXPECT_EQ(finding.level, Level::error);
  EXPECT_FALSE(finding.remedy.empty());
}

}  // namespace
}  // namespace vtx::sqlite::test

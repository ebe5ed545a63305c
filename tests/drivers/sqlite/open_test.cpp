/* SPDX-License-Identifier: MPL-2.0 */
//
// What a path may lead to, and what each refusal says.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "harness.hpp"
#include "vtx/drivers/sqlite.h"

namespace vtx::sqlite::test {
namespace {

class Opening : public SqliteTest {
 protected:
  Status start(const std::string& path, bool create = true, std::map<std::string, std::string> options = {}) {
    return Driven(path, std::move(options)).start(create);
  }
  void expect(const Status& status, Code code, const std::string& words) {
    EXPECT_EQ(status.code(), code) << status.text();
    EXPECT_NE(status.text().find(words), std::string::npos) << status.text();
  }
  /// What a user other than root, who may do everything, is told of path_.
  void expect_denied(const std::string& words) {
    ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
    const pid_t child = fork();
    if (child == 0) {
      if (geteuid() == 0 && seteuid(65534) != 0) _exit(100);
      SqliteStore store;
      Endpoint endpoint;
      endpoint.path = path_;
      const Status status = store.start(endpoint, true);
      _exit(status.text() == path_ + words ? static_cast<int>(status.code()) : 101);
    }
    int result = 0;
    waitpid(child, &result, 0);
    EXPECT_EQ(WEXITSTATUS(result), static_cast<int>(Code::denied));
  }
  mode_t mode_of(const std::string& path) {
    struct stat file {};
    EXPECT_EQ(stat(path.c_str(), &file), 0) << path;
    return file.st_mode & 0777;
  }
};

TEST_F(Opening, NamesTheMissingDirectory) {
  expect(start(directory_ + "/none/q.db"), Code::not_found, "no such directory: " + directory_ + "/none");
}

TEST_F(Opening, RefusesADirectoryAsFile) {
  expect(start(directory_), Code::invalid, directory_ + " is a directory; name a file in it");
}

TEST_F(Opening, RefusesWhatIsNoRegularFile) {
  expect(start("/dev/null"), Code::invalid, "/dev/null is no regular file, as a database must be; name another");
  // Opening a pipe that nobody writes to would wait for ever.
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  expect(start(path_), Code::invalid, path_ + " is no regular file");
}

TEST_F(Opening, RefusesADatabaseInMemory) {
  const std::string words = "a database in memory cannot be shared, nor be there tomorrow; name a file";
  expect(start(":memory:"), Code::invalid, words);
  EXPECT_FALSE(std::filesystem::exists(":memory:"));
  Endpoint endpoint;  // sqlite://:memory:
  endpoint.has_authority = true;
  endpoint.authority = ":memory:";
  expect(SqliteStore().start(endpoint, true), Code::invalid, words);
}

TEST_F(Opening, RefusesATextFileAndLeavesItAlone) {
  const std::string text(5000, 'x');
  std::ofstream(path_) << text;
  expect(start(path_), Code::corrupt, "not a database");
  EXPECT_EQ(std::filesystem::file_size(path_), text.size());
  EXPECT_FALSE(std::filesystem::exists(path_ + "-vtx"));
}

TEST_F(Opening, CreatesNothingUnlessAsked) {
  expect(start(path_, false), Code::not_found, "no such database");
  expect(start(path_, true, {{"mode", "rw"}}), Code::not_found, "no such database");
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
  { Foreign(path_).run("CREATE TABLE mine (a)"); }
  expect(start(path_, false), Code::not_found, "no VTX tables");
}

TEST_F(Opening, RefusesAForeignHostAndBadOptions) {
  expect(start(path_, true, {{"mode", "memory"}}), Code::invalid, "mode=memory");
  expect(start(path_, true, {{"cache", "none"}}), Code::invalid, "cache=none");
  expect(start(path_, true, {{"vfs", "none"}}), Code::invalid, "vfs=none");
  SqliteStore store;
  Endpoint endpoint;
  endpoint.has_authority = true;
  endpoint.authority = "host";
  endpoint.path = path_;
  expect(store.start(endpoint, true), Code::invalid, "no host 'host'");
}

TEST_F(Opening, ForEveryFileOnlyTheOwner) {
  const mode_t before = umask(0);
  Driven store(path_);
  store.open();
  umask(before);
  for (const char* suffix : {"", "-wal", "-shm", "-vtx"}) EXPECT_EQ(mode_of(path_ + suffix), 0600U) << suffix;
}

TEST_F(Opening, IsDeniedAReadOnlyFile) {
  { Driven(path_).open(); }
  ASSERT_EQ(chmod(path_.c_str(), 0444), 0);
  expect_denied(" is read-only; make the file and its directory writable for this user");
}

TEST_F(Opening, IsDeniedAnUnreadableFile) {
  { Driven(path_).open(); }
  ASSERT_EQ(chmod(path_.c_str(), 0222), 0);
  expect_denied(" is not readable for this user; make it so, and writable");
}

TEST_F(Opening, LivesInAnApplicationsDatabase) {
  Foreign application(path_);
  application.run(
      "CREATE TABLE mine (a); INSERT INTO mine VALUES (1); PRAGMA user_version = 77; PRAGMA application_id = 99");
  Driven store(path_);
  store.open();
  store.declare();
  EXPECT_TRUE(store.send({"x"}).ok());
  EXPECT_EQ(application.value("PRAGMA user_version"), "77");
  EXPECT_EQ(application.value("PRAGMA application_id"), "99");
  EXPECT_EQ(application.value("SELECT a FROM mine"), "1");
  EXPECT_EQ(application.value("SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'vtx\\_%' ESCAPE '\\' AND name "
                              "NOT LIKE 'sqlite\\_%' ESCAPE '\\'"),
            "1");
}

TEST_F(Opening, SaysWhichVersionANewerSchemaNeeds) {
  {
    Driven store(path_);
    store.open();
  }
  Foreign(path_).run("UPDATE vtx_store SET schema = 9, oldest_library = '7.8.9'");
  expect(start(path_), Code::newer_schema, "needs VTX 7.8.9");
}

TEST_F(Opening, GoesOnWithANewerSchemaThatStillAllowsIt) {
  { Driven(path_).open(); }
  Foreign(path_).run("UPDATE vtx_store SET schema = 9");
  Driven(path_).open();
  EXPECT_EQ(Foreign(path_).value("SELECT schema FROM vtx_store"), "9");
}

TEST_F(Opening, StopsWhenTheSchemaMovesOnUnderIt) {
  Driven store(path_);
  store.open();
  store.declare();
  Foreign(path_).run("UPDATE vtx_store SET schema = 9, oldest_library = '7.8.9'");
  EXPECT_EQ(store.send({"x"}).code(), Code::lost);
  EXPECT_EQ(store.wait_event(Event::lost).status.code(), Code::newer_schema);
}

TEST_F(Opening, AForeignLockIsNoFailure) {
  { Driven(path_).open(); }
  Foreign application(path_);
  application.run("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
  Driven store(path_);
  EXPECT_TRUE(store.start().ok());
  EXPECT_EQ(store.wait_event(Event::lost).status.code(), Code::busy);
  application.run("COMMIT");
  store.open();
}

TEST_F(Opening, NoticesThatTheSideFileWasReplaced) {
  Driven store(path_);
  store.open();
  store.declare();
  ASSERT_TRUE(store.send({"x"}).ok());
  ASSERT_TRUE(store.claim().claim);
  std::filesystem::remove(path_ + "-vtx");
  // Whoever comes now sees no sign of the holder, and may take its claims.
  Driven other(path_);
  other.open();
  other.declare();
  const auto beats = other.run(Beat{other.holder, 5000ms}).holders;
  ASSERT_EQ(beats.size(), 1U);
  EXPECT_TRUE(beats[0].dead);
  EXPECT_EQ(other.run(TakeOver{beats[0].holder, 0}).count, 1U);
  EXPECT_EQ(store.wait_event(Event::lost).status.code(), Code::lost);
  store.open();
  store.declare();
}

TEST_F(Opening, RefusesASideFileOfAnotherKind) {
  { Driven(path_).open(); }
  std::filesystem::remove(path_ + "-vtx");
  std::ofstream(path_ + "-vtx") << "something else";
  expect(start(path_), Code::newer_schema, "another version");
}

TEST_F(Opening, SurvivesASideFileFullOfNonsense) {
  { Driven(path_).open(); }
  {
    std::fstream side(path_ + "-vtx", std::ios::in | std::ios::out | std::ios::binary);
    side.seekp(8);
    for (int i = 8; i < (1 << 20); ++i) side.put(static_cast<char>(0xff));
  }
  Driven store(path_);
  store.open();
  store.declare();
  EXPECT_TRUE(store.send({"x"}).ok());
  EXPECT_EQ(bodies(store.claim()), std::vector<std::string>{"x"});
  EXPECT_TRUE(store.send({"y"}).ok());
}

TEST_F(Opening, OffersItselfAsADriver) {
  const auto* driver = vtx_sqlite_driver();
  EXPECT_EQ(driver->abi_version, static_cast<unsigned>(VTX_DRIVER_ABI_VERSION));
  EXPECT_STREQ(driver->options[0], "mode");
  delete static_cast<driver::Store*>(driver->store());
}

}  // namespace
}  // namespace vtx::sqlite::test

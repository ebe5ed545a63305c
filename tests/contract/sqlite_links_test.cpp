/* SPDX-License-Identifier: MPL-2.0 */
//
// Links on SQLite, beyond the contract: files that are none, a disk that fills, and programs that die. This program runs
// itself again in a role, so that what dies is a whole process.
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "contract/link_world.hpp"
#include "vtx/drivers/sqlite.h"

namespace vtx::test {
namespace {

namespace fs = std::filesystem;

class SqliteLinks
    : public testing::Test {  // NOLINT(cppcoreguidelines-virtual-class-destructor): as GoogleTest has them
 protected:
  SqliteLinks() {
    std::string name = (fs::temp_directory_path() / "vtx-links-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw fs::filesystem_error("mkdtemp", {});
    directory_ = name;
  }
  ~SqliteLinks() override {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
  std::string file(const std::string& name = "q.db") const { return (directory_ / name).string(); }
  std::string at(const std::string& name = "q.db") const { return "sqlite://" + file(name) + "?queue=q"; }
  void expect_refused(const std::string& endpoint, int error, const std::string& remedy) {
    World world("sqlite", vtx_sqlite_driver);
    Socket push(world, ZMQ_PUSH);
    EXPECT_EQ(vtx_connect(world.vtx(), push.get(), endpoint.c_str()), -1) << endpoint;
    EXPECT_EQ(errno, error) << vtx_last_error();
    EXPECT_NE(std::string(vtx_last_error()).find(remedy), std::string::npos) << vtx_last_error();
  }
  void put(const Frames& texts) {
    World world("sqlite", vtx_sqlite_driver);
    Socket push(world, ZMQ_PUSH);
    push.connect(at());
    push.send_each(texts);
    push.flush();
  }
  void expect_all(const Frames& texts) {
    World world("sqlite", vtx_sqlite_driver);
    Socket pull(world, ZMQ_PULL);
    pull.connect(at());
    EXPECT_EQ(pull.receive(static_cast<int>(texts.size())), texts);
  }
  void run_sql(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
  }

  fs::path directory_;
};

// --- files that are none ---------------------------------------------------------------------------------------------

TEST_F(SqliteLinks, RefusesADirectoryAsFile) {
  fs::create_directory(directory_ / "d");
  expect_refused(at("d"), EINVAL, "is a directory");
}

TEST_F(SqliteLinks, RefusesAMissingDirectory) { expect_refused(at("none/q.db"), ENOENT, "create it first"); }

TEST_F(SqliteLinks, RefusesATextFileAndLeavesItAsItIs) {
  const std::string poem(5000, 'p');
  std::ofstream(file()) << poem;
  expect_refused(at(), EILSEQ, "not a database");
  std::ifstream in(file());
  EXPECT_TRUE(std::string(std::istreambuf_iterator<char>(in), {}) == poem);
}

TEST_F(SqliteLinks, RefusesAHost) { expect_refused("sqlite://q.db?queue=q", EINVAL, "sqlite:///absolute/path"); }

TEST_F(SqliteLinks, RefusesANewerSchemaAndLosesNothing) {
  put({"x"});
  run_sql("UPDATE vtx_store SET schema = 99, oldest_library = '99.0.0'");
  expect_refused(at(), EPROTO, "upgrade");
  run_sql("UPDATE vtx_store SET schema = 1, oldest_library = '0.1.0'");
  expect_all({"x"});
}

/// As a user who owns nothing here: root may write what is read-only.
class Nobody {
 public:
  Nobody() : root_(::geteuid() == 0) { become(65534); }
  ~Nobody() { become(0); }
  Nobody(const Nobody&) = delete;
  Nobody& operator=(const Nobody&) = delete;

 private:
  void become(uid_t user) const { EXPECT_TRUE(!root_ || ::seteuid(user) == 0); }
  const bool root_;
};

TEST_F(SqliteLinks, RefusesAReadOnlyFileAndLosesNothing) {
  put({"x"});
  ::chmod(file().c_str(), 0444);
  ::chmod(directory_.c_str(), 0555);
  {
    const Nobody nobody;
    expect_refused(at(), EACCES, "writable for this user");
  }
  ::chmod(directory_.c_str(), 0755);
  ::chmod(file().c_str(), 0600);
  expect_all({"x"});
}

TEST_F(SqliteLinks, MakesFilesForTheirOwnerOnly) {
  put({"x"});
  for (const auto& entry : fs::directory_iterator(directory_)) {
    EXPECT_EQ(entry.status().permissions(), fs::perms::owner_read | fs::perms::owner_write) << entry.path();
  }
}

// --- a full disk -----------------------------------------------------------------------------------------------------

/// The machine's own VFS, whose files refuse to be written while `full`.
struct FillingDisk {
  static inline std::atomic<bool> full{false};
  static inline sqlite3_vfs vfs;
  /// The database's files and the others have different methods.
  template <bool main>
  struct Methods {
    static inline const sqlite3_io_methods* real = nullptr;
    static inline sqlite3_io_methods filling;
    static int write(sqlite3_file* to, const void* bytes, int size, sqlite3_int64 at) {
      return full ? SQLITE_FULL : real->xWrite(to, bytes, size, at);
    }
    static void put_into(sqlite3_file* file) {
      real = file->pMethods;
      filling = *real;
      filling.xWrite = write;
      file->pMethods = &filling;
    }
  };

  static int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
    sqlite3_vfs* real = sqlite3_vfs_find("unix");
    const int result = real->xOpen(real, name, file, flags, out);
    if (result != SQLITE_OK || file->pMethods == nullptr) return result;
    (flags & SQLITE_OPEN_MAIN_DB) != 0 ? Methods<true>::put_into(file) : Methods<false>::put_into(file);
    return result;
  }
  static void install() {
    vfs = *sqlite3_vfs_find("unix");
    vfs.zName = "filling";
    vfs.xOpen = open;
    ASSERT_EQ(sqlite3_vfs_register(&vfs, 0), SQLITE_OK);
  }
  static void uninstall() {
    full = false;
    sqlite3_vfs_unregister(&vfs);
  }
};

TEST_F(SqliteLinks, FullDiskBlocksTheSenderAndGoesOnWhenThereIsSpace) {
  FillingDisk::install();
  Frames sent{"before"};
  {
    World world("sqlite", vtx_sqlite_driver);
    Socket push(world, ZMQ_PUSH);
    EventLog events(world, push);
    push.set(ZMQ_SNDHWM, 10).connect(at() + "&vfs=filling");
    push.send("before");
    push.flush();
    FillingDisk::full = true;
    push.send("1");
    sent.push_back("1");
    const auto trouble = events.wait(VTX_EVENT, VTX_EVENT_TROUBLE);
    ASSERT_TRUE(trouble);
    EXPECT_NE(trouble->sentence.find("free space"), std::string::npos) << trouble->sentence;
    while (push.try_send(std::to_string(sent.size()))) sent.push_back(std::to_string(sent.size()));
    EXPECT_LE(sent.size(), 15U);
    EXPECT_EQ(vtx_flush(world.vtx(), push.get(), 100), -1);
    EXPECT_EQ(errno, ENOSPC) << vtx_last_error();
    FillingDisk::full = false;
    EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_RECOVERED));
    push.flush();
  }
  FillingDisk::uninstall();
  expect_all(sent);
}

// --- programs that die -----------------------------------------------------------------------------------------------

/// What this program does when it is run again: ends by SIGKILL.
void play(const std::string& role, const std::string& endpoint) {
  World world("sqlite", vtx_sqlite_driver);
  if (role == "send") {
    Socket push(world, ZMQ_PUSH);
    push.connect(endpoint);
    push.send_each(count_up(1, 300));
    push.flush();
    push.send("perhaps");
    ::kill(::getpid(), SIGKILL);
  }
  Socket pull(world, ZMQ_PULL);  // role "hold"
  pull.connect(endpoint);
  Message held;
  (void)pull.receive(held);
  ::kill(::getpid(), SIGKILL);
}

/// Runs the role and waits for its violent end.
void run_killed(const std::string& role, const std::string& endpoint) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/proc/self/exe", "vtx_links_sqlite", "--play", role.c_str(), endpoint.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
}

TEST_F(SqliteLinks, FlushedMessagesSurviveTheDeathOfTheirSender) {
  run_killed("send", at());
  expect_all(count_up(1, 300));
}

TEST_F(SqliteLinks, MessagesOfADeadConsumerGoToAnotherAndCount) {
  put({"x"});
  World world("sqlite", vtx_sqlite_driver);
  Socket pull(world, ZMQ_PULL);
  EventLog events(world, pull);
  run_killed("hold", at() + "&lease=200ms");
  pull.connect(at() + "&lease=200ms");
  EXPECT_EQ(pull.receive(), "x");
  EXPECT_TRUE(pull.reaches(&vtx_stats_t::settled, 1));
  EXPECT_EQ(pull.stats().redelivered, 1U);
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_TAKEN_OVER));
}

TEST_F(SqliteLinks, MessageThatKillsItsConsumersBecomesADeadLetter) {
  put({"deadly"});
  for (int i = 0; i < 3; ++i) run_killed("hold", at() + "&lease=100ms&max_deliveries=3");
  World world("sqlite", vtx_sqlite_driver);
  Socket pull(world, ZMQ_PULL);
  EventLog events(world, pull);
  pull.connect(at() + "&lease=100ms&max_deliveries=3");
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_DEAD_LETTERED));
  ASSERT_TRUE(wait_until([&] { return show(world, at()).dead == 1; }));
  const auto letters = dead_letters(world, at());
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].preview, "deadly");
  EXPECT_NE(letters[0].reason, "");
  EXPECT_EQ(pull.stats().delivered, 0U);
}

}  // namespace
}  // namespace vtx::test

int main(int argc, char** argv) {
  if (argc == 4 && std::string(argv[1]) == "--play") {
    vtx::test::play(argv[2], argv[3]);
    return 1;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

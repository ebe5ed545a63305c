/* SPDX-License-Identifier: MPL-2.0 */
//
// What is found at a path, what is made there, and what is left alone.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.hpp"

namespace vtx::rocks::test {
namespace {

using OpenTest = RocksTest;

TEST_F(OpenTest, MakesNothingUnlessAsked) {
  EXPECT_EQ(start(false).code(), Code::not_found);
  EXPECT_TRUE(fs::is_empty(directory_));
  fs::create_directory(path_);
  EXPECT_EQ(start(false).code(), Code::not_found);
  EXPECT_TRUE(fs::is_empty(path_));
}

TEST_F(OpenTest, MakesADirectoryForItsOwnerOnly) {
  open();
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_all);
  EXPECT_EQ(names_in(directory_), (std::vector<std::string>{"q", "q-vtx"}));
}

TEST_F(OpenTest, DoesNotMakeTheDirectoryAbove) {
  path_ = directory_ / "none" / "q";
  EXPECT_EQ(start().code(), Code::not_found);
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(OpenTest, LeavesAForeignDirectoryAlone) {
  fs::create_directory(path_);
  std::ofstream(path_ / "thesis.txt") << "chapter one";
  const Status status = start();
  EXPECT_EQ(status.code(), Code::corrupt);
  EXPECT_NE(status.text().find("thesis.txt"), std::string::npos) << status.text();
  EXPECT_EQ(names_in(path_), std::vector<std::string>{"thesis.txt"});
  EXPECT_EQ(names_in(directory_), std::vector<std::string>{"q"});
}

TEST_F(OpenTest, LeavesWhatIsNoDatabaseAlone) {
  fs::create_directory(path_);
  std::ofstream(path_ / "CURRENT") << "MANIFEST-000001\n";
  std::ofstream(path_ / "MANIFEST-000001") << "no manifest";
  EXPECT_FALSE(start().ok());
  EXPECT_EQ(names_in(path_), (std::vector<std::string>{"CURRENT", "MANIFEST-000001"}));
}

TEST_F(OpenTest, RefusesAPlainFile) {
  std::ofstream(path_) << "a file";
  const Status status = start();
  EXPECT_EQ(status.code(), Code::invalid) << status.text();
  EXPECT_EQ(fs::file_size(path_), 6U);
}

TEST_F(OpenTest, RefusesOptionsThatMeanNothing) {
  for (const auto& [name, value] : std::map<std::string, std::string>{{"compression", "zip"},
                                                                      {"compression", ""},
                                                                      {"memtable", "much"},
                                                                      {"memtable", "1KiB"},
                                                                      {"memtable", "2TiB"}}) {
    options_ = {{name, value}};
    const Status status = start();
    EXPECT_EQ(status.code(), Code::invalid) << value;
    EXPECT_NE(status.text().find(name), std::string::npos) << status.text();
    EXPECT_TRUE(fs::is_empty(directory_));
  }
}

TEST_F(OpenTest, RefusesAHost) {
  Endpoint wrong = endpoint();
  wrong.has_authority = true;
  wrong.authority = "server";
  EXPECT_EQ(make_store()->start(wrong, true).code(), Code::invalid);
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(OpenTest, EveryCompressionKeepsMessages) {
  for (const std::string compression : {"none", "lz4", "zstd"}) {
    path_ = directory_ / compression;
    options_ = {{"compression", compression}, {"memtable", "1MiB"}};
    const std::string body(600'000, 'x');
    const auto a = open();
    const Id stream = a->stream(a->queue("q", "forever"));
    for (int i = 0; i < 5; ++i) a->append(stream, {body});
    EXPECT_EQ(a->read(stream).front(), body);
    EXPECT_EQ(a->run(driver::Inspect{"q"}).queues.at(0).bytes, 5 * body.size());
  }
}

/// Writes a row into the database that no store of this library would write.
void write_row(const fs::path& path, std::string_view key, const std::string& value) {
  const auto place = Place::open(path, false);
  ASSERT_TRUE(place) << place.error().text();
  const auto disk = Disk::open(place->fd(), path, {});
  ASSERT_TRUE(disk) << disk.error().text();
  (*disk)->put(Family::books, key, value);
  (*disk)->write(true);
}

TEST_F(OpenTest, LeavesADatabaseOfANewerVersionAlone) {
  open();
  write_row(path_, kFormatKey, std::to_string(kFormat + 1));
  const auto before = names_in(path_);
  const Status status = start();
  EXPECT_EQ(status.code(), Code::newer_schema);
  EXPECT_NE(status.text().find(path_.string()), std::string::npos) << status.text();
  EXPECT_EQ(names_in(path_), before);
}

TEST_F(OpenTest, SaysThatItsRowsAreDamaged) {
  open();
  write_row(path_, "store", "\xff");
  EXPECT_EQ(start().code(), Code::corrupt);
}

/// Another process has the lock of the directory until this is destroyed.
class Owner {
 public:
  explicit Owner(const fs::path& directory) {
    int told[2];
    EXPECT_EQ(::pipe(told), 0);
    child_ = ::fork();
    if (child_ == 0) {
      const int file = ::open((directory / "LOCK").c_str(), O_RDWR);
      struct flock lock {};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      char taken = ::fcntl(file, F_SETLK, &lock) == 0 ? 'y' : 'n';
      if (::write(told[1], &taken, 1) == 1) ::pause();
      ::_exit(0);
    }
    char taken = 'n';
    EXPECT_EQ(::read(told[0], &taken, 1), 1);
    EXPECT_EQ(taken, 'y');
    ::close(told[0]);
    ::close(told[1]);
  }
  ~Owner() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

 private:
  pid_t child_;
};

TEST_F(OpenTest, WaitsWhileAnotherProcessHasTheDirectory) {
  open();
  const auto before = names_in(path_);
  {
    const Owner owner(path_);
    const auto store = make_store();
    ASSERT_TRUE(store->start(endpoint(), true).ok()) << "it may pass";
    std::vector<Completion> out;
    store->poll(out);
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].event, driver::Event::lost);
    EXPECT_NE(out[0].status.text().find(path_.string()), std::string::npos);
    EXPECT_EQ(names_in(path_), before);
  }
  EXPECT_TRUE(open()->opened());
}

TEST_F(OpenTest, StoresOfOneProcessShareADirectoryByAnyName) {
  const auto a = open_beside();
  const Id queue = a->queue("q");
  fs::create_directory_symlink(path_, directory_ / "link");
  path_ = directory_ / "link";
  const auto b = open_beside();
  EXPECT_EQ(b->queue("q"), queue);
  EXPECT_EQ(b->epoch(), a->epoch());
}

TEST_F(OpenTest, WaitsForADirectoryThatWentAwayAndFindsItAgain) {
  const auto a = open();
  const Id stream = a->stream(a->queue("q", "forever"));
  a->append(stream, numbers(1, 3), true);
  fs::rename(path_, directory_ / "elsewhere");
  EXPECT_TRUE(a->wait_lost());
  fs::rename(directory_ / "elsewhere", path_);
  a->start();
  EXPECT_FALSE(a->went_back());
  EXPECT_EQ(a->read(a->stream(a->queue("q", "forever"))), numbers(1, 3));
}

}  // namespace
}  // namespace vtx::rocks::test

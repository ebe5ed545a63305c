/* SPDX-License-Identifier: MPL-2.0 */
//
// Disks that are full, fail or lose power with us, and files that were damaged.
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "faulty_vfs.hpp"
#include "harness.hpp"

namespace vtx::sqlite::test {
namespace {

class FaultyDisk : public SqliteTest {
 protected:
  void SetUp() override {
    SqliteTest::SetUp();
    faults() = {};
    register_faulty_vfs();
    store_ = std::make_unique<Driven>(path_, std::map<std::string, std::string>{{"vfs", "faulty"}});
    store_->open();
    store_->declare();
    ASSERT_TRUE(store_->send({"before"}).ok());
  }
  void TearDown() override {
    faults() = {};
    store_.reset();
    SqliteTest::TearDown();
  }
  std::unique_ptr<Driven> store_;
};

TEST_F(FaultyDisk, FullKeepsWhatWasSentAndGoesOnWhenThereIsSpace) {
  faults().write_result = SQLITE_FULL;
  const auto status = store_->send({"x"});
  EXPECT_EQ(status.code(), Code::no_space);
  EXPECT_NE(status.text().find("free space"), std::string::npos) << status.text();
  EXPECT_EQ(store_->send({"y"}).code(), Code::no_space);
  EXPECT_FALSE(store_->saw(Event::lost, 0ms));
  faults() = {};
  store_->counter -= 2;
  EXPECT_TRUE(store_->send({"x"}).ok());
  EXPECT_TRUE(store_->send({"y"}).ok());
  EXPECT_EQ(bodies(store_->claim()), (std::vector<std::string>{"before", "x", "y"}));
}

TEST_F(FaultyDisk, FullGivesUpANewHolder) {
  faults().write_result = SQLITE_FULL;
  EXPECT_EQ(store_->run(Beat{0, 1000ms}).status.code(), Code::no_space);
  faults() = {};
  const auto holder = store_->run(Beat{0, 1000ms}).id;
  EXPECT_EQ(Foreign(path_).value("SELECT count(DISTINCT slot) FROM vtx_holder"), "2");
  EXPECT_GT(holder, store_->holder);
}

TEST_F(FaultyDisk, ASyncThatFailsInCommitLeavesItInDoubtAndTheRepeatSettlesIt) {
  faults().sync_result = SQLITE_IOERR_FSYNC;
  EXPECT_EQ(store_->send({"x"}).code(), Code::in_doubt);
  store_->wait_event(Event::lost);
  EXPECT_EQ(store_->run(Inspect{}).status.code(), Code::lost);
  faults() = {};
  store_->open();
  store_->holder = store_->run(Beat{0, 1000ms}).id;
  --store_->counter;
  EXPECT_TRUE(store_->send({"x"}).ok());
  EXPECT_EQ(bodies(store_->claim()), (std::vector<std::string>{"before", "x"}));
}

TEST_F(FaultyDisk, ADamagedFileIsSaidToBe) {
  ASSERT_TRUE(store_->send(std::vector<std::string>(100, std::string(1000, 'x'))).ok());
  store_->store().stop();  // the last one out copies the log into the database
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    for (std::uintmax_t i = 4096; i < std::filesystem::file_size(path_); ++i) file.put('?');
  }
  auto status = store_->start();
  if (status.ok()) status = store_->wait_event(Event::lost).status;
  EXPECT_EQ(status.code(), Code::corrupt) << status.text();
}

TEST_F(FaultyDisk, DeathInMidCommitLeavesAllOrNothing) {
  int stored = 1;
  int whole = 0;
  for (int nth = 1; nth <= 12; ++nth) {
    Process child("die", {path_, std::to_string(nth)});
    const bool durable = child.read_line() == "durable";
    child.wait();
    Foreign look(path_);
    EXPECT_EQ(look.value("PRAGMA integrity_check"), "ok");
    const int now = std::stoi(look.value("SELECT count(*) FROM vtx_message"));
    EXPECT_TRUE(now == stored || now == stored + 50) << "at write " << nth << ": " << now - stored;
    EXPECT_TRUE(!durable || now == stored + 50);
    whole += now > stored ? 1 : 0;
    stored = now;
  }
  EXPECT_LT(whole, 12) << "no commit was cut off";
}

}  // namespace
}  // namespace vtx::sqlite::test

/* SPDX-License-Identifier: MPL-2.0 */
//
// A SQLite database that went back in time, in ways that only files know: replaced under a program at work, without its side file, by a backup of
// which plain SQL was part.
#include <filesystem>

#include "contract/sqlite_backup.hpp"
#include "harness.hpp"

namespace vtx::sqlite::test {
namespace {

namespace fs = std::filesystem;

class Epochs : public SqliteTest {
 protected:
  /// Its session ends without effect of what is asked, and the next one opens. Answers the event of that.
  static Completion reopen(Driven& store) {
    store.wait_event(Event::lost);
    EXPECT_TRUE(store.start().ok());
    return store.wait_event(Event::opened);
  }
};

TEST_F(Epochs, AFileThatIsReplacedUnderAProgramIsNoticedBeforeAnythingIsCommittedToTheOldOne) {
  Driven store(path_);
  store.open();
  store.declare();
  ASSERT_TRUE(store.send({"1"}).ok());
  vtx::test::copy_database(path_, path_ + ".backup");
  ASSERT_TRUE(store.send({"2"}).ok());
  fs::remove(path_ + "-wal");
  fs::remove(path_ + "-shm");
  fs::rename(path_ + ".backup", path_);
  EXPECT_EQ(store.send({"3"}).code(), Code::lost);
  EXPECT_TRUE(reopen(store).went_back);
  EXPECT_EQ(Foreign(path_).value("SELECT group_concat(CAST(body AS TEXT)) FROM vtx_message"), "1");
}

TEST_F(Epochs, AProgramThatRunsRemembersAlsoWithoutTheSideFile) {
  Driven store(path_);
  store.open();
  store.declare();
  const auto restore = vtx::test::back_up_database(path_);
  ASSERT_TRUE(store.send({"1"}).ok());
  fs::remove(path_ + "-vtx");
  restore();
  EXPECT_EQ(store.send({"2"}).code(), Code::lost);
  EXPECT_TRUE(reopen(store).went_back);
}

TEST_F(Epochs, WithoutAnybodyWhoRemembersThereIsNoNewEpoch) {
  std::function<void()> restore;
  {
    Driven store(path_);
    store.open();
    store.declare();
    restore = vtx::test::back_up_database(path_);
    ASSERT_TRUE(store.send({"1"}).ok());
    store.store().stop();
  }
  restore();
  fs::remove(path_ + "-vtx");
  Driven store(path_);
  ASSERT_TRUE(store.start().ok());
  EXPECT_FALSE(store.wait_event(Event::opened).went_back);
}

TEST_F(Epochs, AnotherDatabaseInItsPlaceIsNoneThatWentBack) {
  Driven store(path_);
  ASSERT_TRUE(store.start().ok());
  const std::string before = store.wait_event(Event::opened).epoch;
  {
    Driven other(directory_ + "/other.db");
    other.open();
    other.store().stop();
  }
  fs::remove(path_ + "-wal");
  fs::remove(path_ + "-shm");
  fs::rename(directory_ + "/other.db", path_);
  const Completion opened = reopen(store);
  EXPECT_FALSE(opened.went_back);
  EXPECT_NE(opened.epoch, before);
}

TEST_F(Epochs, NumbersOfANewEpochAreAboveAllBefore) {
  Driven store(path_);
  store.open();
  store.declare();
  const auto restore = vtx::test::back_up_database(path_);
  ASSERT_TRUE(store.send({"1"}).ok());
  const Id before = store.claim().claim->id;
  restore();
  EXPECT_EQ(store.send({"2"}).code(), Code::lost);
  EXPECT_TRUE(reopen(store).went_back);
  store.declare();
  EXPECT_GT(store.holder, Id{2} << 40);
  ASSERT_TRUE(store.send({"3"}).ok());
  EXPECT_GT(store.claim().claim->id, std::max(before, Id{2} << 40));
  EXPECT_EQ(Foreign(path_).value("SELECT epoch FROM vtx_store"), "2");
}

TEST_F(Epochs, PlainSqlMovesNoMarkAndIsNoReasonForAnEpoch) {
  Driven store(path_);
  store.open();
  store.declare();
  ASSERT_TRUE(store.send({"1"}).ok());
  Foreign(path_).run("INSERT INTO vtx_send (queue, body) VALUES ('jobs', '2')");
  ASSERT_TRUE(store.send({"3"}).ok());
  EXPECT_EQ(bodies(store.claim()), (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(Foreign(path_).value("SELECT epoch FROM vtx_store"), "1");
}

}  // namespace
}  // namespace vtx::sqlite::test

/* SPDX-License-Identifier: MPL-2.0 */
//
// Programs that use the database by SQL: they send, they hold locks, they read for long.
#include <array>
#include <cerrno>
#include <filesystem>

#include "harness.hpp"
#include "vtx/drivers/sqlite.h"

namespace vtx::sqlite::test {
namespace {

class Sql : public SqliteTest {
 protected:
  void SetUp() override {
    SqliteTest::SetUp();
    store_ = std::make_unique<Driven>(path_);
    store_->open();
    store_->declare();
  }
  void TearDown() override {
    store_.reset();
    SqliteTest::TearDown();
  }
  std::unique_ptr<Driven> store_;
};

TEST_F(Sql, SendsInTheApplicationsOwnTransaction) {
  Foreign application(path_);
  EXPECT_FALSE(store_->claim().claim);
  application.run(
      "CREATE TABLE orders (n); BEGIN IMMEDIATE; INSERT INTO orders VALUES (1);"
      "INSERT INTO vtx_send (queue, body) VALUES ('jobs', 'one'); INSERT INTO vtx_send (queue, body) VALUES ('jobs', "
      "'two')");
  application.run(
      "ROLLBACK; BEGIN IMMEDIATE; INSERT INTO vtx_send (queue, body) VALUES ('jobs', 'three');"
      "INSERT INTO vtx_send (queue, body, properties) VALUES ('jobs', 'four', 'Colour: red' || char(10)); COMMIT");
  store_->wait_event(Event::changed);
  const auto got = store_->claim();
  EXPECT_EQ(bodies(got), (std::vector<std::string>{"three", "four"}));
  EXPECT_EQ(got.messages.at(1).properties, "Colour: red\n");
  EXPECT_GT(got.messages[0].stored.time_since_epoch(), 1'700'000'000'000ms);
  store_->ack(*got.claim);
  store_->run(Tend{"jobs"});
  application.run("INSERT INTO vtx_send (queue, body) VALUES ('jobs', 'five')");
  EXPECT_EQ(store_->claim().claim->first, 3U);
}

vtx_sqlite_frame_t frame(std::string_view text) { return {text.data(), text.size()}; }

TEST_F(Sql, SendsByFunctionOnTheApplicationsConnection) {
  Foreign application(path_);
  sqlite3* connection = application.raw();
  const std::array one{frame("one")};
  const std::array three{frame("a"), frame(""), frame("c")};
  application.run("BEGIN");
  EXPECT_EQ(vtx_sqlite_send(connection, "jobs", one.data(), one.size(), nullptr), 0);
  application.run("ROLLBACK; BEGIN");
  EXPECT_EQ(vtx_sqlite_send(connection, "jobs", three.data(), three.size(), "Colour: red\n"), 0);
  application.run("COMMIT");
  EXPECT_EQ(vtx_sqlite_send(connection, "jobs", one.data(), one.size(), nullptr), 0);
  const auto got = store_->claim();
  ASSERT_EQ(got.messages.size(), 2U);
  EXPECT_EQ(got.messages[0].frames, 3U);
  EXPECT_EQ(got.messages[0].properties, "Colour: red\n");
  EXPECT_EQ(bodies(got)[0], std::string("\0\0\0\1a\0\0\0\0\0\0\0\1c", 14));
  EXPECT_EQ(bodies(got)[1], "one");
}

TEST_F(Sql, RefusesByFunctionWhatItCannotSend) {
  Foreign application(path_);
  sqlite3* connection = application.raw();
  const std::array one{frame("one")};
  const auto error = [&](const char* queue, const vtx_sqlite_frame_t* frames, std::size_t count,
                         const char* properties) {
    errno = 0;
    return vtx_sqlite_send(connection, queue, frames, count, properties) == -1 ? errno : 0;
  };
  application.run("BEGIN; INSERT INTO vtx_send (queue, body) VALUES ('jobs', 'kept')");
  EXPECT_EQ(error("nosuch", one.data(), 1, nullptr), ENOENT);
  EXPECT_EQ(error("jobs.dead", one.data(), 1, nullptr), EINVAL);
  EXPECT_EQ(error("jobs", one.data(), 0, nullptr), EINVAL);
  EXPECT_EQ(error("jobs", one.data(), 1, "no colon\n"), EINVAL);
  EXPECT_EQ(error("jobs", one.data(), 1, "No: line feed"), EINVAL);
  EXPECT_EQ(error(nullptr, one.data(), 1, nullptr), EINVAL);
  sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, 1000);
  const std::string large(2000, 'x');
  const std::array too_large{frame(large)};
  EXPECT_EQ(error("jobs", too_large.data(), 1, nullptr), EMSGSIZE);
  sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, 1'000'000'000);
  application.run("COMMIT");
  EXPECT_EQ(bodies(store_->claim()), std::vector<std::string>{"kept"}) << "a refusal leaves the transaction as it was";
  Foreign elsewhere(directory_ + "/other.db");
  errno = 0;
  EXPECT_EQ(vtx_sqlite_send(elsewhere.raw(), "jobs", one.data(), 1, nullptr), -1);
  EXPECT_EQ(errno, EPROTO);
}

TEST_F(Sql, RefusesPropertiesThatActWhenAMessageIsStored) {
  Foreign application(path_);
  const std::array one{frame("one")};
  for (const char* properties : {"Ttl: 5s\n", "Colour: red\ndelay: 1h\n", "PRIORITY:9\n"}) {
    errno = 0;
    EXPECT_EQ(vtx_sqlite_send(application.raw(), "jobs", one.data(), 1, properties), -1) << properties;
    EXPECT_EQ(errno, EINVAL);
  }
  EXPECT_EQ(vtx_sqlite_send(application.raw(), "jobs", one.data(), 1, "My-Ttl: 5s\nNote: delay: none\n"), 0);
  EXPECT_EQ(store_->claim().messages.size(), 1U);
}

/// Inserts and answers what the statement fails with.
std::string insert(Foreign& application, const std::string& body, const std::string& frames) {
  const std::string sql = "INSERT INTO vtx_send (queue, body, frames) VALUES ('jobs', " + body + ", " + frames + ")";
  const int result = sqlite3_exec(application.raw(), sql.c_str(), nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? "" : sqlite3_errmsg(application.raw());
}

TEST_F(Sql, RefusesFramesThatDoNotAddUpToTheBody) {
  Foreign application(path_);
  const std::string no_body = "the message has no body: write '' for an empty one";
  EXPECT_EQ(insert(application, "NULL", "1"), no_body);
  EXPECT_EQ(insert(application, "NULL", "2"), no_body);
  for (const char* frames : {"0", "-1", "1.5", "'two'", "x'02'"})
    EXPECT_EQ(insert(application, "'x'", frames), "frames must be a whole number from 1 on: leave it out for one frame")
        << frames;
  const std::string misfit =
      "the body does not hold that many frames: a blob, each with a 32-bit big-endian length ahead";
  const std::pair<const char*, const char*> misfits[] = {{"'text'", "2"},
                                                         {"''", "2"},
                                                         {"x''", "2"},
                                                         {"x'000000016100000000'", "3"},  // one too few
                                                         {"x'000000016100000000'", "4294967297"},
                                                         {"x'00000001610000000000000000'", "2"},  // one too many
                                                         {"x'0000000161000000000000'", "2"},      // a rest
                                                         {"x'0000000161000000'", "2"},            // cut off in a length
                                                         {"x'00000001610000000262'", "2"},        // and in a frame
                                                         {"x'ffffffff61'", "2"}};
  for (const auto& [body, frames] : misfits) EXPECT_EQ(insert(application, body, frames), misfit) << body;
  EXPECT_EQ(store_->run(Inspect{"jobs"}).queues.at(0).messages, 0U);
}

TEST_F(Sql, TakesFramesThatAddUpToTheBody) {
  Foreign application(path_);
  EXPECT_EQ(insert(application, "''", "NULL"), "");
  EXPECT_EQ(insert(application, "12", "1"), "");
  EXPECT_EQ(insert(application, "x'0000000000000000'", "2"), "");
  EXPECT_EQ(insert(application, "x'000102ff'", "1"), "");
  // Every digit of a length counts: 0x00012abc is 76,476.
  EXPECT_EQ(insert(application, "CAST(x'00012abc' || zeroblob(76476) || x'00000003616263' AS BLOB)", "2"), "");
  const auto got = store_->claim();
  ASSERT_EQ(got.messages.size(), 5U);
  EXPECT_EQ(got.messages[2].frames, 2U);
  EXPECT_EQ(got.messages[4].frames, 2U);
  EXPECT_EQ(got.messages[4].body.size(), 4U + 76476 + 7);
}

TEST_F(Sql, SendsToAQueueThatOnlyAReceiverHasOpened) {
  Driven receiver(path_);
  receiver.open();
  const Id queue = receiver.run(OpenQueue{"fresh", {}, {}, {"consumed", ""}}).id;
  receiver.run(OpenGroup{queue, "main", "", "default", "oldest", {}, {}});
  Foreign(path_).run("INSERT INTO vtx_send (queue, body) VALUES ('fresh', 'one')");
  receiver.declare("fresh");
  EXPECT_EQ(bodies(receiver.claim()), std::vector<std::string>{"one"});
}

TEST_F(Sql, AFullQueueFailsTheStatementWithASentence) {
  OpenQueue open{"jobs", {}, "2", {}};
  open.change = true;
  ASSERT_TRUE(store_->run(open).status.ok());
  Foreign application(path_);
  sqlite3* connection = application.raw();
  application.run("INSERT INTO vtx_send (queue, body) VALUES ('jobs', 'one')");
  application.run("INSERT INTO vtx_send (queue, body) VALUES ('jobs', 'two')");
  EXPECT_NE(sqlite3_exec(connection, "INSERT INTO vtx_send (queue, body) VALUES ('jobs', 'three')", nullptr, nullptr,
                         nullptr),
            SQLITE_OK);
  EXPECT_STREQ(sqlite3_errmsg(connection), "the VTX queue is full");
  const std::array three{frame("three")};
  errno = 0;
  EXPECT_EQ(vtx_sqlite_send(connection, "jobs", three.data(), 1, nullptr), -1);
  EXPECT_EQ(errno, ENOBUFS);
  store_->ack(*store_->claim().claim);
  store_->run(Tend{"jobs"});
  EXPECT_EQ(vtx_sqlite_send(connection, "jobs", three.data(), 1, nullptr), 0);
  EXPECT_EQ(bodies(store_->claim()), std::vector<std::string>{"three"});
}

TEST_F(Sql, CountsTheBytesThatAreSentBySqlTowardsTheLimit) {
  OpenQueue open{"jobs", {}, "10B", {}};
  open.change = true;
  ASSERT_TRUE(store_->run(open).status.ok());
  Foreign application(path_);
  const auto send = [&](const std::string& body) {
    const std::array one{frame(body)};
    return vtx_sqlite_send(application.raw(), "jobs", one.data(), 1, nullptr);
  };
  EXPECT_EQ(send(std::string(20, 'x')), 0) << "larger than the limit, into an empty queue";
  EXPECT_EQ(send("x"), -1);
  store_->ack(*store_->claim().claim);
  store_->run(Tend{"jobs"});
  EXPECT_EQ(send("12345678"), 0);
  EXPECT_EQ(send("123"), -1);
  EXPECT_FALSE(store_->send({"123"}).ok()) << "and to VTX it is full as well";
  EXPECT_EQ(send("12"), 0);
}

TEST_F(Sql, WakesAWaitingReader) {
  Foreign application(path_);
  for (Seq next = 1; next <= 3; ++next) {
    ASSERT_TRUE(store_->run(Read{store_->stream, next, {}, true}).messages.empty());
    application.run("BEGIN IMMEDIATE; INSERT INTO vtx_send (queue, body) VALUES ('jobs', 'gone'); ROLLBACK");
    EXPECT_FALSE(store_->saw(Event::changed, 30ms));
    application.run("INSERT INTO vtx_send (queue, body) VALUES ('jobs', 'there')");
    store_->wait_event(Event::changed);
    EXPECT_EQ(bodies(store_->run(Read{store_->stream, next, {}, true})), std::vector<std::string>{"there"});
  }
}

TEST_F(Sql, WakesReaderAndConsumerOfDifferentStreams) {
  Foreign application(path_);
  const Id other = store_->run(OpenStream{store_->queue, "main", "", 3}).id;
  EXPECT_FALSE(store_->claim().claim);
  ASSERT_TRUE(store_->run(Read{other, 1, {}, true}).messages.empty());
  application.run("INSERT INTO vtx_send (queue, body) VALUES ('jobs', 'one')");
  store_->wait_event(Event::changed);
  EXPECT_EQ(bodies(store_->claim()), std::vector<std::string>{"one"});
}

TEST_F(Sql, ReadsWhileAForeignWriterHoldsTheLock) {
  ASSERT_TRUE(store_->send({"a", "b"}).ok());
  Foreign application(path_);
  application.run("BEGIN IMMEDIATE");
  const Id other = store_->stream + 1;
  Commit commit;
  commit.appends.push_back({store_->stream, {Message{}}, "", -1});
  const auto before = store_->submit(Read{store_->stream, 1, {}, true});
  const auto ticket = store_->submit(std::move(commit));
  const auto after = store_->submit(Read{store_->stream, 1, {}, true});
  EXPECT_EQ(store_->run(Read{other, 1, {}}).status.code(), Code::not_found);  // overtakes what waits for the lock
  EXPECT_EQ(store_->wait(before).messages.size(), 2U);
  EXPECT_EQ(store_->run(Locate{other, "now"}).status.code(), Code::not_found);
  application.run("COMMIT");
  EXPECT_TRUE(store_->wait(ticket).status.ok());
  EXPECT_EQ(store_->wait(after).messages.size(), 3U);
}

TEST_F(Sql, RefusesAQueueThatIsNot) {
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(raw, "INSERT INTO vtx_send (queue, body) VALUES ('none', 'x')", nullptr, nullptr, nullptr),
            SQLITE_CONSTRAINT);
  EXPECT_STREQ(sqlite3_errmsg(raw), "no such VTX queue");
  sqlite3_close(raw);
}

TEST_F(Sql, WaitsForAForeignWriterWithoutFailing) {
  Foreign application(path_);
  application.run("BEGIN IMMEDIATE");
  Commit commit;
  commit.appends.push_back({store_->stream, {Message{}}, "", -1});
  const auto ticket = store_->submit(std::move(commit));
  for (int i = 0; i < 5; ++i) store_->pump(50ms);
  // Beats need no lock.
  EXPECT_TRUE(store_->run(Beat{store_->holder, 5000ms}).status.ok());
  EXPECT_EQ(application.value("SELECT count(*) FROM vtx_message"), "0");
  application.run("COMMIT");
  EXPECT_TRUE(store_->wait(ticket).status.ok());
  EXPECT_EQ(application.value("SELECT count(*) FROM vtx_message"), "1");
}

TEST_F(Sql, TheLogShrinksWhenALongReaderHasGone) {
  Foreign reader(path_);
  reader.run("BEGIN");
  EXPECT_EQ(reader.value("SELECT count(*) FROM vtx_message"), "0");
  const std::vector<std::string> batch(100, std::string(10'000, 'x'));
  const auto wal = [this] { return std::filesystem::file_size(path_ + "-wal"); };
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store_->send(batch, false).ok());
  EXPECT_GT(wal(), 20'000'000U);
  reader.run("COMMIT");
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store_->send(batch, false).ok());
  EXPECT_LT(wal(), 20'000'000U);
}

}  // namespace
}  // namespace vtx::sqlite::test

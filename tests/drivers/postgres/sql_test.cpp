/* SPDX-License-Identifier: MPL-2.0 */
//
// Programs and people that use the database by SQL: they send in their own transactions, they hold these open, they look at what is there.
#include <libpq-fe.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "schema.hpp"

namespace vtx::postgres::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// A store that nobody tells looks once a second; what comes sooner was woken. Far from both, for a machine that is busy.
constexpr Ms kWoken{400};

class PostgresSql : public PostgresTest {
 protected:
  void SetUp() override { declare(); }
  SqlSession session() const { return SqlSession(conninfo()); }
};

TEST_F(PostgresSql, LeavesNothingOfATransactionThatIsRolledBack) {
  World world("postgres", vtx_postgres_driver);
  Socket pull(world, ZMQ_PULL);
  pull.connect(at("queue=jobs"));
  auto application = session();
  application.exec("CREATE TABLE orders (n int)");
  application.exec("BEGIN; INSERT INTO orders VALUES (1); SELECT vtx.send('jobs', 'one'); ROLLBACK");
  EXPECT_TRUE(pull.receives_nothing(Ms(1500))) << "longer than a look takes";
  application.exec("BEGIN; INSERT INTO orders VALUES (2); SELECT vtx.send('jobs', 'two'); COMMIT");
  EXPECT_EQ(pull.receive(), "two");
  EXPECT_EQ(application.value("SELECT string_agg(n::text, ' ') FROM orders"), "2");
}

TEST_F(PostgresSql, WakesAWaitingConsumer) {
  World world("postgres", vtx_postgres_driver);
  Socket pull(world, ZMQ_PULL);
  pull.connect(at("queue=jobs"));
  auto application = session();
  application.exec("SELECT vtx.send('jobs', 'first')");
  EXPECT_EQ(pull.receive(), "first");
  int woken = 0;
  for (int i = 0; i < 5; ++i) {
    // Past the tending that follows a settlement, which looks too, and at another point between two looks.
    std::this_thread::sleep_for(1137ms);
    application.exec("BEGIN; SELECT vtx.send('jobs', 'next')");
    application.exec("COMMIT");
    const auto committed = Clock::now();
    EXPECT_EQ(pull.receive(), "next");
    if (Clock::now() - committed < kWoken) ++woken;
  }
  EXPECT_EQ(woken, 5);
}

/// What is quick to commit to: see shape_place.
TEST_F(PostgresSql, AStreamIsPlainWithoutOtherPrioritiesAndLimits) {
  World world("postgres", vtx_postgres_driver);
  auto person = session();
  const auto plain = [&](const std::string& queue) {
    return person.value(
        "SELECT count(p.plain) || ' of ' || count(*) FROM vtx.place p JOIN vtx.stream s ON s.id = p.stream "
        "JOIN vtx.queue q ON q.id = s.queue WHERE q.name = '" +
        queue + "'");
  };
  Socket push(world, ZMQ_PUSH), urgent(world, ZMQ_PUSH), pull(world, ZMQ_PULL), limited(world, ZMQ_PULL);
  push.connect(at("queue=jobs"));
  push.send("1");
  push.flush();
  EXPECT_EQ(plain("jobs"), "1 of 1");
  pull.connect(at("queue=jobs"));
  EXPECT_EQ(pull.receive(), "1");
  urgent.connect(at("queue=jobs&priority=5"));
  urgent.send("2");
  urgent.flush();
  EXPECT_EQ(plain("jobs"), "0 of 2");
  EXPECT_EQ(pull.receive(), "2");
  push.send("3");
  EXPECT_EQ(pull.receive(), "3");
  limited.bind(at("queue=jobs&limit=10"));
  EXPECT_EQ(plain("jobs"), "0 of 2");
  limited.bind(at("queue=other&limit=10"));
  EXPECT_EQ(plain("other"), "0 of 1");
  limited.bind(at("queue=other&limit=none"));
  EXPECT_EQ(plain("other"), "1 of 1");
}

TEST_F(PostgresSql, ArrivesWithoutNotificationToo) {
  World world("postgres", vtx_postgres_driver);
  Socket pull(world, ZMQ_PULL);
  pull.connect(at("queue=jobs"));
  EXPECT_TRUE(pull.receives_nothing());
  session().exec("SET vtx.notify = off; SELECT vtx.send('jobs', 'quiet')");
  EXPECT_EQ(pull.receive(), "quiet");
}

TEST_F(PostgresSql, HoldsUpNobodyWhileItsTransactionIsOpen) {
  World world("postgres", vtx_postgres_driver);
  Socket push(world, ZMQ_PUSH), pull(world, ZMQ_PULL);
  push.connect(at("queue=jobs"));
  pull.connect(at("queue=jobs"));
  auto slow = session(), quick = session();
  slow.exec("BEGIN; SELECT vtx.send('jobs', 'slow')");
  const auto began = Clock::now();
  Frames expected;
  for (int i = 0; i < 20; ++i) {
    push.send("socket");
    quick.exec("SELECT vtx.send('jobs', 'socket')");
    expected.insert(expected.end(), {"socket", "socket"});
  }
  push.flush();
  EXPECT_EQ(pull.receive(40), expected);
  EXPECT_LT(Clock::now() - began, 10s);
  EXPECT_TRUE(pull.receives_nothing(Ms(300)));
  slow.exec("COMMIT");
  EXPECT_EQ(pull.receive(), "slow") << "though others with higher transaction numbers went before it";
  EXPECT_EQ(session().value("SELECT count(*) FROM vtx.intake"), "0");
}

TEST_F(PostgresSql, SendsToTwoQueuesInOppositeOrder) {
  declare("queue=other");
  auto one = session(), two = session();
  one.exec("BEGIN; SELECT vtx.send('jobs', 'a')");
  two.exec("BEGIN; SELECT vtx.send('other', 'b')");
  one.exec("SET LOCAL statement_timeout = '5s'; SELECT vtx.send('other', 'a')");
  two.exec("SET LOCAL statement_timeout = '5s'; SELECT vtx.send('jobs', 'b')");
  two.exec("COMMIT");
  one.exec("COMMIT");
  World world("postgres", vtx_postgres_driver);
  for (const char* queue : {"queue=jobs", "queue=other"}) {
    Socket pull(world, ZMQ_PULL);
    pull.connect(at(queue));
    EXPECT_EQ(pull.receive(2).size(), 2U);
  }
}

TEST_F(PostgresSql, HasRoomForMoreQueuesThanFunctionsNameThemselves) {
  World world("postgres", vtx_postgres_driver);
  const int queues = 30;  // and as many of dead letters
  for (int i = 1; i <= queues; ++i) {
    const std::string name = "queue=q" + std::to_string(i);
    Socket push(world, ZMQ_PUSH), pull(world, ZMQ_PULL);
    push.connect(at(name));
    pull.connect(at(name));
    push.send(name);
    EXPECT_EQ(pull.receive(), name);
  }
  EXPECT_GT(std::stoi(session().value("SELECT count(*) FROM vtx.queue")), 50);
}

TEST_F(PostgresSql, SendsFromATrigger) {
  auto application = session();
  application.exec(
      "CREATE TABLE orders (n int); CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "PERFORM vtx.send('jobs', 'order ' || NEW.n); RETURN NULL; END $$;"
      "CREATE TRIGGER tell AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION tell();"
      "INSERT INTO orders SELECT generate_series(1, 3)");
  World world("postgres", vtx_postgres_driver);
  Socket pull(world, ZMQ_PULL);
  pull.connect(at("queue=jobs"));
  EXPECT_EQ(pull.receive(3), (Frames{"order 1", "order 2", "order 3"}));
}

TEST_F(PostgresSql, SendsInATransactionWithAnOldSnapshot) {
  declare("queue=small&limit=10");
  auto old = session();
  old.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM vtx.store");
  World world("postgres", vtx_postgres_driver);
  Socket push(world, ZMQ_PUSH), pull(world, ZMQ_PULL), small(world, ZMQ_PULL);
  push.connect(at("queue=jobs"));
  pull.connect(at("queue=jobs"));
  small.connect(at("queue=small"));
  push.send("new");
  EXPECT_EQ(pull.receive(), "new");
  old.exec("SELECT vtx.send('jobs', 'old'); SELECT vtx.send('small', 'old')");
  old.exec("COMMIT");
  EXPECT_EQ(pull.receive(), "old");
  EXPECT_EQ(small.receive(), "old");
}

TEST_F(PostgresSql, SendsFramesAndProperties) {
  auto application = session();
  application.exec("SELECT vtx.send_frames('jobs', ARRAY['a'::bytea, '', '\\x00ff'], E'Colour: red\\nSize: L')");
  application.exec("SELECT vtx.publish('jobs', 'topic', 'body'::bytea)");
  application.exec("SELECT vtx.send('jobs', '\\x00ff'::bytea)");
  World world("postgres", vtx_postgres_driver);
  Socket pull(world, ZMQ_PULL);
  pull.connect(at("queue=jobs"));
  EXPECT_EQ(pull.receive_frames(), (Frames{"a", "", std::string("\0\xff", 2)}));
  EXPECT_EQ(pull.receive_frames(), (Frames{"topic", "body"}));
  EXPECT_EQ(pull.receive_frames(), (Frames{std::string("\0\xff", 2)}));
  EXPECT_EQ(application.value("SELECT properties FROM vtx.messages WHERE seq = 1 AND queue = 'jobs'"),
            "Colour: red\nSize: L\n");
}

TEST_F(PostgresSql, RefusesWhatItCannotSend) {
  declare("queue=small&limit=2");
  auto application = session();
  const auto refusal = [&](const std::string& arguments, const char* function = "send") {
    return state_of(application, "SELECT vtx." + std::string(function) + "(" + arguments + ")");
  };
  EXPECT_EQ(refusal("'nosuch', 'x'"), "VX001");
  EXPECT_EQ(refusal("NULL, 'x'"), "VX001");
  EXPECT_EQ(refusal("'jobs', NULL::text"), "VX004");
  EXPECT_EQ(refusal("'jobs.dead', 'x'"), "VX004");
  EXPECT_EQ(refusal("'jobs', 'x', 'no colon'"), "VX004");
  EXPECT_EQ(refusal("'jobs', 'x', E'Colour: red\\nTtl: 5s'"), "VX004");
  EXPECT_EQ(refusal("'jobs', 'x', E'Colour: red\\n\\nSize: L'"), "VX004");
  EXPECT_EQ(refusal("'jobs', ARRAY[]::bytea[]", "send_frames"), "VX004");
  EXPECT_EQ(refusal("'jobs', ARRAY['a', NULL]::bytea[]", "send_frames"), "VX004");
  EXPECT_EQ(refusal("'jobs', 'topic', NULL", "publish"), "VX004");
  World world("postgres", vtx_postgres_driver);
  Socket push(world, ZMQ_PUSH);
  push.connect(at("queue=small"));
  push.send_each({"1", "2"});
  push.flush();
  EXPECT_EQ(refusal("'small', '3'"), "VX003");
  EXPECT_EQ(application.value("SELECT count(*) FROM vtx.intake"), "0");
}

/// A transaction that looked at a limited queue must not keep the books from being renewed.
TEST_F(PostgresSql, HoldsNoBookThatANewGenerationReplaces) {
  declare("queue=small&limit=10");
  auto slow = session(), other = session();
  slow.exec(
      "BEGIN; SELECT vtx.send('small', 'x'); SELECT * FROM vtx.queues; SELECT * FROM vtx.consumers; SELECT * FROM "
      "vtx.messages; SELECT * FROM vtx.dead_letters");
  other.exec("SET lock_timeout = '2s'; SET search_path = vtx; SELECT begin_generation()");
  EXPECT_EQ(other.value("SELECT generation FROM vtx.store"), "2");
  slow.exec("SELECT vtx.send('small', 'y'); SELECT * FROM vtx.queues; COMMIT");
}

vtx_postgres_frame_t frame(std::string_view text) { return {text.data(), text.size()}; }

TEST_F(PostgresSql, SendsByFunctionOnTheApplicationsConnection) {
  auto application = session();
  PGconn* connection = application.get();
  const std::array one{frame("one")};
  const std::array three{frame("a"), frame(""), frame("c")};
  application.exec("BEGIN");
  EXPECT_EQ(vtx_postgres_send(connection, "jobs", one.data(), 1, nullptr), 0);
  application.exec("ROLLBACK; BEGIN");
  EXPECT_EQ(vtx_postgres_send(connection, "jobs", three.data(), 3, "Colour: red\n"), 0);
  application.exec("COMMIT");
  EXPECT_EQ(vtx_postgres_send(connection, "jobs", one.data(), 1, nullptr), 0);
  World world("postgres", vtx_postgres_driver);
  Socket pull(world, ZMQ_PULL);
  pull.connect(at("queue=jobs"));
  EXPECT_EQ(pull.receive_frames(), (Frames{"a", "", "c"}));
  EXPECT_EQ(pull.receive_frames(), (Frames{"one"}));
}

TEST_F(PostgresSql, RefusesByFunctionWhatItCannotSend) {
  declare("queue=small&limit=1");
  auto application = session();
  const std::array one{frame("one")};
  const auto error = [&](PGconn* connection, const char* queue, const vtx_postgres_frame_t* frames, std::size_t count,
                         const char* properties) {
    errno = 0;
    return vtx_postgres_send(connection, queue, frames, count, properties) == -1 ? errno : 0;
  };
  PGconn* mine = application.get();
  EXPECT_EQ(error(mine, "nosuch", one.data(), 1, nullptr), ENOENT);
  EXPECT_EQ(error(mine, "jobs.dead", one.data(), 1, nullptr), EINVAL);
  EXPECT_EQ(error(mine, "jobs", one.data(), 0, nullptr), EINVAL);
  EXPECT_EQ(error(mine, "jobs", one.data(), 1, "no colon\n"), EINVAL);
  EXPECT_EQ(error(mine, nullptr, one.data(), 1, nullptr), EINVAL);
  EXPECT_EQ(error(nullptr, "jobs", one.data(), 1, nullptr), EINVAL);
  const std::array too_large{vtx_postgres_frame_t{"", std::size_t{513} << 20}};
  EXPECT_EQ(error(mine, "jobs", too_large.data(), 1, nullptr), EMSGSIZE);
  EXPECT_EQ(error(mine, "small", one.data(), 1, nullptr), 0);
  World world("postgres", vtx_postgres_driver);
  Socket push(world, ZMQ_PUSH);
  push.connect(at("queue=small"));
  application.exec("DELETE FROM vtx.intake");
  push.send("fills it");
  push.flush();
  EXPECT_EQ(error(mine, "small", one.data(), 1, nullptr), ENOBUFS);
  SqlSession stranger(conninfo(make_role("stranger")));
  EXPECT_EQ(error(stranger.get(), "jobs", one.data(), 1, nullptr), EACCES);
  PostgresDatabase without;
  SqlSession elsewhere(without.conninfo());
  EXPECT_EQ(error(elsewhere.get(), "jobs", one.data(), 1, nullptr), EPROTO);
}

TEST_F(PostgresSql, WorksInASchemaOfAnotherName) {
  declare("queue=jobs&schema=my_queues");
  auto application = session();
  application.exec("SELECT my_queues.send('jobs', 'mine')");
  application.exec("SET search_path = my_queues");
  const std::array one{frame("by function")};
  EXPECT_EQ(vtx_postgres_send(application.get(), "jobs", one.data(), 1, nullptr), 0);
  World world("postgres", vtx_postgres_driver);
  Socket there(world, ZMQ_PULL), here(world, ZMQ_PULL);
  there.connect(at("queue=jobs&schema=my_queues"));
  here.connect(at("queue=jobs"));
  EXPECT_EQ(there.receive(2), (Frames{"mine", "by function"}));
  EXPECT_TRUE(here.receives_nothing());
  EXPECT_EQ(application.value("SELECT string_agg(queue || '/' || \"group\", ' ') FROM my_queues.consumers"),
            "jobs/default");
}

TEST_F(PostgresSql, ShowsPeopleWhatIsThere) {
  declare("queue=small&limit=10&retain=1h");
  World world("postgres", vtx_postgres_driver);
  Socket push(world, ZMQ_PUSH), pull(world, ZMQ_PULL);
  push.connect(at("queue=jobs"));
  push.send_each({"one", "two", "three"});
  push.flush();
  auto person = session();
  EXPECT_EQ(
      person.exec(
          "SELECT name, retain, \"limit\", messages, head, tail, delayed, dead, counters FROM vtx.queues ORDER BY 1"),
      (SqlRows{{"jobs", "consumed", std::nullopt, "3", "3", "1", "0", "0", "{}"},
               {"small", "1h", "10", "0", "0", "1", "0", "0", "{}"}}));
  EXPECT_EQ(person.exec("SELECT queue, \"group\", position, depth, claimed, retrying, holders FROM vtx.consumers WHERE "
                        "queue = 'jobs'"),
            (SqlRows{{"jobs", "default", "1", "3", "0", "0", "0"}}));
  pull.set(ZMQ_RCVHWM, 1).connect(at("queue=jobs&max_deliveries=1&prefetch=1"));
  Message held;
  ASSERT_TRUE(pull.receive(held));
  EXPECT_EQ(vtx_nack(world.vtx(), held.get(), 0), 0);
  ASSERT_TRUE(pull.receive(held));
  EXPECT_TRUE(wait_until([&] { return person.value("SELECT count(*) FROM vtx.dead_letters") == "1"; }));
  EXPECT_EQ(person.exec("SELECT queue, \"group\", deliveries, sequence, original_sequence, text FROM vtx.dead_letters"),
            (SqlRows{{"jobs", "default", "1", "1", "1", "one"}}));
  EXPECT_EQ(person.value("SELECT dead || ' ' || (counters->>'dead_lettered') FROM vtx.queues WHERE name = 'jobs'"),
            "1 1");
  EXPECT_EQ(person.value("SELECT messages FROM vtx.queues WHERE name = 'jobs.dead'"), "1");
  EXPECT_TRUE(
      wait_until([&] { return person.value("SELECT holders FROM vtx.consumers WHERE queue = 'jobs'") == "1"; }));
  EXPECT_EQ(person.exec("SELECT kind, priority, seq, frames, text, body, stored > now() - interval '1 minute', expires "
                        "FROM vtx.messages WHERE queue = 'jobs' AND seq = 3"),
            (SqlRows{{"main", "0", "3", "1", "three", "\\x7468726565", "t", std::nullopt}}));
}

TEST_F(PostgresSql, ShowsNoMessageThatIsSettled) {
  World world("postgres", vtx_postgres_driver);
  Socket push(world, ZMQ_PUSH);
  push.connect(at("queue=jobs"));
  push.send_each({"one", "two"});
  push.flush();
  auto person = session();
  EXPECT_EQ(person.value("SELECT count(*) FROM vtx.messages"), "2");
  Socket pull(world, ZMQ_PULL);
  pull.connect(at("queue=jobs"));
  EXPECT_EQ(pull.receive(2), (Frames{"one", "two"}));
  pull.close();
  EXPECT_TRUE(wait_until([&] { return person.value("SELECT count(*) FROM vtx.messages") == "0"; }));
  EXPECT_EQ(person.value("SELECT count(*) FROM vtx.message"), "2") << "the rows go with their child";
}

TEST_F(PostgresSql, ShowsBytesThatAreNoText) {
  auto person = session();
  person.exec("SELECT vtx.send('jobs', '\\xff00fe'::bytea)");
  World world("postgres", vtx_postgres_driver);
  Socket pull(world, ZMQ_PULL);
  pull.connect(at("queue=jobs"));
  Message held;
  ASSERT_TRUE(pull.receive(held));
  person.exec("UPDATE vtx.message SET properties = '\\x4e616d653a20ff0a'");
  EXPECT_EQ(person.exec("SELECT body, text, properties FROM vtx.messages WHERE queue = 'jobs'"),
            (SqlRows{{"\\xff00fe", std::nullopt, "Name: \\377\n"}}));
}

std::string finding(World& world, const std::string& endpoint, const std::string& subject) {
  char* json = nullptr;
  if (vtx_admin(world.vtx(), endpoint.c_str(), "check", 20000, &json) != 0) return vtx_last_error();
  const std::string all = json;
  vtx_free(json);
  const auto at = all.find("\"subject\":\"" + subject + "\"");
  const auto begin = all.rfind('{', at);
  return at == std::string::npos ? all : all.substr(begin, all.find('}', at) - begin);
}

TEST_F(PostgresSql, CheckFindsAHeldBackHorizon) {
  World world("postgres", vtx_postgres_driver);
  EXPECT_NE(finding(world, at("queue=jobs"), "rights").find("send, receive, sql, look, operate"), std::string::npos)
      << finding(world, at("queue=jobs"), "rights");
  auto slow = session(), busy = session();
  slow.exec("BEGIN; SELECT pg_current_xact_id()");
  busy.exec("DO $$ BEGIN FOR i IN 1..10100 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$");
  const std::string slow_one = "backend " + slow.value("SELECT pg_backend_pid()");
  std::string held;
  // Another test may hold it back for longer, but not for ever.
  EXPECT_TRUE(wait_until([&] {
    held = finding(world, at("queue=jobs"), "horizon");
    return held.find(slow_one) != std::string::npos;
  })) << held;
  EXPECT_NE(held.find("warning"), std::string::npos) << held;
  EXPECT_NE(held.find("pg_terminate_backend"), std::string::npos) << held;
}

TEST_F(PostgresSql, CheckFailsInNoPart) {
  World world("postgres", vtx_postgres_driver);
  char* json = nullptr;
  ASSERT_EQ(vtx_admin(world.vtx(), at("queue=jobs").c_str(), "check", 20000, &json), 0) << vtx_last_error();
  const std::string all = json;
  vtx_free(json);
  EXPECT_EQ(all.find("could not be looked at"), std::string::npos) << all;
  for (const char* subject : {"server", "encoding", "schema", "epoch", "rights", "horizon", "dead rows", "autovacuum",
                              "notifications", "commits", "standbys", "isolation", "claims", "tables left over"})
    EXPECT_NE(all.find("\"subject\":\"" + std::string(subject) + "\""), std::string::npos) << subject << all;
}

}  // namespace
}  // namespace vtx::postgres::test

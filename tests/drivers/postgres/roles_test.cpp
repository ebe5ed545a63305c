/* SPDX-License-Identifier: MPL-2.0 */
//
// Roles that own nothing: each right does what it is for, by genuine sockets, and nothing else.
#include <cerrno>

#include "schema.hpp"

namespace vtx::postgres::test {
namespace {

class Roles : public PostgresTest {
 protected:
  void SetUp() override { declare(); }
  std::string refused(const std::string& role, const std::string& statement) {
    SqlSession session(conninfo(role));
    return state_of(session, statement);
  }
  /// Which functions the role may call of these.
  std::string callable(const std::string& role, const std::string& names) {
    return SqlSession(conninfo(role))
        .value(
            "SELECT coalesce(string_agg(proname, ' ' ORDER BY proname), '') FROM pg_proc WHERE pronamespace = "
            "'vtx'::regnamespace AND "
            "has_function_privilege(oid, 'EXECUTE') AND proname = ANY (string_to_array('" +
            names + "', ' '))");
  }
};

constexpr const char* kReading = "claim_next read_stream locate commit_settles commit_all open_group";
constexpr const char* kSending = "commit_sends commit_append commit_all send send_frames publish";

TEST_F(Roles, AProducerSendsAndCannotRead) {
  const std::string role = role_that_may({"send"});
  World world("postgres", vtx_postgres_driver);
  Socket push(world, ZMQ_PUSH);
  push.connect(at("queue=jobs", role));
  push.send_each(count_up(1, 100));
  push.flush();
  EXPECT_EQ(callable(role, kReading), "");
  for (const char* table : {"message", "messages", "intake", "store", "place", "queue"})
    EXPECT_EQ(refused(role, std::string("SELECT * FROM vtx.") + table), "42501") << table;
  EXPECT_EQ(refused(role, "SELECT vtx.send('jobs', 'x')"), "42501");
  EXPECT_EQ(refused(role, "SELECT vtx.allow('" + role + "', 'receive')"), "42501");
  EXPECT_EQ(refused(role, "SELECT vtx.enter(gen_random_uuid(), 0, false)"), "42501");
  Socket pull(world, ZMQ_PULL);
  EventLog log(world, pull);
  const int connected = vtx_connect(world.vtx(), pull.get(), at("queue=jobs", role).c_str());
  EXPECT_TRUE(connected == -1 || pull.receives_nothing(Ms(500)));
  Socket owner(world, ZMQ_PULL);
  owner.connect(at("queue=jobs"));
  EXPECT_EQ(owner.receive(100), count_up(1, 100));
}

TEST_F(Roles, AConsumerReceivesAndCannotSend) {
  const std::string role = role_that_may({"receive"});
  World world("postgres", vtx_postgres_driver);
  Socket owner(world, ZMQ_PUSH), pull(world, ZMQ_PULL);
  owner.connect(at("queue=jobs"));
  pull.connect(at("queue=jobs", role));
  owner.send_each(count_up(1, 100));
  EXPECT_EQ(pull.receive(100), count_up(1, 100));
  EXPECT_TRUE(wait_until([&] { return show(world, at("queue=jobs")).groups["default"].depth == 0; })) << "it settles";
  EXPECT_EQ(callable(role, kSending), "");
  EXPECT_EQ(refused(role, "SELECT * FROM vtx.message"), "42501");
  Socket push(world, ZMQ_PUSH);
  push.set(ZMQ_LINGER, 0);
  if (vtx_connect(world.vtx(), push.get(), at("queue=jobs", role).c_str()) == 0) {
    push.try_send("forged");
    EXPECT_EQ(vtx_flush(world.vtx(), push.get(), 500), -1);
  }
  EXPECT_TRUE(pull.receives_nothing(Ms(300)));
}

TEST_F(Roles, AConsumerAnswersRequests) {
  const std::string worker = role_that_may({"receive"});
  const std::string asker = role_that_may({"send", "receive"});
  World world("postgres", vtx_postgres_driver);
  Socket rep(world, ZMQ_REP), req(world, ZMQ_REQ);
  rep.bind(at("queue=questions", worker));
  req.connect(at("queue=questions", asker));
  for (int i = 0; i < 3; ++i) {
    req.send("question");
    EXPECT_EQ(rep.receive(), "question");
    rep.send("answer");
    EXPECT_EQ(req.receive(), "answer");
  }
}

TEST_F(Roles, ARouterAnswersItsPeers) {
  const std::string server = role_that_may({"receive"});
  const std::string asker = role_that_may({"send", "receive"});
  World world("postgres", vtx_postgres_driver);
  Socket router(world, ZMQ_ROUTER), dealer(world, ZMQ_DEALER);
  router.bind(at("queue=talk", server));
  dealer.connect(at("queue=talk", asker));
  dealer.send("hello");
  auto got = router.receive_frames();
  ASSERT_TRUE(got && got->size() == 2);
  router.send(Frames{got->at(0), "you too"});
  EXPECT_EQ(dealer.receive(), "you too");
}

TEST_F(Roles, CommitsDoNotExceedTheirDoors) {
  const std::string consumer = role_that_may({"receive"});
  const std::string producer = role_that_may({"send"});
  const auto known =
      database_.sql("SELECT quote_literal(life) || ', ' || (SELECT last_value FROM vtx.mark) FROM vtx.store")[0][0]
          .value();
  const auto stream =
      database_.sql("SELECT s.id FROM vtx.stream s JOIN vtx.queue q ON q.id = s.queue WHERE q.name = 'jobs'")[0][0]
          .value();
  const auto commit = [&](const std::string& door, const std::string& appends, const std::string& settles) {
    return "SELECT * FROM vtx." + door + "(" + known + ", gen_random_uuid(), 1, true, " + appends +
           ", NULL, NULL, NULL, NULL, " + settles + ", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)";
  };
  const std::string append =
      "ARRAY[" + stream + "], ARRAY[0], ARRAY[''], ARRAY[0], ARRAY[-1], ARRAY[1], ARRAY['forged'::bytea]";
  const std::string no_append = "'{}', '{}', '{}', '{}', '{}', '{}', '{}'";
  const std::string settle = "ARRAY[1], ARRAY[1::bigint], ARRAY[B'1'::varbit]";
  const std::string no_settle = "'{}', '{}', '{}'";
  EXPECT_EQ(refused(consumer, commit("commit_settles", append, no_settle)), "VX010");
  EXPECT_EQ(refused(consumer, commit("commit_tallies", append, no_settle)), "VX010");
  EXPECT_EQ(refused(consumer, commit("commit_sends", append, no_settle)), "42501");
  EXPECT_EQ(refused(producer, commit("commit_sends", no_append, settle)), "VX010");
  EXPECT_EQ(refused(producer, commit("commit_tallies", no_append, settle)), "VX010");
  EXPECT_EQ(refused(producer, commit("commit_settles", no_append, settle)), "42501");
  EXPECT_EQ(refused(producer, commit("commit_all", append, no_settle)), "42501");
  EXPECT_EQ(refused(producer, commit("commit_sends", append, no_settle)), "") << "the call itself is right";
  EXPECT_EQ(refused(consumer, commit("commit_settles", no_append, settle)), "");
}

TEST_F(Roles, AnApplicationSendsFromSqlOnly) {
  const std::string role = role_that_may({"sql"});
  EXPECT_EQ(refused(role, "BEGIN; SELECT vtx.send('jobs', 'from sql'); COMMIT"), "");
  EXPECT_EQ(callable(role, kReading), "");
  EXPECT_EQ(callable(role, kSending), "publish send send send_frames");
  EXPECT_EQ(refused(role, "SELECT * FROM vtx.intake"), "42501");
  EXPECT_EQ(refused(role, "SELECT vtx.take_message('jobs', 1, 'x', NULL)"), "42501");
  World world("postgres", vtx_postgres_driver);
  Socket pull(world, ZMQ_PULL);
  pull.connect(at("queue=jobs"));
  EXPECT_EQ(pull.receive(), "from sql");
}

TEST_F(Roles, ALookerSeesAllAndTouchesNothing) {
  const std::string role = role_that_may({"look"});
  database_.sql("SELECT vtx.send('jobs', 'seen')");
  World world("postgres", vtx_postgres_driver);
  Socket push(world, ZMQ_PUSH);
  push.connect(at("queue=jobs"));
  push.send("sent");
  push.flush();
  SqlSession person(conninfo(role));
  EXPECT_EQ(person.value("SELECT text FROM vtx.messages WHERE queue = 'jobs' ORDER BY seq LIMIT 1"), "sent");
  for (const char* view : {"queues", "consumers", "dead_letters"})
    EXPECT_EQ(state_of(person, std::string("SELECT * FROM vtx.") + view), "") << view;
  EXPECT_EQ(show(world, at("queue=jobs", role)).messages, 1U);
  char* json = nullptr;
  EXPECT_EQ(vtx_admin(world.vtx(), at("queue=jobs", role).c_str(), "check", 20000, &json), 0) << vtx_last_error();
  EXPECT_NE(std::string(json ? json : "").find(role + " may look"), std::string::npos) << (json ? json : "");
  vtx_free(json);
  EXPECT_EQ(callable(role, kSending), "");
  EXPECT_EQ(callable(role,
                     "claim_next commit_settles open_queue open_stream open_group seek_group trim_queue steer_dead "
                     "drop_group take_over"),
            "");
  EXPECT_EQ(steer(world, at("queue=jobs", role), "trim --keep 0"), -1);
}

TEST_F(Roles, AnOperatorSteers) {
  const std::string role = role_that_may({"operate"});
  World world("postgres", vtx_postgres_driver);
  Socket push(world, ZMQ_PUSH);
  push.connect(at("queue=jobs"));
  push.send_each({"1", "2", "3"});
  push.flush();
  EXPECT_EQ(callable(role, "seek_group trim_queue steer_dead drop_group"),
            "drop_group seek_group steer_dead trim_queue");
  EXPECT_EQ(callable(role, kSending), "");
  const auto known =
      database_.sql("SELECT quote_literal(life) || ', ' || (SELECT last_value FROM vtx.mark) FROM vtx.store")[0][0]
          .value();
  EXPECT_EQ(SqlSession(conninfo(role)).value("SELECT gone FROM vtx.trim_queue(" + known + ", 'jobs', 'oldest', 0, 1)"),
            "2");
}

TEST_F(Roles, AStrangerIsToldWhatToDo) {
  const std::string role = make_role("stranger");
  const auto words = [&](const std::string& address) {
    World world("postgres", vtx_postgres_driver);
    Socket push(world, ZMQ_PUSH);
    push.set(ZMQ_LINGER, 0);
    EventLog log(world, push);
    if (vtx_connect(world.vtx(), push.get(), address.c_str()) == -1) return std::string(vtx_last_error());
    const auto told = log.wait(VTX_EVENT, -1, Ms(5000));
    return told ? told->sentence : std::string("nothing");
  };
  EXPECT_NE(words(at("queue=jobs", role)).find("vtx.allow"), std::string::npos) << words(at("queue=jobs", role));
  const std::string elsewhere = words(at("queue=jobs&schema=not_there", role));
  EXPECT_NE(elsewhere.find("GRANT CREATE ON DATABASE"), std::string::npos) << elsewhere;
}

TEST_F(Roles, ARightIsTakenBack) {
  const std::string role = role_that_may({"sql", "look"});
  database_.sql("SELECT vtx.forbid('" + role + "', 'look')");
  EXPECT_EQ(refused(role, "SELECT * FROM vtx.messages"), "42501");
  EXPECT_EQ(refused(role, "SELECT vtx.send('jobs', 'still')"), "");
  database_.sql("SELECT vtx.forbid('" + role + "', 'sql')");
  EXPECT_EQ(refused(role, "SELECT vtx.send('jobs', 'no more')"), "42501");
  SqlSession owner(conninfo());
  EXPECT_EQ(state_of(owner, "SELECT vtx.allow('" + role + "', 'everything')"), "VX004");
  EXPECT_EQ(state_of(owner, "SELECT vtx.allow('nobody_such', 'send')"), "VX001");
}

}  // namespace
}  // namespace vtx::postgres::test

/* SPDX-License-Identifier: MPL-2.0 */
#include "harness.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "faulty_vfs.hpp"

namespace vtx::sqlite::test {

Driven::Driven(std::string path, std::map<std::string, std::string> options, const Clock& clock) : store_(clock) {
  endpoint_.text = "sqlite:" + path;
  endpoint_.scheme = "sqlite";
  endpoint_.path = std::move(path);
  endpoint_.options = std::move(options);
  std::random_device random;
  std::generate(producer.begin(), producer.end(), [&] { return static_cast<std::byte>(random()); });
}

Status Driven::start(bool create) { return store_.start(endpoint_, create); }

void Driven::open() {
  const auto status = start();
  ASSERT_TRUE(status.ok()) << status.text();
  wait_event(Event::opened);
}

u64 Driven::submit(Operation operation) {
  store_.submit(++tickets_, std::move(operation));
  return tickets_;
}

void Driven::pump(Ms at_most) {
  pollfd item{store_.fd(), POLLIN, 0};
  const auto wait = std::min(at_most, store_.next_poll());
  if (wait > 0ms) ::poll(&item, 1, static_cast<int>(wait.count()));
  store_.poll(done_);
}

Completion Driven::wait(u64 ticket) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (std::chrono::steady_clock::now() < end) {
    const auto it = std::find_if(done_.begin(), done_.end(),
                                 [&](const auto& c) { return c.event == Event::answer && c.ticket == ticket; });
    if (it != done_.end()) {
      Completion found = std::move(*it);
      done_.erase(it);
      return found;
    }
    pump(100ms);
  }
  ADD_FAILURE() << "no answer";
  return {};
}

bool Driven::saw(Event event, Ms within) {
  const auto end = std::chrono::steady_clock::now() + within;
  const auto came = [&] {
    return std::any_of(done_.begin(), done_.end(), [&](const auto& c) { return c.event == event; });
  };
  for (pump(0ms); !came() && std::chrono::steady_clock::now() < end;) pump(10ms);
  return came();
}

Completion Driven::wait_event(Event event) {
  if (!saw(event, kDeadline)) {
    ADD_FAILURE() << "no event " << static_cast<int>(event);
    return {};
  }
  const auto it = std::find_if(done_.begin(), done_.end(), [&](const auto& c) { return c.event == event; });
  Completion found = std::move(*it);
  done_.erase(it);
  return found;
}

void Driven::declare(const std::string& name) {
  queue = run(OpenQueue{name, {}, {}, {"consumed", ""}, true, false}).id;
  stream = run(OpenStream{queue, "main", "", 0}).id;
  group = run(OpenGroup{queue, "main", "", "default", "oldest", {}, {}, 10}).id;
  holder = run(Beat{0, 5000ms}).id;
  EXPECT_TRUE(queue && stream && group && holder);
}

Status Driven::send(const std::vector<std::string>& texts, bool sync) {
  Commit commit;
  commit.producer = producer;
  commit.counter = ++counter;
  commit.sync = sync;
  commit.appends.resize(1);
  commit.appends[0].stream = stream;
  for (const auto& text : texts) {
    Message message;
    message.body = std::as_bytes(std::span(text));
    commit.appends[0].messages.push_back(message);
  }
  return run(std::move(commit)).status;
}

Completion Driven::claim(u32 messages, bool alone) {
  return run(ClaimNext{group, holder, {messages, kMaxBatchBytes}, alone});
}

Settle Driven::settle_all(const Claim& claim, std::optional<Verdict> verdict, std::string reason) {
  Settle settle{claim.group, claim.id, {}, {}};
  const auto size = static_cast<u32>(claim.last - claim.first + 1);
  settle.done.assign((size + 63) / 64, ~u64{0});
  for (u32 i = 0; verdict && i < size; ++i) settle.odd.push_back({i, *verdict, 0ms, reason});
  return settle;
}

void Driven::ack(const Claim& claim) {
  Commit commit;
  commit.settles.push_back(settle_all(claim));
  const auto done = run(std::move(commit));
  EXPECT_TRUE(done.status.ok()) << done.status.text();
  EXPECT_TRUE(done.fenced.empty());
}

std::vector<std::string> bodies(const Completion& completion) {
  std::vector<std::string> texts;
  for (const auto& message : completion.messages)
    texts.emplace_back(reinterpret_cast<const char*>(message.body.data()), message.body.size());
  return texts;
}

void SqliteTest::SetUp() {
  char name[] = "/tmp/vtx-sqlite-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  directory_ = name;
  path_ = directory_ + "/q.db";
}

void SqliteTest::TearDown() { std::filesystem::remove_all(directory_); }

Foreign::Foreign(const std::string& path) {
  EXPECT_EQ(sqlite3_open(path.c_str(), &connection_), SQLITE_OK);
  sqlite3_busy_timeout(connection_, 10'000);
}

void Foreign::run(const std::string& sql) {
  char* error = nullptr;
  EXPECT_EQ(sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK)
      << sql << ": " << (error ? error : "");
  sqlite3_free(error);
}

std::string Foreign::value(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_prepare_v2(connection_, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
      << sql << ": " << sqlite3_errmsg(connection_);
  std::string value;
  if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0))
    value = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
  sqlite3_finalize(statement);
  return value;
}

Process::Process(const std::string& role, const std::vector<std::string>& arguments) {
  int down[2], up[2];
  if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0) abort();
  std::vector<char*> line{const_cast<char*>("vtx_sqlite_tests"), const_cast<char*>("--role"),
                          const_cast<char*>(role.c_str())};
  for (const auto& argument : arguments) line.push_back(const_cast<char*>(argument.c_str()));
  line.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    dup2(down[0], 0);
    dup2(up[1], 1);
    execv("/proc/self/exe", line.data());
    _exit(127);
  }
  close(down[0]);
  close(up[1]);
  in_ = down[1];
  out_ = up[0];
}

Process::~Process() {
  if (pid_ > 0) {
    signal(SIGKILL);
    wait();
  }
  close(in_);
  close(out_);
}

std::string Process::read_line() {
  std::string line;
  char byte = 0;
  while (true) {
    pollfd item{out_, POLLIN, 0};
    if (::poll(&item, 1, static_cast<int>(std::chrono::milliseconds(kDeadline).count())) != 1 ||
        read(out_, &byte, 1) != 1 || byte == '\n')
      return line;
    line += byte;
  }
}

void Process::write_line(const std::string& line) {
  const auto text = line + "\n";
  EXPECT_EQ(write(in_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

void Process::signal(int number) { kill(pid_, number); }

int Process::wait() {
  int result = 0;
  waitpid(pid_, &result, 0);
  pid_ = 0;
  return WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
}

namespace {

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void hear() {
  char line[16];
  if (!std::fgets(line, sizeof line, stdin)) _exit(2);
}

// produce PATH COUNT BATCH: sends numbered messages, says each batch's end when it is durable.
int produce(Driven& store, const std::vector<std::string>& arguments) {
  const int count = std::stoi(arguments[1]);
  const int batch = std::stoi(arguments[2]);
  for (int next = 0; next < count; next += batch) {
    std::vector<std::string> texts;
    for (int i = next; i < next + batch; ++i) texts.push_back(std::to_string(getpid()) + ":" + std::to_string(i));
    if (!store.send(texts).ok()) return 3;
    say(texts.back());
  }
  return 0;
}

// hold PATH: claims one range of ten, says what it holds, waits for a line, tries to settle it, says whether that was fenced.
int hold(Driven& store) {
  const auto got = store.claim(10);
  if (!got.claim) return 3;
  say(std::to_string(got.claim->first) + "-" + std::to_string(got.claim->last));
  hear();
  Commit commit;
  commit.settles.push_back(store.settle_all(*got.claim));
  say(store.run(std::move(commit)).fenced.empty() ? "settled" : "fenced");
  return 0;
}

// drain PATH COUNT: consumes with the doorbell, says every body; ends after COUNT of its own.
int drain(Driven& store, const std::vector<std::string>& arguments) {
  int left = std::stoi(arguments[1]);
  say("ready");
  while (left > 0) {
    const auto got = store.claim(100);
    if (!got.claim) {
      store.wait_event(Event::changed);
      continue;
    }
    for (const auto& text : bodies(got)) {
      say(text);
      --left;
    }
    store.ack(*got.claim);
  }
  return 0;
}

// die PATH N: begins to send fifty messages, and dies at the Nth write of that.
int die(Driven& store, const std::vector<std::string>& arguments) {
  faults().writes_to_death = std::stoi(arguments[1]);
  if (store.send(std::vector<std::string>(50, std::string(500, 'x'))).ok()) say("durable");
  return 0;
}

}  // namespace

int play(const std::string& role, const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> options;
  if (role == "die") {
    register_faulty_vfs();
    options["vfs"] = "faulty";
  }
  Driven store(arguments[0], options);
  store.open();
  store.declare();
  if (role == "produce") return produce(store, arguments);
  if (role == "hold") return hold(store);
  if (role == "die") return die(store, arguments);
  if (role == "drain") return drain(store, arguments);
  return 2;
}

}  // namespace vtx::sqlite::test

int main(int argc, char** argv) {
  if (argc > 3 && std::strcmp(argv[1], "--role") == 0) return vtx::sqlite::test::play(argv[2], {argv + 3, argv + argc});
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

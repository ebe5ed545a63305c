/* SPDX-License-Identifier: MPL-2.0 */
//
// VTX on a Postgres server against what a program would write for itself with libpq, in turn, on the same server. Each run has its schema anew.
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

#include "cases.hpp"
#include "node.hpp"
#include "postgres_server.hpp"
#include "receiver.hpp"
#include "runs.hpp"
#include "sql.hpp"

namespace vtx::bench {
namespace {

constexpr auto kRate = "messages/s";
constexpr auto kRawBatch = std::uint64_t{100};  // as queue tables are driven
constexpr std::array<std::uint64_t, 6> kBatches{250, 1000, 2000, 4000, 16'000, 64'000};
constexpr auto kPause = std::chrono::milliseconds(3);  // for the receiver to have settled the message and to wait again
constexpr std::uint64_t kWarmUp = 10;

/// And the messages of a claim.
struct BothRun : Run {
  double claim;
};

Run vtx_enqueue(const Options& options) {
  settle_server(options);
  Node node(options.hwm);
  void* push = node.open(ZMQ_PUSH, endpoint_on(options, "retain=forever"));
  send_numbered(push, 1, options.size);  // until then it connects and makes its tables
  node.flush(push);
  const auto before = node.stats(push);
  const auto start = Clock::now();
  Worker sending([&] { send_numbered(push, options.messages, options.size); });
  sending.join();
  node.flush(push);
  const double seconds = seconds_since(start);
  const auto stats = node.stats(push);
  return {seconds, ratio_of(stats.durable - before.durable, stats.commits - before.commits)};
}

double raw_enqueue_anew(const Options& options, std::uint64_t messages, std::uint64_t batch) {
  settle_server(options);
  return raw_enqueue(options, messages, batch);
}

std::uint64_t best_batch(const Options& options) {
  std::uint64_t best = kBatches.front();
  double least = 0;
  for (const std::uint64_t batch : kBatches) {
    const double seconds = raw_enqueue_anew(options, std::max<std::uint64_t>(options.messages / 4, 1), batch);
    if (least != 0 && seconds >= least) continue;
    least = seconds;
    best = batch;
  }
  return best;
}

/// Two processes at once: this one sends.
BothRun vtx_both(const Options& options) {
  settle_server(options);
  const std::string endpoint = endpoint_on(options, "retain=consumed");
  Node node(options.hwm);
  void* push = node.open(ZMQ_PUSH, endpoint);
  Receiver receiver("--stream-receiver", endpoint, options.messages + 1);
  send_numbered(push, 1, options.size);
  receiver.answer();  // both are there
  const auto before = node.stats(push);
  const auto start = nanoseconds();
  send_numbered(push, options.messages, options.size, 1);
  const auto end = receiver.answer();
  const auto claims = receiver.answer();
  node.flush(push);
  receiver.wait_for_end();
  const auto stats = node.stats(push);
  return {{static_cast<double>(end - start) / 1e9,
           ratio_of(stats.durable - before.durable, stats.commits - before.commits)},
          ratio_of(options.messages, static_cast<std::uint64_t>(claims))};
}

/// A table of jobs as its users write it: what is taken is deleted, a batch a transaction, and rows that another has are skipped. The transaction ends
/// when the batch has been worked on, so that a worker that dies gives it back: which VTX's consumer does, too.
double raw_both(const Options& options) {
  settle_server(options);
  Sql producer(options.postgres), consumer(options.postgres);
  producer.run(
      "CREATE SCHEMA vtx_bench; CREATE TABLE vtx_bench.job (id bigserial PRIMARY KEY, created timestamptz NOT NULL "
      "DEFAULT now(), body bytea NOT NULL)");
  producer.prepare("put", "INSERT INTO vtx_bench.job (body) SELECT unnest($1::bytea[])");
  consumer.prepare("take",
                   "DELETE FROM vtx_bench.job WHERE id = ANY (ARRAY(SELECT id FROM vtx_bench.job ORDER BY id FOR "
                   "UPDATE SKIP LOCKED LIMIT $1::bigint)) "
                   "RETURNING id, body");
  const auto start = Clock::now();
  Worker sending([&] {
    for (std::uint64_t done = 0; done < options.messages; done += kRawBatch) {
      SqlParameters parameters;
      parameters.add_bodies(std::min(kRawBatch, options.messages - done), options.size, done);
      producer.execute("put", parameters);
    }
  });
  SqlParameters limit;
  limit.add(static_cast<std::int64_t>(kRawBatch));
  for (std::uint64_t taken = 0; taken < options.messages;) {
    consumer.run("BEGIN");
    const auto count = PQntuples(consumer.execute("take", limit).get());
    consumer.run("COMMIT");
    taken += static_cast<std::uint64_t>(count);
    if (count == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const double seconds = seconds_since(start);
  sending.join();
  return seconds;
}

/// Waits on a connection of its own and says when it was told.
class Listener {
 public:
  explicit Listener(const Options& options) : sql_(options.postgres) { sql_.run("LISTEN vtx_bench"); }
  /// When the next notification was there, by nanoseconds().
  std::int64_t wait() {
    for (;;) {
      if (PGnotify* notify = PQnotifies(sql_.connection())) {
        const std::int64_t now = nanoseconds();
        PQfreemem(notify);
        return now;
      }
      pollfd one{PQsocket(sql_.connection()), POLLIN, 0};
      if (poll(&one, 1, 10'000) <= 0) throw Failure("raw loop: no notification came");
      PQconsumeInput(sql_.connection());
    }
  }

 private:
  Sql sql_;
};

/// Microseconds from the sending of a row and a NOTIFY, one transaction and one round trip, until who listens has it.
class RawRound {
 public:
  explicit RawRound(const Options& options) : sender_(options.postgres), listener_(options), body_(options.size, 'x') {
    sender_.run("CREATE TABLE IF NOT EXISTS vtx_bench.row (id bigserial PRIMARY KEY, body bytea NOT NULL)");
  }
  double run(bool sync) {
    if (sync != sync_) sender_.run(sync ? "SET synchronous_commit = on" : "SET synchronous_commit = off");
    sync_ = sync;
    std::int64_t told = 0;
    Worker listening([&] { told = listener_.wait(); });
    std::this_thread::sleep_for(kPause);
    const std::int64_t start = nanoseconds();
    sender_.run("INSERT INTO vtx_bench.row (body) VALUES ('" + body_ + "'); NOTIFY vtx_bench");
    listening.join();
    return static_cast<double>(told - start) / 1e3;
  }

 private:
  Sql sender_;
  Listener listener_;
  const std::string body_;
  bool sync_ = true;
};

void measure_wakeup(const Options& options, const std::string& durability, std::vector<Series>& to) {
  settle_server(options);
  const std::string endpoint = endpoint_on(options, "retain=consumed");
  Node node(options.hwm);
  void* push = node.open(ZMQ_PUSH, endpoint + "&durability=" + durability);
  node.flush(push);
  Receiver receiver("--wakeup-receiver", endpoint);
  std::string body(options.size, 'x');
  const auto send_stamped = [&](std::int64_t stamp) {
    std::memcpy(body.data(), &stamp, sizeof stamp);
    zmq_send(push, body.data(), body.size(), 0);
  };
  send_stamped(nanoseconds());
  receiver.answer();
  RawRound raw(options);
  Series vtx{"VTX, durability=" + durability, {}, {}};
  Series round{"raw row, NOTIFY, poll; likewise", {}, {}};
  for (std::uint64_t i = 0; i < kWarmUp + options.singles; ++i) {
    std::this_thread::sleep_for(kPause);
    send_stamped(nanoseconds());
    const auto taken = static_cast<double>(receiver.answer()) / 1e3;
    const double told = raw.run(durability == "sync");
    if (i < kWarmUp) continue;
    vtx.values.push_back(taken);
    round.values.push_back(told);
  }
  send_stamped(0);
  node.flush(push);
  receiver.wait_for_end();
  round.ratios = {median(vtx.values) / median(round.values)};
  if (durability == "sync") round.target = 3.0;  // the other shows what the disk hides
  to.push_back(std::move(vtx));
  to.push_back(std::move(round));
}

}  // namespace

Case pg_enqueue(const Options& options) {
  const double messages = static_cast<double>(options.messages);
  const std::uint64_t best = best_batch(options);
  Series vtx{"VTX", {}, 0};
  Series same{"raw insert", {}, 0, {}, 0.7};
  Series fastest{"raw insert, best batch", {}, static_cast<double>(best)};
  for (std::size_t round = 0; round < options.rounds; ++round) {
    const Run run = vtx_enqueue(options);
    vtx.values.push_back(messages / run.seconds);
    vtx.batch = *vtx.batch + run.batch / static_cast<double>(options.rounds);
    const auto compare = [&](Series& raw, std::uint64_t batch) {
      const double seconds = raw_enqueue_anew(options, options.messages, batch);
      raw.values.push_back(messages / seconds);
      raw.ratios.push_back(seconds / run.seconds);
    };
    compare(same, whole_batch(run));
    compare(fastest, best);
  }
  same.batch = vtx.batch;
  drop_schema(options);
  return {"pg-enqueue", "Postgres: from the first send until flushed", kRate, {vtx, same, fastest}};
}

Case pg_both(const Options& options) {
  const double messages = static_cast<double>(options.messages);
  Series vtx{"VTX, a process each", {}, 0};
  Series claims{"VTX, taken by claims", {}, 0};
  Series raw{"raw FOR UPDATE SKIP LOCKED", {}, static_cast<double>(kRawBatch), {}, 4.0};
  for (std::size_t round = 0; round < options.rounds; ++round) {
    const BothRun run = vtx_both(options);
    vtx.values.push_back(messages / run.seconds);
    vtx.batch = *vtx.batch + run.batch / static_cast<double>(options.rounds);
    claims.batch = *claims.batch + run.claim / static_cast<double>(options.rounds);
    const double seconds = raw_both(options);
    raw.values.push_back(messages / seconds);
    raw.ratios.push_back(seconds / run.seconds);
  }
  claims.values = vtx.values;
  drop_schema(options);
  return {"pg-both", "Postgres: enqueue and consume at once, what is consumed is removed", kRate, {vtx, claims, raw}};
}

Case pg_wakeup(const Options& options) {
  Case result{"pg-wakeup", "Postgres: from a send in one process to the receipt in another that waits", "us", {}};
  for (const char* durability : {"sync", "async"}) measure_wakeup(options, durability, result.series);
  drop_schema(options);
  return result;
}

}  // namespace vtx::bench

/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx bench`: an operator's quick look at what a store does on this machine. It measures through the same API as
// any program; the product's benchmarks, with their raw counterparts, live in bench/.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "admin_call.hpp"
#include "commands.hpp"
#include "endpoint_text.hpp"
#include "link_options.hpp"
#include "report.hpp"
#include "sender.hpp"
#include "text.hpp"

namespace vtx::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxRoundTrips = 1000;

struct BenchOptions {
  std::string endpoint;
  std::uint64_t messages = 100'000;
  std::size_t size = 100;
  bool json = false;
};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double ratio(std::uint64_t of, std::uint64_t by) {
  return by == 0 ? 0 : static_cast<double>(of) / static_cast<double>(by);
}

double rate_of(std::uint64_t messages, double seconds) {
  return seconds > 0 ? static_cast<double>(messages) / seconds : 0;
}

/// The endpoint with a queue of this process' own when it names none.
std::string with_queue(const std::string& endpoint) {
  if (endpoint_option(endpoint, "queue")) return endpoint;
  return with_option(endpoint, "queue", fmt::format("bench-{}", getpid()));
}

/// Throws unless the queue is empty or not there: a benchmark must not eat real messages.
void require_empty(Session& session, const std::string& endpoint) {
  try {
    const Json queue = ask(session.vtx(), endpoint, "show", std::chrono::seconds(10));
    if (queue.at("messages") == 0) return;
  } catch (const Failure& failure) {
    if (failure.error() == ENOENT) return;
    throw;
  }
  throw Failure(endpoint +
                ": the queue holds messages, which this would consume; leave out queue= or name an empty one");
}

/// Three measurements on one queue. One thread, so that a rate is the store's and not the scheduler's.
class Bench {
 public:
  explicit Bench(const BenchOptions& options) : options_(options), endpoint_(with_queue(options.endpoint)) {
    require_empty(session_, endpoint_);
  }

  Json run() {
    Json result{{"endpoint", endpoint_}, {"messages", options_.messages}, {"size", options_.size}};
    Link push(session_, ZMQ_PUSH, endpoint_, default_side(endpoint_, ZMQ_PUSH));
    result["send"] = measure_send(push);
    Link pull(session_, ZMQ_PULL, endpoint_, default_side(endpoint_, ZMQ_PULL));
    result["recv"] = measure_recv(pull);
    result["latency"] = measure_latency(push, pull);
    return result;
  }

 private:
  Json measure_send(Link& push) {
    Sender sender(push);
    Progress progress;
    const auto start = Clock::now();
    while (sender.count() < options_.messages) {
      send_one(sender);
      if (progress.due()) show(progress, sender.count());
    }
    flush(sender);
    const double seconds = seconds_since(start);
    const auto stats = push.stats();
    return {{"seconds", seconds},
            {"messages_per_second", rate_of(options_.messages, seconds)},
            {"messages_per_commit", ratio(stats.durable, stats.commits)}};
  }

  Json measure_recv(Link& pull) {
    Progress progress;
    const auto start = Clock::now();
    for (std::uint64_t got = 0; got < options_.messages; ++got) {
      receive_one(pull);
      if (progress.due()) show(progress, got);
    }
    const double seconds = seconds_since(start);
    const auto stats = pull.stats();
    return {{"seconds", seconds},
            {"messages_per_second", rate_of(options_.messages, seconds)},
            {"messages_per_claim", ratio(stats.delivered, stats.claims)}};
  }

  // One message at a time through an empty queue: from send to receive, the commit between them included.
  Json measure_latency(Link& push, Link& pull) {
    Sender sender(push);
    std::vector<double> times;
    const auto start = Clock::now();
    while (times.size() < kMaxRoundTrips && seconds_since(start) < 10) {
      const auto sent = Clock::now();
      send_one(sender);
      receive_one(pull);
      times.push_back(seconds_since(sent));
    }
    std::sort(times.begin(), times.end());
    const auto at = [&](std::size_t permille) {
      return times[std::min(times.size() - 1, times.size() * permille / 1000)];
    };
    return {{"messages", times.size()},
            {"p50_seconds", at(500)},
            {"p90_seconds", at(900)},
            {"p99_seconds", at(990)},
            {"max_seconds", times.back()}};
  }

  void send_one(Sender& sender) {
    message_.clear();
    message_.frames.emplace_back(body_.data(), body_.size());
    if (!sender.send(message_)) throw Failure("stopped by a signal");
  }

  void flush(Sender& sender) {
    if (!sender.flush()) throw Failure("stopped by a signal");
  }

  void receive_one(Link& pull) {
    zmq::message_t message;
    while (zmq_msg_recv(message.handle(), pull.socket(), ZMQ_DONTWAIT) < 0) {
      if (zmq_errno() != EAGAIN && zmq_errno() != EINTR) throw Failure(endpoint_ + ": " + zmq_strerror(zmq_errno()));
      if (pull.wait(ZMQ_POLLIN, -1, std::chrono::seconds(1)).stop) throw Failure("stopped by a signal");
    }
  }

  void show(Progress& progress, std::uint64_t done) const {
    progress.show(done, std::nullopt, ratio(options_.messages - done, done));
  }

  const BenchOptions& options_;
  const std::string endpoint_;
  const std::string body_ = std::string(options_.size, 'x');
  Session session_;
  Message message_;
};

std::string rate(const Json& part) {
  return grouped(static_cast<std::uint64_t>(part.at("messages_per_second").get<double>())) + "/s";
}

void print_result(const Json& result) {
  const Json& send = result.at("send");
  const Json& recv = result.at("recv");
  const Json& latency = result.at("latency");
  const auto time = [&](const char* key) { return readable_time(latency.at(key).get<double>()); };
  fmt::print("{} messages of {} through {}\n\n", grouped(result.at("messages").get<std::uint64_t>()),
             readable_size(result.at("size").get<std::uint64_t>()), result.at("endpoint").get<std::string>());
  fmt::print("send until durable  {:>12}  {:.0f} messages a commit\n", rate(send),
             send.at("messages_per_commit").get<double>());
  fmt::print("receive             {:>12}  {:.0f} messages a claim\n", rate(recv),
             recv.at("messages_per_claim").get<double>());
  fmt::print("one at a time       median {}, 90 % {}, 99 % {}, longest {}\n", time("p50_seconds"), time("p90_seconds"),
             time("p99_seconds"), time("max_seconds"));
}

Exit bench(const BenchOptions& options) {
  const Json result = Bench(options).run();
  if (options.json)
    fmt::print("{}\n", result.dump(2));
  else
    print_result(result);
  return Exit::done;
}

}  // namespace

void add_bench(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<BenchOptions>();
  auto* command = app.add_subcommand("bench", "Measure a store quickly");
  command->add_option("URI", options->endpoint, "The endpoint; its options count, as durability=async")->required();
  command->add_option("--messages", options->messages, "How many")->check(check_count)->capture_default_str();
  command->add_option("--size", options->size, "Bytes of each")->check(check_count_or_none)->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON; times in seconds");
  command->footer(
      "Without queue= it uses a queue of its own, bench-PID, which stays in the store, empty. It refuses a queue that "
      "holds "
      "messages.\n\nExample:\n  vtx bench sqlite:/tmp/q.db --messages 1000000");
  command->callback([options, &chosen] { chosen = [options] { return bench(*options); }; });
}

}  // namespace vtx::cli

/* SPDX-License-Identifier: MPL-2.0 */
#include "traffic.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "vtx/drivers/postgres.h"

namespace vtx::test {
namespace {

/// How often the threads look whether they are to stop.
constexpr Ms kTurn{100};

std::uint64_t number_of(const std::string& properties, const std::string& name) {
  const auto at = properties.find(name + ": ");
  return at == std::string::npos ? 0 : std::strtoull(properties.c_str() + at + name.size() + 2, nullptr, 10);
}

}  // namespace

Ms traffic_time(Ms otherwise) {
  const char* seconds = std::getenv("VTX_TEST_SECONDS");
  return seconds ? Ms(1000 * std::atol(seconds)) : otherwise;
}

bool is_settled(World& world, const std::string& endpoint) {
  auto view = show(world, endpoint);
  return view.exists && view.groups["default"].depth == 0;
}

// --- producer --------------------------------------------------------------------------------------------------------

Producer::Producer(const std::string& endpoint, std::string name, int batch)
    : name_(std::move(name)),
      batch_(batch),
      world_("postgres", vtx_postgres_driver),
      push_(world_, ZMQ_PUSH),
      events_(world_, push_) {
  push_.set(ZMQ_RECONNECT_IVL, 10).set(ZMQ_SNDTIMEO, static_cast<int>(kTurn.count())).connect(endpoint);
  thread_ = std::thread([this] { work(); });
}

Producer::~Producer() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void Producer::work() {
  while (!stop_) {
    for (int i = 0; i < batch_ && !stop_; ++i) {
      const std::string text = name_ + " " + std::to_string(sent_ + 1);
      if (zmq_send(push_.get(), text.data(), text.size(), 0) >= 0)
        ++sent_;
      else if (errno != EAGAIN)
        return;
    }
    while (!stop_ && !flush(kTurn)) {
    }
  }
}

bool Producer::flush(Ms within) {
  if (vtx_flush(world_.vtx(), push_.get(), static_cast<int>(within.count())) != 0) return false;
  flushed_ = sent_.load();
  return true;
}

bool Producer::flushes(std::uint64_t more, Ms within) const {
  const auto goal = flushed() + more;
  return wait_until([&] { return flushed() >= goal; }, within);
}

bool Producer::finish(Ms within) {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  return flush(within);
}

// --- consumer --------------------------------------------------------------------------------------------------------

Consumer::Consumer(const std::string& endpoint)
    : world_("postgres", vtx_postgres_driver), pull_(world_, ZMQ_PULL), events_(world_, pull_), endpoint_(endpoint) {
  pull_.set(ZMQ_RECONNECT_IVL, 10).connect(endpoint + "&properties=on");
  thread_ = std::thread([this] { work(); });
}

Consumer::~Consumer() { stop(); }

void Consumer::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void Consumer::work() {
  while (!stop_) {
    const auto frames = pull_.receive_frames(kTurn);
    if (!frames) continue;
    const std::string& properties = frames->back();
    deliveries_.push_back(
        {frames->front(), number_of(properties, "Sequence"), static_cast<int>(number_of(properties, "Deliveries"))});
    seen_.insert(frames->front());
    distinct_ = seen_.size();
  }
}

bool Consumer::receives(std::uint64_t more, Ms within) const {
  const auto goal = distinct() + more;
  return wait_until([&] { return distinct() >= goal; }, within);
}

bool Consumer::finish(std::uint64_t distinct, Ms within) {
  const bool came = wait_until([&] { return distinct_ >= distinct; }, within);
  const bool settled = came && wait_until([&] { return is_settled(world_, endpoint_); }, within);
  stop();
  return settled;
}

// --- what must hold --------------------------------------------------------------------------------------------------

testing::AssertionResult check_traffic(const std::map<std::string, std::uint64_t>& flushed,
                                       const std::vector<Delivery>& deliveries, Again again) {
  std::map<std::string, std::uint64_t> sequences, newest;
  for (const Delivery& one : deliveries) {
    const auto space = one.text.find(' ');
    const std::string name = one.text.substr(0, space);
    const std::uint64_t number = std::stoull(one.text.substr(space + 1));
    if (!flushed.contains(name) || number < 1 || number > flushed.at(name))
      return testing::AssertionFailure() << "nobody sent " << one.text;
    const auto [known, fresh] = sequences.emplace(one.text, one.sequence);
    if (known->second != one.sequence)
      return testing::AssertionFailure() << one.text << " was stored twice, at " << known->second << " and "
                                         << one.sequence;
    if (!fresh && again == Again::never)
      return testing::AssertionFailure() << one.text << " came twice, the last time as delivery " << one.deliveries;
    if (!fresh || one.deliveries > 1) continue;
    if (number < newest[name] && again == Again::never)
      return testing::AssertionFailure() << one.text << " came after " << newest[name];
    newest[name] = std::max(newest[name], number);
  }
  for (const auto& [name, last] : flushed)
    for (std::uint64_t number = 1; number <= last; ++number)
      if (!sequences.contains(name + " " + std::to_string(number)))
        return testing::AssertionFailure() << name << " " << number << " of " << last << " never came";
  std::set<std::uint64_t> all;
  for (const auto& [text, sequence] : sequences) all.insert(sequence);
  if (!all.empty() && (all.size() != sequences.size() || *all.rbegin() != all.size()))
    return testing::AssertionFailure() << sequences.size() << " messages at " << all.size() << " places up to "
                                       << *all.rbegin();
  return testing::AssertionSuccess();
}

testing::AssertionResult Traffic::finish(Again again) {
  if (!producer.finish())
    return testing::AssertionFailure() << "the last messages are not durable: " << vtx_last_error();
  if (!consumer.finish(producer.sent())) {
    const auto checked = check_traffic({{producer.name(), producer.sent()}}, consumer.deliveries(), again);
    return testing::AssertionFailure() << consumer.distinct() << " of " << producer.sent() << " came and were settled; "
                                       << checked.message();
  }
  return check_traffic({{producer.name(), producer.sent()}}, consumer.deliveries(), again);
}

std::uint64_t Traffic::repeated() const { return consumer.deliveries().size() - consumer.distinct(); }

}  // namespace vtx::test

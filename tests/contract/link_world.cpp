/* SPDX-License-Identifier: MPL-2.0 */
#include "contract/link_world.hpp"

#include <atomic>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <thread>

namespace vtx::test {

using nlohmann::json;

bool wait_until(const std::function<bool()>& condition, Ms deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(Ms{2});
  }
  return true;
}

Frames count_up(int first, int last) {
  Frames texts;
  for (int i = first; i <= last; ++i) texts.push_back(std::to_string(i));
  return texts;
}

// --- world -----------------------------------------------------------------------------------------------------------

World::World(const char* scheme, vtx_driver_fn driver, int max_sockets) : context_(zmq_ctx_new()) {
  if (max_sockets > 0) {
    zmq_ctx_set(context_, ZMQ_MAX_SOCKETS, max_sockets);
    zmq_close(zmq_socket(context_, ZMQ_PAIR));
  }
  vtx_ = vtx_new(context_);
  EXPECT_NE(vtx_, nullptr) << vtx_last_error();
  EXPECT_EQ(vtx_register(vtx_, scheme, driver), 0) << vtx_last_error();
}

World::World(const World& other, const char* scheme, vtx_driver_fn driver)
    : context_(other.context_), own_(false), vtx_(vtx_new(context_)) {
  EXPECT_NE(vtx_, nullptr) << vtx_last_error();
  EXPECT_EQ(vtx_register(vtx_, scheme, driver), 0) << vtx_last_error();
}

World::~World() {
  destroy();
  if (own_ && context_ != nullptr) zmq_ctx_term(context_);
}

void World::destroy() {
  if (vtx_ == nullptr) return;
  EXPECT_EQ(vtx_destroy(&vtx_), 0) << vtx_last_error();
}

void World::terminate() {
  EXPECT_EQ(zmq_ctx_term(context_), 0);
  context_ = nullptr;
}

Message::Message(std::string_view text) {
  zmq_msg_init_size(&message_, text.size());
  if (!text.empty()) std::memcpy(zmq_msg_data(&message_), text.data(), text.size());
}

// --- socket ----------------------------------------------------------------------------------------------------------

Socket::Socket(World& world, int type) : world_(world), socket_(vtx_socket(world.vtx(), type)) {
  EXPECT_NE(socket_, nullptr) << vtx_last_error();
  set(ZMQ_SNDTIMEO, static_cast<int>(kPatience.count()));
}

Socket::Socket(World& world, const char* pattern) : world_(world), socket_(vtx_socket_pattern(world.vtx(), pattern)) {
  EXPECT_NE(socket_, nullptr) << vtx_last_error();
  set(ZMQ_SNDTIMEO, static_cast<int>(kPatience.count()));
}

Socket::~Socket() { close(); }

Socket& Socket::set(int option, int value) {
  EXPECT_EQ(zmq_setsockopt(socket_, option, &value, sizeof value), 0) << zmq_strerror(errno);
  return *this;
}

Socket& Socket::set_64(int option, std::int64_t value) {
  EXPECT_EQ(zmq_setsockopt(socket_, option, &value, sizeof value), 0) << zmq_strerror(errno);
  return *this;
}

Socket& Socket::set(int option, std::string_view value) {
  EXPECT_EQ(zmq_setsockopt(socket_, option, value.data(), value.size()), 0) << zmq_strerror(zmq_errno());
  return *this;
}

Socket& Socket::bind(const std::string& endpoint) {
  EXPECT_EQ(vtx_bind(world_.vtx(), socket_, endpoint.c_str()), 0) << vtx_last_error();
  return *this;
}

Socket& Socket::connect(const std::string& endpoint) {
  EXPECT_EQ(vtx_connect(world_.vtx(), socket_, endpoint.c_str()), 0) << vtx_last_error();
  return *this;
}

void Socket::disconnect(const std::string& endpoint) {
  EXPECT_EQ(vtx_disconnect(world_.vtx(), socket_, endpoint.c_str()), 0) << vtx_last_error();
}

void Socket::flush() {
  EXPECT_EQ(vtx_flush(world_.vtx(), socket_, static_cast<int>(kPatience.count())), 0) << vtx_last_error();
}

void Socket::close() {
  if (socket_ == nullptr) return;
  if (world_.vtx() == nullptr) return close_plainly();
  EXPECT_EQ(vtx_close(world_.vtx(), std::exchange(socket_, nullptr)), 0) << vtx_last_error();
}

void Socket::close_plainly() { EXPECT_EQ(zmq_close(std::exchange(socket_, nullptr)), 0); }

void Socket::send(std::string_view text) {
  EXPECT_EQ(zmq_send(socket_, text.data(), text.size(), 0), static_cast<int>(text.size())) << zmq_strerror(errno);
}

void Socket::send(const Frames& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const int more = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
    EXPECT_EQ(zmq_send(socket_, frames[i].data(), frames[i].size(), more), static_cast<int>(frames[i].size()));
  }
}

void Socket::send_each(const Frames& texts) {
  for (const std::string& text : texts) send(std::string_view(text));
}

bool Socket::try_send(std::string_view text) {
  if (zmq_send(socket_, text.data(), text.size(), ZMQ_DONTWAIT) >= 0) return true;
  EXPECT_EQ(errno, EAGAIN);
  return false;
}

bool Socket::receive(Message& message, Ms within) {
  set(ZMQ_RCVTIMEO, static_cast<int>(within.count()));
  if (zmq_msg_recv(message.get(), socket_, 0) >= 0) return true;
  EXPECT_EQ(errno, EAGAIN) << zmq_strerror(errno);
  return false;
}

int Socket::look() {
  int events = 0;
  std::size_t size = sizeof events;
  EXPECT_EQ(zmq_getsockopt(socket_, ZMQ_EVENTS, &events, &size), 0) << zmq_strerror(errno);
  return events;
}

std::optional<Frames> Socket::receive_frames(Ms within) {
  Frames frames;
  for (bool more = true; more;) {
    Message frame;
    if (!receive(frame, within)) return std::nullopt;
    frames.push_back(frame.text());
    more = frame.more();
  }
  return frames;
}

std::string Socket::receive() {
  const auto frames = receive_frames();
  EXPECT_TRUE(frames) << "nothing came";
  if (!frames) return "(nothing)";
  EXPECT_EQ(frames->size(), 1U);
  return frames->front();
}

std::vector<std::string> Socket::receive(int count) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    const auto frames = receive_frames();
    EXPECT_TRUE(frames) << "only " << i << " of " << count << " came";
    if (!frames) break;
    texts.push_back(frames->front());
  }
  return texts;
}

vtx_stats_t Socket::stats(const char* endpoint) const {
  vtx_stats_t stats{};
  stats.struct_size = sizeof stats;
  EXPECT_EQ(vtx_stats(world_.vtx(), socket_, endpoint, &stats), 0) << vtx_last_error();
  return stats;
}

bool Socket::has_link() const {
  vtx_stats_t stats{};
  stats.struct_size = sizeof stats;
  return vtx_stats(world_.vtx(), socket_, nullptr, &stats) == 0;
}

testing::AssertionResult Socket::reaches(std::uint64_t vtx_stats_t::*counter, std::uint64_t value) const {
  std::uint64_t last = 0;
  if (wait_until([&] { return (last = stats().*counter) == value; })) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "it is " << last << ", not " << value;
}

Subscriber::Subscriber(World& world, const Frames& prefixes) : Socket(world, ZMQ_SUB) {
  for (const std::string& prefix : prefixes) subscribe(prefix);
}
void Subscriber::subscribe(const std::string& prefix) {
  EXPECT_EQ(zmq_setsockopt(get(), ZMQ_SUBSCRIBE, prefix.data(), prefix.size()), 0);
}
void Subscriber::unsubscribe(const std::string& prefix) {
  EXPECT_EQ(zmq_setsockopt(get(), ZMQ_UNSUBSCRIBE, prefix.data(), prefix.size()), 0);
}

void join_plainly(Socket& publisher, Subscriber& subscriber) {
  static std::atomic<int> count{0};
  const std::string address = "inproc://plain-" + std::to_string(++count);
  EXPECT_EQ(zmq_bind(publisher.get(), address.c_str()), 0);
  EXPECT_EQ(zmq_connect(subscriber.get(), address.c_str()), 0);
  publisher.look();
}

// --- a look into the store -------------------------------------------------------------------------------------------

namespace {

json ask(World& world, const std::string& endpoint, const std::string& command) {
  char* text = nullptr;
  if (vtx_admin(world.vtx(), endpoint.c_str(), command.c_str(), static_cast<int>(kPatience.count()), &text) != 0)
    return {};
  json answer = json::parse(text);
  vtx_free(text);
  return answer;
}

}  // namespace

QueueView show(World& world, const std::string& endpoint) {
  const json answer = ask(world, endpoint, "show");
  QueueView view;
  if (answer.is_null()) return view;
  view.exists = true;
  view.retain = answer.at("retain");
  view.messages = answer.at("messages");
  view.delayed = answer.at("delayed");
  view.head = answer.at("head");
  view.dead = answer.at("dead");
  for (const json& group : answer.at("groups")) {
    view.groups[group.at("name")] = {group.at("depth"), group.at("claimed"), group.at("retrying")};
  }
  view.counters = answer.at("counters");
  return view;
}

std::vector<DeadView> dead_letters(World& world, const std::string& endpoint) {
  std::vector<DeadView> letters;
  const json answer = ask(world, endpoint, "dead list");
  if (answer.is_null()) return letters;
  for (const json& one : answer.at("messages")) {
    letters.push_back({one.at("sequence"), one.at("group"), one.at("reason"), one.at("preview"), one.at("deliveries")});
  }
  return letters;
}

std::int64_t steer(World& world, const std::string& endpoint, const std::string& command) {
  const json answer = ask(world, endpoint, command);
  return answer.is_null() ? -1 : answer.at("count").get<std::int64_t>();
}

// --- events ----------------------------------------------------------------------------------------------------------

EventLog::EventLog(World& world, Socket& socket, int events) : pair_(zmq_socket(world.context(), ZMQ_PAIR)) {
  static std::atomic<int> count{0};
  const std::string address = "inproc://event-log-" + std::to_string(++count);
  EXPECT_EQ(vtx_monitor(world.vtx(), socket.get(), address.c_str(), events), 0) << vtx_last_error();
  EXPECT_EQ(zmq_connect(pair_, address.c_str()), 0);
}

EventLog::~EventLog() {
  const int none = 0;
  zmq_setsockopt(pair_, ZMQ_LINGER, &none, sizeof none);
  zmq_close(pair_);
}

std::optional<EventLog::Entry> EventLog::wait(int event, int value, Ms within) {
  const int timeout = static_cast<int>(within.count());
  zmq_setsockopt(pair_, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
  for (;;) {
    Message head;
    Message text;
    if (zmq_msg_recv(head.get(), pair_, 0) < 0 || zmq_msg_recv(text.get(), pair_, 0) < 0) return std::nullopt;
    EXPECT_EQ(head.text().size(), sizeof(std::uint16_t) + sizeof(std::uint32_t));
    std::uint16_t number = 0;
    std::uint32_t wide = 0;
    std::memcpy(&number, zmq_msg_data(head.get()), sizeof number);
    std::memcpy(&wide, static_cast<const char*>(zmq_msg_data(head.get())) + sizeof number, sizeof wide);
    if (number != event || (value >= 0 && wide != static_cast<std::uint32_t>(value))) continue;
    const std::string all = text.text();
    const auto zero = all.find('\0');
    return Entry{number, static_cast<int>(wide), all.substr(0, zero),
                 zero == std::string::npos ? std::string() : all.substr(zero + 1)};
  }
}

}  // namespace vtx::test

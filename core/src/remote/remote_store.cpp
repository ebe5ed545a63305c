/* SPDX-License-Identifier: MPL-2.0 */
#include "remote/remote_store.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "remote/socket_name.hpp"

namespace vtx::remote {

using namespace driver;

namespace {

constexpr u64 kBell = 0;
constexpr u64 kSocket = 1;
constexpr u64 kProcess = 2;

/// An owner that does not answer for so long is stuck, or only a forked child of it is left.
constexpr Ms kGreetingTime{5000};

}  // namespace

RemoteStore::RemoteStore(const Clock& clock) : clock_(clock) { (void)poller_.add(bell_.fd(), kBell); }

RemoteStore::~RemoteStore() { stop(); }

Status RemoteStore::start(const Endpoint& endpoint, bool create) {
  disconnect({});
  if (Status status = connect(endpoint); status.code() == Code::lost) {
    event(Event::lost, std::move(status));
    return {};
  } else if (!status.ok()) {
    return status;
  }
  state_ = State::greeting;
  greeted_by_ = clock_.now() + kGreetingTime;
  Hello hello;
  hello.version = library_version();
  hello.create = create;
  hello.database = file_at(endpoint.path);
  (void)write(outbox_.end(), hello);
  flush();
  return {};
}

Status RemoteStore::connect(const Endpoint& endpoint) {
  if (!poller_.valid() || !bell_.valid()) return Status(Code::lost, "no descriptors left for " + endpoint.text);
  const auto name = socket_name(endpoint.path);
  if (!name) return name.error();
  auto socket = connect_to(*name);
  if (!socket) return socket.error();
  auto owner = peer_of(socket->get());
  if (!owner) return owner.error();
  socket_ = std::move(*socket);
  owner_ = std::move(*owner);
  inbox_ = Inbox();
  outbox_ = Outbox();
  waits_to_send_ = false;
  const bool watched =
      poller_.add(socket_.get(), kSocket) && (!owner_.process.valid() || poller_.add(owner_.process.get(), kProcess));
  if (watched) return {};
  socket_ = Fd();
  owner_ = {};
  return Status(Code::lost, "no descriptors left for " + endpoint.text);
}

void RemoteStore::submit(u64 ticket, Operation operation) {
  if (state_ != State::live) return refuse(ticket, Status(Code::lost, "there is no session with the database's owner"));
  if (!write(outbox_.end(), ticket, operation))
    return refuse(ticket, Status(Code::invalid, "too long to be sent to the database's owner: 1 GiB is the most"));
  asked_[ticket] = {std::holds_alternative<Commit>(operation), outbox_.appended()};
  // Leaves with the next poll(), together with what else comes until then, so that the owner sees it together.
  wait_to_send(true);
}

void RemoteStore::poll(std::vector<Completion>& out) {
  bool died = false;
  bool news = false;
  for (const epoll_event& one : poller_.look()) {
    if (one.data.u64 == kBell) bell_.clear();
    if (one.data.u64 == kProcess) died = true;
    if (one.data.u64 == kSocket) news = true;
  }
  if (state_ != State::closed) flush();
  if (state_ != State::closed && (news || died)) receive();
  if (state_ != State::closed && died) lose(Status(Code::lost, "the process that owned the database has ended"));
  if ((state_ == State::greeting || state_ == State::opening) && clock_.now() >= greeted_by_)
    lose(Status(Code::lost, "the owner of the database does not answer"));
  hand_over(out);
}

void RemoteStore::hand_over(std::vector<Completion>& out) {
  std::ranges::move(ready_, std::back_inserter(out));
  ready_.clear();
}

Ms RemoteStore::next_poll() const {
  if (state_ != State::greeting && state_ != State::opening) return Ms::max();
  return std::max(Ms{0}, std::chrono::ceil<Ms>(greeted_by_ - clock_.now()));
}

void RemoteStore::stop() {
  if (state_ == State::closed) {
    std::erase_if(ready_, [](const Completion& done) { return done.event != Event::answer; });
    return;
  }
  (void)write_goodbye(outbox_.end());
  (void)outbox_.flush(socket_.get());
  disconnect(Status(Code::lost, "the session was stopped"));
  std::erase_if(ready_, [](const Completion& done) { return done.event != Event::answer; });
}

void RemoteStore::receive() {
  const Inbox::State came = inbox_.fill(socket_.get());
  while (state_ != State::closed) {
    const auto frame = inbox_.next();
    if (!frame) break;
    take(*frame);
  }
  if (state_ == State::closed) return;
  if (inbox_.broken()) return lose(Status(Code::lost, "the owner of the database said what makes no sense"));
  if (came == Inbox::State::ended) lose(Status(Code::lost, "the owner of the database ended the connection"));
}

void RemoteStore::take(const Inbox::Frame& frame) {
  Status refusal;
  if (frame.kind == Kind::refusal && state_ == State::greeting && read_refusal(frame.content, refusal) && !refusal.ok())
    return lose(std::move(refusal));
  if (frame.kind == Kind::welcome && state_ == State::greeting) return take_welcome(frame.content);
  if (frame.kind == Kind::answer && (state_ == State::opening || state_ == State::live))
    return take_answer(frame.content);
  lose(Status(Code::lost, "the owner of the database said what was not to be said here"));
}

void RemoteStore::take_welcome(Slice content) {
  Welcome welcome;
  if (!read(content, welcome)) return lose(Status(Code::lost, "the owner of the database greets as nobody does"));
  if (welcome.protocol != kProtocolVersion)
    return lose(Status(Code::unsupported, "the database is in the hands of VTX " + welcome.version + ", this is VTX " +
                                              library_version() + ": they do not understand each other"));
  state_ = State::opening;
}

void RemoteStore::take_answer(Slice content) {
  Completion completion;
  if (!read(content, completion)) return lose(Status(Code::lost, "the owner of the database gave what is no answer"));
  switch (completion.event) {
    case Event::answer:
      if (asked_.erase(completion.ticket) == 0)
        return lose(Status(Code::lost, "the owner of the database answered what nobody had asked"));
      break;
    case Event::opened: state_ = State::live; break;
    case Event::lost: return lose(std::move(completion.status));
    case Event::changed: break;
  }
  ready_.push_back(std::move(completion));
}

void RemoteStore::flush() {
  // Who is gone is noticed by reading: something may have come before.
  (void)outbox_.flush(socket_.get());
  wait_to_send(!outbox_.empty());
}

void RemoteStore::wait_to_send(bool wait) {
  if (std::exchange(waits_to_send_, wait) != wait)
    poller_.change(socket_.get(), kSocket, wait ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void RemoteStore::refuse(u64 ticket, Status status) {
  Completion answer;
  answer.ticket = ticket;
  answer.status = std::move(status);
  ready_.push_back(std::move(answer));
  bell_.ring();
}

void RemoteStore::disconnect(const Status& why) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  // What has not left whole was never read as a whole.
  for (const auto& [ticket, asked] : std::exchange(asked_, {})) {
    const bool may_be_done = asked.commit && asked.end <= outbox_.left();
    refuse(ticket, may_be_done ? Status(Code::in_doubt,
                                        "the session with the database's owner ended before the commit's answer came")
                               : Status(Code::lost, why.text()));
  }
  poller_.remove(socket_.get());
  if (owner_.process.valid()) poller_.remove(owner_.process.get());
  // Not close() alone: a forked child may have the socket, too.
  (void)::shutdown(socket_.get(), SHUT_RDWR);
  socket_ = Fd();
  owner_ = {};
  inbox_ = Inbox();
  outbox_ = Outbox();
}

void RemoteStore::lose(Status why) {
  disconnect(why);
  event(Event::lost, std::move(why));
}

void RemoteStore::event(Event what, Status status) {
  Completion news;
  news.event = what;
  news.status = std::move(status);
  ready_.push_back(std::move(news));
  bell_.ring();
}

}  // namespace vtx::remote

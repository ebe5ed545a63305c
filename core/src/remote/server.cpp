/* SPDX-License-Identifier: MPL-2.0 */
#include "remote/server.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace vtx::remote {

using driver::Ms;

namespace {

/// The listener's; guests count from 1.
constexpr u64 kListener = 0;
/// Then it is others' turn, though there may be more.
constexpr int kLooks = 4;
/// Until there may be descriptors again.
constexpr Ms kBreather{500};
/// Between two looks for the socket's file, which cost a system call. An inotify watch would save an idle owner that, but there are few of them for a user.
constexpr Ms kLook{1000};

void refuse(const Fd& socket, const Status& why) {
  Outbox outbox;
  (void)write_refusal(outbox.end(), why);
  (void)outbox.flush(socket.get());
}

}  // namespace

Server::Server(Listener listener, driver::OwnedDatabase& database, HolderBook& book, const driver::Endpoint& endpoint,
               const driver::Clock& clock)
    : database_(database),
      book_(book),
      clock_(clock),
      home_{poller_,
            book_,
            endpoint,
            clock,
            file_at(endpoint.path),
            [this](const std::string& process) { return database_.session(process); }},
      listener_(std::make_unique<Listener>(std::move(listener))),
      looks_again_(clock_.now() + kLook) {
  valid_ = poller_.valid() && poller_.add(listener_->fd(), kListener);
}

Server::~Server() { close(Status(Code::lost, "the owner of the database has ended")); }

void Server::close(const Status& why) {
  listener_.reset();
  listens_again_ = looks_again_ = driver::Steady::max();
  for (auto& [number, guest] : guests_) guest->close(why);
  reap();
  // Those whose connection was cut live in another process: they may come back to the next owner.
  cut_off_.clear();
}

Ms Server::next_poll() const {
  Ms soonest = Ms::max();
  for (const auto& [number, guest] : guests_) soonest = std::min(soonest, guest->next_look());
  if (const auto next = std::min(listens_again_, looks_again_); next != driver::Steady::max())
    soonest = std::min(soonest, std::max(Ms{0}, std::chrono::ceil<Ms>(next - clock_.now())));
  return soonest;
}

void Server::receive() {
  if (clock_.now() >= listens_again_) listen(true);
  if (clock_.now() >= looks_again_) look_for_socket();
  // Until nothing more is there, so that whatever one guest did because of what another had said is seen together with that.
  for (int i = 0; i < kLooks; ++i) {
    bool any = false;
    for (const epoll_event& event : poller_.look()) any |= take(event);
    if (!any) break;
  }
  // Who has stopped has done so before anything else is done: its holders have ended then.
  for (auto& [number, guest] : guests_)
    if (guest->hung_up()) guest->take_all();
  reap();
  for (auto& [number, guest] : guests_) {
    guest->take_all();
    guest->tend();
  }
  reap();
}

/// True when something was received.
bool Server::take(const epoll_event& event) {
  if (event.data.u64 == kListener) return accept_all(), true;
  const Keeper number = event.data.u64 >> 2;
  const auto part = static_cast<Guest::Part>(event.data.u64 & 3);
  if (part == Guest::Part::process) return process_ended(number), false;
  const auto found = guests_.find(number);
  if (found == guests_.end()) return false;
  Guest& guest = *found->second;
  if (part == Guest::Part::session || (event.events & EPOLLOUT) != 0) guest.expect_answer();
  const bool came = part == Guest::Part::socket && (event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0;
  if (came) guest.fill();
  return came && !guest.hung_up();
}

void Server::answer() {
  for (auto& [number, guest] : guests_)
    if (guest->wants_answer()) guest->answer();
  reap();
}

void Server::accept_all() {
  while (true) {
    Fd socket(::accept4(listener_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.valid() && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (!socket.valid()) {
      if (errno != EAGAIN && errno != EWOULDBLOCK) listen(false);
      return;
    }
    if (guests_.size() >= kMostGuests) {
      refuse(socket,
             Status(Code::lost, "the database " + home_.endpoint.path + " has " + std::to_string(kMostGuests) +
                                    " sessions attached, which is the most: end some programs, or use a database "
                                    "server, which takes more"));
      continue;
    }
    auto peer = peer_of(socket.get());
    if (!peer) {
      refuse(socket, peer.error());
      continue;
    }
    const Keeper number = ++last_number_;
    auto guest = std::make_unique<Guest>(std::move(socket), std::move(*peer), number, home_);
    if (guest->watch()) guests_.emplace(number, std::move(guest));
  }
}

/// A new socket takes the place of one whose file somebody removed. Whatever else may have the name now is left alone.
void Server::look_for_socket() {
  looks_again_ = clock_.now() + kLook;
  if (!listener_->is_gone()) return;
  auto again = Listener::open(listener_->name());
  if (!again || !poller_.add(again->fd(), kListener)) return;  // perhaps with the next look
  poller_.remove(listener_->fd());
  listener_ = std::make_unique<Listener>(std::move(*again));
  listens_again_ = driver::Steady::max();
}

void Server::listen(bool yes) {
  poller_.change(listener_->fd(), kListener, yes ? EPOLLIN : 0U);
  listens_again_ = yes ? driver::Steady::max() : clock_.now() + kBreather;
}

void Server::process_ended(Keeper number) {
  if (const auto guest = guests_.find(number); guest != guests_.end()) {
    // What it had sent before came first. Its process says no more, whoever else has the socket.
    guest->second->fill();
    guest->second->take_all();
    guest->second->drop();
    return;
  }
  if (const auto left = cut_off_.extract(number); !left.empty()) {
    poller_.remove(left.mapped().get());
    end_holders(number);
  }
}

/// Lets those go whose connection has ended.
void Server::reap() {
  for (auto at = guests_.begin(); at != guests_.end();) {
    Guest& guest = *at->second;
    if (!guest.ended()) {
      ++at;
      continue;
    }
    guest.finish();
    book_.forget_questions(guest.number());
    Fd process = guest.take_process();
    if (guest.said_goodbye())
      end_holders(guest.number());
    else if (process.valid() && cut_off_.size() < kMostGuests && book_.has(guest.number()) &&
             poller_.add(process.get(), Guest::key(guest.number(), Guest::Part::process)))
      cut_off_[guest.number()] = std::move(process);  // which says at once if it is gone
    else
      (void)book_.take(guest.number());  // nobody can tell: their leases decide
    at = guests_.erase(at);
  }
  std::erase_if(cut_off_, [&](const auto& entry) {
    if (book_.has(entry.first)) return false;
    poller_.remove(entry.second.get());  // closing alone would not, where a forked child has it, too
    return true;
  });
}

void Server::end_holders(Keeper number) {
  if (const auto holders = book_.take(number); !holders.empty()) database_.end_holders(holders);
}

}  // namespace vtx::remote

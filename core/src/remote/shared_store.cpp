/* SPDX-License-Identifier: MPL-2.0 */
//
// Who may have the database owns it and serves the others; who may not is one of those others. Which of the two is found out anew with each
// session: that is all there is to taking over.
#include "vtx/driver/shared_store.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "remote/remote_store.hpp"
#include "remote/server.hpp"
#include "vtx/driver/process_name.hpp"

namespace vtx::remote {

using namespace driver;

namespace {

/// The keeper of the owner's own holders.
constexpr Keeper kOwn = 0;

/// Whether another moment may cure it. Descriptors come back: a driver need not know that for each of its database's errors.
bool may_pass(const Status& status) {
  return is_passing(status.code()) ||
         (status.code() == Code::native && (status.native() == EMFILE || status.native() == ENFILE));
}

/// The database, while this store has it.
struct Ownership {
  std::unique_ptr<OwnedDatabase> database;
  HolderBook book;
  std::unique_ptr<Server> server;
  std::unique_ptr<Store> session;
};

class SharedStore final : public Store {
 public:
  explicit SharedStore(OpenOwned open) : open_(std::move(open)) {
    (void)poller_.add(bell_.fd(), 0);
    (void)poller_.add(remote_.fd(), 0);
  }
  ~SharedStore() override { stop(); }
  SharedStore(const SharedStore&) = delete;
  SharedStore& operator=(const SharedStore&) = delete;

  Status start(const Endpoint& endpoint, bool create) override;
  void submit(u64 ticket, Operation operation) override;
  void poll(std::vector<Completion>& out) override;
  int fd() const override { return poller_.fd(); }
  Ms next_poll() const override;
  void stop() override;

 private:
  Status begin(const Endpoint& endpoint, bool create);
  Status own(std::unique_ptr<OwnedDatabase> database, const Endpoint& endpoint, bool create);
  void submit_asked();
  void poll_own(std::vector<Completion>& out);
  void end_own_session();
  void keep_answers();
  void give_up(const Status& why);

  const OpenOwned open_;
  Poller poller_;
  Bell bell_;  // for what is left to be said by a session that has ended
  RemoteStore remote_;
  std::unique_ptr<Ownership> own_;
  std::vector<std::pair<u64, Operation>> asked_;  // while it is the owner, since the last poll
  std::vector<Completion> left_;
};

Status SharedStore::start(const Endpoint& endpoint, bool create) {
  if (!poller_.valid() || !bell_.valid())
    return Status(Code::native, "there were no descriptors left for " + endpoint.text, EMFILE);
  if (own_) give_up(Status(Code::lost, "the owner of the database opens it anew"));
  // What the session before has left to say is said whoever has the database now, and its descriptor falls silent.
  remote_.stop();
  remote_.poll(left_);
  keep_answers();
  Status status = begin(endpoint, create);
  if (!may_pass(status)) return status;
  Completion& lost = left_.emplace_back();
  lost.event = Event::lost;
  lost.status = std::move(status);
  bell_.ring();
  return {};
}

Status SharedStore::begin(const Endpoint& endpoint, bool create) {
  auto opened = open_(endpoint, create);
  if (opened) return own(std::move(*opened), endpoint, create);
  if (opened.error().code() == Code::busy) return remote_.start(endpoint, create);
  return opened.error();
}

Status SharedStore::own(std::unique_ptr<OwnedDatabase> database, const Endpoint& endpoint, bool create) {
  auto own = std::make_unique<Ownership>();
  own->database = std::move(database);
  const auto name = socket_name(endpoint.path);
  if (!name) return name.error();
  auto listener = Listener::open(*name);
  if (!listener) return listener.error();
  own->server = std::make_unique<Server>(std::move(*listener), *own->database, own->book, endpoint, system_clock());
  own->session = own->database->session(name_of_process(::getpid()));
  if (!own->session) return Status(Code::internal, "the driver could not make a session: out of memory");
  if (Status started = own->session->start(endpoint, create); !started.ok()) return started;
  own_ = std::move(own);
  if (own_->server->valid() && poller_.add(own_->server->fd(), 0) && poller_.add(own_->session->fd(), 0)) return {};
  give_up({});
  return Status(Code::lost, "the owner of the database has no descriptors left for " + endpoint.text);
}

/// Who has said goodbye before this was asked must have ended before it is done. So it is kept until the others have been heard.
void SharedStore::submit(u64 ticket, Operation operation) {
  if (!own_) return remote_.submit(ticket, std::move(operation));
  if (asked_.empty()) bell_.ring();
  asked_.emplace_back(ticket, std::move(operation));
}

void SharedStore::submit_asked() {
  for (auto& [ticket, operation] : asked_) {
    own_->book.asked(kOwn, ticket, operation);
    own_->session->submit(ticket, std::move(operation));
  }
  asked_.clear();
}

void SharedStore::poll(std::vector<Completion>& out) {
  if (!left_.empty() || !asked_.empty()) bell_.clear();
  if (!left_.empty()) {
    std::ranges::move(left_, std::back_inserter(out));
    left_.clear();
  }
  if (own_)
    poll_own(out);
  else
    remote_.poll(out);
}

/// Everybody's questions come before anybody's answers: they may become one transaction.
void SharedStore::poll_own(std::vector<Completion>& out) {
  own_->server->receive();
  submit_asked();
  const std::size_t before = out.size();
  own_->session->poll(out);
  bool is_lost = false;
  for (std::size_t i = before; i < out.size(); ++i) {
    own_->book.answered(kOwn, out[i]);
    is_lost |= out[i].event == Event::lost;
  }
  own_->server->answer();
  if (is_lost) give_up(Status(Code::lost, "the owner of the database lost its session"));
}

Ms SharedStore::next_poll() const {
  if (!own_) return remote_.next_poll();
  return std::min(own_->session->next_poll(), own_->server->next_poll());
}

void SharedStore::stop() {
  if (!own_) {
    remote_.stop();
    return keep_answers();
  }
  end_own_session();
  if (const auto holders = own_->book.take(kOwn); !holders.empty()) own_->database->end_holders(holders);
  give_up(Status(Code::lost, "the owner of the database has stopped"));
}

/// What it has left to say is kept; of what it was not yet asked nothing was done. Idempotent.
void SharedStore::end_own_session() {
  own_->session->stop();
  const std::size_t before = left_.size();
  own_->session->poll(left_);
  for (std::size_t i = before; i < left_.size(); ++i) own_->book.answered(kOwn, left_[i]);
  for (const auto& [ticket, operation] : std::exchange(asked_, {})) {
    Completion& answer = left_.emplace_back();
    answer.ticket = ticket;
    answer.status = Status(Code::lost, "the owner's session with the database has ended");
  }
  keep_answers();
}

/// Of what is left to be said; the events were of a session that is over.
void SharedStore::keep_answers() {
  std::erase_if(left_, [](const Completion& done) { return done.event != Event::answer; });
  if (left_.empty())
    bell_.clear();
  else
    bell_.ring();
}

/// First nobody can find us any more, then the others' sessions end, then somebody else may have the database.
void SharedStore::give_up(const Status& why) {
  end_own_session();
  poller_.remove(own_->server->fd());
  poller_.remove(own_->session->fd());
  own_->server->close(why);
  own_->session.reset();
  own_->server.reset();
  own_.reset();
}

}  // namespace
}  // namespace vtx::remote

namespace vtx::driver {

std::unique_ptr<Store> make_shared_store(OpenOwned open) {
  return std::make_unique<remote::SharedStore>(std::move(open));
}

}  // namespace vtx::driver

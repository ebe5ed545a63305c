/* SPDX-License-Identifier: MPL-2.0 */
#include "remote/guest.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace vtx::remote {

using namespace driver;

namespace {

constexpr Ms kGreetingTime{5000};
/// What is kept of a question beside its bytes, and of its answer beside what it carries, roughly.
constexpr std::size_t kQuestion = sizeof(Operation) + sizeof(Completion) + 256;

/// How large an answer may become beside its fixed fields, where the question does not say so. Inspect and Check tell of as much as there is.
template <class Op>
inline constexpr std::size_t kAnswer = 0;
template <>
inline constexpr std::size_t kAnswer<OpenGroup> = kMaxBatchBytes;
template <>
inline constexpr std::size_t kAnswer<ListPeers> = kMaxBatchBytes;
template <>
inline constexpr std::size_t kAnswer<Beat> = kMaxBatchBytes;
template <>
inline constexpr std::size_t kAnswer<Inspect> = Guest::kFull;
template <>
inline constexpr std::size_t kAnswer<Check> = Guest::kFull;

/// One message may be larger than its limit: then it is that one. What is asked beyond what any store answers is not meant.
std::size_t answer_bytes(Operation& operation) {
  const auto clamped = [](Limit& limit) {
    limit.messages = std::min(limit.messages, kMaxBatch);
    limit.bytes = std::min<u64>(limit.bytes, kMaxBatchBytes);
    return limit.bytes + limit.messages * sizeof(Message);
  };
  if (auto* claim = std::get_if<ClaimNext>(&operation)) return clamped(claim->limit);
  if (auto* read = std::get_if<driver::Read>(&operation)) return clamped(read->limit);
  return std::visit([]<class Op>(const Op&) { return kAnswer<Op>; }, operation);
}

}  // namespace

Guest::Guest(Fd socket, PeerProcess process, Keeper number, const GuestHome& home)
    : number_(number),
      home_(home),
      socket_(std::move(socket)),
      process_(std::move(process)),
      greeted_by_(home.clock.now() + kGreetingTime) {}

Guest::~Guest() {
  end();
  finish();
}

bool Guest::watch() {
  return home_.poller.add(socket_.get(), key(number_, Part::socket)) &&
         (!process_.process.valid() || home_.poller.add(process_.process.get(), key(number_, Part::process)));
}

Fd Guest::take_process() { return std::move(process_.process); }

void Guest::fill() {
  if (state_ != State::ended && !hung_up_) hung_up_ = inbox_.fill(socket_.get()) == Inbox::State::ended;
}

/// What there is no room for stays in the inbox until answers have left; of one that is gone already it is passed over.
void Guest::take_all() {
  while (state_ != State::ended && !goodbye_ && (hung_up_ || load() <= kFull)) {
    const auto frame = inbox_.next();
    if (!frame) break;
    if (load() <= kFull || frame->kind != Kind::request) take(*frame);
  }
  if (inbox_.broken() || goodbye_ || hung_up_) end();
  watch_socket();
}

void Guest::take(const Inbox::Frame& frame) {
  if (state_ == State::greeting && frame.kind == Kind::hello) return greet(frame.content);
  if (state_ == State::open && frame.kind == Kind::request) return ask(frame.content);
  if (frame.kind == Kind::goodbye && frame.content.empty())
    goodbye_ = true;
  else
    end();
}

void Guest::greet(Slice content) {
  Hello hello;
  if (!read(content, hello)) return end();
  if (hello.protocol != kProtocolVersion)
    return refuse(Status(Code::unsupported, "the database is in the hands of VTX " + library_version() + " (protocol " +
                                                std::to_string(kProtocolVersion) + "), which does not understand VTX " +
                                                hello.version + " (protocol " + std::to_string(hello.protocol) +
                                                "): use one version for all programs on this database"));
  // Where there is no such file, as in memory, there is nothing to compare.
  if (hello.database.known() && home_.database.known() && hello.database != home_.database)
    return refuse(Status(Code::lost, "who listens beside " + home_.endpoint.path +
                                         " has another database open than the one that is there now: end process " +
                                         std::to_string(::getpid()) + ", whose database was moved or replaced"));
  session_ = home_.session(process_.name);
  if (!session_) return refuse(Status(Code::lost, "the owner of the database has no room for a session"));
  if (!home_.poller.add(session_->fd(), key(number_, Part::session)))
    return refuse(Status(Code::lost, "the owner of the database has no descriptors left"));
  if (const Status started = session_->start(home_.endpoint, hello.create); !started.ok()) return refuse(started);
  Welcome welcome;
  welcome.version = library_version();
  (void)write(outbox_.end(), welcome);
  state_ = State::open;
  answer();
}

void Guest::ask(Slice content) {
  // The frame lies in the inbox, where the next ones go: the operation needs bytes that stay.
  Asked asked{std::make_unique_for_overwrite<std::byte[]>(content.size()), 0};
  std::memcpy(asked.bytes.get(), content.data(), content.size());
  Request request;
  if (!read(Slice(asked.bytes.get(), content.size()), request) || asked_.contains(request.ticket)) return end();
  const std::size_t answer = answer_bytes(request.operation);
  asked.weight = content.size() + answer + kQuestion;
  weight_ += asked.weight;
  asked_.emplace(request.ticket, std::move(asked));
  home_.book.asked(number_, request.ticket, request.operation);
  session_->submit(request.ticket, std::move(request.operation));
}

void Guest::refuse(const Status& why) {
  (void)write_refusal(outbox_.end(), why);
  (void)outbox_.flush(socket_.get());
  end();
}

void Guest::answer() {
  expects_answer_ = false;
  if (session_ == nullptr || state_ == State::ended) return;
  poll_session();
  flush();
  take_all();
}

void Guest::poll_session() {
  completions_.clear();
  session_->poll(completions_);
  for (Completion& completion : completions_) pass_on(completion);
  completions_.clear();
  const Ms wait = session_->next_poll();
  poll_by_ = wait == Ms::max() ? Steady::max() : home_.clock.now() + wait;
}

/// A session may say "in 5 ms" each time it is asked: what counts is when it said so.
bool Guest::wants_answer() const {
  return session_ != nullptr &&
         (expects_answer_ || !asked_.empty() || session_->next_poll() <= Ms{0} || home_.clock.now() >= poll_by_);
}

void Guest::pass_on(Completion& completion) {
  home_.book.answered(number_, completion);
  if (completion.event == Event::answer) {
    const auto asked = asked_.extract(completion.ticket);
    if (asked.empty()) return;
    weight_ -= asked.mapped().weight;
  } else if (completion.event == Event::changed && outbox_.size() > kFull) {
    missed_news_ = true;
    return;
  }
  if (!write(outbox_.end(), completion)) {
    Completion answer;
    answer.ticket = completion.ticket;
    answer.status = Status(Code::invalid, "the answer is too long to be sent to who is attached");
    (void)write(outbox_.end(), answer);
  }
  // Behind `lost` nothing is said any more.
  if (completion.event == Event::lost) {
    (void)outbox_.flush(socket_.get());
    end();
  }
}

void Guest::flush() {
  if (state_ == State::ended) return;
  (void)outbox_.flush(socket_.get());
  if (missed_news_ && outbox_.size() <= kFull / 2) {
    missed_news_ = false;
    Completion news;
    news.event = Event::changed;
    (void)write(outbox_.end(), news);
    (void)outbox_.flush(socket_.get());
  }
}

/// Reads only what there is room for. A connection that ended is always reported, and then all of it is read.
void Guest::watch_socket() {
  if (state_ == State::ended) return;
  std::uint32_t wanted = 0;
  if (load() <= kFull) wanted |= EPOLLIN;
  if (!outbox_.empty()) wanted |= EPOLLOUT;
  if (std::exchange(watched_, wanted) != wanted) home_.poller.change(socket_.get(), key(number_, Part::socket), wanted);
}

Ms Guest::next_look() const {
  if (state_ == State::ended) return Ms{0};
  const Steady by = state_ == State::greeting ? greeted_by_ : poll_by_;
  const Ms wait = by == Steady::max() ? Ms::max() : std::max(Ms{0}, std::chrono::ceil<Ms>(by - home_.clock.now()));
  return session_ == nullptr ? wait : std::min(wait, session_->next_poll());
}

void Guest::tend() {
  if (state_ == State::greeting && home_.clock.now() >= greeted_by_) end();
}

void Guest::close(const Status& why) {
  if (state_ == State::open) {
    fill();
    take_all();
  }
  if (state_ == State::ended) return;
  if (session_ != nullptr) {
    session_->stop();
    poll_session();
  }
  if (state_ == State::ended) return;
  Completion lost;
  lost.event = Event::lost;
  lost.status = why;
  if (state_ == State::open)
    (void)write(outbox_.end(), lost);
  else
    (void)write_refusal(outbox_.end(), why);
  (void)outbox_.flush(socket_.get());
  end();
}

/// The session may be in the middle of its poll(): it ends with finish().
void Guest::end() {
  if (state_ == State::ended) return;
  state_ = State::ended;
  home_.poller.remove(socket_.get());
  if (process_.process.valid()) home_.poller.remove(process_.process.get());
  if (session_ != nullptr) home_.poller.remove(session_->fd());
  // Not close() alone: a forked child may have the socket, too.
  (void)::shutdown(socket_.get(), SHUT_RDWR);
  socket_ = Fd();
}

void Guest::finish() {
  if (session_ == nullptr) return;
  if (goodbye_) poll_session();  // what was asked before that is still done
  session_->stop();
  poll_session();
  session_.reset();
}

}  // namespace vtx::remote

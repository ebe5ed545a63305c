/* SPDX-License-Identifier: MPL-2.0 */
#include "store/held_name.hpp"

#include <utility>

#include "store/holder.hpp"

namespace vtx {

using namespace driver;

HeldName::HeldName(Engine& engine, const LinkOptions& options, std::string what, std::string in_use,
                   std::function<void()> on_free)
    : engine_(engine),
      options_(options),
      what_(std::move(what)),
      in_use_(std::move(in_use)),
      key_(options.queue + '/' + what_),
      on_free_(std::move(on_free)) {}

void HeldName::take(Id queue, Answer answer) {
  queue_ = queue;
  if (!engine_.names().take(key_, this)) {
    if (!std::exchange(waiting_, true)) {
      engine_.names().wait(key_, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->waiting_ = false;
        if (!self->ended_) self->on_free_();
      });
    }
    return answer(busy());
  }
  Holder& holder = engine_.holder();
  if (!std::exchange(joined_, true)) holder.join(options_.lease);
  holder.when_ready([self = shared_from_this(), answer = std::move(answer)] { self->hold(answer); });
}

void HeldName::hold(const Answer& answer) {
  if (ended_) return;
  const Id holder = engine_.holder().id();
  Hold hold{queue_, what_, holder, false};
  engine_.submit(std::move(hold), [self = shared_from_this(), holder, answer](Completion& done) {
    if (done.status.ok()) self->holder_ = holder;
    if (!self->ended_) return answer(done.status.code() == Code::busy ? self->busy() : done.status);
    if (done.status.ok() && self->engine_.live()) self->submit_release([] {});
  });
}

void HeldName::release(std::function<void()> done) {
  ended_ = true;
  if (holder_ == 0) return done();
  submit_release(std::move(done));
}

void HeldName::submit_release(std::function<void()> done) {
  Hold hold{queue_, what_, holder_, true};
  engine_.submit(std::move(hold), [done = std::move(done)](Completion&) { done(); });
}

void HeldName::drop() {
  ended_ = true;
  if (std::exchange(joined_, false)) engine_.holder().leave(options_.lease);
  engine_.names().free(key_, this);
}

}  // namespace vtx

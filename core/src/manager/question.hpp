/* SPDX-License-Identifier: MPL-2.0 */
//
// An operation on a database, without a link: it waits for its engine to be live, and then for its answer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "manager/call.hpp"
#include "store/engine.hpp"

namespace vtx {

/// Confined to its driver thread, but for the reply.
struct Question final : Member, std::enable_shared_from_this<Question> {
  using Reply = Call<Result<driver::Completion>>;
  Question(Engine& to, driver::Operation what)
      : engine(to), intervenes(std::holds_alternative<driver::Steer>(what)), operation(std::move(what)) {}

  void on_live() override {
    if (!operation) return;
    engine.submit(*std::exchange(operation, std::nullopt), [self = shared_from_this()](driver::Completion& answer) {
      if (answer.status.ok()) {
        self->finish(std::move(answer));
      } else {
        self->finish(tl::unexpected<Status>(answer.status));
      }
    });
  }
  void on_epoch(const std::string&) override {}
  void on_lost(const Status& why, std::optional<driver::Ms>) override {
    trouble = why;
    if (!is_passing(why.code())) finish(tl::unexpected<Status>(why));
  }
  void on_taken_over(driver::Id, driver::u64) override {}

  void finish(Result<driver::Completion> result) {
    if (std::exchange(done, true)) return;
    engine.remove(this);
    if (intervenes) engine.on_changed({});
    reply->answer(std::move(result));
  }

  Engine& engine;
  const bool intervenes;  ///< who waits may have something now
  std::optional<driver::Operation> operation;
  std::shared_ptr<Reply> reply = std::make_shared<Reply>();
  Status trouble{Code::busy, "the store gave no answer in time"};
  bool done = false;
};

}  // namespace vtx

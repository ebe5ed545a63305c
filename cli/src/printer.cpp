/* SPDX-License-Identifier: MPL-2.0 */
//
// See printer.hpp.
#include "printer.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "failure.hpp"

namespace vtx::cli {
namespace {

constexpr std::size_t kBatchBytes = std::size_t{256} << 10;

}  // namespace

Printer::Printer(Signals& signals, const View& view, std::string endpoint)
    : output_(STDOUT_FILENO, signals),
      view_(view),
      format_(format_named(view.format)),
      endpoint_(std::move(endpoint)) {}

bool Printer::put(LogMessage& message) {
  const std::size_t before = batch_.size();
  if (view_.headers) batch_ += fmt::format("{} {} ", message.sequence, message.sent_time());
  if (const char* misfit = encode(format_, message.message, batch_)) {
    batch_.resize(before);
    flush();
    throw Failure(fmt::format("{}: message {} {}, which --format {} cannot show: use --format frames or json",
                              endpoint_, message.sequence, misfit, view_.format));
  }
  return batch_.size() < kBatchBytes || flush();
}

bool Printer::flush() {
  const std::size_t written = output_.write(batch_);
  const bool whole = written == batch_.size();
  batch_.clear();
  return whole;
}

}  // namespace vtx::cli

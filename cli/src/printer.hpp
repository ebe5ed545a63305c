/* SPDX-License-Identifier: MPL-2.0 */
//
// The sink that is standard output.
#pragma once

#include <string>

#include "format.hpp"
#include "output.hpp"
#include "read_log.hpp"

namespace vtx::cli {

/// How messages are shown.
struct View {
  std::string format = "lines";
  bool headers = false;  ///< sequence and time ahead of each line
};

/// Gathers messages and writes them together. One thread at a time.
class Printer : public Sink {
 public:
  /// @param endpoint  for errors
  Printer(Signals& signals, const View& view, std::string endpoint);

  /// Throws Failure when the format cannot show the message; those before it have been written then.
  bool put(LogMessage& message) override;
  bool flush() override;

 private:
  Output output_;
  const View& view_;
  const Format format_;
  const std::string endpoint_;
  std::string batch_;
};

}  // namespace vtx::cli

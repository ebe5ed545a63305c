/* SPDX-License-Identifier: MPL-2.0 */
//
// The arguments that `send` and `recv` share: endpoint, socket type, side and format.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "format.hpp"
#include "session.hpp"

namespace vtx::cli {

struct LinkOptions {
  std::string endpoint;
  std::string type;
  std::string format = "lines";
  bool bind = false;
  bool connect = false;

  /// @param type  the socket type that the command has today; others are refused as not yet supported
  void add_to(CLI::App& command, const std::string& type);
  /// The side asked for, or the one that a person expects.
  Side side(int socket_type) const;
};

/// For ->check(): refuses what is no time.
std::string check_time(const std::string& text);

}  // namespace vtx::cli

/* SPDX-License-Identifier: MPL-2.0 */
//
// The arguments that `send` and `recv` share: endpoint, socket type, side and format.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "format.hpp"
#include "session.hpp"

namespace vtx::cli {

struct LinkOptions {
  std::string endpoint;
  std::string type;
  std::string format = "lines";
  bool bind = false;
  bool connect = false;

  /// @param types  the socket types that the command has today, its default first; others are refused as not yet supported
  void add_to(CLI::App& command, const std::vector<std::string>& types);
  /// Of the type chosen, as ZMQ_… value. What is to publish is an XPUB, which hears of its subscribers.
  int socket_type() const;
  /// JSON carries properties, so it has them on; the other formats leave the endpoint as it is.
  bool carries_properties() const;
  /// The endpoint to link to.
  std::string linked() const;
  /// The side asked for, or the one that a person expects.
  Side side() const;
};

/// Adds --type, as add_to() does, for a command that has an endpoint of another name.
CLI::Option* add_type(CLI::App& command, std::string& type, const std::vector<std::string>& types);
/// Adds --subscribe.
void add_subscribe(CLI::App& command, std::vector<std::string>& prefixes);
/// Adds --format.
void add_format(CLI::App& command, std::string& format);
/// The ZMQ_… value of a type that add_type() has accepted.
int socket_type_named(const std::string& name);

/// Why messages of this type cannot go in this format; empty when they can.
std::string check_routing(const LinkOptions& link);
/// Adds --id, and refuses it for types that have none.
CLI::Option* add_id(CLI::App& command, std::string& id);
void check_id(const LinkOptions& link, const std::string& id);

/// For ->check(): refuses what is no time.
std::string check_time(const std::string& text);
/// For ->check(): refuses what is no number from 1 on.
std::string check_count(const std::string& text);
/// Likewise, and 0 passes.
std::string check_count_or_none(const std::string& text);

}  // namespace vtx::cli

/* SPDX-License-Identifier: MPL-2.0 */
//
// See log_reader.hpp.
#include "log_reader.hpp"

#include <charconv>

#include "admin_call.hpp"
#include "endpoint_text.hpp"
#include "failure.hpp"
#include "receive.hpp"

namespace vtx::cli {
namespace {

std::string reading(const LogSource& source, const std::string& from) {
  if (endpoint_option(source.endpoint, "subscription"))
    throw Failure(source.endpoint + ": this command only looks; leave subscription= out, or use vtx recv --type sub",
                  Exit::usage);
  const std::string begin = !from.empty() ? from : endpoint_option(source.endpoint, "from").value_or("oldest");
  return with_option(with_option(source.endpoint, "from", begin), "properties", "on");
}

std::vector<std::string> or_all(const std::vector<std::string>& prefixes) {
  return prefixes.empty() ? std::vector<std::string>{""} : prefixes;
}

}  // namespace

Extent extent_of(Session& session, const std::string& endpoint) {
  const Json extent = ask(session.vtx(), endpoint, "extent", std::chrono::seconds(10));
  return {extent.at("tail").get<std::uint64_t>(), extent.at("head").get<std::uint64_t>()};
}

LogReader::LogReader(Session& session, const LogSource& source, const std::string& from)
    : link_(session, ZMQ_SUB, reading(source, from), Side::connect, {.prefixes = or_all(source.prefixes)}) {}

bool LogReader::take(LogMessage& message) {
  if (returned_) {
    message = std::move(*returned_);
    returned_.reset();
    return true;
  }
  if (!receive(link_, true, message.message)) return false;
  const std::string_view sequence = property_of(message.message.properties, "Sequence");
  std::from_chars(sequence.data(), sequence.data() + sequence.size(), message.sequence);
  return true;
}

// A message that is on its way to us counts as given out, but is in hand. So first the one, then the other: what had been
// given out at the first look was let go before the second.
bool LogReader::has_passed(std::uint64_t sequence) {
  if (extent_of(link_.session(), link_.endpoint()).last < sequence) return false;
  return link_.stats().depth == 0 && link_.stats().in_hand == 0;
}

}  // namespace vtx::cli

/* SPDX-License-Identifier: MPL-2.0 */
#include "endpoint/endpoint.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "endpoint/option_table.hpp"
#include "endpoint/uri.hpp"
#include "endpoint/values.hpp"
#include "util/nearest.hpp"

namespace vtx {
namespace {

std::string list_of(std::vector<std::string_view> names) {
  std::sort(names.begin(), names.end());
  return joined(names, ", ");
}

Status unknown_scheme(std::string_view scheme, const Schemes& schemes) {
  const std::vector<std::string_view> names(schemes.names.begin(), schemes.names.end());
  if (names.empty())
    return {Code::no_scheme,
            fmt::format("there is no driver for scheme '{}', nor for any other: register one first", scheme)};
  const std::string_view meant = nearest(scheme, names);
  const std::string hint = meant.empty() ? "register one first" : fmt::format("did you mean '{}'?", meant);
  return {Code::no_scheme,
          fmt::format("there is no driver for scheme '{}' (registered: {}): {}", scheme, list_of(names), hint)};
}

Status unknown_option(std::string_view name, const std::vector<std::string>& of_driver) {
  std::vector<std::string_view> names(of_driver.begin(), of_driver.end());
  for (const OptionRow& row : option_table()) names.push_back(row.name);
  const std::string_view meant = nearest(name, names);
  if (!meant.empty()) return {Code::invalid, fmt::format("unknown option '{}': did you mean '{}'?", name, meant)};
  return {Code::invalid, fmt::format("unknown option '{}': write one of {}", name, list_of(std::move(names)))};
}

/// Whether a word stands in a list of words separated by spaces.
bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

/// Whether an option is for links of this kind. On the stream main a link may be two in one: a DEALER that receives there as a PULL and
/// sends as a PUSH.
bool is_for(const OptionRow& row, const EndpointUse& use) {
  if (row.types.empty()) return true;
  if (!use.on_main) return has_word(row.types, use.type);
  return (use.consumes && has_word(row.types, use.filters ? "SUB" : "PULL")) ||
         (use.produces && has_word(row.types, use.publishes ? "PUB" : "PUSH"));
}

/// Refuses an option that would have no effect on such a link.
Status check_use(const OptionRow& row, const EndpointUse& use) {
  const auto refuse = [&](std::string_view whom) {
    return Status(Code::invalid, fmt::format("option '{}' is for {}, not for {}: remove it", row.name, whom, use.type));
  };
  if (!is_for(row, use)) {
    std::string types(row.types);
    for (std::size_t at = 0; (at = types.find(' ', at)) != std::string::npos; at += 5) types.replace(at, 1, " and ");
    return refuse(types);
  }
  if (row.of == OptionOf::producers && !use.produces) return refuse("sockets that send");
  if (row.of == OptionOf::consumers && !use.consumes) return refuse("sockets that receive");
  return {};
}

Status apply_option(const OptionRow& row, std::string_view value, const EndpointUse* use, LinkOptions& options) {
  if (use != nullptr)
    if (Status bad = check_use(row, *use); !bad.ok()) return bad;
  if (row.since.empty())
    return {Code::unsupported, fmt::format("option '{}' is not yet supported: remove it", row.name)};
  if (Status bad = row.parse(value, options); !bad.ok())
    return {bad.code(), fmt::format("option '{}': {}", row.name, bad.text())};
  return {};
}

Status apply_query(const Uri& uri, const std::vector<std::string>& of_driver, const EndpointUse* use,
                   LinkEndpoint& out) {
  for (const auto& [name, value] : uri.query) {
    if (!out.given.insert(name).second)
      return {Code::invalid, fmt::format("option '{}' is given twice: keep one of them", name)};
    if (const OptionRow* row = find_option(name)) {
      if (Status bad = apply_option(*row, value, use, out.options); !bad.ok()) return bad;
    } else if (std::find(of_driver.begin(), of_driver.end(), name) != of_driver.end()) {
      out.address.options.emplace(name, value);
    } else {
      return unknown_option(name, of_driver);
    }
  }
  return {};
}

/// What no single option shows.
Status check_whole(const LinkEndpoint& endpoint, const EndpointUse* use) {
  const LinkOptions& options = endpoint.options;
  if (use != nullptr && use->filters && options.subscription.empty()) {
    for (const std::string_view name : {"ack", "hold", "lease", "max_deliveries"}) {
      if (endpoint.given.contains(std::string(name)))
        return {Code::invalid,
                fmt::format("option '{}' needs subscription=NAME: {} without one only reads, and settles nothing", name,
                            use->type)};
    }
  }
  if (use != nullptr && use->publishes && endpoint.given.contains("priority"))
    return {Code::invalid, fmt::format("option 'priority' is not for {}: {}; remove it", use->type, kOneOrder)};
  if (endpoint.given.contains("log") && !options.subscription.empty())
    return {Code::invalid,
            "option 'log' is for readers: a subscription is a cursor on the stream main; leave out one of the two"};
  if (use != nullptr && use->produces && is_dead_letter_queue(options.queue))
    return {Code::invalid,
            fmt::format("queue '{0}' is a dead-letter queue, which only VTX itself writes, and {1} sends: consume it, "
                        "or send to '{2}'",
                        options.queue, use->type, options.queue.substr(0, options.queue.size() - kDeadEnding.size()))};
  return {};
}

/// parse_endpoint() but for the endpoint's name in front of a failure.
Status parse(std::string_view text, const Schemes& schemes, const EndpointUse* use, LinkEndpoint& out) {
  const std::string scheme = scheme_of(text);
  const auto of_driver = scheme.empty() ? std::nullopt : schemes.options_of(scheme);
  if (!scheme.empty() && !of_driver) return unknown_scheme(scheme, schemes);
  Result<Uri> uri = parse_uri(text);
  if (!uri) return std::move(uri).error();
  if (Status bad = apply_query(*uri, *of_driver, use, out); !bad.ok()) return bad;
  if (use != nullptr && use->publishes) out.options.priority.reset();
  if (Status bad = check_whole(out, use); !bad.ok()) return bad;
  driver::Endpoint& address = out.address;
  address.text = displayable_uri(text);
  address.scheme = std::move(uri->scheme);
  address.has_authority = uri->has_authority;
  address.user = std::move(uri->user);
  address.password = std::move(uri->password);
  address.authority = std::move(uri->authority);
  address.path = std::move(uri->path);
  return {};
}

/// Longer URIs are cut in errors.
constexpr std::size_t kLongestShown = 300;

std::string shown(std::string_view uri) {
  if (uri.empty()) return "empty endpoint";
  std::string text = displayable_uri(uri.substr(0, kMaxUriBytes));
  if (text.size() <= kLongestShown) return text;
  std::size_t end = kLongestShown;  // not inside a UTF-8 sequence
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

Result<LinkEndpoint> parse_endpoint(std::string_view uri, const Schemes& schemes, const EndpointUse* use) {
  LinkEndpoint out;
  if (Status bad = parse(uri, schemes, use, out); !bad.ok())
    return fail(bad.code(), fmt::format("{}: {}", shown(uri), bad.text()));
  return out;
}

}  // namespace vtx

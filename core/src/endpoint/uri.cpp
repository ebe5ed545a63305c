/* SPDX-License-Identifier: MPL-2.0 */
#include "endpoint/uri.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "endpoint/characters.hpp"

namespace vtx {
namespace {

constexpr auto kEnd = std::string_view::npos;

/// Up to `delimiter`; what follows it stays in `rest`, without it when `drop`.
std::string_view take_until(std::string_view& rest, std::string_view delimiters, bool drop) {
  const std::size_t at = std::min(rest.find_first_of(delimiters), rest.size());
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(std::min(at + (drop ? 1 : 0), rest.size()));
  return taken;
}

/// What stands in a part of a URI and may not, before decoding.
Status check_raw(std::string_view text, bool brackets) {
  for (const char c : text) {
    const bool bracket = c == '[' || c == ']';
    if (is_excluded(c) || (bracket && !brackets))
      return {Code::invalid, fmt::format("'{}' must be percent-encoded in a URI: write {}", c, percent_encoded(c))};
  }
  return {};
}

/// What may not stand in a part, encoded or not.
Status check_decoded(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    if (is_control(text[i]))
      return {Code::invalid, fmt::format("the control character {}{} is not allowed: remove it",
                                         percent_encoded(text[i]), text[i] == '\n' ? " (newline)" : "")};
    const std::size_t length = utf8_length(text, i);
    if (length == 0)
      return {Code::invalid,
              fmt::format("the byte {} is not UTF-8: write the text in UTF-8", percent_encoded(text[i]))};
    i += length;
  }
  return {};
}

/// Checks and decodes one part, which a failure calls `what`.
Status decode(std::string_view raw, std::string_view what, std::string& out, bool brackets = false) {
  const auto refuse = [&](const Status& why) { return Status(why.code(), fmt::format("{}: {}", what, why.text())); };
  if (Status bad = check_raw(raw, brackets); !bad.ok()) return refuse(bad);
  std::optional<std::string> decoded = percent_decoded(raw);
  if (!decoded)
    return refuse(
        {Code::invalid, "'%' must be followed by two hexadecimal digits: write a literal percent sign as %25"});
  if (Status bad = check_decoded(*decoded); !bad.ok()) return refuse(bad);
  out = std::move(*decoded);
  return {};
}

Status decode_authority(std::string_view raw, Uri& uri) {
  uri.has_authority = true;
  if (const std::size_t at = raw.rfind('@'); at != kEnd) {
    std::string_view secret = raw.substr(0, at);
    raw.remove_prefix(at + 1);
    const bool has_password = secret.find(':') != kEnd;
    const std::string_view user = take_until(secret, ":", true);
    if (Status bad = decode(user, "user", uri.user.emplace()); !bad.ok()) return bad;
    if (has_password)
      if (Status bad = decode(secret, "password", uri.password.emplace()); !bad.ok()) return bad;
  }
  return decode(raw, "authority", uri.authority, true);
}

/// One `name=value`. A piece without '=' after a secret is taken for the rest of that secret and not repeated.
Status decode_option(std::string_view item, Uri& uri) {
  if (item.empty()) return {Code::invalid, "an option is empty: write name=value, with one '&' between options"};
  const bool has_value = item.find('=') != kEnd;
  std::string name, value;
  if (Status bad = decode(take_until(item, "=", true), "option name", name); !bad.ok()) return bad;
  if (name.empty()) return {Code::invalid, "an option has no name: write name=value"};
  // Not quoted: what is no name may be anything, for instance a piece of a secret.
  if (!std::all_of(name.begin(), name.end(), is_name_character))
    return {Code::invalid, "an option's name holds other characters than A-Z a-z 0-9 . _ -: write name=value"};
  if (!has_value && !uri.query.empty() && is_secret_option(uri.query.back().first))
    return {Code::invalid,
            fmt::format("the value of option '{}' holds a bare '&': write it as %26", uri.query.back().first)};
  if (!has_value) return {Code::invalid, fmt::format("option '{0}' has no value: write {0}=VALUE", name)};
  if (Status bad = decode(item, fmt::format("option '{}'", name), value); !bad.ok()) return bad;
  uri.query.emplace_back(std::move(name), std::move(value));
  return {};
}

Status decode_query(std::string_view raw, Uri& uri) {
  if (!raw.empty() && raw.back() == '&') return decode_option({}, uri);
  while (!raw.empty())
    if (Status bad = decode_option(take_until(raw, "&", true), uri); !bad.ok()) return bad;
  return {};
}

}  // namespace

std::string scheme_of(std::string_view uri) {
  const std::size_t colon = uri.find(':');
  if (colon == kEnd || !is_alpha(uri.front())) return {};
  std::string scheme(uri.substr(0, colon));
  for (char& c : scheme) {
    if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') return {};
    c = to_lower(c);
  }
  return scheme;
}

Result<Uri> parse_uri(std::string_view text) {
  if (text.size() > kMaxUriBytes)
    return fail(Code::invalid, fmt::format("the endpoint has {} bytes: write at most {}", text.size(), kMaxUriBytes));
  Uri uri;
  uri.scheme = scheme_of(text);
  if (uri.scheme.empty()) return fail(Code::invalid, "there is no scheme: write SCHEME:PATH or SCHEME://HOST/PATH");
  if (has_unencoded_password(text))
    return fail(Code::invalid, "the password holds a bare '/', '?' or '#': write %2F, %3F or %23");
  if (text.find('#') != kEnd)
    return fail(Code::invalid, "'#' begins a fragment, which means nothing here: write a literal one as %23");
  std::string_view rest = text.substr(uri.scheme.size() + 1);
  std::string_view hierarchy = take_until(rest, "?", true);
  if (hierarchy.starts_with("//")) {
    hierarchy.remove_prefix(2);
    if (Status bad = decode_authority(take_until(hierarchy, "/", false), uri); !bad.ok())
      return tl::unexpected(std::move(bad));
  }
  if (Status bad = decode(hierarchy, "path", uri.path); !bad.ok()) return tl::unexpected(std::move(bad));
  if (Status bad = decode_query(rest, uri); !bad.ok()) return tl::unexpected(std::move(bad));
  return uri;
}

}  // namespace vtx

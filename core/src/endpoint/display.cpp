/* SPDX-License-Identifier: MPL-2.0 */
//
// How a URI is shown to people. It works on any bytes, because errors quote URIs that did not parse, and a
// password with an unencoded '/', '?' or '&' in it must not slip out of the place where the grammar expects it.
#include <algorithm>
#include <array>
#include <optional>

#include "endpoint/characters.hpp"
#include "endpoint/uri.hpp"
#include "util/nearest.hpp"

namespace vtx {
namespace {

constexpr auto kEnd = std::string_view::npos;
constexpr std::string_view kMask = "***";

/// Whether "host:" is followed by what can be a port (and further hosts) rather than a password.
bool looks_like_port(std::string_view text) {
  text = text.substr(0, text.find(','));
  return std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '*'; });
}

/// Where the password of an authority stands.
struct Password {
  std::size_t begin, end;
  bool overruns;  ///< holds an unencoded delimiter, so that the grammar sees something else
};

/// Looks behind the first "://". Where no '@' ends a password within the authority, but one does later, the password is
/// taken to hold an unencoded delimiter.
std::optional<Password> find_password(std::string_view text) {
  const std::size_t slashes = text.find("://");
  if (slashes == kEnd) return std::nullopt;
  const std::size_t begin = slashes + 3;
  const std::size_t end = std::min(text.find_first_of("/?#", begin), text.size());
  const std::string_view authority = text.substr(begin, end - begin);
  const std::size_t colon = authority.find(':');
  if (colon == kEnd || authority.starts_with('[')) return std::nullopt;
  if (const std::size_t at = authority.rfind('@'); at != kEnd) {
    if (at < colon) return std::nullopt;
    return Password{begin + colon + 1, begin + at, false};
  }
  const bool port = looks_like_port(authority.substr(colon + 1));
  const std::size_t limit = port ? std::min(text.find('?', begin), text.size()) : text.size();
  const std::size_t at = text.substr(0, limit).rfind('@');
  if (at == kEnd || at < begin) return std::nullopt;
  return Password{begin + colon + 1, at, !port};
}

std::string mask_authority(std::string_view text) {
  std::string out(text);
  if (const auto password = find_password(text)) out.replace(password->begin, password->end - password->begin, kMask);
  return out;
}

/// Whether a value is a URI with a password in it.
bool hides_password(std::string_view value) { return find_password(value).has_value(); }

std::string mask_query(std::string_view query) {
  std::string out;
  bool secret = false;
  for (bool first = true; first || !query.empty(); first = false) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view item = query.substr(0, end);
    const bool more = end < query.size();
    query.remove_prefix(more ? end + 1 : end);
    const std::size_t equals = item.find('=');
    const std::string name = percent_decoded(item.substr(0, equals)).value_or(std::string(item.substr(0, equals)));
    if (equals == kEnd) {
      // After a secret this is the rest of it.
      out += secret && !item.empty() ? kMask : item;
    } else {
      const std::string_view value = item.substr(equals + 1);
      secret = is_secret_option(name) || hides_password(percent_decoded(value).value_or(std::string(value)));
      out += item.substr(0, equals + 1);
      out += secret ? kMask : value;
    }
    if (more) out += '&';
  }
  return out;
}

}  // namespace

bool is_secret_option(std::string_view name) {
  constexpr std::array<std::string_view, 2> kSecrets{"password", "sslpassword"};
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), to_lower);
  return lower.find("password") != std::string::npos || !nearest(lower, kSecrets).empty();
}

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = is_control(text[i]) ? 0 : utf8_length(text, i);
    if (out.size() + length > kMaxUriBytes) return out + "...";
    if (length == 0)
      out += percent_encoded(text[i]);
    else
      out += text.substr(i, length);
    i += std::max<std::size_t>(length, 1);
  }
  return out;
}

bool has_unencoded_password(std::string_view text) {
  const auto password = find_password(text);
  return password && password->overruns && text.find(':') == text.find("://");
}

std::string displayable_uri(std::string_view text) {
  const std::string masked = mask_authority(text);
  const std::size_t question = std::min(masked.find('?'), masked.size());
  std::string out = masked.substr(0, question);
  if (question < masked.size()) out += '?' + mask_query(std::string_view(masked).substr(question + 1));
  return printable(out);
}

}  // namespace vtx

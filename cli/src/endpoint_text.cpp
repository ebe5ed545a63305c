/* SPDX-License-Identifier: MPL-2.0 */
//
// See endpoint_text.hpp.
#include "endpoint_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace vtx::cli {
namespace {

constexpr std::array<std::string_view, 10> kPlainSchemes = {"tcp",  "ipc",  "inproc", "pgm", "epgm",
                                                            "norm", "tipc", "vmci",   "ws",  "wss"};

std::optional<char> hex_pair(std::string_view two) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(two.data(), two.data() + two.size(), value, 16);
  if (error != std::errc() || end != two.data() + 2) return std::nullopt;
  return static_cast<char>(value);
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto decoded = text[i] == '%' && i + 2 < text.size() ? hex_pair(text.substr(i + 1, 2)) : std::nullopt;
    out += decoded ? *decoded : text[i];
    if (decoded) i += 2;
  }
  return out;
}

/// Percent-encodes all but what may stand in a value as it is.
std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || std::string_view("-._~:+,").find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", byte);
  }
  return out;
}

/// Where an option stands.
struct Place {
  std::size_t begin;  ///< of its name
  std::size_t value;
  std::size_t end;
};

std::optional<Place> find_option(std::string_view endpoint, std::string_view name) {
  const auto query = endpoint.find('?');
  if (query == std::string_view::npos) return std::nullopt;
  const std::size_t last = std::min(endpoint.find('#', query), endpoint.size());
  for (std::size_t begin = query + 1; begin < last;) {
    const std::size_t end = std::min(endpoint.find('&', begin), last);
    const std::string_view pair = endpoint.substr(begin, end - begin);
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name)
      return Place{begin, begin + equals + 1, end};
    begin = end + 1;
  }
  return std::nullopt;
}

constexpr std::string_view kMask = "***";

/// USER:PASSWORD@ behind `begin`, as far as the word goes; a password may hold what ought to be encoded.
std::string mask_authority(std::string_view word) {
  const std::string_view before_options = word.substr(0, word.find('?'));
  const auto at = before_options.rfind('@');
  const auto colon = word.find(':');
  if (at == std::string_view::npos || colon > at) return std::string(word);
  return std::string(word.substr(0, colon + 1)).append(kMask).append(word.substr(at));
}

std::string mask_options(std::string text) {
  for (const std::string_view name : {"?password=", "&password=", "?sslpassword=", "&sslpassword="}) {
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos;) {
      at += name.size();
      std::size_t end = std::min(text.find_first_of("& \t\n'\"", at), text.size());
      if (end > at && text[end - 1] == ':') --end;  // of the sentence
      text.replace(at, end - at, kMask);
    }
  }
  return text;
}

}  // namespace

std::string without_passwords(std::string_view sentence) {
  constexpr std::string_view kBlank = " \t\n'\"";
  constexpr std::string_view kSlashes = "://";
  std::string out;
  while (!sentence.empty()) {
    const auto slashes = sentence.find(kSlashes);
    const auto begin = slashes == std::string_view::npos ? sentence.size() : slashes + kSlashes.size();
    out += sentence.substr(0, begin);
    sentence.remove_prefix(begin);
    const auto end = std::min(sentence.find_first_of(kBlank), sentence.size());
    out += mask_authority(sentence.substr(0, end));
    sentence.remove_prefix(end);
  }
  return mask_options(std::move(out));
}

std::optional<std::string> endpoint_option(std::string_view endpoint, std::string_view name) {
  const auto place = find_option(endpoint, name);
  if (!place) return std::nullopt;
  return percent_decoded(endpoint.substr(place->value, place->end - place->value));
}

std::string with_option(std::string_view endpoint, std::string_view name, std::string_view value) {
  const std::string encoded = percent_encoded(value);
  if (const auto place = find_option(endpoint, name))
    return fmt::format("{}{}{}", endpoint.substr(0, place->value), encoded, endpoint.substr(place->end));
  const char separator = endpoint.find('?') == std::string_view::npos ? '?' : '&';
  return fmt::format("{}{}{}={}", endpoint, separator, name, encoded);
}

std::string scheme_of(std::string_view endpoint) {
  std::string scheme(endpoint.substr(0, std::min(endpoint.find(':'), endpoint.size())));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), [](unsigned char c) { return std::tolower(c); });
  return scheme;
}

bool is_plain(std::string_view endpoint) {
  return std::find(kPlainSchemes.begin(), kPlainSchemes.end(), scheme_of(endpoint)) != kPlainSchemes.end();
}

}  // namespace vtx::cli

/* SPDX-License-Identifier: MPL-2.0 */
//
// What a SUB or XSUB socket has subscribed to: a message passes when its first frame begins with one of the prefixes. libzmq filters
// again on its way to the socket; this one spares what does not pass the way through the pipe, and is kept with a durable cursor.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vtx {

class Filter {
 public:
  /// libzmq passes on only the first subscription to a prefix, and the last one's end: nothing to count.
  void subscribe(std::string_view prefix) { prefixes_[prefix.size()].emplace(prefix); }
  void unsubscribe(std::string_view prefix);
  bool empty() const { return prefixes_.empty(); }
  /// From the shortest to the longest.
  std::vector<std::string> prefixes() const;
  bool passes(std::span<const std::byte> first_frame) const;

  /// As a store keeps it: each prefix with a 32-bit big-endian length ahead.
  std::string encode() const;
  /// nullopt when the text is none that encode() made.
  static std::optional<Filter> decode(std::string_view text);

  bool operator==(const Filter&) const = default;

 private:
  /// By length, so that a look takes as many steps as there are lengths.
  std::map<std::size_t, std::set<std::string, std::less<>>> prefixes_;
};

}  // namespace vtx

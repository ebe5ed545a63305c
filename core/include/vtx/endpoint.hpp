/* SPDX-License-Identifier: MPL-2.0 */
//
// Endpoints with typed options, for those who would rather not write a URI by hand. What an option means, and its default, stands in
// docs/endpoints.md; what is wrong with a value is told when the endpoint is used.
//
//   jobs.connect(vtx::endpoint("sqlite:q.db").queue("jobs").ack(vtx::ack::next).lease(2s));
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <initializer_list>
#include <string>
#include <string_view>

namespace vtx {

enum class ack { release, next, manual, none };
enum class durability { sync, async };
enum class full { drop, block };

/// A text that grows by options. Each may be given once; the library refuses an endpoint with one twice.
class endpoint {
 public:
  using milliseconds = std::chrono::milliseconds;

  /// @param address  as it stands in a URI, with or without options: "sqlite:q.db", "sqlite:q.db?queue=jobs"
  explicit endpoint(std::string address) : text_(std::move(address)) {}

  const std::string& str() const { return text_; }
  operator const std::string&() const {
    return text_;
  }  // NOLINT(google-explicit-constructor): what takes an endpoint takes this

  // Where.
  endpoint& queue(std::string_view name) { return set("queue", name); }
  endpoint& group(std::string_view name) { return set("group", name); }
  endpoint& subscription(std::string_view name) { return set("subscription", name); }
  /// A word or place as in the URI: "oldest", "now".
  endpoint& from(std::string_view place) { return set("from", place); }
  endpoint& from_sequence(std::uint64_t sequence) { return set("from", "seq:" + std::to_string(sequence)); }
  endpoint& from_age(milliseconds age) { return set("from", "-" + text_of(age)); }
  endpoint& from(std::chrono::system_clock::time_point time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm utc{};
    (void)gmtime_r(&seconds, &utc);
    char text[sizeof "time:9999-12-31T23:59:59Z"] = "";
    return set("from", {text, std::strftime(text, sizeof text, "time:%Y-%m-%dT%H:%M:%SZ", &utc)});
  }

  // How messages are received.
  endpoint& ack(vtx::ack how) {
    constexpr std::string_view kNames[] = {"release", "next", "manual", "none"};
    return set("ack", kNames[static_cast<int>(how)]);
  }
  endpoint& hold(milliseconds time) { return set("hold", text_of(time)); }
  endpoint& prefetch(std::uint32_t messages) { return set("prefetch", std::to_string(messages)); }
  endpoint& prefetch_bytes(std::uint64_t bytes) { return set("prefetch_bytes", std::to_string(bytes)); }
  endpoint& lease(milliseconds time) { return set("lease", text_of(time)); }
  endpoint& max_deliveries(std::uint32_t count) { return set("max_deliveries", std::to_string(count)); }

  // How they are sent.
  endpoint& durability(vtx::durability how) {
    return set("durability", how == vtx::durability::sync ? "sync" : "async");
  }
  endpoint& delay(milliseconds time) { return set("delay", text_of(time)); }
  endpoint& ttl(milliseconds time) { return set("ttl", text_of(time)); }
  endpoint& priority(int from_0_to_9) { return set("priority", std::to_string(from_0_to_9)); }
  endpoint& full(vtx::full how) { return set("full", how == vtx::full::drop ? "drop" : "block"); }
  endpoint& properties(bool on = true) { return set("properties", on ? "on" : "off"); }

  /// Which stream of the queue a reader reads: "main", "up", "down", "peer:ID".
  endpoint& log(std::string_view stream) { return set("log", stream); }

  // What who creates the queue declares.
  endpoint& retain(std::string_view text) { return set("retain", text); }
  endpoint& retain(milliseconds age) { return set("retain", text_of(age)); }
  endpoint& retain_messages(std::uint64_t count) { return set("retain", std::to_string(count)); }
  endpoint& limit(std::string_view text) { return set("limit", text); }
  endpoint& limit_messages(std::uint64_t count) { return set("limit", std::to_string(count)); }
  endpoint& groups(std::initializer_list<std::string_view> names) {
    std::string list;
    for (const std::string_view name : names) list.append(list.empty() ? "" : ",").append(name);
    return set("groups", list);
  }

  /// Any option, a driver's too. The value is percent-encoded where it must be.
  endpoint& set(std::string_view name, std::string_view value) {
    text_ += text_.find('?') == std::string::npos ? '?' : '&';
    text_.append(name).append("=");
    for (const char c : value) append(c);
    return *this;
  }

 private:
  static std::string text_of(milliseconds time) { return std::to_string(time.count()) + "ms"; }

  /// RFC 3986, section 3.4: what may stand in a query, less what ends a value.
  void append(char c) {
    constexpr std::string_view kPlain = "-._~:/,";
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       kPlain.find(c) != std::string_view::npos;
    if (plain) {
      text_ += c;
      return;
    }
    const auto byte = static_cast<unsigned char>(c);
    text_ += '%';
    text_ += kDigits[byte >> 4];
    text_ += kDigits[byte & 15];
  }

  std::string text_;
};

}  // namespace vtx

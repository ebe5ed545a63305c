/* SPDX-License-Identifier: MPL-2.0 */
#include "pattern/pattern.hpp"

#include <zmq.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace vtx {
namespace {

constexpr std::array kPatterns{
    // clang-format off
    //      type         name       counterpart  out        in          envelope            streams         mailbox        default_retain peers            max_links publisher
    Pattern{ZMQ_PUSH,    "PUSH",    ZMQ_DEALER,  Out::any,  In::none,   Envelope::none,     Streams::main,  Mailbox::none, "consumed",    "",                    0, false},
    Pattern{ZMQ_PULL,    "PULL",    ZMQ_PUSH,    Out::none, In::fair,   Envelope::none,     Streams::main,  Mailbox::none, "consumed",    "",                    0, false},
    Pattern{ZMQ_PUB,     "PUB",     ZMQ_DEALER,  Out::all,  In::none,   Envelope::none,     Streams::main,  Mailbox::none, "7d",          "",                    0, true},
    Pattern{ZMQ_XPUB,    "XPUB",    ZMQ_DEALER,  Out::all,  In::none,   Envelope::none,     Streams::main,  Mailbox::none, "7d",          "",                    0, true},
    Pattern{ZMQ_SUB,     "SUB",     ZMQ_XPUB,    Out::none, In::filter, Envelope::none,     Streams::main,  Mailbox::none, "7d",          "",                    0, false},
    Pattern{ZMQ_XSUB,    "XSUB",    ZMQ_XPUB,    Out::none, In::filter, Envelope::none,     Streams::main,  Mailbox::none, "7d",          "",                    0, false},
    Pattern{ZMQ_REQ,     "REQ",     ZMQ_DEALER,  Out::any,  In::fair,   Envelope::request,  Streams::sided, Mailbox::each, "consumed",    "REP ROUTER",          0, false},
    Pattern{ZMQ_REP,     "REP",     ZMQ_DEALER,  Out::one,  In::fair,   Envelope::reply,    Streams::sided, Mailbox::none, "consumed",    "REQ DEALER",          0, false},
    Pattern{ZMQ_DEALER,  "DEALER",  ZMQ_DEALER,  Out::any,  In::fair,   Envelope::none,     Streams::sided, Mailbox::each, "consumed",    "REP DEALER ROUTER",   0, false},
    Pattern{ZMQ_ROUTER,  "ROUTER",  ZMQ_DEALER,  Out::one,  In::fair,   Envelope::identity, Streams::sided, Mailbox::each, "consumed",    "REQ DEALER ROUTER",   0, false},
    Pattern{ZMQ_PAIR,    "PAIR",    ZMQ_PAIR,    Out::any,  In::fair,   Envelope::none,     Streams::sided, Mailbox::none, "consumed",    "PAIR",                1, false},
    Pattern{ZMQ_STREAM,  "STREAM",  -1,          Out::one,  In::fair,   Envelope::identity, Streams::sided, Mailbox::none, "",            "",                    0, false},
    // clang-format on
};

bool same_letters(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

/// Whether `word` is one of the words.
bool names(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

}  // namespace

bool may_talk(const Pattern& one, const Pattern& other) {
  if (one.streams == Streams::main || other.streams == Streams::main) return one.streams == other.streams;
  return names(one.peers, other.name);
}

std::span<const Pattern> patterns() { return kPatterns; }

const Pattern* pattern_of(int type) {
  const auto found = std::ranges::find(kPatterns, type, &Pattern::type);
  return found == kPatterns.end() ? nullptr : &*found;
}

const Pattern* pattern_named(std::string_view name) {
  const auto found = std::ranges::find_if(kPatterns, [&](const Pattern& row) { return same_letters(row.name, name); });
  return found == kPatterns.end() ? nullptr : &*found;
}

}  // namespace vtx

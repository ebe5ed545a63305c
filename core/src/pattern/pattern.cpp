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
    //      type         name      counterpart  out        in          envelope            streams         mailbox default_retain on_store
    Pattern{ZMQ_PUSH,   "PUSH",   ZMQ_DEALER, Out::any,  In::none,   Envelope::none,     Streams::main,  "",     "consumed", true},
    Pattern{ZMQ_PULL,   "PULL",   ZMQ_PUSH,   Out::none, In::fair,   Envelope::none,     Streams::main,  "",     "consumed", true},
    Pattern{ZMQ_PUB,    "PUB",    ZMQ_DEALER, Out::all,  In::none,   Envelope::none,     Streams::main,  "",     "7d",       true},
    Pattern{ZMQ_XPUB,   "XPUB",   ZMQ_DEALER, Out::all,  In::none,   Envelope::none,     Streams::main,  "",     "7d",       true},
    Pattern{ZMQ_SUB,    "SUB",    ZMQ_XPUB,   Out::none, In::filter, Envelope::none,     Streams::main,  "",     "7d",       true},
    Pattern{ZMQ_XSUB,   "XSUB",   ZMQ_XPUB,   Out::none, In::filter, Envelope::none,     Streams::main,  "",     "7d",       true},
    Pattern{ZMQ_REQ,    "REQ",    ZMQ_DEALER, Out::any,  In::fair,   Envelope::request,  Streams::sided, "each", "consumed", true},
    Pattern{ZMQ_REP,    "REP",    ZMQ_DEALER, Out::one,  In::fair,   Envelope::reply,    Streams::sided, "",     "consumed", true},
    Pattern{ZMQ_DEALER, "DEALER", ZMQ_DEALER, Out::any,  In::fair,   Envelope::none,     Streams::sided, "each", "consumed", false},
    Pattern{ZMQ_ROUTER, "ROUTER", ZMQ_DEALER, Out::one,  In::fair,   Envelope::identity, Streams::sided, "each", "consumed", false},
    Pattern{ZMQ_PAIR,   "PAIR",   ZMQ_PAIR,   Out::any,  In::fair,   Envelope::none,     Streams::sided, "",     "consumed", false},
    Pattern{ZMQ_STREAM, "STREAM", -1,         Out::one,  In::fair,   Envelope::identity, Streams::sided, "",     "",         false},
    // clang-format on
};

bool same_letters(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

}  // namespace

const Pattern* pattern_of(int type) {
  const auto found = std::ranges::find(kPatterns, type, &Pattern::type);
  return found == kPatterns.end() ? nullptr : &*found;
}

const Pattern* pattern_named(std::string_view name) {
  const auto found = std::ranges::find_if(kPatterns, [&](const Pattern& row) { return same_letters(row.name, name); });
  return found == kPatterns.end() ? nullptr : &*found;
}

}  // namespace vtx

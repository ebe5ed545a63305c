/* SPDX-License-Identifier: MPL-2.0 */
#include "pattern/dynamic.hpp"

#include <fmt/format.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "util/nearest.hpp"
#include "vtx/driver/options.hpp"

namespace vtx {

namespace {

// In the order of the enumerations.
constexpr std::array<std::string_view, 4> kOuts{"none", "any", "all", "one"};
constexpr std::array<std::string_view, 3> kIns{"none", "fair", "filter"};
constexpr std::array<std::string_view, 4> kEnvelopes{"none", "identity", "request", "reply"};
constexpr std::array<std::string_view, 2> kStreams{"main", "sided"};
constexpr std::array<std::string_view, 2> kMailboxes{"none", "each"};
constexpr std::array<std::string_view, 2> kPeerCounts{"0", "1"};
constexpr std::array<std::string_view, 8> kColumns{"socket",  "out",     "in",     "envelope",
                                                   "streams", "mailbox", "retain", "max_peers"};

struct Word {
  std::string_view name;
  std::string_view value;
};

template <class... Arguments>
Status refuse(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  return Status(Code::invalid, fmt::format(text, std::forward<Arguments>(arguments)...));
}

Result<std::vector<Word>> words_of(std::string_view spec) {
  std::vector<Word> words;
  while (!spec.empty()) {
    const std::string_view part = spec.substr(0, spec.find('&'));
    spec.remove_prefix(std::min(part.size() + 1, spec.size()));
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    if (equals == std::string_view::npos)
      return tl::unexpected<Status>(refuse("'{}' has no value: write NAME=VALUE, apart by &", part));
    if (std::ranges::find(kColumns, name) == kColumns.end()) {
      const auto meant = nearest(name, kColumns);
      return tl::unexpected<Status>(refuse("a pattern has no '{}'{}", name,
                                           meant.empty() ? std::string() : fmt::format("; is '{}' meant?", meant)));
    }
    if (std::ranges::find(words, name, &Word::name) != words.end())
      return tl::unexpected<Status>(refuse("'{}' is said twice", name));
    words.push_back({name, part.substr(equals + 1)});
  }
  return words;
}

/// One column of the row, if the text says anything about it.
template <class Enumeration>
Status read(const std::vector<Word>& words, std::string_view name, std::span<const std::string_view> values,
            Enumeration& column) {
  const auto said = std::ranges::find(words, name, &Word::name);
  if (said == words.end()) return {};
  const auto value = std::ranges::find(values, said->value);
  if (value == values.end())
    return refuse("'{}' is no value of '{}': use {}", said->value, name, fmt::join(values, ", "));
  column = static_cast<Enumeration>(value - values.begin());
  return {};
}

std::string_view text_of(Envelope envelope) { return kEnvelopes.at(static_cast<std::size_t>(envelope)); }

/// What only the genuine socket can do, or cannot.
Status check_socket_of(const Pattern& own, const Pattern& row) {
  if (row.envelope != own.envelope)
    return refuse("a {} socket has the envelope '{}', no other", own.name, text_of(own.envelope));
  if (own.out == Out::none && row.out != Out::none) return refuse("a {} socket cannot send: say out=none", own.name);
  if (own.in == In::none && row.in != In::none) return refuse("a {} socket cannot receive: say in=none", own.name);
  if (own.publisher && row.out != Out::all) return refuse("a {} socket sends to all: say out=all", own.name);
  if ((own.in == In::filter) != (row.in == In::filter))
    return refuse("only SUB and XSUB filter what they receive, and they always do: 'in' of a {} socket does not fit",
                  own.name);
  if ((own.out == Out::one) != (row.out == Out::one))
    return refuse(
        "only REP and ROUTER send to one that is named, and they always do: 'out' of a {} socket does not fit",
        own.name);
  const bool has_side = own.envelope != Envelope::none || own.type == ZMQ_PAIR;
  if (has_side && (row.streams != own.streams || row.out != own.out || row.in != own.in))
    return refuse("a {} socket has a side, and both sends and receives: leave out 'streams', 'out' and 'in'", own.name);
  if (own.type == ZMQ_PAIR && row.max_links != 1) return refuse("a PAIR socket has one peer: say max_peers=1");
  return {};
}

/// What no socket could do on a queue.
Status check_row(const Pattern& row) {
  if (row.out == Out::none && row.in == In::none) return refuse("a pattern with out=none and in=none does nothing");
  if (row.streams == Streams::main) {
    if (row.mailbox != Mailbox::none) return refuse("only who has a side has a mailbox: say mailbox=none");
    if (row.max_links != 0) return refuse("only sides have one peer at most: say max_peers=0");
    return {};
  }
  if (row.out == Out::all || row.out == Out::none || row.in != In::fair)
    return refuse("who has a side sends to it and receives from the other: say streams=main, or out=any and in=fair");
  if (row.envelope == Envelope::none && (row.mailbox == Mailbox::each) == (row.max_links == 1))
    return refuse("with streams=sided, say mailbox=each for one of many, or mailbox=none and max_peers=1 for a pair");
  if (row.envelope != Envelope::none && row.max_links != 0)
    return refuse("max_peers=1 is for sockets without an envelope");
  if ((row.envelope == Envelope::reply) != (row.mailbox == Mailbox::none) && row.envelope != Envelope::none)
    return refuse("REQ and ROUTER need mailbox=each, REP has none");
  return {};
}

/// What it does is what a row of the table does: to others it is of that type.
void take_name(Pattern& row) {
  const auto same = std::ranges::find_if(patterns(), [&](const Pattern& other) {
    return other.out == row.out && other.in == row.in && other.envelope == row.envelope &&
           other.streams == row.streams && other.mailbox == row.mailbox;
  });
  if (same == patterns().end()) return;
  row.name = same->name;
  row.peers = same->peers;
}

}  // namespace

Result<std::unique_ptr<DynamicPattern>> parse_pattern(std::string_view spec) {
  const auto words = words_of(spec);
  if (!words) return tl::unexpected<Status>(words.error());
  const auto socket = std::ranges::find(*words, "socket", &Word::name);
  if (socket == words->end())
    return tl::unexpected<Status>(refuse("say which socket it is made of, as in socket=dealer"));
  const Pattern* own = pattern_named(socket->value);
  if (own == nullptr || own->counterpart < 0)
    return tl::unexpected<Status>(refuse("'{}' is no socket type that can be linked to a store", socket->value));
  auto made = std::make_unique<DynamicPattern>();
  Pattern& row = made->row = *own;
  for (const Status& status :
       {read(*words, "out", kOuts, row.out), read(*words, "in", kIns, row.in),
        read(*words, "envelope", kEnvelopes, row.envelope), read(*words, "streams", kStreams, row.streams),
        read(*words, "mailbox", kMailboxes, row.mailbox), read(*words, "max_peers", kPeerCounts, row.max_links)})
    if (!status.ok()) return tl::unexpected<Status>(status);
  const bool says_mailbox = std::ranges::find(*words, "mailbox", &Word::name) != words->end();
  if (!says_mailbox && row.envelope == Envelope::none && (row.streams == Streams::main || row.max_links == 1))
    row.mailbox = Mailbox::none;
  if (Status status = check_socket_of(*own, row); !status.ok()) return tl::unexpected<Status>(status);
  if (Status status = check_row(row); !status.ok()) return tl::unexpected<Status>(status);
  take_name(row);
  if (const auto retain = std::ranges::find(*words, "retain", &Word::name); retain != words->end()) {
    if (const auto known = driver::parse_retention(retain->value); !known)
      return tl::unexpected<Status>(refuse("'retain': {}", known.error().text()));
    made->retain = retain->value;
    row.default_retain = made->retain;
  } else if (row.out == Out::all) {
    row.default_retain = pattern_of(ZMQ_PUB)->default_retain;
  }
  return made;
}

}  // namespace vtx

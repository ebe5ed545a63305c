/* SPDX-License-Identifier: MPL-2.0 */
#include "manager/link_parts.hpp"

#include "pattern/lanes.hpp"
#include "pattern/request.hpp"
#include "store/consumer.hpp"
#include "store/reader.hpp"
#include "store/replier.hpp"
#include "store/requester.hpp"

namespace vtx {

using namespace driver;

namespace {

/// REP would discard what has no delimiter, unseen.
Fit judge_request(const Message& message) {
  std::vector<Frame> frames;
  const bool whole = message.frames > 1 && decode_frames(message.body, message.frames, frames);
  return whole && first_body_frame(frames) ? Fit::good : Fit::malformed;
}

/// What a consumer of this pattern leases from.
Group group_of(const LinkRequest& request, const std::shared_ptr<Asker>& asker) {
  const Pattern& pattern = *request.pattern;
  const LinkOptions& options = request.endpoint.options;
  const bool filtering = pattern.in == In::filter;
  Group group;
  group.name = {lanes_of(pattern, request.bind).reads, "", filtering ? options.subscription : options.group};
  group.from = options.from.value_or(filtering ? "now" : "oldest");
  group.filtering = filtering;
  if (pattern.envelope == Envelope::reply) {
    group.judge = judge_request;
    group.collects = false;  // REP has one at a time
  }
  if (asker) {
    group.name = {"mailbox", asker->peer(), "default"};
    group.judge = [asker](const Message& message) {
      return asker->take_reply(message.properties) ? Fit::good : Fit::not_wanted;
    };
  }
  return group;
}

}  // namespace

LinkParts make_parts(const LinkRequest& request, const LinkContext& context,
                     const std::function<std::shared_ptr<Gate>(Ack)>& gate) {
  const auto& [engine, stats, events, registry] = context;
  const Pattern& pattern = *request.pattern;
  const LinkOptions& options = request.endpoint.options;
  const auto asker =
      pattern.envelope == Envelope::request ? std::make_shared<Asker>(request.peer) : std::shared_ptr<Asker>();
  LinkParts parts;
  std::shared_ptr<Consumer> consumer;
  if (pattern.in != In::none) {
    // A request is settled by its reply, not by letting go of it.
    parts.gate = gate(pattern.envelope == Envelope::reply ? Ack::manual : options.ack);
    if (pattern.in == In::filter && options.subscription.empty()) {
      parts.receiver =
          std::make_shared<Reader>(engine, options, options.from.value_or("now"), parts.gate, registry, stats, events);
    } else {
      consumer =
          std::make_shared<Consumer>(engine, options, group_of(request, asker), parts.gate, registry, stats, events);
      parts.receiver = consumer;
    }
  }
  if (pattern.envelope == Envelope::reply) {
    parts.producer = std::make_shared<Replier>(engine, options, stats, events, consumer);
  } else if (asker) {
    parts.producer = std::make_shared<Requester>(engine, options, stats, events, asker);
  } else if (pattern.out != Out::none) {
    parts.producer = std::make_shared<Producer>(engine, options, stats, events);
  }
  return parts;
}

}  // namespace vtx

/* SPDX-License-Identifier: MPL-2.0 */
#include "manager/link_parts.hpp"

#include "codec/properties.hpp"
#include "endpoint/values.hpp"
#include "pattern/lanes.hpp"
#include "pattern/request.hpp"
#include "store/consumer.hpp"
#include "store/dealer.hpp"
#include "store/fair_receiver.hpp"
#include "store/reader.hpp"
#include "store/replier.hpp"
#include "store/requester.hpp"
#include "store/router.hpp"

namespace vtx {

using namespace driver;

namespace {

/// REP would discard what has no delimiter, unseen.
Fit judge_request(const Message& message) {
  std::vector<Frame> frames;
  const bool whole = message.frames > 1 && decode_frames(message.body, message.frames, frames);
  return whole && first_body_frame(frames) ? Fit::good : Fit::malformed;
}

/// A ROUTER tells its application who a message is from.
Fit judge_sender(const Message& message) {
  return property_of(message.properties, kReplyTo).empty() ? Fit::malformed : Fit::good;
}

/// What all groups that a link of this pattern leases from have in common.
Group pattern_group(const Pattern& pattern) {
  Group group;
  if (pattern.envelope == Envelope::reply) {
    group.judge = judge_request;
    group.malformed = "it is no request: it has no empty delimiter frame with a body behind it";
    group.collects = false;  // REP has one at a time
  }
  if (pattern.envelope == Envelope::identity) {
    group.judge = judge_sender;
    group.malformed = "it does not say who sent it, so that a ROUTER cannot put the identity before it";
  }
  return group;
}

/// The group on the stream of the link's side, or on `main`.
Group lane_group(const LinkRequest& request) {
  const Pattern& pattern = *request.pattern;
  const LinkOptions& options = request.endpoint.options;
  Group group = pattern_group(pattern);
  group.filtering = pattern.in == In::filter;
  group.name = {lanes_of(pattern, request.bind).reads, "", group.filtering ? options.subscription : options.group};
  group.from = options.from.value_or(group.filtering ? "now" : "oldest");
  return group;
}

/// Its own mailbox, which nobody else reads.
Group mailbox_group(const LinkRequest& request, const std::shared_ptr<Asker>& asker) {
  Group group = pattern_group(*request.pattern);
  group.name = {"mailbox", request.peer, "default"};
  group.from = "oldest";
  if (asker) {
    group.judge = [asker](const Message& message) {
      return asker->take_reply(message.properties) ? Fit::good : Fit::not_wanted;
    };
  }
  return group;
}

class Maker {
 public:
  Maker(const LinkRequest& request, const LinkContext& context) : request_(request), context_(context) {
    if (pattern().envelope == Envelope::request) asker_ = std::make_shared<Asker>(request.peer);
  }

  LinkParts make(const std::function<std::shared_ptr<Gate>(Ack)>& gate) {
    if (pattern().in != In::none) {
      // A request is settled by its reply, not by letting go of it.
      parts_.gate = gate(pattern().envelope == Envelope::reply ? Ack::manual : options().ack);
      parts_.receiver = receiver();
    }
    if (pattern().out != Out::none) parts_.producer = producer();
    return std::move(parts_);
  }

 private:
  const Pattern& pattern() const { return *request_.pattern; }
  const LinkOptions& options() const { return request_.endpoint.options; }

  /// What is too large for a socket goes to the dead letters; from there it can go nowhere.
  std::int64_t largest() const { return is_dead_letter_queue(options().queue) ? -1 : request_.largest; }

  std::shared_ptr<Consumer> consumer(Group group) const {
    group.largest = largest();
    return std::make_shared<Consumer>(context_.engine, options(), std::move(group), parts_.gate, context_.registry,
                                      context_.stats, context_.events);
  }

  std::shared_ptr<Receiver> receiver() {
    const auto& [engine, stats, events, registry] = context_;
    if (pattern().in == In::filter && options().subscription.empty())
      return std::make_shared<Reader>(engine, options(), options().from.value_or("now"), largest(), parts_.gate,
                                      registry, stats, events);
    // A REQ hears answers only; who binds or connects besides has nothing to tell it.
    if (asker_) return consumer(mailbox_group(request_, asker_));
    lane_ = consumer(lane_group(request_));
    if (pattern().mailbox == Mailbox::none) return lane_;
    return std::make_shared<FairReceiver>(lane_, consumer(mailbox_group(request_, asker_)));
  }

  std::shared_ptr<Producer> producer() {
    const auto& [engine, stats, events, registry] = context_;
    switch (pattern().envelope) {
      case Envelope::reply: return std::make_shared<Replier>(engine, options(), stats, events, lane_);
      case Envelope::request: return std::make_shared<Requester>(engine, options(), stats, events, asker_);
      case Envelope::identity: return router();
      case Envelope::none: break;
    }
    if (pattern().mailbox == Mailbox::each)
      return std::make_shared<Dealer>(engine, options(), stats, events, request_.peer);
    return std::make_shared<Producer>(engine, options(), stats, events);
  }

  std::shared_ptr<Producer> router() {
    const auto routes = std::make_shared<Routes>();
    const Router::Limits limits{options().blocks_when_full, static_cast<std::size_t>(request_.send_hwm)};
    const auto router = std::make_shared<Router>(context_.engine, options(), context_.stats, context_.events, routes,
                                                 request_.peer, limits);
    parts_.peers =
        std::make_unique<LinkPeers>(context_.engine, options().queue, request_.peer, routes, *router, context_.events);
    return router;
  }

  const LinkRequest& request_;
  const LinkContext& context_;
  LinkParts parts_;
  std::shared_ptr<Asker> asker_;
  std::shared_ptr<Consumer> lane_;
};

}  // namespace

LinkParts make_parts(const LinkRequest& request, const LinkContext& context,
                     const std::function<std::shared_ptr<Gate>(Ack)>& gate) {
  return Maker(request, context).make(gate);
}

}  // namespace vtx

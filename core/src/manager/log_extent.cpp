/* SPDX-License-Identifier: MPL-2.0 */
#include "manager/log_extent.hpp"

#include "pattern/peer.hpp"
#include "vtx/driver/names.hpp"

namespace vtx {

using namespace driver;

Result<Extent> log_extent(const std::function<Result<Completion>(Operation)>& ask, const LinkOptions& options) {
  OpenQueue open;
  open.queue = options.queue;
  open.create = false;
  const auto queue = ask(open);
  if (!queue) return tl::unexpected<Status>(queue.error());
  const std::string peer = is_anonymous(options.log_peer) ? options.log_peer : peer_name(options.log_peer);
  const auto stream = ask(OpenStream{queue->id, options.log, peer, 0, false});
  const bool missing = !stream && stream.error().code() == Code::not_found;
  if (missing && options.log_peer.empty()) return Extent{};
  if (missing) return tl::unexpected<Status>(unknown_peer(options.log_peer, options.queue));
  if (!stream) return tl::unexpected<Status>(stream.error());
  const auto place = ask(Locate{stream->id, "oldest"});
  if (!place) return tl::unexpected<Status>(place.error());
  return Extent{stream->id, place->tail, place->head};
}

}  // namespace vtx

/* SPDX-License-Identifier: MPL-2.0 */
#include "store/requester.hpp"

namespace vtx {

bool Requester::seal(std::span<const Frame>, Item& item) {
  item.properties.kept.insert(0, asker_->next_request());
  return true;
}

std::size_t Requester::envelope_of(std::span<const Frame> frames) const { return first_body_frame(frames).value_or(0); }

}  // namespace vtx

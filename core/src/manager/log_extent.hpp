/* SPDX-License-Identifier: MPL-2.0 */
//
// From where to where the stream goes that a link with `log=` reads, whoever wants to know that beside the link.
#pragma once

#include <functional>

#include "endpoint/endpoint.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx {

struct Extent {
  driver::Id stream = 0;  ///< 0: there is none yet
  driver::Seq tail = 1;   ///< oldest sequence retained; head + 1 when there is none
  driver::Seq head = 0;
};

/// @param ask  puts an operation to the store
/// @return  of an empty stream also when the queue has none of that kind yet; not_found: the queue, or the peer's mailbox
Result<Extent> log_extent(const std::function<Result<driver::Completion>(driver::Operation)>& ask,
                          const LinkOptions& options);

}  // namespace vtx

/* SPDX-License-Identifier: MPL-2.0 */
//
// What is measured again and again, whatever the store: a run opens its contexts, times its work on all of them, and closes them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "arena.hpp"
#include "worker.hpp"

namespace vtx::bench {

struct Run {
  double seconds;
  double batch;  ///< messages a commit, or a claim
};

/// The same as a count, for a raw loop that is to have that batch: 1 at least.
std::uint64_t whole_batch(const Run& run);

/// 0 when there is nothing to divide by.
double ratio_of(std::uint64_t of, std::uint64_t by);

/// Sends options.messages numbered messages in a thread of its own.
Worker sender(void* socket, const Options& options);

/// From the first send until flushed. An endpoint is a context, with a driver and a sender of its own, which sends options.messages.
Run time_enqueue(const std::vector<std::string>& endpoints, const Options& options);
/// From the first send until all have been received and flushed; likewise, with a receiver each.
Run time_both_ways(const std::vector<std::string>& endpoints, const Options& options);
/// Opens it and closes it again. Who opens a database first after it was written goes through its log, which belongs to no reader's number.
void open_once(const std::string& endpoint, const Options& options);
/// Consumes what had been stored, from the opening on.
Run time_backlog(const std::string& endpoint, const Options& options);
/// Reads a history from its beginning, from the opening on. @return seconds
double time_replay(const std::string& endpoint, const Options& options);
/// Two inproc hops and no store: the ceiling. @return seconds
double time_hops(const Options& options);

/// Calls `append` with the count of each batch: `batch`, and at last what is left. @return seconds
double time_batches(std::uint64_t messages, std::uint64_t batch,
                    const std::function<void(std::uint64_t count)>& append);

/// options.messages into a raw store of this kind, made at `path`. @return seconds without the making
template <class Raw>
double time_append(const std::string& path, std::uint64_t batch, const Options& options) {
  Raw raw(path, options.size);
  return time_batches(options.messages, batch, [&](std::uint64_t count) { raw.append(count); });
}

}  // namespace vtx::bench

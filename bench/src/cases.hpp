/* SPDX-License-Identifier: MPL-2.0 */
//
// The cases, one function each; main.cpp lists them by name.
#pragma once

#include "arena.hpp"
#include "report.hpp"

namespace vtx::bench {

// throughput.cpp
Case enqueue(const Options& options);
Case both_ways_forever(const Options& options);
Case both_ways_consumed(const Options& options);
Case backlog(const Options& options);
Case inproc(const Options& options);
// replay.cpp
Case replay(const Options& options);
// latency.cpp
Case latency(const Options& options);
// retention.cpp
Case retention(const Options& options);
// delayed.cpp
Case delayed(const Options& options);
// wakeup.cpp
Case wakeup(const Options& options);
// busy_poll.cpp
Case busy_poll(const Options& options);
// matrix.cpp
Case sizes(const Options& options);
Case instances(const Options& options);
// rocksdb.cpp
Case rocks_enqueue(const Options& options);
Case rocks_both(const Options& options);
Case rocks_backlog(const Options& options);
Case rocks_replay(const Options& options);
Case rocks_rate(const Options& options);
// rocksdb_retired.cpp
Case rocks_retired(const Options& options);
Case rocks_memory(const Options& options);
// postgres.cpp
Case pg_enqueue(const Options& options);
Case pg_both(const Options& options);
Case pg_wakeup(const Options& options);
// postgres_held.cpp
Case pg_held(const Options& options);

}  // namespace vtx::bench

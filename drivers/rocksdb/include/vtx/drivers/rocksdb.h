/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The RocksDB driver: queues in a directory of one process at a time.
 *
 *   vtx_register (vtx, "rocksdb", vtx_rocksdb_driver);
 *   vtx_connect (vtx, push, "rocksdb:///var/lib/app/q?queue=jobs");
 *
 * Link with -lvtx_rocksdb. The directory is VTX's own: it is made when it is missing, and refused when something else is in it.
 */
#ifndef VTX_DRIVERS_ROCKSDB_H_INCLUDED
#define VTX_DRIVERS_ROCKSDB_H_INCLUDED

#include "vtx/driver/driver.h"
#include "vtx/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The driver's table, to be given to vtx_register(). Valid for the life of the process; any thread.
 *
 * URI: rocksdb:PATH (relative) or rocksdb:///PATH. Options besides VTX's own; those of the first link on a directory hold for all of them:
 *   compression  none (default), lz4, zstd: of messages, in the files that they are in after a while; costs processor time
 *   memtable     64MiB (default), 1MiB to 1GiB: how much is gathered in memory before it becomes a file. More: fewer, larger files, less is written
 *                twice; twice as much memory, and a longer start after a crash
 */
VTX_EXPORT const vtx_driver_t* vtx_rocksdb_driver(void);

#ifdef __cplusplus
}
#endif

#endif

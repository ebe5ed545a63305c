/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The SQLite driver: queues in a database file, shared by any number of processes of one machine.
 *
 *   vtx_register (vtx, "sqlite", vtx_sqlite_driver);
 *   vtx_connect (vtx, push, "sqlite:///var/lib/app/q.db?queue=jobs");
 *
 * Link with -lvtx_sqlite. The file may be the application's own database: VTX's tables are all named vtx_.
 */
#ifndef VTX_DRIVERS_SQLITE_H_INCLUDED
#define VTX_DRIVERS_SQLITE_H_INCLUDED

#include <stddef.h>

#include "vtx/driver/driver.h"
#include "vtx/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The driver's table, to be given to vtx_register(). Valid for the life of the process; any thread.
 *
 * URI: sqlite:PATH (relative) or sqlite:///PATH. Options besides VTX's own:
 *   mode   rwc (default: made when absent), rw (must exist)
 *   cache  private (default), shared: SQLite's cache among the connections of this process
 *   vfs    none (default: SQLite's own), the name of a registered SQLite VFS
 */
VTX_EXPORT const vtx_driver_t *vtx_sqlite_driver (void);

struct sqlite3;

/* A frame of a message to send: `size` bytes that stay the caller's. */
typedef struct vtx_sqlite_frame_t {
  const void *data;
  size_t size;
} vtx_sqlite_frame_t;

/*
 * Appends a message to a queue on the application's own connection: inside its transaction when one is open, and then delivered when that is
 * committed, or never; else in one of its own. The database must have VTX's tables (`vtx migrate`, or any link that was made on it)
 * and the queue. Receivers in other processes are woken as by any other commit. docs/sql.md has the plain SQL for it.
 *
 * @properties: lines `Name: value`, each ended by a line feed, as docs/properties.md has them; NULL none.
 * Returns 0, or -1 with errno: EINVAL (an argument, no frames, a bad property, a dead-letter queue), ENOENT (no such queue), ENOBUFS (it is at its limit), EPROTO (no VTX
 * tables, or those of a newer VTX), EAGAIN (the database is locked), EMSGSIZE (larger than SQLite allows), ENOSPC, ENOMEM, EIO; for what SQLite
 * refused, sqlite3_errmsg() has the words. A failure leaves the transaction as it was. The thread that may use `connection`.
 */
VTX_EXPORT int vtx_sqlite_send (struct sqlite3 *connection, const char *queue, const vtx_sqlite_frame_t *frames, size_t count,
                                const char *properties);

#ifdef __cplusplus
}
#endif

#endif

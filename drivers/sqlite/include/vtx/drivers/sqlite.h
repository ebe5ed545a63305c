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

#ifdef __cplusplus
}
#endif

#endif

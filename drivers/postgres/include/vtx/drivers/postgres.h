/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The Postgres driver: queues in a database on a server, shared by any number of processes of any number of machines.
 *
 *   vtx_register (vtx, "postgres", vtx_postgres_driver);
 *   vtx_connect (vtx, push, "postgres://user@host/database?queue=jobs");
 *
 * Link with -lvtx_postgres. All of VTX is in a schema of its own. docs/postgres.md has roles, TLS, pooling and high availability.
 */
#ifndef VTX_DRIVERS_POSTGRES_H_INCLUDED
#define VTX_DRIVERS_POSTGRES_H_INCLUDED

#include <stddef.h>

#include "vtx/driver/driver.h"
#include "vtx/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The driver's table, to be given to vtx_register(). Valid for the life of the process; any thread.
 *
 * URI: as libpq's, postgres://USER:PASSWORD@HOST:PORT,HOST…/DATABASE, with its options; what is left out libpq takes from its environment. Options besides these and
 * VTX's own:
 *   schema  vtx (default), a name: where VTX's tables and functions are
 *   pooler  off (default), on: a pooler in transaction mode (PgBouncer) is in between, so that waiting is polling
 */
VTX_EXPORT const vtx_driver_t* vtx_postgres_driver(void);

struct pg_conn;

/* A frame of a message to send: `size` bytes that stay the caller's. */
typedef struct vtx_postgres_frame_t {
  const void* data;
  size_t size;
} vtx_postgres_frame_t;

/*
 * Sends a message to a queue on the application's own connection (a PGconn *): inside its transaction when one is open, and then delivered when that is committed, or never; else
 * in one of its own. Blocks as PQexecParams() does. No other sender or receiver waits for the transaction, however long it stays open. The role needs what
 * vtx.allow(role, 'sql') gives. Calls the functions of schema `vtx`, or of the one that the connection's search_path finds first.
 *
 * @properties: lines `Name: value`, each ended by a line feed, as docs/properties.md has them; NULL none.
 * Returns 0, or -1 with errno: EINVAL (an argument, a connection in pipeline mode, no frames, a bad property, a dead-letter queue), ENOENT (no such queue), ENOBUFS (it is at its limit), EPROTO (no VTX in this
 * database), EACCES (not allowed), EMSGSIZE (over 512 MiB), ENOMEM, EIO; PQerrorMessage() has the words. As with any statement that fails, an open
 * transaction can then only be rolled back. The thread that may use `connection`.
 */
VTX_EXPORT int vtx_postgres_send(struct pg_conn* connection, const char* queue, const vtx_postgres_frame_t* frames,
                                 size_t count, const char* properties);

#ifdef __cplusplus
}
#endif

#endif

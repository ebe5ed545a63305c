/* SPDX-License-Identifier: MPL-2.0 */
/*
 * VTX: store-and-forward transports for ZeroMQ. The C API.
 *
 * A socket stays a genuine libzmq socket: send, receive, poll and set options with libzmq as ever. VTX only
 * binds and connects it to endpoints that libzmq does not know, such as sqlite:///var/lib/app/q.db?queue=jobs
 *
 * Functions return 0 (or a pointer) on success; -1 (or NULL) on failure with errno set, and vtx_last_error() then
 * says in a sentence what was wrong and what to do. Beyond the errno values named at each function all may set
 * ENOMEM, EFAULT (a NULL or foreign argument) and ETERM (the context was terminated).
 *
 * Threads: a vtx_t may be used from any thread. Calls that name a socket follow libzmq's rule: one thread at a time for a socket.
 */
#ifndef VTX_H_INCLUDED
#define VTX_H_INCLUDED

#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "vtx/driver/driver.h"
#include "vtx/export.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VTX_VERSION_MAJOR 0
#define VTX_VERSION_MINOR 1
#define VTX_VERSION_PATCH 0

typedef struct vtx_t vtx_t;

/* The library's version. Any pointer may be NULL. */
VTX_EXPORT void vtx_version (int *major, int *minor, int *patch);

/* The calling thread's latest failure, as a sentence; "" when none. Valid until the thread's next VTX call. Never NULL. */
VTX_EXPORT const char *vtx_last_error (void);

/* --- life ----------------------------------------------------------------------------------------------------- */

/*
 * Makes a VTX instance on a ZeroMQ context, which stays the caller's and must outlive it.
 * It raises the context's ZMQ_MAX_SOCKETS when no socket exists yet.
 * errno: EMFILE (no sockets or descriptors left).
 */
VTX_EXPORT vtx_t *vtx_new (void *zmq_context);

/*
 * Ends all links as vtx_close() does, waits for their linger, stops the drivers, and sets *vtx to NULL. Messages in the application's
 * hands may be released later. Call it before zmq_ctx_term(): a context terminated under open links
 * loses what no driver had taken from the pipes yet, at most the high-water mark.
 */
VTX_EXPORT int vtx_destroy (vtx_t **vtx);

/*
 * Makes a driver known. `scheme` is a URI scheme ([a-z][a-z0-9+.-]*); one driver under two schemes is two threads, which is how a user
 * scales. errno: EEXIST (scheme taken, also by libzmq), EINVAL (bad scheme or table), ENOTSUP (the table's ABI version).
 */
VTX_EXPORT int vtx_register (vtx_t *vtx, const char *scheme, vtx_driver_fn driver);

/* Loads a plug-in (a shared library that exports VTX_PLUGIN_SYMBOL) and registers its driver. errno: ENOENT, EINVAL, and vtx_register()'s. */
VTX_EXPORT int vtx_load (vtx_t *vtx, const char *path);

/* --- sockets and links ---------------------------------------------------------------------------------------- */

/* zmq_socket() on the instance's context. A socket made by zmq_socket() on that context serves as well. */
VTX_EXPORT void *vtx_socket (vtx_t *vtx, int type);

/*
 * Likewise, and what the socket's store links do is put together by the caller: `spec` is NAME=VALUE apart by &, of
 *   socket=TYPE  the genuine socket: push pull pub xpub sub xsub req rep dealer router pair
 *   out=none|any|all|one  in=none|fair|filter  envelope=none|identity|request|reply
 *   streams=main|sided  mailbox=none|each  max_peers=0|1  retain=… (of what it writes, when nobody declared it)
 * What is not said is as the type has it: "socket=dealer&streams=main&in=none" is a PUSH that is a DEALER. docs/patterns.md has the rules.
 * Close it with vtx_close(): after a plain zmq_close() a socket of that type which zmq_socket() makes at the same address may be taken for it.
 * The text is copied. errno: EINVAL (a value, or what the genuine socket cannot carry; vtx_last_error() says which), and zmq_socket()'s. NULL then.
 */
VTX_EXPORT void *vtx_socket_pattern (vtx_t *vtx, const char *spec);

/*
 * Ends the socket's links and closes it. What was sent is made durable in the background within ZMQ_LINGER (vtx_destroy() waits for that); what
 * was received and not settled, or not received, goes back to the group. A plain zmq_close() does the same, only noticed a moment later;
 * not to be used for a socket of vtx_socket_pattern().
 */
VTX_EXPORT int vtx_close (vtx_t *vtx, void *socket);

/*
 * Links the socket to an endpoint (docs/endpoints.md); endpoints of libzmq's own schemes are passed on to it. Returns when the store
 * has answered, or after a second, and the link then goes on trying. Options ZeroMQ has a name for are read from the socket now.
 * errno: EINVAL (grammar, option, value), EPROTONOSUPPORT (scheme), ENOTSUP (not on this socket type, or not yet),
 * ENOENT (no such directory), EACCES, EILSEQ (not a database, or damaged), EPROTO (newer schema), EEXIST (the queue was declared otherwise), EMFILE.
 */
VTX_EXPORT int vtx_bind (vtx_t *vtx, void *socket, const char *endpoint);
VTX_EXPORT int vtx_connect (vtx_t *vtx, void *socket, const char *endpoint);

/* Ends one link, by the text it was made with. As vtx_close(), for this link. errno: ENOENT (no such link). */
VTX_EXPORT int vtx_unbind (vtx_t *vtx, void *socket, const char *endpoint);
VTX_EXPORT int vtx_disconnect (vtx_t *vtx, void *socket, const char *endpoint);

/* The endpoint of the socket's newest link (libzmq's ZMQ_LAST_ENDPOINT when that was newer), 0-terminated. errno: EINVAL (buffer of `size` bytes too small), ENOENT. */
VTX_EXPORT int vtx_last_endpoint (vtx_t *vtx, void *socket, char *buffer, size_t size);

/* --- delivery ------------------------------------------------------------------------------------------------- */

/*
 * Waits until all that was sent on the socket's VTX links before the call is durable, as their `durability` says.
 * @timeout_ms: -1 for ever. errno: EAGAIN (not within the time; nothing is lost, call again), ENOBUFS (the queue is at its limit), ENOSPC and others (what holds the link up), ECANCELED (the link ended first),
 * EINVAL (a message since the last flush was refused and dropped, as vtx_last_error() and VTX_EVENT_REFUSED say; all others are durable).
 */
VTX_EXPORT int vtx_flush (vtx_t *vtx, void *socket, int timeout_ms);

/*
 * Settles a received message now (any of its frames will do but a ROUTER's identity, a REP's envelope and the property block; before it is released), or gives it back to be delivered again to anyone
 * of the group after `delay_ms`. The message must still be released. Any thread that holds the message.
 * A request that a REP received is settled by its reply and needs neither. Given back, or settled without a reply, what REP sends next is dropped.
 * errno: EINVAL (not a message of a VTX link, or a claim no longer held: its link ended, or it was fenced), EALREADY (settled or given back already), ERANGE (delay over 6 days).
 */
VTX_EXPORT int vtx_ack (vtx_t *vtx, zmq_msg_t *message);
VTX_EXPORT int vtx_nack (vtx_t *vtx, zmq_msg_t *message, int delay_ms);

/*
 * The same by the property `Delivery-Id` (properties=on), for programs and languages that hold no zmq_msg_t. Any thread.
 * errno: EINVAL (no such id), ENOENT (of no delivery that the socket has in hand: settled, given back, or its claim is no longer held), ERANGE.
 */
VTX_EXPORT int vtx_ack_id (vtx_t *vtx, void *socket, const char *delivery_id);
VTX_EXPORT int vtx_nack_id (vtx_t *vtx, void *socket, const char *delivery_id, int delay_ms);

/* --- watching ------------------------------------------------------------------------------------------------- */

/*
 * Sends the socket's link events to a ZMQ_PAIR bound at `address` (inproc://…), in zmq_socket_monitor()'s frames: 16-bit event and 32-bit value in host
 * order, then the endpoint. ZMQ_EVENT_CONNECTED, _CONNECT_DELAYED, _CONNECT_RETRIED (value: ms), _LISTENING, _DISCONNECTED, _CLOSED, _MONITOR_STOPPED are used as by
 * libzmq. VTX's own have event VTX_EVENT, a code of the list below as value, and the endpoint followed by a zero byte and a sentence.
 * A NULL address ends it. Before the links are made, to see all. errno: EADDRINUSE, EINVAL, ENOTSUP (not inproc).
 */
VTX_EXPORT int vtx_monitor (vtx_t *vtx, void *socket, const char *address, int events);

#define VTX_EVENT 0x8000
enum {
  VTX_EVENT_TROUBLE = 1,       /* the store cannot go on for now (locked, disk full, unreadable): the link waits and tries again */
  VTX_EVENT_RECOVERED = 2,     /* and goes on */
  VTX_EVENT_FENCED = 3,        /* a claim was taken over: this consumer was too slow or was paused, or its group was moved by hand */
  VTX_EVENT_TAKEN_OVER = 4,    /* another consumer's claims were taken over */
  VTX_EVENT_DEAD_LETTERED = 5, /* a message went to the dead-letter queue */
  VTX_EVENT_HOLD_EXCEEDED = 6, /* a message was neither released nor acknowledged within `hold` */
  VTX_EVENT_LINGER_EXPIRED = 7,/* messages were dropped unsent at close: see the sentence for how many */
  VTX_EVENT_FAILED = 8,        /* the link ended by a fault that waiting cannot cure */
  VTX_EVENT_REFUSED = 9,       /* a message was dropped: the store can never take it (too large), which the next vtx_flush says, too; or
                                  it is a reply whose request was given up or is another worker's by now; or it was settled before it
                                  came (ack=none) and its receiver cannot take it (ZMQ_MAXMSGSIZE) */
  VTX_EVENT_CAUGHT_UP = 10,    /* a subscriber has been given all that was there when it began: from here on messages are live */
  VTX_EVENT_TRIMMED = 11,      /* retention removed messages that this reader had not been given: see the sentence for how many */
  VTX_EVENT_BAD_PROPERTIES = 12, /* the last frame of a message is no property block: it was stored as part of the message; or a PUB was given a Priority, which it goes without */
  VTX_EVENT_PEER_REFUSED = 13, /* a ROUTER has no socket or descriptor left for another peer: the sentence names the limits */
  VTX_EVENT_QUEUE_FULL = 14,   /* the queue is at its `limit`: senders block, and VTX_EVENT_RECOVERED tells when there has been room for half a second */
  VTX_EVENT_EPOCH = 15 /* the store went back in time, as by a restored backup, or is another one now: docs/guarantees.md tells what follows */
};

enum { VTX_STATE_CONNECTING = 0, VTX_STATE_LIVE = 1, VTX_STATE_WAITING = 2, VTX_STATE_CLOSING = 3 };

/* Counters since the link was made; gauges are marked. */
typedef struct vtx_stats_t {
  uint32_t struct_size;    /* set by the caller: sizeof (vtx_stats_t) */
  uint32_t links;          /* gauge: VTX links summed up here */
  uint32_t state;          /* gauge: VTX_STATE_…, the least live of them */
  uint32_t reserved;
  uint64_t taken;          /* messages taken from the application's pipe */
  uint64_t durable;        /* of these, committed as `durability` says */
  uint64_t commits;        /* transactions that carried them */
  uint64_t delivered;      /* messages put into the application's pipe */
  uint64_t redelivered;    /* of these, not for the first time */
  uint64_t settled;        /* acknowledged and recorded */
  uint64_t nacked;         /* given back by vtx_nack or `hold` */
  uint64_t returned;       /* given back undelivered, when the link ended */
  uint64_t filtered, expired, dead_lettered, fenced, dropped;
  uint64_t in_hand;        /* gauge: delivered, neither released nor settled */
  uint64_t claims;         /* ranges leased */
  uint64_t depth;          /* gauge: messages of the queue not yet settled by the group (PULL, REP, a named subscription) or by its slowest
                              group (PUSH, PUB, XPUB, REQ); for a subscriber without a name: not yet delivered.
                              While the queue has no group: all that it holds */
  uint64_t trimmed;        /* removed by retention before this reader had been given them */
  uint64_t undeliverable;  /* replies that found no mailbox: their asker is no more */
  uint64_t refused;        /* of the dropped ones, those that the store would never take */
  uint64_t lag_ms;         /* gauge: how long the oldest message of `depth` has been in the store; 0 there is none, UINT64_MAX not known,
                              as of messages in a queue that has no group yet */
} vtx_stats_t;

/*
 * Sums up the socket's links, or one of them when `endpoint` is not NULL. `depth` is read from the store when it answers within a second, else UINT64_MAX.
 * errno: ENOENT (no such link), EINVAL (struct_size).
 */
VTX_EXPORT int vtx_stats (vtx_t *vtx, void *socket, const char *endpoint, vtx_stats_t *stats);

/*
 * Looks at or steers a store, without a socket; creates nothing but what "migrate" makes. `command` is one of:
 *   "queues"  "show"  "extent"  "check"  "migrate"  "dead list [COUNT]"  "dead requeue SEQUENCE|all"  "dead drop SEQUENCE|all"
 *   "trim before WHERE"  "trim keep N"  "groups list [all]"  "groups seek GROUP WHERE"  "groups drop GROUP [force]"
 * of which "show", "dead", "trim" and "groups" speak of the endpoint's queue, and "extent" of the stream that its log= names, of which it tells oldest and newest sequence. "migrate" makes the tables where there are none yet. "groups seek" takes what consumers of the group have in hands from them. "trim" removes messages for good, settled or not: those before WHERE, which is written
 * as option `from` (seq:N, time:2026-11-21T08:00:00Z, -15m), or all but the newest N. It works for about a second; when the answer says `more`, ask again. The answer is JSON (docs/operations.md), to be freed by vtx_free().
 * @timeout_ms: -1 for ever. errno: vtx_bind()'s, EAGAIN (no answer in time; a group to be dropped is in use), ENOENT (no such database, queue, group or message).
 */
VTX_EXPORT int vtx_admin (vtx_t *vtx, const char *endpoint, const char *command, int timeout_ms, char **json);
VTX_EXPORT void vtx_free (void *memory);

/*
 * The options of endpoints that VTX knows, as JSON: [{"name": "queue", "of": "both", "types": "", "values": "default, a name", "help": …}, …], where `of` is both,
 * producers or consumers, and `types` names the socket types when there are only some. Drivers may know more. Static.
 */
VTX_EXPORT const char *vtx_endpoint_options (void);

#ifdef __cplusplus
}
#endif

#endif

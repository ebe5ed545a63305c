/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a driver hands to vtx_register(): one table, by one function. Two doors lead in:
 *
 *   run    the raw one: a thread function with a control socket; it may do anything
 *   store  the comfortable one for databases: a vtx::driver::Store (vtx/driver/store.hpp)
 *
 * A third, `wire`, is reserved for networks. Exactly one of them is set.
 */
#ifndef VTX_DRIVER_DRIVER_H_INCLUDED
#define VTX_DRIVER_DRIVER_H_INCLUDED

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VTX_DRIVER_ABI_VERSION 1

/* The structs of this header only grow at the end; struct_size says how much of one is there. */
typedef struct vtx_driver_t {
  uint32_t abi_version;  /* VTX_DRIVER_ABI_VERSION */
  uint32_t struct_size;  /* sizeof (vtx_driver_t) */

  /* Names of the URI options that belong to the driver, ended by NULL; they are part of a store's address. NULL: none. */
  const char *const *options;

  /*
   * Raw door. Runs in a thread of its own until the control socket (a ZMQ_PAIR, owned by the caller) says STOP.
   * Requests, as multipart messages of text frames:
   *   ATTACH   link  type  bind|connect  endpoint  inproc    connect a counterpart for a socket of `type` (ZMQ_PUSH's number, …) to `inproc`
   *   DETACH   link                                          take what is still in the pipe, finish it, close the counterpart
   *   FLUSH    link                                          answer when all that was sent is where it should be
   *   STOP                                                   close everything and return
   * Each but STOP is answered in any order by: verb  link  errno ("0": done)  sentence.
   */
  void (*run) (void *zmq_context, void *control);

  /* Store door. Returns a new vtx::driver::Store, as void *, which the caller deletes; NULL when out of memory. Any thread. */
  void *(*store) (void);

  /* Reserved, NULL. */
  void *(*wire) (void);
} vtx_driver_t;

/* What a driver's public header declares as vtx_NAME_driver. The table lives as long as the process. */
typedef const vtx_driver_t *(*vtx_driver_fn) (void);

/* The symbol, of type vtx_driver_fn, that vtx_load() looks up in a plug-in; and the scheme it registers. */
#define VTX_PLUGIN_SYMBOL "vtx_plugin_driver"
#define VTX_PLUGIN_SCHEME_SYMBOL "vtx_plugin_scheme" /* const char[] */

#ifdef __cplusplus
}
#endif

#endif

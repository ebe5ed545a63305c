/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A C program on VTX: push_pull ENDPOINT [PLUGIN]. Three messages go through the endpoint and come back in order.
 * It is the proof that the installed headers and libraries are all that a program needs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vtx/all.h>
#include <zmq.h>

static void check (int good, const char *what)
{
  if (good)
    return;
  fprintf (stderr, "%s: %s (%s)\n", what, vtx_last_error (), zmq_strerror (zmq_errno ()));
  exit (1);
}

static void *open_socket (vtx_t *vtx, int type)
{
  const int patience_ms = 20000;
  void *socket = vtx_socket (vtx, type);
  check (socket != NULL, "vtx_socket");
  check (zmq_setsockopt (socket, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms) == 0, "ZMQ_RCVTIMEO");
  check (zmq_setsockopt (socket, ZMQ_SNDTIMEO, &patience_ms, sizeof patience_ms) == 0, "ZMQ_SNDTIMEO");
  return socket;
}

int main (int argc, char **argv)
{
  static const char *const messages[] = {"one", "", "three"};
  const size_t count = sizeof messages / sizeof *messages;
  int major, minor;
  size_t i;
  void *context, *push, *pull;
  vtx_t *vtx;

  if (argc < 2) {
    fprintf (stderr, "usage: %s ENDPOINT [PLUGIN]\n", argv[0]);
    return 2;
  }
  vtx_version (&major, &minor, NULL);
  check (major == VTX_VERSION_MAJOR && minor == VTX_VERSION_MINOR, "header and library differ");

  context = zmq_ctx_new ();
  vtx = vtx_new (context);
  check (vtx != NULL, "vtx_new");
  check (vtx_register_all (vtx) == 0, "vtx_register_all");
  if (argc > 2)
    check (vtx_load (vtx, argv[2]) == 0, "vtx_load");

  push = open_socket (vtx, ZMQ_PUSH);
  check (vtx_connect (vtx, push, argv[1]) == 0, "vtx_connect PUSH");
  for (i = 0; i < count; ++i)
    check (zmq_send (push, messages[i], strlen (messages[i]), 0) >= 0, "zmq_send");
  check (vtx_flush (vtx, push, 20000) == 0, "vtx_flush");

  pull = open_socket (vtx, ZMQ_PULL);
  check (vtx_bind (vtx, pull, argv[1]) == 0, "vtx_bind PULL");
  for (i = 0; i < count; ++i) {
    char buffer[16];
    int size = zmq_recv (pull, buffer, sizeof buffer, 0);
    check (size == (int) strlen (messages[i]) && memcmp (buffer, messages[i], (size_t) size) == 0, "zmq_recv");
  }

  check (vtx_close (vtx, push) == 0 && vtx_close (vtx, pull) == 0, "vtx_close");
  check (vtx_destroy (&vtx) == 0 && vtx == NULL, "vtx_destroy");
  check (zmq_ctx_term (context) == 0, "zmq_ctx_term");
  printf ("%s: %u messages there and back\n", argv[1], (unsigned) count);
  return 0;
}

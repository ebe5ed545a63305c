/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Somebody else's driver, in C, by the raw door: `loop:NAME` hands what PUSH sockets send to the PULL sockets of the same
 * endpoint, within the process. Nothing is stored: messages wait in their sender's pipe until a receiver can take them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vtx/driver/driver.h>
#include <vtx/export.h>
#include <zmq.h>

enum { MAX_LINKS = 32, MAX_FRAMES = 6, TEXT = 256 };

struct link {
  char id[TEXT], endpoint[TEXT];
  void *socket; /* NULL: free */
  int sender;   /* the application sends here */
};

struct driver {
  void *context, *control;
  struct link links[MAX_LINKS];
};

static struct link *find_link (struct driver *driver, const char *id)
{
  for (int i = 0; i < MAX_LINKS; ++i)
    if (driver->links[i].socket && strcmp (driver->links[i].id, id) == 0)
      return &driver->links[i];
  return NULL;
}

static struct link *receiver_of (struct driver *driver, const struct link *sender)
{
  for (int i = 0; i < MAX_LINKS; ++i) {
    struct link *link = &driver->links[i];
    if (link->socket && !link->sender && strcmp (link->endpoint, sender->endpoint) == 0)
      return link;
  }
  return NULL;
}

static int writable (const struct link *link)
{
  int events = 0;
  size_t size = sizeof events;
  return zmq_getsockopt (link->socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLOUT);
}

/* Hands on what is there and fits. A message is whole when its first frame is there, and a socket takes a whole one. */
static void pump (struct driver *driver, const struct link *sender)
{
  struct link *receiver = receiver_of (driver, sender);
  while (receiver && writable (receiver)) {
    int more = 1;
    while (more) {
      zmq_msg_t frame;
      zmq_msg_init (&frame);
      if (zmq_msg_recv (&frame, sender->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close (&frame);
        return;
      }
      more = zmq_msg_more (&frame);
      if (zmq_msg_send (&frame, receiver->socket, more ? ZMQ_SNDMORE : 0) < 0)
        zmq_msg_close (&frame);
    }
  }
}

static void answer (struct driver *driver, const char *verb, const char *id, int error, const char *sentence)
{
  char number[16];
  snprintf (number, sizeof number, "%d", error);
  zmq_send (driver->control, verb, strlen (verb), ZMQ_SNDMORE);
  zmq_send (driver->control, id, strlen (id), ZMQ_SNDMORE);
  zmq_send (driver->control, number, strlen (number), ZMQ_SNDMORE);
  zmq_send (driver->control, sentence, strlen (sentence), 0);
}

/* frames: ATTACH link type bind|connect endpoint inproc */
static void attach (struct driver *driver, char frames[MAX_FRAMES][TEXT])
{
  const int one = 1, type = atoi (frames[2]), sender = type == ZMQ_PUSH;
  struct link *link = driver->links;
  if (!sender && type != ZMQ_PULL) {
    answer (driver, frames[0], frames[1], ENOTSUP, "loop: carries PUSH and PULL only");
    return;
  }
  while (link != driver->links + MAX_LINKS && link->socket)
    ++link;
  if (link == driver->links + MAX_LINKS) {
    answer (driver, frames[0], frames[1], EMFILE, "loop: has no room for another link");
    return;
  }
  strcpy (link->id, frames[1]);
  strcpy (link->endpoint, frames[4]);
  link->sender = sender;
  link->socket = zmq_socket (driver->context, sender ? ZMQ_DEALER : ZMQ_PUSH);
  zmq_setsockopt (link->socket, ZMQ_RCVHWM, &one, sizeof one);
  zmq_setsockopt (link->socket, ZMQ_SNDHWM, &one, sizeof one);
  if (zmq_connect (link->socket, frames[5]) != 0) {
    const int error = zmq_errno ();
    zmq_close (link->socket);
    link->socket = NULL;
    answer (driver, frames[0], frames[1], error, "loop: cannot reach the application's socket");
    return;
  }
  answer (driver, frames[0], frames[1], 0, "");
}

static void detach (struct driver *driver, char frames[MAX_FRAMES][TEXT])
{
  struct link *link = find_link (driver, frames[1]);
  if (link) {
    if (link->sender)
      pump (driver, link);
    zmq_close (link->socket);
    link->socket = NULL;
  }
  answer (driver, frames[0], frames[1], link ? 0 : ENOENT, link ? "" : "loop: no such link");
}

/* Obeys one request; 0 when it was STOP. */
static int obey (struct driver *driver)
{
  char frames[MAX_FRAMES][TEXT];
  int count = 0, more = 1;
  memset (frames, 0, sizeof frames);
  while (more) {
    size_t size = sizeof more;
    char text[TEXT] = "";
    if (zmq_recv (driver->control, text, TEXT - 1, 0) < 0)
      return 0;
    if (count < MAX_FRAMES)
      memcpy (frames[count++], text, TEXT);
    zmq_getsockopt (driver->control, ZMQ_RCVMORE, &more, &size);
  }
  if (strcmp (frames[0], "STOP") == 0)
    return 0;
  if (strcmp (frames[0], "ATTACH") == 0)
    attach (driver, frames);
  else if (strcmp (frames[0], "DETACH") == 0)
    detach (driver, frames);
  else /* FLUSH: nothing here is ever more durable than it is in the pipe */
    answer (driver, frames[0], frames[1], 0, "");
  return 1;
}

/* Waits for a request, for a message that a receiver could take, or for room with a receiver that a message waits for. */
static void wait_for_work (struct driver *driver)
{
  zmq_pollitem_t items[MAX_LINKS + 1];
  int count = 1;
  memset (items, 0, sizeof items);
  items[0].socket = driver->control;
  items[0].events = ZMQ_POLLIN;
  for (int i = 0; i < MAX_LINKS; ++i) {
    struct link *sender = &driver->links[i];
    struct link *receiver = sender->socket && sender->sender ? receiver_of (driver, sender) : NULL;
    if (!receiver)
      continue;
    items[count].socket = writable (receiver) ? sender->socket : receiver->socket;
    items[count].events = items[count].socket == sender->socket ? ZMQ_POLLIN : ZMQ_POLLOUT;
    ++count;
  }
  zmq_poll (items, count, -1);
}

static int control_has_request (struct driver *driver)
{
  zmq_pollitem_t item = {driver->control, 0, ZMQ_POLLIN, 0};
  return zmq_poll (&item, 1, 0) > 0;
}

static void run (void *context, void *control)
{
  struct driver driver;
  int running = 1;
  memset (&driver, 0, sizeof driver);
  driver.context = context;
  driver.control = control;
  while (running) {
    wait_for_work (&driver);
    while (running && control_has_request (&driver))
      running = obey (&driver);
    for (int i = 0; i < MAX_LINKS; ++i)
      if (driver.links[i].socket && driver.links[i].sender)
        pump (&driver, &driver.links[i]);
  }
  for (int i = 0; i < MAX_LINKS; ++i)
    if (driver.links[i].socket)
      zmq_close (driver.links[i].socket);
}

VTX_EXPORT const char vtx_plugin_scheme[] = "loop";
VTX_EXPORT const vtx_driver_t *vtx_plugin_driver (void);

const vtx_driver_t *vtx_plugin_driver (void)
{
  static const vtx_driver_t driver = {VTX_DRIVER_ABI_VERSION, sizeof (vtx_driver_t), NULL, run, NULL, NULL};
  return &driver;
}

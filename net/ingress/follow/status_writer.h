/* Statuses of objects, written one after the other: of one object only the newest counts. What fails is tried again
 * after a pause; an object that is gone or has changed since is somebody else's event, and what is
 * refused as wrong is not said again. Loop's thread. */
#ifndef K3X_NET_INGRESS_FOLLOW_STATUS_WRITER_H
#define K3X_NET_INGRESS_FOLLOW_STATUS_WRITER_H

#include "api/client/client.h"

struct status_writer;

struct status_writer *status_writer_new(struct client *client);
/* path: of the status; body: a merge patch. Both are copied. */
void status_writer_put(struct status_writer *w, const char *path, struct slice body);
void status_writer_close(struct status_writer *w, void (*closed)(void *arg), void *arg);

#endif

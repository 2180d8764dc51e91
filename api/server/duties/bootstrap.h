/* Making the objects every cluster has. See bootstrap.c. */
#ifndef K3X_API_SERVER_DUTIES_BOOTSTRAP_H
#define K3X_API_SERVER_DUTIES_BOOTSTRAP_H

#include "base/err.h"

struct api_server;

void bootstrap_run(struct api_server *s, void (*done)(void *arg, const struct err *err), void *arg);

#endif

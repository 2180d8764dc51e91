/* Making the objects every cluster has. See bootstrap.c. */
#ifndef K3X_API_SERVER_BOOTSTRAP_INT_H
#define K3X_API_SERVER_BOOTSTRAP_INT_H

#include "api/server/server_int.h"

void bootstrap_run(struct api_server *s, void (*done)(void *arg, const struct err *err), void *arg);

#endif

/* The scheduler: gives pods that ask for it, by the name of one of its profiles, and have no node one.
 *
 * See README.md for the filters and scores. All functions on the client's loop. */
#ifndef K3X_API_SCHEDULER_SCHEDULER_H
#define K3X_API_SCHEDULER_SCHEDULER_H

#include "api/client/client.h"
#include "api/client/informer_set.h"
#include "api/scheduler/configuration.h"

struct scheduler;

struct scheduler_options {
	struct client *client;                               /* borrowed: binds, writes conditions and events */
	struct informer_set *informers;                      /* borrowed */
	const struct scheduler_configuration *configuration; /* borrowed; NULL: the default */
};

/* Acts once the informers are synced. Options are copied. */
struct scheduler *scheduler_new(const struct scheduler_options *options);
void scheduler_close(struct scheduler *s, void (*closed)(void *arg), void *arg);

#endif

/* A watcher: one process of a workload that follows all changes below a prefix and records every response.
 *
 *     no stream --watcher_step()--> WATCH asked --created--> following --cancelled, cut or left--> no stream
 *
 * A stream is followed as fast as events come: held to the rate of requests, a watcher would see so many responses a
 * second and no more, and fall behind whatever the server does. Some are slow on purpose, for the server has to put up
 * with that; in the end all are fast, or they would never arrive.
 *
 * It resumes where it was: behind the last event, or behind a progress notification; at the compacted revision when it
 * was told that what it wanted is gone. After a cut it goes to the same or to another server. */
#ifndef K3X_JEPSEN_WATCHER_H
#define K3X_JEPSEN_WATCHER_H

#include "jepsen/workload.h"

struct watcher {
	const char *prefix;
	int64_t next; /* the first revision it has not seen */
	struct client_stream *stream;
	/* Told of each response with events, after it was recorded; may be NULL. */
	void (*on_events)(struct worker *w, const Etcdpb__WatchResponse *response);
	bool is_slow;      /* this stream is read at the rate of requests while there is load */
	bool is_compacted; /* it was told that `next` is gone: whoever keeps a cache has to list anew */
};

/* Opens the stream if there is none; otherwise takes what comes within a moment. */
void watcher_step(struct worker *w, struct watcher *v);
/* Is the next step due at once, rather than at the run's rate? */
bool watcher_goes_on(const struct watcher *v, bool is_final);
/* Leaves the stream. */
void watcher_stop(struct watcher *v);

#endif

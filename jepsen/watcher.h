/* A watcher: one process of a workload that follows all changes below a prefix and records every response.
 *
 *     no stream --watcher_step()--> WATCH asked --created--> following --cancelled, cut or left--> no stream
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
	bool is_compacted; /* it was told that `next` is gone: whoever keeps a cache has to list anew */
};

/* Opens the stream if there is none; otherwise takes what comes within a moment. */
void watcher_step(struct worker *w, struct watcher *v);
/* Leaves the stream. */
void watcher_stop(struct watcher *v);

#endif

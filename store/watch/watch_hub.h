/* The watch hub: committed events go in once, any number of watchers read them. See watch_hub.c. */
#ifndef K3X_STORE_WATCH_WATCH_HUB_H
#define K3X_STORE_WATCH_WATCH_HUB_H

#include "base/mem/list.h"
#include "store/machine/memory/event_block.h"
#include "store/machine/read/range.h"

#include <pthread.h>

/* The type of request a watch hands to a reader thread when it must be caught up from disk. */
enum { STORE_REQUEST_WATCH_CATCH_UP_ = 100 };

struct watch_hub {
	pthread_mutex_t lock;
	struct event_block **ring; /* cap slots, oldest at `first` */
	size_t first, n, cap;
	size_t bytes, bytes_max;
	int64_t floor;    /* all events after this revision are in the ring */
	int64_t revision; /* newest published */
	int64_t compacted;
	struct list_link loops; /* of struct hub_loop */
	atomic_int watches;
	atomic_int prev_watches; /* those that want previous pairs */
	void (*catch_up)(void *arg, struct store_request *job);
	void *arg;
};

/* `catch_up` gets jobs for a reader thread, which calls watch_catch_up() with them. */
void watch_hub_init(struct watch_hub *h, const struct meta *meta, size_t bytes_max,
        void (*catch_up)(void *arg, struct store_request *job), void *arg);
void watch_hub_release(struct watch_hub *h); /* all watches are closed */

/* After a commit: takes the reference to the block (NULL: no events). Writer thread. */
void watch_hub_publish(struct watch_hub *h, struct event_block *block, const struct meta *meta);

/* The database was replaced by a newer one: what happened between is read from disk. Writer thread. */
void watch_hub_reset(struct watch_hub *h, const struct meta *meta);

struct store_watch *watch_open(struct watch_hub *h, const struct store_watch_options *options, struct loop *loop,
        void (*ready)(void *arg), void *arg);
int watch_read(struct store_watch *w, struct store_watch_batch *out, struct err *err);
void watch_close(struct store_watch *w, void (*closed)(void *arg), void *arg);

/* Reader thread, with a view that is no older than the last publish; NULL when the engine stops or there is none: then
 * the job only goes back, with the error. */
void watch_catch_up(struct store_request *job, struct store_view *v, const struct err *failed);

#endif

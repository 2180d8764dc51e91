/* Messages into a loop from any thread.
 *
 * An intrusive multi-producer, single-consumer list and one uv_async_t, rung only when the list was empty. Messages are
 * embedded in what they are about, so sending allocates nothing; ownership moves with the message. The consumer drains
 * in batches, in sending order (per producer), on its loop's thread. A mailbox is bounded: mailbox_send() says no when
 * it is full, and the edge of the house turns that into 429 or UNAVAILABLE. */
#ifndef K3X_BASE_RT_MAILBOX_H
#define K3X_BASE_RT_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

struct mail {
	struct mail *next;
};

struct mailbox {
	_Atomic(struct mail *) head; /* newest first */
	atomic_uint count;
	unsigned limit;
	uv_async_t bell;
	void (*deliver)(struct mailbox *mb, struct mail *first);
	void (*on_closed)(struct mailbox *mb);
};

/* `deliver` gets a list of one or more messages, oldest first, on the loop's thread; it must read `next` before it
 * gives a message away. Call on the loop's thread, or before it runs. limit 0 means no limit (messages that answer
 * something bounded elsewhere). Errors: none, the process stops when no descriptor is left for the bell. */
void mailbox_init(
        struct mailbox *mb, uv_loop_t *uv, unsigned limit, void (*deliver)(struct mailbox *mb, struct mail *first));

/* Any thread. False when the mailbox is full: the message still belongs to the caller. */
bool mailbox_send(struct mailbox *mb, struct mail *m);

/* For messages that cannot be refused: completions of requests that were let in. */
void mailbox_post(struct mailbox *mb, struct mail *m);

/* Loop's thread. Nobody may send any more. What is still queued is delivered first; on_closed may be NULL. */
void mailbox_close(struct mailbox *mb, void (*on_closed)(struct mailbox *mb));

#endif

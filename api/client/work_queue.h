/* Work queues: what a controller has to look at again, by key, each key once.
 *
 * Adding a key that waits already does nothing; a key that is added while it is being worked on is worked on once more
 * after. At most `workers` keys are worked on at once, each by one struct work, whose API calls run in the background:
 *
 *     run(work) --> work_send() ... --> answers --> done callbacks, which may send more --> nothing outstanding:
 * finished
 *
 * When a call failed (and its callback did not forgive it) or work_fail() was called, the key comes again after 5 ms,
 * 10 ms, ... up to 1000 s; success forgets the failures. work_again() asks for another look after a time.
 * Everything on the client's loop. Nothing ticks: a timer is set only while keys wait for a time. */
#ifndef K3X_API_CLIENT_WORK_QUEUE_H
#define K3X_API_CLIENT_WORK_QUEUE_H

#include "api/client/client.h"
#include "base/json/json.h"

struct work_queue;
struct work;

struct work_queue_options {
	const char *name;      /* for the log; static */
	struct client *client; /* calls go through it */
	unsigned workers;      /* keys worked on at once; 0: 8 */
	void (*run)(struct work *w);
	void *arg;
	bool quiet; /* failures are expected: log them at debug level only */
};

/* Nothing runs before work_queue_start(). Options are copied. */
struct work_queue *work_queue_new(const struct work_queue_options *options);
void work_queue_start(struct work_queue *q);
/* Cancels what is outstanding; callbacks of calls no longer run. closed(arg) when the memory is gone. */
void work_queue_close(struct work_queue *q, void (*closed)(void *arg), void *arg);

void work_queue_add(struct work_queue *q, struct slice key); /* copied */
/* Not before this time; an earlier date that is set already stays. */
void work_queue_add_after(struct work_queue *q, struct slice key, uint64_t ms);
size_t work_queue_len(const struct work_queue *q); /* keys known: waiting, delayed or worked on */

struct work {
	struct work_queue *queue;
	void *arg;                  /* the queue's */
	struct slice key, ns, name; /* "ns/name" cut in two; ns is empty for cluster scope */
	struct arena arena;         /* lives until the work is finished */
	void *data;                 /* the controller's own, NULL at first */
	/* the queue's own */
	unsigned outstanding;
	bool failed;
	struct err err;
	int64_t again_ms;
	struct list_link calls;
	struct list_link link;
	struct work_item *item;
};

struct work_call {
	struct client_request request; /* err and response are valid in done() */
	struct work *work;
	void (*done)(struct work_call *call); /* NULL: an error fails the work */
	void *arg;
	struct list_link link;
};

/* `body` is an object's tree (NULL: none) that is written at once; `path` must live in the work's arena or be static.
 * With `done` the callback decides: call work_fail(w, &call->request.err) for what is an error. Returns the call, so
 * that its arg can be set. */
struct work_call *work_send(struct work *w, const char *method, const char *path, const struct json *body,
        void (*done)(struct work_call *call));
/* The same with a body that is written already; it must live in the work's arena. */
struct work_call *work_send_text(
        struct work *w, const char *method, const char *path, struct slice body, void (*done)(struct work_call *call));
/* The text of a tree in the work's arena, for work_send_text(). */
struct slice work_text(struct work *w, const struct json *body);
/* PATCH with "application/merge-patch+json" or another type. */
struct work_call *work_patch(struct work *w, const char *path, const char *content_type, const struct json *body,
        void (*done)(struct work_call *call));
/* Ready-made callbacks: what is gone already is fine; what is gone or was changed meanwhile is somebody else's event.
 */
void work_done_ignore_missing(struct work_call *call);

/* The key is tried again, rate-limited. The first error is kept. */
void work_fail(struct work *w, const struct err *err);
/* Come again after ms, also when all went well; the earliest of several counts. */
void work_again(struct work *w, int64_t ms);

/* Something beside calls is under way (a file is read on a pool): the work is not over before work_let_go() was called
 * as often as this. When the queue is being closed meanwhile, work_let_go() is all that may still be called. */
void work_hold(struct work *w);
void work_let_go(struct work *w);
bool work_is_closing(const struct work *w);

static inline struct slice work_call_text(const struct work_call *c)
{
	return c->request.response ? (struct slice){c->request.response->data, c->request.response->len} : SLICE_NULL;
}

#endif

/* A libuv loop, the thread that owns it, and a way to run a function there.
 *
 * One loop per subsystem, one owner per piece of state: objects that belong to a loop assert LOOP_CHECK_OWNER() on
 * entry, so that a call from the wrong thread dies at once instead of racing. Nothing may block a loop. */
#ifndef K3X_BASE_RT_LOOP_H
#define K3X_BASE_RT_LOOP_H

#include "base/check.h"
#include "base/mem/list.h"
#include "base/rt/mailbox.h"

#include <pthread.h>

/* Work for a loop, embedded in whatever it is about. */
struct loop_task {
	struct mail mail;
	void (*run)(struct loop_task *t);
};

/* Work for the end of the loop's turn: what many callbacks of one turn ask for is done once. */
struct loop_defer {
	struct list_link link;
	void (*run)(struct loop_defer *d);
};

struct loop {
	uv_loop_t uv;
	struct list_link deferred;
	uv_prepare_t before_poll;
	uv_check_t after_poll;
	uv_idle_t no_sleep; /* active while something is deferred */
	char *io_buffer;    /* LOOP_IO_BUFFER_BYTES for reads, made on first use */
	struct mailbox tasks;
	pthread_t owner;  /* written by the thread that runs it, before `owned` */
	pthread_t thread; /* of loop_start_thread(), for the join */
	atomic_bool owned;
	const char *name;
	bool stopping;
};

/* `name` (at most 15 bytes, static) becomes the thread's name. */
void loop_init(struct loop *l, const char *name);

/* Runs on the calling thread until loop_stop() was called and every handle has closed. */
void loop_run(struct loop *l);

/* For programs that wait for one thing at a time: the calling thread becomes the owner, and runs one turn, which sleeps
 * until something happens. Such a loop ends with loop_stop() and loop_run(). */
void loop_own(struct loop *l);
void loop_turn(struct loop *l);

/* Starts a thread that runs the loop; joins it. The thread keeps signals blocked. */
void loop_start_thread(struct loop *l);
void loop_join(struct loop *l);

/* Any thread: t->run(t) is called on the loop's thread. t must stay valid until then. */
void loop_post(struct loop *l, struct loop_task *t);

/* Any thread: runs fn(arg) on the loop's thread and waits for it. Not from the loop itself. For starting and stopping
 * only. */
void loop_call(struct loop *l, void (*fn)(void *arg), void *arg);

/* Loop's thread (or before it runs): d->run(d) is called once, before the loop next sleeps, never from inside this
 * call. Nothing happens when d is queued already. d was prepared with loop_defer_init(). */
void loop_defer_init(struct loop_defer *d, void (*run)(struct loop_defer *d));
void loop_defer(struct loop *l, struct loop_defer *d);
void loop_defer_cancel(struct loop_defer *d);

/* Loop's thread: one buffer that read callbacks may share, since they use it up before they return. */
enum { LOOP_IO_BUFFER_BYTES = 64 * 1024 };
char *loop_io_buffer(struct loop *l);

/* Loop's thread: no further tasks are taken; loop_run() returns when the other handles are closed. Their owners close
 * them, before or after this. */
void loop_stop(struct loop *l);

/* After loop_run() has returned. */
void loop_release(struct loop *l);

uv_loop_t *loop_uv(struct loop *l);
bool loop_is_current(struct loop *l);

#define LOOP_CHECK_OWNER(l) CHECK(loop_is_current(l))

/* Monotonic milliseconds, cached per turn of the loop. */
uint64_t loop_now_ms(struct loop *l);

#endif

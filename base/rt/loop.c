/* See loop.h. */
#include "base/rt/loop.h"

#include "base/mem/arena.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>

static void run_tasks(struct mailbox *mb, struct mail *first)
{
	(void)mb;
	while (first) {
		struct loop_task *t = CONTAINER_OF(first, struct loop_task, mail);
		first = first->next;
		t->run(t);
	}
}

static void never_sleep(uv_idle_t *idle)
{
	(void)idle;
}

/* Runs what is queued now; what it queues in turn waits for the next round (prepare, poll without sleep, check), so
 * that I/O is not starved. */
static void run_deferred(struct loop *l)
{
	struct list_link batch;
	if (list_empty(&l->deferred)) {
		uv_idle_stop(&l->no_sleep); /* what was queued may have been cancelled */
		return;
	}
	list_init(&batch);
	list_add_before(&l->deferred, &batch); /* the old head leaves, its elements now hang on `batch` */
	list_del(&l->deferred);
	for (struct list_link *it; (it = list_pop_front(&batch)) != NULL;) {
		struct loop_defer *d = CONTAINER_OF(it, struct loop_defer, link);
		d->run(d);
	}
	if (list_empty(&l->deferred))
		uv_idle_stop(&l->no_sleep);
}

static void before_poll(uv_prepare_t *h)
{
	run_deferred(h->data);
}

static void after_poll(uv_check_t *h)
{
	run_deferred(h->data);
}

static void init_deferred(struct loop *l)
{
	list_init(&l->deferred);
	l->before_poll.data = l->after_poll.data = l;
	uv_prepare_init(&l->uv, &l->before_poll);
	uv_check_init(&l->uv, &l->after_poll);
	uv_idle_init(&l->uv, &l->no_sleep);
	uv_prepare_start(&l->before_poll, before_poll);
	uv_check_start(&l->after_poll, after_poll);
	uv_unref((uv_handle_t *)&l->before_poll);
	uv_unref((uv_handle_t *)&l->after_poll);
}

void loop_defer_init(struct loop_defer *d, void (*run)(struct loop_defer *d))
{
	list_init(&d->link);
	d->run = run;
}

void loop_defer(struct loop *l, struct loop_defer *d)
{
	if (list_linked(&d->link))
		return;
	if (list_empty(&l->deferred))
		uv_idle_start(&l->no_sleep, never_sleep);
	list_push_back(&l->deferred, &d->link);
}

void loop_defer_cancel(struct loop_defer *d)
{
	list_del(&d->link);
}

char *loop_io_buffer(struct loop *l)
{
	if (!l->io_buffer)
		l->io_buffer = xmalloc(LOOP_IO_BUFFER_BYTES);
	return l->io_buffer;
}

void loop_init(struct loop *l, const char *name)
{
	*l = (struct loop){.name = name};
	int rc = uv_loop_init(&l->uv);
	CHECK(rc == 0);
	l->uv.data = l;
	init_deferred(l);
	mailbox_init(&l->tasks, &l->uv, 0, run_tasks);
}

void loop_own(struct loop *l)
{
	l->owner = pthread_self();
	atomic_store(&l->owned, true);
}

void loop_turn(struct loop *l)
{
	LOOP_CHECK_OWNER(l);
	uv_run(&l->uv, UV_RUN_ONCE);
}

void loop_run(struct loop *l)
{
	loop_own(l);
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

static void *thread_main(void *arg)
{
	struct loop *l = arg;
	pthread_setname_np(pthread_self(), l->name);
	loop_run(l);
	return NULL;
}

void loop_start_thread(struct loop *l)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&l->thread, NULL, thread_main, l);
	CHECK(rc == 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void loop_join(struct loop *l)
{
	int rc = pthread_join(l->thread, NULL);
	CHECK(rc == 0);
}

void loop_post(struct loop *l, struct loop_task *t)
{
	mailbox_post(&l->tasks, &t->mail);
}

struct blocking_call {
	struct loop_task task;
	void (*fn)(void *arg);
	void *arg;
	uv_sem_t done;
};

static void blocking_call_run(struct loop_task *t)
{
	struct blocking_call *c = CONTAINER_OF(t, struct blocking_call, task);
	c->fn(c->arg);
	uv_sem_post(&c->done);
}

void loop_call(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct blocking_call c = {.task.run = blocking_call_run, .fn = fn, .arg = arg};
	CHECK(!loop_is_current(l));
	CHECK(uv_sem_init(&c.done, 0) == 0);
	loop_post(l, &c.task);
	uv_sem_wait(&c.done);
	uv_sem_destroy(&c.done);
}

void loop_stop(struct loop *l)
{
	LOOP_CHECK_OWNER(l);
	if (l->stopping)
		return;
	l->stopping = true;
	mailbox_close(&l->tasks, NULL);
}

void loop_release(struct loop *l)
{
	CHECK(list_empty(&l->deferred));
	uv_close((uv_handle_t *)&l->before_poll, NULL);
	uv_close((uv_handle_t *)&l->after_poll, NULL);
	uv_close((uv_handle_t *)&l->no_sleep, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	int rc = uv_loop_close(&l->uv);
	CHECK(rc == 0);
	free(l->io_buffer);
}

uv_loop_t *loop_uv(struct loop *l)
{
	return &l->uv;
}

bool loop_is_current(struct loop *l)
{
	return atomic_load(&l->owned) && pthread_equal(l->owner, pthread_self());
}

uint64_t loop_now_ms(struct loop *l)
{
	return uv_now(&l->uv);
}

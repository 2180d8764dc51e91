/* Loops, mailboxes and the pool, with real threads. */
#include "tests/unit/unit.h"

#include "base/rt/pool.h"

enum { PRODUCERS = 4, EACH = 20000 };

static void stop(void *arg)
{
	loop_stop(arg);
}

static void finish(struct loop *l)
{
	loop_call(l, stop, l);
	loop_join(l);
	loop_release(l);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

static void a_call_has_run_when_it_returns(void **state)
{
	struct loop l;
	bool ran = false;
	loop_init(&l, "test");
	loop_start_thread(&l);
	assert_false(loop_is_current(&l));
	loop_call(&l, set_flag, &ran);
	assert_true(ran);
	finish(&l);
}

struct numbered {
	struct mail mail;
	unsigned producer, number;
};

struct inbox {
	struct mailbox box;
	unsigned next[PRODUCERS];
	unsigned total;
	uv_sem_t done;
};

static void deliver(struct mailbox *mb, struct mail *first)
{
	struct inbox *in = CONTAINER_OF(mb, struct inbox, box);
	for (struct mail *m = first, *next; m; m = next) {
		next = m->next;
		struct numbered *n = CONTAINER_OF(m, struct numbered, mail);
		CHECK(in->next[n->producer]++ == n->number);
		if (++in->total == PRODUCERS * EACH)
			uv_sem_post(&in->done);
	}
}

static struct inbox inbox;
static struct numbered mails[PRODUCERS][EACH];

static void *produce(void *arg)
{
	unsigned p = (unsigned)(uintptr_t)arg;
	for (unsigned i = 0; i < EACH; i++) {
		mails[p][i] = (struct numbered){.producer = p, .number = i};
		mailbox_post(&inbox.box, &mails[p][i].mail);
	}
	return NULL;
}

static void open_inbox(void *arg)
{
	mailbox_init(&inbox.box, loop_uv(arg), 0, deliver);
}

static void close_inbox(void *arg)
{
	mailbox_close(&inbox.box, NULL);
}

static void mail_of_each_producer_comes_in_order_and_none_is_lost(void **state)
{
	struct loop l;
	pthread_t threads[PRODUCERS];
	loop_init(&l, "test");
	uv_sem_init(&inbox.done, 0);
	loop_start_thread(&l);
	loop_call(&l, open_inbox, &l);
	for (uintptr_t p = 0; p < PRODUCERS; p++)
		pthread_create(&threads[p], NULL, produce, (void *)p);
	for (unsigned p = 0; p < PRODUCERS; p++)
		pthread_join(threads[p], NULL);
	uv_sem_wait(&inbox.done);
	assert_int_equal(inbox.total, PRODUCERS * EACH);
	loop_call(&l, close_inbox, NULL);
	uv_sem_destroy(&inbox.done);
	finish(&l);
}

struct deferred {
	struct loop_defer defer;
	struct loop *loop;
	unsigned runs;
	bool again;
	uv_sem_t done;
};

static void run_deferred(struct loop_defer *d)
{
	struct deferred *f = CONTAINER_OF(d, struct deferred, defer);
	f->runs++;
	if (f->again) {
		f->again = false;
		loop_defer(f->loop, d);
		return;
	}
	uv_sem_post(&f->done);
}

static void defer_twice(void *arg)
{
	struct deferred *f = arg;
	loop_defer(f->loop, &f->defer);
	loop_defer(f->loop, &f->defer);
	CHECK(f->runs == 0); /* never from inside */
}

static void deferred_work_runs_once_and_may_ask_again(void **state)
{
	struct loop l;
	struct deferred f = {.loop = &l, .again = true};
	loop_init(&l, "test");
	loop_defer_init(&f.defer, run_deferred);
	uv_sem_init(&f.done, 0);
	loop_start_thread(&l);
	loop_call(&l, defer_twice, &f);
	uv_sem_wait(&f.done);
	assert_int_equal(f.runs, 2);
	uv_sem_destroy(&f.done);
	finish(&l);
}

struct job {
	struct pool_work work;
	bool worked;
	uv_sem_t *done;
};

static void work(struct pool_work *w)
{
	CONTAINER_OF(w, struct job, work)->worked = true;
}

static void job_done(struct pool_work *w)
{
	struct job *j = CONTAINER_OF(w, struct job, work);
	CHECK(j->worked && loop_is_current(w->loop));
	uv_sem_post(j->done);
}

static void the_pool_does_all_it_took_and_refuses_beyond_its_queue(void **state)
{
	struct loop l;
	struct job jobs[200] = {0};
	uv_sem_t done;
	unsigned taken = 0;
	uv_sem_init(&done, 0);
	loop_init(&l, "test");
	loop_start_thread(&l);
	struct pool *p = pool_new("pool", 2, 100);
	for (unsigned i = 0; i < 200; i++) {
		jobs[i].done = &done;
		taken += pool_submit(p, &jobs[i].work, &l, work, job_done);
	}
	assert_in_range(taken, 100, 200);
	for (unsigned i = 0; i < taken; i++)
		uv_sem_wait(&done);
	pool_free(p);
	finish(&l);
	uv_sem_destroy(&done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_call_has_run_when_it_returns),
	        cmocka_unit_test(mail_of_each_producer_comes_in_order_and_none_is_lost),
	        cmocka_unit_test(deferred_work_runs_once_and_may_ask_again),
	        cmocka_unit_test(the_pool_does_all_it_took_and_refuses_beyond_its_queue),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Shared informers over a client that is made up: who holds one keeps it, and what ends is not opened at once again. */
#include "tests/unit/unit.h"

#include "api/client/informer_set.h"

struct fake {
	struct client base;
	struct loop loop;
	struct informer_set *set;
	struct informer_handler first, second;
	struct shared_informer *informer;
	struct client_watch *open; /* NULL: none */
	int opens, opens_wanted, deleted, added;
	bool ends_at_once;
	struct loop_task start;
	uint64_t began_ms, took_ms;
};

static void end_watch(struct loop_task *t)
{
	struct client_watch *w = CONTAINER_OF(t, struct client_watch, task);
	struct fake *f = w->transport_data;
	struct err err = ERR_INIT;
	f->open = NULL;
	w->on_end(w, &err);
}

static void finish(struct fake *f);

static void fake_watch_open(struct client *c, struct client_watch *w)
{
	struct fake *f = (struct fake *)c;
	f->open = w;
	f->opens++;
	w->transport_data = f;
	w->task.run = end_watch;
	if (!f->ends_at_once)
		return;
	if (f->opens < f->opens_wanted) {
		loop_post(&f->loop, &w->task);
		return;
	}
	f->took_ms = loop_now_ms(&f->loop) - f->began_ms;
	finish(f);
}

static void fake_watch_close(struct client *c, struct client_watch *w)
{
	loop_post(&((struct fake *)c)->loop, &w->task);
}

static const struct client_vtable fake_vtable = {.watch_open = fake_watch_open, .watch_close = fake_watch_close};

static void closed(void *arg)
{
	loop_stop(&((struct fake *)arg)->loop);
}

static void finish(struct fake *f)
{
	informer_set_close(f->set, closed, f);
}

static void count_added(void *arg, struct informer_object *o)
{
	((struct fake *)arg)->added++;
}

static void count_deleted(void *arg, struct informer_object *o)
{
	((struct fake *)arg)->deleted++;
}

static void fake_init(struct fake *f)
{
	*f = (struct fake){.base = {&fake_vtable, &f->loop}};
	loop_init(&f->loop, "test");
	f->first = (struct informer_handler){.added = count_added, .deleted = count_deleted, .arg = f};
	f->second = f->first;
}

/* Two listen; one leaves, and the other goes on; when both have left the informer ends. */
static void leave_one_by_one(struct loop_task *t)
{
	struct fake *f = CONTAINER_OF(t, struct fake, start);
	f->set = informer_set_new(&f->base);
	f->informer = informer_set_get(f->set, "/apis/example.com/v1/foos");
	assert_ptr_equal(informer_set_get(f->set, "/apis/example.com/v1/foos"), f->informer);
	informer_set_listen(f->informer, &f->first);
	informer_set_listen(f->informer, &f->second);
	assert_non_null(f->open);
	f->open->on_event(f->open, "ADDED", SLICE("{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"5\"}}"), NULL);
	assert_int_equal(f->added, 2);
	informer_set_leave(f->informer, &f->first);
	assert_int_equal(f->deleted, 1);
	f->open->on_event(f->open, "ADDED", SLICE("{\"metadata\":{\"name\":\"b\",\"resourceVersion\":\"6\"}}"), NULL);
	assert_int_equal(f->added, 3);
	assert_int_equal(informer_count(shared_informer_base(f->informer)), 2);
	informer_set_leave(f->informer, &f->second);
	assert_int_equal(f->deleted, 3);
	f->informer = informer_set_get(f->set, "/apis/example.com/v1/foos"); /* a new one */
	assert_int_equal(f->opens, 2);
	finish(f);
}

static void an_informer_lives_as_long_as_somebody_has_it(void **state)
{
	struct fake f;
	fake_init(&f);
	f.start.run = leave_one_by_one;
	loop_post(&f.loop, &f.start);
	loop_run(&f.loop);
	loop_release(&f.loop);
}

static void begin(struct loop_task *t)
{
	struct fake *f = CONTAINER_OF(t, struct fake, start);
	f->began_ms = loop_now_ms(&f->loop);
	f->set = informer_set_new(&f->base);
	informer_set_get(f->set, "/api/v1/pods");
}

/* The pauses are at least 50, 100 and 200 ms: it was none. */
static void a_watch_that_ends_at_once_is_opened_after_a_pause(void **state)
{
	struct fake f;
	fake_init(&f);
	f.ends_at_once = true;
	f.opens_wanted = 4;
	f.start.run = begin;
	loop_post(&f.loop, &f.start);
	loop_run(&f.loop);
	loop_release(&f.loop);
	assert_int_equal(f.opens, 4);
	assert_true(f.took_ms >= 50 + 100 + 200 - 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_informer_lives_as_long_as_somebody_has_it),
	        cmocka_unit_test(a_watch_that_ends_at_once_is_opened_after_a_pause),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

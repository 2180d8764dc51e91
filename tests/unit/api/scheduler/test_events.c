/* What informers tell becomes changes of the cache and hints, over a client that is made up. All of a test runs in one
 * task of the loop; decisions are never made, since nothing is ever synced. */
#include "tests/unit/unit.h"

#include "api/scheduler/scheduler_int.h"

enum { WATCHES_MAX = 20 };

struct fake {
	struct client base;
	struct loop loop;
	struct informer_set *informers;
	struct scheduler *s;
	struct client_watch *watches[WATCHES_MAX];
	size_t n_watches;
	int revision;
	struct loop_task start;
	void (*test)(struct fake *f);
};

static void end_watch(struct loop_task *t)
{
	struct client_watch *w = CONTAINER_OF(t, struct client_watch, task);
	struct err err = ERR_INIT;
	w->on_end(w, &err);
}

static void fake_watch_open(struct client *c, struct client_watch *w)
{
	struct fake *f = (struct fake *)c;
	assert_true(f->n_watches < WATCHES_MAX);
	w->task.run = end_watch;
	f->watches[f->n_watches++] = w;
}

static void fake_watch_close(struct client *c, struct client_watch *w)
{
	loop_post(&((struct fake *)c)->loop, &w->task);
}

static const struct client_vtable vtable = {.watch_open = fake_watch_open, .watch_close = fake_watch_close};

static void event(struct fake *f, const char *type, const char *plural, const char *meta, const char *rest)
{
	char end[64], text[1024];
	snprintf(end, sizeof end, "/%s?", plural);
	snprintf(text, sizeof text, "{\"metadata\":{\"resourceVersion\":\"%d\",%s},%s}", ++f->revision, meta, rest);
	for (size_t i = 0; i < f->n_watches; i++)
		if (strstr(f->watches[i]->path, end))
			f->watches[i]->on_event(f->watches[i], type, slice_of(text), NULL);
}

#define POD "\"name\":\"p\",\"namespace\":\"d\""
#define NODE "\"name\":\"n\""
#define SPEC \
	"\"spec\":{\"schedulerName\":\"default-scheduler\",\"containers\":[{\"resources\":{\"requests\":{\"cpu\":" \
	"\"2\"}}}]"
#define ROOM(cpu) "\"status\":{\"allocatable\":{\"cpu\":\"" cpu "\",\"pods\":\"9\"},\"conditions\":["

/* It was tried, and lacks resources. */
static void refuse(struct fake *f, const char *key)
{
	struct candidate p;
	struct informer_object *o = informer_get(shared_informer_base(f->s->pods), slice_of(key));
	struct queued_pod *q = queue_pop(&f->s->queue);
	assert_true(q && slice_is(q->key, key));
	assert_true(candidate_read(&f->s->cache, &p, q->key, o->json));
	refused_put(&f->s->queue, q, &p, FILTER_FIT, 0);
	candidate_release(&p);
}

static bool waits(struct fake *f)
{
	return queue_find(&f->s->queue, SLICE("d/p"))->state == QUEUED_UNSCHEDULABLE;
}

static const struct node_info *the_node(struct fake *f)
{
	return map_get(&f->s->cache.nodes, SLICE("n"));
}

static void test_heartbeats(struct fake *f)
{
	event(f, "ADDED", "nodes", NODE, "\"spec\":{}," ROOM("1") "]}");
	event(f, "ADDED", "pods", POD, SPEC "}");
	refuse(f, "d/p");
	const struct taint *parsed = the_node(f)->taints;
	event(f, "MODIFIED", "nodes", NODE, "\"spec\":{}," ROOM("1") "{\"type\":\"Ready\"}]}");
	assert_ptr_equal(the_node(f)->taints, parsed); /* it was not even read anew */
	assert_true(waits(f));
	event(f, "MODIFIED", "nodes", NODE, "\"spec\":{\"unschedulable\":true}," ROOM("1") "]}");
	assert_true(waits(f));
	assert_true(the_node(f)->unschedulable);
	event(f, "MODIFIED", "nodes", NODE, "\"spec\":{}," ROOM("4") "]}");
	assert_false(waits(f));
}

static void test_room(struct fake *f)
{
	event(f, "ADDED", "nodes", NODE, "\"spec\":{}," ROOM("3") "]}");
	event(f, "ADDED", "pods", "\"name\":\"big\",\"namespace\":\"d\"", SPEC ",\"nodeName\":\"n\"}");
	event(f, "ADDED", "pods", POD, SPEC "}");
	refuse(f, "d/p");
	event(f, "MODIFIED", "pods", "\"name\":\"big\",\"namespace\":\"d\",\"labels\":{}", SPEC ",\"nodeName\":\"n\"}");
	assert_true(waits(f));
	event(f, "MODIFIED", "pods", "\"name\":\"big\",\"namespace\":\"d\"",
	        SPEC ",\"nodeName\":\"n\"},\"status\":{\"phase\":\"Succeeded\"}");
	assert_false(waits(f));
}

/* A binding that fails, a nomination that ends: nobody tells but we ourselves. */
static void test_own(struct fake *f)
{
	struct rcbuf *json = rcbuf_copy("{\"metadata\":{}," SPEC "}}", strlen("{\"metadata\":{}," SPEC "}}"));
	event(f, "ADDED", "nodes", NODE, "\"spec\":{}," ROOM("3") "]}");
	event(f, "ADDED", "pods", POD, SPEC "}");
	cache_pod_set(&f->s->cache, SLICE("d/assumed"), SLICE("n"), json, true);
	refuse(f, "d/p");
	scheduler_forget_pod(f->s, SLICE("d/assumed"));
	assert_false(waits(f));
	queue_remove(&f->s->queue, SLICE("d/p"));
	event(f, "MODIFIED", "pods", POD, SPEC "}");
	nominee_set(f->s, SLICE("d/vip"), SLICE("n"), json);
	refuse(f, "d/p");
	nominee_forget(f->s, SLICE("d/vip"), SLICE("n")); /* it is placed there */
	assert_true(waits(f));
	nominee_set(f->s, SLICE("d/vip"), SLICE("n"), json);
	nominee_forget(f->s, SLICE("d/vip"), SLICE_NULL);
	assert_false(waits(f));
	rcbuf_unref(json);
}

/* The constraints that a pod of a ReplicaSet gets, as text; "" for none. */
static void expect_spread(struct fake *f, const char *labels, const char *selector)
{
	struct candidate p;
	struct strbuf out = STRBUF_INIT;
	char text[400];
	snprintf(text, sizeof text,
	        "{\"metadata\":{" POD ",\"labels\":%s,\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":"
	        "\"ReplicaSet\",\"name\":\"rs\",\"controller\":true}]},\"spec\":{}}",
	        labels);
	struct rcbuf *json = rcbuf_copy(text, strlen(text));
	assert_true(candidate_read(&f->s->cache, &p, SLICE("d/p"), json));
	default_spread_give(f->s, &p);
	assert_int_equal(p.spreads_by_system, *selector != 0);
	if (p.spread)
		json_write(&out, json_get(json_at(p.spread, 1), "labelSelector"));
	assert_string_equal(strbuf_cstr(&out), selector);
	strbuf_release(&out);
	candidate_release(&p);
	rcbuf_unref(json);
}

static void test_spread(struct fake *f)
{
	static const char a[] = "{\"app\":\"a\"}";
	expect_spread(f, a, "");
	event(f, "ADDED", "services", "\"name\":\"s\",\"namespace\":\"d\"", "\"spec\":{\"selector\":{\"app\":\"a\"}}");
	event(f, "ADDED", "services", "\"name\":\"s\",\"namespace\":\"e\"", "\"spec\":{\"selector\":{\"x\":\"y\"}}");
	expect_spread(f, a, "{\"matchLabels\":{\"app\":\"a\"}}");
	expect_spread(f, "{\"x\":\"y\"}", ""); /* of another namespace */
	event(f, "ADDED", "replicasets", "\"name\":\"rs\",\"namespace\":\"d\"",
	        "\"spec\":{\"selector\":{\"matchLabels\":{\"x\":\"y\"}}}");
	expect_spread(
	        f, "{\"x\":\"y\"}", "{\"matchExpressions\":[{\"key\":\"x\",\"operator\":\"In\",\"values\":[\"y\"]}]}");
}

/* ---- life ---- */

static void all_closed(void *arg)
{
	loop_stop(&((struct fake *)arg)->loop);
}

static void scheduler_closed(void *arg)
{
	struct fake *f = arg;
	informer_set_close(f->informers, all_closed, f);
}

static void run(struct loop_task *t)
{
	struct fake *f = CONTAINER_OF(t, struct fake, start);
	f->informers = informer_set_new(&f->base);
	f->s = scheduler_new(&(struct scheduler_options){.client = &f->base, .informers = f->informers});
	f->test(f);
	scheduler_close(f->s, scheduler_closed, f);
}

static void play(void (*test)(struct fake *f))
{
	struct fake f = {.base = {&vtable, &f.loop}, .test = test, .start.run = run};
	loop_init(&f.loop, "test");
	loop_post(&f.loop, &f.start);
	loop_run(&f.loop);
	loop_release(&f.loop);
}

static void heartbeats_wake_nobody(void **state)
{
	play(test_heartbeats);
}

static void room_that_is_left_wakes(void **state)
{
	play(test_room);
}

static void room_that_we_give_back_wakes(void **state)
{
	play(test_own);
}

static void services_and_controllers_say_with_whom_a_pod_is_spread(void **state)
{
	play(test_spread);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(heartbeats_wake_nobody),
	        cmocka_unit_test(room_that_is_left_wakes),
	        cmocka_unit_test(room_that_we_give_back_wakes),
	        cmocka_unit_test(services_and_controllers_say_with_whom_a_pod_is_spread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

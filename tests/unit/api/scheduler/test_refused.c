/* Pods that wait for the same are one group, which an event wakes as one, or leaves alone. */
#include "tests/unit/unit.h"

#include "api/scheduler/scheduler_int.h"

static struct scheduler s;

static int setup(void **state)
{
	s = (struct scheduler){0};
	cache_init(&s.cache);
	queue_init(&s.queue);
	return 0;
}

static int teardown(void **state)
{
	queue_release(&s.queue);
	cache_release(&s.cache);
	return 0;
}

/* It was tried, and these plugins refused it. */
static void refuse(const char *key, const char *spec, const char *cpu, unsigned plugins)
{
	char buf[600];
	struct candidate p;
	snprintf(buf, sizeof buf,
	        "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"d\"},\"spec\":{\"containers\":[{\"resources\":{"
	        "\"requests\":{"
	        "\"cpu\":\"%s\"}}}]%s}}",
	        key + 2, cpu, spec);
	struct rcbuf *json = rcbuf_copy(buf, strlen(buf));
	assert_true(candidate_read(&s.cache, &p, slice_of(key), json));
	queue_add(&s.queue, slice_of(key), 0, false, 0);
	refused_put(&s.queue, queue_pop(&s.queue), &p, plugins, 0);
	candidate_release(&p);
	rcbuf_unref(json);
}

static bool node_comes(const char *cpu, const char *spec)
{
	char buf[300];
	struct node_info n;
	snprintf(buf, sizeof buf,
	        "{\"metadata\":{\"name\":\"n\"},\"spec\":{%s},\"status\":{\"allocatable\":{\"cpu\":\"%s\",\"pods\":"
	        "\"9\"}}}",
	        spec, cpu);
	struct rcbuf *json = rcbuf_copy(buf, strlen(buf));
	node_info_read(&s.cache, &n, SLICE("n"), json);
	bool helped = refused_event(&s, &(struct cluster_event){.kind = EVENT_NODE_ADDED, .node = &n}, 60000);
	node_info_release(&n);
	rcbuf_unref(json);
	return helped;
}

static enum queued_state state_of(const char *key)
{
	return queue_find(&s.queue, slice_of(key))->state;
}

static void an_event_wakes_those_that_it_helps(void **state)
{
	refuse("d/small", "", "1", FILTER_FIT);
	refuse("d/large", "", "8", FILTER_FIT);
	refuse("d/far", ",\"nodeSelector\":{\"a\":\"b\"}", "1", FILTER_NODE_AFFINITY);
	refuse("d/both", ",\"nodeSelector\":{\"a\":\"b\"}", "1", FILTER_NODE_AFFINITY | FILTER_FIT);
	refuse("d/any", "", "1", 0);
	assert_true(node_comes("2", ""));
	assert_int_equal(state_of("d/small"), QUEUED_ACTIVE);
	assert_int_equal(state_of("d/both"), QUEUED_ACTIVE);
	assert_int_equal(state_of("d/any"), QUEUED_ACTIVE);
	assert_int_equal(state_of("d/large"), QUEUED_UNSCHEDULABLE);
	assert_int_equal(state_of("d/far"), QUEUED_UNSCHEDULABLE);
	assert_false(node_comes("2", ""));
	assert_true(node_comes("9", ""));
	assert_int_equal(state_of("d/large"), QUEUED_ACTIVE);
}

static void those_that_ask_the_same_are_one(void **state)
{
	char key[20];
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "d/p%d", i);
		refuse(key, i % 2 ? ",\"nodeSelector\":{\"a\":\"b\"}" : "", "4", FILTER_FIT); /* that is not asked */
	}
	assert_int_equal(s.queue.refused.count, 1);
	assert_false(node_comes("1", ""));
	refuse("d/other", "", "3", FILTER_FIT);
	assert_int_equal(s.queue.refused.count, 2);
	queue_remove(&s.queue, SLICE("d/p0")); /* one may go alone */
	queue_remove(&s.queue, SLICE("d/other"));
	assert_int_equal(s.queue.refused.count, 1);
	assert_true(node_comes("4", ""));
	assert_int_equal(s.queue.refused.count, 0);
	assert_int_equal(state_of("d/p999"), QUEUED_ACTIVE);
}

static void time_wakes_all(void **state)
{
	refuse("d/p", "", "4", FILTER_FIT);
	queue_tick(&s.queue, 5 * 60 * 1000);
	assert_int_equal(state_of("d/p"), QUEUED_ACTIVE);
	assert_int_equal(s.queue.refused.count, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(an_event_wakes_those_that_it_helps),
	        T(those_that_ask_the_same_are_one),
	        T(time_wakes_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Whose pods would have to go for one that fits nowhere, and that the room they leave is kept for it. */
#include "tests/unit/unit.h"

#include "api/scheduler/scheduler_int.h"

static struct scheduler s;

static int setup(void **state)
{
	s = (struct scheduler){.random = 1};
	cache_init(&s.cache);
	queue_init(&s.queue);
	return 0;
}

static int teardown(void **state)
{
	nominees_release(&s);
	queue_release(&s.queue);
	cache_release(&s.cache);
	return 0;
}

static void node(const char *name)
{
	char buf[400];
	snprintf(buf, sizeof buf,
	        "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"host\":\"%s\"}},\"spec\":{},\"status\":{\"allocatable\":{"
	        "\"cpu\":\"2\",\"memory\":\"4Gi\",\"pods\":\"10\"}}}",
	        name, name);
	struct rcbuf *json = rcbuf_copy(buf, strlen(buf));
	cache_node_set(&s.cache, slice_of(name), json);
	rcbuf_unref(json);
}

static struct rcbuf *pod(const char *name, int cpu, int priority, int started, const char *more)
{
	char buf[1500];
	snprintf(buf, sizeof buf,
	        "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"d\",\"uid\":\"%s\",\"labels\":{\"app\":\"a\"}%s},"
	        "\"spec\":{\"priority\":%d,\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"%dm\"}}}]%s},"
	        "\"status\":{\"startTime\":\"2026-01-01T00:00:%02dZ\"%s}}",
	        name, name, strstr(more, "GOES") ? ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"" : "", priority,
	        cpu, *more == ',' ? more : "", started,
	        strstr(more, "GOES") ? ",\"conditions\":[{\"reason\":\"PreemptionByScheduler\"}]" : "");
	return rcbuf_copy(buf, strlen(buf));
}

static void place(const char *key, const char *on, int cpu, int priority, int started, const char *more)
{
	struct rcbuf *json = pod(key + 2, cpu, priority, started, more);
	cache_pod_set(&s.cache, slice_of(key), slice_of(on), json, false);
	rcbuf_unref(json);
}

static struct candidate p;

/* What choose() does of it: the reasons of all nodes. */
static void try_all(struct tally *t)
{
	*t = (struct tally){.may_help = ARENA_ARRAY(&p.arena, bool, s.cache.count + 1)};
	placement_prepare(&s, &p);
	for (size_t i = 0; i < s.cache.count; i++) {
		struct verdict v;
		assert_false(filters_pass_beside(&s, &p, s.cache.list[i], &v));
		t->may_help[s.cache.list[i]->slot] = v.resolvable;
		tally_add(t, &v);
	}
}

static void read_new(int cpu, int priority, const char *more)
{
	struct rcbuf *json = pod("new", cpu, priority, 0, more);
	assert_true(candidate_read(&s.cache, &p, SLICE("d/new"), json));
	rcbuf_unref(json);
}

/* "n1: d/a d/b", or the message. */
static const char *outcome(int cpu, int priority, const char *more)
{
	static char text[400];
	struct tally t;
	struct preemption x;
	read_new(cpu, priority, more);
	try_all(&t);
	preempt(&s, &p, &t, &x);
	const struct offer *best = preempt_best(&x);
	int n = best ? snprintf(text, sizeof text, "%.*s:", SLICE_FMT(best->node->name))
	             : snprintf(text, sizeof text, "%s", x.message);
	for (size_t i = 0; best && i < best->count; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, " %.*s", SLICE_FMT(best->victims[i].pod->key));
	try_all(&t); /* all are back on their nodes */
	candidate_release(&p);
	return text;
}

static void only_those_go_that_must(void **state)
{
	node("n1");
	place("d/a", "n1", 500, 0, 1, "");
	place("d/b", "n1", 500, 0, 4, "");
	place("d/c", "n1", 500, 0, 3, "");
	place("d/d", "n1", 500, 5, 9, "");
	assert_string_equal(outcome(700, 10, ""), "n1: d/c d/b"); /* the youngest of the lowest */
	assert_string_equal(outcome(500, 5, ""), "n1: d/b");
	assert_string_equal(outcome(2000, 10, ""), "n1: d/d d/a d/c d/b");
	assert_string_equal(
	        outcome(500, 0, ""), "0/1 nodes are available: 1 No preemption victims found for incoming pod.");
	assert_string_equal(outcome(2000, 5, ""), "0/1 nodes are available: 1 Insufficient cpu.");
	assert_string_equal(
	        outcome(3000, 10, ""), "0/1 nodes are available: 1 Preemption is not helpful for scheduling.");
	assert_string_equal(
	        outcome(500, 10, ",\"preemptionPolicy\":\"Never\""), "not eligible due to preemptionPolicy=Never.");
}

static void the_node_with_least_harm_is_chosen(void **state)
{
	node("n1");
	node("n2");
	place("d/a", "n1", 1000, 1, 1, "");
	place("d/b", "n1", 1000, 1, 2, "");
	place("d/c", "n2", 2000, 2, 3, "");
	assert_string_equal(outcome(1500, 10, ""), "n1: d/a d/b"); /* lower ones, though more */
	node("n3");
	place("d/e", "n3", 1000, 1, 1, "");
	place("d/f", "n3", 1000, 0, 2, "");
	assert_string_equal(outcome(1500, 10, ""), "n3: d/e d/f"); /* the smaller sum */
	assert_string_equal(outcome(900, 10, ""), "n3: d/f");
	node("n4");
	place("d/g", "n4", 2000, 1, 1, "");
	assert_string_equal(outcome(1500, 10, ""), "n4: d/g"); /* fewer of the same */
	node("n5");
	place("d/h", "n5", 2000, 1, 9, "");
	assert_string_equal(outcome(1500, 10, ""), "n5: d/h"); /* that has not been there so long */
}

static const char anti[] = ",\"affinity\":{\"podAntiAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{"
                           "\"labelSelector\":{\"matchLabels\":{\"app\":\"a\"}},\"topologyKey\":\"host\"}]}}";

static void rules_about_other_pods_make_victims(void **state)
{
	node("n1");
	place("d/a", "n1", 10, 0, 1, "");
	place("d/b", "n1", 10, 20, 1, "");
	assert_string_equal(
	        outcome(10, 10, anti), "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.");
	assert_string_equal(outcome(10, 30, anti), "n1: d/b d/a");
	cache_pod_remove(&s.cache, SLICE("d/b"));
	place("d/c", "n1", 10, 0, 1, anti); /* it wants nobody like us */
	place("d/d", "n1", 10, 0, 1, "");
	assert_string_equal(outcome(10, 10, ""), "n1: d/c");
}

static void room_is_kept_for_who_waits(void **state)
{
	struct verdict v;
	node("n1");
	place("d/a", "n1", 500, 0, 1, "");
	struct rcbuf *vip = pod("vip", 1200, 50, 0, "");
	nominee_set(&s, SLICE("d/vip"), SLICE("n1"), vip);
	rcbuf_unref(vip);
	assert_true(slice_is(nominee_node(&s, SLICE("d/vip")), "n1"));
	read_new(500, 10, "");
	placement_prepare(&s, &p);
	assert_false(filters_pass_beside(&s, &p, s.cache.list[0], &v));
	assert_true(filters_pass(&s, &p, s.cache.list[0], &v));
	candidate_release(&p);
	read_new(500, 60, ""); /* one that is more urgent need not wait */
	placement_prepare(&s, &p);
	assert_true(filters_pass_beside(&s, &p, s.cache.list[0], &v));
	candidate_release(&p);
	nominee_remove(&s, SLICE("d/vip"));
	read_new(500, 10, "");
	assert_true(filters_pass_beside(&s, &p, s.cache.list[0], &v));
	candidate_release(&p);
}

static void who_waits_for_victims_sends_no_more_away(void **state)
{
	node("n1");
	place("d/a", "n1", 1500, 0, 1, "GOES");
	place("d/b", "n1", 500, 0, 1, "");
	struct rcbuf *json = pod("new", 1000, 10, 0, "");
	nominee_set(&s, SLICE("d/new"), SLICE("n1"), json);
	rcbuf_unref(json);
	assert_string_equal(outcome(1000, 10, ""), "not eligible due to a terminating pod on the nominated node.");
	nominee_remove(&s, SLICE("d/new"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(only_those_go_that_must, setup, teardown),
	        cmocka_unit_test_setup_teardown(the_node_with_least_harm_is_chosen, setup, teardown),
	        cmocka_unit_test_setup_teardown(rules_about_other_pods_make_victims, setup, teardown),
	        cmocka_unit_test_setup_teardown(room_is_kept_for_who_waits, setup, teardown),
	        cmocka_unit_test_setup_teardown(who_waits_for_victims_sends_no_more_away, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

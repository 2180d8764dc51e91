/* Expectations and metadata without trees. */
#include "tests/unit/unit.h"

#include "api/client/expectations.h"
#include "api/client/meta.h"

static void creations_are_awaited(void **state)
{
	struct expectations e;
	expectations_init(&e);
	assert_true(expectations_fulfilled(&e, SLICE("a"), 0, NULL));
	expectations_raise_creates(&e, SLICE("a"), 2, 1000);
	assert_false(expectations_fulfilled(&e, SLICE("a"), 1000, NULL));
	assert_true(expectations_fulfilled(&e, SLICE("b"), 1000, NULL));
	expectations_create_seen(&e, SLICE("a"));
	assert_false(expectations_fulfilled(&e, SLICE("a"), 1000, NULL));
	expectations_create_seen(&e, SLICE("a"));
	assert_true(expectations_fulfilled(&e, SLICE("a"), 1000, NULL));
	expectations_release(&e);
}

static void a_deletion_counts_once(void **state)
{
	struct expectations e;
	expectations_init(&e);
	expectations_raise_delete(&e, SLICE("a"), SLICE("u1"), 0);
	expectations_raise_delete(&e, SLICE("a"), SLICE("u2"), 0);
	expectations_delete_seen(&e, SLICE("a"), SLICE("u1"));
	expectations_delete_seen(&e, SLICE("a"), SLICE("u1"));
	assert_false(expectations_fulfilled(&e, SLICE("a"), 0, NULL));
	expectations_delete_seen(&e, SLICE("a"), SLICE("u2"));
	assert_true(expectations_fulfilled(&e, SLICE("a"), 0, NULL));
	expectations_release(&e);
}

/* A lost event held its key up for ever: what was given up stayed, and was added to. */
static void what_is_given_up_does_not_count_any_more(void **state)
{
	enum { GIVEN_UP_MS = 5 * 60 * 1000 + 1 };
	struct expectations e;
	int64_t wait_ms = 0;
	expectations_init(&e);
	expectations_raise_creates(&e, SLICE("a"), 2, 0);
	expectations_create_seen(&e, SLICE("a"));
	expectations_raise_delete(&e, SLICE("a"), SLICE("lost"), 1000); /* more does not make it last longer */
	assert_false(expectations_fulfilled(&e, SLICE("a"), 1000, &wait_ms));
	assert_int_equal(wait_ms, GIVEN_UP_MS - 1000);
	assert_true(expectations_fulfilled(&e, SLICE("a"), GIVEN_UP_MS, &wait_ms));
	expectations_raise_creates(&e, SLICE("a"), 1, GIVEN_UP_MS);
	assert_false(expectations_fulfilled(&e, SLICE("a"), GIVEN_UP_MS, &wait_ms));
	assert_int_equal(wait_ms, GIVEN_UP_MS);
	expectations_create_seen(&e, SLICE("a"));
	assert_true(expectations_fulfilled(&e, SLICE("a"), GIVEN_UP_MS, &wait_ms));
	expectations_release(&e);
}

static void lost_events_are_given_up(void **state)
{
	struct expectations e;
	expectations_init(&e);
	expectations_raise_creates(&e, SLICE("a"), 1, 0);
	assert_false(expectations_fulfilled(&e, SLICE("a"), 5 * 60 * 1000, NULL));
	assert_true(expectations_fulfilled(&e, SLICE("a"), 5 * 60 * 1000 + 1, NULL));
	expectations_release(&e); /* what is left is freed */
}

static const char pod[] =
        "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"u\",\"generation\":3,\"labels\":{"
        "\"a\":\"b\"},"
        "\"ownerReferences\":[{\"kind\":\"X\",\"uid\":\"1\"},{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"ReplicaSet\",\"name\":\"r\",\"uid\":\"2\",\"controller\":true,\"blockOwnerDeletion\":true}]},"
        "\"spec\":{\"nodeName\":\"n1\"},\"status\":{\"phase\":\"Running\",\"podIP\":\"10.1.2.3\",\"conditions\":[{"
        "\"type\":\"PodScheduled\",\"status\":\"True\"},"
        "{\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":\"1970-01-01T00:01:40Z\"}],"
        "\"containerStatuses\":[{\"restartCount\":2},{\"restartCount\":5}]}}";

static void a_pod_is_read_in_one_pass(void **state)
{
	struct pod_view p;
	struct owner_ref owner;
	pod_view_read(slice_of(pod), &p);
	assert_true(slice_is(p.meta.name, "p") && slice_is(p.meta.ns, "d") && slice_is(p.node, "n1") &&
	            slice_is(p.ip, "10.1.2.3"));
	assert_int_equal(p.meta.generation, 3);
	assert_true(p.is_ready && p.is_scheduled);
	assert_int_equal(p.ready_since_s, 100);
	assert_int_equal(p.restarts, 5);
	assert_true(owner_ref_controller(p.meta.owners, &owner));
	assert_true(slice_is(owner.uid, "2") && slice_is(owner.api_version, "apps/v1") && owner.blocks_deletion);
	assert_true(pod_view_is_active(&p));
}

static void availability_waits_for_its_time(void **state)
{
	struct pod_view p;
	int64_t wait_s;
	pod_view_read(slice_of(pod), &p);
	assert_false(pod_view_is_available(&p, 30, 110, &wait_s));
	assert_int_equal(wait_s, 20);
	assert_true(pod_view_is_available(&p, 30, 130, &wait_s));
	assert_true(pod_view_is_available(&p, 0, 0, NULL));
}

static void garbage_is_read_as_absent(void **state)
{
	static const char *const texts[] = {
	        "", "[]", "{", "{\"metadata\":7}", "{\"metadata\":{\"name\":", "{\"status\":{\"conditions\":{}}}"};
	for (size_t i = 0; i < 6; i++) {
		struct pod_view p;
		pod_view_read(slice_of(texts[i]), &p);
		assert_int_equal(p.meta.name.len, 0);
	}
	assert_int_equal(kube_time_parse(SLICE("yesterday")), 0);
}

static void conditions_keep_their_transition_time(void **state)
{
	struct arena a = ARENA_INIT;
	struct json *list = json_new(&a, JSON_ARRAY);
	assert_true(condition_set(&a, list, "T", "True", "R", "m", NULL));
	json_set_cstr(&a, condition_find(list, "T"), "lastTransitionTime", "then");
	assert_false(condition_set(&a, list, "T", "True", "R", "m", NULL));
	assert_true(condition_set(&a, list, "T", "True", "R", "other", NULL));
	assert_true(slice_is(json_get_str(condition_find(list, "T"), "lastTransitionTime"), "then"));
	assert_true(condition_set(&a, list, "T", "False", "R", "other", NULL));
	assert_false(slice_is(json_get_str(condition_find(list, "T"), "lastTransitionTime"), "then"));
	assert_true(condition_drop(list, "T"));
	assert_false(condition_drop(list, "T"));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(creations_are_awaited),
	        cmocka_unit_test(a_deletion_counts_once),
	        cmocka_unit_test(lost_events_are_given_up),
	        cmocka_unit_test(what_is_given_up_does_not_count_any_more),
	        cmocka_unit_test(a_pod_is_read_in_one_pass),
	        cmocka_unit_test(availability_waits_for_its_time),
	        cmocka_unit_test(garbage_is_read_as_absent),
	        cmocka_unit_test(conditions_keep_their_transition_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

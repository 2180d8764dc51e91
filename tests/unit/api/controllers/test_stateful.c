/* Stateful sets: names, what happens next to each pod, what the status counts. */
#include "tests/unit/unit.h"

#include "api/controllers/stateful.h"
#include "base/check.h"
#include "base/mem/arena.h"

static void names_have_ordinals(void **state)
{
	assert_int_equal(stateful_ordinal(SLICE("web"), SLICE("web-0")), 0);
	assert_int_equal(stateful_ordinal(SLICE("web"), SLICE("web-12")), 12);
	assert_int_equal(stateful_ordinal(SLICE("web"), SLICE("web-01")), -1);
	assert_int_equal(stateful_ordinal(SLICE("web"), SLICE("web-")), -1);
	assert_int_equal(stateful_ordinal(SLICE("web"), SLICE("web-x")), -1);
	assert_int_equal(stateful_ordinal(SLICE("web"), SLICE("web-a-1")), -1);
	assert_int_equal(stateful_ordinal(SLICE("web"), SLICE("wob-1")), -1);
	assert_int_equal(stateful_ordinal(SLICE("web"), SLICE("web-99999999999")), -1);
}

enum { READY = 1, DYING = 2, FAILED = 4, NEW = 8, LOST = 16, UNAVAILABLE = 32 };

static struct stateful_pod pod(unsigned what)
{
	struct stateful_pod p = {.exists = true,
	        .is_available = what & READY && !(what & UNAVAILABLE),
	        .is_itself = !(what & LOST),
	        .revision = what & NEW ? SLICE("new") : SLICE("old")};
	p.view.phase = what & FAILED ? SLICE("Failed") : SLICE("Running");
	p.view.is_ready = what & READY;
	p.view.meta.deletion_timestamp = what & DYING ? SLICE("2026-01-01T00:00:00Z") : SLICE_NULL;
	return p;
}

static struct stateful_pod hole(void)
{
	return (struct stateful_pod){0};
}

static struct stateful_rules rules(int64_t replicas)
{
	return (struct stateful_rules){.replicas = replicas,
	        .is_ordered = true,
	        .rolls = true,
	        .current = SLICE("old"),
	        .updated = SLICE("old")};
}

static void assert_plan(const struct stateful_rules *r, struct stateful_pod *pods, size_t n,
        struct stateful_pod *condemned, size_t m, const char *expected)
{
	static const char letters[] = ".CRMDU";
	char got[32] = "";
	stateful_plan(r, pods, n, condemned, m);
	for (size_t i = 0; i < n; i++)
		got[i] = letters[pods[i].action];
	got[n] = m ? '|' : 0;
	for (size_t i = 0; i < m; i++)
		got[n + 1 + i] = letters[condemned[i].action];
	assert_string_equal(got, expected);
}

static void ordered_pods_wait_for_those_before_them(void **state)
{
	struct stateful_rules r = rules(3);
	assert_plan(&r, (struct stateful_pod[]){hole(), hole(), hole()}, 3, NULL, 0, "C..");
	assert_plan(&r, (struct stateful_pod[]){pod(0), hole(), hole()}, 3, NULL, 0, "...");
	assert_plan(&r, (struct stateful_pod[]){pod(READY | UNAVAILABLE), hole(), hole()}, 3, NULL, 0, "...");
	assert_plan(&r, (struct stateful_pod[]){pod(READY), hole(), hole()}, 3, NULL, 0, ".C.");
	assert_plan(&r, (struct stateful_pod[]){pod(READY), pod(READY | DYING), hole()}, 3, NULL, 0, "...");
	assert_plan(&r, (struct stateful_pod[]){hole(), pod(READY), pod(READY)}, 3, NULL, 0, "C..");
}

static void parallel_pods_wait_for_none(void **state)
{
	struct stateful_rules r = rules(3);
	r.is_ordered = false;
	assert_plan(&r, (struct stateful_pod[]){hole(), pod(0), hole()}, 3, NULL, 0, "C.C");
	assert_plan(&r, (struct stateful_pod[]){pod(0)}, 1, (struct stateful_pod[]){pod(0), pod(READY)}, 2, ".|DD");
}

static void a_pod_waits_for_the_end_of_its_claim(void **state)
{
	struct stateful_rules r = rules(2);
	struct stateful_pod waiting = {.waits = true};
	r.is_ordered = false;
	assert_plan(&r, (struct stateful_pod[]){waiting, hole()}, 2, NULL, 0, ".C");
	r.is_ordered = true;
	assert_plan(&r, (struct stateful_pod[]){waiting, hole()}, 2, NULL, 0, "..");
}

static void ended_pods_are_replaced_and_lost_ones_mended(void **state)
{
	struct stateful_rules r = rules(2);
	assert_plan(&r, (struct stateful_pod[]){pod(FAILED), pod(READY)}, 2, NULL, 0, "R.");
	assert_plan(&r, (struct stateful_pod[]){pod(FAILED | DYING), pod(READY)}, 2, NULL, 0, "..");
	assert_plan(&r, (struct stateful_pod[]){pod(READY | LOST), pod(READY)}, 2, NULL, 0, "M.");
}

static void the_highest_goes_first_and_one_at_a_time(void **state)
{
	struct stateful_rules r = rules(1);
	assert_plan(
	        &r, (struct stateful_pod[]){pod(READY)}, 1, (struct stateful_pod[]){pod(READY), pod(READY)}, 2, ".|D.");
	assert_plan(&r, (struct stateful_pod[]){pod(READY)}, 1, (struct stateful_pod[]){pod(READY | DYING), pod(READY)},
	        2, ".|..");
	/* the only one that is not healthy may go, two wait for each other's sake: the lowest is looked at first */
	assert_plan(&r, (struct stateful_pod[]){pod(READY)}, 1, (struct stateful_pod[]){pod(0), pod(READY)}, 2, ".|D.");
	assert_plan(&r, (struct stateful_pod[]){pod(READY)}, 1, (struct stateful_pod[]){pod(0), pod(0)}, 2, ".|..");
	assert_plan(&r, (struct stateful_pod[]){pod(0)}, 1, (struct stateful_pod[]){pod(READY)}, 1, ".|.");
}

static void updates_go_down_to_the_partition(void **state)
{
	struct stateful_rules r = rules(3);
	r.updated = SLICE("new");
	assert_plan(&r, (struct stateful_pod[]){pod(READY), pod(READY), pod(READY)}, 3, NULL, 0, "..U");
	assert_plan(&r, (struct stateful_pod[]){pod(READY), pod(READY), pod(READY | NEW)}, 3, NULL, 0, ".U.");
	r.partition = 2;
	assert_plan(&r, (struct stateful_pod[]){pod(READY), pod(READY), pod(READY | NEW)}, 3, NULL, 0, "...");
	r.partition = 0;
	r.rolls = false;
	assert_plan(&r, (struct stateful_pod[]){pod(READY), pod(READY), pod(READY)}, 3, NULL, 0, "...");
	r.rolls = true;
	r.is_ordered = false; /* even then one at a time */
	assert_plan(&r, (struct stateful_pod[]){pod(READY), pod(READY), pod(NEW)}, 3, NULL, 0, "...");
	assert_plan(&r, (struct stateful_pod[]){pod(READY), pod(READY), pod(READY | DYING)}, 3, NULL, 0, "...");
}

static void revisions_are_chosen_by_the_partition(void **state)
{
	struct stateful_rules r = rules(3);
	r.updated = SLICE("new");
	r.start = 5;
	r.partition = 2;
	assert_true(slice_is(stateful_revision(&r, 6), "old"));
	assert_true(slice_is(stateful_revision(&r, 7), "new"));
	r.rolls = false;
	assert_true(slice_is(stateful_revision(&r, 5), "new"));
}

static void counts_tell_when_an_update_is_complete(void **state)
{
	struct stateful_rules r = rules(2);
	r.updated = SLICE("new");
	struct stateful_pod pods[] = {pod(READY), pod(READY | NEW)}, more[] = {pod(READY | DYING)};
	struct stateful_counts k = stateful_count(&r, pods, 2, more, 1);
	assert_int_equal(k.replicas, 3);
	assert_int_equal(k.ready, 3);
	assert_int_equal(k.available, 3);
	assert_int_equal(k.current, 1);
	assert_int_equal(k.updated, 1);
	assert_false(k.is_complete);
	pods[0] = pod(READY | NEW);
	k = stateful_count(&r, pods, 2, NULL, 0);
	assert_true(k.is_complete);
	assert_int_equal(k.current, 2);
}

static void a_pod_gets_its_identity_and_its_claims(void **state)
{
	struct arena a = ARENA_INIT;
	struct json *template = json_parse(&a,
	        SLICE("{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"volumes\":[{\"name\":\"data\",\"emptyDir\":"
	              "{}},"
	              "{\"name\":\"x\",\"emptyDir\":{}}]}}"),
	        NULL, NULL);
	struct json *claims = json_parse(&a, SLICE("[{\"metadata\":{\"name\":\"data\"}}]"), NULL, NULL);
	struct json *want = json_parse(&a,
	        SLICE("{\"metadata\":{\"labels\":{\"a\":\"b\",\"statefulset.kubernetes.io/pod-name\":\"web-3\","
	              "\"apps.kubernetes.io/pod-index\":\"3\",\"controller-revision-hash\":\"web-abc\"}},\"spec\":{"
	              "\"hostname\":\"web-3\",\"subdomain\":\"svc\",\"volumes\":[{\"name\":\"data\","
	              "\"persistentVolumeClaim\":{\"claimName\":\"data-web-3\"}},{\"name\":\"x\",\"emptyDir\":{}}]}}"),
	        NULL, NULL);
	struct json *got =
	        stateful_pod_template(&a, template, claims, SLICE("web-3"), 3, SLICE("svc"), SLICE("web-abc"));
	assert_true(json_equal(got, want));
	assert_null(json_path(template, "spec", "hostname", NULL));
	arena_release(&a);
}

static void claims_belong_to_whom_they_go_with(void **state)
{
	struct arena a = ARENA_INIT;
	static const struct {
		const char *deleted, *scaled;
		enum stateful_claim_owner in_range, condemned;
	} rows[] = {
	        {"Retain", "Retain", STATEFUL_CLAIM_FREE, STATEFUL_CLAIM_FREE},
	        {"Delete", "Retain", STATEFUL_CLAIM_OF_SET, STATEFUL_CLAIM_OF_SET},
	        {"Retain", "Delete", STATEFUL_CLAIM_FREE, STATEFUL_CLAIM_OF_POD},
	        {"Delete", "Delete", STATEFUL_CLAIM_OF_SET, STATEFUL_CLAIM_OF_POD},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct json *policy = json_new(&a, JSON_OBJECT);
		json_set_cstr(&a, policy, "whenDeleted", rows[i].deleted);
		json_set_cstr(&a, policy, "whenScaled", rows[i].scaled);
		assert_int_equal(stateful_claim_owner(policy, false), rows[i].in_range);
		assert_int_equal(stateful_claim_owner(policy, true), rows[i].condemned);
	}
	assert_int_equal(stateful_claim_owner(NULL, true), STATEFUL_CLAIM_FREE);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_have_ordinals),
	        cmocka_unit_test(ordered_pods_wait_for_those_before_them),
	        cmocka_unit_test(parallel_pods_wait_for_none),
	        cmocka_unit_test(a_pod_waits_for_the_end_of_its_claim),
	        cmocka_unit_test(ended_pods_are_replaced_and_lost_ones_mended),
	        cmocka_unit_test(the_highest_goes_first_and_one_at_a_time),
	        cmocka_unit_test(updates_go_down_to_the_partition),
	        cmocka_unit_test(revisions_are_chosen_by_the_partition),
	        cmocka_unit_test(counts_tell_when_an_update_is_complete),
	        cmocka_unit_test(a_pod_gets_its_identity_and_its_claims),
	        cmocka_unit_test(claims_belong_to_whom_they_go_with),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How many pods there should be: the documented rules of autoscaling, each by an example. */
#include "api/controllers/hpa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { NOW = 1000000 };
static const struct hpa_settings settings = {0.1, 300, 30, 300};
static struct arena a;
static struct hpa_pod pods[16];
static struct hpa_value values[16];
static size_t n_pods, n_values;
static struct hpa_proposal got;
static struct err err;

static void clear(void)
{
	arena_reset(&a);
	n_pods = n_values = 0;
	err = ERR_INIT;
}

/* A pod that has been ready for long; usage < 0: no value. */
static struct hpa_pod *pod(int64_t request, int64_t usage)
{
	struct hpa_pod *p = &pods[n_pods];
	*p = (struct hpa_pod){.name = slice_of(arena_printf(&a, "p%zu", n_pods)),
	        .is_running_ready = true,
	        .has_ready = true,
	        .ready_since_s = NOW - 9000,
	        .start_s = NOW - 9000,
	        .request = request};
	n_pods++;
	if (usage >= 0)
		values[n_values++] = (struct hpa_value){p->name, usage, NOW - 10, 30};
	return p;
}

static struct hpa_sample sample(void)
{
	return (struct hpa_sample){pods, n_pods, values, n_values, true, NOW};
}

static int64_t by_utilization(int64_t current, int64_t percent)
{
	struct hpa_sample x = sample();
	assert_int_equal(hpa_by_utilization(&a, &settings, &x, current, percent, &got, &err), 0);
	return got.replicas;
}

static int64_t by_average(int64_t current, int64_t milli)
{
	struct hpa_sample x = sample();
	assert_int_equal(hpa_by_average(&a, &settings, &x, current, milli, &got, &err), 0);
	return got.replicas;
}

static void use_over_target_is_the_ratio_of_pods(void **state)
{
	clear();
	pod(1000, 300), pod(1000, 500), pod(1000, 700);
	assert_int_equal(by_utilization(3, 30), 5); /* 50 % of 30 % */
	assert_int_equal(got.utilization, 50);
	assert_int_equal(got.average, 500);
	assert_int_equal(by_utilization(3, 100), 2);
	assert_int_equal(by_average(3, 250), 6);
	assert_int_equal(by_average(3, 2000), 1);
}

static void what_is_near_enough_changes_nothing(void **state)
{
	clear();
	pod(1000, 1010), pod(1000, 1030), pod(1000, 1020);
	assert_int_equal(by_utilization(3, 100), 3);
	assert_int_equal(by_utilization(3, 93), 3);
	assert_int_equal(by_utilization(3, 92), 4);
}

static void unready_pods_hold_back_scaling_up(void **state)
{
	clear();
	pod(1000, 100)->is_false = true;
	pods[0].ready_since_s = pods[0].start_s = NOW - 20; /* it is starting */
	pod(1000, 500), pod(1000, 700);
	assert_int_equal(by_utilization(3, 30), 4); /* 60 % of two; with the third at nothing 40 % of three */
	assert_int_equal(got.utilization, 60);
}

static void unready_pods_do_not_turn_it_round(void **state)
{
	clear();
	pod(1000, 400)->is_pending = true;
	pods[0].has_ready = true;
	pod(1000, 400)->is_pending = true;
	pod(1000, 400)->is_pending = true;
	pod(1000, 400);
	assert_int_equal(by_utilization(4, 30), 4);
}

static void a_pod_that_was_ready_once_counts(void **state)
{
	clear();
	pod(1000, 900)->is_false = true; /* since long after its start */
	pods[0].ready_since_s = NOW - 100;
	assert_int_equal(by_utilization(1, 30), 3);
	pods[0].ready_since_s = pods[0].start_s + 20; /* never */
	struct hpa_sample x = sample();
	assert_int_equal(hpa_by_utilization(&a, &settings, &x, 1, 30, &got, &err), ERR_NOT_FOUND);
	assert_string_equal(err.msg, "did not receive metrics for targeted pods (pods might be unready)");
}

static void samples_of_the_start_do_not_count(void **state)
{
	clear();
	pod(1000, 900)->start_s = NOW - 100;
	pods[0].ready_since_s = NOW - 35; /* its sample covers the 30 s before NOW - 10 */
	pod(1000, 300);
	assert_int_equal(by_utilization(2, 30), 2);
	pods[0].ready_since_s = NOW - 45;
	assert_int_equal(by_utilization(2, 30), 4);
}

static void missing_pods_count_against_the_direction(void **state)
{
	clear();
	pod(1000, 900), pod(1000, 900), pod(1000, -1);
	assert_int_equal(by_utilization(3, 50), 4); /* 90 % would be 6 of 3; with one at nothing 60 % */
	clear();
	pod(1000, 100), pod(1000, 100), pod(1000, -1);
	assert_int_equal(by_utilization(3, 50), 3); /* down; with one at 100 %: 40 % of 50 % */
	clear();
	pod(1000, 100), pod(1000, 100), pod(1000, 100), pod(1000, -1);
	assert_int_equal(by_utilization(4, 60), 3);
	assert_int_equal(by_average(4, 400), 2); /* a missing one at the target */
}

static void pods_that_go_or_failed_are_not_there(void **state)
{
	clear();
	pod(1000, 900)->is_ignored = true;
	pod(1000, 300);
	assert_int_equal(by_utilization(1, 30), 1);
	assert_int_equal(got.utilization, 30);
}

static void nothing_can_be_said_without_pods_or_values(void **state)
{
	clear();
	struct hpa_sample x = sample();
	assert_int_equal(hpa_by_average(&a, &settings, &x, 1, 30, &got, &err), ERR_NOT_FOUND);
	assert_string_equal(err.msg, "no pods returned by selector while calculating replica count");
	clear();
	pod(0, 300);
	x = sample();
	assert_int_equal(hpa_by_utilization(&a, &settings, &x, 1, 30, &got, &err), ERR_NOT_FOUND);
	assert_string_equal(err.msg, "no metrics returned matched known pods");
}

static void other_values_count_per_ready_pod_or_are_shared(void **state)
{
	clear();
	pod(0, -1), pod(0, -1), pod(0, -1)->is_running_ready = false;
	struct hpa_sample x = sample();
	assert_int_equal(hpa_by_value(&settings, &x, 3, 30000, 15000, &got, &err), 0);
	assert_int_equal(got.replicas, 4);
	assert_int_equal(hpa_by_value(&settings, &x, 3, 15100, 15000, &got, &err), 0);
	assert_int_equal(got.replicas, 3);
	assert_int_equal(hpa_by_value(&settings, &x, 0, 30000, 15000, &got, &err), 0);
	assert_int_equal(got.replicas, 2); /* from zero */
	hpa_by_share(&settings, 4, 8600000, 2000000, &got);
	assert_int_equal(got.replicas, 4); /* 4.3 of 4 is near */
	hpa_by_share(&settings, 4, 8900000, 2000000, &got);
	assert_int_equal(got.replicas, 5);
	assert_int_equal(got.average, 2225000);
	hpa_by_share(&settings, 0, 3000, 2000, &got);
	assert_int_equal(got.replicas, 2);
}

static const struct json *tree(const char *text)
{
	struct json *v = json_parse(&a, slice_of(text), NULL, &err);
	assert_non_null(v);
	return v;
}

static void a_pod_is_read_with_its_requests(void **state)
{
	clear();
	struct hpa_pod p;
	const struct json *o = tree(
	        "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":{\"requests\":{"
	        "\"cpu\":\"0.5\"}}},{\"name\":\"b\",\"resources\":{\"requests\":{\"cpu\":\"100m\",\"memory\":\"1k\"}}}]"
	        ","
	        "\"initContainers\":[{\"name\":\"once\"},{\"name\":\"side\",\"restartPolicy\":\"Always\",\"resources\":"
	        "{"
	        "\"requests\":{\"cpu\":1}}}]},\"status\":{\"phase\":\"Running\",\"startTime\":\"1970-01-01T00:01:00Z\","
	        "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":"
	        "\"1970-01-01T00:02:00Z\"}]}}");
	assert_int_equal(hpa_pod_read(o, "cpu", SLICE_NULL, &p, &err), 0);
	assert_int_equal(p.request, 1600);
	assert_true(p.is_running_ready && p.start_s == 60 && p.ready_since_s == 120);
	assert_int_equal(hpa_pod_read(o, "cpu", SLICE("b"), &p, &err), 0);
	assert_int_equal(p.request, 100);
	assert_int_equal(hpa_pod_read(o, "memory", SLICE_NULL, &p, &err), ERR_INVAL);
	assert_string_equal(err.msg, "missing request for memory in container a of Pod x");
}

/* ---- how far, and how fast ---- */

static struct hpa_memory memory;
static struct hpa_verdict verdict;

static int64_t normalize(const struct hpa_limits *l, int64_t proposed, int64_t now)
{
	hpa_normalize(&memory, &settings, l, proposed, now, &verdict);
	return verdict.replicas;
}

static void the_highest_recommendation_of_five_minutes_holds(void **state)
{
	struct hpa_limits l = {.min = 1, .max = 100, .current = 10};
	hpa_memory_release(&memory);
	hpa_remember_first(&memory, 10, 0);
	hpa_remember_first(&memory, 99, 0); /* not the first */
	assert_int_equal(normalize(&l, 8, 60), 10);
	assert_string_equal(verdict.able_reason, "ScaleDownStabilized");
	assert_int_equal(normalize(&l, 3, 299), 10);
	assert_int_equal(normalize(&l, 3, 300), 8);
	assert_int_equal(normalize(&l, 3, 361), 3);
	assert_string_equal(verdict.able_reason, "ReadyForNewScale");
	assert_false(verdict.is_limited);
}

static void without_behavior_it_doubles_at_most(void **state)
{
	struct hpa_limits l = {.min = 2, .max = 20, .current = 3};
	hpa_memory_release(&memory);
	assert_int_equal(normalize(&l, 15, 0), 6);
	assert_string_equal(verdict.limited_reason, "ScaleUpLimit");
	l.current = 1;
	hpa_memory_release(&memory);
	assert_int_equal(normalize(&l, 15, 0), 4);
	l.current = 12;
	assert_int_equal(normalize(&l, 50, 0), 20);
	assert_string_equal(verdict.limited_reason, "TooManyReplicas");
	hpa_memory_release(&memory);
	assert_int_equal(normalize(&l, 1, 0), 2);
	assert_string_equal(verdict.limited_reason, "TooFewReplicas");
	assert_true(verdict.is_limited);
}

static struct hpa_limits with_behavior(const char *up, const char *down, int64_t current)
{
	struct hpa_limits l = {.min = 1, .max = 1000, .current = current, .has_behavior = true};
	hpa_rules_read(&a, up ? tree(up) : NULL, true, &settings, &l.up);
	hpa_rules_read(&a, down ? tree(down) : NULL, false, &settings, &l.down);
	hpa_memory_release(&memory);
	return l;
}

static void rules_have_upstreams_defaults(void **state)
{
	clear();
	struct hpa_limits l = with_behavior(NULL, NULL, 1);
	assert_int_equal(l.up.window_s, 0);
	assert_int_equal(l.down.window_s, 300);
	assert_int_equal(normalize(&l, 50, 0), 5); /* four pods more than doubling */
	l.current = 10;
	hpa_memory_release(&memory);
	assert_int_equal(normalize(&l, 50, 0), 20);
	assert_string_equal(verdict.limited_reason, "ScaleUpLimit");
}

static void policies_count_what_was_changed(void **state)
{
	clear();
	struct hpa_limits l = with_behavior("{\"policies\":[{\"type\":\"Pods\",\"value\":4,\"periodSeconds\":60},"
	                                    "{\"type\":\"Percent\",\"value\":10,\"periodSeconds\":60}]}",
	        NULL, 10);
	assert_int_equal(normalize(&l, 100, 100), 14);
	hpa_remember_change(&memory, &l, 10, 14, 100);
	l.current = 14;
	assert_int_equal(normalize(&l, 100, 130), 14); /* used up */
	assert_int_equal(normalize(&l, 100, 161), 18);
	l.up.select = HPA_SELECT_MIN;
	assert_int_equal(normalize(&l, 100, 161), 16); /* 14 and 10 percent, rounded up */
	l.up.select = HPA_SELECT_DISABLED;
	assert_int_equal(normalize(&l, 100, 161), 14);
}

static void scaling_down_has_policies_too(void **state)
{
	clear();
	struct hpa_limits l = with_behavior(NULL,
	        "{\"stabilizationWindowSeconds\":0,\"policies\":[{\"type\":\"Percent\",\"value\":10,\"periodSeconds\":"
	        "60},"
	        "{\"type\":\"Pods\",\"value\":2,\"periodSeconds\":60}]}",
	        50);
	assert_int_equal(normalize(&l, 5, 0), 45);
	assert_string_equal(verdict.limited_reason, "ScaleDownLimit");
	l.down.select = HPA_SELECT_MIN;
	assert_int_equal(normalize(&l, 5, 0), 48);
	hpa_remember_change(&memory, &l, 50, 48, 0);
	l.current = 48;
	assert_int_equal(normalize(&l, 5, 30), 48);
}

static void windows_stabilize_both_ways(void **state)
{
	clear();
	struct hpa_limits l =
	        with_behavior("{\"stabilizationWindowSeconds\":60}", "{\"stabilizationWindowSeconds\":120}", 10);
	assert_int_equal(normalize(&l, 10, 0), 10);
	assert_int_equal(normalize(&l, 15, 30), 10); /* a minute ago it was 10 */
	assert_string_equal(verdict.able_reason, "ScaleUpStabilized");
	assert_int_equal(normalize(&l, 15, 61), 15);
	l.current = 15;
	assert_int_equal(normalize(&l, 3, 100), 15);
	assert_string_equal(verdict.able_reason, "ScaleDownStabilized");
	assert_int_equal(normalize(&l, 3, 182), 3);
	hpa_memory_release(&memory);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(use_over_target_is_the_ratio_of_pods),
	        cmocka_unit_test(what_is_near_enough_changes_nothing),
	        cmocka_unit_test(unready_pods_hold_back_scaling_up),
	        cmocka_unit_test(unready_pods_do_not_turn_it_round),
	        cmocka_unit_test(a_pod_that_was_ready_once_counts),
	        cmocka_unit_test(samples_of_the_start_do_not_count),
	        cmocka_unit_test(missing_pods_count_against_the_direction),
	        cmocka_unit_test(pods_that_go_or_failed_are_not_there),
	        cmocka_unit_test(nothing_can_be_said_without_pods_or_values),
	        cmocka_unit_test(other_values_count_per_ready_pod_or_are_shared),
	        cmocka_unit_test(a_pod_is_read_with_its_requests),
	        cmocka_unit_test(the_highest_recommendation_of_five_minutes_holds),
	        cmocka_unit_test(without_behavior_it_doubles_at_most),
	        cmocka_unit_test(rules_have_upstreams_defaults),
	        cmocka_unit_test(policies_count_what_was_changed),
	        cmocka_unit_test(scaling_down_has_policies_too),
	        cmocka_unit_test(windows_stabilize_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Looks at a job, one after the other, against a world in memory whose pods end as the test says; with a crash after
 * any of the writes. */
#include "tests/unit/unit_json.h"

#include "api/controllers/job_int.h"

enum { PODS_MAX = 64, NOW = 1000000 };

struct pod {
	int uid, exit_code;
	int64_t index, ended_s;
	const char *phase, *condition, *failures;
	int restarts;
	bool has_mark, is_dying, exists;
};

struct world {
	const char *job; /* as it is stored */
	struct pod pods[PODS_MAX];
	int count;
	int64_t now_s;
	struct job_backoff backoff;
	const char *told; /* by the last look */
	int64_t again_s;
	int made, gone; /* by the last look */
};

static struct world w;

static void begin(const char *spec)
{
	w = (struct world){.now_s = NOW};
	w.job = arena_printf(&a, "{\"metadata\":{\"name\":\"j\",\"namespace\":\"d\"},\"spec\":{%s%s}}", spec,
	        ",\"template\":{\"metadata\":{},\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\"}]"
	        "}}");
}

static const char *text_of(const struct pod *p)
{
	const char *ended = arena_printf(&a,
	        ",\"containerStatuses\":[{\"name\":\"c\",\"restartCount\":%d,\"state\":{\"terminated\":{\"exitCode\":%"
	        "d,"
	        "\"finishedAt\":\"%s\"}}}]",
	        p->restarts, p->exit_code, kube_time_text(&a, p->ended_s ? p->ended_s : w.now_s));
	return arena_printf(&a,
	        "{\"metadata\":{\"name\":\"p%d\",\"namespace\":\"d\",\"uid\":\"u%d\",\"annotations\":{\"" JOB_INDEX
	        "\":\"%d\",\"" JOB_INDEX_FAILURES "\":\"%s\"}%s%s},\"spec\":{\"nodeName\":\"n\"},\"status\":{\"phase\":"
	        "\"%s\",\"conditions\":[{\"type\":\"%s\",\"status\":\"True\"}]%s}}",
	        p->uid, p->uid, (int)p->index, p->failures ? p->failures : "0",
	        p->has_mark ? ",\"finalizers\":[\"" JOB_FINALIZER "\"]" : "",
	        p->is_dying ? ",\"deletionTimestamp\":\"2001-01-01T00:00:00Z\"" : "", p->phase,
	        p->condition ? p->condition : "Ready", ended);
}

static struct pod *pod_of(const struct job_pod *p)
{
	for (int i = 0; i < w.count; i++)
		if (slice_is(p->view.meta.uid, arena_printf(&a, "u%d", w.pods[i].uid)))
			return &w.pods[i];
	return NULL;
}

static void drop_mark(struct job_pod *p)
{
	struct pod *real = pod_of(p);
	real->has_mark = p->is_marked = false;
	real->exists &= !real->is_dying;
}

static void make_pods(struct job_sync *y, const struct job_wants *wants)
{
	for (int64_t i = 0; i < wants->create; i++) {
		const char *prefix;
		int64_t index = wants->indexes ? wants->indexes[i] : JOB_NO_INDEX;
		struct json *pod = job_pod_template(y, index, &prefix);
		assert_string_equal(prefix, index < 0 ? "j-" : arena_printf(&a, "j-%d-", (int)index));
		assert_true(w.count < PODS_MAX);
		w.pods[w.count] = (struct pod){.uid = w.count,
		        .index = index,
		        .phase = "Running",
		        .has_mark = true,
		        .exists = true,
		        .failures = json_cstr(&a, json_path(pod, "metadata", "annotations", JOB_INDEX_FAILURES, NULL))};
		w.count++;
	}
	w.made = (int)wants->create;
	y->active += wants->create;
}

static void delete_pods(struct job_sync *y, struct job_pod **victims, size_t n, bool strips)
{
	for (size_t i = 0; i < n; i++) {
		pod_of(victims[i])->is_dying = true;
		if (strips)
			drop_mark(victims[i]);
	}
	y->active -= (int64_t)n;
	y->terminating += (int64_t)n;
	w.gone = (int)n;
}

static void store(struct job_sync *y)
{
	struct strbuf b = STRBUF_INIT;
	json_write(&b, y->job);
	w.job = arena_strdup(&a, strbuf_cstr(&b));
	strbuf_release(&b);
}

/* What job.c does, up to the write after which it crashes (0: none). */
static void look_until(int crash)
{
	struct job_sync y = {.is_satisfied = true, .backoff = w.backoff, .meta.name = SLICE("j")};
	struct job_wants wants = {0};
	struct job_pod *actives[PODS_MAX];
	size_t n = 0;
	w.made = w.gone = 0;
	job_sync_init(&y, &a, parse(w.job), w.now_s);
	if (job_is_finished(y.job))
		return;
	y.pods = ARENA_ARRAY(&a, struct job_pod, w.count + 1);
	for (int i = 0; i < w.count; i++)
		if (w.pods[i].exists)
			job_pods_add(&y, slice_of(text_of(&w.pods[i])), false);
	job_pods_read(&y);
	job_judge(&y);
	for (size_t i = 0; i < y.count; i++)
		if (y.pods[i].is_active)
			actives[n++] = &y.pods[i];
	if (y.end.type) {
		delete_pods(&y, actives, n, false);
	} else {
		job_wants(&y, &wants);
		delete_pods(&y, wants.victims, wants.victim_count, true);
		make_pods(&y, &wants);
		w.told = job_conclude(&y, true);
	}
	w.again_s = y.again_s;
	job_track(&y);
	if (y.must_write) {
		store(&y);
		w.backoff = y.new_backoff;
	}
	if (crash == 1)
		return;
	for (size_t i = 0; i < y.stripped_count; i++)
		drop_mark(y.stripped[i]);
	if (crash == 2)
		return;
	job_settle(&y);
	if (y.must_write)
		store(&y);
}

static void look(void)
{
	look_until(0);
}

/* What is dying goes, as its kubelet says. */
static void kubelet_buries(void)
{
	for (int i = 0; i < w.count; i++)
		w.pods[i].exists &= !w.pods[i].is_dying || w.pods[i].has_mark;
}

static void end_pod(int i, int code)
{
	w.pods[i].phase = code ? "Failed" : "Succeeded";
	w.pods[i].exit_code = code;
	w.pods[i].ended_s = w.now_s;
}

static int running(void)
{
	int n = 0;
	for (int i = 0; i < w.count; i++)
		n += w.pods[i].exists && !w.pods[i].is_dying && strcmp(w.pods[i].phase, "Running") == 0;
	return n;
}

static int64_t counted(const char *name)
{
	return json_get_int(json_get(parse(w.job), "status"), name, 0);
}

static const char *text(const char *name)
{
	return json_cstr(&a, json_get(json_get(parse(w.job), "status"), name));
}

static const char *reason(const char *type)
{
	const struct json *c = condition_find(json_path(parse(w.job), "status", "conditions", NULL), type);
	return slice_is(json_get_str(c, "status"), "True") ? json_cstr(&a, json_get(c, "reason")) : "";
}

/* ---- plain jobs ---- */

static void a_job_ends_when_enough_have_succeeded(void **state)
{
	begin("\"completions\":3,\"parallelism\":2");
	look();
	assert_int_equal(running(), 2);
	end_pod(0, 0);
	look();
	assert_int_equal(running(), 2);
	assert_int_equal(counted("succeeded"), 1);
	end_pod(1, 0);
	look();
	assert_int_equal(w.made, 0); /* one is left to do and one runs */
	end_pod(2, 0);
	look();
	assert_string_equal(reason("Complete"), "CompletionsReached");
	assert_string_equal(reason("SuccessCriteriaMet"), "CompletionsReached");
	assert_int_equal(counted("succeeded"), 3);
	assert_string_equal(text("completionTime"), kube_time_text(&a, NOW));
}

/* Every place, and twice at every two places: the counters are the same as without. */
static void a_crash_counts_no_pod_twice_and_loses_none(void **state)
{
	for (int first = 0; first < 3; first++)
		for (int second = 0; second < 3; second++) {
			begin("\"completions\":2,\"parallelism\":3,\"backoffLimit\":3");
			look();
			assert_int_equal(running(), 2);
			end_pod(0, 0);
			end_pod(1, 7);
			look_until(first);
			look_until(second);
			look();
			assert_int_equal(counted("succeeded"), 1);
			assert_int_equal(counted("failed"), 1);
			w.now_s += 3600;
			look();
			assert_int_equal(running(), 1);
			end_pod(w.count - 1, 0);
			look_until(second);
			look_until(first);
			look();
			assert_int_equal(counted("succeeded"), 2);
			assert_int_equal(counted("failed"), 1);
			assert_string_equal(reason("Complete"), "CompletionsReached");
			assert_null(json_path(parse(w.job), "status", "uncountedTerminatedPods", NULL)->first);
		}
}

static void failures_wait_longer_and_longer_and_end_at_the_limit(void **state)
{
	static const int64_t waits[] = {10, 20};
	begin("\"completions\":1,\"parallelism\":1,\"backoffLimit\":2");
	look();
	for (int i = 0; i < 2; i++) {
		end_pod(i, 1);
		look();
		assert_int_equal(w.made, 0);
		assert_int_equal(w.again_s, waits[i]);
		w.now_s += waits[i];
		look();
		assert_int_equal(w.made, 1);
	}
	end_pod(2, 1);
	look();
	assert_string_equal(reason("Failed"), "BackoffLimitExceeded");
	assert_int_equal(counted("failed"), 3);
}

static void a_failed_job_waits_for_its_last_pods(void **state)
{
	begin("\"completions\":2,\"parallelism\":2,\"backoffLimit\":0");
	look();
	end_pod(0, 1);
	look();
	assert_string_equal(reason("FailureTarget"), "BackoffLimitExceeded");
	assert_string_equal(reason("Failed"), "");
	assert_int_equal(counted("terminating"), 1);
	kubelet_buries();
	look();
	assert_string_equal(reason("Failed"), "BackoffLimitExceeded");
	assert_int_equal(counted("failed"), 2); /* what it took along failed too */
	assert_int_equal(counted("terminating"), 0);
}

static void restarts_in_place_are_failures_too(void **state)
{
	begin("\"completions\":1,\"parallelism\":1,\"backoffLimit\":3");
	struct json *job = parse(w.job);
	json_set_cstr(&a, json_path(job, "spec", "template", "spec", NULL), "restartPolicy", "OnFailure");
	struct job_sync y = {.job = job, .arena = &a};
	store(&y);
	look();
	w.pods[0].restarts = 2;
	look();
	assert_string_equal(reason("FailureTarget"), "");
	w.pods[0].restarts = 3;
	look();
	assert_string_equal(reason("FailureTarget"), "BackoffLimitExceeded");
}

static void a_deadline_ends_the_job(void **state)
{
	begin("\"completions\":1,\"parallelism\":1,\"activeDeadlineSeconds\":30");
	look();
	assert_int_equal(w.again_s, 30);
	w.now_s += 29;
	look();
	assert_int_equal(w.again_s, 1);
	w.now_s += 1;
	look();
	kubelet_buries();
	look();
	assert_string_equal(reason("Failed"), "DeadlineExceeded");
}

static void a_suspended_job_has_no_pods_and_counts_none(void **state)
{
	begin("\"suspend\":true,\"completions\":2,\"parallelism\":2");
	look();
	assert_int_equal(w.count, 0);
	assert_string_equal(reason("Suspended"), "JobSuspended");
	assert_string_equal(text("startTime"), "");
	struct json *job = parse(w.job);
	json_set_bool(&a, json_get(job, "spec"), "suspend", false);
	struct job_sync y = {.job = job, .arena = &a};
	store(&y);
	look();
	assert_string_equal(w.told, "Resumed");
	assert_int_equal(running(), 2);
	json_set_bool(&a, json_get(job = parse(w.job), "spec"), "suspend", true);
	y.job = job;
	store(&y);
	look();
	assert_string_equal(w.told, "Suspended");
	kubelet_buries();
	look();
	assert_int_equal(running(), 0);
	assert_int_equal(counted("failed"), 0);
}

static void without_completions_the_first_success_ends_the_making(void **state)
{
	begin("\"parallelism\":3");
	look();
	assert_int_equal(running(), 3);
	end_pod(0, 0);
	look();
	assert_int_equal(running(), 2);
	end_pod(1, 1);
	look();
	assert_int_equal(running(), 1);
	end_pod(2, 0);
	look();
	assert_string_equal(reason("Complete"), "CompletionsReached");
	assert_int_equal(counted("succeeded"), 2);
	assert_int_equal(counted("failed"), 1);
}

static void fewer_at_once_takes_pods_away_uncounted(void **state)
{
	begin("\"completions\":5,\"parallelism\":4");
	look();
	struct json *job = parse(w.job);
	json_set_int(&a, json_get(job, "spec"), "parallelism", 1);
	struct job_sync y = {.job = job, .arena = &a};
	store(&y);
	look();
	assert_int_equal(w.gone, 3);
	kubelet_buries();
	look();
	assert_int_equal(running(), 1);
	assert_int_equal(counted("failed"), 0);
}

/* ---- policies ---- */

static void a_disruption_that_is_ignored_is_no_failure(void **state)
{
	begin("\"completions\":1,\"parallelism\":1,\"backoffLimit\":0,\"podFailurePolicy\":{\"rules\":[{\"action\":"
	      "\"Ignore\","
	      "\"onPodConditions\":[{\"type\":\"DisruptionTarget\",\"status\":\"True\"}]},{\"action\":\"FailJob\","
	      "\"onExitCodes\":{\"operator\":\"In\",\"values\":[42]}}]}");
	look();
	end_pod(0, 3);
	w.pods[0].condition = "DisruptionTarget";
	look();
	assert_int_equal(counted("failed"), 0);
	assert_false(w.pods[0].has_mark);
	w.now_s += 600;
	look();
	end_pod(1, 42);
	look();
	assert_string_equal(reason("Failed"), "PodFailurePolicy");
	assert_int_equal(counted("failed"), 1);
}

static void only_failed_pods_are_replaced_where_asked(void **state)
{
	begin("\"completions\":1,\"parallelism\":1,\"podReplacementPolicy\":\"Failed\"");
	look();
	w.pods[0].is_dying = true;
	look();
	assert_int_equal(w.made, 0);
	assert_int_equal(counted("terminating"), 1);
	end_pod(0, 1);
	look();
	w.now_s += 600;
	look();
	assert_int_equal(w.made, 1);
	begin("\"completions\":1,\"parallelism\":1,\"podReplacementPolicy\":\"TerminatingOrFailed\"");
	look();
	w.pods[0].is_dying = true;
	look();
	assert_int_equal(counted("failed"), 1);
}

/* ---- indexed jobs ---- */

#define INDEXED(n) "\"completionMode\":\"Indexed\",\"completions\":" #n ",\"parallelism\":" #n

static void an_indexed_job_has_one_pod_for_each_index(void **state)
{
	begin(INDEXED(4));
	look();
	for (int i = 0; i < 4; i++)
		assert_int_equal(w.pods[i].index, i);
	end_pod(0, 0);
	end_pod(2, 0);
	end_pod(3, 0);
	look();
	assert_string_equal(text("completedIndexes"), "0,2,3");
	end_pod(1, 0);
	look();
	assert_string_equal(text("completedIndexes"), "0-3");
	assert_string_equal(reason("Complete"), "CompletionsReached");
}

static void a_second_pod_of_an_index_goes(void **state)
{
	begin(INDEXED(2));
	look();
	w.pods[w.count++] = (struct pod){.uid = 9, .index = 1, .phase = "Running", .has_mark = true, .exists = true};
	w.pods[w.count++] = (struct pod){.uid = 10, .index = 7, .phase = "Running", .has_mark = true, .exists = true};
	look();
	assert_int_equal(w.gone, 2);
	assert_true(w.pods[3].is_dying && !w.pods[0].is_dying);
	assert_true(w.pods[1].is_dying != w.pods[2].is_dying);
}

static void each_index_has_its_own_limit(void **state)
{
	begin(INDEXED(2) ",\"backoffLimitPerIndex\":1,\"backoffLimit\":99");
	look();
	end_pod(0, 1);
	end_pod(1, 0);
	look();
	assert_true(w.pods[0].has_mark); /* its count is needed until the next pod carries it on */
	assert_int_equal(w.made, 0);
	assert_int_equal(w.again_s, 10);
	w.now_s += 10;
	look();
	assert_int_equal(w.made, 1);
	assert_string_equal(w.pods[2].failures, "1");
	look();
	assert_false(w.pods[0].has_mark);
	assert_int_equal(counted("failed"), 1);
	end_pod(2, 1);
	look();
	assert_string_equal(text("failedIndexes"), "0");
	assert_string_equal(reason("Failed"), "FailedIndexes");
	begin(INDEXED(2) ",\"backoffLimitPerIndex\":0,\"backoffLimit\":99");
	look();
	end_pod(0, 1);
	look();
	assert_string_equal(text("failedIndexes"), "0");
	assert_int_equal(w.made, 0);
	end_pod(1, 0);
	look();
	assert_string_equal(reason("Failed"), "FailedIndexes");
	assert_string_equal(text("completedIndexes"), "1");
}

static void too_many_failed_indexes_end_the_job(void **state)
{
	begin(INDEXED(3) ",\"backoffLimitPerIndex\":0,\"maxFailedIndexes\":1,\"backoffLimit\":99");
	look();
	end_pod(0, 1);
	look();
	assert_string_equal(reason("FailureTarget"), "");
	end_pod(1, 1);
	look();
	assert_string_equal(reason("FailureTarget"), "MaxFailedIndexesExceeded");
}

static void a_success_policy_ends_the_job_early(void **state)
{
	begin(INDEXED(3) ",\"successPolicy\":{\"rules\":[{\"succeededIndexes\":\"0\"}]}");
	look();
	end_pod(1, 0);
	look();
	assert_string_equal(reason("SuccessCriteriaMet"), "");
	end_pod(0, 0);
	look();
	assert_string_equal(reason("SuccessCriteriaMet"), "SuccessPolicy");
	kubelet_buries();
	look();
	assert_string_equal(reason("Complete"), "SuccessPolicy");
	assert_int_equal(counted("failed"), 0); /* what was not needed any more has not failed */
	assert_string_equal(text("completedIndexes"), "0,1");
}

#define TEST(f) cmocka_unit_test_teardown(f, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(a_job_ends_when_enough_have_succeeded),
	        TEST(a_crash_counts_no_pod_twice_and_loses_none),
	        TEST(failures_wait_longer_and_longer_and_end_at_the_limit),
	        TEST(a_failed_job_waits_for_its_last_pods),
	        TEST(restarts_in_place_are_failures_too),
	        TEST(a_deadline_ends_the_job),
	        TEST(a_suspended_job_has_no_pods_and_counts_none),
	        TEST(without_completions_the_first_success_ends_the_making),
	        TEST(fewer_at_once_takes_pods_away_uncounted),
	        TEST(a_disruption_that_is_ignored_is_no_failure),
	        TEST(only_failed_pods_are_replaced_where_asked),
	        TEST(an_indexed_job_has_one_pod_for_each_index),
	        TEST(a_second_pod_of_an_index_goes),
	        TEST(each_index_has_its_own_limit),
	        TEST(too_many_failed_indexes_end_the_job),
	        TEST(a_success_policy_ends_the_job_early),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a pod's worker does next, from records made by hand. */
#include "tests/unit/node/pod_fixture.h"

#include "node/worker/pod_next_int.h"

static struct fixture f;
static struct pod_world w;

#define POD(spec) "{\"metadata\":{\"name\":\"p\"},\"spec\":{" spec "}}"
#define ONE "\"containers\":[{\"name\":\"c\"}]"
#define INIT_AND_ONE "\"initContainers\":[{\"name\":\"i\"}]," ONE
#define SIDECAR_AND_ONE "\"initContainers\":[{\"name\":\"s\",\"restartPolicy\":\"Always\"}]," ONE

static void make(const char *object)
{
	fixture_init(&f, object);
	w = (struct pod_world){.now_ms = 1000000,
	        .now_ns = (int64_t)2000000 * 1000000000,
	        .runtime_ready = true,
	        .network_ready = true,
	        .has_volumes = true,
	        .volumes_ready = true};
}

static int teardown(void **state)
{
	fixture_release(&f);
	return 0;
}

static void enter(enum pod_state state)
{
	sm_init(&f.pod.sm, &pod_machine, state, "p");
}

static struct pod_step next(void)
{
	return pod_next(&f.pod, &w);
}

static void is(enum pod_action action)
{
	assert_int_equal(next().action, action);
}

static void moves_to(enum pod_state state)
{
	struct pod_step s = next();
	assert_int_equal(s.action, POD_MOVE);
	assert_int_equal(s.state, state);
}

static void exits(struct container *c, int code)
{
	c->state = c->known_state = CONTAINER_EXITED;
	c->exit_code = code;
	c->started_ns = w.now_ns - 1000000000;
	c->finished_ns = w.now_ns;
}

static void a_pod_is_brought_up_in_order(void **state)
{
	make(POD(INIT_AND_ONE));
	w.volumes_ready = w.network_ready = false;
	is(POD_SETUP_VOLUMES);
	w.volumes_ready = true;
	is(POD_WAIT_FOR_NETWORK);
	w.network_ready = true;
	is(POD_START_SANDBOX);
	fixture_sandbox(&f);
	assert_string_equal(next().slot->name, "i");
	struct container *i = fixture_container(&f, "i", CONTAINER_RUNNING);
	is(POD_REST);
	exits(i, 0);
	is(POD_START_CONTAINER);
	assert_string_equal(next().slot->name, "c");
	fixture_container(&f, "c", CONTAINER_RUNNING);
	is(POD_REST);
}

static void a_failed_init_container_is_tried_again_or_ends_the_pod(void **state)
{
	make(POD(INIT_AND_ONE));
	fixture_sandbox(&f);
	exits(fixture_container(&f, "i", CONTAINER_RUNNING), 1);
	is(POD_START_CONTAINER);
	f.slots[0].backoff_ms = 10000;
	is(POD_REST);
	assert_int_equal(next().wait_ms, 10000);
	fixture_release(&f);
	make(POD("\"restartPolicy\":\"Never\"," INIT_AND_ONE));
	fixture_sandbox(&f);
	exits(fixture_container(&f, "i", CONTAINER_RUNNING), 1);
	moves_to(POD_FINISHING);
}

static void what_has_ended_is_restarted_by_the_policy(void **state)
{
	static const struct {
		const char *policy;
		int code;
		bool restarts;
	} cases[] = {{"Always", 0, true}, {"Always", 1, true}, {"OnFailure", 0, false}, {"OnFailure", 1, true},
	        {"Never", 0, false}, {"Never", 1, false}};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *object = xprintf(POD("\"restartPolicy\":\"%s\"," ONE), cases[i].policy);
		make(object);
		fixture_sandbox(&f);
		exits(fixture_container(&f, "c", CONTAINER_RUNNING), cases[i].code);
		if (cases[i].restarts)
			is(POD_START_CONTAINER);
		else
			moves_to(POD_FINISHING);
		fixture_release(&f);
		free(object);
	}
	make(POD(ONE));
}

static void what_is_resized_by_a_restart_is_restarted_whatever_it_said(void **state)
{
	make(POD("\"restartPolicy\":\"OnFailure\"," ONE));
	fixture_sandbox(&f);
	exits(fixture_container(&f, "c", CONTAINER_RUNNING), 0);
	moves_to(POD_FINISHING);
	f.slots[0].resized_after = 1;
	is(POD_START_CONTAINER);
	exits(fixture_container(&f, "c", CONTAINER_RUNNING), 0);
	moves_to(POD_FINISHING); /* the next one is another matter */
}

static void back_off_doubles_and_ends(void **state)
{
	static const unsigned want[] = {10000, 20000, 40000, 80000, 160000, 300000, 300000};
	unsigned ms = 0;
	for (size_t i = 0; i < COUNT_OF(want); i++)
		assert_int_equal(ms = slot_backoff_next_ms(ms, 1), want[i]);
	assert_int_equal(slot_backoff_next_ms(ms, (int64_t)601 * 1000000000), 10000);
	make(POD(ONE));
	fixture_sandbox(&f);
	struct container *c = fixture_container(&f, "c", CONTAINER_RUNNING);
	exits(c, 1);
	f.slots[0].backoff_ms = 300000;
	is(POD_REST);
	c->finished_ns = w.now_ns + (int64_t)3600 * 1000000000; /* the clock was set back */
	c->started_ns = c->finished_ns - 1;
	assert_int_equal(next().wait_ms, 300000);
	c->started_ns = c->finished_ns - (int64_t)700 * 1000000000; /* it ran long */
	is(POD_START_CONTAINER);
}

static void a_start_that_failed_waits_for_its_pause(void **state)
{
	static const struct retry_rule rule = {5000, 60000};
	make(POD(ONE));
	fixture_sandbox(&f);
	retry_failed(&f.slots[0].start, &rule, w.now_ms);
	assert_int_equal(next().wait_ms, 5000);
	w.now_ms += 5000;
	is(POD_START_CONTAINER);
}

static void details_that_are_not_told_are_waited_for(void **state)
{
	make(POD("\"restartPolicy\":\"Never\"," ONE));
	fixture_sandbox(&f);
	struct container *c = fixture_container(&f, "c", CONTAINER_EXITED);
	c->is_known = false;
	is(POD_REST);
	exits(c, 0);
	c->is_known = true;
	moves_to(POD_FINISHING);
}

static void what_we_left_half_made_is_removed(void **state)
{
	make(POD(ONE));
	fixture_sandbox(&f);
	fixture_container(&f, "c", CONTAINER_CREATED);
	is(POD_REMOVE_CONTAINER);
}

static void a_pod_past_its_deadline_is_stopped(void **state)
{
	make(POD("\"activeDeadlineSeconds\":10," ONE));
	fixture_sandbox(&f);
	fixture_container(&f, "c", CONTAINER_RUNNING);
	f.pod.start_ns = w.now_ns - (int64_t)4 * 1000000000;
	assert_int_equal(next().wait_ms, 6001);
	f.pod.start_ns = w.now_ns - (int64_t)10 * 1000000000;
	moves_to(POD_STOPPING);
	assert_string_equal(next().end_reason, "DeadlineExceeded");
}

static void a_pod_that_is_evicted_is_stopped_and_stays(void **state)
{
	make(POD(ONE));
	fixture_sandbox(&f)->is_ready = false;
	f.pod.is_evicted = true;
	f.pod.end_reason = "Evicted";
	moves_to(POD_STOPPING);
	enter(POD_STOPPING);
	w.has_volumes = false;
	moves_to(POD_FINISHED);
}

static void sidecars_stop_after_the_mains(void **state)
{
	make(POD(SIDECAR_AND_ONE));
	fixture_sandbox(&f);
	struct container *s = fixture_container(&f, "s", CONTAINER_RUNNING),
	                 *c = fixture_container(&f, "c", CONTAINER_RUNNING);
	f.pod.is_deleting = true;
	moves_to(POD_STOPPING);
	enter(POD_STOPPING);
	is(POD_STOP_CONTAINERS);
	assert_true(pod_should_stop(&f.pod, c));
	assert_false(pod_should_stop(&f.pod, s));
	c->is_stopping = true;
	is(POD_LOOK);
	exits(c, 0);
	is(POD_STOP_CONTAINERS);
	assert_true(pod_should_stop(&f.pod, s));
}

static void sidecars_stop_in_the_order_turned_around(void **state)
{
	make(POD("\"initContainers\":[{\"name\":\"s\",\"restartPolicy\":\"Always\"},{\"name\":\"i\"},{\"name\":\"t\","
	         "\"restartPolicy\":"
	         "\"Always\"}]," ONE));
	fixture_sandbox(&f);
	struct container *first = fixture_container(&f, "s", CONTAINER_RUNNING),
	                 *second = fixture_container(&f, "t", CONTAINER_RUNNING);
	exits(fixture_container(&f, "c", CONTAINER_RUNNING), 0);
	f.pod.is_deleting = true;
	enter(POD_STOPPING);
	assert_false(pod_should_stop(&f.pod, first));
	assert_true(pod_should_stop(&f.pod, second));
	exits(second, 0);
	assert_true(pod_should_stop(&f.pod, first));
}

static void sidecars_do_not_keep_a_pod_from_finishing(void **state)
{
	make(POD("\"restartPolicy\":\"Never\"," SIDECAR_AND_ONE));
	fixture_sandbox(&f);
	fixture_container(&f, "s", CONTAINER_RUNNING);
	exits(fixture_container(&f, "c", CONTAINER_RUNNING), 0);
	moves_to(POD_FINISHING);
	enter(POD_FINISHING);
	is(POD_STOP_CONTAINERS);
}

static void a_finished_pod_keeps_its_records_until_it_is_deleted(void **state)
{
	make(POD("\"restartPolicy\":\"Never\"," ONE));
	struct sandbox *box = fixture_sandbox(&f);
	exits(fixture_container(&f, "c", CONTAINER_RUNNING), 0);
	enter(POD_FINISHING);
	f.pod.cgroup_may_be = true;
	is(POD_STOP_SANDBOXES);
	box->is_ready = false;
	is(POD_TEAR_DOWN_VOLUMES);
	w.has_volumes = false;
	is(POD_REMOVE_CGROUP);
	f.pod.cgroup_may_be = false;
	moves_to(POD_FINISHED);
	enter(POD_FINISHED);
	is(POD_REST);
	f.pod.is_deleting = true;
	moves_to(POD_CLEANING);
	enter(POD_CLEANING);
	is(POD_REMOVE_SANDBOX);
	sandbox_free(box);
	is(POD_REMOVE_CONTAINER);
	container_free(pod_container(&f.pod, "c"));
	is(POD_CLEAN_FOLDERS);
	f.pod.cleaned = true;
	is(POD_DELETE_FROM_API);
	f.pod.in_api = false;
	moves_to(POD_GONE);
}

static void a_deletion_while_it_finishes_is_heard(void **state)
{
	make(POD(SIDECAR_AND_ONE));
	fixture_sandbox(&f);
	fixture_container(&f, "s", CONTAINER_RUNNING);
	enter(POD_FINISHING);
	f.pod.is_deleting = true;
	moves_to(POD_STOPPING);
}

static void what_runs_after_all_is_ended(void **state)
{
	make(POD(ONE));
	fixture_sandbox(&f);
	fixture_container(&f, "c", CONTAINER_RUNNING);
	enter(POD_FINISHED);
	moves_to(POD_FINISHING);
}

static void a_removal_that_fails_is_left_alone_for_a_growing_pause(void **state)
{
	static const struct retry_rule rule = {1000, 60000};
	unsigned tries = 0;
	make(POD(ONE));
	f.pod.is_deleting = true;
	fixture_sandbox(&f)->is_ready = false;
	enter(POD_CLEANING);
	for (uint64_t end = w.now_ms + 3600000; w.now_ms < end;) {
		struct pod_step s = next();
		if (s.action == POD_REMOVE_SANDBOX) {
			tries++;
			retry_failed(&f.pod.take_down, &rule, w.now_ms);
		} else {
			assert_int_equal(s.action, POD_REST);
			assert_true(s.wait_ms > 0);
			w.now_ms += s.wait_ms;
		}
	}
	assert_in_range(tries, 50, 80);
}

static void the_last_status_goes_out_before_the_records_go(void **state)
{
	make(POD(ONE));
	f.pod.is_deleting = f.pod.status_busy = true;
	fixture_sandbox(&f);
	enter(POD_CLEANING);
	is(POD_REST);
}

static void old_records_are_collected(void **state)
{
	make(POD(ONE));
	struct sandbox *old = fixture_sandbox(&f);
	struct container *first = NULL;
	for (int i = 0; i < 3; i++) {
		struct container *c = fixture_container(&f, "c", CONTAINER_EXITED);
		first = first ? first : c;
	}
	old->is_ready = true;
	assert_int_equal(next().action, POD_REMOVE_CONTAINER);
	assert_ptr_equal(next().container, first);
}

static void a_pod_that_only_the_runtime_knows_is_stopped(void **state)
{
	make(POD(ONE));
	f.pod.object = f.pod.spec = f.pod.meta = NULL;
	f.pod.slots_count = 0;
	is(POD_REST);
	f.pod.is_deleting = true;
	moves_to(POD_STOPPING);
}

static void an_ephemeral_container_waits_for_nobody_and_runs_once(void **state)
{
	make(POD(INIT_AND_ONE ",\"ephemeralContainers\":[{\"name\":\"e\"}]"));
	is(POD_START_SANDBOX);
	fixture_sandbox(&f);
	assert_string_equal(next().slot->name, "e");
	struct container *e = fixture_container(&f, "e", CONTAINER_RUNNING);
	assert_string_equal(next().slot->name, "i");
	exits(fixture_container(&f, "i", CONTAINER_RUNNING), 0);
	exits(e, 1);
	assert_string_equal(next().slot->name, "c");
	fixture_container(&f, "c", CONTAINER_RUNNING);
	is(POD_REST); /* nothing restarts it, whatever the policy */
}

static void an_ephemeral_container_does_not_keep_a_pod_from_finishing(void **state)
{
	make(POD("\"restartPolicy\":\"Never\"," ONE ",\"ephemeralContainers\":[{\"name\":\"e\"}]"));
	fixture_sandbox(&f);
	struct container *e = fixture_container(&f, "e", CONTAINER_RUNNING);
	exits(fixture_container(&f, "c", CONTAINER_RUNNING), 0);
	moves_to(POD_FINISHING);
	enter(POD_FINISHING);
	is(POD_STOP_CONTAINERS);
	assert_true(pod_should_stop(&f.pod, e));
}

/* The pod's box was lost with all in it: what was run once to look at it is not run again. */
static void an_ephemeral_container_of_a_lost_sandbox_is_over(void **state)
{
	make(POD(ONE ",\"ephemeralContainers\":[{\"name\":\"e\"}]"));
	struct sandbox *first = fixture_sandbox(&f);
	exits(fixture_container(&f, "e", CONTAINER_RUNNING), 137);
	exits(fixture_container(&f, "c", CONTAINER_RUNNING), 137);
	first->is_ready = false;
	fixture_sandbox(&f);
	assert_string_equal(next().slot->name, "c");
	fixture_container(&f, "c", CONTAINER_RUNNING);
	is(POD_REST);
}

#define T(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_pod_is_brought_up_in_order),
	        T(a_failed_init_container_is_tried_again_or_ends_the_pod),
	        T(what_has_ended_is_restarted_by_the_policy),
	        T(what_is_resized_by_a_restart_is_restarted_whatever_it_said),
	        T(back_off_doubles_and_ends),
	        T(a_start_that_failed_waits_for_its_pause),
	        T(details_that_are_not_told_are_waited_for),
	        T(what_we_left_half_made_is_removed),
	        T(a_pod_past_its_deadline_is_stopped),
	        T(a_pod_that_is_evicted_is_stopped_and_stays),
	        T(sidecars_stop_after_the_mains),
	        T(sidecars_stop_in_the_order_turned_around),
	        T(sidecars_do_not_keep_a_pod_from_finishing),
	        T(a_finished_pod_keeps_its_records_until_it_is_deleted),
	        T(a_deletion_while_it_finishes_is_heard),
	        T(what_runs_after_all_is_ended),
	        T(a_removal_that_fails_is_left_alone_for_a_growing_pause),
	        T(the_last_status_goes_out_before_the_records_go),
	        T(old_records_are_collected),
	        T(a_pod_that_only_the_runtime_knows_is_stopped),
	        T(an_ephemeral_container_waits_for_nobody_and_runs_once),
	        T(an_ephemeral_container_does_not_keep_a_pod_from_finishing),
	        T(an_ephemeral_container_of_a_lost_sandbox_is_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* One consistent picture of a pod: single cases, and the property over random orders of what can happen. */
#include "tests/unit/node/pod_fixture.h"

#include "node/status/pod_picture_int.h"

static struct fixture f;
static struct arena arena;

static int teardown(void **state)
{
	fixture_release(&f);
	arena_release(&arena);
	return 0;
}

static struct pod_picture take(void)
{
	return pod_picture_take(&f.pod, &arena);
}

static struct container *runs(const char *name)
{
	return fixture_container(&f, name, CONTAINER_RUNNING);
}

static void exits(struct container *c, int code)
{
	c->state = c->known_state = CONTAINER_EXITED;
	c->exit_code = code;
}

#define POD(spec) "{\"metadata\":{\"name\":\"p\"},\"spec\":{" spec "}}"

static void a_pod_whose_only_container_waits_is_pending(void **state)
{
	fixture_init(&f, POD("\"containers\":[{\"name\":\"c\"}]"));
	assert_string_equal(take().phase, "Pending");
	fixture_sandbox(&f);
	assert_string_equal(take().phase, "Pending");
	struct container *c = fixture_container(&f, "c", CONTAINER_CREATED);
	struct pod_picture pic = take();
	assert_string_equal(pic.phase, "Pending");
	assert_string_equal(pic.containers[0].reason, "ContainerCreating");
	c->state = CONTAINER_RUNNING; /* listed, and its details not told */
	assert_string_equal(take().phase, "Pending");
	c->known_state = CONTAINER_RUNNING;
	assert_string_equal(take().phase, "Running");
}

static void what_waits_for_init_containers_says_so(void **state)
{
	fixture_init(
	        &f, POD("\"initContainers\":[{\"name\":\"i\"},{\"name\":\"k\"}],\"containers\":[{\"name\":\"c\"}]"));
	struct pod_picture pic = take();
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(pic.containers[i].reason, "PodInitializing");
	assert_false(pic.is_initialized);
}

static void without_a_readiness_probe_what_runs_is_ready(void **state)
{
	fixture_init(&f, POD("\"containers\":[{\"name\":\"c\"}]"));
	fixture_sandbox(&f);
	struct container *c = runs("c");
	assert_true(take().containers_ready);
	c->is_stopping = true; /* as when its image changes */
	assert_true(take().containers[0].is_ready);
	exits(c, 0);
	assert_false(take().containers_ready);
}

static void after_a_restart_of_ours_the_probes_last_word_holds(void **state)
{
	fixture_init(&f,
	        "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"readinessProbe\":{}}]},"
	        "\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\",\"containerID\":"
	        "\"containerd://id1\",\"ready\":true,\"started\":true,\"state\":{\"running\":{}}}]}}");
	fixture_sandbox(&f);
	struct container *c = runs("c");
	assert_string_equal(c->id, "id1");
	assert_true(take().containers_ready);
	c->ready = VERDICT_NO;
	assert_false(take().containers_ready);
	exits(c, 1);
	runs("c"); /* another one: nobody has asked it */
	assert_false(take().containers_ready);
}

static void a_container_that_vanished_is_told_as_lost(void **state)
{
	fixture_init(&f,
	        "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\"}]},\"status\":{\"phase\":"
	        "\"Running\",\"containerStatuses\":[{\"name\":\"c\",\"containerID\":\"containerd://x\","
	        "\"restartCount\":4,\"state\":{\"running\":{}}}]}}");
	struct pod_picture pic = take();
	assert_int_equal(pic.containers[0].state, PICTURE_WAITING);
	assert_true(pic.containers[0].last.is_there);
	assert_int_equal(picture_exit_code(&pic.containers[0].last), 137);
	assert_int_equal(pic.containers[0].restarts, 4);
	assert_string_equal(pic.phase, "Running");
}

/* What was ended to be started with other resources has not ended the pod, whatever it said. */
static void a_pod_is_not_over_while_it_is_resized(void **state)
{
	fixture_init(&f, POD("\"restartPolicy\":\"OnFailure\",\"containers\":[{\"name\":\"c\"}]"));
	fixture_sandbox(&f);
	exits(runs("c"), 0);
	assert_string_equal(take().phase, "Succeeded");
	f.slots[0].resized_after = 1;
	assert_string_equal(take().phase, "Running");
	exits(runs("c"), 0); /* the next one is another matter */
	assert_string_equal(take().phase, "Succeeded");
}

static void a_pod_is_not_over_while_a_sidecar_runs(void **state)
{
	fixture_init(&f,
	        POD("\"restartPolicy\":\"Never\",\"initContainers\":[{\"name\":\"s\",\"restartPolicy\":\"Always\"}],"
	            "\"containers\":[{\"name\":\"c\"}]"));
	fixture_sandbox(&f);
	struct container *s = runs("s"), *c = runs("c");
	exits(c, 0);
	assert_string_equal(take().phase, "Running");
	exits(s, 0);
	assert_string_equal(take().phase, "Succeeded");
}

/* ---- the property ---- */

static uint64_t seed;

static unsigned dice(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

static char *random_spec(void)
{
	static const char *const policies[] = {"Always", "OnFailure", "Never"};
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "\"restartPolicy\":\"%s\"", policies[dice(3)]);
	unsigned inits = dice(3), mains = 1 + dice(2);
	for (unsigned i = 0; i < inits; i++)
		strbuf_addf(&b, "%s{\"name\":\"i%u\"%s%s}", i ? "," : ",\"initContainers\":[", i,
		        dice(2) ? ",\"restartPolicy\":\"Always\"" : "", dice(3) ? "" : ",\"startupProbe\":{}");
	strbuf_adds(&b, inits ? "]" : "");
	for (unsigned i = 0; i < mains; i++)
		strbuf_addf(&b, "%s{\"name\":\"m%u\"%s%s}", i ? "," : ",\"containers\":[", i,
		        dice(2) ? ",\"readinessProbe\":{}" : "", dice(3) ? "" : ",\"startupProbe\":{}");
	strbuf_adds(&b, "]");
	return strbuf_detach(&b);
}

/* What the API server would echo of the picture. */
static void echo(const char *spec, const struct pod_picture *pic)
{
	static const char *const states[] = {
	        "{\"waiting\":{}}", "{\"running\":{}}", "{\"terminated\":{\"exitCode\":%d}}"};
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "{\"metadata\":{\"name\":\"p\"},\"spec\":{%s},\"status\":{\"phase\":\"%s\"", spec, pic->phase);
	for (int init = 1; init >= 0; init--) {
		unsigned n = 0;
		for (size_t i = 0; i < pic->count; i++) {
			const struct container_picture *c = &pic->containers[i];
			if ((c->slot->kind != SLOT_MAIN) != init)
				continue;
			strbuf_addf(&b,
			        "%s{\"name\":\"%s\",\"ready\":%s,\"started\":%s,\"restartCount\":%d,\"containerID\":\"%"
			        "s%s\",\"state\":",
			        n++    ? ","
			        : init ? ",\"initContainerStatuses\":["
			               : ",\"containerStatuses\":[",
			        c->slot->name, c->is_ready ? "true" : "false", c->is_started ? "true" : "false",
			        (int)c->restarts, c->record ? "containerd://" : "", c->record ? c->record->id : "");
			if (c->state == PICTURE_TERMINATED)
				strbuf_addf(&b, states[2], picture_exit_code(&c->end));
			else
				strbuf_adds(&b, states[c->state]);
			if (c->last.is_there)
				strbuf_addf(&b, ",\"lastState\":{\"terminated\":{\"exitCode\":%d}}",
				        picture_exit_code(&c->last));
			strbuf_addc(&b, '}');
		}
		strbuf_adds(&b, n ? "]" : "");
	}
	strbuf_adds(&b, "}}");
	fixture_parse(&f, strbuf_cstr(&b));
	strbuf_release(&b);
}

static struct container *any_container(void)
{
	struct container *c = pod_container(&f.pod, f.slots[dice((unsigned)f.pod.slots_count)].name);
	return c;
}

/* One of the things that can happen, at any time. */
static void happens(void)
{
	struct slot *s = &f.slots[dice((unsigned)f.pod.slots_count)];
	struct container *c = any_container();
	switch (dice(12)) {
	case 0:
		if (dice(4) == 0 || list_empty(&f.pod.sandboxes))
			fixture_sandbox(&f);
		break;
	case 1:
	case 2: /* made, and listed before its details are told */
		c = pod_container(&f.pod, s->name);
		if (!list_empty(&f.pod.sandboxes) && (!c || c->state == CONTAINER_EXITED))
			fixture_container(&f, s->name, (enum container_state)dice(2))->is_known = dice(2);
		break;
	case 3:
	case 4: /* listed in another state; the details still the old ones */
		if (c && c->state != CONTAINER_EXITED)
			c->state = dice(3) ? CONTAINER_RUNNING : CONTAINER_EXITED;
		break;
	case 5:
	case 6: /* its details are told */
		if (c) {
			c->is_known = true;
			c->known_state = c->state;
			c->exit_code = c->state == CONTAINER_EXITED ? (int)dice(2) : 0;
		}
		break;
	case 7: /* the view drops a record */
		if (c && c->state == CONTAINER_EXITED)
			container_free(c);
		break;
	case 8:
		if (c && c->state == CONTAINER_RUNNING)
			c->started = (enum container_verdict)dice(3);
		break;
	case 9:
		if (c && c->state == CONTAINER_RUNNING)
			c->ready = (enum container_verdict)dice(3);
		break;
	case 10:
		s->waiting_reason = dice(2) ? "CrashLoopBackOff" : NULL;
		break;
	case 11:
		if (c && dice(8) == 0)
			c->state = CONTAINER_UNKNOWN;
		break;
	}
}

static bool is_one_of(const char *phase, const char *a, const char *b)
{
	return strcmp(phase, a) == 0 || strcmp(phase, b) == 0;
}

static void is_consistent(const struct pod_picture *pic, const char *before)
{
	unsigned running = 0, shown_ready = 0, wanted_ready = 0, mains_running = 0, mains_ended = 0;
	for (size_t i = 0; i < pic->count; i++) {
		const struct container_picture *c = &pic->containers[i];
		running += c->state == PICTURE_RUNNING;
		assert_true(!c->is_started || c->state == PICTURE_RUNNING);
		assert_true((c->state == PICTURE_WAITING) == (c->reason != NULL) || c->carried);
		assert_true((c->state == PICTURE_TERMINATED) == c->end.is_there);
		if (c->slot->kind == SLOT_INIT) {
			assert_true(!c->is_ready || c->state == PICTURE_TERMINATED);
			continue;
		}
		assert_true(!c->is_ready || c->is_started);
		wanted_ready++;
		shown_ready += c->is_ready;
		if (c->slot->kind == SLOT_MAIN) {
			mains_running += c->state == PICTURE_RUNNING;
			mains_ended += c->state == PICTURE_TERMINATED || c->last.is_there;
		}
	}
	assert_true(pic->containers_ready ? shown_ready == wanted_ready && pic->is_initialized : true);
	if (strcmp(pic->phase, "Running") == 0)
		assert_true(mains_running || mains_ended || running);
	if (picture_is_over(pic)) {
		assert_false(pic->containers_ready);
		if (!is_one_of(before, "Succeeded", "Failed"))
			assert_int_equal(running, 0);
	} else {
		assert_false(is_one_of(before, "Succeeded", "Failed"));
	}
}

static void every_write_is_consistent_in_any_order(void **state)
{
	fixture_init(&f, POD("\"containers\":[{\"name\":\"c\"}]"));
	for (unsigned run = 1; run <= 2000; run++) {
		fixture_release(&f);
		seed = run * UINT64_C(0x9e3779b97f4a7c15);
		char *spec = random_spec(), *object = xprintf("{\"metadata\":{\"name\":\"p\"},\"spec\":{%s}}", spec);
		const char *before = "";
		fixture_init(&f, object);
		for (unsigned step = 0; step < 60; step++) {
			happens();
			if (step == 40 && dice(2)) {
				f.pod.is_deleting = true;
				sm_move(&f.pod.sm, POD_STOPPING);
			}
			struct pod_picture pic = take();
			is_consistent(&pic, before);
			before = pic.phase;
			if (dice(2))
				echo(spec, &pic);
			else if (is_one_of(before, "Succeeded", "Failed"))
				break; /* what is over is written before anything else happens to it */
		}
		arena_release(&arena);
		free(spec);
		free(object);
	}
}

static void an_ephemeral_container_has_no_part_in_phase_and_readiness(void **state)
{
	fixture_init(&f, POD("\"containers\":[{\"name\":\"c\"}],\"ephemeralContainers\":[{\"name\":\"e\"}]"));
	fixture_sandbox(&f);
	fixture_container(&f, "c", CONTAINER_RUNNING);
	struct pod_picture pic = take();
	assert_string_equal(pic.phase, "Running");
	assert_true(pic.containers_ready);
	assert_int_equal(pic.containers[1].state, PICTURE_WAITING);
	fixture_container(&f, "e", CONTAINER_RUNNING);
	pic = take();
	assert_int_equal(pic.containers[1].state, PICTURE_RUNNING);
	assert_false(pic.containers[1].is_ready);
	assert_true(pic.containers_ready);
}

#define T(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_pod_whose_only_container_waits_is_pending),
	        T(what_waits_for_init_containers_says_so),
	        T(without_a_readiness_probe_what_runs_is_ready),
	        T(after_a_restart_of_ours_the_probes_last_word_holds),
	        T(a_container_that_vanished_is_told_as_lost),
	        T(a_pod_is_not_over_while_it_is_resized),
	        T(a_pod_is_not_over_while_a_sidecar_runs),
	        T(an_ephemeral_container_has_no_part_in_phase_and_readiness),
	        T(every_write_is_consistent_in_any_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Claims in the scheduler: which nodes they admit, and how those that wait are bound, over a client that is made up:
 * the test is the API server. All of a test runs in one task of the loop. */
#include "tests/unit/unit.h"

#include "api/scheduler/scheduler_int.h"

enum { WATCHES_MAX = 8, CALLS_MAX = 16 };

struct fake {
	struct client base;
	struct loop loop;
	struct scheduler s;
	struct client_watch *watches[WATCHES_MAX];
	size_t n_watches;
	struct client_request *calls[CALLS_MAX];
	size_t n_calls;
	int revision;
	struct arena arena;
	struct loop_task start;
	void (*test)(struct fake *f);
};

/* ---- the API server ---- */

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

static void fake_send(struct client *c, struct client_request *req)
{
	struct fake *f = (struct fake *)c;
	assert_true(f->n_calls < CALLS_MAX);
	f->calls[f->n_calls++] = req;
}

static const struct client_vtable vtable = {
        .send = fake_send, .watch_open = fake_watch_open, .watch_close = fake_watch_close};

static void put(struct fake *f, const char *type, const char *plural, const char *name, const char *more)
{
	char end[64];
	snprintf(end, sizeof end, "/%s?", plural);
	for (size_t i = 0; i < f->n_watches; i++)
		if (strstr(f->watches[i]->path, end)) {
			const char *text = arena_printf(&f->arena,
			        "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\",\"uid\":\"uid-%s\","
			        "\"resourceVersion\":"
			        "\"%d\"%s}",
			        name, plural[0] == 'p' && strcmp(plural, "persistentvolumes") ? "d" : "", name,
			        ++f->revision, more);
			f->watches[i]->on_event(f->watches[i], type, slice_of(text), NULL);
			return;
		}
	fail_msg("nobody watches %s", plural);
}

/* The oldest call is answered; returns its method and path. */
static const char *answer(struct fake *f, int code)
{
	struct client_request *r = f->calls[0];
	const char *what = arena_printf(&f->arena, "%s %s", r->method, r->path);
	memmove(f->calls, f->calls + 1, --f->n_calls * sizeof *f->calls);
	if (code)
		err_set(&r->err, code, "made up");
	r->done(r);
	return what;
}

static void drain(struct fake *f)
{
	while (f->n_calls)
		answer(f, ERR_CANCELED);
}

static void node(struct fake *f, const char *name, const char *labels)
{
	const char *text = arena_printf(&f->arena,
	        "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"host\":\"%s\"%s}},\"spec\":{},\"status\":{"
	        "\"allocatable\":{"
	        "\"cpu\":\"2\",\"memory\":\"4Gi\",\"pods\":\"10\"}}}",
	        name, name, labels);
	struct rcbuf *json = rcbuf_copy(text, strlen(text));
	cache_node_set(&f->s.cache, slice_of(name), json);
	rcbuf_unref(json);
}

static void class(struct fake *f, const char *name, const char *provisioner, const char *more)
{
	put(f, "ADDED", "storageclasses", name,
	        arena_printf(&f->arena, "},\"provisioner\":\"%s\",\"volumeBindingMode\":\"WaitForFirstConsumer\"%s",
	                provisioner, more));
}

static void claim(struct fake *f, const char *name, const char *size, const char *annotations, const char *more)
{
	put(f, "ADDED", "persistentvolumeclaims", name,
	        arena_printf(&f->arena,
	                ",\"annotations\":{%s}},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{"
	                "\"requests\":{"
	                "\"storage\":\"%s\"}}%s},\"status\":{\"phase\":\"Pending\"}",
	                annotations, size, more));
}

static void volume(struct fake *f, const char *name, const char *size, const char *on, const char *more)
{
	put(f, "ADDED", "persistentvolumes", name,
	        arena_printf(&f->arena,
	                ",\"labels\":{%s}},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"capacity\":{\"storage\":\"%"
	                "s\"},"
	                "\"storageClassName\":\"lazy\"%s,\"nodeAffinity\":{\"required\":{\"nodeSelectorTerms\":[{"
	                "\"matchExpressions\":[{\"key\":\"host\",\"operator\":\"In\",\"values\":[\"%s\"]}]}]}}},"
	                "\"status\":{"
	                "\"phase\":\"Available\"}",
	                *more == '!' ? more + 1 : "", size, *more == '!' ? "" : more, on));
}

#define BOUND "\"pv.kubernetes.io/bind-completed\":\"yes\""

/* A pod with these claims, queued and popped as the scheduler would. */
static void pod(struct fake *f, struct candidate *p, const char *name, const char *claims)
{
	struct strbuf volumes = STRBUF_INIT;
	struct slice rest = slice_of(claims);
	const char *key = arena_printf(&f->arena, "d/%s", name);
	while (rest.len) {
		struct slice c = slice_cut(&rest, ',');
		strbuf_addf(&volumes, "%s{\"name\":\"v\",\"persistentVolumeClaim\":{\"claimName\":\"%.*s\"}}",
		        volumes.len ? "," : "", SLICE_FMT(c));
	}
	put(f, "ADDED", "pods", name,
	        arena_printf(&f->arena, "},\"spec\":{\"containers\":[],\"volumes\":[%s]}", strbuf_cstr(&volumes)));
	strbuf_release(&volumes);
	struct informer_object *o = informer_get(shared_informer_base(f->s.pods), slice_of(key));
	assert_true(candidate_read(&f->s.cache, p, slice_of(key), o->json));
	if (!queue_find(&f->s.queue, slice_of(key))) {
		queue_add(&f->s.queue, slice_of(key), 0, false, 0);
		queue_pop(&f->s.queue);
	}
}

/* Why the node cannot, "" when it can. */
static void expect(struct fake *f, const char *claims, const char *on, const char *why)
{
	struct candidate p;
	struct verdict v = {0};
	pod(f, &p, "asks", claims);
	const char *problem = volumes_prepare(&f->s, &p);
	if (!problem && !volumes_filter(&f->s, &p, map_get(&f->s.cache.nodes, slice_of(on)), &v))
		problem = v.reasons[0];
	assert_string_equal(problem ? problem : "", why);
	candidate_release(&p);
	queue_remove(&f->s.queue, SLICE("d/asks"));
}

/* ---- tests ---- */

static void test_nodes(struct fake *f)
{
	static const char none[] = "node(s) didn't find available persistent volumes to bind";
	node(f, "n1", ",\"topology.kubernetes.io/zone\":\"a\"");
	node(f, "n2", ",\"topology.kubernetes.io/zone\":\"b\"");
	class(f, "lazy", "kubernetes.io/no-provisioner", "");
	class(f, "made", "x.io/p",
	        ",\"allowedTopologies\":[{\"matchLabelExpressions\":[{\"key\":\"host\",\"values\":[\"n2\"]}]}]");
	expect(f, "absent", "n1", "persistentvolumeclaim \"absent\" not found");
	claim(f, "now", "1Gi", "", "");
	expect(f, "now", "n1", "pod has unbound immediate PersistentVolumeClaims");
	claim(f, "c", "2Gi", "", ",\"storageClassName\":\"lazy\"");
	expect(f, "c", "n1", none);
	volume(f, "small", "1Gi", "n1", "");
	volume(f, "fits", "3Gi", "n2", "");
	expect(f, "c", "n1", none);
	expect(f, "c", "n2", "");
	claim(f, "other", "2Gi", "", ",\"storageClassName\":\"lazy\"");
	expect(f, "c,other", "n2", none); /* one volume for two */
	claim(f, "make", "1Gi", "", ",\"storageClassName\":\"made\"");
	expect(f, "make", "n1", none);
	expect(f, "make", "n2", "");
	claim(f, "chosen", "1Gi", "\"volume.kubernetes.io/selected-node\":\"n1\"", ",\"storageClassName\":\"made\"");
	expect(f, "chosen", "n2", none);
	claim(f, "bound", "1Gi", BOUND, ",\"storageClassName\":\"lazy\",\"volumeName\":\"fits\"");
	expect(f, "bound", "n1", "node(s) had volume node affinity conflict");
	expect(f, "bound", "n2", "");
	claim(f, "lost", "1Gi", BOUND, ",\"volumeName\":\"gone\"");
	expect(f, "lost", "n2", "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
	volume(f, "zoned", "1Gi", "n2", "!\"topology.kubernetes.io/zone\":\"a__c\"");
	claim(f, "zone", "1Gi", BOUND, ",\"volumeName\":\"zoned\"");
	expect(f, "zone", "n2", "node(s) had no available volume zone");
}

static void bind_with(
        struct fake *f, const char *name, const char *claims, const char *on, const struct scheduler_profile *profile)
{
	struct candidate p;
	struct node_info *n = map_get(&f->s.cache.nodes, slice_of(on));
	struct verdict v = {0};
	pod(f, &p, name, claims);
	p.profile = profile;
	assert_null(volumes_prepare(&f->s, &p));
	assert_true(volumes_filter(&f->s, &p, n, &v));
	struct volume_choice *choices = volumes_choose(&f->s, &p, n);
	assert_non_null(choices);
	volume_bind_start(&f->s, &p, n, choices);
	candidate_release(&p);
}

static void bind_to(struct fake *f, const char *name, const char *claims, const char *on)
{
	bind_with(f, name, claims, on, scheduler_configuration_default.profiles);
}

/* Written, waited for, and then the pod is bound; meanwhile nobody else gets what was decided. */
static void test_binding(struct fake *f)
{
	node(f, "n1", "");
	node(f, "n2", "");
	class(f, "lazy", "x.io/p", "");
	claim(f, "c", "1Gi", "", ",\"storageClassName\":\"lazy\"");
	claim(f, "d", "1Gi", "", ",\"storageClassName\":\"lazy\"");
	volume(f, "v", "1Gi", "n1", "");
	bind_to(f, "one", "c", "n1");
	assert_true(slice_is(volume_bind_taken_by(&f->s, SLICE("v")), "d/c"));
	bind_to(f, "two", "d", "n1"); /* the volume is given away: one is made */
	assert_true(slice_is(volume_bind_node_of(&f->s, SLICE("d/d")), "n1"));
	expect(f, "d", "n2", "node(s) didn't find available persistent volumes to bind");
	assert_string_equal(answer(f, 0), "PUT /api/v1/persistentvolumes/v");
	assert_string_equal(answer(f, 0), "PUT /api/v1/namespaces/d/persistentvolumeclaims/d");
	volume_bind_check(&f->s);
	assert_int_equal(f->n_calls, 0); /* neither is bound */
	claim(f, "c", "1Gi", BOUND, ",\"storageClassName\":\"lazy\",\"volumeName\":\"v\"");
	volume_bind_check(&f->s);
	assert_int_equal(f->n_calls, 1);
	assert_string_equal(answer(f, 0), "POST /api/v1/namespaces/d/pods/one/binding");
	drain(f); /* events come in the background */
	assert_false(volume_bind_taken_by(&f->s, SLICE("v")).len);
	assert_true(volume_bind_node_of(&f->s, SLICE("d/d")).len);
	volume(f, "far", "1Gi", "n2", ",\"claimRef\":{\"namespace\":\"d\",\"name\":\"d\",\"uid\":\"uid-d\"}");
	claim(f, "d", "1Gi", BOUND, ",\"storageClassName\":\"lazy\",\"volumeName\":\"far\"");
	volume_bind_check(&f->s); /* made elsewhere: not where the pod was to go */
	assert_false(volume_bind_node_of(&f->s, SLICE("d/d")).len);
	assert_int_equal(queue_find(&f->s.queue, SLICE("d/two"))->state, QUEUED_BACKOFF);
	assert_null(cache_pod(&f->s.cache, SLICE("d/two")));
}

/* bindTimeoutSeconds of the pod's profile. */
static void test_timeout(struct fake *f)
{
	struct scheduler_profile *plain = ARENA_NEW(&f->arena, struct scheduler_profile);
	*plain = *scheduler_configuration_default.profiles;
	node(f, "n1", "");
	class(f, "lazy", "x.io/p", "");
	claim(f, "c", "1Gi", "", ",\"storageClassName\":\"lazy\"");
	claim(f, "d", "1Gi", "", ",\"storageClassName\":\"lazy\"");
	bind_to(f, "one", "c", "n1");
	assert_int_equal(volume_bind_deadline_ms(&f->s), scheduler_now_ms(&f->s) + 600 * 1000);
	plain->volume_timeout_ms = 0;
	bind_with(f, "two", "d", "n1", plain);
	assert_int_equal(volume_bind_deadline_ms(&f->s), scheduler_now_ms(&f->s));
	drain(f);
	volume_bind_check(&f->s);
	assert_int_equal(queue_find(&f->s.queue, SLICE("d/two"))->state, QUEUED_BACKOFF);
	drain(f);
}

static void test_failures(struct fake *f)
{
	node(f, "n1", "");
	class(f, "lazy", "x.io/p", "");
	claim(f, "c", "1Gi", "", ",\"storageClassName\":\"lazy\"");
	bind_to(f, "one", "c", "n1");
	assert_non_null(cache_pod(&f->s.cache, SLICE("d/one")));
	answer(f, ERR_CONFLICT); /* somebody else wrote */
	assert_int_equal(queue_find(&f->s.queue, SLICE("d/one"))->state, QUEUED_BACKOFF);
	assert_null(cache_pod(&f->s.cache, SLICE("d/one")));
	drain(f);
	bind_to(f, "two", "c", "n1");
	answer(f, 0);
	claim(f, "c", "1Gi", "\"volume.kubernetes.io/selected-node\":\"n1\"", ",\"storageClassName\":\"lazy\"");
	volume_bind_check(&f->s);
	assert_non_null(cache_pod(&f->s.cache, SLICE("d/two")));
	claim(f, "c", "1Gi", "", ",\"storageClassName\":\"lazy\""); /* its provisioner gave the node back */
	volume_bind_check(&f->s);
	assert_null(cache_pod(&f->s.cache, SLICE("d/two")));
	drain(f);
	bind_to(f, "three", "c", "n1");
	answer(f, 0);
	queue_remove(&f->s.queue, SLICE("d/three")); /* the pod is deleted */
	volume_bind_check(&f->s);
	assert_false(volume_bind_node_of(&f->s, SLICE("d/c")).len);
}

/* ---- life ---- */

static void closed(void *arg)
{
	loop_stop(&((struct fake *)arg)->loop);
}

static void recorder_closed(void *arg)
{
	struct fake *f = arg;
	informer_set_close(f->s.informers, closed, f);
}

static void run(struct loop_task *t)
{
	struct fake *f = CONTAINER_OF(t, struct fake, start);
	struct scheduler *s = &f->s;
	s->client = &f->base;
	s->informers = informer_set_new(&f->base);
	s->recorder = recorder_new(&f->base, "test", NULL);
	list_init(&s->calls);
	list_init(&s->volume_waits);
	cache_init(&s->cache);
	queue_init(&s->queue);
	s->pods = informer_set_get(s->informers, "/api/v1/pods");
	scheduler_follow_volumes(s);
	f->test(f);
	drain(f);
	scheduler_ignore(s);
	volume_bind_release(s);
	recorder_close(s->recorder, recorder_closed, f);
}

static void play(void (*test)(struct fake *f))
{
	struct fake f = {.base = {&vtable, &f.loop}, .test = test, .start.run = run};
	loop_init(&f.loop, "test");
	loop_post(&f.loop, &f.start);
	loop_run(&f.loop);
	loop_release(&f.loop);
	cache_release(&f.s.cache);
	queue_release(&f.s.queue);
	arena_release(&f.arena);
}

static void claims_choose_nodes(void **state)
{
	play(test_nodes);
}

static void claims_that_wait_are_bound_before_their_pod(void **state)
{
	play(test_binding);
}

static void what_fails_is_undone(void **state)
{
	play(test_failures);
}

static void who_waits_too_long_is_tried_anew(void **state)
{
	play(test_timeout);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(claims_choose_nodes),
	        cmocka_unit_test(claims_that_wait_are_bound_before_their_pod),
	        cmocka_unit_test(what_fails_is_undone),
	        cmocka_unit_test(who_waits_too_long_is_tried_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

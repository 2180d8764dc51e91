/* Consultations with extenders, over HTTP on loopback, and a client that is made up: the test is the API server and the
 * extender. Answers are held back where something is to happen meanwhile. */
#include "api/scheduler/scheduler_int.h"
#include "tests/unit/base/wire/wire_test.h"

#include <signal.h>

enum { WATCHES_MAX = 20, CALLS_MAX = 8 };

/* ---- the API server ---- */

static struct {
	struct client base;
	struct client_watch *watches[WATCHES_MAX];
	size_t n_watches;
	int revision, open;
	char bound[200], told[2000]; /* "d/p->n ", and conditions as they were sent */
	int deleted;
} api;

static void end_watch(struct loop_task *t)
{
	struct client_watch *w = CONTAINER_OF(t, struct client_watch, task);
	struct err none = ERR_INIT;
	w->on_end(w, &none);
}

static void watch_open(struct client *c, struct client_watch *w)
{
	assert_true(api.n_watches < WATCHES_MAX);
	w->task.run = end_watch;
	api.watches[api.n_watches++] = w;
}

static void watch_close(struct client *c, struct client_watch *w)
{
	loop_post(&loop, &w->task);
}

static void answer_call(struct loop_task *t)
{
	struct client_request *req = CONTAINER_OF(t, struct client_request, task);
	api.open--;
	req->http_status = 200;
	req->response = rcbuf_copy("{\"metadata\":{\"name\":\"x\"}}", 25);
	req->done(req);
}

static void add(char *to, size_t cap, const char *text)
{
	size_t n = strlen(to);
	snprintf(to + n, cap - n, "%s", text);
}

static void api_send(struct client *c, struct client_request *req)
{
	char *end = strstr(req->path, "/binding");
	struct slice path = slice_of(req->path);
	char text[200];
	if (end) {
		snprintf(text, sizeof text, "%.*s->%.*s ", (int)(end - req->path - 26), req->path + 26,
		        SLICE_FMT(json_find(req->body, "target", "name", NULL)));
		add(api.bound, sizeof api.bound, text);
	} else if (slice_ends(path, "/status")) {
		snprintf(api.told, sizeof api.told, "%.*s", SLICE_FMT(req->body));
	}
	api.deleted += strcmp(req->method, "DELETE") == 0;
	api.open++;
	req->task.run = answer_call;
	loop_post(&loop, &req->task);
}

static void api_cancel(struct client *c, struct client_request *req)
{
}

static const struct client_vtable vtable = {
        .send = api_send, .cancel = api_cancel, .watch_open = watch_open, .watch_close = watch_close};

static void event(const char *type, const char *plural, const char *meta, const char *rest)
{
	char end[64], text[1500];
	snprintf(end, sizeof end, "/%s?", plural);
	snprintf(text, sizeof text, "{\"metadata\":{\"resourceVersion\":\"%d\",%s},%s}", ++api.revision, meta, rest);
	for (size_t i = 0; i < api.n_watches; i++)
		if (strstr(api.watches[i]->path, end))
			api.watches[i]->on_event(api.watches[i], type, slice_of(text), NULL);
}

static void node(const char *type, const char *name)
{
	char meta[100];
	snprintf(meta, sizeof meta, "\"name\":\"%s\"", name);
	event(type, "nodes", meta, "\"spec\":{},\"status\":{\"allocatable\":{\"cpu\":\"2\",\"pods\":\"9\"}}");
}

/* One CPU each, of two that a node has; a resource: whom it concerns. */
static void pod(const char *type, const char *name, const char *resource, int priority, const char *on)
{
	char meta[100], spec[500], more[80] = "";
	snprintf(meta, sizeof meta, "\"name\":\"%s\",\"namespace\":\"d\",\"uid\":\"%s\"", name, name);
	if (on)
		snprintf(more, sizeof more, ",\"nodeName\":\"%s\"", on);
	snprintf(spec, sizeof spec,
	        "\"spec\":{\"schedulerName\":\"default-scheduler\",\"priority\":%d,\"containers\":[{\"resources\":{"
	        "\"requests\":{\"cpu\":\"1\",\"x.io/%s\":\"0\"}}}]%s}",
	        priority, resource, more);
	event(type, "pods", meta, spec);
}

/* ---- the extender ---- */

static struct place {
	const char *path, *answer;
	bool holds;
	int asked;
	char body[4000];
	struct http_exchange *held;
} places[8];

static struct place *place_at(const char *path)
{
	size_t i = 0;
	while (places[i].path && strcmp(places[i].path, path) != 0)
		i++;
	assert_true(i + 1 < COUNT_OF(places));
	places[i].path = path;
	return &places[i];
}

static void release(struct place *p)
{
	struct http_exchange *x = p->held;
	p->held = NULL;
	http_respond_copy(x, 200, slice_of(p->answer));
}

static void asked(struct http_exchange *x, struct slice body, void *arg)
{
	struct place *p = arg;
	p->asked++;
	snprintf(p->body, sizeof p->body, "%.*s", SLICE_FMT(body));
	p->held = x;
	if (!p->holds)
		release(p);
}

static void handler(struct http_exchange *x, void *arg)
{
	for (size_t i = 0; places[i].path; i++)
		if (places[i].answer && slice_is(http_request(x)->path, places[i].path)) {
			http_body_collect(x, 65536, asked, &places[i]);
			return;
		}
	http_respond(x, 500);
}

static struct place *answers(const char *path, const char *answer)
{
	struct place *p = place_at(path);
	p->answer = answer;
	p->holds = false;
	return p;
}

static struct place *holds(const char *path, const char *answer)
{
	struct place *p = answers(path, answer);
	p->holds = true;
	return p;
}

/* ---- life ---- */

static struct http_server *server;
static struct informer_set *informers;
static struct scheduler *s;
static int closed;
static struct scheduler_extender all[2];
static struct scheduler_configuration conf;
static char prefix[40];

static void count_close(void *arg)
{
	closed++;
}

static int setup(void **state)
{
	static const char *names[] = {"x.io/a"};
	struct http_server_options o = {.loop = &loop, .handler = handler};
	loop_begin();
	closed = 0;
	memset(&api, 0, sizeof api);
	memset(places, 0, sizeof places);
	api.base = (struct client){&vtable, &loop};
	assert_int_equal(http_server_new(&o, &server, &err), 0);
	assert_int_equal(http_server_listen_tcp(server, "127.0.0.1", 0, &err), 0);
	snprintf(prefix, sizeof prefix, "http://127.0.0.1:%d", http_server_port(server));
	conf = scheduler_configuration_default;
	all[0] = (struct scheduler_extender){.url_prefix = prefix,
	        .filter_verb = "f",
	        .weight = 1,
	        .timeout_ms = 5000,
	        .knows_nodes = true,
	        .resources = names,
	        .n_resources = 1};
	all[1] = (struct scheduler_extender){
	        .url_prefix = "http://127.0.0.1:1", .timeout_ms = 5000, .resources = names, .n_resources = 1};
	conf.extenders = all;
	conf.n_extenders = 2;
	informers = informer_set_new(&api.base);
	s = scheduler_new(&(struct scheduler_options){&api.base, informers, &conf});
	s->started = true;
	node("ADDED", "n1");
	node("ADDED", "n2");
	return 0;
}

static void close_scheduler(void)
{
	scheduler_close(TAKE(s), count_close, NULL);
	WAIT_FOR(closed == 1);
}

static int teardown(void **state)
{
	if (s)
		close_scheduler();
	informer_set_close(informers, count_close, NULL);
	WAIT_FOR(closed == 2);
	http_server_close(server, 0, count_close, NULL);
	WAIT_FOR(closed == 3 && !api.open);
	loop_finish();
	return 0;
}

static enum queued_state state_of(const char *key)
{
	struct queued_pod *q = queue_find(&s->queue, slice_of(key));
	assert_non_null(q);
	return q->state;
}

static bool is_told(const char *text)
{
	return strstr(api.told, text);
}

/* ---- filters ---- */

#define BOTH "{\"NodeNames\":[\"n1\",\"n2\"]}"
#define FIRST "{\"NodeNames\":[\"n1\"]}"
#define NONE "{\"FailedNodes\":{\"n1\":\"no\",\"n2\":\"no\"}}"

static void a_pod_goes_where_it_is_let(void **state)
{
	struct place *p = answers("/f", "{\"NodeNames\":[\"n2\"]}");
	pod("ADDED", "p", "a", 0, NULL);
	WAIT_FOR(*api.bound);
	assert_string_equal(api.bound, "p->n2 ");
	assert_non_null(strstr(p->body, "\"Nodes\":null,\"NodeNames\":[\"n"));
	assert_null(s->consult);
}

static void points_decide_among_those_that_are_left(void **state)
{
	all[0].prioritize_verb = "p";
	all[1].prioritize_verb = "p"; /* is down, and so has none */
	answers("/f", BOTH);
	struct place *p = answers("/p", "[{\"Host\":\"n2\",\"Score\":10}]");
	pod("ADDED", "q", "b", 0, "n2"); /* by our own points it would be n1 */
	pod("ADDED", "p", "a", 0, NULL);
	WAIT_FOR(*api.bound);
	assert_string_equal(api.bound, "p->n2 ");
	assert_int_equal(p->asked, 1);
}

static void refused_by_extenders_it_waits_for_anything(void **state)
{
	answers("/f", NONE);
	pod("ADDED", "p", "a", 0, NULL);
	WAIT_FOR(is_told("0/2 nodes are available: 2 no."));
	assert_int_equal(state_of("d/p"), QUEUED_UNSCHEDULABLE);
	pod("ADDED", "other", "b", 0, "n1");
	assert_int_not_equal(state_of("d/p"), QUEUED_UNSCHEDULABLE);
}

static void what_happens_meanwhile_is_not_missed(void **state)
{
	struct place *p = holds("/f", NONE);
	pod("ADDED", "p", "a", 0, NULL);
	WAIT_FOR(p->held);
	pod("ADDED", "other", "b", 0, "n1");
	release(p);
	WAIT_FOR(is_told("2 no."));
	assert_int_equal(state_of("d/p"), QUEUED_BACKOFF);
}

static void a_node_that_goes_or_fills_up_meanwhile_is_not_taken(void **state)
{
	struct place *p = holds("/f", FIRST);
	pod("ADDED", "p", "a", 0, NULL);
	WAIT_FOR(p->held);
	node("DELETED", "n1");
	release(p);
	WAIT_FOR(!s->consult);
	assert_int_equal(state_of("d/p"), QUEUED_BACKOFF);
	node("ADDED", "n1");
	pod("ADDED", "q", "a", 0, NULL);
	WAIT_FOR(p->held);
	pod("ADDED", "one", "b", 0, "n1");
	pod("ADDED", "two", "b", 0, "n1");
	release(p);
	WAIT_FOR(!s->consult);
	assert_int_equal(state_of("d/q"), QUEUED_BACKOFF);
	assert_string_equal(api.bound, "");
}

static void others_go_on_and_the_next_waits_for_its_turn(void **state)
{
	struct place *p = holds("/f", BOTH);
	pod("ADDED", "p", "a", 0, NULL);
	WAIT_FOR(p->held);
	pod("ADDED", "low", "a", 1, NULL);
	WAIT_FOR(state_of("d/low") == QUEUED_PARKED);
	pod("ADDED", "high", "a", 2, NULL);
	pod("ADDED", "free", "b", 0, NULL);
	WAIT_FOR(*api.bound);
	assert_true(strncmp(api.bound, "free->", 6) == 0);
	assert_int_equal(state_of("d/high"), QUEUED_PARKED);
	assert_int_equal(queue_find(&s->queue, SLICE("d/high"))->attempts, 0);
	release(p);
	WAIT_FOR(p->held);
	assert_non_null(strstr(p->body, "\"name\":\"high\""));
	assert_int_equal(p->asked, 2);
}

static void a_pod_that_goes_makes_room_for_the_next(void **state)
{
	struct place *p = holds("/f", BOTH);
	pod("ADDED", "p", "a", 0, NULL);
	WAIT_FOR(p->held);
	pod("ADDED", "next", "a", 0, NULL);
	pod("DELETED", "p", "a", 0, NULL);
	p->holds = false;
	WAIT_FOR(*api.bound);
	assert_true(strncmp(api.bound, "next->", 6) == 0);
	pod("ADDED", "q", "a", 0, NULL);
	p->holds = true;
	WAIT_FOR(p->asked == 3);
	pod("MODIFIED", "q", "a", 0, "n1"); /* somebody else bound it */
	WAIT_FOR(!s->consult);
}

static void an_error_is_told_and_it_is_tried_again(void **state)
{
	answers("/f", "{");
	pod("ADDED", "p", "a", 0, NULL);
	WAIT_FOR(is_told("\"reason\":\"SchedulerError\""));
	assert_true(is_told("the answer is not JSON"));
	assert_int_equal(state_of("d/p"), QUEUED_BACKOFF);
	all[0].is_ignorable = true;
	pod("ADDED", "q", "a", 0, NULL);
	WAIT_FOR(*api.bound);
}

static void a_nominated_node_is_asked_about_alone(void **state)
{
	struct rcbuf *json = rcbuf_copy("{}", 2);
	struct place *p = holds("/f", NONE);
	nominee_set(s, SLICE("d/p"), SLICE("n2"), json);
	pod("ADDED", "p", "a", 0, NULL);
	WAIT_FOR(p->held);
	assert_non_null(strstr(p->body, "\"NodeNames\":[\"n2\"]"));
	release(p);
	p->answer = FIRST;
	p->holds = false;
	WAIT_FOR(*api.bound);
	assert_string_equal(api.bound, "p->n1 ");
	assert_int_equal(p->asked, 2);
	rcbuf_unref(json);
}

/* ---- preemption ---- */

static void fill(void)
{
	static const char *const names[] = {"a1", "a2", "b1", "b2"};
	for (int i = 0; i < 4; i++)
		pod("ADDED", names[i], "b", 0, i < 2 ? "n1" : "n2");
}

static void an_extender_chooses_among_the_offers(void **state)
{
	all[0].preempt_verb = "v";
	fill();
	struct place *p = answers("/v", "{\"NodeNameToMetaVictims\":{\"n2\":{\"Pods\":[{\"UID\":\"b2\"}]}}}");
	pod("ADDED", "p", "a", 9, NULL);
	WAIT_FOR(api.deleted == 1);
	assert_true(cache_pod(&s->cache, SLICE("d/b2"))->is_victim);
	assert_true(slice_is(nominee_node(s, SLICE("d/p")), "n2"));
	assert_int_equal(p->asked, 1);
	assert_non_null(strstr(p->body, "\"n1\":{\"Pods\":[{\"UID\":\"a"));
	assert_int_equal(place_at("/f")->asked, 0); /* nothing was left to filter */
}

static const char *preemption_says(const char *answer)
{
	answers("/v", answer);
	*api.told = 0;
	pod("ADDED", "p", "a", 9, NULL);
	WAIT_FOR(*api.told && !s->consult);
	pod("DELETED", "p", "a", 9, NULL);
	assert_int_equal(api.deleted, 0);
	return strstr(api.told, "preemption: ");
}

static void offers_that_are_none_leave_everybody_in_place(void **state)
{
	static const char *const rows[][2] = {{"{}", "no candidate node for preemption"},
	        {"{\"NodeNameToMetaVictims\":{\"n1\":null}}", "expected at least one victim pod on node"},
	        {"{\"NodeNameToMetaVictims\":{\"n3\":{\"Pods\":[{\"UID\":\"a1\"}]}}}", "nodeinfo not found"},
	        {"{\"NodeNameToMetaVictims\":{\"n1\":{\"Pods\":[{\"UID\":\"b1\"}]}}}",
	                "claims to preempt pod (UID: b1)"},
	        {"7", "the answer is a JSON number"}};
	all[0].preempt_verb = "v";
	fill();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *says = preemption_says(rows[i][0]);
		if (!says || !strstr(says, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], api.told);
	}
	all[0].is_ignorable = true;
	assert_non_null(strstr(preemption_says(rows[1][0]), "no candidate node"));
	answers("/v", "{");
	pod("ADDED", "p", "a", 9, NULL);
	WAIT_FOR(api.deleted); /* as if it were not there */
}

static void a_victim_that_goes_meanwhile_is_none(void **state)
{
	struct place *p = holds("/v", "{\"NodeNameToMetaVictims\":{\"n2\":{\"Pods\":[{\"UID\":\"b2\"}]}}}");
	all[0].preempt_verb = "v";
	fill();
	pod("ADDED", "p", "a", 9, NULL);
	WAIT_FOR(p->held);
	pod("DELETED", "b2", "b", 0, "n2");
	release(p);
	WAIT_FOR(is_told("claims to preempt pod"));
	assert_int_equal(state_of("d/p"), QUEUED_BACKOFF); /* for there is room now */
}

/* ---- bindings ---- */

static void an_extender_binds_or_says_why_not(void **state)
{
	all[0].filter_verb = NULL;
	all[0].bind_verb = "b";
	struct place *p = answers("/b", "{\"Error\":\"closed\"}");
	pod("ADDED", "p", "a", 0, NULL);
	WAIT_FOR(p->asked == 1 && state_of("d/p") == QUEUED_BACKOFF);
	assert_null(cache_pod(&s->cache, SLICE("d/p")));
	answers("/b", "{}");
	pod("ADDED", "q", "a", 0, NULL);
	WAIT_FOR(p->asked == 2 && !queue_find(&s->queue, SLICE("d/q")));
	assert_non_null(strstr(p->body, "{\"PodName\":\"q\",\"PodNamespace\":\"d\",\"PodUID\":\"q\",\"Node\":\"n"));
	assert_true(cache_pod(&s->cache, SLICE("d/q"))->assumed);
	assert_string_equal(api.bound, "");
	all[0].is_ignorable = true;
	answers("/b", "{\"Error\":\"closed\"}");
	pod("ADDED", "r", "a", 0, NULL);
	WAIT_FOR(*api.bound); /* we do it then */
	assert_true(strncmp(api.bound, "r->", 3) == 0);
	WAIT_FOR(!s->in_flight);
}

/* ---- the end ---- */

static void it_may_end_at_any_question(void **state)
{
	static const char *const at[] = {"/f", "/p", "/b", "/v"};
	all[0].prioritize_verb = "p";
	all[0].preempt_verb = "v";
	all[0].bind_verb = "b";
	answers("/f", BOTH);
	answers("/p", "[]");
	size_t i = (size_t)(uintptr_t)*state;
	struct place *p = holds(at[i], "{}");
	if (i == 3)
		fill();
	pod("ADDED", "p", "a", 9, NULL);
	pod("ADDED", "next", "a", 0, NULL);
	WAIT_FOR(p->held);
	close_scheduler();
	assert_string_equal(api.bound, "");
	assert_int_equal(api.deleted, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define END_AT(i) \
	{ \
		"it_may_end_at_any_question " #i, it_may_end_at_any_question, setup, teardown, (void *)(uintptr_t)(i) \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(a_pod_goes_where_it_is_let),
	        TEST(points_decide_among_those_that_are_left),
	        TEST(refused_by_extenders_it_waits_for_anything),
	        TEST(what_happens_meanwhile_is_not_missed),
	        TEST(a_node_that_goes_or_fills_up_meanwhile_is_not_taken),
	        TEST(others_go_on_and_the_next_waits_for_its_turn),
	        TEST(a_pod_that_goes_makes_room_for_the_next),
	        TEST(an_error_is_told_and_it_is_tried_again),
	        TEST(a_nominated_node_is_asked_about_alone),
	        TEST(an_extender_chooses_among_the_offers),
	        TEST(offers_that_are_none_leave_everybody_in_place),
	        TEST(a_victim_that_goes_meanwhile_is_none),
	        TEST(an_extender_binds_or_says_why_not),
	        END_AT(0),
	        END_AT(1),
	        END_AT(2),
	        END_AT(3),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

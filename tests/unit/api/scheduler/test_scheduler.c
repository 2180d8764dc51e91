/* The scheduler's cache, filters, scores and queue, without an API server. */
#include "tests/unit/unit.h"

#include "api/scheduler/scheduler_int.h"

static struct rcbuf *text(const char *s)
{
	return rcbuf_copy(s, strlen(s));
}

static void node(struct cache *k, const char *name, const char *spec, const char *allocatable)
{
	char buf[1024];
	snprintf(buf, sizeof buf,
	        "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"host\":\"%s\"}},\"spec\":%s,\"status\":{\"allocatable\":%"
	        "s}}",
	        name, name, spec, allocatable);
	struct rcbuf *json = text(buf);
	cache_node_set(k, slice_of(name), json);
	rcbuf_unref(json);
}

static const char roomy[] = "{\"cpu\":\"2\",\"memory\":\"4Gi\",\"pods\":\"10\",\"x.io/dev\":\"1\"}";

static const char *pod_text(char *buf, size_t cap, const char *name, const char *requests, const char *more)
{
	snprintf(buf, cap,
	        "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"d\",\"uid\":\"%s\",\"labels\":{\"app\":\"a\"},"
	        "\"ownerReferences\":[{\"uid\":\"own\",\"controller\":true}]},"
	        "\"spec\":{\"containers\":[{\"resources\":{\"requests\":%s}}]%s}}",
	        name, name, requests, more);
	return buf;
}

static bool passes(struct scheduler *s, const char *requests, const char *more, const char *on, struct verdict *v)
{
	char buf[2048];
	struct candidate p;
	struct rcbuf *json = text(pod_text(buf, sizeof buf, "new", requests, more));
	assert_true(candidate_read(&s->cache, &p, SLICE("d/new"), json));
	placement_prepare(s, &p);
	bool ok = filters_pass(s, &p, map_get(&s->cache.nodes, slice_of(on)), v);
	static char reason[REASON_TEXT_MAX];
	snprintf(reason, sizeof reason, "%s", v->count ? v->reasons[0] : "");
	v->reasons[0] = reason; /* it lay in the candidate's arena */
	candidate_release(&p);
	rcbuf_unref(json);
	return ok;
}

static void place(struct cache *k, const char *key, const char *on, const char *requests, const char *more)
{
	char buf[2048];
	struct rcbuf *json = text(pod_text(buf, sizeof buf, key + 2, requests, more));
	cache_pod_set(k, slice_of(key), slice_of(on), json, false);
	rcbuf_unref(json);
}

/* In place, to more and to less. */
static void a_resize_counts_what_is_held_and_what_is_wanted(void **state)
{
#define RESIZED(wanted, held, more) \
	text("{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"u\"},\"spec\":{\"containers\":[{\"name\":" \
	     "\"c\"," \
	     "\"resources\":{\"requests\":{\"cpu\":\"" wanted "\"}}}]},\"status\":{" more \
	     "\"containerStatuses\":[{\"name\":\"c\"," \
	     "\"allocatedResources\":{\"cpu\":\"" held "\"}}]}}")
	struct cache k;
	cache_init(&k);
	node(&k, "n1", "{}", roomy);
	struct rcbuf *steps[] = {RESIZED("500m", "500m", ""), RESIZED("1", "500m", ""),
	        RESIZED("9", "500m", "\"resize\":\"Infeasible\","), RESIZED("1", "1", ""), RESIZED("200m", "1", ""),
	        RESIZED("200m", "200m", "")};
	static const int milli[] = {500, 1000, 500, 1000, 1000, 200};
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		bool frees = cache_pod_set(&k, SLICE("d/p"), SLICE("n1"), steps[i], false);
		assert_int_equal(cache_pod(&k, SLICE("d/p"))->requests.cpu_milli, milli[i]);
		assert_int_equal(frees, i && milli[i] < milli[i - 1]);
		rcbuf_unref(steps[i]);
	}
	cache_release(&k);
}

static void resources_are_counted_by_difference(void **state)
{
	struct scheduler s = {0};
	struct verdict v;
	cache_init(&s.cache);
	place(&s.cache, "d/early", "n1", "{\"cpu\":\"500m\"}", ""); /* known before its node */
	node(&s.cache, "n1", "{}", roomy);
	assert_true(passes(&s, "{\"cpu\":\"1500m\"}", "", "n1", &v));
	assert_false(passes(&s, "{\"cpu\":\"1501m\"}", "", "n1", &v));
	assert_string_equal(v.reasons[0], "Insufficient cpu");
	assert_true(v.resolvable);
	place(&s.cache, "d/dev", "n1", "{\"x.io/dev\":\"1\"}", "");
	assert_false(passes(&s, "{\"x.io/dev\":\"1\"}", "", "n1", &v));
	assert_string_equal(v.reasons[0], "Insufficient x.io/dev");
	node(&s.cache, "n1", "{}", roomy); /* an update keeps what is used */
	assert_false(passes(&s, "{\"x.io/dev\":\"1\"}", "", "n1", &v));
	cache_pod_remove(&s.cache, SLICE("d/dev"));
	cache_pod_remove(&s.cache, SLICE("d/early"));
	assert_true(passes(&s, "{\"cpu\":\"2\",\"x.io/dev\":\"1\"}", "", "n1", &v));
	cache_release(&s.cache);
}

static void init_containers_count_by_their_largest(void **state)
{
	struct scheduler s = {0};
	struct verdict v;
	cache_init(&s.cache);
	node(&s.cache, "n1", "{}", roomy);
	assert_false(passes(&s, "{\"cpu\":\"1\"}",
	        ",\"initContainers\":[{\"resources\":{\"requests\":{\"cpu\":\"2100m\"}}}]", "n1", &v));
	assert_true(passes(&s, "{\"cpu\":\"1\"}",
	        ",\"initContainers\":[{\"resources\":{\"requests\":{\"cpu\":\"2\"}}}]", "n1", &v));
	assert_false(passes(&s, "{\"cpu\":\"1\"}",
	        ",\"initContainers\":[{\"restartPolicy\":\"Always\",\"resources\":{\"requests\":{\"cpu\":\"1100m\"}}}]",
	        "n1", &v));
	cache_release(&s.cache);
}

static void taints_and_cordons_keep_pods_away(void **state)
{
	struct scheduler s = {0};
	struct verdict v;
	cache_init(&s.cache);
	node(&s.cache, "n1", "{\"taints\":[{\"key\":\"k\",\"value\":\"v\",\"effect\":\"NoSchedule\"}]}", roomy);
	node(&s.cache, "n2", "{\"unschedulable\":true}", roomy);
	assert_false(passes(&s, "{}", "", "n1", &v));
	assert_string_equal(v.reasons[0], "node(s) had untolerated taint {k: v}");
	assert_true(passes(
	        &s, "{}", ",\"tolerations\":[{\"key\":\"k\",\"operator\":\"Equal\",\"value\":\"v\"}]", "n1", &v));
	assert_false(passes(
	        &s, "{}", ",\"tolerations\":[{\"key\":\"k\",\"operator\":\"Equal\",\"value\":\"w\"}]", "n1", &v));
	assert_true(passes(&s, "{}", ",\"tolerations\":[{\"operator\":\"Exists\"}]", "n1", &v));
	assert_false(
	        passes(&s, "{}", ",\"tolerations\":[{\"operator\":\"Exists\",\"effect\":\"NoExecute\"}]", "n1", &v));
	assert_false(passes(&s, "{}", "", "n2", &v));
	assert_string_equal(v.reasons[0], "node(s) were unschedulable");
	cache_release(&s.cache);
}

static void labels_and_names_choose_nodes(void **state)
{
	struct scheduler s = {0};
	struct verdict v;
	cache_init(&s.cache);
	node(&s.cache, "n1", "{}", roomy);
	assert_true(passes(&s, "{}", ",\"nodeSelector\":{\"host\":\"n1\"}", "n1", &v));
	assert_false(passes(&s, "{}", ",\"nodeSelector\":{\"host\":\"n2\"}", "n1", &v));
	assert_string_equal(v.reasons[0], "node(s) didn't match Pod's node affinity/selector");
	static const char form[] = ",\"affinity\":{\"nodeAffinity\":{"
	                           "\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[%s]}}}";
	static const struct {
		const char *term;
		bool fits;
	} rows[] = {
	        {"{\"matchExpressions\":[{\"key\":\"host\",\"operator\":\"In\",\"values\":[\"x\",\"n1\"]}]}", true},
	        {"{\"matchExpressions\":[{\"key\":\"host\",\"operator\":\"NotIn\",\"values\":[\"n1\"]}]}", false},
	        {"{\"matchExpressions\":[{\"key\":\"gone\",\"operator\":\"DoesNotExist\"}]}", true},
	        {"{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\",\"values\":[\"n1\"]}]}", true},
	        {"{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\",\"values\":[\"n2\"]}]}", false},
	        {"{}", false},
	        {"{},{\"matchExpressions\":[{\"key\":\"host\",\"operator\":\"Exists\"}]}", true},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char more[600];
		snprintf(more, sizeof more, form, rows[i].term);
		assert_int_equal(passes(&s, "{}", more, "n1", &v), rows[i].fits);
	}
	cache_release(&s.cache);
}

static void host_ports_clash_by_address(void **state)
{
	struct scheduler s = {0};
	struct candidate p;
	struct verdict v;
	cache_init(&s.cache);
	node(&s.cache, "n1", "{}", roomy);
	static const char form[] = "{\"metadata\":{\"name\":\"x\",\"namespace\":\"d\"},\"spec\":{\"containers\":[{"
	                           "\"ports\":[{\"hostPort\":80,\"hostIP\":\"%s\",\"protocol\":\"%s\"}]}]}}";
	static const struct {
		const char *ip, *protocol;
		bool fits;
	} rows[] = {
	        {"", "TCP", false}, {"10.0.0.1", "TCP", false}, {"10.0.0.2", "TCP", true}, {"10.0.0.1", "UDP", true}};
	char buf[512];
	snprintf(buf, sizeof buf, form, "10.0.0.1", "TCP");
	struct rcbuf *json = text(buf);
	cache_pod_set(&s.cache, SLICE("d/x"), SLICE("n1"), json, false);
	rcbuf_unref(json);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		snprintf(buf, sizeof buf, form, rows[i].ip, rows[i].protocol);
		json = text(buf);
		assert_true(candidate_read(&s.cache, &p, SLICE("d/y"), json));
		assert_int_equal(filters_pass(&s, &p, s.cache.list[0], &v), rows[i].fits);
		candidate_release(&p);
		rcbuf_unref(json);
	}
	cache_release(&s.cache);
}

static const char anti[] = ",\"affinity\":{\"podAntiAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{"
                           "\"labelSelector\":{\"matchLabels\":{\"app\":\"a\"}},\"topologyKey\":\"host\"}]}}";
static const char near[] = ",\"affinity\":{\"podAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{"
                           "\"labelSelector\":{\"matchLabels\":{\"app\":\"a\"}},\"topologyKey\":\"host\"}]}}";
static const char spread[] =
        ",\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"host\",\"whenUnsatisfiable\":"
        "\"DoNotSchedule\",\"labelSelector\":{\"matchLabels\":{\"app\":\"a\"}}}]";

static void rules_about_other_pods(void **state)
{
	struct scheduler s = {0};
	struct verdict v;
	cache_init(&s.cache);
	node(&s.cache, "n1", "{}", roomy);
	node(&s.cache, "n2", "{}", roomy);
	assert_true(passes(&s, "{}", near, "n1", &v)); /* the first of its kind */
	place(&s.cache, "d/one", "n1", "{}", "");
	assert_false(passes(&s, "{}", anti, "n1", &v));
	assert_string_equal(v.reasons[0], "node(s) didn't match pod anti-affinity rules");
	assert_true(passes(&s, "{}", anti, "n2", &v));
	assert_true(passes(&s, "{}", near, "n1", &v));
	assert_false(passes(&s, "{}", near, "n2", &v));
	assert_false(passes(&s, "{}", spread, "n1", &v));
	assert_true(passes(&s, "{}", spread, "n2", &v));
	place(&s.cache, "d/two", "n2", "{}", anti); /* it wants nobody like us */
	assert_false(passes(&s, "{}", "", "n2", &v));
	assert_string_equal(v.reasons[0], "node(s) didn't satisfy existing pods anti-affinity rules");
	assert_true(passes(&s, "{}", "", "n1", &v));
	cache_release(&s.cache);
}

/* Its own rules are told before those of others, and where nobody's going would help nobody is sent away. */
static void a_refusal_says_what_could_help(void **state)
{
	struct scheduler s = {0};
	struct verdict v;
	cache_init(&s.cache);
	node(&s.cache, "n1", "{\"taints\":[{\"key\":\"k\",\"effect\":\"NoSchedule\"}]}", roomy);
	node(&s.cache, "n2", "{}", roomy);
	place(&s.cache, "d/one", "n2", "{}", anti);
	assert_false(passes(&s, "{}", anti, "n2", &v));
	assert_string_equal(v.reasons[0], "node(s) didn't match pod anti-affinity rules");
	assert_true(v.resolvable);
	static const char far[] =
	        ",\"affinity\":{\"podAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{"
	        "\"labelSelector\":{\"matchLabels\":{\"app\":\"none\"}},\"topologyKey\":\"host\"}]}}";
	assert_false(passes(&s, "{}", far, "n2", &v));
	assert_string_equal(v.reasons[0], "node(s) didn't match pod affinity rules");
	assert_false(v.resolvable);
	static const char no_such_key[] =
	        ",\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"gone\",\"whenUnsatisfiable\":"
	        "\"DoNotSchedule\",\"labelSelector\":{\"matchLabels\":{\"app\":\"a\"}}}]";
	assert_false(passes(&s, "{}", no_such_key, "n2", &v));
	assert_string_equal(
	        v.reasons[0], "node(s) didn't match pod topology spread constraints (missing required label)");
	assert_false(v.resolvable);
	static const char by_name[] =
	        ",\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{"
	        "\"nodeSelectorTerms\":[{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\","
	        "\"values\":[\"n9\"]}]}]}}}";
	assert_false(passes(&s, "{}", by_name, "n1", &v)); /* its taint is not asked about */
	assert_string_equal(v.reasons[0], "node(s) didn't satisfy plugin(s) [NodeAffinity]");
	assert_false(v.resolvable);
	cache_release(&s.cache);
}

static void spread_counts_the_nodes_that_it_should(void **state)
{
	static const char form[] =
	        ",\"nodeSelector\":{\"host\":\"n1\"},\"topologySpreadConstraints\":[{\"maxSkew\":1,"
	        "\"topologyKey\":\"host\",\"whenUnsatisfiable\":\"DoNotSchedule\",\"labelSelector\":{"
	        "\"matchLabels\":{\"app\":\"a\"}}%s}]";
	char more[500];
	struct scheduler s = {0};
	struct verdict v;
	cache_init(&s.cache);
	node(&s.cache, "n1", "{}", roomy);
	node(&s.cache, "n2", "{\"taints\":[{\"key\":\"k\",\"effect\":\"NoSchedule\"}]}", roomy);
	place(&s.cache, "d/one", "n1", "{}", "");
	snprintf(more, sizeof more, form, "");
	assert_true(passes(&s, "{}", more, "n1", &v)); /* n2 is no choice: its none does not count */
	snprintf(more, sizeof more, form, ",\"nodeAffinityPolicy\":\"Ignore\"");
	assert_false(passes(&s, "{}", more, "n1", &v));
	snprintf(more, sizeof more, form, ",\"nodeAffinityPolicy\":\"Ignore\",\"nodeTaintsPolicy\":\"Honor\"");
	assert_true(passes(&s, "{}", more, "n1", &v));
	cache_release(&s.cache);
}

/* Where a pod with this goes, of all nodes. */
static const char *picked(struct scheduler *s, const char *more)
{
	static char name[16];
	char buf[2048];
	struct candidate p;
	struct rcbuf *json = text(pod_text(buf, sizeof buf, "new", "{}", more));
	assert_true(candidate_read(&s->cache, &p, SLICE("d/new"), json));
	struct node_info *n = scores_pick(s, &p, s->cache.list, s->cache.count, NULL);
	snprintf(name, sizeof name, "%.*s", SLICE_FMT(n->name));
	candidate_release(&p);
	rcbuf_unref(json);
	return name;
}

#define WISH(kind, app) \
	",\"affinity\":{\"" kind "\":{\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":10," \
	"\"podAffinityTerm\":{\"labelSelector\":{\"matchLabels\":{\"app\":\"" app "\"}},\"topologyKey\":\"host\"}}]}}"

static void wishes_about_other_pods_go_both_ways(void **state)
{
	struct scheduler s = {.random = 1};
	cache_init(&s.cache);
	node(&s.cache, "n1", "{}", roomy);
	node(&s.cache, "n2", "{}", roomy);
	place(&s.cache, "d/one", "n1", "{}", "");
	assert_string_equal(picked(&s, ""), "n2"); /* there is more room */
	assert_string_equal(picked(&s, WISH("podAffinity", "a")), "n1");
	assert_string_equal(picked(&s, WISH("podAntiAffinity", "a")), "n2");
	assert_string_equal(picked(&s, WISH("podAffinity", "b")), "n2");
	place(&s.cache, "d/fond", "n1", "{}", WISH("podAffinity", "a"));
	assert_int_equal(s.cache.n_preferring, 1);
	assert_string_equal(picked(&s, ""), "n1"); /* it likes us */
	cache_pod_remove(&s.cache, SLICE("d/fond"));
	place(&s.cache, "d/bound", "n1", "{}", near); /* what it requires counts, too */
	assert_string_equal(picked(&s, ""), "n1");
	cache_pod_remove(&s.cache, SLICE("d/bound"));
	place(&s.cache, "d/two", "n2", "{}", "");
	place(&s.cache, "d/sour", "n1", "{}", WISH("podAntiAffinity", "a"));
	assert_string_equal(picked(&s, ""), "n2");
	cache_release(&s.cache);
}

static void spread_that_is_only_wished_for_gives_points(void **state)
{
	static const char soft[] = ",\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"host\","
	                           "\"whenUnsatisfiable\":\"ScheduleAnyway\",\"labelSelector\":{\"matchLabels\":{"
	                           "\"app\":\"a\"}}}]";
	struct scheduler s = {.random = 1};
	cache_init(&s.cache);
	node(&s.cache, "n1", "{}", roomy);
	node(&s.cache, "n2", "{}", roomy);
	node(&s.cache, "n3", "{}", roomy);
	place(&s.cache, "d/one", "n1", "{}", "");
	place(&s.cache, "d/two", "n2", "{\"cpu\":\"600m\"}", "");
	place(&s.cache, "d/three", "n1", "{}", "");
	place(&s.cache, "d/four", "n3", "{\"cpu\":\"100m\"}", "");
	place(&s.cache, "d/five", "n3", "{\"cpu\":\"100m\"}", "");
	place(&s.cache, "d/six", "n3", "{\"cpu\":\"100m\"}", "");
	assert_string_equal(picked(&s, soft), "n2"); /* though there is less room */
	assert_string_not_equal(picked(&s, ""), "n2");
	cache_release(&s.cache);
}

static void large_images_that_are_there_draw_pods(void **state)
{
	static const char *const with = "{\"metadata\":{\"name\":\"%s\",\"labels\":{}},\"spec\":{},\"status\":{"
	                                "\"allocatable\":%s,\"images\":[{\"names\":[\"big:latest\",\"big@sha256:1\"],"
	                                "\"sizeBytes\":%d}]}}";
	struct scheduler s = {.random = 1};
	char buf[600];
	cache_init(&s.cache);
	node(&s.cache, "n1", "{}", roomy);
	for (int i = 2; i < 4; i++) {
		snprintf(buf, sizeof buf, with, i == 2 ? "n2" : "n3", roomy, i == 2 ? 900000000 : 1000000);
		struct rcbuf *json = text(buf);
		cache_node_set(&s.cache, i == 2 ? SLICE("n2") : SLICE("n3"), json);
		cache_node_set(&s.cache, i == 2 ? SLICE("n2") : SLICE("n3"), json);
		rcbuf_unref(json);
	}
	assert_int_equal(cache_image_nodes(&s.cache, image_hash(SLICE("big"))), 2);
	snprintf(buf, sizeof buf, "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"containers\":[{\"image\":\"big\"}]}}");
	for (int i = 0; i < 8; i++) {
		struct candidate p;
		struct rcbuf *json = text(buf);
		assert_true(candidate_read(&s.cache, &p, SLICE("d/x"), json));
		assert_true(slice_is(scores_pick(&s, &p, s.cache.list, s.cache.count, NULL)->name, "n2"));
		candidate_release(&p);
		rcbuf_unref(json);
	}
	cache_node_remove(&s.cache, SLICE("n2"));
	assert_int_equal(cache_image_nodes(&s.cache, image_hash(SLICE("big:latest"))), 1);
	cache_release(&s.cache);
}

static void the_urgent_come_first(void **state)
{
	struct queue q;
	queue_init(&q);
	queue_add(&q, SLICE("d/late"), 0, false, 20);
	queue_add(&q, SLICE("d/early"), 0, false, 10);
	queue_add(&q, SLICE("d/vip"), 1000, false, 30);
	queue_add(&q, SLICE("d/gated"), 9999, true, 0);
	static const char *const order[] = {"d/vip", "d/early", "d/late"};
	for (size_t i = 0; i < 3; i++)
		assert_true(slice_is(queue_pop(&q)->key, order[i]));
	assert_null(queue_pop(&q));
	queue_add(&q, SLICE("d/gated"), 9999, false, 0); /* the gate is lifted */
	assert_true(slice_is(queue_pop(&q)->key, "d/gated"));
	queue_release(&q);
}

static void backoff_doubles_and_events_move(void **state)
{
	struct queue q;
	queue_init(&q);
	queue_add(&q, SLICE("d/p"), 0, false, 0);
	struct queued_pod *p = queue_pop(&q);
	queue_put_back(&q, p, true, 1000);
	assert_int_equal(p->state, QUEUED_UNSCHEDULABLE);
	queue_move(&q, p, 1500); /* within its backoff of a second */
	assert_int_equal(p->state, QUEUED_BACKOFF);
	assert_int_equal(queue_tick(&q, 1999), 2000);
	queue_tick(&q, 2000);
	assert_ptr_equal(queue_pop(&q), p);
	queue_put_back(&q, p, false, 2000);
	assert_int_equal(queue_tick(&q, 2000), 4000); /* the second try: two seconds */
	queue_tick(&q, 4000);
	assert_ptr_equal(queue_pop(&q), p);
	queue_put_back(&q, p, true, 4000);
	queue_tick(&q, 4000 + 5 * 60 * 1000); /* nobody stays unschedulable for ever */
	assert_ptr_equal(queue_pop(&q), p);
	queue_remove(&q, SLICE("d/p"));
	assert_int_equal(q.pods.count, 0);
	queue_release(&q);
}

/* A late answer must not be taken for one about a namesake. */
static void a_namesake_has_a_serial_of_its_own(void **state)
{
	struct queue q;
	queue_init(&q);
	queue_add(&q, SLICE("d/p"), 0, false, 0);
	uint64_t first = queue_pop(&q)->serial;
	queue_add(&q, SLICE("d/p"), 0, false, 0);
	assert_true(queue_find(&q, SLICE("d/p"))->serial == first);
	queue_remove(&q, SLICE("d/p"));
	queue_add(&q, SLICE("d/p"), 0, false, 0);
	assert_true(queue_find(&q, SLICE("d/p"))->serial != first);
	queue_release(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_resize_counts_what_is_held_and_what_is_wanted),
	        cmocka_unit_test(resources_are_counted_by_difference),
	        cmocka_unit_test(init_containers_count_by_their_largest),
	        cmocka_unit_test(taints_and_cordons_keep_pods_away),
	        cmocka_unit_test(labels_and_names_choose_nodes),
	        cmocka_unit_test(host_ports_clash_by_address),
	        cmocka_unit_test(rules_about_other_pods),
	        cmocka_unit_test(a_refusal_says_what_could_help),
	        cmocka_unit_test(spread_counts_the_nodes_that_it_should),
	        cmocka_unit_test(wishes_about_other_pods_go_both_ways),
	        cmocka_unit_test(spread_that_is_only_wished_for_gives_points),
	        cmocka_unit_test(large_images_that_are_there_draw_pods),
	        cmocka_unit_test(the_urgent_come_first),
	        cmocka_unit_test(backoff_doubles_and_events_move),
	        cmocka_unit_test(a_namesake_has_a_serial_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which events may help which pods: of each plugin those that can lift its refusal, and no others. */
#include "tests/unit/unit.h"

#include "api/scheduler/scheduler_int.h"

#define POD_AFFINITY(kind, app) \
	",\"affinity\":{\"" kind "\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{\"topologyKey\":\"zone\"," \
	"\"labelSelector\":{\"matchLabels\":{\"app\":\"" app "\"}}}]}}"
#define SPREAD(when) \
	",\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"zone\",\"whenUnsatisfiable\":\"" when "\"," \
	"\"labelSelector\":{\"matchLabels\":{\"app\":\"a\"}}}]"

static struct scheduler s;
static struct candidate asks; /* requests 1 cpu in namespace d, labels app=a */

static int setup(void **state)
{
	s = (struct scheduler){0};
	cache_init(&s.cache);
	return 0;
}

static int teardown(void **state)
{
	candidate_release(&asks);
	asks = (struct candidate){0};
	cache_release(&s.cache);
	return 0;
}

static struct rcbuf *text(const char *t)
{
	return rcbuf_copy(t, strlen(t));
}

static void ask(const char *spec)
{
	char buf[1500];
	candidate_release(&asks);
	snprintf(buf, sizeof buf,
	        "{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"labels\":{\"app\":\"a\"}},\"spec\":{"
	        "\"containers\":[{"
	        "\"ports\":[{\"hostPort\":80}],\"resources\":{\"requests\":{\"cpu\":\"1\"}}}]%s}}",
	        spec);
	struct rcbuf *json = text(buf);
	assert_true(candidate_read(&s.cache, &asks, SLICE("d/p"), json));
	rcbuf_unref(json);
}

static struct rcbuf *node_text(const char *labels, const char *spec, const char *cpu)
{
	char buf[600];
	snprintf(buf, sizeof buf,
	        "{\"metadata\":{\"name\":\"n\",\"labels\":{%s}},\"spec\":{%s},\"status\":{\"allocatable\":{\"cpu\":\"%"
	        "s\","
	        "\"memory\":\"1Gi\",\"pods\":\"10\"}}}",
	        labels, spec, cpu);
	return text(buf);
}

struct look {
	const char *labels, *spec, *cpu;
};

/* Does the node help as it is now: new, when there is no before? */
static bool node_helps(unsigned plugin, enum cluster_event_kind kind, struct look now, const struct look *before)
{
	struct node_info n, was;
	struct rcbuf *a = node_text(now.labels, now.spec, now.cpu),
	             *b = before ? node_text(before->labels, before->spec, before->cpu) : rcbuf_ref(a);
	node_info_read(&s.cache, &n, SLICE("n"), a);
	node_info_read(&s.cache, &was, SLICE("n"), b);
	bool helps = hint_helps(&s, &asks, plugin,
	        &(struct cluster_event){.kind = kind, .node = &n, .node_before = before ? &was : NULL});
	node_info_release(&n);
	node_info_release(&was);
	rcbuf_unref(a);
	rcbuf_unref(b);
	return helps;
}

static bool added(unsigned plugin, const char *labels, const char *spec, const char *cpu)
{
	return node_helps(plugin, EVENT_NODE_ADDED, (struct look){labels, spec, cpu}, NULL);
}

static bool changed(unsigned plugin, struct look before, struct look now)
{
	return node_helps(plugin, EVENT_NODE_CHANGED, now, &before);
}

/* A pod on a node of zone z. */
static bool pod_helps(unsigned plugin, enum cluster_event_kind kind, const char *labels, const char *labels_before,
        const char *spec, const char *ns)
{
	char buf[1500];
	snprintf(buf, sizeof buf,
	        "{\"metadata\":{\"name\":\"o\",\"namespace\":\"%s\",\"labels\":{%s}},\"spec\":{\"containers\":[%s]%s}}",
	        ns, labels, *spec == ',' ? "" : spec, *spec == ',' ? spec : "");
	struct rcbuf *json = text(buf), *n = node_text("\"zone\":\"z\"", "", "2");
	cache_node_set(&s.cache, SLICE("n"), n);
	cache_pod_set(&s.cache, SLICE("o"), SLICE("n"), json, false);
	bool goes = kind == EVENT_POD_GONE;
	struct pod_info *o = goes ? cache_pod_take(&s.cache, SLICE("o")) : cache_pod(&s.cache, SLICE("o"));
	bool helps = hint_helps(&s, &asks, plugin,
	        &(struct cluster_event){.kind = kind, .pod = o, .labels_before = slice_of(labels_before)});
	if (goes)
		cache_pod_free(&s.cache, o);
	else
		cache_pod_remove(&s.cache, SLICE("o"));
	rcbuf_unref(json);
	rcbuf_unref(n);
	return helps;
}

static bool object_helps(unsigned plugin, enum cluster_event_kind kind, const char *now, const char *before)
{
	return hint_helps(&s, &asks, plugin,
	        &(struct cluster_event){
	                .kind = kind, .object = slice_of(now), .before = before ? slice_of(before) : SLICE_NULL});
}

/* ---- nodes ---- */

static const struct look plain = {"", "", "2"}, cordoned = {"", "\"unschedulable\":true", "2"},
                         tainted = {"", "\"taints\":[{\"key\":\"k\",\"effect\":\"NoSchedule\"}]", "2"},
                         zoned = {"\"zone\":\"z\"", "", "2"}, small = {"", "", "500m"}, large = {"", "", "4"};

static void a_cordon_that_is_lifted_helps(void **state)
{
	ask("");
	assert_true(changed(FILTER_UNSCHEDULABLE, cordoned, plain));
	assert_false(changed(FILTER_UNSCHEDULABLE, plain, cordoned));
	assert_false(changed(FILTER_UNSCHEDULABLE, plain, large));
	assert_true(added(FILTER_UNSCHEDULABLE, "", "", "2"));
	assert_false(added(FILTER_UNSCHEDULABLE, "", "\"unschedulable\":true", "2"));
	assert_false(changed(FILTER_FIT, cordoned, plain)); /* not those that lack resources */
}

static void a_taint_that_goes_helps(void **state)
{
	ask("");
	assert_true(changed(FILTER_TAINTS, tainted, plain));
	assert_false(changed(FILTER_TAINTS, plain, zoned));
	assert_false(changed(FILTER_TAINTS, plain, tainted));
	assert_false(added(FILTER_TAINTS, "", "\"taints\":[{\"key\":\"k\",\"effect\":\"NoExecute\"}]", "2"));
	ask(",\"tolerations\":[{\"key\":\"k\",\"operator\":\"Exists\"}]");
	assert_false(changed(FILTER_TAINTS, tainted, plain)); /* it never was in the way */
}

static void labels_help_when_they_match_now(void **state)
{
	ask(",\"nodeSelector\":{\"zone\":\"z\"}");
	assert_true(changed(FILTER_NODE_AFFINITY, plain, zoned));
	assert_false(changed(FILTER_NODE_AFFINITY, zoned, plain));
	assert_false(changed(FILTER_NODE_AFFINITY, plain, large));
	assert_false(changed(FILTER_NODE_AFFINITY, zoned, (struct look){"\"zone\":\"z\",\"x\":\"y\"", "", "2"}));
	assert_true(added(FILTER_NODE_AFFINITY, "\"zone\":\"z\"", "", "2"));
	assert_false(added(FILTER_NODE_AFFINITY, "\"zone\":\"y\"", "", "2"));
}

static void a_node_that_grows_enough_helps(void **state)
{
	ask("");
	assert_true(changed(FILTER_FIT, small, plain));
	assert_false(changed(FILTER_FIT, small, (struct look){"", "", "900m"}));
	assert_false(changed(FILTER_FIT, large, plain));
	assert_false(changed(FILTER_FIT, plain, zoned));
	assert_true(added(FILTER_FIT, "", "", "1"));
	assert_false(added(FILTER_FIT, "", "", "999m"));
	assert_true(added(FILTER_PORTS, "", "", "1"));
	assert_false(changed(FILTER_PORTS, small, large));
}

/* ---- pods ---- */

static const char big[] = "{\"resources\":{\"requests\":{\"cpu\":\"2\"}}}";

static void a_pod_that_leaves_enough_helps(void **state)
{
	ask("");
	assert_true(pod_helps(FILTER_FIT, EVENT_POD_GONE, "", "", big, "d"));
	assert_false(pod_helps(FILTER_FIT, EVENT_POD_PLACED, "", "", big, "d"));
	assert_false(pod_helps(FILTER_TAINTS, EVENT_POD_GONE, "", "", big, "d"));
	struct rcbuf *json = text("{\"metadata\":{},\"spec\":{\"containers\":[{\"resources\":{\"requests\":{\"cpu\":"
	                          "\"1500m\"}}}]}}");
	cache_pod_set(&s.cache, SLICE("stays"), SLICE("n"), json, false);
	rcbuf_unref(json);
	assert_false(pod_helps(FILTER_FIT, EVENT_POD_GONE, "", "", "{}", "d")); /* half a core is left */
	assert_false(pod_helps(FILTER_FIT, EVENT_POD_SHRUNK, "", "", "{}", "d"));
}

static void a_port_that_is_given_back_helps(void **state)
{
	ask("");
	assert_true(pod_helps(FILTER_PORTS, EVENT_POD_GONE, "", "", "{\"ports\":[{\"hostPort\":80}]}", "d"));
	assert_false(pod_helps(FILTER_PORTS, EVENT_POD_GONE, "", "", "{\"ports\":[{\"hostPort\":81}]}", "d"));
	assert_false(pod_helps(FILTER_PORTS, EVENT_POD_PLACED, "", "", "{\"ports\":[{\"hostPort\":80}]}", "d"));
}

static void neighbours_help(void **state)
{
	enum { P = FILTER_POD_AFFINITY };
	ask(POD_AFFINITY("podAffinity", "db"));
	assert_true(pod_helps(P, EVENT_POD_PLACED, "\"app\":\"db\"", "", "", "d"));
	assert_false(pod_helps(P, EVENT_POD_PLACED, "\"app\":\"db\"", "", "", "other"));
	assert_false(pod_helps(P, EVENT_POD_PLACED, "\"app\":\"x\"", "", "", "d"));
	assert_true(pod_helps(P, EVENT_POD_CHANGED, "\"app\":\"db\"", "{\"app\":\"x\"}", "", "d"));
	assert_false(pod_helps(P, EVENT_POD_CHANGED, "\"app\":\"db\",\"v\":\"2\"", "{\"app\":\"db\"}", "", "d"));
	assert_false(pod_helps(FILTER_FIT, EVENT_POD_PLACED, "\"app\":\"db\"", "", "", "d"));
	ask(POD_AFFINITY("podAntiAffinity", "db"));
	assert_true(pod_helps(P, EVENT_POD_GONE, "\"app\":\"db\"", "", "", "d"));
	assert_false(pod_helps(P, EVENT_POD_GONE, "\"app\":\"x\"", "", "", "d"));
	assert_true(pod_helps(P, EVENT_POD_CHANGED, "\"app\":\"x\"", "{\"app\":\"db\"}", "", "d"));
	assert_false(pod_helps(P, EVENT_POD_PLACED, "\"app\":\"db\"", "", "", "d"));
	ask(""); /* it is others that do not want it */
	assert_true(pod_helps(P, EVENT_POD_GONE, "", "", POD_AFFINITY("podAntiAffinity", "a"), "d"));
	assert_false(pod_helps(P, EVENT_POD_GONE, "", "", POD_AFFINITY("podAntiAffinity", "b"), "d"));
}

static void other_domains_help_neighbours(void **state)
{
	ask(POD_AFFINITY("podAffinity", "db"));
	assert_true(changed(FILTER_POD_AFFINITY, plain, zoned));
	assert_false(changed(FILTER_POD_AFFINITY, plain, large));
	assert_true(added(FILTER_POD_AFFINITY, "\"zone\":\"z\"", "", "2"));
	assert_false(added(FILTER_POD_AFFINITY, "", "", "2"));
	ask(POD_AFFINITY("podAntiAffinity", "db"));
	assert_true(added(FILTER_POD_AFFINITY, "", "", "2"));
	assert_true(changed(FILTER_POD_AFFINITY, zoned, plain));
}

static void what_counts_for_spread_helps(void **state)
{
	enum { P = FILTER_SPREAD };
	ask(SPREAD("DoNotSchedule"));
	assert_true(pod_helps(P, EVENT_POD_GONE, "\"app\":\"a\"", "", "", "d"));
	assert_true(pod_helps(P, EVENT_POD_PLACED, "\"app\":\"a\"", "", "", "d"));
	assert_false(pod_helps(P, EVENT_POD_PLACED, "\"app\":\"a\"", "", "", "other"));
	assert_false(pod_helps(P, EVENT_POD_GONE, "\"app\":\"b\"", "", "", "d"));
	assert_true(pod_helps(P, EVENT_POD_CHANGED, "\"app\":\"a\"", "{\"app\":\"b\"}", "", "d"));
	assert_false(pod_helps(P, EVENT_POD_CHANGED, "\"app\":\"a\",\"x\":\"y\"", "{\"app\":\"a\"}", "", "d"));
	assert_true(added(P, "\"zone\":\"z\"", "", "2"));
	assert_false(added(P, "", "", "2"));
	assert_true(changed(P, plain, zoned));
	assert_false(changed(P, zoned, (struct look){"\"zone\":\"z\"", "", "4"}));
	assert_true(node_helps(P, EVENT_NODE_GONE, zoned, NULL));
	assert_false(node_helps(P, EVENT_NODE_GONE, plain, NULL));
	assert_false(node_helps(FILTER_FIT, EVENT_NODE_GONE, plain, NULL));
	ask(SPREAD("ScheduleAnyway"));
	assert_false(added(P, "\"zone\":\"z\"", "", "2"));
}

/* ---- volumes ---- */

#define USES(claim) ",\"volumes\":[{\"persistentVolumeClaim\":{\"claimName\":\"" claim "\"}}]"

static void own_claims_help(void **state)
{
	static const char own[] = "{\"metadata\":{\"name\":\"c\",\"namespace\":\"d\"}}",
	                  strange[] = "{\"metadata\":{\"name\":\"x\",\"namespace\":\"d\"}}";
	static const unsigned plugins[] = {
	        FILTER_VOLUME_BINDING, FILTER_VOLUME_LIMITS, FILTER_VOLUME_ZONE, FILTER_VOLUME_RESTRICTIONS};
	ask(USES("c"));
	for (size_t i = 0; i < COUNT_OF(plugins); i++) {
		assert_true(object_helps(plugins[i], EVENT_CLAIM, own, NULL));
		assert_false(object_helps(plugins[i], EVENT_CLAIM, strange, NULL));
	}
	assert_false(object_helps(FILTER_FIT, EVENT_CLAIM, own, NULL));
	assert_true(pod_helps(FILTER_VOLUME_RESTRICTIONS, EVENT_POD_GONE, "", "", USES("c"), "d"));
	assert_false(pod_helps(FILTER_VOLUME_RESTRICTIONS, EVENT_POD_GONE, "", "", USES("x"), "d"));
	assert_true(pod_helps(FILTER_VOLUME_LIMITS, EVENT_POD_GONE, "", "", USES("x"), "d"));
	assert_false(pod_helps(FILTER_VOLUME_LIMITS, EVENT_POD_GONE, "", "", "", "d"));
}

static void what_volumes_hang_on_helps(void **state)
{
	ask(USES("c"));
	assert_true(object_helps(FILTER_VOLUME_BINDING, EVENT_VOLUME, "{}", "{}"));
	assert_true(object_helps(FILTER_VOLUME_ZONE, EVENT_VOLUME, "{}", NULL));
	assert_true(object_helps(FILTER_VOLUME_BINDING, EVENT_CLASS, "{}", NULL));
	assert_false(object_helps(FILTER_VOLUME_BINDING, EVENT_CLASS, "{\"metadata\":{}}", "{}"));
	assert_true(object_helps(FILTER_VOLUME_BINDING, EVENT_CLASS, "{\"allowedTopologies\":[]}", "{}"));
	assert_true(object_helps(
	        FILTER_VOLUME_BINDING, EVENT_CAPACITY, "{\"capacity\":\"2Gi\"}", "{\"capacity\":\"1Gi\"}"));
	assert_false(object_helps(
	        FILTER_VOLUME_BINDING, EVENT_CAPACITY, "{\"capacity\":\"1Gi\"}", "{\"capacity\":\"2Gi\"}"));
	assert_true(object_helps(FILTER_VOLUME_BINDING, EVENT_CSI_DRIVER, "{\"spec\":{\"storageCapacity\":false}}",
	        "{\"spec\":{\"storageCapacity\":true}}"));
	assert_false(object_helps(FILTER_VOLUME_BINDING, EVENT_CSI_DRIVER, "{\"spec\":{}}", "{\"spec\":{}}"));
	assert_true(
	        object_helps(FILTER_VOLUME_LIMITS, EVENT_CSI_NODE, "{\"spec\":{\"drivers\":[1]}}", "{\"spec\":{}}"));
	assert_false(object_helps(FILTER_VOLUME_LIMITS, EVENT_CSI_NODE, "{\"spec\":{}}", "{\"spec\":{}}"));
	assert_true(changed(FILTER_VOLUME_BINDING | FILTER_VOLUME_ZONE, plain, zoned));
	assert_false(changed(FILTER_VOLUME_BINDING | FILTER_VOLUME_ZONE, small, large));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_cordon_that_is_lifted_helps),
	        T(a_taint_that_goes_helps),
	        T(labels_help_when_they_match_now),
	        T(a_node_that_grows_enough_helps),
	        T(a_pod_that_leaves_enough_helps),
	        T(a_port_that_is_given_back_helps),
	        T(neighbours_help),
	        T(other_domains_help_neighbours),
	        T(what_counts_for_spread_helps),
	        T(own_claims_help),
	        T(what_volumes_hang_on_helps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

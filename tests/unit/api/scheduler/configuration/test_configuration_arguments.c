/* Arguments of plugins: what is refused, in upstream's words, and that each of them has its effect, in its profile. */
#include "tests/unit/unit.h"

#include "api/scheduler/scheduler_int.h"

static struct arena arena;
static struct scheduler s;
static struct scheduler_configuration conf;

static int setup(void **state)
{
	s = (struct scheduler){.random = 1};
	cache_init(&s.cache);
	return 0;
}

static int teardown(void **state)
{
	cache_release(&s.cache);
	arena_release(&arena);
	return 0;
}

#define HEAD "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"

/* A profile as upstream has it, and one with these arguments. */
static const char *refusal(const char *plugin, const char *args)
{
	static char message[400];
	struct err err = ERR_INIT;
	const char *text = arena_printf(&arena,
	        HEAD
	        "profiles:\n- {schedulerName: plain}\n- schedulerName: own\n  pluginConfig: [{name: %s, args: {%s}}]\n",
	        plugin, args);
	*message = 0;
	if (scheduler_configuration_read(&arena, slice_of(text), &conf, &err) != 0)
		snprintf(message, sizeof message, "%s", err.msg);
	return message;
}

static const struct scheduler_profile *read_good(const char *plugin, const char *args)
{
	assert_string_equal(refusal(plugin, args), "");
	return &conf.profiles[1];
}

/* ---- what is wrong ---- */

static void what_is_wrong_is_said_in_upstreams_words(void **state)
{
#define SPREAD(members) "PodTopologySpread", "defaultingType: List, defaultConstraints: [" members "]"
#define TERM "{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule"
	static const struct {
		const char *plugin, *args, *field, *message;
	} rows[] = {
	        {"PodTopologySpread", "defaultingType: Some", "defaultingType",
	                "Unsupported value: \"Some\": supported values: \"List\", \"System\""},
	        {"PodTopologySpread", "defaultConstraints: [" TERM "}]", "defaultingType",
	                "Invalid value: \"System\": when .defaultConstraints are not empty"},
	        {SPREAD("{topologyKey: zone, whenUnsatisfiable: DoNotSchedule}"), "defaultConstraints[0].maxSkew",
	                "Invalid value: 0: not in valid range (0, inf)"},
	        {SPREAD("{maxSkew: 1, whenUnsatisfiable: DoNotSchedule}"), "defaultConstraints[0].topologyKey",
	                "Required value: can not be empty"},
	        {SPREAD("{maxSkew: 1, topologyKey: 'a b', whenUnsatisfiable: DoNotSchedule}"),
	                "defaultConstraints[0].topologyKey", "Invalid value: \"a b\": name part must consist of"},
	        {SPREAD("{maxSkew: 1, topologyKey: zone}"), "defaultConstraints[0].whenUnsatisfiable",
	                "Required value: can not be empty"},
	        {SPREAD("{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: Some}"),
	                "defaultConstraints[0].whenUnsatisfiable",
	                "Unsupported value: \"Some\": supported values: \"DoNotSchedule\", \"ScheduleAnyway\""},
	        {SPREAD(TERM ", labelSelector: {}}"), "defaultConstraints[0].labelSelector",
	                "Forbidden: constraint must not define a selector, as they deduced for each pod"},
	        {SPREAD(TERM "}, " TERM "}"), "defaultConstraints[1]", "Duplicate value: \"{zone, DoNotSchedule}\""},
	        {SPREAD(TERM ", minDomains: 0}"), "defaultConstraints[0].minDomains", "Invalid value: 0"},
	        {SPREAD(TERM ", nodeTaintsPolicy: Some}"), "defaultConstraints[0].nodeTaintsPolicy",
	                "Unsupported value"},
	        {SPREAD(TERM ", skew: 1}"), "defaultConstraints[0].skew", "there is no such member"},
	        {SPREAD("1"), "defaultConstraints[0]", "is to be an object"},
	        {"NodeAffinity", "addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {}}",
	                "addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms",
	                "Required value"},
	        {"NodeAffinity",
	                "addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: "
	                "[{matchExpressions: [{key: a, operator: Near}]}]}}",
	                "nodeSelectorTerms[0].matchExpressions[0].operator", "not a valid selector operator"},
	        {"NodeAffinity", "addedAffinity: {preferredDuringSchedulingIgnoredDuringExecution: 1}",
	                "preferredDuringSchedulingIgnoredDuringExecution", "is to be a list"},
	        {"VolumeBinding", "bindTimeoutSeconds: -1", "bindTimeoutSeconds",
	                "Invalid value: -1: invalid BindTimeoutSeconds, should not be a negative value"},
	        {"VolumeBinding", "shape: [{utilization: 0, score: 0}]", "shape",
	                "unexpected field `shape`, feature VolumeCapacityPriority is disabled"},
	        {"NodeResourcesBalancedAllocation", "resources: [{name: cpu}, {name: cpu}]", "resources[1].name",
	                "Duplicate value: \"cpu\""},
	        {"NodeResourcesBalancedAllocation", "resources: [{name: cpu, weight: 2}]", "resources[0].weight",
	                "Invalid value: 2: must be 1"},
	        {"NodeResourcesFit", "ignoredResources: ['a b']", "ignoredResources[0]", "Invalid value: \"a b\""},
	        {"NodeResourcesFit", "ignoredResourceGroups: [x.io/a]", "ignoredResourceGroups[0]",
	                "Invalid value: \"x.io/a\": resource group name can't contain '/'"},
	        {"NodeResourcesFit", "ignoredResources: 1", "ignoredResources", "is to be a list"},
	        {"NodeResourcesFit", "scoringStrategy: {type: Some}", "scoringStrategy.type",
	                "Unsupported value: \"Some\": supported values: \"LeastAllocated\", \"MostAllocated\""},
	        {"NodeResourcesFit", "scoringStrategy: {type: LeastAllocated, resources: [{name: cpu, weight: 101}]}",
	                "scoringStrategy.resources[0].weight",
	                "Invalid value: 101: resource weight of cpu not in valid range (0, 100]"},
	        {"NodeResourcesFit", "scoringStrategy: {type: RequestedToCapacityRatio}",
	                "scoringStrategy.requestedToCapacityRatio", "Required value"},
	        {"NodeResourcesFit",
	                "scoringStrategy: {type: RequestedToCapacityRatio, requestedToCapacityRatio: {shape: "
	                "[{utilization: 9, score: 1}, {utilization: 9, score: 1}]}}",
	                "requestedToCapacityRatio.shape[1].utilization",
	                "Invalid value: 9: values must be sorted in increasing order"},
	        {"NodeResourcesFit",
	                "scoringStrategy: {type: RequestedToCapacityRatio, requestedToCapacityRatio: {shape: "
	                "[{utilization: 101}]}}",
	                "requestedToCapacityRatio.shape[0].utilization",
	                "Invalid value: 101: not in valid range [0, 100]"},
	        {"InterPodAffinity", "hardPodAffinityWeight: 101", "hardPodAffinityWeight",
	                "Invalid value: 101: not in valid range [0, 100]"},
	        {"InterPodAffinity", "ignorePreferredTermsOfExistingPods: 1", "ignorePreferredTermsOfExistingPods",
	                "is to be true or false"},
	        {"DefaultPreemption", "minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0",
	                "minCandidateNodesPercentage",
	                "Invalid value: 0: cannot be zero at the same time as minCandidateNodesAbsolute"},
	        {"DefaultPreemption", "minCandidateNodesAbsolute: -1", "minCandidateNodesAbsolute",
	                "Invalid value: -1: not in valid range [0, inf)"},
	        {"VolumeBinding", "kind: NodeAffinityArgs", "kind", "is to be VolumeBindingArgs"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *said = refusal(rows[i].plugin, rows[i].args), *head = "profiles[1].pluginConfig[0].args.";
		if (!strstr(said, head) || !strstr(said, rows[i].field) || !strstr(said, rows[i].message))
			fail_msg("%s, %s: \"%s\"", rows[i].plugin, rows[i].args, said);
	}
}

static void what_is_empty_is_the_default(void **state)
{
	const struct scheduler_profile *p = read_good("NodeResourcesBalancedAllocation", "resources: []");
	assert_int_equal(p->n_balanced, 2);
	p = read_good("VolumeBinding", "kind: VolumeBindingArgs, bindTimeoutSeconds: null");
	assert_int_equal(p->volume_timeout_ms, 600 * 1000);
	p = read_good("PodTopologySpread", "defaultingType: ''");
	assert_true(p->spreads_by_system);
	assert_int_equal(p->n_spread, 2);
	assert_string_equal(p->spread[0].topology_key, "kubernetes.io/hostname");
	assert_int_equal(p->spread[0].max_skew, 3);
	assert_int_equal(p->spread[1].max_skew, 5);
	assert_false(p->spread[0].is_hard || p->spread[1].is_hard);
	p = read_good("TaintToleration", "any: thing"); /* it has none, and upstream does not look */
	assert_int_equal(conf.n_notes, 1);
}

/* ---- what comes of it ---- */

static void node(const char *name, const char *allocatable)
{
	const char *text = arena_printf(&arena,
	        "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"host\":\"%s\"}},\"status\":{\"allocatable\":{"
	        "\"pods\":\"10\",%s}}}",
	        name, name, allocatable);
	struct rcbuf *json = rcbuf_copy(text, strlen(text));
	cache_node_set(&s.cache, slice_of(name), json);
	rcbuf_unref(json);
}

#define ROOM "\"cpu\":\"4\",\"memory\":\"4Gi\""

static struct rcbuf *pod_text(const char *requests, const char *more)
{
	const char *text = arena_printf(&arena,
	        "{\"metadata\":{\"name\":\"x\",\"namespace\":\"d\",\"labels\":{\"app\":\"a\"}},\"spec\":{"
	        "\"containers\":[{\"resources\":{\"requests\":{%s}}}]%s}}",
	        requests, more);
	return rcbuf_copy(text, strlen(text));
}

static void place(const char *key, const char *on, const char *more)
{
	struct rcbuf *json = pod_text("", more);
	cache_pod_set(&s.cache, slice_of(key), slice_of(on), json, false);
	rcbuf_unref(json);
}

static void ask(struct candidate *p, const struct scheduler_profile *profile, const char *requests)
{
	struct rcbuf *json = pod_text(requests, "");
	assert_true(candidate_read(&s.cache, p, SLICE("d/x"), json));
	p->profile = profile;
	rcbuf_unref(json);
}

/* Where a pod with these requests goes, of all nodes. */
static const char *picked(const struct scheduler_profile *profile, const char *requests)
{
	struct candidate p;
	ask(&p, profile, requests);
	struct slice name = scores_pick(&s, &p, s.cache.list, s.cache.count, NULL)->name;
	const char *ret = arena_printf(&arena, "%.*s", SLICE_FMT(name));
	candidate_release(&p);
	return ret;
}

/* "": this node can take a pod with these requests; else why not. */
static const char *kept_off(const struct scheduler_profile *profile, const char *requests, const char *on)
{
	struct candidate p;
	struct verdict v;
	ask(&p, profile, requests);
	bool fits = filters_pass(&s, &p, map_get(&s.cache.nodes, slice_of(on)), &v);
	const char *ret = fits ? "" : arena_printf(&arena, "%s", v.reasons[0]);
	assert_true(fits || v.plugin != FILTER_NODE_AFFINITY || !v.resolvable);
	candidate_release(&p);
	return ret;
}

static void affinity_is_added_to_every_pod_of_the_profile(void **state)
{
	const struct scheduler_profile *p = read_good("NodeAffinity",
	        "addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: "
	        "[{matchExpressions: [{key: host, operator: In, values: [b, c]}]}]},"
	        "preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: "
	        "[{key: host, operator: In, values: [c]}]}}]}");
	node("a", ROOM);
	node("b", ROOM);
	node("c", ROOM);
	assert_string_equal(kept_off(p, "", "a"), "node(s) didn't match scheduler-enforced node affinity");
	assert_string_equal(kept_off(p, "", "b"), "");
	assert_string_equal(kept_off(&conf.profiles[0], "", "a"), "");
	for (int i = 0; i < 20; i++) /* without it they are equal, and drawn */
		assert_string_equal(picked(p, ""), "c");
}

static void a_node_that_matches_what_is_added_wakes(void **state)
{
	const struct scheduler_profile *p = read_good("NodeAffinity",
	        "addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: "
	        "[{matchExpressions: [{key: host, operator: In, values: [b]}]}]}}");
	struct candidate asks;
	node("a", ROOM);
	node("b", ROOM);
	ask(&asks, p, "");
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(hint_helps(&s, &asks, FILTER_NODE_AFFINITY,
		                         &(struct cluster_event){.kind = EVENT_NODE_ADDED, .node = s.cache.list[i]}),
		        slice_is(s.cache.list[i]->name, "b"));
	candidate_release(&asks);
}

static void resources_that_are_ignored_need_not_be_there(void **state)
{
	const struct scheduler_profile *p = read_good(
	        "NodeResourcesFit", "ignoredResources: [x.io/a, cpu], ignoredResourceGroups: [y.io, kubernetes.io]");
	node("a", ROOM);
	assert_string_equal(kept_off(p, "\"x.io/a\":\"1\",\"y.io/b\":\"1\"", "a"), "");
	assert_string_equal(kept_off(p, "\"x.io/b\":\"1\"", "a"), "Insufficient x.io/b");
	assert_string_equal(kept_off(p, "\"y.io.z/b\":\"1\"", "a"), "Insufficient y.io.z/b");
	assert_string_equal(kept_off(p, "\"cpu\":\"5\"", "a"), "Insufficient cpu"); /* extended ones alone */
	assert_string_equal(kept_off(p, "\"kubernetes.io/b\":\"1\"", "a"), "Insufficient kubernetes.io/b");
	assert_string_equal(kept_off(&conf.profiles[0], "\"x.io/a\":\"1\"", "a"), "Insufficient x.io/a");
}

static void ignored_resources_stand_beside_the_extenders(void **state)
{
	struct err err = ERR_INIT;
	assert_int_equal(scheduler_configuration_read(&arena,
	                         SLICE(HEAD "extenders: [{urlPrefix: 'http://h', managedResources: [{name: x.io/b, "
	                                    "ignoredByScheduler: true}]}]\nprofiles: [{pluginConfig: [{name: "
	                                    "NodeResourcesFit, args: {ignoredResources: [x.io/a]}}]}]\n"),
	                         &conf, &err),
	        0);
	assert_int_equal(conf.profiles[0].n_left_out, 2);
	node("a", ROOM);
	assert_string_equal(kept_off(&conf.profiles[0], "\"x.io/a\":\"1\",\"x.io/b\":\"1\"", "a"), "");
}

/* "a" has cpu and memory in balance, "b" cpu and the device. */
static void the_resources_are_balanced_that_are_named(void **state)
{
	const struct scheduler_profile *p =
	        read_good("NodeResourcesBalancedAllocation", "resources: [{name: cpu}, {name: x.io/a}]");
	node("a", "\"cpu\":\"4\",\"memory\":\"4Gi\",\"x.io/a\":\"64\"");
	node("b", "\"cpu\":\"4\",\"memory\":\"4000Gi\",\"x.io/a\":\"4\"");
	((struct scheduler_profile *)p)->weights[SCORE_FIT] = 0;
	((struct scheduler_profile *)conf.profiles)->weights[SCORE_FIT] = 0;
	for (int i = 0; i < 10; i++) {
		assert_string_equal(picked(p, "\"cpu\":\"2\",\"memory\":\"2Gi\",\"x.io/a\":\"2\""), "b");
		assert_string_equal(picked(conf.profiles, "\"cpu\":\"2\",\"memory\":\"2Gi\",\"x.io/a\":\"2\""), "a");
	}
}

static void three_resources_are_balanced_by_their_deviation(void **state)
{
	const struct scheduler_profile *p = read_good(
	        "NodeResourcesBalancedAllocation", "resources: [{name: cpu}, {name: memory}, {name: x.io/a}]");
	node("a", "\"cpu\":\"4\",\"memory\":\"4Gi\",\"x.io/a\":\"64\"");
	node("b", "\"cpu\":\"4\",\"memory\":\"4Gi\",\"x.io/a\":\"4\"");
	((struct scheduler_profile *)p)->weights[SCORE_FIT] = 0;
	for (int i = 0; i < 10; i++)
		assert_string_equal(picked(p, "\"cpu\":\"2\",\"memory\":\"2Gi\",\"x.io/a\":\"2\""), "b");
}

#define LIKES \
	",\"affinity\":{\"podAffinity\":{\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":100," \
	"\"podAffinityTerm\":{\"labelSelector\":{\"matchLabels\":{\"app\":\"a\"}},\"topologyKey\":\"host\"}}]}}"

static void what_pods_that_are_there_prefer_can_be_ignored(void **state)
{
	const struct scheduler_profile *p = read_good("InterPodAffinity", "ignorePreferredTermsOfExistingPods: true");
	node("a", ROOM);
	node("b", ROOM);
	place("d/likes", "a", LIKES);
	for (int i = 0; i < 10; i++) {
		assert_string_equal(picked(&conf.profiles[0], ""), "a");
		assert_string_equal(picked(p, ""), "b"); /* where there is more room */
	}
}

static void pods_of_profiles_that_differ_wait_by_themselves(void **state)
{
	read_good("NodeResourcesFit", "ignoredResources: [x.io/a]");
	struct candidate p;
	queue_init(&s.queue);
	for (size_t i = 0; i < 2; i++) {
		const char *key = i ? "d/y" : "d/x";
		queue_add(&s.queue, slice_of(key), 0, false, 1);
		ask(&p, &conf.profiles[i], "\"cpu\":\"9\"");
		refused_put(&s.queue, queue_pop(&s.queue), &p, FILTER_FIT, 1);
		candidate_release(&p);
	}
	assert_int_equal(s.queue.refused.count, 2);
	queue_release(&s.queue);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(what_is_wrong_is_said_in_upstreams_words),
	        TEST(what_is_empty_is_the_default),
	        TEST(affinity_is_added_to_every_pod_of_the_profile),
	        TEST(a_node_that_matches_what_is_added_wakes),
	        TEST(resources_that_are_ignored_need_not_be_there),
	        TEST(ignored_resources_stand_beside_the_extenders),
	        TEST(the_resources_are_balanced_that_are_named),
	        TEST(three_resources_are_balanced_by_their_deviation),
	        TEST(what_pods_that_are_there_prefer_can_be_ignored),
	        TEST(pods_of_profiles_that_differ_wait_by_themselves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

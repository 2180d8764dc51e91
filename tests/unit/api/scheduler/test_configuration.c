/* KubeSchedulerConfiguration: what is read of it, what is refused by name, and that profiles do as they say. */
#include "tests/unit/unit.h"

#include "api/scheduler/scheduler_int.h"

static struct arena arena;

static int teardown(void **state)
{
	arena_release(&arena);
	return 0;
}

#define HEAD "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"

static struct scheduler_configuration conf;

static const char *refusal(const char *text)
{
	static char message[400];
	struct err err = ERR_INIT;
	*message = 0;
	if (scheduler_configuration_read(&arena, slice_of(text), &conf, &err) != 0)
		snprintf(message, sizeof message, "%s", err.msg);
	return message;
}

static void read_good(const char *text)
{
	assert_string_equal(refusal(text), "");
}

static void nothing_said_is_the_default(void **state)
{
	read_good(HEAD);
	assert_int_equal(conf.n_profiles, 1);
	assert_string_equal(conf.profiles[0].name, "default-scheduler");
	assert_int_equal(conf.profiles[0].filters, FILTER_ALL);
	assert_int_equal(conf.profiles[0].weights[SCORE_TAINTS], 3);
	assert_int_equal(conf.backoff_max_ms, 10000);
	assert_int_equal(conf.n_notes, 0);
}

static void profiles_have_the_plugins_that_they_name(void **state)
{
	read_good(HEAD
	        "percentageOfNodesToScore: 30\npodInitialBackoffSeconds: 2\nparallelism: 16\n"
	        "leaderElection: {leaderElect: false}\nprofiles:\n"
	        "- schedulerName: default-scheduler\n"
	        "- schedulerName: packed\n  percentageOfNodesToScore: 70\n  plugins:\n"
	        "    score: {disabled: [{name: '*'}], enabled: [{name: NodeResourcesFit, weight: 5}]}\n"
	        "    filter: {disabled: [{name: TaintToleration}]}\n"
	        "    postFilter: {disabled: [{name: DefaultPreemption}]}\n"
	        "  pluginConfig:\n  - name: NodeResourcesFit\n    args:\n      scoringStrategy: {type: MostAllocated, "
	        "resources: [{name: memory, weight: 3}]}\n"
	        "  - {name: InterPodAffinity, args: {hardPodAffinityWeight: 7}}\n");
	assert_int_equal(conf.n_profiles, 2);
	assert_int_equal(conf.profiles[0].nodes_percent, 30);
	const struct scheduler_profile *p = &conf.profiles[1];
	assert_int_equal(p->nodes_percent, 70);
	assert_int_equal(p->weights[SCORE_FIT], 5);
	assert_int_equal(p->weights[SCORE_TAINTS], 0);
	assert_int_equal(p->filters, FILTER_ALL & ~FILTER_TAINTS);
	assert_false(p->preempts);
	assert_int_equal(p->strategy, FIT_MOST);
	assert_int_equal(p->n_resources, 1);
	assert_string_equal(p->resources[0].name, "memory");
	assert_int_equal(p->hard_affinity_weight, 7);
	assert_int_equal(conf.backoff_ms, 2000);
	assert_int_equal(conf.n_notes, 2);
	assert_string_equal(conf.notes[0], "parallelism");
}

static void what_is_wrong_is_named(void **state)
{
	static const char *const rows[][2] = {{"kind: Pod\n", "KubeSchedulerConfiguration"},
	        {": [", "scheduler configuration"}, {HEAD "extenders: []\n", "extenders"},
	        {HEAD "podMaxBackoffSeconds: 0\n", "podMaxBackoffSeconds"},
	        {HEAD "podInitialBackoffSeconds: 20\n", "podMaxBackoffSeconds"},
	        {HEAD "profiles: [{schedulerName: a}, {schedulerName: a}]\n", "profiles[1].schedulerName"},
	        {HEAD "profiles: [{plugins: {score: {enabled: [{name: Mine}]}}}]\n", "\"Mine\""},
	        {HEAD "profiles: [{plugins: {scores: {}}}]\n", "profiles[0].plugins.scores"},
	        {HEAD "profiles: [{plugins: {filter: {disabled: [{name: VolumeBinding}]}}}]\n", "VolumeBinding"},
	        {HEAD "profiles: [{pluginConfig: [{name: NodeAffinity, args: {addedAffinity: {}}}]}]\n",
	                "NodeAffinity"},
	        {HEAD "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: Some}}}]}]\n",
	                "scoringStrategy.type"},
	        {HEAD "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: "
	              "RequestedToCapacityRatio}}}]}]\n",
	                "requestedToCapacityRatio"},
	        {HEAD "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {ignoredResources: [x]}}]}]\n",
	                "ignoredResources"},
	        {HEAD "profiles: [{plugins: {score: {disabled: {name: x}}}}]\n", "enabled and disabled"},
	        {HEAD "profiles: [{pluginConfig: [{name: NodeResourcesFit, arg: {}}]}]\n", "name and args"},
	        {HEAD "percentageOfNodesToScore: 101\n", "percentageOfNodesToScore"},
	        {HEAD "profiles: {}\n", "profiles"}};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (!strstr(refusal(rows[i][0]), rows[i][1]))
			fail_msg("%s: \"%s\" is not in \"%s\"", rows[i][0], rows[i][1], refusal(rows[i][0]));
}

/* ---- what comes of it ---- */

static struct scheduler s;

static void node(const char *name, int cpu)
{
	char buf[300];
	snprintf(buf, sizeof buf,
	        "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"taints\":[{\"key\":\"k\",\"effect\":\"NoSchedule\"}]},"
	        "\"status\":{"
	        "\"allocatable\":{\"cpu\":\"%d\",\"memory\":\"8Gi\",\"pods\":\"10\"}}}",
	        name, cpu);
	struct rcbuf *json = rcbuf_copy(buf, strlen(buf));
	cache_node_set(&s.cache, slice_of(name), json);
	rcbuf_unref(json);
}

static const char *picked(const struct scheduler_profile *profile, bool *fits)
{
	static char name[16];
	static const char text[] =
	        "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"containers\":[{\"resources\":{\"requests\":{"
	        "\"cpu\":\"1\"}}}]}}";
	struct candidate p;
	struct verdict v;
	struct rcbuf *json = rcbuf_copy(text, sizeof text - 1);
	assert_true(candidate_read(&s.cache, &p, SLICE("d/x"), json));
	p.profile = profile;
	placement_prepare(&s, &p);
	*fits = filters_pass(&s, &p, s.cache.list[0], &v);
	snprintf(name, sizeof name, "%.*s", SLICE_FMT(scores_pick(&s, &p, s.cache.list, s.cache.count)->name));
	candidate_release(&p);
	rcbuf_unref(json);
	return name;
}

static void a_profile_places_as_it_says(void **state)
{
	bool fits;
	s = (struct scheduler){.random = 1};
	cache_init(&s.cache);
	node("small", 2);
	node("large", 8);
	read_good(HEAD
	        "profiles:\n- schedulerName: plain\n- schedulerName: packed\n"
	        "  plugins: {multiPoint: {disabled: [{name: TaintToleration}, {name: "
	        "NodeResourcesBalancedAllocation}]}}\n"
	        "  pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated, resources: "
	        "[{name: cpu}]}}}]\n"
	        "- schedulerName: curve\n"
	        "  plugins: {score: {disabled: [{name: '*'}], enabled: [{name: NodeResourcesFit}]}}\n"
	        "  pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: RequestedToCapacityRatio, "
	        "resources: [{name: cpu}], requestedToCapacityRatio: {shape: [{utilization: 0, score: 0}, "
	        "{utilization: 12, score: 10}, {utilization: 100, score: 0}]}}}}]\n");
	assert_string_equal(picked(&conf.profiles[0], &fits), "large");
	assert_false(fits);
	assert_string_equal(picked(&conf.profiles[1], &fits), "small");
	assert_true(fits);
	assert_string_equal(picked(&conf.profiles[2], &fits), "large"); /* 12 % used, and not 50 */
	cache_release(&s.cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(nothing_said_is_the_default, teardown),
	        cmocka_unit_test_teardown(profiles_have_the_plugins_that_they_name, teardown),
	        cmocka_unit_test_teardown(what_is_wrong_is_named, teardown),
	        cmocka_unit_test_teardown(a_profile_places_as_it_says, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

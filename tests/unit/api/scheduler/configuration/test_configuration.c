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
	        {": [", "scheduler configuration"}, {HEAD "nonsense: []\n", "nonsense"},
	        {HEAD "podMaxBackoffSeconds: 0\n", "podMaxBackoffSeconds"},
	        {HEAD "podInitialBackoffSeconds: 20\n", "podMaxBackoffSeconds"},
	        {HEAD "profiles: [{schedulerName: a}, {schedulerName: a}]\n", "profiles[1].schedulerName"},
	        {HEAD "profiles: [{plugins: {score: {enabled: [{name: Mine}]}}}]\n", "\"Mine\""},
	        {HEAD "profiles: [{plugins: {scores: {}}}]\n", "profiles[0].plugins.scores"},
	        {HEAD "profiles: [{plugins: {filter: {disabled: [{name: VolumeBinding}]}}}]\n", "VolumeBinding"},
	        {HEAD "profiles: [{pluginConfig: [{name: NodeAffinity}, {name: NodeAffinity}]}]\n",
	                "profiles[0].pluginConfig[1]: Duplicate value: \"NodeAffinity\""},
	        {HEAD "profiles: [{plugins: {score: {disabled: {name: x}}}}]\n", "enabled and disabled"},
	        {HEAD "profiles: [{pluginConfig: [{name: NodeResourcesFit, arg: {}}]}]\n", "name and args"},
	        {HEAD "percentageOfNodesToScore: 101\n", "percentageOfNodesToScore"},
	        {HEAD "profiles: {}\n", "profiles"}};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (!strstr(refusal(rows[i][0]), rows[i][1]))
			fail_msg("%s: \"%s\" is not in \"%s\"", rows[i][0], rows[i][1], refusal(rows[i][0]));
}

/* ---- extenders ---- */

static void an_extender_is_read_in_all_its_members(void **state)
{
	read_good(HEAD "extenders:\n- {urlPrefix: 'http://127.0.0.1:80/a', ignorable: true}\n"
	               "- urlPrefix: https://h/x/\n  filterVerb: filter\n  prioritizeVerb: prioritize\n"
	               "  preemptVerb: preempt\n  bindVerb: bind\n  weight: 5\n  enableHTTPS: true\n"
	               "  httpTimeout: 2s\n  nodeCacheCapable: true\n"
	               "  tlsConfig: {serverName: name, certFile: /c, keyData: a2V5, caFile: /ca, caData: Y2E=}\n"
	               "  managedResources: [{name: x.io/a, ignoredByScheduler: true}, {name: x.io/b}]\n");
	assert_int_equal(conf.n_extenders, 2);
	const struct scheduler_extender *x = &conf.extenders[0], *last = &conf.extenders[1];
	assert_string_equal(x->url_prefix, "https://h/x/");
	assert_string_equal(x->filter_verb, "filter");
	assert_string_equal(x->prioritize_verb, "prioritize");
	assert_string_equal(x->preempt_verb, "preempt");
	assert_string_equal(x->bind_verb, "bind");
	assert_int_equal(x->weight, 5);
	assert_int_equal(x->timeout_ms, 2000);
	assert_true(x->enables_https && x->knows_nodes && !x->is_insecure && !x->is_ignorable);
	assert_string_equal(x->server_name, "name");
	assert_string_equal(x->certificate_file, "/c");
	assert_string_equal(x->key_pem, "key");
	assert_string_equal(x->ca_pem, "ca");
	assert_int_equal(x->n_resources, 2);
	assert_string_equal(x->resources[1], "x.io/b");
	assert_int_equal(conf.profiles[0].n_left_out, 1);
	assert_string_equal(conf.profiles[0].left_out[0], "x.io/a");
	assert_true(last->is_ignorable && !last->filter_verb && !last->n_resources); /* though it was the first */
	assert_int_equal(last->timeout_ms, 5000);
}

static void an_extender_is_believed_as_it_says(void **state)
{
	read_good(HEAD "extenders: [{urlPrefix: 'https://a', enableHTTPS: true}, {urlPrefix: 'https://b'},\n"
	               "  {urlPrefix: 'https://c', enableHTTPS: true, tlsConfig: {caData: Y2E=}},\n"
	               "  {urlPrefix: 'https://d', tlsConfig: {insecure: true, serverName: name}}]\n");
	static const bool skips[] = {true, false, false, true}; /* upstream's makeTransport() */
	for (size_t i = 0; i < COUNT_OF(skips); i++)
		assert_int_equal(extender_target(&conf.extenders[i]).skip_verify, skips[i]);
	assert_string_equal(extender_target(&conf.extenders[2]).ca_pem, "ca");
	assert_string_equal(extender_target(&conf.extenders[3]).server_name, "name");
}

static void what_is_wrong_with_an_extender_is_named(void **state)
{
#define X(members) HEAD "extenders: [{urlPrefix: 'http://h'" members "}]\n"
	static const char *const rows[][2] = {{HEAD "extenders: {}\n", "extenders is to be a list"},
	        {HEAD "extenders: [1]\n", "extenders[0] is to be an object"},
	        {HEAD "extenders: [{filterVerb: f}]\n", "extenders[0].urlPrefix is to be given"},
	        {HEAD "extenders: [{urlPrefix: 'h:80'}]\n", "extenders[0].urlPrefix"},
	        {HEAD "extenders: [{urlPrefix: 'ftp://h'}]\n", "extenders[0].urlPrefix"},
	        {X(", verb: f"), "extenders[0].verb: there is no such member"},
	        {X(", filterVerb: 3"), "extenders[0].filterVerb is to be a text"},
	        {X(", filterVerb: 'a b'"), "extenders[0].filterVerb is to be a text"},
	        {X(", prioritizeVerb: p"), "extenders[0].weight is to be at least 1"},
	        {X(", weight: -1"), "extenders[0].weight is to be a whole number"},
	        {X(", httpTimeout: 5"), "extenders[0].httpTimeout"},
	        {X(", httpTimeout: 2h"), "extenders[0].httpTimeout"},
	        {X(", enableHTTPS: 1"), "extenders[0].enableHTTPS is to be true or false"},
	        {X(", bindVerb: b}, {urlPrefix: 'http://i', bindVerb: b"),
	                "extenders[1].bindVerb: only one extender can bind"},
	        {X(", tlsConfig: {certData: eA==}"), "extenders[0].tlsConfig is to be of a certificate with its key"},
	        {X(", tlsConfig: {insecure: true, caData: eA==}"),
	                "extenders[0].tlsConfig is to be insecure or with a CA"},
	        {X(", tlsConfig: {caData: '%'}"), "extenders[0].tlsConfig.caData is to be PEM in base64"},
	        {X(", tlsConfig: {ca: x}"), "extenders[0].tlsConfig.ca:"},
	        {X(", managedResources: [{}]"), "extenders[0].managedResources[0].name: it is missing"},
	        {X(", managedResources: [{name: cpu}]"), "managedResources[0].name is to be the name of an extended"},
	        {X(", managedResources: [{name: a.kubernetes.io/x}]"), "managedResources[0].name is to be the name"},
	        {X(", managedResources: [{name: requests.x.io/x}]"), "managedResources[0].name is to be the name"},
	        {X(", managedResources: [{name: 'x.io/a b'}]"), "managedResources[0].name: "},
	        {X(", managedResources: [{name: x.io/a, ignored: true}]"), "made of name and ignoredByScheduler"},
	        {X(", managedResources: [{name: x.io/a, ignoredByScheduler: 1}]"), "ignoredByScheduler is to be true"},
	        {X(", managedResources: [{name: x.io/a}, {name: x.io/a}]"), "\"x.io/a\" is managed already"},
	        {X(", managedResources: [{name: x.io/a}]}, {urlPrefix: 'http://i', managedResources: [{name: x.io/a}]"),
	                "extenders[1].managedResources[0].name: \"x.io/a\" is managed already"}};
#undef X
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (!strstr(refusal(rows[i][0]), rows[i][1]))
			fail_msg("%s: \"%s\" is not in \"%s\"", rows[i][0], rows[i][1], refusal(rows[i][0]));
}

static const char *load_refusal(const char *text)
{
	static char message[400];
	struct err err = ERR_INIT;
	read_good(text);
	*message = 0;
	if (scheduler_configuration_load(&arena, &conf, &err) != 0)
		snprintf(message, sizeof message, "%s", err.msg);
	return message;
}

static void files_and_certificates_are_looked_at_at_the_start(void **state)
{
	assert_non_null(
	        strstr(load_refusal(HEAD "extenders: [{urlPrefix: 'http://h/p', tlsConfig: {caFile: /no/such/ca}}]\n"),
	                "/no/such/ca"));
	assert_non_null(strstr(load_refusal(HEAD "extenders: [{urlPrefix: 'https://h', tlsConfig: {caData: eA==}}]\n"),
	        "extender \"https://h\""));
	assert_string_equal(load_refusal(HEAD "extenders: [{urlPrefix: 'https://h', enableHTTPS: true}]\n"), "");
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
	snprintf(name, sizeof name, "%.*s", SLICE_FMT(scores_pick(&s, &p, s.cache.list, s.cache.count, NULL)->name));
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

static void resources_of_extenders_are_left_out(void **state)
{
	static const char text[] =
	        "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"tolerations\":[{\"operator\":\"Exists\"}],"
	        "\"containers\":[{\"resources\":{\"requests\":{\"x.io/a\":\"1\"}}}]}}";
	struct candidate p;
	struct verdict v;
	struct rcbuf *json = rcbuf_copy(text, sizeof text - 1);
	s = (struct scheduler){.random = 1};
	cache_init(&s.cache);
	node("n", 2);
	for (int ignored = 0; ignored < 2; ignored++) {
		read_good(ignored ? HEAD "extenders: [{urlPrefix: 'http://h', managedResources: [{name: x.io/a, "
		                         "ignoredByScheduler: true}]}]\n"
		                  : HEAD "extenders: [{urlPrefix: 'http://h', managedResources: [{name: x.io/a}]}]\n");
		assert_true(candidate_read(&s.cache, &p, SLICE("d/x"), json));
		p.profile = &conf.profiles[0];
		assert_int_equal(filters_pass(&s, &p, s.cache.list[0], &v), ignored);
		assert_int_equal(requests_fit(&p, s.cache.list[0]), ignored); /* else no event would ever help */
		candidate_release(&p);
	}
	rcbuf_unref(json);
	cache_release(&s.cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(nothing_said_is_the_default, teardown),
	        cmocka_unit_test_teardown(profiles_have_the_plugins_that_they_name, teardown),
	        cmocka_unit_test_teardown(what_is_wrong_is_named, teardown),
	        cmocka_unit_test_teardown(an_extender_is_read_in_all_its_members, teardown),
	        cmocka_unit_test_teardown(an_extender_is_believed_as_it_says, teardown),
	        cmocka_unit_test_teardown(what_is_wrong_with_an_extender_is_named, teardown),
	        cmocka_unit_test_teardown(files_and_certificates_are_looked_at_at_the_start, teardown),
	        cmocka_unit_test_teardown(a_profile_places_as_it_says, teardown),
	        cmocka_unit_test_teardown(resources_of_extenders_are_left_out, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* FlowSchemas and the presets: which schema a request meets, which flows are one, and how stored presets are kept. */
#include "api/machinery/rules/groups/flow_presets.h"
#include "api/server/fairness/schemas.h"

#include "tests/unit/unit.h"

static struct arena a;
static struct schema *schemas[32];
static size_t n_schemas;

static int by_order(const void *x, const void *y)
{
	return schema_compare(*(struct schema *const *)x, *(struct schema *const *)y);
}

static int setup(void **state)
{
	a = ARENA_INIT;
	n_schemas = 0;
	for (const struct preset *p = presets; p->name; p++)
		if (p->rules)
			assert_non_null(schemas[n_schemas++] = schema_new(preset_object(&a, p)));
	qsort(schemas, n_schemas, sizeof *schemas, by_order);
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < n_schemas; i++)
		schema_unref(schemas[i]);
	arena_release(&a);
	return 0;
}

static struct user *user(const char *name, const char *group)
{
	struct user *u = user_new(slice_of(name), SLICE_NULL);
	user_add_group(u, slice_of(group));
	user_add_group(u, SLICE("system:authenticated"));
	return u;
}

static struct attributes request(
        const struct user *u, const char *verb, const char *group, const char *resource, const char *ns)
{
	struct slice sub = slice_of(resource), plural = slice_cut(&sub, '/');
	return (struct attributes){.user = u,
	        .is_resource = true,
	        .verb = slice_of(verb),
	        .group = slice_of(group),
	        .resource = plural,
	        .subresource = sub,
	        .ns = slice_of(ns)};
}

static void meets(
        struct user *u, const char *verb, const char *group, const char *resource, const char *ns, const char *want)
{
	struct attributes r = request(u, verb, group, resource, ns);
	for (size_t i = 0; i < n_schemas; i++)
		if (schema_matches(schemas[i], &r)) {
			if (!slice_is(schemas[i]->name, want))
				fail_msg("%s %s meets %.*s, not %s", verb, resource, SLICE_FMT(schemas[i]->name), want);
			user_unref(u);
			return;
		}
	fail_msg("%s %s meets nothing", verb, resource);
}

static void presets_are_upstreams(void **state)
{
	meets(user("admin", "system:masters"), "list", "", "pods", "", "exempt");
	meets(user("system:node:n", "system:nodes"), "update", "", "nodes/status", "", "system-node-high");
	meets(user("system:node:n", "system:nodes"), "update", "coordination.k8s.io", "leases", "kube-node-lease",
	        "system-node-high");
	meets(user("system:node:n", "system:nodes"), "list", "", "pods", "", "system-nodes");
	meets(user("system:kube-scheduler", "x"), "update", "coordination.k8s.io", "leases", "kube-system",
	        "system-leader-election");
	meets(user("system:kube-scheduler", "x"), "create", "", "pods/binding", "n", "kube-scheduler");
	meets(user("system:kube-controller-manager", "x"), "update", "", "endpoints", "n", "endpoint-controller");
	meets(user("system:kube-controller-manager", "x"), "create", "", "pods", "n", "kube-controller-manager");
	meets(user("system:serviceaccount:kube-system:endpoint-controller", "system:serviceaccounts"), "update", "",
	        "endpoints", "n", "endpoint-controller");
	meets(user("system:serviceaccount:kube-system:job-controller", "system:serviceaccounts"), "update", "",
	        "configmaps", "n", "workload-leader-election");
	meets(user("system:serviceaccount:kube-system:job-controller", "system:serviceaccounts"), "list", "", "pods",
	        "n", "kube-system-service-accounts");
	meets(user("system:serviceaccount:n:a", "system:serviceaccounts"), "list", "", "pods", "n", "service-accounts");
	meets(user("jane", "devs"), "list", "", "pods", "n", "global-default");
	assert_true(slice_is(schemas[n_schemas - 1]->name, "catch-all"));
	assert_int_equal(n_schemas, 13);
}

static void probes_are_exempt(void **state)
{
	struct user *u = user_anonymous();
	struct attributes r = {.user = u, .verb = SLICE("get"), .path = SLICE("/readyz")};
	assert_true(slice_is(schemas[1]->name, "probes"));
	assert_true(schema_matches(schemas[1], &r));
	r.path = SLICE("/metrics");
	assert_false(schema_matches(schemas[1], &r));
	user_unref(u);
}

static struct schema *of(const char *spec)
{
	const char *text = arena_printf(&a, "{\"metadata\":{\"name\":\"x\"},\"spec\":%s}", spec);
	return schema_new(json_parse(&a, slice_of(text), NULL, NULL));
}

static void flows_are_told_apart_by_user_or_namespace(void **state)
{
	struct user *jane = user("jane", "g"), *jim = user("jim", "g");
	struct attributes x = request(jane, "get", "", "pods", "n"), y = request(jim, "get", "", "pods", "m");
	static const char *const specs[] = {"", ",\"distinguisherMethod\":{\"type\":\"ByUser\"}",
	        ",\"distinguisherMethod\":{\"type\":\"ByNamespace\"}"};
	for (size_t i = 0; i < 3; i++) {
		struct schema *s =
		        of(arena_printf(&a, "{\"priorityLevelConfiguration\":{\"name\":\"l\"}%s}", specs[i]));
		assert_int_equal(s->precedence, 1000);
		assert_true((schema_flow_hash(s, &x) == schema_flow_hash(s, &y)) == (i == 0));
		y.user = i == 1 ? jane : jim;
		y.ns = i == 2 ? SLICE("n") : y.ns;
		assert_int_equal(schema_flow_hash(s, &x), schema_flow_hash(s, &y));
		y = request(jim, "get", "", "pods", "m");
		schema_unref(s);
	}
	user_unref(jane);
	user_unref(jim);
}

static void scope_and_namespaces_narrow(void **state)
{
	struct user *jane = user("jane", "g");
	struct schema *s = of("{\"priorityLevelConfiguration\":{\"name\":\"l\"},\"rules\":[{\"subjects\":[{\"kind\":"
	                      "\"User\",\"user\":{\"name\":\"jane\"}}],\"resourceRules\":[{\"verbs\":[\"get\"],"
	                      "\"apiGroups\":[\"\"],\"resources\":[\"pods\",\"pods/log\"],\"namespaces\":[\"n\"]}]}]}");
	struct attributes r = request(jane, "get", "", "pods", "n");
	assert_true(schema_matches(s, &r));
	r = request(jane, "get", "", "pods/log", "n");
	assert_true(schema_matches(s, &r));
	r = request(jane, "get", "", "pods/exec", "n");
	assert_false(schema_matches(s, &r));
	r = request(jane, "get", "", "pods", "m");
	assert_false(schema_matches(s, &r));
	r = request(jane, "get", "", "pods", "");
	assert_false(schema_matches(s, &r));
	r = request(jane, "list", "", "pods", "n");
	assert_false(schema_matches(s, &r));
	schema_unref(s);
	user_unref(jane);
}

static void what_names_no_level_is_none(void **state)
{
	assert_null(of("{}"));
}

static const struct preset *preset(const char *name, bool is_schema)
{
	const struct preset *p = presets;
	while (strcmp(p->name, name) != 0 || is_schema != (p->rules != NULL))
		p++;
	return p;
}

static struct json *changed(const struct preset *p, const char *says, int64_t generation)
{
	struct json *o = preset_object(&a, p), *meta = json_get(o, "metadata");
	json_set_int(&a, meta, "generation", generation);
	if (says)
		json_set_cstr(&a, json_get(meta, "annotations"), PRESET_AUTOUPDATE, says);
	else
		json_del(meta, "annotations");
	json_set_int(&a, json_get(o, "spec"), "matchingPrecedence", 7);
	return o;
}

static void presets_are_kept_unless_somebody_says_no(void **state)
{
	const struct preset *mine = preset("service-accounts", true), *must = preset("catch-all", true);
	assert_false(preset_reconcile(&a, mine, preset_object(&a, mine)));
	assert_true(preset_reconcile(&a, mine, changed(mine, "true", 9)));
	assert_false(preset_reconcile(&a, mine, changed(mine, "false", 9)));
	assert_false(preset_reconcile(&a, mine, changed(mine, NULL, 2)));
	assert_true(preset_reconcile(&a, mine, changed(mine, NULL, 1)));
	struct json *o = changed(must, "false", 9);
	assert_true(preset_reconcile(&a, must, o));
	assert_int_equal(json_int(json_path(o, "spec", "matchingPrecedence", NULL), 0), 10000);
	assert_false(preset_reconcile(&a, must, o));
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {T(presets_are_upstreams), T(probes_are_exempt),
	        T(flows_are_told_apart_by_user_or_namespace), T(scope_and_namespaces_narrow),
	        T(what_names_no_level_is_none), T(presets_are_kept_unless_somebody_says_no)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a HelmChart asks for: whose it is, the job's arguments, environment and files, what its hash covers, and which
 * of helm's releases is the newest. */
#include "tests/unit/unit_json.h"

#include "api/controllers/chart.h"
#include "api/controllers/chart_kinds.h"

static struct chart_plan plan_of(const char *spec, const char *config, bool is_removal)
{
	struct chart_plan p;
	struct chart_input in = {
	        .chart = parse(arena_printf(&a,
	                "{\"metadata\":{\"name\":\"web\",\"namespace\":\"apps\",\"uid\":\"u1\"},\"spec\":{%s}}", spec)),
	        .job_image = "helm:1",
	        .api_port = 6443,
	        .is_removal = is_removal};
	if (config)
		in.config = parse(arena_printf(&a, "{\"spec\":{%s}}", config));
	chart_plan(&a, &in, &p);
	return p;
}

static const struct json *pod_of(const struct chart_plan *p)
{
	return json_get(json_get(json_get(p->job, "spec"), "template"), "spec");
}

static const struct json *container_of(const struct chart_plan *p)
{
	return json_at(json_get(pod_of(p), "containers"), 0);
}

static const char *env_of(const struct chart_plan *p, const char *name)
{
	JSON_FOREACH (it, json_get(container_of(p), "env"))
		if (slice_is(json_get_str(it, "name"), name))
			return arena_printf(&a, "%.*s", SLICE_FMT(json_get_str(it, "value")));
	return NULL;
}

static const char *args_of(const struct chart_plan *p)
{
	const char *all = "";
	JSON_FOREACH (it, json_get(container_of(p), "args"))
		all = arena_printf(&a, "%s%s%.*s", all, *all ? " " : "", SLICE_FMT(json_str(it)));
	return all;
}

/* The files under /config, in their order, as KEY=PATH. */
static const char *files_of(const struct chart_plan *p)
{
	const char *all = "";
	JSON_FOREACH (v, json_get(pod_of(p), "volumes"))
		JSON_FOREACH (source, json_get(json_get(v, "projected"), "sources"))
			JSON_FOREACH (it, json_get(json_get(source, "secret"), "items"))
				all = arena_printf(&a, "%s%.*s=%.*s\n", all, SLICE_FMT(json_get_str(it, "key")),
				        SLICE_FMT(json_get_str(it, "path")));
	return all;
}

static enum chart_claim claim_of(const char *notes, const char *spec)
{
	return chart_claim(parse(arena_printf(&a, "{\"metadata\":{\"annotations\":{%s}},\"spec\":{%s}}", notes, spec)));
}

static void whose_a_chart_is(void **state)
{
	assert_int_equal(claim_of("", "\"chart\":\"web\""), CHART_UNCLAIMED);
	assert_int_equal(claim_of("", "\"chartContent\":\"H4s=\""), CHART_UNCLAIMED);
	assert_int_equal(claim_of("", ""), CHART_LEFT_ALONE);
	assert_int_equal(
	        claim_of("\"helmcharts.cattle.io/managed-by\":\"helm-controller\"", "\"chart\":\"web\""), CHART_OURS);
	assert_int_equal(
	        claim_of("\"helmcharts.cattle.io/managed-by\":\"rke\"", "\"chart\":\"web\""), CHART_LEFT_ALONE);
	assert_int_equal(claim_of("\"helmcharts.helm.cattle.io/unmanaged\":\"\","
	                          "\"helmcharts.cattle.io/managed-by\":\"helm-controller\"",
	                         "\"chart\":\"web\""),
	        CHART_LEFT_ALONE);
}

static void the_job_installs_it(void **state)
{
	struct chart_plan p = plan_of("\"chart\":\"site\",\"repo\":\"https://charts.example\",\"version\":\"1.2.3\","
	                              "\"targetNamespace\":\"shop\",\"createNamespace\":true,\"timeout\":\"5m0s\"",
	        NULL, false);
	assert_string_equal(p.job_name, "helm-install-web");
	assert_string_equal(args_of(&p), "install --namespace shop --create-namespace --version 1.2.3");
	assert_string_equal(env_of(&p, "CHART"), "web/site");
	assert_string_equal(env_of(&p, "REPO"), "https://charts.example");
	assert_string_equal(env_of(&p, "TARGET_NAMESPACE"), "shop");
	assert_string_equal(env_of(&p, "CHART_NAMESPACE"), "apps");
	assert_string_equal(env_of(&p, "FAILURE_POLICY"), "reinstall");
	assert_string_equal(env_of(&p, "TIMEOUT"), "5m0s");
	assert_string_equal(env_of(&p, "HELM_DRIVER"), "secret");
	assert_int_equal(json_get_int(json_get(p.job, "spec"), "backoffLimit", 0), 1000);
	assert_true(slice_is(json_get_str(container_of(&p), "image"), "helm:1"));
	assert_true(slice_is(json_get_str(pod_of(&p), "serviceAccountName"), "helm-web"));
	assert_true(slice_starts(json_get_str(json_get(p.binding, "metadata"), "name"), "helm-apps-web-"));
	assert_string_not_equal(
	        chart_binding_name(&a, SLICE("a"), SLICE("b-c")), chart_binding_name(&a, SLICE("a-b"), SLICE("c")));
	assert_null(json_get(pod_of(&p), "hostNetwork"));
	assert_null(env_of(&p, "EXPECTED_RELEASE_REVISION"));
}

static void single_values_are_quoted_for_helm(void **state)
{
	struct chart_plan p = plan_of("\"chart\":\"c\",\"set\":{\"b\":\"x,y\",\"a\":3,\"c\":\"TRUE\",\"d\":\"p\\\\,q\","
	                              "\"e\":\"r\\\\\\\\,s\",\"f\":\"null\"}",
	        NULL, false);
	assert_string_equal(args_of(&p), "install --set a=3 --set-string b=x\\,y --set c=TRUE --set-string d=p\\,q "
	                                 "--set-string e=r\\\\\\,s --set f=null");
}

static void files_come_in_the_order_of_their_weight(void **state)
{
	struct chart_plan p =
	        plan_of("\"chart\":\"c\",\"valuesContent\":\"a: 1\",\"values\":{\"b\":2},\"repoCA\":\"PEM\","
	                "\"valuesSecrets\":[{\"name\":\"s\",\"keys\":[\"k1\",\"k2\"]},{\"name\":\"none\"}]",
	                "\"valuesContent\":\"c: 3\",\"failurePolicy\":\"abort\",\"forceConflicts\":true,"
	                "\"valuesSecrets\":[{\"name\":\"t\",\"keys\":[\"k\"],\"ignoreUpdates\":true}]",
	                false);
	assert_string_equal(files_of(&p), "HelmChartValuesContent=values-0-000-HelmChart-ValuesContent.yaml\n"
	                                  "HelmChartValues=values-0-001-HelmChart-Values.yaml\n"
	                                  "RepoCA=ca-file.pem\n"
	                                  "HelmChartConfigValuesContent="
	                                  "values-1-000-HelmChartConfig-ValuesContent.yaml\n"
	                                  "k1=values-0-002-HelmChart-ValuesSecret.yaml\n"
	                                  "k2=values-0-003-HelmChart-ValuesSecret.yaml\n"
	                                  "k=values-1-002-HelmChartConfig-ValuesSecret.yaml\n");
	const struct json *data = json_get(p.values, "data");
	assert_true(slice_is(json_get_str(data, "HelmChartValues"), "eyJiIjoyfQ=="));
	assert_true(slice_is(json_get_str(data, "HelmChartConfigValuesContent"), "YzogMw=="));
	assert_string_equal(env_of(&p, "FAILURE_POLICY"), "abort");
	assert_string_equal(env_of(&p, "FORCE_CONFLICTS"), "true");
}

static void a_removal_takes_no_values(void **state)
{
	struct chart_plan p = plan_of("\"chart\":\"c\",\"targetNamespace\":\"shop\",\"valuesContent\":\"a: 1\"",
	        "\"valuesContent\":\"b: 1\"", true);
	assert_string_equal(p.job_name, "helm-delete-web");
	assert_string_equal(args_of(&p), "delete");
	assert_null(p.values);
	assert_null(p.content);
	assert_string_equal(files_of(&p), "");
	assert_string_equal(env_of(&p, "TARGET_NAMESPACE"), "shop");
}

static void what_the_cluster_needs_runs_before_it_is_ready(void **state)
{
	struct chart_plan p = plan_of("\"chart\":\"c\",\"bootstrap\":true", NULL, false);
	assert_true(json_get_bool(pod_of(&p), "hostNetwork", false));
	assert_string_equal(env_of(&p, "KUBERNETES_SERVICE_PORT"), "6443");
	assert_true(slice_is(
	        json_get_str(json_get(pod_of(&p), "nodeSelector"), "node-role.kubernetes.io/control-plane"), "true"));
}

static bool same_hash(const char *spec, const char *config, const char *other_spec, const char *other_config)
{
	struct chart_plan p = plan_of(spec, config, false), q = plan_of(other_spec, other_config, false);
	assert_int_equal(strlen(p.hash), CHART_HASH_LEN);
	assert_true(slice_is(chart_job_hash(p.job), p.hash));
	return strcmp(p.hash, q.hash) == 0;
}

static void the_hash_is_of_all_that_helm_sees(void **state)
{
	static const char base[] = "\"chart\":\"c\",\"valuesContent\":\"a: 1\"";
	assert_true(same_hash(base, NULL, base, NULL));
	assert_false(same_hash(base, NULL, "\"chart\":\"c\",\"valuesContent\":\"a: 2\"", NULL));
	assert_false(same_hash(base, NULL, "\"chart\":\"c\",\"valuesContent\":\"a: 1\",\"version\":\"2\"", NULL));
	assert_false(same_hash(base, NULL, "\"chart\":\"c\",\"valuesContent\":\"a: 1\",\"backOffLimit\":3", NULL));
	assert_false(same_hash(base, NULL, base, "\"valuesContent\":\"b: 1\""));
	assert_false(
	        same_hash(base, NULL, "\"chart\":\"c\",\"valuesContent\":\"a: 1\",\"chartContent\":\"H4s=\"", NULL));

	struct chart_plan p = plan_of(base, NULL, false);
	struct chart_release r = {.revision = 7};
	char before[CHART_HASH_LEN + 1];
	memcpy(before, p.hash, sizeof before);
	chart_expect(&a, &p, &r);
	assert_string_equal(env_of(&p, "EXPECTED_RELEASE_REVISION"), "7");
	assert_string_equal(env_of(&p, "CONFIG_HASH"), before);
	assert_true(slice_is(chart_job_hash(p.job), before));
}

static void a_secret_that_changes_changes_the_hash(void **state)
{
	struct chart_plan one, two;
	const struct json *secret = parse("{\"data\":{\"k\":\"YQ==\"}}");
	struct chart_input in = {
	        .chart = parse("{\"metadata\":{\"name\":\"web\",\"namespace\":\"d\"},\"spec\":{\"chart\":\"c\","
	                       "\"valuesSecrets\":[{\"name\":\"s\",\"keys\":[\"k\"]}]}}"),
	        .job_image = "helm:1",
	        .secrets = &secret,
	        .n_secrets = 1};
	chart_plan(&a, &in, &one);
	secret = parse("{\"data\":{\"k\":\"Yg==\"}}");
	chart_plan(&a, &in, &two);
	assert_string_not_equal(one.hash, two.hash);
}

static void secrets_whose_updates_count(void **state)
{
	const struct json
	        *chart = parse("{\"spec\":{\"valuesSecrets\":[{\"name\":\"a\"},{\"name\":\"b\",\"ignoreUpdates\":true},"
	                       "{},{\"name\":\"c\"}]}}"),
	        *at = NULL;
	assert_true(slice_is(chart_next_secret(chart, &at), "a"));
	assert_true(slice_is(chart_next_secret(chart, &at), "c"));
	assert_int_equal(chart_next_secret(chart, &at).len, 0);
	at = NULL;
	assert_int_equal(chart_next_secret(NULL, &at).len, 0);
}

static void the_newest_release_counts(void **state)
{
	struct chart_release r;
	chart_release_read(parse("{\"items\":["
	                         "{\"metadata\":{\"labels\":{\"version\":\"2\",\"status\":\"superseded\"}}},"
	                         "{\"metadata\":{\"labels\":{\"version\":\"10\",\"status\":\"deployed\","
	                         "\"helmcharts.helm.cattle.io/configHash\":\"ABC\"}}},"
	                         "{\"metadata\":{\"labels\":{\"version\":\"junk\",\"status\":\"failed\"}}},{}]}"),
	        &r);
	assert_int_equal(r.revision, 10);
	assert_true(slice_is(r.status, "deployed"));
	assert_true(slice_is(r.hash, "ABC"));
	chart_release_read(parse("{\"items\":[]}"), &r);
	assert_int_equal(r.revision, 0);
}

static const char *source_of(const char *spec)
{
	return chart_source(&a, parse(arena_printf(&a, "{\"spec\":{%s}}", spec)));
}

static void where_it_comes_from(void **state)
{
	assert_string_equal(source_of("\"chart\":\"site\",\"version\":\"1\",\"repo\":\"https://r\""),
	        "site, version 1, from chart repository https://r");
	assert_string_equal(
	        source_of("\"chart\":\"oci://r/site\""), "latest stable version from OCI registry oci://r/site");
	assert_string_equal(source_of("\"chart\":\"https://r/site.tgz\""), "https://r/site.tgz");
	assert_string_equal(source_of("\"chart\":\"x\",\"chartContent\":\"H4s=\""), "inline spec.chartContent");
}

static void the_image_is_the_charts_then_the_servers(void **state)
{
	struct chart_input in = {.chart = parse("{\"spec\":{\"jobImage\":\" own:2 \"}}"), .job_image = "helm:1"};
	assert_string_equal(chart_image(&a, &in), "own:2");
	in.chart = parse("{\"spec\":{}}");
	assert_string_equal(chart_image(&a, &in), "helm:1");
	in.job_image = NULL;
	assert_null(chart_image(&a, &in));
}

static void kinds_have_the_fields_of_k3s(void **state)
{
	const struct json *version = json_at(json_get(json_get(chart_kind(&a), "spec"), "versions"), 0);
	const struct json *schema = json_get(json_get(version, "schema"), "openAPIV3Schema");
	const struct json *spec = json_get(json_get(json_get(schema, "properties"), "spec"), "properties");
	assert_int_equal(spec->count, 29);
	assert_non_null(json_get(spec, "valuesSecrets"));
	assert_non_null(json_get(version, "subresources"));
	assert_non_null(chart_config_kind(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(whose_a_chart_is, release),
	        cmocka_unit_test_teardown(the_job_installs_it, release),
	        cmocka_unit_test_teardown(single_values_are_quoted_for_helm, release),
	        cmocka_unit_test_teardown(files_come_in_the_order_of_their_weight, release),
	        cmocka_unit_test_teardown(a_removal_takes_no_values, release),
	        cmocka_unit_test_teardown(what_the_cluster_needs_runs_before_it_is_ready, release),
	        cmocka_unit_test_teardown(the_hash_is_of_all_that_helm_sees, release),
	        cmocka_unit_test_teardown(a_secret_that_changes_changes_the_hash, release),
	        cmocka_unit_test_teardown(secrets_whose_updates_count, release),
	        cmocka_unit_test_teardown(the_newest_release_counts, release),
	        cmocka_unit_test_teardown(where_it_comes_from, release),
	        cmocka_unit_test_teardown(the_image_is_the_charts_then_the_servers, release),
	        cmocka_unit_test_teardown(kinds_have_the_fields_of_k3s, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

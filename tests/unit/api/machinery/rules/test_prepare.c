/* What is not the client's to say: status and metadata, generation, job labels, what follows a service's type. */
#include "tests/unit/unit_json.h"

#include "api/machinery/rules/prepare.h"
#include "api/machinery/rules/validate.h"

static const struct resource *row(const char *group, const char *version, const char *plural)
{
	return resource_find(slice_of(group), slice_of(version), slice_of(plural));
}

static struct json *updated(const struct resource *r, const char *sub, const char *text, const char *old)
{
	struct json *object = parse(text);
	prepare_update(&a, r, sub, object, parse(old));
	return object;
}

static void assert_json(const struct json *got, const char *want)
{
	struct strbuf text = STRBUF_INIT;
	if (got)
		json_write(&text, got);
	if (!json_equal(got, parse(want)))
		fail_msg("got %s, want %s", strbuf_cstr(&text), want);
	strbuf_release(&text);
}

#define META(rest) "\"metadata\":{\"name\":\"x\",\"uid\":\"u\",\"generation\":1" rest "}"

/* A status write of a Deployment keeps its labels, one of a Pod its owners, one of a definition all of its metadata;
 * what is not named (a namespace's annotations) may change. */
static void a_status_write_touches_what_upstream_lets_it_touch(void **state)
{
	const char *old = "{" META(
	        ",\"labels\":{\"a\":\"1\"},\"ownerReferences\":[]") ",\"spec\":{\"s\":1},\"status\":{\"t\":1}}";
	const char *now = "{" META(",\"labels\":{\"a\":\"2\"},\"annotations\":{\"b\":\"3\"},\"ownerReferences\":[{"
	                           "\"uid\":\"o\"}]") ",\"spec\":{\"s\":2},\"status\":{\"t\":2}}";
	struct json *v = updated(row("apps", "v1", "deployments"), "status", now, old);
	assert_json(json_path(v, "metadata", "labels", NULL), "{\"a\":\"1\"}");
	assert_json(json_path(v, "metadata", "annotations", NULL), "{\"b\":\"3\"}");
	assert_json(json_get(v, "spec"), "{\"s\":1}");
	assert_json(json_get(v, "status"), "{\"t\":2}");
	assert_int_equal(json_int(json_path(v, "metadata", "generation", NULL), 0), 1);
	v = updated(row("", "v1", "pods"), "status", now, old);
	assert_json(json_path(v, "metadata", "ownerReferences", NULL), "[]");
	assert_json(json_path(v, "metadata", "labels", NULL), "{\"a\":\"2\"}");
	v = updated(row("apiextensions.k8s.io", "v1", "customresourcedefinitions"), "status", now, old);
	assert_json(json_path(v, "metadata", "labels", NULL), "{\"a\":\"1\"}");
	assert_null(json_path(v, "metadata", "annotations", NULL));
	v = updated(row("", "v1", "namespaces"), "status", now, old);
	assert_json(json_path(v, "metadata", "annotations", NULL), "{\"b\":\"3\"}");
}

static void a_plain_write_leaves_the_status_alone(void **state)
{
	static const char *const plurals[] = {"deployments", "replicasets", "daemonsets", "statefulsets"};
	for (size_t i = 0; i < sizeof plurals / sizeof *plurals; i++) {
		struct json *v =
		        updated(row("apps", "v1", plurals[i]), "", "{" META("") ",\"spec\":{},\"status\":{\"t\":2}}",
		                "{" META("") ",\"spec\":{},\"status\":{\"t\":1}}");
		assert_json(json_get(v, "status"), "{\"t\":1}");
	}
}

static void what_defaults_fill_in_is_no_new_generation(void **state)
{
	const struct resource *r = row("apps", "v1", "deployments");
	struct json *old =
	        updated(r, "", "{" META("") ",\"spec\":{\"replicas\":1}}", "{" META("") ",\"spec\":{\"replicas\":1}}");
	struct json *same = parse("{" META("") ",\"spec\":{\"replicas\":1}}"),
	            *other = parse("{" META("") ",\"spec\":{\"replicas\":2}}");
	struct json *noted = parse("{" META(",\"annotations\":{\"a\":\"b\"}") ",\"spec\":{\"replicas\":1}}");
	json_set_int(&a, json_get(old, "metadata"), "generation", 4);
	prepare_update(&a, r, "", same, old);
	prepare_update(&a, r, "", other, old);
	prepare_update(&a, r, "", noted, old);
	assert_int_equal(json_int(json_path(same, "metadata", "generation", NULL), 0), 4);
	assert_int_equal(json_int(json_path(other, "metadata", "generation", NULL), 0), 5);
	assert_int_equal(json_int(json_path(noted, "metadata", "generation", NULL), 0), 5);
}

#define JOB(spec) "{\"metadata\":{\"name\":\"j\",\"namespace\":\"d\",\"uid\":\"u-1\"},\"spec\":{" spec "}}"
#define TEMPLATE(labels) \
	"\"template\":{\"metadata\":{\"labels\":{" labels \
	"}},\"spec\":{\"restartPolicy\":\"Never\",\"dnsPolicy\":\"Default\"," \
	"\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"

static const char *first_error(const struct resource *r, const struct json *object, const struct json *old)
{
	struct field_errors *errors = ARENA_NEW(&a, struct field_errors);
	field_errors_init(errors, &a);
	validate_object(errors, r, object, old, "");
	return errors->count ? errors->items[0].field : "";
}

static void a_job_is_given_its_selector_and_labels(void **state)
{
	const struct resource *r = row("batch", "v1", "jobs");
	struct json *job = parse(JOB(TEMPLATE("\"app\":\"x\"")));
	prepare_create(&a, r, job);
	assert_json(json_path(job, "spec", "selector", NULL),
	        "{\"matchLabels\":{\"batch.kubernetes.io/controller-uid\":\"u-1\"}}");
	assert_json(json_path(job, "spec", "template", "metadata", "labels", NULL),
	        "{\"app\":\"x\",\"controller-uid\":\"u-1\",\"batch.kubernetes.io/"
	        "controller-uid\":\"u-1\",\"job-name\":\"j\","
	        "\"batch.kubernetes.io/job-name\":\"j\"}");
	assert_string_equal(first_error(r, job, NULL), "");
	job = parse(JOB(TEMPLATE("\"job-name\":\"other\"")));
	prepare_create(&a, r, job);
	assert_string_equal(first_error(r, job, NULL), "spec.template.metadata.labels[job-name]");
	job = parse(
	        JOB("\"manualSelector\":true,\"selector\":{\"matchLabels\":{\"a\":\"b\"}}," TEMPLATE("\"a\":\"b\"")));
	prepare_create(&a, r, job);
	assert_json(json_path(job, "spec", "selector", NULL), "{\"matchLabels\":{\"a\":\"b\"}}");
	assert_string_equal(first_error(r, job, NULL), "");
	job = parse(JOB("\"manualSelector\":true," TEMPLATE("\"a\":\"b\"")));
	prepare_create(&a, r, job);
	assert_string_equal(first_error(r, job, NULL), "spec.selector");
}

/* What a service of one type has and another has not goes with the change, unless the client set it anew. */
static void a_service_loses_what_its_new_type_lacks(void **state)
{
	const struct resource *r = row("", "v1", "services");
#define SERVICE(spec) "{" META("") ",\"spec\":{" spec "}}"
#define NODE_PORT \
	"\"clusterIP\":\"10.0.0.7\",\"clusterIPs\":[\"10.0.0.7\"],\"ipFamilies\":[\"IPv4\"],\"ipFamilyPolicy\":" \
	"\"SingleStack\"," \
	"\"externalTrafficPolicy\":\"Cluster\",\"ports\":[{\"name\":\"a\",\"port\":80,\"nodePort\":30007},{\"name\":" \
	"\"b\",\"port\":81," \
	"\"nodePort\":30008}]"
	struct json *v = updated(r, "", SERVICE("\"type\":\"ExternalName\",\"externalName\":\"x.y\"," NODE_PORT),
	        SERVICE("\"type\":\"NodePort\"," NODE_PORT));
	struct json *spec = json_get(v, "spec");
	static const char *const gone[] = {
	        "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "externalTrafficPolicy"};
	for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
		assert_null(json_get(spec, gone[i]));
	JSON_FOREACH (p, json_get(spec, "ports"))
		assert_null(json_get(p, "nodePort"));
	v = updated(r, "", SERVICE("\"type\":\"ClusterIP\"," NODE_PORT), SERVICE("\"type\":\"NodePort\"," NODE_PORT));
	assert_non_null(json_path(v, "spec", "clusterIP", NULL));
	assert_null(json_path(v, "spec", "externalTrafficPolicy", NULL));
	assert_null(json_get(json_path(v, "spec", "ports", NULL)->first, "nodePort"));
	v = updated(r, "", SERVICE("\"type\":\"NodePort\",\"allocateLoadBalancerNodePorts\":true," NODE_PORT),
	        SERVICE("\"type\":\"LoadBalancer\",\"allocateLoadBalancerNodePorts\":true," NODE_PORT));
	assert_null(json_path(v, "spec", "allocateLoadBalancerNodePorts", NULL));
	assert_int_equal(json_get_int(json_path(v, "spec", "ports", NULL)->first, "nodePort", 0), 30007);
	v = updated(r, "",
	        SERVICE("\"type\":\"ClusterIP\",\"externalTrafficPolicy\":\"Local\",\"ports\":[{\"name\":\"a\","
	                "\"port\":80}]"),
	        SERVICE("\"type\":\"NodePort\"," NODE_PORT));
	assert_string_equal(first_error(r, v, NULL), "spec.externalTrafficPolicy");
	v = updated(r, "",
	        SERVICE("\"type\":\"NodePort\",\"ports\":[{\"name\":\"b\",\"port\":90},{\"name\":\"c\",\"port\":91}]"),
	        SERVICE("\"type\":\"NodePort\"," NODE_PORT));
	assert_int_equal(json_get_int(json_path(v, "spec", "ports", NULL)->first, "nodePort", 0), 30008);
	assert_null(json_get(json_path(v, "spec", "ports", NULL)->last, "nodePort"));
}

static void what_kubectl_debug_writes_changes_one_list(void **state)
{
	const char *old = "{" META(",\"labels\":{\"a\":\"1\"}") ",\"spec\":{\"containers\":[{\"name\":\"c\"}]},"
	                                                        "\"status\":{\"t\":1}}";
	const char *now = "{" META(",\"labels\":{\"a\":\"2\"}") ",\"spec\":{\"hostPID\":true,\"ephemeralContainers\":[{"
	                                                        "\"name\":\"e\",\"image\":\"x:1\"}]},\"status\":{}}";
	struct json *v = updated(row("", "v1", "pods"), "ephemeralcontainers", now, old), *spec = json_get(v, "spec");
	assert_json(json_path(v, "metadata", "labels", NULL), "{\"a\":\"1\"}");
	assert_json(json_get(v, "status"), "{\"t\":1}");
	assert_null(json_get(spec, "hostPID"));
	assert_string_equal(json_cstr(&a, json_get(json_get(spec, "containers")->first, "name")), "c");
	struct json *e = json_get(spec, "ephemeralContainers")->first;
	assert_string_equal(json_cstr(&a, json_get(e, "imagePullPolicy")), "IfNotPresent");
	assert_string_equal(json_cstr(&a, json_get(e, "terminationMessagePath")), "/dev/termination-log");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_status_write_touches_what_upstream_lets_it_touch, release),
	        cmocka_unit_test_teardown(a_plain_write_leaves_the_status_alone, release),
	        cmocka_unit_test_teardown(what_defaults_fill_in_is_no_new_generation, release),
	        cmocka_unit_test_teardown(a_job_is_given_its_selector_and_labels, release),
	        cmocka_unit_test_teardown(a_service_loses_what_its_new_type_lacks, release),
	        cmocka_unit_test_teardown(what_kubectl_debug_writes_changes_one_list, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Decoding bodies: what is dropped, added, refused, and in which words. */
#include "api/machinery/codec/decode.h"
#include "api/machinery/schema/resources.h"
#include "tests/unit/unit.h"

static struct arena arena;
static struct decode_problems problems;
static struct err err;

static int decode(const char *api_version, const char *kind, const char *text, unsigned flags, struct json **tree)
{
	arena_release(&arena);
	arena_init(&arena);
	err = ERR_INIT;
	decode_problems_init(&problems, &arena);
	*tree = json_parse(&arena, slice_of(text), &(struct json_parse_options){decode_on_duplicate, &problems}, &err);
	assert_non_null(*tree);
	const struct schema_type *type = resource_kind_type(slice_of(api_version), slice_of(kind));
	assert_non_null(type);
	return decode_object(&arena, *tree, type, flags, &problems, &err);
}

static void becomes(const char *api_version, const char *kind, const char *text, unsigned flags, const char *want)
{
	struct json *tree;
	if (decode(api_version, kind, text, flags, &tree) != 0)
		fail_msg("%s", err.msg);
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	json_write(&b, tree);
	assert_string_equal(strbuf_cstr(&b), want);
}

static void fails(const char *api_version, const char *kind, const char *text, const char *want)
{
	struct json *tree;
	assert_int_equal(decode(api_version, kind, text, 0, &tree), ERR_INVAL);
	assert_string_equal(err.msg, want);
}

static void objects_take_the_form_go_writes(void **state)
{
	becomes("v1", "Service",
	        "{\"metadata\":{\"creationTimestamp\":null,\"name\":\"x\",\"labels\":{}},\"apiVersion\":\"v1\","
	        "\"kind\":\"Service\"}",
	        0,
	        "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\"},\"spec\":{},\"status\":{"
	        "\"loadBalancer\":{}}}");
	becomes("v1", "Pod",
	        "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"\",\"stdin\":false,"
	        "\"resources\":{\"limits\":{\"cpu\":0.5,\"memory\":\"1024Mi\"}}}],\"hostNetwork\":false,"
	        "\"terminationGracePeriodSeconds\":0}}",
	        0,
	        "{\"metadata\":{},\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":{\"limits\":{\"cpu\":"
	        "\"500m\","
	        "\"memory\":\"1Gi\"}}}],\"terminationGracePeriodSeconds\":0},\"status\":{}}");
	becomes("rbac.authorization.k8s.io/v1", "ClusterRole", "{}", 0, "{\"metadata\":{},\"rules\":null}");
	becomes("apps/v1", "ReplicaSet", "{\"spec\":{\"replicas\":0}}", 0,
	        "{\"metadata\":{},\"spec\":{\"replicas\":0,\"selector\":null,\"template\":{\"metadata\":{},\"spec\":{"
	        "\"containers\":null}}},"
	        "\"status\":{\"replicas\":0}}");
}

static void patches_keep_their_shape(void **state)
{
	becomes("v1", "Service",
	        "{\"metadata\":{\"name\":\"x\",\"labels\":{}},\"spec\":{\"clusterIP\":null,\"foo\":1}}",
	        DECODE_KEEP_SHAPE, "{\"metadata\":{\"name\":\"x\",\"labels\":{}},\"spec\":{\"clusterIP\":null}}");
}

static void wrong_types_are_refused_in_go_words(void **state)
{
	fails("apps/v1", "Deployment", "{\"spec\":{\"replicas\":\"3\"}}",
	        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32");
	fails("apps/v1", "Deployment", "{\"spec\":{\"replicas\":1.5}}",
	        "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32");
	fails("apps/v1", "Deployment", "{\"spec\":{\"replicas\":3000000000}}",
	        "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type "
	        "int32");
	fails("v1", "Pod", "{\"spec\":[]}",
	        "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec");
	fails("v1", "Pod", "{\"spec\":{\"containers\":{}}}",
	        "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container");
	fails("v1", "Pod", "{\"metadata\":{\"labels\":{\"a\":1}}}",
	        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels.a of type string");
	fails("v1", "Secret", "{\"data\":{\"a\":\"*\"}}", "data.a: illegal base64 data");
	fails("v1", "Pod", "{\"metadata\":{\"creationTimestamp\":\"soon\"}}",
	        "metadata.creationTimestamp: parsing time \"soon\" as \"2006-01-02T15:04:05Z07:00\": cannot parse "
	        "\"soon\"");
	fails("v1", "PersistentVolumeClaim", "{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"1 Gi\"}}}}",
	        "spec.resources.requests.storage: quantities must match the regular expression "
	        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}

static void unknown_and_duplicate_fields_are_collected(void **state)
{
	struct json *tree;
	assert_int_equal(
	        decode("v1", "Pod",
	                "{\"spec\":{\"foo\":1,\"containers\":[{\"name\":\"a\"},{\"Name\":\"b\",\"image\":\"x\","
	                "\"image\":\"y\"}]}}",
	                0, &tree),
	        0);
	assert_int_equal(problems.count, 3);
	assert_int_equal(decode_problems_judge(&problems, DECODE_WARN, &err), 0);
	assert_string_equal(problems.texts[0], "unknown field \"spec.foo\"");
	assert_int_equal(decode_problems_judge(&problems, DECODE_STRICT, &err), ERR_INVAL);
	assert_string_equal(err.msg, "strict decoding error: unknown field \"spec.foo\", unknown field "
	                             "\"spec.containers[1].Name\", duplicate field \"spec.containers[1].image\"");
	assert_null(json_path(tree, "spec", "foo", NULL));
}

static void problems_stand_in_the_order_of_the_document(void **state)
{
	struct json *tree;
	decode("v1", "Pod",
	        "{\"metadata\":{\"name\":\"a\",\"name\":\"b\",\"odd\":1},\"spec\":{\"u\":1,\"u\":2,\"hostIPC\":true,"
	        "\"hostIPC\":false,\"containers\":[{\"v\":1,\"image\":\"x\",\"image\":\"y\"}]}}",
	        0, &tree);
	assert_int_equal(decode_problems_judge(&problems, DECODE_STRICT, &err), ERR_INVAL);
	assert_string_equal(err.msg,
	        "strict decoding error: duplicate field \"metadata.name\", unknown field \"metadata.odd\", unknown "
	        "field "
	        "\"spec.u\", duplicate field \"spec.hostIPC\", unknown field \"spec.containers[0].v\", duplicate field "
	        "\"spec.containers[0].image\"");
}

static void times_become_utc(void **state)
{
	becomes("coordination.k8s.io/v1", "Lease", "{\"spec\":{\"renewTime\":\"2024-02-29T12:30:00.5+02:00\"}}", 0,
	        "{\"metadata\":{},\"spec\":{\"renewTime\":\"2024-02-29T10:30:00.500000Z\"}}");
	fails("v1", "Pod", "{\"metadata\":{\"creationTimestamp\":\"2023-02-29T00:00:00Z\"}}",
	        "metadata.creationTimestamp: parsing time \"2023-02-29T00:00:00Z\": value out of range");
}

static void schemas_may_be_booleans_or_lists(void **state)
{
	becomes("apiextensions.k8s.io/v1", "CustomResourceDefinition",
	        "{\"spec\":{\"versions\":[{\"name\":\"v1\",\"schema\":{\"openAPIV3Schema\":{\"additionalProperties\":"
	        "true,"
	        "\"items\":{\"type\":\"string\"},\"default\":{\"a\":[null]}}}}]}}",
	        DECODE_KEEP_SHAPE,
	        "{\"spec\":{\"versions\":[{\"name\":\"v1\",\"schema\":{\"openAPIV3Schema\":{\"additionalProperties\":"
	        "true,"
	        "\"items\":{\"type\":\"string\"},\"default\":{\"a\":[null]}}}}]}}");
}

static void field_validation_is_read(void **state)
{
	enum decode_validation v;
	assert_int_equal(decode_validation_parse(SLICE(""), &v, &err), 0);
	assert_int_equal(v, DECODE_WARN);
	assert_int_equal(decode_validation_parse(SLICE("strict"), &v, &err), ERR_INVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(objects_take_the_form_go_writes),
	        cmocka_unit_test(patches_keep_their_shape),
	        cmocka_unit_test(wrong_types_are_refused_in_go_words),
	        cmocka_unit_test(unknown_and_duplicate_fields_are_collected),
	        cmocka_unit_test(problems_stand_in_the_order_of_the_document),
	        cmocka_unit_test(times_become_utc),
	        cmocka_unit_test(schemas_may_be_booleans_or_lists),
	        cmocka_unit_test(field_validation_is_read),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&arena);
	return rc;
}

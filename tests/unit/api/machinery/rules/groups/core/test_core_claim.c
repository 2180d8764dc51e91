/* PersistentVolumeClaims: what is asked for, what it is filled from, and how it may grow. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#include "api/machinery/rules/prepare.h"

#define SIZE(text) "\"resources\":{\"requests\":{\"storage\":\"" text "\"}}"
#define SPEC(text) "\"spec\":{\"accessModes\":[\"ReadWriteOnce\"]" text "}"
#define CLAIM(text) SPEC("," SIZE("1Gi") text)
#define STATUS(phase, size) ",\"status\":{\"phase\":\"" phase "\",\"capacity\":{\"storage\":\"" size "\"}}"
#define BOUND(size) SPEC("," SIZE(size)) STATUS("Bound", "2Gi")
#define SNAPSHOT "{\"apiGroup\":\"snapshot.storage.k8s.io\",\"kind\":\"VolumeSnapshot\",\"name\":\"s\"}"

#define STAYS \
	"spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName " \
	"for bound claims"

static void a_claim_says_what_it_wants(void **state)
{
	static const struct group_case cases[] = {
	        {"persistentvolumeclaims", CLAIM(""), NULL, NULL},
	        {"persistentvolumeclaims", "\"spec\":{}", NULL,
	                "spec.accessModes: Required value: at least 1 access mode is required; "
	                "spec.resources[storage]: "
	                "Required value"},
	        {"persistentvolumeclaims", SPEC("," SIZE("0")), NULL,
	                "spec.resources[storage]: Invalid value: \"0\": must be greater than zero"},
	        {"persistentvolumeclaims", CLAIM(",\"volumeMode\":\"Tape\""), NULL,
	                "spec.volumeMode: Unsupported value: \"Tape\": supported values: \"Block\", \"Filesystem\""},
	        {"persistentvolumeclaims",
	                CLAIM(",\"selector\":{\"matchExpressions\":[{\"key\":\"a\",\"operator\":"
	                      "\"In\"}]}"),
	                NULL,
	                "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` "
	                "is "
	                "'In' or 'NotIn'"},
	        {"persistentvolumeclaims", CLAIM(",\"storageClassName\":\"A\""), NULL,
	                "spec.storageClassName: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of "
	                "lower "
	                "case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
	                "character "
	                "(e.g. 'example.com', regex used for validation is "
	                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"},
	        {"persistentvolumeclaims", CLAIM(",\"storageClassName\":\"\""), NULL, NULL},
	        {"persistentvolumeclaims", CLAIM(",\"dataSource\":" SNAPSHOT ",\"dataSourceRef\":" SNAPSHOT), NULL,
	                NULL},
	        {"persistentvolumeclaims",
	                CLAIM(",\"dataSource\":{\"apiGroup\":null,\"kind\":\"PersistentVolumeClaim\",\"name\":\"c\"},"
	                      "\"dataSourceRef\":{\"kind\":\"PersistentVolumeClaim\",\"name\":\"c\"}"),
	                NULL, NULL},
	        {"persistentvolumeclaims", CLAIM(",\"dataSource\":{\"kind\":\"Pod\"}"), NULL,
	                "spec.dataSource.name: Required value; spec.dataSource: Invalid value: \"Pod\": must be "
	                "'PersistentVolumeClaim' when referencing the default apiGroup"},
	        {"persistentvolumeclaims",
	                CLAIM(",\"dataSource\":" SNAPSHOT
	                      ",\"dataSourceRef\":{\"kind\":\"PersistentVolumeClaim\",\"name\":\"c\"}"),
	                NULL, "spec: Invalid value: spec.dataSource: must match dataSourceRef"},
	};
	RUN_GROUP_CASES("", cases);
}

static void a_claim_stays_but_for_what_binding_and_growing_change(void **state)
{
	static const struct group_case cases[] = {
	        {"persistentvolumeclaims", CLAIM(",\"volumeName\":\"v\""), CLAIM(""), NULL},
	        {"persistentvolumeclaims", CLAIM(",\"volumeName\":\"w\""), CLAIM(",\"volumeName\":\"v\""), STAYS},
	        {"persistentvolumeclaims", CLAIM(",\"storageClassName\":\"a\""), CLAIM(""), NULL},
	        {"persistentvolumeclaims", CLAIM(""), CLAIM(",\"storageClassName\":\"a\""), STAYS},
	        {"persistentvolumeclaims", SPEC("," SIZE("2Gi")), CLAIM(""), STAYS},
	        {"persistentvolumeclaims", BOUND("3Gi"), BOUND("2Gi"), NULL},
	        {"persistentvolumeclaims", BOUND("3Gi"), BOUND("4Gi"), NULL},
	        {"persistentvolumeclaims", BOUND("2Gi"), BOUND("4Gi"),
	                "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"},
	        {"persistentvolumeclaims", CLAIM(",\"volumeMode\":\"Block\""), CLAIM(""),
	                STAYS "; volumeMode: Invalid value: \"Block\": field is immutable"},
	        {"persistentvolumeclaims", CLAIM(",\"volumeAttributesClassName\":\"a\"") STATUS("Bound", "1Gi"),
	                CLAIM(""), NULL},
	        {"persistentvolumeclaims", CLAIM(",\"volumeAttributesClassName\":\"a\""), CLAIM(""), STAYS},
	        {"persistentvolumeclaims", CLAIM("") STATUS("Bound", "1Gi"),
	                CLAIM(",\"volumeAttributesClassName\":\"a\""),
	                STAYS "; spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is "
	                      "forbidden"},
	};
	RUN_GROUP_CASES("", cases);
}

static void the_annotation_of_a_class_may_become_the_member(void **state)
{
	static const char noted[] =
	        "{\"metadata\":{\"name\":\"n\",\"namespace\":\"d\",\"annotations\":{"
	        "\"volume.beta.kubernetes.io/storage-class\":\"%s\"}}," SPEC("," SIZE("1Gi") "%s") "}";
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), SLICE("persistentvolumeclaims"));
	struct json *old = parse(arena_printf(&a, noted, "a", ""));
	struct json *moved = group_object(r, CLAIM(",\"storageClassName\":\"a\""));
	struct json *other = parse(arena_printf(&a, noted, "b", ""));
	defaults_apply(&a, r, old);
	defaults_apply(&a, r, other);
	assert_string_equal(group_errors(r, moved, old, ""), "");
	assert_string_equal(group_errors(r, other, old, ""),
	        "metadata.annotations.volume.beta.kubernetes.io/storage-class: Invalid value: \"b\": field is "
	        "immutable");
}

/* The sources as they are after a creation. */
static const char *settled(const char *sources)
{
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), SLICE("persistentvolumeclaims"));
	struct json *v = group_object(r, arena_printf(&a, "\"spec\":{%s}", sources));
	struct strbuf text = STRBUF_INIT;
	prepare_create(&a, r, v);
	json_del(json_get(v, "spec"), "volumeMode");
	json_write(&text, json_get(v, "spec"));
	const char *out = arena_strdup(&a, strbuf_cstr(&text));
	strbuf_release(&text);
	return out;
}

static void either_source_fills_the_other(void **state)
{
	static const char both[] = "{\"dataSource\":" SNAPSHOT ",\"dataSourceRef\":" SNAPSHOT "}";
	assert_string_equal(settled("\"dataSource\":" SNAPSHOT), both);
	assert_string_equal(settled("\"dataSource\":{\"kind\":\"Pod\",\"name\":\"p\"}"), "{}");
	assert_string_equal(settled("\"dataSourceRef\":{\"kind\":\"A\",\"name\":\"p\",\"namespace\":\"x\"}"), "{}");
	assert_string_equal(settled("\"dataSourceRef\":{\"kind\":\"A\",\"name\":\"p\"}"),
	        "{\"dataSourceRef\":{\"kind\":\"A\",\"name\":\"p\"},\"dataSource\":{\"kind\":\"A\",\"name\":\"p\"}}");
}

static void the_status_of_a_claim_counts_storage(void **state)
{
	static const struct group_case cases[] = {
	        {"persistentvolumeclaims", BOUND("1Gi"), BOUND("1Gi"), NULL},
	        {"persistentvolumeclaims", "\"status\":{\"capacity\":{\"storage\":\"-1\"}}", CLAIM(""),
	                "status.capacity[storage]: Invalid value: -1: must be a valid resource quantity"},
	        {"persistentvolumeclaims",
	                "\"status\":{\"allocatedResourceStatuses\":{\"storage\":\"Growing\"},\"allocatedResources\":{"
	                "\"cpu\":\"1\"}}",
	                CLAIM(""),
	                "status.allocatedResourceStatus: Unsupported value: \"Growing\": supported values: "
	                "\"ControllerResizeInProgress\", \"ControllerResizeInfeasible\", \"NodeResizeInProgress\", "
	                "\"NodeResizeInfeasible\", \"NodeResizePending\"; status.allocatedResources: Unsupported "
	                "value: "
	                "\"cpu\": supported values: \"storage\""},
	};
	run_group_cases("", cases, COUNT_OF(cases), "status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_claim_says_what_it_wants, release),
	        cmocka_unit_test_teardown(a_claim_stays_but_for_what_binding_and_growing_change, release),
	        cmocka_unit_test_teardown(the_annotation_of_a_class_may_become_the_member, release),
	        cmocka_unit_test_teardown(either_source_fills_the_other, release),
	        cmocka_unit_test_teardown(the_status_of_a_claim_counts_storage, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

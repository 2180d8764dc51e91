/* Classes and attachments: what is wrong is told at upstream's field, in its words. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define CLASS(text) "\"provisioner\":\"a.b/C\"" text
#define TOPOLOGY(text) CLASS(",\"allowedTopologies\":[{\"matchLabelExpressions\":[" text "]}]")
#define AT_TOPOLOGY "allowedTopologies[0].matchLabelExpressions"

static void a_class_names_its_provisioner(void **state)
{
	static const struct group_case cases[] = {
	        {"storageclasses", CLASS(""), NULL, NULL},
	        {"storageclasses",
	                CLASS(",\"reclaimPolicy\":\"Retain\",\"volumeBindingMode\":\"WaitForFirstConsumer\""), NULL,
	                NULL},
	        {"storageclasses", "", NULL, "provisioner: Required value"},
	        {"storageclasses", "\"provisioner\":\"A_/b\"", NULL,
	                "provisioner: Invalid value: \"a_/b\": prefix part must be a lowercase RFC 1123 subdomain"},
	        {"storageclasses", CLASS(",\"reclaimPolicy\":\"Recycle\""), NULL,
	                "reclaimPolicy: Unsupported value: \"Recycle\": supported values: \"Delete\", \"Retain\""},
	        {"storageclasses", CLASS(",\"volumeBindingMode\":\"x\""), NULL,
	                "volumeBindingMode: Unsupported value: \"x\": supported values: \"Immediate\", "
	                "\"WaitForFirstConsumer\""},
	        {"storageclasses", CLASS(",\"parameters\":{\"\":\"x\"}"), NULL,
	                "parameters: Invalid value: \"\": field can not be empty."},
	        {"storageclasses", CLASS(",\"parameters\":{\"a\":\"y\"}"), CLASS(",\"parameters\":{\"a\":\"x\"}"),
	                "parameters: Forbidden: updates to parameters are forbidden."},
	        {"storageclasses", CLASS(",\"volumeBindingMode\":\"WaitForFirstConsumer\""), CLASS(""),
	                "volumeBindingMode: Invalid value: \"WaitForFirstConsumer\": field is immutable"},
	        {"storageclasses", TOPOLOGY("{\"key\":\"zone\",\"values\":[\"a\",\"b\"]}"), NULL, NULL},
	        {"storageclasses", TOPOLOGY("{\"key\":\"zone\",\"values\":[]}"), NULL,
	                AT_TOPOLOGY "[0].values: Required value"},
	        {"storageclasses",
	                TOPOLOGY("{\"key\":\"a\",\"values\":[\"x\",\"x\"]},{\"key\":\"a\",\"values\":[\"x\"]}"), NULL,
	                AT_TOPOLOGY "[0].values[1]: Duplicate value: \"x\"; " AT_TOPOLOGY
	                            "[1].key: Duplicate value: \"a\""},
	};
	RUN_GROUP_CASES("storage.k8s.io", cases);
}

#define ATTACHMENT(source) "\"spec\":{\"attacher\":\"a.b\",\"nodeName\":\"n\",\"source\":{" source "}}"
#define ONE "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
#define NO_SUBDOMAIN \
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must " \
	"start " \
	"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

static void an_attachment_has_one_source(void **state)
{
	static const struct group_case cases[] = {
	        {"volumeattachments", ATTACHMENT("\"persistentVolumeName\":\"v\""), NULL, NULL},
	        {"volumeattachments", ATTACHMENT("\"inlineVolumeSpec\":{}"), NULL, NULL},
	        {"volumeattachments", ATTACHMENT(""), NULL, "spec.source: Required value: " ONE},
	        {"volumeattachments", ATTACHMENT("\"persistentVolumeName\":\"v\",\"inlineVolumeSpec\":{}"), NULL,
	                "spec.source: Forbidden: " ONE},
	        {"volumeattachments", ATTACHMENT("\"persistentVolumeName\":\"V\""), NULL,
	                "spec.source.persistentVolumeName: Invalid value: \"V\": " NO_SUBDOMAIN},
	        {"volumeattachments",
	                "\"spec\":{\"nodeName\":\"N\",\"attacher\":\"A\",\"source\":{\"persistentVolumeName\":\"v\"}}",
	                NULL,
	                "spec.nodeName: Invalid value: \"N\": " NO_SUBDOMAIN
	                "; spec.attacher: Invalid value: \"A\": " NO_SUBDOMAIN},
	        {"volumeattachments", ATTACHMENT("\"persistentVolumeName\":\"v\""),
	                ATTACHMENT("\"persistentVolumeName\":\"w\""),
	                "spec: Invalid value: {\"attacher\":\"a.b\",\"nodeName\":\"n\",\"source\":"
	                "{\"persistentVolumeName\":\"v\"}}: field is immutable"},
	};
	RUN_GROUP_CASES("storage.k8s.io", cases);
}

static void an_error_of_a_volume_is_short(void **state)
{
	char *text = ARENA_ARRAY(&a, char, 1026);
	memset(text, 'x', 1025);
	const char *status = "\"status\":{\"attached\":false,\"attachError\":{\"message\":\"%s\"}}";
	const struct group_case cases[] = {
	        {"volumeattachments", arena_printf(&a, status, text + 1), "", NULL},
	        {"volumeattachments", arena_printf(&a, status, text), "",
	                "status.attachError.message: Too long: may not be more than 262144 bytes"},
	};
	run_group_cases("storage.k8s.io", cases, COUNT_OF(cases), "status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_class_names_its_provisioner, release),
	        cmocka_unit_test_teardown(an_attachment_has_one_source, release),
	        cmocka_unit_test_teardown(an_error_of_a_volume_is_short, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

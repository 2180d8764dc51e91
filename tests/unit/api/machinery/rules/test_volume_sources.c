/* Sources of volumes: what each demands, in upstream's words. */
#include "tests/unit/unit_json.h"

#include "api/machinery/rules/pod/volume_sources.h"
#include "base/check.h"

/* The first error as "field: message"; "" when there is none. */
static const char *first_error(const char *source)
{
	struct field_errors *e = ARENA_NEW(&a, struct field_errors);
	field_errors_init(e, &a);
	validate_volume_source(e, "v", parse(arena_printf(&a, "{\"name\":\"n\",%s}", source)));
	return e->count ? arena_printf(&a, "%s: %s", e->items[0].field, e->items[0].message) : "";
}

struct source_case {
	const char *source, *error;
};

static void run(const struct source_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(first_error(cases[i].source), cases[i].error) != 0)
			fail_msg("%s: %s, want %s", cases[i].source, first_error(cases[i].source), cases[i].error);
}

static void a_volume_has_one_source(void **state)
{
	static const struct source_case cases[] = {
	        {"\"emptyDir\":{}", ""},
	        {"\"emptyDir\":null", "v: Required value: must specify a volume type"},
	        {"\"hostPath\":{\"path\":\"/x\"},\"emptyDir\":{}",
	                "v.hostPath: Forbidden: may not specify more than 1 volume type"},
	        {"\"emptyDir\":{},\"downwardAPI\":{}",
	                "v.downwarAPI: Forbidden: may not specify more than 1 volume type"},
	};
	run(cases, COUNT_OF(cases));
}

static void what_the_node_has_is_checked(void **state)
{
	static const struct source_case cases[] = {
	        {"\"emptyDir\":{\"sizeLimit\":\"-1\"}",
	                "v.emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity"},
	        {"\"hostPath\":{}", "v.hostPath.path: Required value"},
	        {"\"hostPath\":{\"path\":\"/a/../b\"}",
	                "v.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"},
	        {"\"hostPath\":{\"path\":\"/a\",\"type\":\"\"}", ""},
	        {"\"hostPath\":{\"path\":\"/a\",\"type\":\"Pipe\"}",
	                "v.hostPath.type: Unsupported value: \"Pipe\": supported values: \"\", \"BlockDevice\", "
	                "\"CharDevice\", \"Directory\", \"DirectoryOrCreate\", \"File\", \"FileOrCreate\", \"Socket\""},
	        {"\"gitRepo\":{\"repository\":\"r\",\"directory\":\"/x\"}",
	                "v.gitRepo.directory: Invalid value: \"/x\": must be a relative path"},
	        {"\"persistentVolumeClaim\":{}", "v.persistentVolumeClaim.claimName: Required value"},
	        {"\"ephemeral\":{}", "v.ephemeral.volumeClaimTemplate: Required value"},
	        {"\"ephemeral\":{\"volumeClaimTemplate\":{\"spec\":{}}}",
	                "v.ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is "
	                "required"},
	};
	run(cases, COUNT_OF(cases));
}

#define ITEM(text) "\"configMap\":{\"name\":\"c\",\"items\":[{" text "}]}"

static void keys_become_paths_below_the_volume(void **state)
{
	static const struct source_case cases[] = {
	        {"\"secret\":{}", "v.secret.secretName: Required value"},
	        {"\"configMap\":{}", "v.configMap.name: Required value"},
	        {"\"secret\":{\"secretName\":\"s\",\"defaultMode\":512}",
	                "v.secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both "
	                "inclusive"},
	        {ITEM("\"key\":\"k\",\"path\":\"p/q\",\"mode\":511"), ""},
	        {ITEM("\"path\":\"p\""), "v.configMap.items[0].key: Required value"},
	        {ITEM("\"key\":\"k\""), "v.configMap.items[0].path: Required value"},
	        {ITEM("\"key\":\"k\",\"path\":\"/p\""),
	                "v.configMap.items[0].path: Invalid value: \"/p\": must be a relative path"},
	        {ITEM("\"key\":\"k\",\"path\":\"a/../p\""),
	                "v.configMap.items[0].path: Invalid value: \"a/../p\": must not contain '..'"},
	        {ITEM("\"key\":\"k\",\"path\":\"..p\""),
	                "v.configMap.items[0].path: Invalid value: \"..p\": must not start with '..'"},
	};
	run(cases, COUNT_OF(cases));
}

#define DOWN(text) "\"downwardAPI\":{\"items\":[{\"path\":\"p\"," text "}]}"
#define FIELD(path) DOWN("\"fieldRef\":{\"apiVersion\":\"v1\",\"fieldPath\":\"" path "\"}")
#define RESOURCE(text) DOWN("\"resourceFieldRef\":{" text "}")

static void fields_of_the_pod_are_those_that_there_are(void **state)
{
	static const struct source_case cases[] = {
	        {FIELD("metadata.labels['a.b/c']"), ""},
	        {FIELD("metadata.annotations['A.b/c']"), ""},
	        {FIELD("metadata.name['x']"),
	                "v.downwardAPI.fieldRef.fieldPath: Invalid value: \"metadata.name['x']\": error converting "
	                "fieldPath: field label does not support subscript: metadata.name['x']"},
	        {FIELD("spec.x"), "v.downwardAPI.fieldRef.fieldPath: Invalid value: \"spec.x\": error converting "
	                          "fieldPath: field "
	                          "label not supported: spec.x"},
	        {FIELD("status.podIP"),
	                "v.downwardAPI.fieldRef.fieldPath: Unsupported value: \"status.podIP\": supported values: "
	                "\"metadata.annotations\", \"metadata.labels\", \"metadata.name\", \"metadata.namespace\", "
	                "\"metadata.uid\""},
	        {DOWN("\"mode\":1"), "v.downwardAPI: Required value: one of fieldRef and resourceFieldRef is required"},
	        {RESOURCE("\"resource\":\"limits.cpu\""),
	                "v.downwardAPI.resourceFieldRef.containerName: Required value"},
	        {RESOURCE("\"containerName\":\"c\",\"resource\":\"limits.hugepages-2Mi\""), ""},
	        {RESOURCE("\"containerName\":\"c\",\"resource\":\"limits.cpu\",\"divisor\":\"2m\""),
	                "v.downwardAPI.resourceFieldRef.divisor: Invalid value: \"limits.cpu\": only divisor's values "
	                "1m and 1 are supported with the cpu resource"},
	        {RESOURCE("\"containerName\":\"c\",\"resource\":\"limits.memory\",\"divisor\":\"1Mi\""), ""},
	};
	run(cases, COUNT_OF(cases));
}

#define PROJECTED(sources) "\"projected\":{\"sources\":[" sources "]}"
#define TOKEN(text) PROJECTED("{\"serviceAccountToken\":{" text "}}")
#define ONE_ITEM "\"items\":[{\"key\":\"k\",\"path\":\"p\"}]"

static void projected_sources_write_each_file_once(void **state)
{
	static const struct source_case cases[] = {
	        {PROJECTED("{\"secret\":{\"name\":\"s\"}},{\"configMap\":{\"name\":\"c\"}}"), ""},
	        {PROJECTED("{\"secret\":{\"name\":\"s\"},\"configMap\":{\"name\":\"c\"}}"),
	                "v.projected.sources[0]: Forbidden: may not specify more than 1 volume type per source"},
	        {PROJECTED("{\"secret\":{}}"), "v.projected.sources[0].secret.name: Required value"},
	        {PROJECTED("{\"secret\":{\"name\":\"s\"," ONE_ITEM "}},{\"configMap\":{\"name\":\"c\"," ONE_ITEM "}}"),
	                "v.projected: Invalid value: \"c\": conflicting duplicate paths"},
	        {TOKEN("\"path\":\"t\""), ""},
	        {TOKEN("\"path\":\"t\",\"expirationSeconds\":599"),
	                "v.projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 599: may not "
	                "specify a duration less than 10 minutes"},
	        {TOKEN("\"path\":\"t\",\"expirationSeconds\":4294967297"),
	                "v.projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 4294967297: may "
	                "not specify a duration larger than 2^32 seconds"},
	        {TOKEN("\"audience\":\"a\""), "v.projected.path: Required value"},
	        {PROJECTED("{\"clusterTrustBundle\":{\"path\":\"p\"}}"),
	                "v.projected.sources[0].clusterTrustBundle: Required value: either name or signerName must be "
	                "specified"},
	};
	run(cases, COUNT_OF(cases));
}

#define ISCSI(rest) "\"iscsi\":{\"targetPortal\":\"1.2.3.4\",\"lun\":0," rest "}"

static void what_comes_over_the_network_is_named_whole(void **state)
{
	static const struct source_case cases[] = {
	        {"\"nfs\":{\"server\":\"s\",\"path\":\"/p\"}", ""},
	        {"\"nfs\":{\"path\":\"/p\"}", "v.nfs.server: Required value"},
	        {"\"nfs\":{\"server\":\"s\",\"path\":\"p\"}",
	                "v.nfs.path: Invalid value: \"p\": must be an absolute path"},
	        {ISCSI("\"iqn\":\"iqn.2001-04.com.example:storage.disk1\""), ""},
	        {ISCSI("\"iqn\":\"eui.0123456789abcdef\""), ""},
	        {ISCSI("\"iqn\":\"iqn.2001-04.com.example\""),
	                "v.iscsi.iqn: Invalid value: \"iqn.2001-04.com.example\": must be valid format"},
	        {ISCSI("\"iqn\":\"x\""),
	                "v.iscsi.iqn: Invalid value: \"x\": must be valid format starting with iqn, eui, or naa"},
	        {ISCSI("\"iqn\":\"eui.0123456789abcdef\",\"chapAuthSession\":true"),
	                "v.iscsi.secretRef: Required value"},
	        {"\"fc\":{}", "v.fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both"},
	        {"\"fc\":{\"targetWWNs\":[\"w\"]}",
	                "v.fc.lun: Required value: lun is required if targetWWNs is specified"},
	        {"\"gcePersistentDisk\":{}", "v.persistentDisk.pdName: Required value"},
	        {"\"cephfs\":{}", "v.cephfs.monitors: Required value"},
	        {"\"azureDisk\":{\"diskName\":\"d\",\"diskURI\":\"x\",\"kind\":\"Tape\"}",
	                "v.azureDisk.kind: Unsupported value: \"Tape\": supported values: \"Dedicated\", \"Managed\", "
	                "\"Shared\""},
	        {"\"flexVolume\":{\"driver\":\"d\",\"options\":{\"k8s.io/x\":\"y\"}}",
	                "v.flexVolume.options[k8s.io/x]: Invalid value: \"k8s.io/x\": kubernetes.io and k8s.io "
	                "namespaces are reserved"},
	        {"\"csi\":{\"driver\":\"Disk.example.com\"}", ""},
	        {"\"csi\":{}", "v.csi.driver: Required value"},
	        {"\"csi\":{\"driver\":\"d\",\"nodePublishSecretRef\":{}}",
	                "v.csi.nodePublishSecretRef.name: Required value"},
	        {"\"image\":{\"reference\":\"i\",\"pullPolicy\":\"Often\"}",
	                "v.image.pullPolicy: Unsupported value: \"Often\": supported values: \"Always\", "
	                "\"IfNotPresent\", \"Never\""},
	};
	run(cases, COUNT_OF(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_volume_has_one_source, release),
	        cmocka_unit_test_teardown(what_the_node_has_is_checked, release),
	        cmocka_unit_test_teardown(keys_become_paths_below_the_volume, release),
	        cmocka_unit_test_teardown(fields_of_the_pod_are_those_that_there_are, release),
	        cmocka_unit_test_teardown(projected_sources_write_each_file_once, release),
	        cmocka_unit_test_teardown(what_comes_over_the_network_is_named_whole, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

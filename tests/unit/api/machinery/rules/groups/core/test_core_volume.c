/* PersistentVolumes: one source, whole, which stays. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define COMMON "\"accessModes\":[\"ReadWriteOnce\"],\"capacity\":{\"storage\":\"1Gi\"}"
#define SPEC(text) "\"spec\":{" text "}"
#define VOLUME(text) SPEC(COMMON "," text)
#define PATH "\"hostPath\":{\"path\":\"/a\"}"
#define TERMS(key) \
	"\"nodeAffinity\":{\"required\":{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"" key \
	"\",\"operator\":\"In\",\"values\":[\"z\"]}]}]}}"
#define CSI(text) "\"csi\":{\"driver\":\"a.b\",\"volumeHandle\":\"h\"" text "}"
#define CLASS(text) CSI("") ",\"volumeAttributesClassName\":" text

#define NO_LABEL \
	"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and " \
	"end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

static void a_volume_has_modes_and_a_size(void **state)
{
	static const struct group_case cases[] = {
	        {"persistentvolumes", VOLUME(PATH), NULL, NULL},
	        {"persistentvolumes", SPEC(PATH), NULL,
	                "spec.accessModes: Required value; spec.capacity: Required value; spec.capacity: Unsupported "
	                "value: "
	                "core.ResourceList(nil): supported values: \"storage\""},
	        {"persistentvolumes",
	                SPEC("\"accessModes\":[\"ReadWriteOncePod\",\"ReadWriteOnce\"],\"capacity\":{\"storage\":\"0\"}"
	                     "," PATH),
	                NULL,
	                "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes; "
	                "spec.capacity[storage]: Invalid value: \"0\": must be greater than zero"},
	        {"persistentvolumes",
	                SPEC("\"accessModes\":[\"Write\"],\"capacity\":{\"storage\":\"1\",\"cpu\":\"1\"}," PATH), NULL,
	                "spec.accessModes: Unsupported value: \"Write\": supported values: \"ReadOnlyMany\", "
	                "\"ReadWriteMany\", \"ReadWriteOnce\", \"ReadWriteOncePod\"; spec.capacity: Unsupported value: "
	                "core.ResourceList{...}: supported values: \"storage\""},
	        {"persistentvolumes", VOLUME(PATH ",\"persistentVolumeReclaimPolicy\":\"Burn\""), NULL,
	                "spec.persistentVolumeReclaimPolicy: Unsupported value: \"Burn\": supported values: "
	                "\"Delete\", "
	                "\"Recycle\", \"Retain\""},
	        {"persistentvolumes",
	                VOLUME("\"hostPath\":{\"path\":\"//./\"},\"persistentVolumeReclaimPolicy\":\"Recycle\""), NULL,
	                "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of "
	                "'/'"},
	        {"persistentvolumes", VOLUME(PATH ",\"volumeMode\":\"Tape\""), NULL,
	                "spec.volumeMode: Unsupported value: \"Tape\": supported values: \"Block\", \"Filesystem\""},
	        {"persistentvolumes", VOLUME(CLASS("\"gold\"")), NULL, NULL},
	        {"persistentvolumes", VOLUME(PATH ",\"volumeAttributesClassName\":\"gold\""), NULL,
	                "spec.csi: Required value: has to be specified when using volumeAttributesClassName"},
	        {"persistentvolumes", VOLUME(CLASS("\"\"")), NULL,
	                "spec.volumeAttributesClassName: Required value: an empty string is disallowed"},
	};
	RUN_GROUP_CASES("", cases);
}

static void a_volume_has_one_source(void **state)
{
	static const struct group_case cases[] = {
	        {"persistentvolumes", SPEC(COMMON), NULL, "spec: Required value: must specify a volume type"},
	        {"persistentvolumes", VOLUME(PATH ",\"nfs\":{\"server\":\"s\",\"path\":\"/\"}"), NULL,
	                "spec.nfs: Forbidden: may not specify more than 1 volume type"},
	        {"persistentvolumes", VOLUME(PATH ",\"cephfs\":{\"monitors\":[\"m\"]}"), NULL,
	                "spec.cephFS: Forbidden: may not specify more than 1 volume type"},
	        {"persistentvolumes", VOLUME(PATH ",\"flexVolume\":{\"driver\":\"d\"}"), NULL, NULL},
	        {"persistentvolumes", VOLUME("\"hostPath\":{\"path\":\"/a/..\"}"), NULL,
	                "spec.hostPath.path: Invalid value: \"/a/..\": must not contain '..'"},
	        {"persistentvolumes", VOLUME("\"nfs\":{\"server\":\"s\",\"path\":\"a\"}"), NULL,
	                "spec.nfs.path: Invalid value: \"a\": must be an absolute path"},
	        {"persistentvolumes", VOLUME("\"gcePersistentDisk\":{}"), NULL,
	                "spec.persistentDisk.pdName: Required value"},
	        {"persistentvolumes", VOLUME("\"local\":{\"path\":\"/a\"}," TERMS("a")), NULL, NULL},
	        {"persistentvolumes", VOLUME("\"local\":{}"), NULL,
	                "spec.local.path: Required value; spec.nodeAffinity: Required value: Local volume requires "
	                "node "
	                "affinity"},
	        {"persistentvolumes",
	                VOLUME("\"glusterfs\":{\"endpoints\":\"e\",\"path\":\"p\",\"endpointsNamespace\":\"A\"}"), NULL,
	                "spec.glusterfs.endpointsNamespace: Invalid value: \"A\": " NO_LABEL},
	        {"persistentvolumes", VOLUME("\"cinder\":{\"volumeID\":\"v\",\"secretRef\":{\"name\":\"s\"}}"), NULL,
	                "spec.cinder.secretRef.namespace: Required value"},
	        {"persistentvolumes", VOLUME("\"storageos\":{\"volumeName\":\"v\",\"secretRef\":{\"name\":\"s\"}}"),
	                NULL, "spec.storageos.secretRef.namespace: Required value"},
	        {"persistentvolumes",
	                VOLUME("\"azureFile\":{\"secretName\":\"s\",\"shareName\":\"s\",\"secretNamespace\":\"\"}"),
	                NULL, "spec.azureFile.secretNamespace: Required value"},
	        {"persistentvolumes",
	                VOLUME("\"iscsi\":{\"targetPortal\":\"p\",\"iqn\":\"iqn.2001-04.com.a:b\",\"lun\":0,"
	                       "\"secretRef\":{}}"),
	                NULL, "spec.iscsi.secretRef.name: Required value"},
	        {"persistentvolumes", VOLUME(CSI(",\"nodePublishSecretRef\":{\"name\":\"s\",\"namespace\":\"d\"}")),
	                NULL, NULL},
	        {"persistentvolumes", VOLUME("\"csi\":{\"nodePublishSecretRef\":{\"name\":\"s\"}}"), NULL,
	                "spec.csi.driver: Required value; spec.csi.driver: Invalid value: \"\": a lowercase RFC 1123 "
	                "subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
	                "end "
	                "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
	                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'); spec.csi.volumeHandle: "
	                "Required value; spec.csi.nodePublishSecretRef.namespace: Required value"},
	        {"persistentvolumes", VOLUME(PATH ",\"nodeAffinity\":{}"), NULL,
	                "spec.nodeAffinity.required: Required value: must specify required node constraints"},
	        {"persistentvolumes",
	                VOLUME(PATH ",\"nodeAffinity\":{\"required\":{\"nodeSelectorTerms\":[{\"matchExpressions\":[{"
	                            "\"key\":\"a\",\"operator\":\"Near\"}]}]}}"),
	                NULL,
	                "spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].operator: Invalid value: "
	                "\"Near\": not a valid selector operator"},
	};
	RUN_GROUP_CASES("", cases);
}

static void a_volume_stays_what_it_is(void **state)
{
	static const char beta[] = VOLUME(PATH "," TERMS("failure-domain.beta.kubernetes.io/zone"));
	static const struct group_case cases[] = {
	        {"persistentvolumes", VOLUME("\"hostPath\":{\"path\":\"/b\"}"), VOLUME(PATH),
	                "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after "
	                "creation"},
	        {"persistentvolumes",
	                SPEC("\"accessModes\":[\"ReadWriteMany\"],\"capacity\":{\"storage\":\"2Gi\"},"
	                     "\"persistentVolumeReclaimPolicy\":\"Delete\"," PATH),
	                VOLUME(PATH), NULL},
	        {"persistentvolumes", VOLUME(PATH ",\"volumeMode\":\"Block\""), VOLUME(PATH),
	                "volumeMode: Invalid value: \"Block\": field is immutable"},
	        {"persistentvolumes",
	                VOLUME(CSI(",\"controllerExpandSecretRef\":{\"name\":\"s\",\"namespace\":\"d\"}")),
	                VOLUME(CSI("")), NULL},
	        {"persistentvolumes", VOLUME(CSI("")),
	                VOLUME(CSI(",\"controllerExpandSecretRef\":{\"name\":\"s\",\"namespace\":\"d\"}")),
	                "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after "
	                "creation"},
	        {"persistentvolumes", VOLUME(PATH "," TERMS("a")), VOLUME(PATH), NULL},
	        {"persistentvolumes", VOLUME(PATH "," TERMS("topology.kubernetes.io/zone")), beta, NULL},
	        {"persistentvolumes", VOLUME(PATH "," TERMS("kubernetes.io/os")), beta,
	                "nodeAffinity: Invalid value: core.VolumeNodeAffinity{...}: field is immutable, except for "
	                "updating "
	                "from beta label to GA"},
	        {"persistentvolumes", VOLUME(PATH), beta,
	                "nodeAffinity: Invalid value: \"null\": field is immutable, except for updating from beta "
	                "label to "
	                "GA"},
	        {"persistentvolumes", VOLUME(CSI("")), VOLUME(CLASS("\"gold\"")),
	                "spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden"},
	};
	RUN_GROUP_CASES("", cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_volume_has_modes_and_a_size, release),
	        cmocka_unit_test_teardown(a_volume_has_one_source, release),
	        cmocka_unit_test_teardown(a_volume_stays_what_it_is, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

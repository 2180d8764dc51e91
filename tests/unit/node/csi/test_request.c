/* What drivers are asked: node/csi/request.c. */
#include "tests/unit/unit.h"

#include "node/csi/request_int.h"

static struct arena a;

static int release(void **state)
{
	arena_release(&a);
	return 0;
}

static struct csi_facts facts(const char *pv_spec, const char *kind, const char *pod)
{
	struct json *spec = json_literal(&a, pv_spec);
	return (struct csi_facts){.driver = "d",
	        .handle = "h",
	        .source = json_get(spec, "csi"),
	        .pv_spec = spec,
	        .kind = kind ? json_literal(&a, kind) : NULL,
	        .pod = json_literal(&a, pod),
	        .staging_path = "/staging",
	        .publish_path = "/publish"};
}

#define GROUP_POD "{\"spec\":{\"securityContext\":{\"fsGroup\":7}}}"
#define DISK "{\"accessModes\":[\"ReadWriteOnce\"],\"csi\":{\"fsType\":\"ext4\"}}"

static const char *value_of(CSI(Entry) * *list, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i]->key, key) == 0)
			return list[i]->value;
	return NULL;
}

static void a_driver_without_an_object_has_the_defaults(void **state)
{
	assert_true(csi_kind_attaches(NULL));
	assert_false(csi_kind_republishes(NULL));
	assert_true(csi_kind_has_mode(NULL, "Persistent"));
	assert_false(csi_kind_has_mode(NULL, "Ephemeral"));
	assert_true(csi_kind_has_mode(json_literal(&a, "{\"volumeLifecycleModes\":[\"Ephemeral\"]}"), "Ephemeral"));
	assert_false(csi_kind_has_mode(json_literal(&a, "{\"volumeLifecycleModes\":[\"Ephemeral\"]}"), "Persistent"));
}

static void access_modes_become_the_drivers(void **state)
{
	static const struct {
		const char *mode;
		int plain, told_apart;
	} rows[] = {{"[\"ReadWriteOnce\"]", 1, 7}, {"[\"ReadOnlyMany\"]", 3, 3}, {"[\"ReadWriteMany\"]", 5, 5},
	        {"[\"ReadWriteOncePod\"]", 1, 6}, {"[]", 1, 7}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json *modes = json_literal(&a, rows[i].mode);
		assert_int_equal(csi_access_mode(modes, 0), rows[i].plain);
		assert_int_equal(csi_access_mode(modes, CSI_SINGLE_NODE_MULTI_WRITER), rows[i].told_apart);
	}
}

static void a_group_is_given_as_the_policy_says(void **state)
{
	struct csi_facts f = facts(DISK, NULL, GROUP_POD);
	assert_int_equal(csi_group_to_give(&f), 7);
	f.is_read_only = true;
	assert_int_equal(csi_group_to_give(&f), -1);
	f.is_read_only = false;
	f.capabilities = CSI_MOUNTS_GROUP; /* the driver's work */
	assert_int_equal(csi_group_to_give(&f), -1);
	assert_string_equal(csi_stage_request(&a, &f)->volume_capability->mount->volume_mount_group, "7");
	f = facts(DISK, "{\"fsGroupPolicy\":\"None\"}", GROUP_POD);
	assert_int_equal(csi_group_to_give(&f), -1);
	f = facts("{\"accessModes\":[\"ReadWriteMany\"],\"csi\":{\"fsType\":\"nfs\"}}", NULL, GROUP_POD);
	assert_int_equal(csi_group_to_give(&f), -1);
	f = facts("{\"accessModes\":[\"ReadWriteMany\"],\"csi\":{}}", "{\"fsGroupPolicy\":\"File\"}", GROUP_POD);
	assert_int_equal(csi_group_to_give(&f), 7);
	f = facts("{\"accessModes\":[\"ReadWriteOnce\"],\"csi\":{}}", NULL, GROUP_POD); /* no type of file system */
	assert_int_equal(csi_group_to_give(&f), -1);
	f = facts(DISK, NULL, "{}");
	assert_int_equal(csi_group_to_give(&f), -1);
}

static void staging_has_secrets_options_and_what_the_attacher_said(void **state)
{
	struct csi_facts f =
	        facts("{\"mountOptions\":[\"ro\",\"noatime\"],\"csi\":{\"volumeAttributes\":{\"k\":\"v\"}}}",
	                "{\"podInfoOnMount\":true}", "{}");
	f.stage_secret = json_literal(&a, "{\"data\":{\"user\":\"bWU=\"}}");
	f.publish_context = json_literal(&a, "{\"disk\":\"sdx\"}");
	CSI(NodeStageVolumeRequest) *q = csi_stage_request(&a, &f);
	assert_string_equal(q->volume_id, "h");
	assert_string_equal(q->staging_target_path, "/staging");
	assert_string_equal(value_of(q->secrets, q->n_secrets, "user"), "me");
	assert_string_equal(value_of(q->publish_context, q->n_publish_context, "disk"), "sdx");
	assert_int_equal(q->n_volume_context, 1); /* no pod */
	assert_int_equal(q->volume_capability->mount->n_mount_flags, 2);
	assert_string_equal(q->volume_capability->mount->mount_flags[1], "noatime");
}

static void publishing_tells_of_the_pod_when_the_driver_wants_it(void **state)
{
	const char *pod =
	        "{\"metadata\":{\"name\":\"p\",\"namespace\":\"ns\",\"uid\":\"u\"},\"spec\":{\"serviceAccountName\":"
	        "\"sa\"}}";
	struct csi_facts f = facts(DISK, NULL, pod);
	f.capabilities = CSI_STAGES;
	f.is_read_only = true;
	CSI(NodePublishVolumeRequest) *q = csi_publish_request(&a, &f);
	assert_int_equal(q->n_volume_context, 0);
	assert_true(q->readonly);
	assert_string_equal(q->target_path, "/publish");
	assert_string_equal(q->staging_target_path, "/staging");
	f = facts(DISK, "{\"podInfoOnMount\":true}", pod);
	f.tokens = "{}";
	q = csi_publish_request(&a, &f);
	assert_string_equal(q->staging_target_path, ""); /* it stages nothing */
	assert_string_equal(value_of(q->volume_context, q->n_volume_context, "csi.storage.k8s.io/pod.name"), "p");
	assert_string_equal(value_of(q->volume_context, q->n_volume_context, "csi.storage.k8s.io/ephemeral"), "false");
	assert_string_equal(
	        value_of(q->volume_context, q->n_volume_context, "csi.storage.k8s.io/serviceAccount.tokens"), "{}");
	f.pv_spec = NULL;
	f.capabilities = CSI_STAGES;
	q = csi_publish_request(&a, &f);
	assert_string_equal(q->staging_target_path, ""); /* inline */
	assert_string_equal(value_of(q->volume_context, q->n_volume_context, "csi.storage.k8s.io/ephemeral"), "true");
}

static void a_block_device_has_no_file_system(void **state)
{
	struct csi_facts f = facts(DISK, NULL, GROUP_POD);
	f.is_block = true;
	assert_int_equal(csi_publish_request(&a, &f)->volume_capability->access_type_case,
	        CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK);
	assert_int_equal(csi_group_to_give(&f), -1);
}

static void growth_says_how_large(void **state)
{
	struct csi_facts f = facts(DISK, NULL, "{}");
	f.capabilities = CSI_STAGES | CSI_EXPANDS;
	CSI(NodeExpandVolumeRequest) *q = csi_expand_request(&a, &f, 4096);
	assert_int_equal(q->capacity_range->required_bytes, 4096);
	assert_string_equal(q->volume_path, "/publish");
	assert_string_equal(q->staging_target_path, "/staging");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_driver_without_an_object_has_the_defaults),
	        cmocka_unit_test(access_modes_become_the_drivers),
	        cmocka_unit_test(a_group_is_given_as_the_policy_says),
	        cmocka_unit_test(staging_has_secrets_options_and_what_the_attacher_said),
	        cmocka_unit_test(publishing_tells_of_the_pod_when_the_driver_wants_it),
	        cmocka_unit_test(a_block_device_has_no_file_system),
	        cmocka_unit_test(growth_says_how_large),
	};
	return cmocka_run_group_tests(tests, NULL, release);
}

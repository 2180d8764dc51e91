/* Settings of snapshots: what is wrong is named by its flag, and what is told to a server comes out as it went in. */
#include "tools/snapshots/settings_json.h"

#include "tests/unit/unit.h"

static struct err err;

static struct snapshot_settings good(void)
{
	struct snapshot_settings v;
	snapshot_settings_init(&v);
	v.s3.is_on = true;
	v.s3.bucket = "b";
	v.s3.access_key = "k";
	v.s3.secret_key = "s";
	return v;
}

#define REFUSED(member, value, flag) \
	do { \
		struct snapshot_settings w = good(); \
		w.member = value; \
		err = ERR_INIT; \
		assert_int_equal(snapshot_settings_check(&w, &err), ERR_INVAL); \
		if (!strstr(err.msg, flag)) \
			fail_msg("%s: %s", flag, err.msg); \
	} while (0)

static void what_is_wrong_is_named(void **state)
{
	struct snapshot_settings v = good();
	assert_int_equal(snapshot_settings_check(&v, &err), 0);
	assert_null(v.s3.timeout); /* a Secret may say it */
	assert_int_equal(s3_settings_complete(&v.s3, &err), 0);
	assert_int_equal(v.s3.timeout_ms, 300000);
	REFUSED(cron_text, "* *", "--etcd-snapshot-schedule-cron");
	REFUSED(name, "a/b", "--etcd-snapshot-name");
	REFUSED(name, "", "--etcd-snapshot-name");
	REFUSED(retention, -1, "--etcd-snapshot-retention");
	REFUSED(dir, "here", "--etcd-snapshot-dir");
	REFUSED(s3.timeout, "5", "--etcd-s3-timeout");
	REFUSED(s3.retention, -1, "--etcd-s3-retention");
	REFUSED(s3.lookup, "guess", "--etcd-s3-bucket-lookup-type");
	REFUSED(s3.endpoint, "https://s3", "--etcd-s3-endpoint");
	REFUSED(s3.folder, "../up", "--etcd-s3-folder");
	REFUSED(s3.bucket, NULL, "--etcd-s3-bucket");
	REFUSED(s3.config_secret, "../x", "--etcd-s3-config-secret");
	REFUSED(s3.secret_key, NULL, "--etcd-s3-secret-key");
	REFUSED(s3.endpoint_ca, "/nonexistent", "--etcd-s3-endpoint-ca");
}

static void what_is_told_comes_out_as_it_went_in(void **state)
{
	struct arena a = ARENA_INIT;
	struct snapshot_settings v = good(), back;
	json_auto_t *told = json_object();
	v.name = "mine";
	v.dir = "/d";
	v.retention = 7;
	v.is_packed = v.s3.is_insecure = true;
	v.s3.folder = "f";
	snapshot_settings_write(&v, told);
	snapshot_settings_init(&back);
	snapshot_settings_read(&back, told, &a);
	assert_string_equal(back.name, "mine");
	assert_string_equal(back.dir, "/d");
	assert_int_equal(back.retention, 7);
	assert_true(back.is_packed && back.s3.is_on && back.s3.is_insecure && !back.s3.skip_ssl_verify);
	assert_string_equal(back.s3.secret_key, "s");
	assert_string_equal(back.s3.folder, "f");
	arena_release(&a);
}

static void of_a_store_that_is_not_wanted_nothing_is_told(void **state)
{
	struct snapshot_settings v = good();
	json_auto_t *told = json_object();
	v.s3.is_on = false;
	snapshot_settings_write(&v, told);
	assert_null(json_object_get(told, "s3SecretKey"));
	assert_null(json_object_get(told, "s3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_wrong_is_named),
	        cmocka_unit_test(what_is_told_comes_out_as_it_went_in),
	        cmocka_unit_test(of_a_store_that_is_not_wanted_nothing_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

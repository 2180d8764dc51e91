/* Where the S3 store is, of flags and a Secret: what flags say counts, the Secret says the rest, then the defaults. */
#include "tools/snapshots/s3_secret.h"

#include "base/base64.h"
#include "tests/unit/unit.h"

static struct err err;
static const char *asked[4];
static size_t n_asked;
static const char *secret, *map;

static int get(void *arg, const char *path, struct strbuf *answer, struct err *e)
{
	asked[n_asked++] = path;
	const char *text = strstr(path, "/configmaps/") ? map : secret;
	if (!text)
		return err_set(e, ERR_NOT_FOUND, "not found");
	strbuf_adds(answer, text);
	return 0;
}

static const struct s3_secret_source source = {get, NULL};

static const char *data(struct arena *a, const char *const (*pairs)[2], size_t n)
{
	const char *text = "";
	for (size_t i = 0; i < n; i++) {
		struct slice coded = base64_encode(a, slice_of(pairs[i][1]));
		text = arena_printf(a, "%s%s\"%s\":\"%.*s\"", text, i ? "," : "", pairs[i][0], SLICE_FMT(coded));
	}
	return arena_printf(a, "{\"data\":{%s}}", text);
}

static int reset(void **state)
{
	err = ERR_INIT;
	n_asked = 0;
	secret = map = NULL;
	return 0;
}

static void flags_count_and_the_secret_says_the_rest(void **state)
{
	struct arena a = ARENA_INIT;
	struct s3_settings from = {.is_on = true, .config_secret = "where", .bucket = "by-flag"}, to;
	static const char *const pairs[][2] = {{"etcd-s3-bucket", "by-secret"}, {"etcd-s3-access-key", "k"},
	        {"etcd-s3-secret-key", "s"}, {"etcd-s3-endpoint", "s3.example:9000"}, {"etcd-s3-insecure", "true"},
	        {"etcd-s3-skip-ssl-verify", "false"}, {"etcd-s3-endpoint-ca", "PEM1\n"},
	        {"etcd-s3-endpoint-ca-name", "cas"}, {"unknown", "x"}};
	secret = data(&a, pairs, sizeof pairs / sizeof *pairs);
	map = "{\"data\":{\"one\":\"PEM2\"}}";
	assert_int_equal(s3_settings_resolve(&from, &source, &a, &to, &err), 0);
	assert_string_equal(asked[0], "/api/v1/namespaces/kube-system/secrets/where");
	assert_string_equal(asked[1], "/api/v1/namespaces/kube-system/configmaps/cas");
	assert_string_equal(to.bucket, "by-flag");
	assert_string_equal(to.access_key, "k");
	assert_string_equal(to.endpoint, "s3.example:9000");
	assert_string_equal(to.region, "us-east-1");
	assert_string_equal(to.endpoint_ca_pem, "PEM1\nPEM2\n");
	assert_true(to.is_insecure && !to.skip_ssl_verify);
	assert_int_equal(to.timeout_ms, 300000);
	assert_null(from.endpoint); /* and it is asked again the next time */
	arena_release(&a);
}

static void nobody_is_asked_without_a_secret_or_a_store(void **state)
{
	struct arena a = ARENA_INIT;
	struct s3_settings from = {.config_secret = "where"}, to;
	assert_int_equal(s3_settings_resolve(&from, &source, &a, &to, &err), 0);
	from = (struct s3_settings){.is_on = true, .bucket = "b", .access_key = "k", .secret_key = "s"};
	assert_int_equal(s3_settings_resolve(&from, &source, &a, &to, &err), 0);
	assert_string_equal(to.endpoint, "s3.amazonaws.com");
	assert_int_equal(n_asked, 0);
	arena_release(&a);
}

static void what_is_wrong_with_it_is_told(void **state)
{
	struct arena a = ARENA_INIT;
	struct s3_settings from = {.is_on = true, .config_secret = "where"}, to;
	static const char *const few[][2] = {{"etcd-s3-bucket", "b"}};
	assert_int_equal(s3_settings_resolve(&from, &source, &a, &to, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "kube-system/where"));
	const struct {
		const char *text, *told;
	} rows[] = {{"{", "kube-system/where"}, {"{}", "--etcd-s3-bucket"}, {data(&a, few, 1), "--etcd-s3-access-key"},
	        {"{\"data\":{\"etcd-s3-bucket\":\"*\"}}", "etcd-s3-bucket is no text"},
	        {"{\"data\":{\"etcd-s3-bucket\":\"AA==\"}}", "etcd-s3-bucket is no text"},
	        {"{\"data\":{\"etcd-s3-endpoint-ca-name\":\"Li4veA==\"}}", "is not the name of an object"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		secret = rows[i].text;
		err = ERR_INIT;
		n_asked = 0;
		assert_int_not_equal(s3_settings_resolve(&from, &source, &a, &to, &err), 0);
		if (!strstr(err.msg, rows[i].told) || !strstr(err.msg, "kube-system/where"))
			fail_msg("%s: %s", rows[i].text, err.msg);
	}
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(flags_count_and_the_secret_says_the_rest, reset),
	        cmocka_unit_test_setup(nobody_is_asked_without_a_secret_or_a_store, reset),
	        cmocka_unit_test_setup(what_is_wrong_with_it_is_told, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

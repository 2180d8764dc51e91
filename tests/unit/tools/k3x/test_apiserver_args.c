/* Arguments of kube-apiserver: what is taken, and how what is not is refused. */
#include "base/check.h"
#include "tools/k3x/arguments/apiserver_args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena arena;
static struct api_arguments args;
static struct err err;

static int load(const char **items, size_t n)
{
	struct flag_list given = {items, n};
	err = ERR_INIT;
	args = (struct api_arguments){0};
	return apiserver_args_load(&given, &arena, &args, &err);
}

#define LOAD(...) load((const char *[]){__VA_ARGS__}, COUNT_OF(((const char *[]){__VA_ARGS__})))

static void a_name_may_have_dashes_before_it(void **state)
{
	assert_int_equal(LOAD("tls-min-version=VersionTLS13"), 0);
	assert_string_equal(args.tls_min_version, "VersionTLS13");
	assert_int_equal(LOAD("--tls-min-version=VersionTLS12"), 0);
	assert_string_equal(args.tls_min_version, "VersionTLS12");
}

static void the_last_of_a_repeated_argument_holds(void **state)
{
	assert_int_equal(LOAD("tls-min-version=VersionTLS13", "tls-min-version=VersionTLS12"), 0);
	assert_string_equal(args.tls_min_version, "VersionTLS12");
}

static void an_unknown_name_is_refused_with_the_nearest_known_one(void **state)
{
	assert_int_equal(LOAD("tls-min-versoin=VersionTLS13"), ERR_INVAL);
	assert_non_null(strstr(err.msg, "\"tls-min-versoin\""));
	assert_non_null(strstr(err.msg, "did you mean \"tls-min-version\"?"));
	assert_int_equal(LOAD("warp-drive=on"), ERR_INVAL);
	assert_null(strstr(err.msg, "did you mean"));
	assert_int_equal(LOAD(""), ERR_INVAL);
}

static void a_fixed_argument_takes_its_one_value(void **state)
{
	assert_int_equal(LOAD("anonymous-auth=false", "--allow-privileged=true", "service-account-lookup"), 0);
	assert_int_equal(LOAD("anonymous-auth=true"), ERR_UNIMPLEMENTED);
	assert_non_null(strstr(err.msg, "anonymous-auth can only be \"false\""));
	assert_int_equal(LOAD("profiling"), ERR_UNIMPLEMENTED);
}

static void what_a_flag_of_ours_says_is_refused_with_its_name(void **state)
{
	assert_int_equal(LOAD("secure-port=6444"), ERR_UNIMPLEMENTED);
	assert_non_null(strstr(err.msg, "--https-listen-port"));
	assert_int_equal(LOAD("feature-gates=MutatingAdmissionPolicy=true"), ERR_UNIMPLEMENTED);
	assert_non_null(strstr(err.msg, "MutatingAdmissionPolicy cannot be chosen"));
	assert_int_equal(LOAD("feature-gates=InPlacePodVerticalScaling=maybe"), ERR_INVAL);
	assert_int_equal(LOAD("feature-gates=InPlacePodVerticalScaling=true"), 0);
	assert_true(args.has_pod_resize);
}

static void a_value_is_of_its_type(void **state)
{
	assert_int_equal(LOAD("default-not-ready-toleration-seconds=60", "authentication-token-webhook-cache-ttl=1m30s",
	                         "service-account-extend-token-expiration=false", "oidc-signing-algs=RS256, ES256",
	                         "oidc-signing-algs=PS256"),
	        0);
	assert_int_equal(args.admission.not_ready_toleration_s, 60);
	assert_int_equal(args.admission.unreachable_toleration_s, 300);
	assert_int_equal(args.token_webhook.cache_ttl_ms, 90000);
	assert_false(args.service_accounts.extend_expiration);
	assert_int_equal(args.oidc.signing_algs.count, 3);
	assert_string_equal(args.oidc.signing_algs.items[1], "ES256");
	assert_int_equal(LOAD("default-not-ready-toleration-seconds=soon"), ERR_INVAL);
	assert_int_equal(LOAD("authentication-token-webhook-cache-ttl=90"), ERR_INVAL);
	assert_int_equal(LOAD("service-account-extend-token-expiration=maybe"), ERR_INVAL);
}

static void that_one_of_a_family_was_given_is_known(void **state)
{
	assert_int_equal(LOAD("authentication-config=/a", "authorization-config=/b"), 0);
	assert_string_equal(args.authentication_config, "/a");
	assert_string_equal(args.authorization.config_file, "/b");
	assert_true(!args.oidc_is_set && !args.authorization.webhook_is_set);
	assert_int_equal(LOAD("oidc-username-claim=x", "authorization-webhook-version=v1"), 0);
	assert_true(args.oidc_is_set && args.authorization.webhook_is_set);
}

static void a_value_that_is_missing_is_told(void **state)
{
	assert_int_equal(LOAD("tls-min-version"), ERR_INVAL);
	assert_non_null(strstr(err.msg, "tls-min-version needs a value"));
}

static int release(void **state)
{
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_name_may_have_dashes_before_it),
	        cmocka_unit_test(the_last_of_a_repeated_argument_holds),
	        cmocka_unit_test(an_unknown_name_is_refused_with_the_nearest_known_one),
	        cmocka_unit_test(a_fixed_argument_takes_its_one_value),
	        cmocka_unit_test(what_a_flag_of_ours_says_is_refused_with_its_name),
	        cmocka_unit_test(that_one_of_a_family_was_given_is_known),
	        cmocka_unit_test(a_value_is_of_its_type),
	        cmocka_unit_test(a_value_that_is_missing_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, release);
}

/* Signatures of cluster-info: the published example of upstream, who may sign, and which stand in the ConfigMap. */
#include "tests/unit/unit_json.h"

#include "api/controllers/cluster_info.h"
#include "base/base64.h"

static const char content[] = "Hello from the other side. I must have called a thousand times.";

static void a_signature_is_upstreams(void **state)
{
	struct signing_token t = {SLICE("joshua"), SLICE("my voice is my passcode")};
	assert_true(slice_is(
	        cluster_info_sign(&a, &t, SLICE("Hello from the other side. I must have called a thousand times.")),
	        "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8"));
}

static const char *coded(const char *text)
{
	return arena_printf(&a, "%.*s", SLICE_FMT(base64_encode(&a, slice_of(text))));
}

static bool may_sign(const char *name, const char *type, const char *id, const char *signing, const char *end)
{
	struct signing_token t;
	const char *text = arena_printf(&a,
	        "{\"metadata\":{\"name\":\"%s\"},\"type\":\"%s\",\"data\":{\"token-id\":\"%s\",\"token-secret\":\"%s\","
	        "\"usage-bootstrap-signing\":\"%s\"%s%s%s}}",
	        name, type, coded(id), coded("0123456789abcdef"), coded(signing), end ? ",\"expiration\":\"" : "",
	        end ? coded(end) : "", end ? "\"" : "");
	bool yes = signing_token_read(&a, slice_of(text), 1800000000, &t);
	assert_true(!yes || (slice_is(t.id, id) && slice_is(t.secret, "0123456789abcdef")));
	return yes;
}

static void who_may_sign(void **state)
{
	static const char type[] = "bootstrap.kubernetes.io/token", name[] = "bootstrap-token-abcdef";
	assert_true(may_sign(name, type, "abcdef", "true", NULL));
	assert_true(may_sign(name, type, "abcdef", "true", "2099-01-01T00:00:00Z"));
	assert_false(may_sign(name, type, "abcdef", "true", "2001-01-01T00:00:00Z"));
	assert_false(may_sign(name, type, "abcdef", "true", "tomorrow"));
	assert_false(may_sign(name, type, "abcdef", "false", NULL));
	assert_false(may_sign(name, "Opaque", "abcdef", "true", NULL));
	assert_false(may_sign("bootstrap-token-zzzzzz", type, "abcdef", "true", NULL));
	assert_false(may_sign(name, type, "", "true", NULL));
}

static void the_signatures_are_those_of_the_tokens(void **state)
{
	struct signing_token t[] = {{SLICE("joshua"), SLICE("my voice is my passcode")}, {SLICE("other0"), SLICE("x")}};
	struct json *data = parse("{\"kubeconfig\":\"\",\"jws-kubeconfig-gone00\":\"a..b\",\"more\":\"stays\"}");
	json_set_cstr(&a, data, "kubeconfig", content);
	assert_true(cluster_info_update(&a, data, t, 2));
	assert_true(
	        slice_ends(json_get_str(data, "jws-kubeconfig-joshua"), "VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8"));
	assert_true(json_get_str(data, "jws-kubeconfig-other0").len > 0);
	assert_null(json_get(data, "jws-kubeconfig-gone00"));
	assert_true(slice_is(json_get_str(data, "more"), "stays"));
	assert_false(cluster_info_update(&a, data, t, 2));
	assert_true(cluster_info_update(&a, data, t, 1));
	assert_null(json_get(data, "jws-kubeconfig-other0"));
	json_del(data, "kubeconfig");
	assert_true(cluster_info_update(&a, data, t, 1));
	assert_null(json_get(data, "jws-kubeconfig-joshua"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_signature_is_upstreams, release),
	        cmocka_unit_test_teardown(who_may_sign, release),
	        cmocka_unit_test_teardown(the_signatures_are_those_of_the_tokens, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

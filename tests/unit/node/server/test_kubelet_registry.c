/* The registry between nodes: what its paths ask for, and that nothing else names a file. */
#include "node/server/kubelet_registry_int.h"

#include "tests/unit/unit.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void paths_are_taken_apart(void **state)
{
	struct registry_path p;
	assert_true(kubelet_registry_is_path(SLICE("/v2")) && kubelet_registry_is_path(SLICE("/v2/x")));
	assert_false(kubelet_registry_is_path(SLICE("/v22")) || kubelet_registry_is_path(SLICE("/pods")));
	assert_true(kubelet_registry_parse(SLICE("/v2/"), &p) && !p.name.len);
	assert_true(kubelet_registry_parse(SLICE("/v2/library/busybox/manifests/1.36"), &p));
	assert_true(!p.is_blob && slice_is(p.name, "library/busybox") && slice_is(p.reference, "1.36"));
	assert_true(kubelet_registry_parse(SLICE("/v2/a/manifests/sha256:" HEX), &p) && !p.is_blob);
	assert_true(kubelet_registry_parse(SLICE("/v2/a/b/blobs/sha256:" HEX), &p) && p.is_blob);
	assert_true(slice_is(p.name, "a/b") && slice_is(p.reference, "sha256:" HEX));
}

static void what_is_none_is_refused(void **state)
{
	static const char *const bad[] = {"/v2/a/tags/list", "/v2/_catalog", "/v2/a/blobs/latest",
	        "/v2/a/blobs/sha256:../x", "/v2/a/blobs/sha256:" HEX "/../../x", "/v2//manifests/1", "/v2/a/manifests/",
	        "/v2/a/manifests/a/b", "/v2/a\"b/manifests/1", "/v2/a/manifests/1\"", "/v2/a%2fb/manifests/1",
	        "/v2/a/manifests/../../etc/passwd"};
	struct registry_path p;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (kubelet_registry_parse(slice_of(bad[i]), &p))
			fail_msg("%s", bad[i]);
}

static void a_digest_is_of_64_hex_digits(void **state)
{
	assert_true(kubelet_registry_is_digest(SLICE("sha256:" HEX)));
	assert_false(kubelet_registry_is_digest(SLICE("sha256:" HEX "0")));
	assert_false(kubelet_registry_is_digest(SLICE("sha512:" HEX)));
	assert_false(
	        kubelet_registry_is_digest(SLICE("sha256:"
	                                         "G123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")));
	assert_false(kubelet_registry_is_digest(SLICE("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(paths_are_taken_apart),
	        cmocka_unit_test(what_is_none_is_refused),
	        cmocka_unit_test(a_digest_is_of_64_hex_digits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

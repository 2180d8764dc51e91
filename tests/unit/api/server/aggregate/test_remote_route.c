/* Paths of other servers' resources. */
#include "tests/unit/unit.h"

#include "api/server/aggregate/remote_route.h"

static void expect(const char *method, const char *path, const char *plural, const char *sub, const char *ns,
        const char *name, enum resource_verb verb)
{
	struct arena a = ARENA_INIT;
	struct route r;
	struct err err = ERR_INIT;
	assert_true(remote_route(&a, slice_of(path), slice_of(method), false, &r, &err));
	assert_int_equal(err.code, 0);
	assert_true(r.is_resource && r.resource->is_remote);
	assert_string_equal(r.resource->group, "g.example");
	assert_string_equal(r.resource->version, "v1");
	assert_string_equal(r.resource->plural, plural);
	assert_string_equal(r.sub ? r.sub->name : "", sub);
	assert_true(slice_is(r.ns, ns) && slice_is(r.name, name));
	assert_int_equal(r.verb, verb);
	arena_release(&a);
}

static void paths_tell_what_is_asked(void **state)
{
	expect("GET", "/apis/g.example/v1/namespaces/n/pods/p/cpu", "pods", "cpu", "n", "p", RESOURCE_GET);
	expect("GET", "/apis/g.example/v1/namespaces/n/pods", "pods", "", "n", "", RESOURCE_LIST);
	expect("GET", "/apis/g.example/v1/nodes/a%20b", "nodes", "", "", "a b", RESOURCE_GET);
	expect("GET", "/apis/g.example/v1/watch/nodes", "nodes", "", "", "", RESOURCE_WATCH);
	expect("DELETE", "/apis/g.example/v1/nodes", "nodes", "", "", "", RESOURCE_DELETECOLLECTION);
	expect("POST", "/apis/g.example/v1/namespaces/n/x/y/z/1/2/3/4/5/6", "x", "z", "n", "y", RESOURCE_CREATE);
	expect("GET", "/apis/g.example/v1/namespaces/n", "namespaces", "", "", "n", RESOURCE_GET);
}

static void others_are_none(void **state)
{
	struct arena a = ARENA_INIT;
	struct route r;
	struct err err = ERR_INIT;
	assert_false(remote_route(&a, SLICE("/apis/g.example/v1"), SLICE("GET"), false, &r, &err));
	assert_false(remote_route(&a, SLICE("/api/v1/pods/x"), SLICE("GET"), false, &r, &err));
	assert_false(remote_route(&a, SLICE("/apis/g/v1/%zz"), SLICE("GET"), false, &r, &err));
	assert_true(remote_route(&a, SLICE("/apis/g/v1/x"), SLICE("BREW"), false, &r, &err));
	assert_int_equal(err.code, ERR_METHOD);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(paths_tell_what_is_asked),
	        cmocka_unit_test(others_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

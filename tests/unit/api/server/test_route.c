/* Paths and methods: what is asked of which resource, and what is refused. */
#include "tests/unit/unit.h"

#include "api/server/route.h"

struct asked {
	struct arena arena;
	struct route route;
	struct err err;
	int rc;
};

static struct asked ask(const char *method, const char *path, bool watch)
{
	struct asked a = {0};
	a.rc = route_parse(&a.arena, slice_of(path), slice_of(method), watch, &a.route, &a.err);
	return a;
}

static void expect(const char *method, const char *path, const char *plural, const char *ns, const char *name,
        enum resource_verb verb)
{
	struct asked a = ask(method, path, false);
	assert_int_equal(a.rc, 0);
	assert_true(a.route.is_resource);
	assert_string_equal(a.route.resource->plural, plural);
	assert_true(slice_is(a.route.ns, ns) && slice_is(a.route.name, name));
	assert_int_equal(a.route.verb, verb);
	arena_release(&a.arena);
}

static void refuse(const char *method, const char *path, int code)
{
	struct asked a = ask(method, path, false);
	assert_int_equal(a.rc, code);
	assert_true(a.err.msg[0] != 0);
	arena_release(&a.arena);
}

static void expect_tail(const char *path, const char *tail)
{
	struct asked a = ask("GET", path, false);
	assert_int_equal(a.rc, 0);
	assert_string_equal(a.route.sub->name, "proxy");
	assert_true(slice_is(a.route.tail, tail));
	arena_release(&a.arena);
}

static void a_proxy_keeps_what_follows_as_it_was_sent(void **state)
{
	expect_tail("/api/v1/namespaces/n/pods/p/proxy", "");
	expect_tail("/api/v1/namespaces/n/pods/p/proxy/", "/");
	expect_tail("/api/v1/namespaces/n/services/https:s:1/proxy/a//b%2Fc/", "/a//b%2Fc/");
	expect_tail("/api/v1/nodes/n/proxy/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
	        "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17");
	refuse("GET", "/api/v1/namespaces/n/pods/p/exec/x", ERR_NOT_FOUND);
	refuse("GET", "/api/v1/namespaces/n/pods/p/status/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", ERR_NOT_FOUND);
}

static void the_older_paths_watch(void **state)
{
	expect("GET", "/api/v1/watch/pods", "pods", "", "", RESOURCE_WATCH);
	expect("GET", "/apis/apps/v1/watch/namespaces/n/deployments/d", "deployments", "n", "d", RESOURCE_WATCH);
	expect("GET", "/api/v1/watch/namespaces/n", "namespaces", "", "n", RESOURCE_WATCH);
	refuse("POST", "/api/v1/watch/pods", ERR_NOT_FOUND);
	refuse("GET", "/api/v1/watch", ERR_NOT_FOUND);
}

static void paths_name_resources(void **state)
{
	expect("GET", "/api/v1/pods", "pods", "", "", RESOURCE_LIST);
	expect("GET", "/api/v1/namespaces/a/pods", "pods", "a", "", RESOURCE_LIST);
	expect("GET", "/api/v1/namespaces/a/pods/b", "pods", "a", "b", RESOURCE_GET);
	expect("HEAD", "/api/v1/namespaces/a/pods/b", "pods", "a", "b", RESOURCE_GET);
	expect("POST", "/apis/apps/v1/namespaces/a/deployments", "deployments", "a", "", RESOURCE_CREATE);
	expect("PUT", "/apis/apps/v1/namespaces/a/deployments/d", "deployments", "a", "d", RESOURCE_UPDATE);
	expect("PATCH", "/apis/apps/v1/namespaces/a/deployments/d", "deployments", "a", "d", RESOURCE_PATCH);
	expect("DELETE", "/api/v1/namespaces/a/pods", "pods", "a", "", RESOURCE_DELETECOLLECTION);
	expect("DELETE", "/api/v1/namespaces/a", "namespaces", "", "a", RESOURCE_DELETE);
}

static void namespaces_have_subresources_of_their_own(void **state)
{
	struct asked a = ask("PUT", "/api/v1/namespaces/a/finalize", false);
	assert_int_equal(a.rc, 0);
	assert_string_equal(a.route.resource->plural, "namespaces");
	assert_string_equal(a.route.sub->name, "finalize");
	assert_true(slice_is(a.route.name, "a"));
	arena_release(&a.arena);
}

static void a_watch_is_asked_for_by_the_query(void **state)
{
	struct asked a = ask("GET", "/api/v1/pods", true);
	assert_int_equal(a.rc, 0);
	assert_int_equal(a.route.verb, RESOURCE_WATCH);
	arena_release(&a.arena);
}

static void escapes_are_decoded_in_parts(void **state)
{
	expect("GET", "/api/v1/namespaces/a/configmaps/x%2Ey", "configmaps", "a", "x.y", RESOURCE_GET);
	refuse("GET", "/api/v1/namespaces/a/configmaps/x%2", ERR_INVAL);
	refuse("GET", "/api/v1/namespaces/a/configmaps/x%00y", ERR_INVAL);
}

static void what_is_not_served_is_not_found(void **state)
{
	refuse("GET", "/api/v1/nonsense", ERR_NOT_FOUND);
	refuse("GET", "/apis/nonsense/v1/pods", ERR_NOT_FOUND);
	refuse("GET", "/api/v1/namespaces/a/nodes", ERR_NOT_FOUND);
	refuse("GET", "/api/v1/pods/b", ERR_NOT_FOUND);
	refuse("GET", "/api/v1/namespaces/a/pods/b/nonsense", ERR_NOT_FOUND);
	refuse("GET", "/api/v1/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r", ERR_NOT_FOUND);
}

static void methods_that_do_not_fit_are_refused(void **state)
{
	refuse("POST", "/api/v1/namespaces/a/pods/b", ERR_METHOD);
	refuse("PUT", "/api/v1/namespaces/a/pods", ERR_METHOD);
	refuse("BREW", "/api/v1/namespaces/a/pods/b", ERR_METHOD);
	refuse("DELETE", "/api/v1/namespaces", ERR_METHOD);
}

static void other_paths_are_no_resources(void **state)
{
	static const char *const paths[] = {"/", "/healthz", "/api", "/api/v1", "/apis/apps/v1", "/openapi/v3"};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct asked a = ask("GET", paths[i], false);
		assert_int_equal(a.rc, 0);
		assert_false(a.route.is_resource);
		arena_release(&a.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(paths_name_resources),
	        cmocka_unit_test(a_proxy_keeps_what_follows_as_it_was_sent),
	        cmocka_unit_test(the_older_paths_watch),
	        cmocka_unit_test(namespaces_have_subresources_of_their_own),
	        cmocka_unit_test(a_watch_is_asked_for_by_the_query),
	        cmocka_unit_test(escapes_are_decoded_in_parts),
	        cmocka_unit_test(what_is_not_served_is_not_found),
	        cmocka_unit_test(methods_that_do_not_fit_are_refused),
	        cmocka_unit_test(other_paths_are_no_resources),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

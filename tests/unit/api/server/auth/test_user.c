/* Users outlive what they came by, and what is refused is said in upstream's words. */
#include "tests/unit/unit.h"

#include "api/server/auth/rights/authorize.h"

static void a_user_keeps_copies_and_lives_as_long_as_somebody_holds_it(void **state)
{
	char name[] = "jane", group[] = "devs";
	struct user *u = user_new(slice_of(name), SLICE_NULL);
	assert_true(user_add_group(u, slice_of(group)));
	name[0] = group[0] = 'X';
	struct user *again = user_ref(u);
	user_unref(u);
	assert_true(slice_is(again->name, "jane"));
	assert_true(user_is_in(again, "devs"));
	assert_false(user_is_in(again, "dev"));
	user_unref(again);
	user_unref(NULL);
}

static void groups_are_bounded(void **state)
{
	struct user *u = user_new(SLICE("many"), SLICE_NULL);
	for (int i = 0; i < USER_GROUPS_MAX; i++)
		assert_true(user_add_group(u, SLICE("g")));
	assert_false(user_add_group(u, SLICE("one more")));
	user_unref(u);
}

static void refusals_are_in_upstreams_words(void **state)
{
	struct user *u = user_new(SLICE("jane"), SLICE_NULL);
	struct err err = ERR_INIT;
	struct attributes pods = {.user = u,
	        .is_resource = true,
	        .verb = SLICE("get"),
	        .resource = SLICE("pods"),
	        .subresource = SLICE("log"),
	        .ns = SLICE("a"),
	        .name = SLICE("b")};
	assert_int_equal(authorize_refusal(&pods, "", &err), ERR_FORBIDDEN);
	assert_string_equal(err.msg,
	        "pods \"b\" is forbidden: User \"jane\" cannot get resource \"pods/log\" in API group \"\" in the "
	        "namespace \"a\"");
	struct attributes nodes = {.user = u,
	        .is_resource = true,
	        .verb = SLICE("list"),
	        .group = SLICE("x.io"),
	        .resource = SLICE("nodes")};
	authorize_refusal(&nodes, "because", &err);
	assert_string_equal(err.msg,
	        "nodes.x.io is forbidden: User \"jane\" cannot list resource \"nodes\" in API group \"x.io\" at the "
	        "cluster scope: because");
	struct attributes path = {.user = u, .verb = SLICE("get"), .path = SLICE("/metrics")};
	authorize_refusal(&path, "", &err);
	assert_string_equal(err.msg, "forbidden: User \"jane\" cannot get path \"/metrics\"");
	user_unref(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_user_keeps_copies_and_lives_as_long_as_somebody_holds_it),
	        cmocka_unit_test(groups_are_bounded),
	        cmocka_unit_test(refusals_are_in_upstreams_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

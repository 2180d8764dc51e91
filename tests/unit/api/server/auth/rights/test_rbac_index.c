/* The index follows roles and bindings in whatever order they come and go. */
#include "api/server/auth/rights/rbac_index.h"
#include "api/server/cache/object.h"

#include "tests/unit/unit.h"

static struct rbac_index *x;
static struct object *kept[16];
static size_t n_kept;

static int setup(void **state)
{
	x = rbac_index_new(NULL);
	return 0;
}

static int teardown(void **state)
{
	rbac_index_free(x); /* which checks that nothing is left over */
	while (n_kept)
		object_unref(kept[--n_kept]);
	return 0;
}

static struct object *object(enum rbac_kind kind, const char *key, const char *text)
{
	static const char *const plurals[] = {"roles", "clusterroles", "rolebindings", "clusterrolebindings"};
	const struct resource *r = resource_find_preferred(SLICE("rbac.authorization.k8s.io"), slice_of(plurals[kind]));
	return kept[n_kept++] = object_new(r, slice_of(key), slice_of(text), 1);
}

static struct object *put(enum rbac_kind kind, const char *key, const char *text)
{
	struct object *o = object(kind, key, text);
	assert_non_null(o);
	rbac_index_change(x, kind, NULL, o);
	return o;
}

static void del(enum rbac_kind kind, struct object *o)
{
	rbac_index_change(x, kind, o, NULL);
}

static bool may(const char *name, const char *group, const char *ns, const char *verb)
{
	struct user *u = user_new(slice_of(name), SLICE_NULL);
	struct rbac_grant g;
	if (group)
		user_add_group(u, slice_of(group));
	struct attributes a = {
	        .user = u, .is_resource = true, .verb = slice_of(verb), .resource = SLICE("pods"), .ns = slice_of(ns)};
	bool allowed = rbac_index_allows(x, &a, &g);
	user_unref(u);
	return allowed;
}

#define GET \
	"{\"metadata\":{\"name\":\"r\"},\"rules\":[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]" \
	"}]}"
#define LIST \
	"{\"metadata\":{\"name\":\"r\"},\"rules\":[{\"verbs\":[\"list\"],\"apiGroups\":[\"\"],\"resources\":[" \
	"\"pods\"]}]}"
#define BIND(kind, subject) \
	"{\"metadata\":{\"name\":\"b\"},\"roleRef\":{\"kind\":\"" kind "\",\"name\":\"r\"},\"subjects\":[" subject "]" \
	"}"
#define JANE "{\"kind\":\"User\",\"name\":\"jane\"}"
#define DEVS "{\"kind\":\"Group\",\"name\":\"devs\"}"
#define ROBOT "{\"kind\":\"ServiceAccount\",\"name\":\"robot\",\"namespace\":\"n\"}"

static void a_binding_holds_in_its_namespace(void **state)
{
	put(RBAC_ROLE, "n/r", GET);
	struct object *b = put(RBAC_ROLE_BINDING, "n/b", BIND("Role", JANE));
	assert_true(may("jane", NULL, "n", "get"));
	assert_false(may("jane", NULL, "m", "get"));
	assert_false(may("jane", NULL, "", "get"));
	assert_false(may("joe", NULL, "n", "get"));
	assert_false(may("joe", "jane", "n", "get"));
	del(RBAC_ROLE_BINDING, b);
	assert_false(may("jane", NULL, "n", "get"));
}

static void a_cluster_binding_holds_everywhere(void **state)
{
	put(RBAC_CLUSTER_ROLE_BINDING, "b", BIND("ClusterRole", DEVS));
	assert_false(may("x", "devs", "n", "get"));
	struct object *r = put(RBAC_CLUSTER_ROLE, "r", GET); /* a role may come after who is bound to it */
	assert_true(may("x", "devs", "n", "get"));
	assert_true(may("x", "devs", "", "get"));
	assert_false(may("devs", NULL, "", "get"));
	put(RBAC_CLUSTER_ROLE, "r", LIST);
	assert_false(may("x", "devs", "n", "get"));
	assert_true(may("x", "devs", "n", "list"));
	del(RBAC_CLUSTER_ROLE, r);
	assert_false(may("x", "devs", "n", "list"));
}

static void an_account_is_its_user(void **state)
{
	put(RBAC_ROLE, "m/r", GET);
	put(RBAC_ROLE_BINDING, "m/b", BIND("Role", ROBOT));
	assert_true(may("system:serviceaccount:n:robot", NULL, "m", "get"));
	assert_false(may("system:serviceaccount:m:robot", NULL, "m", "get"));
	assert_false(may("robot", NULL, "m", "get"));
}

static void a_role_of_a_namespace_is_no_cluster_role(void **state)
{
	put(RBAC_ROLE, "n/r", GET);
	put(RBAC_ROLE_BINDING, "n/b", BIND("ClusterRole", JANE));
	assert_false(may("jane", NULL, "n", "get"));
	assert_null(rbac_index_role(x, SLICE("ClusterRole"), SLICE("n"), SLICE("r")));
	assert_non_null(rbac_index_role(x, SLICE("Role"), SLICE("n"), SLICE("r")));
	assert_null(rbac_index_role(x, SLICE("Role"), SLICE("m"), SLICE("r")));
}

static void a_binding_that_changes_binds_the_others(void **state)
{
	put(RBAC_ROLE, "n/r", GET);
	put(RBAC_ROLE_BINDING, "n/b", BIND("Role", JANE "," JANE "," DEVS));
	put(RBAC_ROLE_BINDING, "n/b",
	        BIND("Role", ROBOT ",{\"kind\":\"User\"},{\"kind\":\"Cat\",\"name\":\"jane\"},7"));
	assert_false(may("jane", "devs", "n", "get"));
	assert_true(may("system:serviceaccount:n:robot", NULL, "n", "get"));
	put(RBAC_ROLE_BINDING, "n/b", "{\"metadata\":{\"name\":\"b\"}}");
	assert_false(may("system:serviceaccount:n:robot", NULL, "n", "get"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(a_binding_holds_in_its_namespace, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_cluster_binding_holds_everywhere, setup, teardown),
	        cmocka_unit_test_setup_teardown(an_account_is_its_user, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_role_of_a_namespace_is_no_cluster_role, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_binding_that_changes_binds_the_others, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

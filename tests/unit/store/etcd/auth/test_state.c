/* Permissions: merged intervals, what they cover, and what an operation needs. */
#include "tests/unit/store/etcd/auth/auth_state.h"

static Etcdpb__Permission permission(const char *key, struct slice end, int type)
{
	Etcdpb__Permission p = ETCDPB__PERMISSION__INIT;
	p.key = etcd_bytes(slice_of(key));
	p.range_end = etcd_bytes(end);
	p.permtype = (Etcdpb__Permission__Type)type;
	return p;
}

static struct etcd_auth_state *make(bool enabled)
{
	struct auth_maker m = {0};
	Etcdpb__Permission p[] = {permission("m", SLICE("n"), 2), permission("a", SLICE_NULL, 2),
	        permission("b", SLICE("d"), 0), permission("n", SLICE("o"), 0), permission("c", SLICE("cc"), 1),
	        permission("x", SLICE("\0"), 0), permission("e", SLICE_NULL, 7)};
	Etcdpb__Permission *list[COUNT_OF(p)];
	for (size_t i = 0; i < COUNT_OF(p); i++)
		list[i] = &p[i];
	if (enabled)
		auth_add(&m, "auth/enabled", SLICE("1"));
	auth_add(&m, "auth/revision", SLICE("7"));
	auth_add_role(&m, "r", list, COUNT_OF(p));
	auth_add_user(&m, "alice", 3, "r");
	auth_add_user(&m, "bob", 3, NULL);
	auth_add_user(&m, "root", 3, "root");
	auth_add(&m, "member/1", SLICE("{}"));
	return auth_make(&m);
}

static const struct etcd_identity alice = {true, {"alice", 5}, 7}, bob = {true, {"bob", 3}, 7},
                                  root = {true, {"root", 4}, 7}, old = {true, {"alice", 5}, 6}, nobody = {0};

static enum etcd_auth_error check(
        const struct etcd_auth_state *s, const struct etcd_identity *who, const char *key, struct slice end, bool write)
{
	struct store_key_range keys = {slice_of(key), end};
	return etcd_auth_check_range(s, who, &keys, write);
}

static void test_ranges_are_covered_by_the_union_of_permissions(void **state)
{
	struct etcd_auth_state *s = make(true);
	assert_int_equal(check(s, &alice, "a", SLICE_NULL, true), ETCD_AUTH_OK);
	assert_int_equal(check(s, &alice, "a", SLICE_NULL, false), ETCD_AUTH_OK);
	assert_int_equal(check(s, &alice, "a", SLICE("b"), false), ETCD_AUTH_DENIED);
	assert_int_equal(check(s, &alice, "aa", SLICE_NULL, false), ETCD_AUTH_DENIED);
	assert_int_equal(check(s, &alice, "b", SLICE("d"), false), ETCD_AUTH_OK);
	assert_int_equal(check(s, &alice, "b", SLICE_NULL, true), ETCD_AUTH_DENIED);
	assert_int_equal(check(s, &alice, "cb", SLICE_NULL, true), ETCD_AUTH_OK);
	assert_int_equal(check(s, &alice, "c", SLICE("cd"), true), ETCD_AUTH_DENIED);
	assert_int_equal(check(s, &alice, "m", SLICE("o"), false), ETCD_AUTH_OK); /* two that adjoin */
	assert_int_equal(check(s, &alice, "m", SLICE("o"), true), ETCD_AUTH_DENIED);
	assert_int_equal(check(s, &alice, "x", SLICE("\0"), false), ETCD_AUTH_OK);
	assert_int_equal(check(s, &alice, "zzz", SLICE_NULL, false), ETCD_AUTH_OK);
	assert_int_equal(check(s, &alice, "w", SLICE("\0"), false), ETCD_AUTH_DENIED);
	assert_int_equal(check(s, &alice, "d", SLICE("b"), false), ETCD_AUTH_DENIED);
	assert_int_equal(check(s, &alice, "e", SLICE_NULL, false), ETCD_AUTH_DENIED); /* of a kind that is not known */
	assert_int_equal(check(s, &alice, "e", SLICE_NULL, true), ETCD_AUTH_DENIED);
	etcd_auth_state_free(s);
}

static void test_who_is_it(void **state)
{
	struct etcd_auth_state *s = make(true);
	assert_int_equal(check(s, &nobody, "a", SLICE_NULL, false), ETCD_AUTH_USER_EMPTY);
	assert_int_equal(check(s, &old, "a", SLICE_NULL, false), ETCD_AUTH_OLD_REVISION);
	assert_int_equal(check(s, &bob, "a", SLICE_NULL, false), ETCD_AUTH_DENIED);
	assert_int_equal(check(s, &root, "a", SLICE("\0"), true), ETCD_AUTH_OK);
	assert_int_equal(etcd_auth_check_admin(s, &root), ETCD_AUTH_OK);
	assert_int_equal(etcd_auth_check_admin(s, &alice), ETCD_AUTH_DENIED);
	assert_int_equal(etcd_auth_check_admin(s, &nobody), ETCD_AUTH_USER_EMPTY);
	etcd_auth_state_free(s);
	s = make(false);
	assert_int_equal(check(s, &nobody, "a", SLICE("\0"), true), ETCD_AUTH_OK);
	assert_int_equal(etcd_auth_check_admin(s, &nobody), ETCD_AUTH_OK);
	etcd_auth_state_free(s);
}

static void test_transactions_are_looked_into(void **state)
{
	struct etcd_auth_state *s = make(true);
	struct store_op deep = {.type = STORE_OP_PUT, .put.key = SLICE("b")};
	struct store_op inner = {.type = STORE_OP_TXN, .txn = {.failure = &deep, .n_failure = 1}};
	struct store_op outer = {.type = STORE_OP_TXN, .txn = {.success = &inner, .n_success = 1}};
	struct store_compare compare = {.keys.key = SLICE("b")};
	assert_int_equal(etcd_auth_check_op(s, &alice, &outer), ETCD_AUTH_DENIED);
	deep.put.key = SLICE("a");
	assert_int_equal(etcd_auth_check_op(s, &alice, &outer), ETCD_AUTH_OK);
	outer.txn.compares = &compare;
	outer.txn.n_compares = 1;
	assert_int_equal(etcd_auth_check_op(s, &alice, &outer), ETCD_AUTH_OK);
	compare.keys.key = SLICE("e");
	assert_int_equal(etcd_auth_check_op(s, &alice, &outer), ETCD_AUTH_DENIED);
	struct store_op del = {.type = STORE_OP_DELETE, .del = {.keys.key = SLICE("cb")}};
	assert_int_equal(etcd_auth_check_op(s, &alice, &del), ETCD_AUTH_OK);
	struct store_op put = {.type = STORE_OP_PUT, .put = {.key = SLICE("cb"), .prev_kv = true}};
	assert_int_equal(etcd_auth_check_op(s, &alice, &put), ETCD_AUTH_OK); /* b to d may be read */
	etcd_auth_state_free(s);
}

static void test_broken_records_are_left_out(void **state)
{
	struct auth_maker m = {0};
	auth_add(&m, "auth/enabled", SLICE("1"));
	auth_add(&m, "auth/revision", SLICE("x"));
	auth_add(&m, "auth/role/r", SLICE("\xff\xff"));
	auth_add(&m, "auth/user/u", SLICE("\x0a\x7f"));
	struct etcd_auth_state *s = auth_make(&m);
	assert_int_equal(s->n_users, 0);
	assert_int_equal(s->n_roles, 0);
	assert_int_equal(s->revision, 1);
	etcd_auth_state_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_ranges_are_covered_by_the_union_of_permissions),
	        cmocka_unit_test(test_who_is_it),
	        cmocka_unit_test(test_transactions_are_looked_into),
	        cmocka_unit_test(test_broken_records_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Calls: what is no message, clients that go away, who may do what, and requests that are judged again. */
#include "tests/unit/store/etcd/rpc_fixture.h"

static void ends_with(struct rpc_call *c, int status, const char *text)
{
	rpc_end(c);
	assert_string_equal(c->text, text);
	assert_int_equal(c->status, status);
}

/* ---- messages ---- */

static void what_is_no_message_is_refused(void **state)
{
	static const char text[] = "the request is not a valid protobuf message";
	ends_with(rpc_begin_bytes("KV/Put", SLICE("\x0a\x7f"), NULL), GRPC_INVALID_ARGUMENT, text);
	ends_with(rpc_begin_bytes("KV/Txn", SLICE("\xff\xff\xff"), NULL), GRPC_INVALID_ARGUMENT, text);
	ends_with(rpc_begin_bytes("Lease/LeaseGrant", SLICE("\x08"), NULL), GRPC_INVALID_ARGUMENT, text);
	ends_with(rpc_begin_bytes("KV/Nothing", SLICE(""), NULL), GRPC_UNIMPLEMENTED, "this method is not built yet");
	assert_int_equal(rpc_put("a", "1"), 2);
}

static void nesting_has_an_end(void **state)
{
	struct strbuf b = STRBUF_INIT, next = STRBUF_INIT;
	for (int i = 0; i < 60; i++) { /* TxnRequest.success, RequestOp.request_txn */
		strbuf_reset(&next);
		for (int k = 0; k < 2; k++) {
			size_t n = k ? next.len : b.len;
			struct strbuf outer = STRBUF_INIT;
			strbuf_addc(&outer, k ? 0x12 : 0x22);
			strbuf_addc(&outer, (char)(n % 128 | 128));
			strbuf_addc(&outer, (char)(n / 128));
			strbuf_add_slice(&outer, strbuf_slice(k ? &next : &b));
			strbuf_release(&next);
			next = outer;
		}
		strbuf_reset(&b);
		strbuf_add_slice(&b, strbuf_slice(&next));
	}
	ends_with(rpc_begin_bytes("KV/Txn", strbuf_slice(&b), NULL), GRPC_INVALID_ARGUMENT,
	        "the request is not a valid protobuf message");
	strbuf_release(&b);
	strbuf_release(&next);
}

static bool nothing_is_out(void *arg)
{
	return rpc_service()->calls == 0;
}

static void clients_that_go_away_leave_nothing(void **state)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	struct rpc_call *calls[20];
	r.key = etcd_bytes(SLICE("a"));
	for (size_t i = 0; i < COUNT_OF(calls); i++)
		calls[i] = rpc_begin("KV/Put", &r.base, NULL);
	rpc_put("b", "1"); /* by now some of them are out */
	for (size_t i = 0; i < COUNT_OF(calls); i++)
		if (!rpc_is_answered(calls[i]))
			rpc_cancel(calls[i]);
	rpc_wait(nothing_is_out, NULL);
	assert_int_equal(rpc_get("b")->count, 1);
}

static void a_service_closes_with_calls_under_way(void **state)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	r.key = etcd_bytes(SLICE("a"));
	for (int i = 0; i < 50; i++)
		rpc_begin("KV/Put", &r.base, NULL);
	rpc_get("a");
	/* see teardown */
}

/* ---- users ---- */

static void add_user(const char *name, const char *role)
{
	Etcdpb__AuthUserAddRequest u = ETCDPB__AUTH_USER_ADD_REQUEST__INIT;
	Etcdpb__AuthUserGrantRoleRequest g = ETCDPB__AUTH_USER_GRANT_ROLE_REQUEST__INIT;
	u.name = g.user = (char *)name;
	u.password = "pw";
	g.role = (char *)role;
	rpc_ok("Auth/UserAdd", &u.base, NULL);
	rpc_ok("Auth/UserGrantRole", &g.base, NULL);
}

static void grant(const char *key, const char *end)
{
	Etcdpb__AuthRoleGrantPermissionRequest g = ETCDPB__AUTH_ROLE_GRANT_PERMISSION_REQUEST__INIT;
	Etcdpb__Permission p = ETCDPB__PERMISSION__INIT;
	p.permtype = ETCDPB__PERMISSION__TYPE__READWRITE;
	p.key = etcd_bytes(slice_of(key));
	p.range_end = etcd_bytes(slice_of(end));
	g.name = "r";
	g.perm = &p;
	rpc_ok("Auth/RoleGrantPermission", &g.base, NULL);
}

static const char *log_in(const char *name)
{
	Etcdpb__AuthenticateRequest r = ETCDPB__AUTHENTICATE_REQUEST__INIT;
	r.name = (char *)name;
	r.password = "pw";
	Etcdpb__AuthenticateResponse *m =
	        rpc_ok("Auth/Authenticate", &r.base, &etcdpb__authenticate_response__descriptor);
	return m->token;
}

static const char *root, *alice;

/* alice may write a to c. */
static int setup_users(void **state)
{
	Etcdpb__AuthNameRequest role = ETCDPB__AUTH_NAME_REQUEST__INIT;
	Etcdpb__EmptyRequest none = ETCDPB__EMPTY_REQUEST__INIT;
	rpc_open(NULL);
	role.name = "r";
	rpc_ok("Auth/RoleAdd", &role.base, NULL);
	grant("a", "c");
	add_user("root", "root");
	add_user("alice", "r");
	rpc_ok("Auth/AuthEnable", &none.base, NULL);
	root = log_in("root");
	alice = log_in("alice");
	return 0;
}

static void tokens_say_who_asks(void **state)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	Etcdpb__EmptyRequest none = ETCDPB__EMPTY_REQUEST__INIT;
	r.key = etcd_bytes(SLICE("x"));
	rpc_fails("KV/Put", &r.base, GRPC_INVALID_ARGUMENT, "etcdserver: user name is empty");
	rpc_use_token("nonsense");
	rpc_fails("KV/Put", &r.base, GRPC_UNAUTHENTICATED, "etcdserver: invalid auth token");
	rpc_ok("Maintenance/Status", &none.base, NULL); /* which nobody is asked for */
	rpc_use_token(alice);
	rpc_fails("KV/Put", &r.base, GRPC_PERMISSION_DENIED, "etcdserver: permission denied");
	rpc_fails("Auth/UserList", &none.base, GRPC_PERMISSION_DENIED, "etcdserver: permission denied");
	r.key = etcd_bytes(SLICE("b"));
	rpc_ok("KV/Put", &r.base, NULL);
	rpc_use_token(root);
	rpc_ok("Auth/UserList", &none.base, NULL);
}

/* Many calls go out before the first is carried out; in between permissions change, and the rest are judged anew. */
static void what_changes_meanwhile_is_heeded(void **state)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	Etcdpb__AuthRoleRevokePermissionRequest revoke = ETCDPB__AUTH_ROLE_REVOKE_PERMISSION_REQUEST__INIT;
	struct rpc_call *calls[40];
	r.key = etcd_bytes(SLICE("b"));
	revoke.role = "r";
	revoke.key = etcd_bytes(SLICE("a"));
	revoke.range_end = etcd_bytes(SLICE("c"));
	for (size_t i = 0; i < COUNT_OF(calls); i++) {
		rpc_use_token(i == 20 ? root : alice);
		calls[i] = i == 20 ? rpc_begin("Auth/RoleRevokePermission", &revoke.base, NULL)
		                   : rpc_begin("KV/Put", &r.base, NULL);
	}
	int denied = 0;
	for (size_t i = 0; i < COUNT_OF(calls); i++) {
		rpc_end(calls[i]);
		denied += calls[i]->status == GRPC_PERMISSION_DENIED;
		assert_true(calls[i]->status == GRPC_OK || calls[i]->status == GRPC_PERMISSION_DENIED);
	}
	assert_int_equal(calls[0]->status, GRPC_OK);
	assert_int_equal(calls[39]->status, GRPC_PERMISSION_DENIED);
	rpc_use_token(root);
	assert_int_equal(rpc_get("b")->kvs[0]->version + denied, 39);
}

static void keys_of_a_lease_must_be_ones_own(void **state)
{
	static const char denied[] = "etcdserver: permission denied";
	Etcdpb__PutRequest put = ETCDPB__PUT_REQUEST__INIT;
	Etcdpb__LeaseRevokeRequest end = ETCDPB__LEASE_REVOKE_REQUEST__INIT;
	Etcdpb__LeaseTimeToLiveRequest ask = ETCDPB__LEASE_TIME_TO_LIVE_REQUEST__INIT;
	put.key = etcd_bytes(SLICE("b"));
	put.lease = end.id = ask.id = 7;
	ask.keys = true;
	rpc_use_token(root);
	rpc_grant(7, 100);
	rpc_use_token(alice);
	rpc_ok("KV/Put", &put.base, NULL);
	rpc_use_token(root);
	rpc_put_under("x", 7);
	rpc_use_token(alice);
	rpc_fails("KV/Put", &put.base, GRPC_PERMISSION_DENIED, denied);
	rpc_fails("Lease/LeaseRevoke", &end.base, GRPC_PERMISSION_DENIED, denied);
	rpc_fails("Lease/LeaseTimeToLive", &ask.base, GRPC_PERMISSION_DENIED, denied);
	rpc_use_token(NULL);
	rpc_fails("Lease/LeaseRevoke", &end.base, GRPC_INVALID_ARGUMENT, "etcdserver: user name is empty");
	rpc_use_token(root);
	rpc_put("x", "free");
	rpc_use_token(alice);
	rpc_ok("Lease/LeaseRevoke", &end.base, NULL);
	rpc_use_token(root);
	assert_int_equal(rpc_get("b")->count, 0);
}

struct system_call {
	struct store_request req;
	bool is_done;
};

static void system_done(struct store_request *req)
{
	CONTAINER_OF(req, struct system_call, req)->is_done = true;
}

static bool is_done(void *arg)
{
	return ((struct system_call *)arg)->is_done;
}

static void there_is_a_secret_again_after_the_first_login(void **state)
{
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	struct store_system_entry drop = {.key = SLICE("auth/secret"), .is_delete = true};
	struct system_call c = {
	        .req = {.type = STORE_REQUEST_SYSTEM,
	                .system = {.expect_version = STORE_SYSTEM_ANY, .changes = &drop, .n_changes = 1},
	                .loop = rpc_service()->loop,
	                .done = system_done}};
	r.key = etcd_bytes(SLICE("a"));
	store_submit(rpc_service()->store, &c.req); /* as in a cluster that was just restored */
	rpc_wait(is_done, &c);
	rpc_use_token(alice);
	rpc_fails("KV/Range", &r.base, GRPC_UNAUTHENTICATED, "etcdserver: invalid auth token");
	const char *one = log_in("alice"), *two = log_in("alice");
	rpc_use_token(one);
	rpc_ok("KV/Range", &r.base, NULL);
	rpc_use_token(two);
	rpc_ok("KV/Range", &r.base, NULL);
	rpc_use_token(alice);
	rpc_fails("KV/Range", &r.base, GRPC_UNAUTHENTICATED, "etcdserver: invalid auth token");
	store_request_release(&c.req);
}

static void wrong_passwords_keep_nobody_out(void **state)
{
	enum { N = 40 };
	struct rpc_call *calls[N];
	unsigned failed = 0, turned_away = 0;
	for (int i = 0; i < N; i++) {
		Etcdpb__AuthenticateRequest r = ETCDPB__AUTHENTICATE_REQUEST__INIT;
		r.name = i % 2 ? "root" : "nobody"; /* one that is not there costs the same */
		r.password = "wrong";
		calls[i] = rpc_begin("Auth/Authenticate", &r.base, NULL);
	}
	for (int i = 0; i < N; i++) {
		rpc_end(calls[i]);
		failed += strcmp(calls[i]->text, "etcdserver: authentication failed, invalid user ID or password") == 0;
		turned_away += calls[i]->status == GRPC_RESOURCE_EXHAUSTED;
	}
	assert_int_equal(failed + turned_away, N);
	assert_true(failed >= 8 && turned_away >= 8);
	assert_non_null(log_in("root"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(wrong_passwords_keep_nobody_out, setup_users, rpc_teardown),
	        cmocka_unit_test_setup_teardown(what_is_no_message_is_refused, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(nesting_has_an_end, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(clients_that_go_away_leave_nothing, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(a_service_closes_with_calls_under_way, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(tokens_say_who_asks, setup_users, rpc_teardown),
	        cmocka_unit_test_setup_teardown(what_changes_meanwhile_is_heeded, setup_users, rpc_teardown),
	        cmocka_unit_test_setup_teardown(keys_of_a_lease_must_be_ones_own, setup_users, rpc_teardown),
	        cmocka_unit_test_setup_teardown(
	                there_is_a_secret_again_after_the_first_login, setup_users, rpc_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Lock: one holds it, the others wait in order, and who goes away or loses the lease while waiting leaves the queue. */
#include "tests/unit/store/etcd/rpc_fixture.h"

static struct rpc_call *lock(int64_t lease)
{
	Etcdpb__LockRequest r = ETCDPB__LOCK_REQUEST__INIT;
	r.name = etcd_bytes(SLICE("name"));
	r.lease = lease;
	return rpc_begin("/v3lockpb.Lock/Lock", &r.base, &etcdpb__lock_response__descriptor);
}

static const char *key_of(struct rpc_call *c)
{
	rpc_end(c);
	assert_string_equal(c->text, "");
	struct slice key = etcd_slice(((Etcdpb__LockResponse *)c->message)->key);
	return arena_printf(rpc_arena(), "%.*s", SLICE_FMT(key));
}

static void unlock(const char *key)
{
	Etcdpb__UnlockRequest r = ETCDPB__UNLOCK_REQUEST__INIT;
	r.key = etcd_bytes(slice_of(key));
	rpc_ok("/v3lockpb.Lock/Unlock", &r.base, &etcdpb__header_response__descriptor);
}

static void end_lease(int64_t id)
{
	Etcdpb__LeaseRevokeRequest r = ETCDPB__LEASE_REVOKE_REQUEST__INIT;
	r.id = id;
	rpc_ok("Lease/LeaseRevoke", &r.base, NULL);
}

static bool is_there(void *key)
{
	return rpc_get(key)->count == 1;
}

static bool is_gone(void *key)
{
	return rpc_get(key)->count == 0;
}

static int setup(void **state)
{
	rpc_open(NULL);
	for (int64_t id = 0xa1; id <= 0xa3; id++)
		rpc_grant(id, 1000);
	return 0;
}

static void it_is_handed_over_in_order(void **state)
{
	assert_string_equal(key_of(lock(0xa1)), "name/a1");
	struct rpc_call *second = lock(0xa2);
	rpc_wait(is_there, "name/a2");
	struct rpc_call *third = lock(0xa3);
	rpc_wait(is_there, "name/a3");
	assert_false(rpc_is_answered(second) || rpc_is_answered(third));
	unlock("name/a1");
	assert_string_equal(key_of(second), "name/a2");
	assert_false(rpc_is_answered(third));
	unlock("name/a2");
	assert_string_equal(key_of(third), "name/a3");
}

static void who_holds_it_gets_it_again(void **state)
{
	assert_string_equal(key_of(lock(0xa1)), "name/a1");
	assert_string_equal(key_of(lock(0xa1)), "name/a1");
	assert_int_equal(rpc_get("name/a1")->kvs[0]->version, 1);
}

static void the_end_of_the_lease_hands_it_over(void **state)
{
	key_of(lock(0xa1));
	struct rpc_call *second = lock(0xa2);
	rpc_wait(is_there, "name/a2");
	end_lease(0xa1);
	assert_string_equal(key_of(second), "name/a2");
}

static void who_goes_away_leaves_the_queue(void **state)
{
	key_of(lock(0xa1));
	struct rpc_call *second = lock(0xa2);
	rpc_wait(is_there, "name/a2");
	struct rpc_call *third = lock(0xa3);
	rpc_wait(is_there, "name/a3");
	rpc_cancel(second);
	rpc_wait(is_gone, "name/a2");
	assert_false(rpc_is_answered(third));
	unlock("name/a1");
	assert_string_equal(key_of(third), "name/a3");
}

static void who_loses_the_lease_while_waiting_is_told(void **state)
{
	key_of(lock(0xa1));
	struct rpc_call *second = lock(0xa2);
	rpc_wait(is_there, "name/a2");
	end_lease(0xa2);
	unlock("name/a1");
	rpc_end(second);
	assert_int_equal(second->status, GRPC_UNKNOWN);
	assert_string_equal(second->text, "mutex: session is expired");
}

static void without_a_lease_one_is_made(void **state)
{
	Etcdpb__LeaseTimeToLiveRequest r = ETCDPB__LEASE_TIME_TO_LIVE_REQUEST__INIT;
	const char *key = key_of(lock(0));
	r.id = rpc_get(key)->kvs[0]->lease;
	assert_true(r.id > 0);
	Etcdpb__LeaseTimeToLiveResponse *m =
	        rpc_ok("Lease/LeaseTimeToLive", &r.base, &etcdpb__lease_time_to_live_response__descriptor);
	assert_int_equal(m->grantedttl, 60);
}

static void an_unknown_lease_is_refused(void **state)
{
	struct rpc_call *c = lock(0xff);
	rpc_end(c);
	assert_int_equal(c->status, GRPC_UNKNOWN);
	assert_string_equal(c->text, "etcdserver: requested lease not found");
}

/* Names are bytes: one that was cut at its zero byte let two hold what each took for its own lock. */
static void names_are_whole(void **state)
{
	Etcdpb__LockRequest r = ETCDPB__LOCK_REQUEST__INIT;
	struct slice names[] = {{"a\0b", 3}, {"a\0c", 3}, {"a", 1}, {"", 0}};
	for (int i = 0; i < 4; i++) {
		r.name = etcd_bytes(names[i]);
		r.lease = 0xa1;
		Etcdpb__LockResponse *m = rpc_ok("/v3lockpb.Lock/Lock", &r.base, &etcdpb__lock_response__descriptor);
		assert_int_equal(m->key.len, names[i].len + 3);
		assert_memory_equal(m->key.data, names[i].ptr, names[i].len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(names_are_whole, setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(it_is_handed_over_in_order, setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(who_holds_it_gets_it_again, setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(the_end_of_the_lease_hands_it_over, setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(who_goes_away_leaves_the_queue, setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(who_loses_the_lease_while_waiting_is_told, setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(without_a_lease_one_is_made, setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(an_unknown_lease_is_refused, setup, rpc_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

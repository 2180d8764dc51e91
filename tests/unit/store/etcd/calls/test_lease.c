/* Lease: what is granted, what is said of a lease, keep-alives in order, and the end of one. */
#include "tests/unit/store/etcd/rpc_fixture.h"

static const ProtobufCMessageDescriptor *const grant_type = &etcdpb__lease_grant_response__descriptor,
                                               *const ttl_type = &etcdpb__lease_time_to_live_response__descriptor,
                                               *const keepalive_type = &etcdpb__lease_keep_alive_response__descriptor;

static Etcdpb__LeaseTimeToLiveResponse *ask(int64_t id, bool keys)
{
	Etcdpb__LeaseTimeToLiveRequest r = ETCDPB__LEASE_TIME_TO_LIVE_REQUEST__INIT;
	r.id = id;
	r.keys = keys;
	return rpc_ok("Lease/LeaseTimeToLive", &r.base, ttl_type);
}

static void end_lease(int64_t id)
{
	Etcdpb__LeaseRevokeRequest r = ETCDPB__LEASE_REVOKE_REQUEST__INIT;
	r.id = id;
	rpc_ok("Lease/LeaseRevoke", &r.base, &etcdpb__header_response__descriptor);
}

static void what_is_granted(void **state)
{
	static const struct {
		int64_t id, ttl, granted;
		int status;
		const char *text;
	} rows[] = {
	        {7, 100, 100, GRPC_OK, NULL},
	        {7, 5, 0, GRPC_FAILED_PRECONDITION, "etcdserver: lease already exists"},
	        {8, 0, 2, GRPC_OK, NULL}, /* raised to the shortest there is */
	        {9, -5, 2, GRPC_OK, NULL},
	        {10, 9000000000, 9000000000, GRPC_OK, NULL},
	        {11, 9000000001, 0, GRPC_OUT_OF_RANGE, "etcdserver: too large lease TTL"},
	        {INT64_MAX, 3, 3, GRPC_OK, NULL},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		Etcdpb__LeaseGrantRequest r = ETCDPB__LEASE_GRANT_REQUEST__INIT;
		r.id = rows[i].id;
		r.ttl = rows[i].ttl;
		if (rows[i].text) {
			rpc_fails("Lease/LeaseGrant", &r.base, rows[i].status, rows[i].text);
			continue;
		}
		Etcdpb__LeaseGrantResponse *m = rpc_ok("Lease/LeaseGrant", &r.base, grant_type);
		assert_int_equal(m->id, rows[i].id);
		assert_int_equal(m->ttl, rows[i].granted);
		assert_int_equal(m->header->revision, 1); /* leases take no revision */
	}
}

static void an_id_is_chosen_when_none_is_named(void **state)
{
	int64_t one = rpc_grant(0, 100), two = rpc_grant(0, 100);
	assert_true(one > 0 && two > 0 && one != two);
}

static void what_is_said_of_a_lease(void **state)
{
	rpc_grant(7, 100);
	rpc_put_under("b", 7);
	rpc_put_under("a", 7);
	rpc_put_under("c", 7);
	rpc_put("c", "free again");
	Etcdpb__LeaseTimeToLiveResponse *m = ask(7, false);
	assert_in_range(m->ttl, 90, 100);
	assert_int_equal(m->grantedttl, 100);
	assert_int_equal(m->n_keys, 0);
	m = ask(7, true);
	assert_int_equal(m->n_keys, 2);
	assert_true(slice_is(etcd_slice(m->keys[0]), "a") && slice_is(etcd_slice(m->keys[1]), "b"));
	m = ask(8, true); /* an unknown one is no error here */
	assert_int_equal(m->id, 8);
	assert_int_equal(m->ttl, -1);
	assert_int_equal(m->grantedttl, 0);
	assert_int_equal(m->n_keys, 0);
}

static void all_leases_are_listed(void **state)
{
	Etcdpb__EmptyRequest r = ETCDPB__EMPTY_REQUEST__INIT;
	rpc_grant(9, 100);
	rpc_grant(7, 100);
	rpc_grant(8, 100);
	end_lease(7);
	Etcdpb__LeaseLeasesResponse *m =
	        rpc_ok("Lease/LeaseLeases", &r.base, &etcdpb__lease_leases_response__descriptor);
	assert_int_equal(m->n_leases, 2);
	assert_int_equal(m->leases[0]->id + m->leases[1]->id, 17);
}

static void the_end_of_a_lease_takes_its_keys_along(void **state)
{
	Etcdpb__LeaseRevokeRequest r = ETCDPB__LEASE_REVOKE_REQUEST__INIT;
	r.id = 7;
	rpc_fails("Lease/LeaseRevoke", &r.base, GRPC_NOT_FOUND, "etcdserver: requested lease not found");
	rpc_grant(7, 100);
	rpc_put_under("a", 7);
	rpc_put_under("b", 7);
	Etcdpb__HeaderResponse *m = rpc_ok("Lease/LeaseRevoke", &r.base, &etcdpb__header_response__descriptor);
	assert_int_equal(m->header->revision, 4); /* one for both */
	assert_int_equal(rpc_get("a")->count + rpc_get("b")->count, 0);
	rpc_grant(7, 100); /* the id is free again */
	assert_int_equal(ask(7, true)->n_keys, 0);
}

static bool is_gone(void *arg)
{
	return rpc_get("a")->count == 0;
}

static void a_lease_runs_out(void **state)
{
	rpc_grant(7, 1);
	rpc_put_under("a", 7);
	rpc_wait(is_gone, NULL);
	assert_int_equal(ask(7, false)->ttl, -1);
}

/* ---- keep-alives ---- */

static void keep(struct rpc_stream *s, int64_t id)
{
	Etcdpb__LeaseKeepAliveRequest r = ETCDPB__LEASE_KEEP_ALIVE_REQUEST__INIT;
	r.id = id;
	rpc_stream_send(s, &r.base);
}

static void keepalives_are_answered_one_by_one(void **state)
{
	struct rpc_stream *s = rpc_stream_open("Lease/LeaseKeepAlive", keepalive_type);
	rpc_grant(7, 100);
	for (int i = 0; i < 200; i++) /* more than are let in at once */
		keep(s, i % 2 ? 7 : 8);
	for (int i = 0; i < 200; i++) {
		Etcdpb__LeaseKeepAliveResponse *m = rpc_stream_next(s);
		assert_int_equal(m->id, i % 2 ? 7 : 8);
		assert_int_equal(m->ttl, i % 2 ? 100 : 0); /* 0: there is no such lease */
	}
	rpc_stream_cancel(s);
}

static void keepalives_end_when_the_client_has_no_more(void **state)
{
	struct rpc_stream *s = rpc_stream_open("Lease/LeaseKeepAlive", keepalive_type);
	rpc_grant(7, 100);
	keep(s, 7);
	rpc_stream_end(s);
	assert_int_equal(((Etcdpb__LeaseKeepAliveResponse *)rpc_stream_next(s))->ttl, 100);
	assert_int_equal(rpc_stream_status(s), GRPC_OK);
}

static void a_client_that_goes_away_leaves_nothing(void **state)
{
	struct rpc_stream *s = rpc_stream_open("Lease/LeaseKeepAlive", keepalive_type);
	rpc_grant(7, 100);
	for (int i = 0; i < 50; i++)
		keep(s, 7);
	rpc_stream_next(s);
	rpc_stream_cancel(s); /* the service closes all the same, see teardown */
}

static void ids_below_zero_are_ids(void **state)
{
	rpc_grant(-7, 1000);
	rpc_put_under("a", -7);
	assert_int_equal(rpc_get("a")->kvs[0]->lease, -7);
	rpc_grant(5, 100);
	Etcdpb__EmptyRequest none = ETCDPB__EMPTY_REQUEST__INIT;
	Etcdpb__LeaseLeasesResponse *m =
	        rpc_ok("Lease/LeaseLeases", &none.base, &etcdpb__lease_leases_response__descriptor);
	assert_int_equal(m->n_leases, 2);
	assert_int_equal(m->leases[0]->id, 5); /* runs out first */
	assert_int_equal(m->leases[1]->id, -7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(ids_below_zero_are_ids, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(what_is_granted, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(an_id_is_chosen_when_none_is_named, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(what_is_said_of_a_lease, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(all_leases_are_listed, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(the_end_of_a_lease_takes_its_keys_along, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(a_lease_runs_out, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(keepalives_are_answered_one_by_one, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(keepalives_end_when_the_client_has_no_more, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(a_client_that_goes_away_leaves_nothing, rpc_setup, rpc_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

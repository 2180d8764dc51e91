/* Election/Observe: the leader there is, then each value and each leader that follows. Leaders are keys under "e/". */
#include "tests/unit/store/etcd/rpc_fixture.h"

static struct rpc_stream *observe(void)
{
	Etcdpb__LeaderRequest r = ETCDPB__LEADER_REQUEST__INIT;
	struct rpc_stream *s = rpc_stream_open("/v3electionpb.Election/Observe", &etcdpb__leader_response__descriptor);
	r.name = etcd_bytes(SLICE("e"));
	rpc_stream_send(s, &r.base);
	return s;
}

static const char *next(struct rpc_stream *s)
{
	Etcdpb__LeaderResponse *m = rpc_stream_next(s);
	return rpc_pairs(&m->kv, 1);
}

static void drop(const char *key)
{
	Etcdpb__DeleteRangeRequest d = ETCDPB__DELETE_RANGE_REQUEST__INIT;
	d.key = etcd_bytes(slice_of(key));
	rpc_ok("KV/DeleteRange", &d.base, NULL);
}

static void every_value_and_the_next_leader(void **state)
{
	rpc_put("e/2", "first");
	rpc_put("e/1", "second"); /* it came later, whatever its name */
	struct rpc_stream *s = observe();
	assert_string_equal(next(s), "e/2=first ");
	rpc_put("e/2", "proclaimed");
	assert_string_equal(next(s), "e/2=proclaimed ");
	rpc_put("e/1", "waits");
	drop("e/2");
	assert_string_equal(next(s), "e/1=waits ");
	rpc_put("e/1", "leads");
	assert_string_equal(next(s), "e/1=leads ");
	assert_int_equal(rpc_stream_waiting(s), 0);
}

static void the_first_leader_is_waited_for(void **state)
{
	rpc_put("f/1", "of another election");
	struct rpc_stream *s = observe();
	rpc_put("e0", "of none");
	rpc_put("e/1", "first");
	assert_string_equal(next(s), "e/1=first ");
	drop("e/1");
	rpc_put("e/2", "second");
	assert_string_equal(next(s), "e/2=second ");
}

static void a_client_that_goes_away_leaves_nothing(void **state)
{
	struct rpc_stream *waiting = observe(), *watching = observe();
	rpc_put("e/1", "first");
	next(watching);
	rpc_stream_cancel(waiting);
	rpc_stream_cancel(watching); /* the service closes all the same, see teardown */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(every_value_and_the_next_leader, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(the_first_leader_is_waited_for, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(a_client_that_goes_away_leaves_nothing, rpc_setup, rpc_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

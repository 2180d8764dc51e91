/* Automatic compaction by time: history of at least the period is kept, and what is older goes. */
#include "tests/unit/store/etcd/rpc_fixture.h"

enum { PERIOD_MS = 300 };

static int64_t compacted(void)
{
	struct store_stats stats = {0};
	store_stats(rpc_service()->store, &stats);
	return stats.compacted_revision;
}

static bool is_compacted(void *revision)
{
	return compacted() >= *(int64_t *)revision;
}

static void history_goes_when_it_is_older_than_the_period(void **state)
{
	struct etcd_service_options o = {.compact_period_ms = PERIOD_MS};
	rpc_open(&o);
	uint64_t from = uv_hrtime();
	int64_t revision = rpc_put("a", "1");
	revision = rpc_put("a", "2");
	rpc_wait(is_compacted, &revision);
	assert_true(uv_hrtime() - from >= (uint64_t)PERIOD_MS * 1000000);
	assert_int_equal(compacted(), revision);
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	r.key = etcd_bytes(SLICE("a"));
	r.revision = revision - 1;
	rpc_fails("KV/Range", &r.base, GRPC_OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted");
	assert_string_equal(rpc_pairs(rpc_get("a")->kvs, 1), "a=2 ");
	revision = rpc_put("a", "3");
	rpc_wait(is_compacted, &revision); /* and again */
	rpc_close();
}

static void a_client_that_compacts_further_is_no_failure(void **state)
{
	struct etcd_service_options o = {.compact_period_ms = PERIOD_MS};
	Etcdpb__CompactionRequest c = ETCDPB__COMPACTION_REQUEST__INIT;
	rpc_open(&o);
	rpc_put("a", "1");
	c.revision = rpc_put("a", "2");
	rpc_ok("KV/Compact", &c.base, NULL);
	int64_t revision = rpc_put("a", "3");
	rpc_wait(is_compacted, &revision);
	rpc_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(history_goes_when_it_is_older_than_the_period),
	        cmocka_unit_test(a_client_that_compacts_further_is_no_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

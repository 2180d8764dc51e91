/* The quota and the alarms: what is refused while one stands, what goes on, and how it is taken down. */
#include "tests/unit/store/etcd/rpc_fixture.h"

static const char no_space[] = "etcdserver: mvcc: database space exceeded";

enum { QUOTA = 200 * 1024, VALUE_BYTES = 20 * 1024 };

static Etcdpb__PutRequest large_put(int i)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	r.key = etcd_bytes(slice_of(arena_printf(rpc_arena(), "large/%d", i)));
	r.value = (ProtobufCBinaryData){VALUE_BYTES, arena_zalloc(rpc_arena(), VALUE_BYTES)};
	return r;
}

static Etcdpb__AlarmResponse *alarm_call(int action, uint64_t member, int alarm)
{
	Etcdpb__AlarmRequest r = ETCDPB__ALARM_REQUEST__INIT;
	r.action = (Etcdpb__AlarmRequest__AlarmAction)action;
	r.memberid = member;
	r.alarm = (Etcdpb__AlarmType)alarm;
	return rpc_ok("Maintenance/Alarm", &r.base, &etcdpb__alarm_response__descriptor);
}

enum { GET, ACTIVATE, DEACTIVATE };

/* Puts until one is refused; how many went through. */
static int fill(void)
{
	for (int i = 0; i < 100; i++) {
		Etcdpb__PutRequest r = large_put(i);
		struct rpc_call *c = rpc_begin("KV/Put", &r.base, NULL);
		rpc_end(c);
		if (c->status == GRPC_OK)
			continue;
		assert_int_equal(c->status, GRPC_RESOURCE_EXHAUSTED);
		assert_string_equal(c->text, no_space);
		return i;
	}
	fail_msg("there was always room");
	return 0;
}

static bool alarm_is_recorded(void *arg)
{
	return alarm_call(GET, 0, ETCD_ALARM_NONE)->n_alarms == 1;
}

static void a_full_store_takes_no_more(void **state)
{
	struct etcd_service_options o = {.quota_bytes = QUOTA};
	rpc_open(&o);
	int n = fill();
	assert_in_range(n, 4, 10);
	rpc_wait(alarm_is_recorded, NULL);
	assert_int_equal(alarm_call(GET, 0, ETCD_ALARM_NONE)->alarms[0]->memberid, 0xa1);

	Etcdpb__PutRequest small = ETCDPB__PUT_REQUEST__INIT;
	Etcdpb__LeaseGrantRequest lease = ETCDPB__LEASE_GRANT_REQUEST__INIT;
	Etcdpb__RequestOp op = ETCDPB__REQUEST_OP__INIT, *ops[] = {&op};
	Etcdpb__TxnRequest txn = ETCDPB__TXN_REQUEST__INIT;
	small.key = etcd_bytes(SLICE("a"));
	lease.ttl = 100;
	op.request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_PUT;
	op.request_put = &small;
	txn.failure = ops; /* in the branch that is not taken too */
	txn.n_failure = 1;
	rpc_fails("KV/Put", &small.base, GRPC_RESOURCE_EXHAUSTED, no_space);
	rpc_fails("Lease/LeaseGrant", &lease.base, GRPC_RESOURCE_EXHAUSTED, no_space);
	rpc_fails("KV/Txn", &txn.base, GRPC_RESOURCE_EXHAUSTED, no_space);

	/* What makes room goes on, and reading. */
	Etcdpb__DeleteRangeRequest d = ETCDPB__DELETE_RANGE_REQUEST__INIT;
	Etcdpb__CompactionRequest compact = ETCDPB__COMPACTION_REQUEST__INIT;
	d.key = etcd_bytes(SLICE("large/"));
	d.range_end = etcd_bytes(SLICE("large0"));
	assert_int_equal(rpc_get("large/0")->count, 1);
	Etcdpb__DeleteRangeResponse *m = rpc_ok("KV/DeleteRange", &d.base, &etcdpb__delete_range_response__descriptor);
	assert_int_equal(m->deleted, n);
	compact.revision = m->header->revision;
	compact.physical = true;
	rpc_ok("KV/Compact", &compact.base, NULL);
	rpc_fails("KV/Put", &small.base, GRPC_RESOURCE_EXHAUSTED, no_space); /* until it is disarmed */
	assert_int_equal(alarm_call(DEACTIVATE, 0xa1, ETCD_ALARM_NOSPACE)->n_alarms, 1);
	rpc_ok("KV/Put", &small.base, NULL);
	assert_in_range(fill(), 4, 10); /* and it is full again */
	rpc_close();
}

static void alarms_are_raised_listed_and_taken_down(void **state)
{
	assert_int_equal(alarm_call(ACTIVATE, 5, ETCD_ALARM_NOSPACE)->n_alarms, 1);
	assert_int_equal(alarm_call(ACTIVATE, 5, ETCD_ALARM_NOSPACE)->n_alarms, 1); /* it stood already */
	assert_int_equal(alarm_call(ACTIVATE, 6, ETCD_ALARM_CORRUPT)->n_alarms, 1);
	assert_int_equal(alarm_call(ACTIVATE, 6, ETCD_ALARM_NONE)->n_alarms, 0);
	assert_int_equal(alarm_call(GET, 0, ETCD_ALARM_NONE)->n_alarms, 2);
	Etcdpb__AlarmResponse *m = alarm_call(GET, 0, ETCD_ALARM_CORRUPT);
	assert_true(m->n_alarms == 1 && m->alarms[0]->memberid == 6);
	assert_int_equal(alarm_call(DEACTIVATE, 6, ETCD_ALARM_NOSPACE)->n_alarms, 0);
	assert_int_equal(alarm_call(DEACTIVATE, 6, ETCD_ALARM_CORRUPT)->n_alarms, 1);
	assert_int_equal(alarm_call(DEACTIVATE, 5, ETCD_ALARM_NOSPACE)->n_alarms, 1);
	assert_int_equal(alarm_call(GET, 0, ETCD_ALARM_NONE)->n_alarms, 0);
}

static void a_corrupt_store_is_only_read(void **state)
{
	static const char corrupt[] = "etcdserver: corrupt cluster";
	Etcdpb__PutRequest put = ETCDPB__PUT_REQUEST__INIT;
	Etcdpb__DeleteRangeRequest del = ETCDPB__DELETE_RANGE_REQUEST__INIT;
	Etcdpb__LeaseGrantRequest lease = ETCDPB__LEASE_GRANT_REQUEST__INIT;
	Etcdpb__RangeRequest range = ETCDPB__RANGE_REQUEST__INIT;
	Etcdpb__RequestOp op = ETCDPB__REQUEST_OP__INIT, *ops[] = {&op};
	Etcdpb__TxnRequest txn = ETCDPB__TXN_REQUEST__INIT;
	rpc_put("a", "1");
	alarm_call(ACTIVATE, 6, ETCD_ALARM_CORRUPT);
	put.key = del.key = range.key = etcd_bytes(SLICE("a"));
	lease.ttl = 100;
	txn.success = ops;
	txn.n_success = 1;
	op.request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_PUT;
	op.request_put = &put;
	rpc_fails("KV/Put", &put.base, GRPC_DATA_LOSS, corrupt);
	rpc_fails("KV/DeleteRange", &del.base, GRPC_DATA_LOSS, corrupt);
	rpc_fails("Lease/LeaseGrant", &lease.base, GRPC_DATA_LOSS, corrupt);
	rpc_fails("KV/Txn", &txn.base, GRPC_DATA_LOSS, corrupt);
	op.request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_RANGE;
	op.request_range = &range;
	rpc_ok("KV/Txn", &txn.base, NULL); /* one that reads */
	assert_int_equal(rpc_get("a")->count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_full_store_takes_no_more),
	        cmocka_unit_test_setup_teardown(alarms_are_raised_listed_and_taken_down, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(a_corrupt_store_is_only_read, rpc_setup, rpc_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

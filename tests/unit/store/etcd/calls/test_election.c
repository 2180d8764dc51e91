/* Election: campaigns in order, what the leader proclaims, and what those hear who do not lead. */
#include "tests/unit/store/etcd/rpc_fixture.h"

#define ELECTION(name) "/v3electionpb.Election/" name

static struct rpc_call *campaign(int64_t lease, const char *value)
{
	Etcdpb__CampaignRequest r = ETCDPB__CAMPAIGN_REQUEST__INIT;
	r.name = etcd_bytes(SLICE("e"));
	r.lease = lease;
	r.value = etcd_bytes(slice_of(value));
	return rpc_begin(ELECTION("Campaign"), &r.base, &etcdpb__campaign_response__descriptor);
}

static Etcdpb__LeaderKey *won(struct rpc_call *c)
{
	rpc_end(c);
	assert_string_equal(c->text, "");
	return ((Etcdpb__CampaignResponse *)c->message)->leader;
}

static struct rpc_call *proclaim(Etcdpb__LeaderKey *key, const char *value)
{
	Etcdpb__ProclaimRequest r = ETCDPB__PROCLAIM_REQUEST__INIT;
	r.leader = key;
	r.value = etcd_bytes(slice_of(value));
	return rpc_begin(ELECTION("Proclaim"), &r.base, NULL);
}

static struct rpc_call *resign(Etcdpb__LeaderKey *key)
{
	Etcdpb__ResignRequest r = ETCDPB__RESIGN_REQUEST__INIT;
	r.leader = key;
	return rpc_begin(ELECTION("Resign"), &r.base, NULL);
}

static void ends_with(struct rpc_call *c, int status, const char *text)
{
	rpc_end(c);
	assert_string_equal(c->text, text);
	assert_int_equal(c->status, status);
}

static const char *leader(void)
{
	Etcdpb__LeaderRequest r = ETCDPB__LEADER_REQUEST__INIT;
	r.name = etcd_bytes(SLICE("e"));
	Etcdpb__LeaderResponse *m = rpc_ok(ELECTION("Leader"), &r.base, &etcdpb__leader_response__descriptor);
	return rpc_pairs(&m->kv, 1);
}

static bool is_there(void *key)
{
	return rpc_get(key)->count == 1;
}

static int setup(void **state)
{
	rpc_open(NULL);
	rpc_grant(0xa1, 1000);
	rpc_grant(0xa2, 1000);
	return 0;
}

static void the_next_one_leads_when_one_resigns(void **state)
{
	Etcdpb__LeaderKey *first = won(campaign(0xa1, "one"));
	assert_true(slice_is(etcd_slice(first->key), "e/a1") && slice_is(etcd_slice(first->name), "e"));
	assert_int_equal(first->rev, 2);
	assert_int_equal(first->lease, 0xa1);
	struct rpc_call *second = campaign(0xa2, "two");
	rpc_wait(is_there, "e/a2");
	assert_string_equal(leader(), "e/a1=one ");
	ends_with(proclaim(first, "uno"), GRPC_OK, "");
	assert_string_equal(leader(), "e/a1=uno ");
	assert_false(rpc_is_answered(second));
	ends_with(resign(first), GRPC_OK, "");
	won(second);
	assert_string_equal(leader(), "e/a2=two ");
	ends_with(proclaim(first, "again"), GRPC_UNKNOWN, "election: not leader");
	ends_with(resign(first), GRPC_OK, ""); /* nothing to give up */
	assert_string_equal(leader(), "e/a2=two ");
}

static void a_second_campaign_of_the_leader_changes_the_value(void **state)
{
	Etcdpb__LeaderKey *first = won(campaign(0xa1, "one")), *again = won(campaign(0xa1, "new"));
	assert_int_equal(first->rev, again->rev);
	assert_string_equal(leader(), "e/a1=new ");
	won(campaign(0xa1, "new"));
	assert_int_equal(rpc_get("e/a1")->kvs[0]->version, 2); /* the same value is not put anew */
}

static void what_is_refused(void **state)
{
	Etcdpb__LeaderRequest r = ETCDPB__LEADER_REQUEST__INIT;
	r.name = etcd_bytes(SLICE("e"));
	rpc_fails(ELECTION("Leader"), &r.base, GRPC_UNKNOWN, "election: no leader");
	ends_with(proclaim(NULL, "x"), GRPC_UNKNOWN, "\"leader\" field must be provided");
	ends_with(resign(NULL), GRPC_UNKNOWN, "\"leader\" field must be provided");
	ends_with(campaign(0xff, "x"), GRPC_UNKNOWN, "etcdserver: requested lease not found");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(the_next_one_leads_when_one_resigns, setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(a_second_campaign_of_the_leader_changes_the_value, setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(what_is_refused, setup, rpc_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

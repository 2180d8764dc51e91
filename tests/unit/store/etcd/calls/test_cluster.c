/* Cluster on a server that is not replicated: it is the one member, and cannot have others. */
#include "tests/unit/store/etcd/rpc_fixture.h"

static void it_is_the_one_member(void **state)
{
	Etcdpb__MemberListRequest r = ETCDPB__MEMBER_LIST_REQUEST__INIT;
	Etcdpb__MemberListResponse *m =
	        rpc_ok("Cluster/MemberList", &r.base, &etcdpb__member_list_response__descriptor);
	assert_int_equal(m->n_members, 1);
	assert_int_equal(m->members[0]->id, 0xa1);
	assert_string_equal(m->members[0]->name, "m1");
	assert_string_equal(m->members[0]->clienturls[0], "http://127.0.0.1:2379");
	assert_string_equal(m->members[0]->peerurls[0], "http://127.0.0.1:2380");
	assert_false(m->members[0]->islearner);
	assert_int_equal(m->header->member_id, 0xa1);
	assert_int_equal(m->header->cluster_id, 0xc1);
	assert_int_equal(m->header->revision, 0);
}

static void it_cannot_have_others(void **state)
{
	static const char text[] = "etcdserver: this server is not replicated: start it with --engine raft";
	Etcdpb__MemberAddRequest add = ETCDPB__MEMBER_ADD_REQUEST__INIT;
	Etcdpb__MemberRequest member = ETCDPB__MEMBER_REQUEST__INIT;
	Etcdpb__MemberUpdateRequest update = ETCDPB__MEMBER_UPDATE_REQUEST__INIT;
	Etcdpb__MoveLeaderRequest lead = ETCDPB__MOVE_LEADER_REQUEST__INIT;
	char *urls[] = {"http://127.0.0.1:1"};
	add.peerurls = update.peerurls = urls;
	add.n_peerurls = update.n_peerurls = 1;
	rpc_fails("Cluster/MemberAdd", &add.base, GRPC_UNIMPLEMENTED, text);
	rpc_fails("Cluster/MemberRemove", &member.base, GRPC_UNIMPLEMENTED, text);
	rpc_fails("Cluster/MemberPromote", &member.base, GRPC_UNIMPLEMENTED, text);
	rpc_fails("Cluster/MemberDemote", &member.base, GRPC_UNIMPLEMENTED, text);
	rpc_fails("Cluster/MemberUpdate", &update.base, GRPC_UNIMPLEMENTED, text);
	rpc_fails("Maintenance/MoveLeader", &lead.base, GRPC_UNIMPLEMENTED, text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(it_is_the_one_member, rpc_setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(it_cannot_have_others, rpc_setup, rpc_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

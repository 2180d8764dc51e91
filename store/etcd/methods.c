/* The methods: by which paths they are called, what handles them, what comes in, and who may call.
 *
 * The paths of the JSON gateway are those of etcd's (api/etcdserverpb/rpc.proto, the http options). Who may call is as
 * in etcd 3.5: what it asks of nobody (status, lists of leases and members, keep-alives) is asked of nobody here.
 * MemberDemote is ours: etcd answers that it has no such method. */
#include "store/etcd/serve/method.h"

#include "base/check.h"
#include "store/etcd/calls/auth.h"
#include "store/etcd/calls/cluster.h"
#include "store/etcd/calls/hash.h"
#include "store/etcd/calls/kv.h"
#include "store/etcd/calls/lease.h"
#include "store/etcd/calls/maintenance.h"
#include "store/etcd/calls/recipes.h"
#include "store/etcd/calls/roles.h"
#include "store/etcd/calls/snapshot.h"
#include "store/etcd/calls/users.h"
#include "store/etcd/calls/watch.h"
#include "store/proto/rpc.pb-c.h"
#include "store/etcd/serve/quota.h"

#define OPEN ETCD_ACCESS_OPEN
#define KNOWN ETCD_ACCESS_KNOWN
#define TOKEN ETCD_ACCESS_TOKEN
#define ADMIN ETCD_ACCESS_ADMIN
#define UNARY(path, json, handler, message, access, is_data) \
	{ \
		path, json, handler, NULL, &etcdpb__##message##__descriptor, access, is_data, false, false \
	}
#define STREAM(path, json, open, message, access) \
	{ \
		path, json, NULL, open, &etcdpb__##message##__descriptor, access, false, false, false \
	}
#define FEED(path, json, open, message, access) \
	{ \
		path, json, NULL, open, &etcdpb__##message##__descriptor, access, false, false, true \
	}
#define RECIPE(path, json, handler, message) \
	{ \
		path, json, handler, NULL, &etcdpb__##message##__descriptor, TOKEN, true, true, false \
	}
#define KV(name) "/etcdserverpb.KV/" name
#define LEASE(name) "/etcdserverpb.Lease/" name
#define MAINTENANCE(name) "/etcdserverpb.Maintenance/" name
#define CLUSTER(name) "/etcdserverpb.Cluster/" name
#define AUTH(name) "/etcdserverpb.Auth/" name

static const struct etcd_method methods[] = {
        UNARY(KV("Range"), "/v3/kv/range", etcd_range, range_request, TOKEN, false),
        UNARY(KV("Put"), "/v3/kv/put", etcd_put, put_request, TOKEN, true),
        UNARY(KV("DeleteRange"), "/v3/kv/deleterange", etcd_delete_range, delete_range_request, TOKEN, true),
        UNARY(KV("Txn"), "/v3/kv/txn", etcd_txn, txn_request, TOKEN, false),
        UNARY(KV("Compact"), "/v3/kv/compaction", etcd_compact, compaction_request, TOKEN, true),
        STREAM("/etcdserverpb.Watch/Watch", "/v3/watch", etcd_watch_open, watch_request, TOKEN),
        UNARY(LEASE("LeaseGrant"), "/v3/lease/grant", etcd_lease_grant, lease_grant_request, TOKEN, true),
        UNARY(LEASE("LeaseRevoke"), "/v3/lease/revoke", etcd_lease_revoke, lease_revoke_request, TOKEN, true),
        UNARY(LEASE("LeaseTimeToLive"), "/v3/lease/timetolive", etcd_lease_ttl, lease_time_to_live_request, TOKEN,
                false),
        UNARY(LEASE("LeaseLeases"), "/v3/lease/leases", etcd_lease_list, empty_request, OPEN, false),
        UNARY("", "/v3/kv/lease/revoke", etcd_lease_revoke, lease_revoke_request, TOKEN, true),
        UNARY("", "/v3/kv/lease/timetolive", etcd_lease_ttl, lease_time_to_live_request, TOKEN, false),
        UNARY("", "/v3/kv/lease/leases", etcd_lease_list, empty_request, OPEN, false),
        STREAM(LEASE("LeaseKeepAlive"), "/v3/lease/keepalive", etcd_lease_keepalive_open, lease_keep_alive_request,
                OPEN),
        UNARY(MAINTENANCE("Status"), "/v3/maintenance/status", etcd_status, empty_request, OPEN, false),
        UNARY(MAINTENANCE("Alarm"), "/v3/maintenance/alarm", etcd_alarm, alarm_request, TOKEN, false),
        UNARY(MAINTENANCE("Defragment"), "/v3/maintenance/defragment", etcd_defragment, empty_request, ADMIN, false),
        UNARY(MAINTENANCE("Hash"), "/v3/maintenance/hash", etcd_hash, empty_request, ADMIN, false),
        UNARY(MAINTENANCE("HashKV"), "/v3/maintenance/hashkv", etcd_hash_kv, hash_kvrequest, ADMIN, false),
        FEED(MAINTENANCE("Snapshot"), "/v3/maintenance/snapshot", etcd_snapshot_open, empty_request, ADMIN),
        UNARY(MAINTENANCE("MoveLeader"), "/v3/maintenance/transfer-leadership", etcd_move_leader, move_leader_request,
                OPEN, false),
        UNARY(CLUSTER("MemberList"), "/v3/cluster/member/list", etcd_member_list, member_list_request, OPEN, false),
        UNARY(CLUSTER("MemberAdd"), "/v3/cluster/member/add", etcd_member_add, member_add_request, ADMIN, false),
        UNARY(CLUSTER("MemberRemove"), "/v3/cluster/member/remove", etcd_member_remove, member_request, ADMIN, false),
        UNARY(CLUSTER("MemberPromote"), "/v3/cluster/member/promote", etcd_member_promote, member_request, ADMIN,
                false),
        UNARY(CLUSTER("MemberDemote"), "/v3/cluster/member/demote", etcd_member_demote, member_request, ADMIN, false),
        UNARY(CLUSTER("MemberUpdate"), "/v3/cluster/member/update", etcd_member_update, member_update_request, ADMIN,
                false),
        UNARY(AUTH("AuthEnable"), "/v3/auth/enable", etcd_auth_enable, empty_request, ADMIN, false),
        UNARY(AUTH("AuthDisable"), "/v3/auth/disable", etcd_auth_disable, empty_request, ADMIN, false),
        UNARY(AUTH("AuthStatus"), "/v3/auth/status", etcd_auth_status, empty_request, ADMIN, false),
        UNARY(AUTH("Authenticate"), "/v3/auth/authenticate", etcd_authenticate, authenticate_request, KNOWN, false),
        UNARY(AUTH("UserAdd"), "/v3/auth/user/add", etcd_user_add, auth_user_add_request, ADMIN, false),
        UNARY(AUTH("UserGet"), "/v3/auth/user/get", etcd_user_get, auth_name_request, TOKEN, false),
        UNARY(AUTH("UserList"), "/v3/auth/user/list", etcd_user_list, empty_request, ADMIN, false),
        UNARY(AUTH("UserDelete"), "/v3/auth/user/delete", etcd_user_delete, auth_name_request, ADMIN, false),
        UNARY(AUTH("UserChangePassword"), "/v3/auth/user/changepw", etcd_user_change_password,
                auth_user_change_password_request, ADMIN, false),
        UNARY(AUTH("UserGrantRole"), "/v3/auth/user/grant", etcd_user_grant_role, auth_user_grant_role_request, ADMIN,
                false),
        UNARY(AUTH("UserRevokeRole"), "/v3/auth/user/revoke", etcd_user_revoke_role, auth_user_revoke_role_request,
                ADMIN, false),
        UNARY(AUTH("RoleAdd"), "/v3/auth/role/add", etcd_role_add, auth_name_request, ADMIN, false),
        UNARY(AUTH("RoleGet"), "/v3/auth/role/get", etcd_role_get, auth_role_request, TOKEN, false),
        UNARY(AUTH("RoleList"), "/v3/auth/role/list", etcd_role_list, empty_request, ADMIN, false),
        UNARY(AUTH("RoleDelete"), "/v3/auth/role/delete", etcd_role_delete, auth_role_request, ADMIN, false),
        UNARY(AUTH("RoleGrantPermission"), "/v3/auth/role/grant", etcd_role_grant_permission,
                auth_role_grant_permission_request, ADMIN, false),
        UNARY(AUTH("RoleRevokePermission"), "/v3/auth/role/revoke", etcd_role_revoke_permission,
                auth_role_revoke_permission_request, ADMIN, false),
        RECIPE("/v3lockpb.Lock/Lock", "/v3/lock/lock", etcd_lock, lock_request),
        RECIPE("/v3lockpb.Lock/Unlock", "/v3/lock/unlock", etcd_unlock, unlock_request),
        RECIPE("/v3electionpb.Election/Campaign", "/v3/election/campaign", etcd_campaign, campaign_request),
        RECIPE("/v3electionpb.Election/Proclaim", "/v3/election/proclaim", etcd_proclaim, proclaim_request),
        RECIPE("/v3electionpb.Election/Leader", "/v3/election/leader", etcd_leader, leader_request),
        FEED("/v3electionpb.Election/Observe", "/v3/election/observe", etcd_observe_open, leader_request, TOKEN),
        RECIPE("/v3electionpb.Election/Resign", "/v3/election/resign", etcd_resign, resign_request),
        UNARY("/grpc.health.v1.Health/Check", NULL, etcd_health_check, health_check_request, OPEN, false),
        FEED("/grpc.health.v1.Health/Watch", NULL, etcd_health_watch_open, health_check_request, OPEN),
};

const struct etcd_method *etcd_method_find(struct slice path)
{
	for (size_t i = 0; i < COUNT_OF(methods); i++)
		if (path.len && slice_is(path, methods[i].path))
			return &methods[i];
	return NULL;
}

const struct etcd_method *etcd_method_find_json(struct slice path)
{
	for (size_t i = 0; i < COUNT_OF(methods); i++)
		if (methods[i].json_path && slice_is(path, methods[i].json_path))
			return &methods[i];
	return NULL;
}

const struct etcd_method *etcd_methods(size_t *ret_n)
{
	*ret_n = COUNT_OF(methods);
	return methods;
}

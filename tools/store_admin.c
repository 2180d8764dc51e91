/* `k3x-store lease|endpoint|alarm|member|snapshot save`: looking after a running server. */
#include "tools/store_command_int.h"

#include "base/pki.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- leases ---- */

static bool lease_id(struct store_command *m, int64_t *ret)
{
	const char *text = store_command_argument(m, 0);
	char *end;
	errno = 0;
	*ret = (int64_t)strtoull(text, &end, 16);
	if (*text && !*end && !errno)
		return true;
	fprintf(stderr, "k3x-store %s: \"%s\" is not a lease (hex digits)\n", m->name, text);
	m->exit_code = 2;
	return false;
}

int store_lease_grant(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__LeaseGrantRequest r = ETCDPB__LEASE_GRANT_REQUEST__INIT;
	if (store_command_load(&m, "lease grant",
	            "k3x-store lease grant SECONDS: make a lease; its keys go when it is not kept alive", NULL, 0, argc,
	            argv) != 0 ||
	        store_command_wants(&m, 1, 1, "SECONDS") != 0)
		return store_command_end(&m);
	r.ttl = strtoll(store_command_argument(&m, 0), NULL, 10);
	Etcdpb__LeaseGrantResponse *got =
	        store_command_call(&m, "Lease/LeaseGrant", &r.base, &etcdpb__lease_grant_response__descriptor);
	if (got)
		printf(m.json ? "{\"id\":\"%016" PRIx64 "\",\"ttl\":%" PRId64 "}\n"
		              : "lease %016" PRIx64 " granted with TTL(%" PRId64 "s)\n",
		        got->id, got->ttl);
	return store_command_end(&m);
}

int store_lease_revoke(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__LeaseRevokeRequest r = ETCDPB__LEASE_REVOKE_REQUEST__INIT;
	if (store_command_load(&m, "lease revoke", "k3x-store lease revoke ID: end a lease and delete its keys", NULL,
	            0, argc, argv) == 0 &&
	        store_command_wants(&m, 1, 1, "an ID") == 0 && lease_id(&m, &r.id) &&
	        store_command_call(&m, "Lease/LeaseRevoke", &r.base, &etcdpb__header_response__descriptor))
		printf(m.json ? "{\"revoked\":\"%016" PRIx64 "\"}\n" : "lease %016" PRIx64 " revoked\n", r.id);
	return store_command_end(&m);
}

int store_lease_ttl(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__LeaseTimeToLiveRequest r = ETCDPB__LEASE_TIME_TO_LIVE_REQUEST__INIT;
	bool keys = false;
	const struct flag more[] = {{"keys", 0, FLAG_BOOL, &keys, NULL, "list the keys too", NULL}};
	if (store_command_load(&m, "lease ttl", "k3x-store lease ttl ID: the seconds a lease has left", more, 1, argc,
	            argv) != 0 ||
	        store_command_wants(&m, 1, 1, "an ID") != 0 || !lease_id(&m, &r.id))
		return store_command_end(&m);
	r.keys = keys;
	Etcdpb__LeaseTimeToLiveResponse *got = store_command_call(
	        &m, "Lease/LeaseTimeToLive", &r.base, &etcdpb__lease_time_to_live_response__descriptor);
	if (got && m.json)
		printf("{\"id\":\"%016" PRIx64 "\",\"ttl\":%" PRId64 ",\"grantedTTL\":%" PRId64 ",\"keys\":%zu}\n",
		        got->id, got->ttl, got->grantedttl, got->n_keys);
	else if (got && got->ttl < 0)
		printf("lease %016" PRIx64 " already expired\n", got->id);
	else if (got)
		printf("lease %016" PRIx64 " granted with TTL(%" PRId64 "s), remaining(%" PRId64 "s)\n", got->id,
		        got->grantedttl, got->ttl);
	for (size_t i = 0; got && !m.json && i < got->n_keys; i++)
		store_print_bytes(got->keys[i]);
	return store_command_end(&m);
}

int store_lease_list(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__LeaseStatus r = ETCDPB__LEASE_STATUS__INIT; /* an empty message */
	if (store_command_load(&m, "lease list", "k3x-store lease list: all leases", NULL, 0, argc, argv) != 0)
		return store_command_end(&m);
	Etcdpb__LeaseLeasesResponse *got =
	        store_command_call(&m, "Lease/LeaseLeases", &r.base, &etcdpb__lease_leases_response__descriptor);
	if (got && m.json)
		printf("{\"leases\":[");
	for (size_t i = 0; got && i < got->n_leases; i++)
		printf(m.json ? "%s\"%016" PRIx64 "\"" : "%s%016" PRIx64 "\n", i && m.json ? "," : "",
		        got->leases[i]->id);
	if (got && m.json)
		printf("]}\n");
	return store_command_end(&m);
}

int store_lease_keep_alive(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__LeaseKeepAliveRequest r = ETCDPB__LEASE_KEEP_ALIVE_REQUEST__INIT;
	bool once = false;
	const struct flag more[] = {{"once", 0, FLAG_BOOL, &once, NULL, "renew once and end", NULL}};
	if (store_command_load(&m, "lease keep-alive", "k3x-store lease keep-alive ID: renew a lease until interrupted",
	            more, 1, argc, argv) != 0 ||
	        store_command_wants(&m, 1, 1, "an ID") != 0 || !lease_id(&m, &r.id))
		return store_command_end(&m);
	struct store_call *call = store_call_open(m.client, "Lease/LeaseKeepAlive", &r.base);
	for (;;) {
		struct arena a = ARENA_INIT;
		struct err err = ERR_INIT;
		Etcdpb__LeaseKeepAliveResponse *got =
		        store_call_next(call, &etcdpb__lease_keep_alive_response__descriptor, &a, &err);
		int64_t ttl = got ? got->ttl : 0;
		if (got && ttl <= 0)
			err_set(&err, ERR_NOT_FOUND, "lease %016" PRIx64 " expired or revoked", r.id);
		else if (!got && !err.code)
			err_set(&err, ERR_UNAVAILABLE, "the server ended the stream");
		arena_release(&a);
		if (err.code) {
			m.exit_code = store_tool_fail("lease keep-alive", &err);
			break;
		}
		printf("lease %016" PRIx64 " keepalived with TTL(%" PRId64 ")\n", r.id, ttl);
		fflush(stdout);
		if (once)
			break;
		usleep((useconds_t)(ttl > 3000 ? 1000 * 1000000ll : ttl * 1000000 / 3));
		store_call_send(call, &r.base);
	}
	store_call_close(call);
	return store_command_end(&m);
}

/* ---- endpoints, alarms, members ---- */

static void print_status(struct store_command *m, const char *endpoint, const Etcdpb__StatusResponse *s)
{
	if (m->json)
		printf("{\"endpoint\":\"%s\",\"member\":\"%016" PRIx64 "\",\"version\":\"%s\",\"dbSize\":%" PRId64
		       ",\"dbSizeInUse\":%" PRId64 ",\"quota\":%" PRId64 ",\"isLeader\":%s,\"term\":%" PRIu64
		       ",\"index\":%" PRIu64 ",\"errors\":%zu}\n",
		        endpoint, s->header->member_id, s->version, s->dbsize, s->dbsizeinuse, s->dbsizequota,
		        s->leader == s->header->member_id ? "true" : "false", s->raftterm, s->raftindex, s->n_errors);
	else
		printf("%s  member %016" PRIx64 "  version %s  size %" PRId64 "  in use %" PRId64 "  %s  term %" PRIu64
		       "  index %" PRIu64 "%s%s\n",
		        endpoint, s->header->member_id, s->version, s->dbsize, s->dbsizeinuse,
		        s->leader == s->header->member_id ? "leader" : "follower", s->raftterm, s->raftindex,
		        s->n_errors ? "  " : "", s->n_errors ? s->errors[0] : "");
}

/* Asks every endpoint by itself. */
static int each_endpoint(struct store_command *m, const char *method, const ProtobufCMessage *r,
        const ProtobufCMessageDescriptor *answer,
        void (*show)(struct store_command *m, const char *endpoint, void *got))
{
	int worst = 0;
	struct flag_list all = m->settings.endpoints;
	for (size_t i = 0; i < all.count; i++) {
		struct err err = ERR_INIT;
		void *got = NULL;
		store_client_free(m->client);
		m->client = NULL;
		if (store_client_new(&m->settings, all.items[i], &m->client, &err) == 0)
			got = store_client_call(m->client, method, r, answer, &m->arena, &err);
		if (got) {
			show(m, all.items[i], got);
			continue;
		}
		fprintf(stderr, "k3x-store %s: %s: %s\n", m->name, all.items[i], err.msg);
		worst = err_exit_code(err.code);
	}
	return worst;
}

static void show_status(struct store_command *m, const char *endpoint, void *got)
{
	print_status(m, endpoint, got);
}

static void show_health(struct store_command *m, const char *endpoint, void *got)
{
	printf(m->json ? "{\"endpoint\":\"%s\",\"health\":true}\n" : "%s is healthy\n", endpoint);
}

static void show_hash(struct store_command *m, const char *endpoint, void *got)
{
	const Etcdpb__HashKVResponse *h = got;
	printf(m->json ? "{\"endpoint\":\"%s\",\"hash\":\"%08x\",\"revision\":%" PRId64
	                 ",\"compactedRevision\":%" PRId64 "}\n"
	               : "%s  hash %08x  revision %" PRId64 "  compacted %" PRId64 "\n",
	        endpoint, h->hash, h->hash_revision, h->compact_revision);
}

int store_endpoint_status(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__LeaseStatus empty = ETCDPB__LEASE_STATUS__INIT;
	if (store_command_load(&m, "endpoint status", "k3x-store endpoint status: what each endpoint says of itself",
	            NULL, 0, argc, argv) == 0)
		m.exit_code = each_endpoint(
		        &m, "Maintenance/Status", &empty.base, &etcdpb__status_response__descriptor, show_status);
	return store_command_end(&m);
}

int store_endpoint_health(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	r.key = store_bytes("health");
	if (store_command_load(&m, "endpoint health",
	            "k3x-store endpoint health: can each endpoint answer a consistent read? Exit code 0: all", NULL, 0,
	            argc, argv) == 0)
		m.exit_code = each_endpoint(&m, "KV/Range", &r.base, &etcdpb__range_response__descriptor, show_health);
	return store_command_end(&m);
}

int store_endpoint_hashkv(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__HashKVRequest r = ETCDPB__HASH_KVREQUEST__INIT;
	const struct flag more[] = {
	        {"rev", 0, FLAG_INT, &r.revision, NULL, "as of this revision (each one's newest)", NULL}};
	if (store_command_load(&m, "endpoint hashkv",
	            "k3x-store endpoint hashkv: the hash of what each endpoint keeps; replicas agree at one --rev",
	            more, 1, argc, argv) == 0)
		m.exit_code = each_endpoint(
		        &m, "Maintenance/HashKV", &r.base, &etcdpb__hash_kvresponse__descriptor, show_hash);
	return store_command_end(&m);
}

static void print_alarms(struct store_command *m, const Etcdpb__AlarmResponse *got)
{
	for (size_t i = 0; i < got->n_alarms; i++)
		printf(m->json ? "{\"member\":\"%016" PRIx64 "\",\"alarm\":\"%s\"}\n"
		               : "member %016" PRIx64 " alarm %s\n",
		        got->alarms[i]->memberid, got->alarms[i]->alarm == 1 ? "NOSPACE" : "CORRUPT");
}

int store_alarm_list(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__AlarmRequest r = ETCDPB__ALARM_REQUEST__INIT;
	Etcdpb__AlarmResponse *got = NULL;
	if (store_command_load(&m, "alarm list", "k3x-store alarm list: alarms that stand", NULL, 0, argc, argv) == 0)
		got = store_command_call(&m, "Maintenance/Alarm", &r.base, &etcdpb__alarm_response__descriptor);
	if (got)
		print_alarms(&m, got);
	return store_command_end(&m);
}

int store_alarm_disarm(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__AlarmRequest r = ETCDPB__ALARM_REQUEST__INIT;
	Etcdpb__AlarmResponse *standing = NULL;
	if (store_command_load(&m, "alarm disarm",
	            "k3x-store alarm disarm: take alarms down, once their cause is gone (room was made)", NULL, 0, argc,
	            argv) == 0)
		standing = store_command_call(&m, "Maintenance/Alarm", &r.base, &etcdpb__alarm_response__descriptor);
	for (size_t i = 0; standing && i < standing->n_alarms; i++) {
		r.action = 2;
		r.memberid = standing->alarms[i]->memberid;
		r.alarm = standing->alarms[i]->alarm;
		Etcdpb__AlarmResponse *got =
		        store_command_call(&m, "Maintenance/Alarm", &r.base, &etcdpb__alarm_response__descriptor);
		if (got)
			print_alarms(&m, got);
	}
	return store_command_end(&m);
}

int store_member_list(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__LeaseStatus empty = ETCDPB__LEASE_STATUS__INIT;
	Etcdpb__MemberListResponse *got = NULL;
	if (store_command_load(
	            &m, "member list", "k3x-store member list: the members of the cluster", NULL, 0, argc, argv) == 0)
		got = store_command_call(
		        &m, "Cluster/MemberList", &empty.base, &etcdpb__member_list_response__descriptor);
	for (size_t i = 0; got && i < got->n_members; i++) {
		Etcdpb__Member *x = got->members[i];
		printf(m.json ? "{\"id\":\"%016" PRIx64
		                "\",\"name\":\"%s\",\"peer\":\"%s\",\"client\":\"%s\",\"learner\":%s}\n"
		              : "%016" PRIx64 "  %s  peer %s  client %s  %s\n",
		        x->id, x->name, x->n_peerurls ? x->peerurls[0] : "", x->n_clienturls ? x->clienturls[0] : "",
		        m.json         ? (x->islearner ? "true" : "false")
		        : x->islearner ? "learner"
		                       : "voter");
	}
	return store_command_end(&m);
}

/* ---- snapshot save ---- */

/* The last 32 bytes must be the sha256 of the rest. */
static int verify(const char *path, int64_t size, struct err *err)
{
	unsigned char sum[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map = fd < 0 || size < 544 ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd >= 0)
		close(fd);
	if (map == MAP_FAILED)
		return err_set(err, ERR_IO, "the snapshot came incomplete (%" PRId64 " bytes)", size);
	pki_sha256(map, (size_t)size - 32, sum);
	bool same = memcmp((const char *)map + size - 32, sum, 32) == 0;
	munmap(map, (size_t)size);
	return same ? 0 : err_set(err, ERR_CORRUPT, "what came does not fit its sha256: try again");
}

static int64_t receive(struct store_call *call, FILE *f, const char *path, int64_t *revision, struct err *err)
{
	int64_t size = 0;
	for (;;) {
		struct arena a = ARENA_INIT;
		Etcdpb__SnapshotResponse *got = store_call_next(call, &etcdpb__snapshot_response__descriptor, &a, err);
		if (got && fwrite(got->blob.data, 1, got->blob.len, f) != got->blob.len)
			err_errno(err, errno, "write %s", path);
		if (got && !err->code) {
			size += (int64_t)got->blob.len;
			*revision = got->header ? got->header->revision : 0;
		}
		arena_release(&a);
		if (!got || err->code)
			return size;
	}
}

static int save(struct store_command *m, const char *path, int64_t *size, int64_t *revision, struct err *err)
{
	Etcdpb__LeaseStatus empty = ETCDPB__LEASE_STATUS__INIT;
	const char *part = arena_printf(&m->arena, "%s.part", path);
	FILE *f = fopen(part, "we");
	if (!f)
		return err_errno(err, errno, "make %s", part);
	struct store_call *call = store_call_open(m->client, "Maintenance/Snapshot", &empty.base);
	store_call_send_end(call);
	*size = receive(call, f, part, revision, err);
	store_call_close(call);
	if (fflush(f) != 0 || fsync(fileno(f)) != 0)
		err_errno(err, errno, "write %s", part);
	fclose(f);
	if (!err->code)
		verify(part, *size, err);
	if (!err->code && rename(part, path) != 0)
		err_errno(err, errno, "rename %s", part);
	if (err->code)
		unlink(part);
	return err->code;
}

int store_snapshot_save(int argc, char **argv)
{
	struct store_command m = {0};
	struct err err = ERR_INIT;
	int64_t size = 0, revision = 0;
	if (store_command_load(&m, "snapshot save",
	            "k3x-store snapshot save FILE: copy a running server's data, checked, beside FILE first", NULL, 0,
	            argc, argv) != 0 ||
	        store_command_wants(&m, 1, 1, "a FILE") != 0)
		return store_command_end(&m);
	const char *path = store_command_argument(&m, 0);
	if (save(&m, path, &size, &revision, &err) != 0)
		m.exit_code = store_tool_fail("snapshot save", &err);
	else
		printf(m.json ? "{\"file\":\"%s\",\"size\":%" PRId64 ",\"revision\":%" PRId64 "}\n"
		              : "saved %s (%" PRId64 " bytes, revision %" PRId64 ")\n",
		        path, size, revision);
	return store_command_end(&m);
}

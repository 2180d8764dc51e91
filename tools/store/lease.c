/* `k3x-store lease`: leases of a running server. */
#include "tools/store/command_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
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

static json_t *id_of(int64_t id)
{
	return json_sprintf("%016" PRIx64, id);
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
	if (got && m.json)
		json_lib_print(stdout, json_pack("{s:o, s:I}", "id", id_of(got->id), "ttl", (json_int_t)got->ttl));
	else if (got)
		printf("lease %016" PRIx64 " granted with TTL(%" PRId64 "s)\n", got->id, got->ttl);
	return store_command_end(&m);
}

int store_lease_revoke(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__LeaseRevokeRequest r = ETCDPB__LEASE_REVOKE_REQUEST__INIT;
	if (store_command_load(&m, "lease revoke", "k3x-store lease revoke ID: end a lease and delete its keys", NULL,
	            0, argc, argv) == 0 &&
	        store_command_wants(&m, 1, 1, "an ID") == 0 && lease_id(&m, &r.id) &&
	        store_command_call(&m, "Lease/LeaseRevoke", &r.base, &etcdpb__header_response__descriptor)) {
		if (m.json)
			json_lib_print(stdout, json_pack("{s:o}", "revoked", id_of(r.id)));
		else
			printf("lease %016" PRIx64 " revoked\n", r.id);
	}
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
		json_lib_print(
		        stdout, json_pack("{s:o, s:I, s:I, s:I}", "id", id_of(got->id), "ttl", (json_int_t)got->ttl,
		                        "grantedTTL", (json_int_t)got->grantedttl, "keys", (json_int_t)got->n_keys));
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
	json_t *list = json_array();
	for (size_t i = 0; got && i < got->n_leases; i++) {
		if (m.json)
			json_array_append_new(list, id_of(got->leases[i]->id));
		else
			printf("%016" PRIx64 "\n", got->leases[i]->id);
	}
	if (got && m.json)
		json_lib_print(stdout, json_pack("{s:O}", "leases", list));
	json_decref(list);
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

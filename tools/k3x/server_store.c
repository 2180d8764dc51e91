/* The store that `k3x server` keeps its state in: a raft group, of this server alone unless others join.
 *
 * server/db/cluster and server/db/member hold the ids, server/db/peers says that the peer port is open: from the first
 * --cluster-init or --server on, for a server that was given one once and is started without it has peers that wait for
 * it. server/db/begun says that it has had a log: a server with peers whose log is gone must not begin another one
 * under the same name, for it would vote a second time on what it has voted on. Peers talk TLS 1.3 both ways, each with
 * a certificate of the peers' CA that names its member, so nobody who merely reaches the port says a word, and no
 * server passes for another. */
#include "tools/k3x/server_store.h"

#include "base/check.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "base/wire/tls.h"
#include "base/wire/url.h"
#include "store/engine/external.h"
#include "tools/k3x/keys/server_pki.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* 16 hex digits in a file; drawn and kept at the first start. */
static int need_id(const char *path, uint64_t *ret, struct err *err)
{
	char text[24], *bytes;
	size_t len;
	if (access(path, F_OK) == 0) {
		if (pki_file_read(path, &bytes, &len, err) != 0)
			return err->code;
		*ret = strtoull(bytes, NULL, 16);
		free(bytes);
		return *ret ? 0 : err_set(err, ERR_CORRUPT, "%s does not hold an id of 16 hex digits", path);
	}
	while (!*ret)
		pki_random(ret, sizeof *ret);
	int n = snprintf(text, sizeof text, "%016" PRIx64 "\n", *ret);
	return pki_file_write(path, (struct slice){text, (size_t)n}, 0600, err);
}

int server_store_identify(struct server_settings *s, struct err *err)
{
	const char *peers = server_file(s, "server/db/peers");
	if (need_id(server_file(s, "server/db/cluster"), &s->cluster_id, err) != 0 ||
	        need_id(server_file(s, "server/db/member"), &s->member_id, err) != 0)
		return err->code;
	s->has_peers = access(peers, F_OK) == 0;
	if (s->has_peers || !(s->cluster_init || s->join_url))
		return 0;
	s->has_peers = true;
	return pki_file_write(peers, SLICE("the peer port is open\n"), 0600, err);
}

/* ---- peers ---- */

const char *server_peer_address(struct server_settings *s)
{
	return arena_printf(&s->arena, "https://%s", url_authority(&s->arena, s->node_ip, SERVER_PEER_PORT));
}

static int open_tls(struct server_settings *s, struct server_store *o, struct err *err)
{
	struct tls_options t = {.is_server = true,
	        .certificate_file = server_file(s, "%s.crt", SERVER_PEER_LEAF),
	        .key_file = server_file(s, "%s.key", SERVER_PEER_LEAF),
	        .ca_file = server_file(s, "server/tls/etcd/peer-ca.crt"),
	        .min_version = "VersionTLS13",
	        .require_client_certificate = true};
	if (tls_context_new(&t, &o->server_tls, err) != 0)
		return err_wrap(err, "certificate for peers");
	t.is_server = false;
	return tls_context_new(&t, &o->access.client_tls, err) == 0 ? 0 : err_wrap(err, "certificate for peers");
}

void server_store_reload_tls(struct server_store *o)
{
	struct err err = ERR_INIT;
	if (o->server_tls &&
	        (tls_context_reload(o->server_tls, &err) != 0 || tls_context_reload(o->access.client_tls, &err) != 0))
		log_error("server", "cannot load the renewed certificate for peers", "error=\"%s\"", err.msg);
}

void server_store_watch_removal(struct server_store *o, void (*removed)(void *arg), void *arg)
{
	if (o->server_tls) /* it has peers */
		o->removal = removal_watch_start(raft_engine_of(o->engine), o->address, &o->access, removed, arg);
}

/* ---- life ---- */

static int check_log(struct server_settings *s, bool is_joining, struct err *err)
{
	bool has_log = access(server_file(s, "server/db/raft"), F_OK) == 0;
	if (!s->has_peers || is_joining || has_log || access(server_file(s, "server/db/begun"), F_OK) != 0)
		return 0;
	return err_set(err, ERR_CORRUPT,
	        "%s has lost its log (server/db/raft): empty it and join the other servers again with --server and "
	        "--token, or, when there are none, --cluster-reset-restore-path a snapshot",
	        s->data_dir);
}

static int open_external(struct server_settings *s, struct server_store *o, struct err *err)
{
	struct external_options e = {.endpoint = s->datastore_endpoint,
	        .ca_file = s->datastore_ca,
	        .certificate_file = s->datastore_certificate,
	        .key_file = s->datastore_key,
	        .data_dir = server_file(s, "server/datastore")};
	if (s->has_peers || access(server_file(s, "server/db/state.db"), F_OK) == 0)
		return err_set(err, ERR_INVAL,
		        "%s holds a cluster's state of its own: move it with k3x-store migrate and remove server/db, "
		        "or leave "
		        "--datastore-endpoint out",
		        s->data_dir);
	return external_engine_open(&e, &o->engine, err);
}

int server_store_open(struct server_settings *s, bool is_joining, struct server_store *o, struct err *err)
{
	if (s->datastore_endpoint)
		return open_external(s, o, err);
	struct raft_host_server self = {.role = RAFT_HOST_VOTER, .id = s->member_id};
	if (check_log(s, is_joining, err) != 0 || (s->has_peers && open_tls(s, o, err) != 0))
		return err->code;
	self.address = o->address = server_peer_address(s);
	o->answers.cluster_id = s->cluster_id;
	struct raft_engine_options e = {.data_dir = server_file(s, "server/db"),
	        .cluster_id = s->cluster_id,
	        .id = s->member_id,
	        .address = o->address,
	        .listen_host = s->has_peers ? s->node_ip : NULL,
	        .listen_port = SERVER_PEER_PORT,
	        .follows_addresses = true,
	        .server_tls = o->server_tls,
	        .access = o->access,
	        .bootstrap = is_joining ? NULL : &self,
	        .n_bootstrap = is_joining ? 0 : 1,
	        .question = serve_answer,
	        .arg = &o->answers};
	if (raft_engine_open(&e, &o->engine, err) != 0)
		return err->code;
	atomic_store(&o->answers.engine, raft_engine_of(o->engine));
	if (s->has_peers &&
	        pki_file_write(server_file(s, "server/db/begun"), SLICE("there was a log\n"), 0600, err) != 0)
		return err->code;
	if (s->has_peers)
		log_info("server", "peers are served", "address=%s member=%016" PRIx64 " cluster=%016" PRIx64,
		        o->address, s->member_id, s->cluster_id);
	return 0;
}

void server_store_close(struct server_store *o)
{
	if (o->removal)
		removal_watch_stop(o->removal);
	if (o->engine)
		store_close(o->engine);
	tls_context_unref(o->server_tls);
	tls_context_unref(o->access.client_tls);
	*o = (struct server_store){0};
}

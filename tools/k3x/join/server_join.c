/* How a server joins:
 *
 *     GET /cacerts          from whoever is there; its hash is compared with the token's before more is sent
 *     GET server-bootstrap  with the token, over TLS that this CA vouches for: versions, settings, members, keys
 *     write                 server/joining, the token, the keys, the cluster's id
 *     open the store        without a log: the peer port answers
 *     POST server-join      it is added, as a standby; repeated until it is
 *     promote               repeated until it has caught up and has a vote
 *     read                  what the cluster answers: the vote is committed then, and not taken back
 *     remove server/joining
 *
 * server/joining is the first that is written and the last that goes, so a start after a crash anywhere in between goes
 * on, and every step may be done twice. Until it has had a log, nothing is lost by doing it all again. From then on (it
 * may have a vote, and the others may be unable to do anything without it) it asks nobody for what it has: it opens
 * its store first, so that the others hear from it, and asks only for what it is not yet. For that it needs neither
 * --server nor --token again. Without server/joining, what is in server/db is a member's: --server is then only
 * compared (a token of another cluster is told), and nothing of it need be up.
 *
 * What can go wrong: a wrong token or CA, a clock that is far off, versions or settings that do not fit, a data
 * directory that has another cluster in it, a name or address that another server has, a peer port that is closed on
 * either side, a full disk. Each is an error that says so, here and in the log of the server that was asked; what may
 * pass (another one joins, no leader, a port that is not open yet) is waited for. */
#include "tools/k3x/join/server_join.h"

#include "api/server/join/words.h"
#include "base/check.h"
#include "base/file/file_sync.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "base/stop_point.h"
#include "store/ask.h"
#include "tools/k3x/join/join_contact.h"
#include "tools/k3x/keys/server_keys.h"
#include "tools/k3x/server_store.h"

#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { RETRY_MS = 500, TELL_TRIES = 20, JOIN_S_MAX = 120, PEER_ASK_MS = 3000 };

struct joiner {
	struct server_settings *settings;
	struct join_contact contact;
	struct join_offer offer;
};

/* ---- what the other server says ---- */

static int call(struct joiner *j, const char *method, const char *path, struct slice body, struct strbuf *answer,
        struct err *err)
{
	return join_contact_call(&j->contact, method, path, body, NULL, 0, answer, err);
}

static int fetch_offer(struct joiner *j, struct err *err)
{
	struct strbuf answer = STRBUF_INIT;
	struct join_settings ours = server_join_settings(j->settings);
	for (int i = 0; i < TELL_TRIES; i++) {
		*err = ERR_INIT;
		if (call(j, "GET", "/v1-k3x/server-bootstrap", SLICE(""), &answer, err) == 0 ||
		        !err_may_retry(err->code))
			break;
		usleep(RETRY_MS * 1000);
	}
	if (!err->code && join_offer_parse(&j->settings->arena, strbuf_slice(&answer), &j->offer, err) != 0)
		err_wrap(err, "what %s answered", j->settings->join_url);
	strbuf_release(&answer);
	if (err->code || join_check_versions(K3X_KUBE_VERSION, j->offer.protocol, j->offer.kubernetes, err) != 0)
		return err->code;
	return join_check_settings(&ours, &j->offer.settings, err);
}

/* ---- here ---- */

static const char *marker(struct server_settings *s)
{
	return server_file(s, "server/joining");
}

static bool is_there(struct server_settings *s, const char *place)
{
	return access(server_file(s, "%s", place), F_OK) == 0;
}

static int write_cluster_id(struct server_settings *s, uint64_t id, struct err *err)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%016" PRIx64 "\n", id);
	return pki_file_write(server_file(s, "server/db/cluster"), (struct slice){text, (size_t)n}, 0600, err);
}

static int write_all(struct joiner *j, struct err *err)
{
	struct server_settings *s = j->settings;
	if (pki_file_write(marker(s), slice_of(s->join_url), 0600, err) != 0)
		return err->code;
	stop_point(STOP_JOIN_MARKED);
	if (server_keys_write(s, j->offer.keys, j->contact.token.secret, err) != 0)
		return err->code;
	stop_point(STOP_JOIN_KEYS);
	if (write_cluster_id(s, j->offer.cluster_id, err) != 0)
		return err->code;
	stop_point(STOP_JOIN_IDENTIFIED);
	return 0;
}

static bool has_begun_to_join(struct server_settings *s)
{
	return access(marker(s), F_OK) == 0;
}

/* It has had a log: it may be a member by now. */
static bool may_be_member(struct server_settings *s)
{
	return has_begun_to_join(s) && is_there(s, "server/db/begun");
}

static int read_line(struct server_settings *s, const char *place, const char **ret, struct err *err)
{
	struct slice text;
	if (server_file_read(s, place, &text, err) != 0)
		return err->code;
	while (text.len && text.ptr[text.len - 1] == '\n')
		text.len--;
	*ret = arena_memdup(&s->arena, text.ptr, text.len);
	return 0;
}

/* What it was told when it began; flags may say another server of the same cluster. */
static int go_on(struct server_settings *s, struct err *err)
{
	if ((!s->join_url && read_line(s, "server/joining", &s->join_url, err) != 0) ||
	        (!s->token && read_line(s, "server/token", &s->token, err) != 0))
		return err_wrap(err, "joining");
	log_info("join", "goes on where it was interrupted", "server=%s", s->join_url);
	return 0;
}

/* Has this directory data that no joining has put there? */
static int look(struct server_settings *s, bool *is_joining, struct err *err)
{
	bool has_data = is_there(s, "server/db/cluster"), was_joining = has_begun_to_join(s);
	*is_joining = may_be_member(s) || (s->join_url && (was_joining || !has_data));
	if (!*is_joining && was_joining)
		return err_set(err, ERR_INVAL,
		        "this server has begun to join a cluster and is no member yet: start it with --server and "
		        "--token "
		        "again (or empty %s)",
		        s->data_dir);
	if (s->join_url && has_data && !was_joining && !is_there(s, "server/db/peers"))
		return err_set(err, ERR_INVAL,
		        "--server: %s holds a cluster of this server's own: leave the flag out to go on with that, or "
		        "give "
		        "--data-dir an empty folder to join the other",
		        s->data_dir);
	return 0;
}

int server_join_begin(struct server_settings *s, bool *is_joining, struct err *err)
{
	struct joiner j = {.settings = s, .contact = {.url = s->join_url, .user = "server"}};
	if (look(s, is_joining, err) != 0 || !*is_joining)
		return err->code;
	if (may_be_member(s))
		return go_on(s, err);
	int rc = join_token_parse(slice_of(s->token), &j.contact.token, err);
	if (rc == 0)
		rc = join_contact_meet(&j.contact, err);
	if (rc == 0)
		rc = fetch_offer(&j, err);
	if (rc == 0)
		rc = write_all(&j, err);
	join_contact_release(&j.contact);
	if (rc != 0)
		return err_wrap(err, "joining");
	log_info("join", "the cluster's keys are here", "server=%s cluster=%016" PRIx64 " members=%zu", s->join_url,
	        j.offer.cluster_id, j.offer.n_members);
	return 0;
}

/* ---- becoming a member ---- */

static int load_ca(struct joiner *j, struct err *err)
{
	char *text;
	size_t len;
	if (pki_file_read(server_file(j->settings, "server/tls/server-ca.crt"), &text, &len, err) != 0)
		return err->code;
	strbuf_add(&j->contact.ca, text, len);
	free(text);
	return join_token_parse(slice_of(j->settings->token), &j->contact.token, err);
}

static int ask_to_be_added(struct joiner *j, struct server_store *store, struct err *err)
{
	struct strbuf text = STRBUF_INIT, answer = STRBUF_INIT;
	struct join_ask ask = {.member_id = j->settings->member_id,
	        .name = j->settings->node_name,
	        .address = store->address,
	        .kubernetes = K3X_KUBE_VERSION,
	        .protocol = JOIN_PROTOCOL};
	join_ask_write(&ask, &text);
	call(j, "POST", "/v1-k3x/server-join", strbuf_slice(&text), &answer, err);
	strbuf_release(&text);
	strbuf_release(&answer);
	return err->code;
}

/* The others are reached from here, or nothing will come of it: at least one of those that are members must be. */
static int check_peers(struct joiner *j, struct server_store *store, struct err *err)
{
	struct strbuf answer = STRBUF_INIT;
	struct err last = ERR_INIT;
	int rc = call(j, "GET", "/v1-k3x/server-bootstrap", SLICE(""), &answer, err);
	if (rc == 0)
		rc = join_offer_parse(&j->settings->arena, strbuf_slice(&answer), &j->offer, err);
	bool is_reached = false;
	for (size_t i = 0; rc == 0 && i < j->offer.n_members && !is_reached; i++) {
		strbuf_reset(&answer);
		last = ERR_INIT;
		is_reached = strcmp(j->offer.members[i], store->address) != 0 &&
		             raft_node_ask(j->offer.members[i], &store->access, slice_of(store->address), PEER_ASK_MS,
		                     &answer, &last) == 0;
	}
	strbuf_release(&answer);
	if (rc != 0 || is_reached)
		return rc;
	return err_set(err, ERR_TIMEOUT,
	        "no server's peer port can be reached from here (port %d, open it in the firewall between the "
	        "servers): %s",
	        SERVER_PEER_PORT, last.msg);
}

struct promotion {
	struct raft_engine_change change;
	sem_t done;
};

static void promoted(struct raft_engine_change *c)
{
	sem_post(&CONTAINER_OF(c, struct promotion, change)->done);
}

static int promote(struct server_store *store, uint64_t id, struct loop *loop, struct err *err)
{
	struct promotion p = {.change = {.kind = RAFT_ENGINE_PROMOTE, .id = id, .loop = loop, .done = promoted}};
	sem_init(&p.done, 0, 0);
	raft_engine_change_members(raft_engine_of(store->engine), &p.change);
	while (sem_wait(&p.done) != 0)
		;
	sem_destroy(&p.done);
	*err = p.change.err;
	return err->code;
}

/* What its own log says it is: RAFT_HOST_SPARE when there is nothing of it in it. */
static enum raft_host_role own_role(struct server_store *store, bool *ret_is_led)
{
	struct raft_node_status s;
	raft_engine_status(raft_engine_of(store->engine), &s);
	*ret_is_led = s.leader != 0;
	for (size_t i = 0; i < s.n_members; i++)
		if (s.members[i].id == s.id)
			return s.members[i].role;
	return RAFT_HOST_SPARE;
}

/* A vote that the log here says it has may not be committed, and be taken back: not once the cluster has answered. */
static bool has_vote(struct server_store *store)
{
	struct store_question q = {.req.type = STORE_REQUEST_SYSTEM_READ};
	bool is_led, has;
	if (own_role(store, &is_led) != RAFT_HOST_VOTER || !is_led)
		return false;
	q.req.system.prefix = SLICE(JOIN_NAMES_PREFIX);
	has = store_ask(store->engine, &q) == 0 && own_role(store, &is_led) == RAFT_HOST_VOTER;
	store_request_release(&q.req);
	return has;
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

/* What may pass is tried again; the rest is the end. Waiting is told once, and then now and then. */
static bool may_pass(const struct err *err)
{
	return err_may_retry(err->code) || err->code == ERR_CONFLICT || err->code == ERR_IO;
}

static void tell(unsigned tries, const char *what, const struct err *err)
{
	if (tries % TELL_TRIES == 0)
		log_info("join", what, "why=\"%s\"", err->msg);
}

/* One that has a vote waits for the others as long as any member does; they may wait for it. */
static bool is_over(struct server_store *store, unsigned tries, const struct err *err)
{
	bool is_led;
	return !may_pass(err) ||
	       (tries * (unsigned)RETRY_MS > JOIN_S_MAX * 1000u && own_role(store, &is_led) != RAFT_HOST_VOTER);
}

static int be_added(struct joiner *j, struct server_store *store, struct err *err)
{
	bool is_led;
	for (unsigned tries = 0;; tries++) {
		*err = ERR_INIT;
		if (own_role(store, &is_led) != RAFT_HOST_SPARE && is_led)
			return 0; /* it was, before it was interrupted */
		if (check_peers(j, store, err) == 0 && ask_to_be_added(j, store, err) == 0)
			return 0;
		if (is_over(store, tries, err))
			return err->code;
		tell(tries, "waiting to be added", err);
		usleep(RETRY_MS * 1000);
	}
}

static int be_promoted(struct joiner *j, struct server_store *store, struct loop *loop, struct err *err)
{
	for (unsigned tries = 0; !has_vote(store); tries++) {
		*err = ERR_INIT;
		promote(store, j->settings->member_id, loop, err);
		if (err->code == ERR_NOT_FOUND)
			return err_set(err, ERR_CONFLICT, "this server was removed from the cluster while it joined");
		tell(tries + 1, "waiting to catch up", err);
		if (!has_vote(store))
			usleep(RETRY_MS * 1000 / 5);
	}
	*err = ERR_INIT;
	return 0;
}

int server_join_finish(struct server_settings *s, struct server_store *store, struct err *err)
{
	struct joiner j = {.settings = s, .contact = {.url = s->join_url, .user = "server"}};
	struct loop loop;
	loop_init(&loop, "joining");
	loop_start_thread(&loop);
	int rc = load_ca(&j, err);
	stop_point(STOP_JOIN_OPENED);
	if (rc == 0)
		rc = be_added(&j, store, err);
	stop_point(STOP_JOIN_ADDED);
	if (rc == 0)
		rc = be_promoted(&j, store, &loop, err);
	stop_point(STOP_JOIN_PROMOTED);
	loop_call(&loop, stop_loop, &loop);
	loop_join(&loop);
	loop_release(&loop);
	join_contact_release(&j.contact);
	if (rc != 0)
		return err_wrap(err, "joining");
	log_info("join", "this server is a member with a vote", "member=%016" PRIx64 " address=%s", s->member_id,
	        store->address);
	if (unlink(marker(s)) != 0)
		return err_errno(err, errno, "remove %s", marker(s));
	/* A power cut would bring it back: a member that waits to be told it may join, by those who wait for its vote.
	 */
	return file_sync_folder(marker(s), err);
}

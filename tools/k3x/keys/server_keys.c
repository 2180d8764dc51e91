/* See server_keys.h. In the store the keys lie as one JSON object, place to text, sealed under the token's secret
 * (base/pki/pki_seal.c), at JOIN_KEYS_KEY of the system keyspace: replicated, in every snapshot, and no part of the
 * data. So a server that joins, or a machine that a snapshot is restored to, needs the token alone.
 *
 * When keys or token change (server_rotate.c), those who are servers already are told by a second text, sealed under
 * what they all have and what is never changed, the key of the peers' CA that the cluster began with: also one that was
 * down meanwhile, and that knows the old token alone. Once the peers have another CA it lies beside it, as seal.key.
 *
 * What is followed is written down first (server/tls/following), and a start does what a crash has left of it: a key
 * beside the certificate of another would be the end of the server.
 *
 * What can go wrong: another token (told as such), a place that is none of ours or a text that is no PEM (refused: a
 * server writes nowhere else because the store says so), a CA here that is another cluster's (refused). */
#include "tools/k3x/keys/server_keys.h"

#include "api/server/auth/identity/join_token.h"
#include "api/server/join/words.h"
#include "base/check.h"
#include "base/file/file_sync.h"
#include "base/json_lib.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "base/stop_point.h"
#include "store/ask.h"
#include "store/engine.h"
#include "tools/k3x/keys/server_encryption.h"
#include "tools/k3x/server_store.h"
#include "tools/k3x/keys/server_token.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEY_BYTES_MAX = 64 * 1024, RETRY_MS = 2000 };

#define CA_PLACE "server/tls/server-ca.crt"
#define PEER_KEY_PLACE "server/tls/etcd/peer-ca.key"
#define FOLLOWING_PLACE "server/tls/following"

enum form { IS_PEM, IS_TOKEN, IS_JSON };

/* The CA that the token names is the last to be written: where it is, all are. */
static const struct {
	const char *place;
	unsigned mode;
	bool is_optional;
	enum form form;
	unsigned change; /* SERVER_KEYS_*: what it is a change of */
} places[] = {
        {"server/agent-token", 0600, true, IS_TOKEN, SERVER_KEYS_TOKEN},
        {ENCRYPTION_STATE_PLACE, 0600, true, IS_JSON, SERVER_KEYS_ENCRYPTION},
        {ENCRYPTION_CONFIG_PLACE, 0600, true, IS_JSON, SERVER_KEYS_ENCRYPTION},
        {"server/tls/service.key", 0600, false, IS_PEM, SERVER_KEYS_SERVICE},
        {"server/tls/client-ca.key", 0600, false, IS_PEM, SERVER_KEYS_CLIENT_CA},
        {"server/tls/client-ca.crt", 0644, false, IS_PEM, SERVER_KEYS_CLIENT_CA},
        {"server/tls/request-header-ca.key", 0600, true, IS_PEM, SERVER_KEYS_PROXY_CA},
        {"server/tls/request-header-ca.crt", 0644, true, IS_PEM, SERVER_KEYS_PROXY_CA},
        {SERVER_KEYS_SEAL_PLACE, 0600, true, IS_PEM, SERVER_KEYS_PEER_CA},
        {PEER_KEY_PLACE, 0600, false, IS_PEM, SERVER_KEYS_PEER_CA},
        {"server/tls/etcd/peer-ca.crt", 0644, false, IS_PEM, SERVER_KEYS_PEER_CA},
        {"server/tls/server-ca.key", 0600, false, IS_PEM, SERVER_KEYS_SERVER_CA},
        {CA_PLACE, 0644, false, IS_PEM, SERVER_KEYS_SERVER_CA},
};
_Static_assert(COUNT_OF(places) <= SERVER_KEYS_MAX, "there is room for each");

#define SECRET_NAME "secret"

/* ---- as text ---- */

static const struct server_key *changed_key(const struct server_keys_change *c, const char *place)
{
	for (size_t i = 0; c && i < c->n; i++)
		if (strcmp(c->keys[i].place, place) == 0)
			return &c->keys[i];
	return NULL;
}

static int pack_one(struct server_settings *s, const struct server_keys_change *c, size_t i, json_t *v, struct err *err)
{
	const char *path = server_file(s, "%s", places[i].place);
	const struct server_key *instead = changed_key(c, places[i].place);
	char *text;
	size_t len;
	if (instead) {
		json_lib_set_str(v, places[i].place, instead->text);
		return 0;
	}
	if (places[i].is_optional && access(path, F_OK) != 0)
		return 0;
	if (pki_file_read(path, &text, &len, err) != 0)
		return err->code;
	json_lib_set_str(v, places[i].place, (struct slice){text, len});
	free(text);
	return 0;
}

/* With the secret only where it is told: under a seal that those who have it can open anyway. */
static int pack(struct server_settings *s, const struct server_keys_change *c, struct slice secret, struct strbuf *out,
        struct err *err)
{
	json_auto_t *v = json_object();
	for (size_t i = 0; i < COUNT_OF(places); i++)
		if (pack_one(s, c, i, v, err) != 0)
			return err->code;
	if (secret.len)
		json_lib_set_str(v, SECRET_NAME, secret);
	json_lib_write(out, v);
	return 0;
}

static bool is_sound(struct slice text, enum form form)
{
	struct join_token t;
	struct err unused = ERR_INIT;
	if (!text.len || text.len > KEY_BYTES_MAX || memchr(text.ptr, 0, text.len))
		return false;
	if (form == IS_TOKEN)
		return join_token_parse(text, &t, &unused) == 0;
	return slice_starts(text, form == IS_JSON ? "{" : "-----BEGIN ");
}

int server_keys_parse(
        struct arena *a, struct slice text, struct server_key ret[SERVER_KEYS_MAX], size_t *n, struct err *err)
{
	json_auto_t *v = json_lib_parse(text, err);
	*n = 0;
	if (!v)
		return err->code;
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		struct slice x = json_lib_get_str(v, places[i].place);
		if (!x.ptr && places[i].is_optional)
			continue;
		if (!is_sound(x, places[i].form))
			return err_set(err, ERR_INVAL, "the cluster's keys: %s is missing or broken", places[i].place);
		ret[(*n)++] = (struct server_key){places[i].place, {arena_memdup(a, x.ptr, x.len), x.len}};
	}
	return 0;
}

/* ---- as files ---- */

static unsigned mode_of(const char *place)
{
	for (size_t i = 0; i < COUNT_OF(places); i++)
		if (strcmp(places[i].place, place) == 0)
			return places[i].mode;
	return 0600;
}

/* Is what is there, if anything, the same? */
static int compare(struct server_settings *s, const struct server_key *k, struct err *err)
{
	const char *path = server_file(s, "%s", k->place);
	char *text;
	size_t len;
	if (access(path, F_OK) != 0)
		return 0;
	if (pki_file_read(path, &text, &len, err) != 0)
		return err->code;
	bool same = slice_eq((struct slice){text, len}, k->text);
	free(text);
	return same ? 0
	            : err_set(err, ERR_CONFLICT,
	                      "%s is of another cluster: give --data-dir an empty folder (or empty this one, when what "
	                      "is in "
	                      "it is of no more use)",
	                      path);
}

/* server/token, in its full form, before the keys: it is checked against the flag from then on. */
static int write_token(struct server_settings *s, struct slice ca, struct slice secret, struct err *err)
{
	struct strbuf text = STRBUF_INIT;
	char hash[65];
	pki_sha256_hex(ca.ptr, ca.len, hash);
	strbuf_addf(&text, "K10%s::server:", hash);
	strbuf_add_slice(&text, secret);
	strbuf_addc(&text, '\n');
	int rc = pki_file_write(server_file(s, "server/token"), strbuf_slice(&text), 0600, err);
	strbuf_release(&text);
	return rc;
}

/* The token, then the keys, and nothing of either where another cluster's are. */
static int write_all(
        struct server_settings *s, const struct server_key *keys, size_t n, struct slice secret, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (compare(s, &keys[i], err) != 0)
			return err->code;
	if (write_token(s, keys[n - 1].text, secret, err) != 0)
		return err->code;
	for (size_t i = 0; i < n; i++)
		if (pki_file_write(server_file(s, "%s", keys[i].place), keys[i].text, mode_of(keys[i].place), err) != 0)
			return err->code;
	return 0;
}

int server_keys_write(struct server_settings *s, struct slice sealed, struct slice secret, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct strbuf plain = STRBUF_INIT;
	struct server_key keys[SERVER_KEYS_MAX];
	size_t n = 0;
	int rc = pki_unseal(secret, sealed, &plain, err);
	if (rc != 0)
		err_wrap(err, "the cluster's keys don't open with this token's secret");
	if (rc == 0)
		rc = server_keys_parse(&a, strbuf_slice(&plain), keys, &n, err);
	if (rc == 0)
		rc = write_all(s, keys, n, secret, err);
	strbuf_release(&plain);
	arena_release(&a);
	return rc;
}

/* ---- in the store ---- */

static int recover_from(struct server_settings *s, struct engine *store, struct err *err)
{
	struct store_question a = {.req.type = STORE_REQUEST_SYSTEM_READ};
	struct join_token token;
	a.req.system.prefix = SLICE(JOIN_KEYS_KEY);
	a.req.system.is_local = true;
	if (join_token_parse(slice_of(s->token), &token, err) != 0)
		return err->code;
	if (store_ask(store, &a) != 0)
		*err = a.req.err;
	else if (a.req.system.n_entries != 1)
		err_set(err, ERR_NOT_FOUND,
		        "the store has no keys of the cluster: put server/tls of one of its servers back");
	else
		server_keys_write(s, a.req.system.entries[0].value, token.secret, err);
	store_request_release(&a.req);
	return err->code;
}

/* ---- a change ---- */

int server_keys_read_seal(struct server_settings *s, struct slice *ret, struct err *err)
{
	bool has_own = access(server_file(s, SERVER_KEYS_SEAL_PLACE), F_OK) == 0;
	return server_file_read(s, has_own ? SERVER_KEYS_SEAL_PLACE : PEER_KEY_PLACE, ret, err);
}

int server_keys_seal(struct server_settings *s, const struct server_keys_change *c, struct strbuf *for_joining,
        struct strbuf *for_members, struct err *err)
{
	struct strbuf plain = STRBUF_INIT;
	struct slice secret = c ? c->secret : SLICE_NULL, seal;
	if ((secret.len || server_token_secret(s, &secret, err) == 0) && server_keys_read_seal(s, &seal, err) == 0 &&
	        pack(s, c, SLICE_NULL, &plain, err) == 0) {
		pki_seal(secret, strbuf_slice(&plain), for_joining);
		strbuf_reset(&plain);
		if (for_members && pack(s, c, secret, &plain, err) == 0)
			pki_seal(seal, strbuf_slice(&plain), for_members);
	}
	strbuf_release(&plain);
	return err->code;
}

static unsigned change_of(const char *place)
{
	for (size_t i = 0; i < COUNT_OF(places); i++)
		if (strcmp(places[i].place, place) == 0)
			return places[i].change;
	return 0;
}

/* is_trial: *changed says what would be, and nothing is. */
static int follow_key(
        struct server_settings *s, const struct server_key *k, bool is_trial, unsigned *changed, struct err *err)
{
	const char *path = server_file(s, "%s", k->place);
	char *text = NULL;
	size_t len = 0;
	bool same = access(path, F_OK) == 0 && pki_file_read(path, &text, &len, err) == 0 &&
	            slice_eq((struct slice){text, len}, k->text);
	free(text);
	if (same || err->code)
		return err->code;
	if (!change_of(k->place))
		return err_set(err, ERR_CONFLICT, "%s is not what the other servers have: empty %s and join again",
		        path, s->data_dir);
	if (*changed && !is_trial)
		stop_point(STOP_KEYS_HALF);
	*changed |= change_of(k->place);
	return is_trial ? 0 : pki_file_write(path, k->text, mode_of(k->place), err);
}

static int follow_token(struct server_settings *s, struct slice ca, struct slice secret, bool is_trial,
        unsigned *changed, struct err *err)
{
	struct slice have = SLICE_NULL;
	if (server_token_secret(s, &have, err) != 0)
		return err->code;
	if (!pki_equal(have, secret))
		*changed |= SERVER_KEYS_TOKEN;
	return !is_trial && *changed & (SERVER_KEYS_TOKEN | SERVER_KEYS_SERVER_CA) ? write_token(s, ca, secret, err)
	                                                                           : 0;
}

static int follow_all(struct server_settings *s, struct slice plain, bool is_trial, unsigned *changed, struct err *err)
{
	struct server_key keys[SERVER_KEYS_MAX];
	struct arena a = ARENA_INIT;
	size_t n = 0;
	json_auto_t *v = json_lib_parse(plain, err);
	struct slice secret = json_lib_get_str(v, SECRET_NAME);
	int rc = v ? server_keys_parse(&a, plain, keys, &n, err) : err->code;
	if (rc == 0 && !secret.len)
		rc = err_set(err, ERR_INVAL, "the cluster's keys: there is no token among them");
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = follow_key(s, &keys[i], is_trial, changed, err);
	if (rc == 0)
		rc = follow_token(s, keys[n - 1].text, secret, is_trial, changed, err);
	arena_release(&a);
	return rc;
}

static int follow_durably(struct server_settings *s, struct slice plain, unsigned *changed, struct err *err)
{
	const char *following = server_file(s, FOLLOWING_PLACE);
	unsigned would = 0;
	/* What can't be read is not written down, and keys that are in place lie in no other file. */
	if (follow_all(s, plain, true, &would, err) != 0)
		return err->code;
	if (would &&
	        (pki_file_write(following, plain, 0600, err) != 0 || follow_all(s, plain, false, changed, err) != 0))
		return err->code;
	stop_point(STOP_KEYS_DONE);
	if (unlink(following) != 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "remove %s", following);
	return file_sync_folder(following, err);
}

int server_keys_follow(struct server_settings *s, struct slice for_members, unsigned *changed, struct err *err)
{
	struct strbuf plain = STRBUF_INIT;
	struct slice seal;
	*changed = 0;
	int rc = server_keys_read_seal(s, &seal, err);
	if (rc == 0)
		rc = pki_unseal(seal, for_members, &plain, err);
	if (rc == 0)
		rc = follow_durably(s, strbuf_slice(&plain), changed, err);
	strbuf_release(&plain);
	return rc == 0 ? 0 : err_wrap(err, "what the servers were told of new keys");
}

int server_keys_resume(struct server_settings *s, struct err *err)
{
	unsigned changed = 0;
	struct slice plain;
	if (access(server_file(s, FOLLOWING_PLACE), F_OK) != 0)
		return 0;
	if (server_file_read(s, FOLLOWING_PLACE, &plain, err) != 0 || follow_durably(s, plain, &changed, err) != 0)
		return err_wrap(err, "new keys that were being written when this server was stopped");
	log_info("server", "new keys, half written when this server was stopped, are in place", "keys=%#x", changed);
	return 0;
}

int server_keys_recover(struct server_settings *s, struct err *err)
{
	struct server_store store = {0};
	struct server_settings alone = *s;
	if (access(server_file(s, CA_PLACE), F_OK) == 0 || access(server_file(s, "server/db/state.db"), F_OK) != 0)
		return 0;
	if (!s->token)
		return err_set(err, ERR_INVAL,
		        "%s has the data of a cluster and not its keys: give --token, which they lie sealed under in "
		        "the data",
		        s->data_dir);
	alone.has_peers = false;
	if (server_store_open(&alone, false, &store, err) != 0)
		return err->code;
	s->arena = alone.arena;
	int rc = recover_from(s, store.engine, err);
	server_store_close(&store);
	if (rc == 0)
		log_info("server", "the cluster's keys were taken out of its store", "data=%s", s->data_dir);
	return rc;
}

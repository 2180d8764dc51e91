/* See server_keys.h. In the store the keys lie as one JSON object, place to text, sealed under the token's secret
 * (base/pki_seal.c), at JOIN_KEYS_KEY of the system keyspace: replicated, in every snapshot, and no part of the data.
 * So a server that joins, or a machine that a snapshot is restored to, needs the token alone.
 *
 * What can go wrong: another token (told as such), a place that is none of ours or a text that is no PEM (refused: a
 * server writes nowhere else because the store says so), a CA here that is another cluster's (refused). */
#include "tools/k3x/server_keys.h"

#include "api/server/auth/join_token.h"
#include "api/server/join/words.h"
#include "base/check.h"
#include "base/json_lib.h"
#include "base/log.h"
#include "base/pki.h"
#include "base/rt/cond.h"
#include "store/engine.h"
#include "tools/k3x/server_store.h"
#include "tools/k3x/server_token.h"

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEY_BYTES_MAX = 64 * 1024, RETRY_MS = 2000 };

/* The CA that the token names is the last to be written: where it is, all are. */
static const struct {
	const char *place;
	unsigned mode;
	bool is_optional, is_token;
} places[] = {
        {"server/agent-token", 0600, true, true},
        {"server/tls/service.key", 0600, false, false},
        {"server/tls/client-ca.key", 0600, false, false},
        {"server/tls/client-ca.crt", 0644, false, false},
        {"server/tls/etcd/peer-ca.key", 0600, false, false},
        {"server/tls/etcd/peer-ca.crt", 0644, false, false},
        {"server/tls/server-ca.key", 0600, false, false},
        {"server/tls/server-ca.crt", 0644, false, false},
};
#define CA_PLACE "server/tls/server-ca.crt"
_Static_assert(COUNT_OF(places) <= SERVER_KEYS_MAX, "there is room for each");

/* ---- as text ---- */

static int pack(struct server_settings *s, struct strbuf *out, struct err *err)
{
	json_auto_t *v = json_object();
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		const char *path = server_file(s, "%s", places[i].place);
		char *text;
		size_t len;
		if (places[i].is_optional && access(path, F_OK) != 0)
			continue;
		if (pki_file_read(path, &text, &len, err) != 0)
			return err->code;
		json_lib_set_str(v, places[i].place, (struct slice){text, len});
		free(text);
	}
	json_lib_write(out, v);
	return 0;
}

static bool is_sound(struct slice text, bool is_token)
{
	struct join_token t;
	struct err unused = ERR_INIT;
	if (!text.len || text.len > KEY_BYTES_MAX || memchr(text.ptr, 0, text.len))
		return false;
	return is_token ? join_token_parse(text, &t, &unused) == 0 : slice_starts(text, "-----BEGIN ");
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
		if (!is_sound(x, places[i].is_token))
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

struct asking {
	struct store_request req;
	sem_t done;
};

static void asked(struct store_request *req)
{
	sem_post(&CONTAINER_OF(req, struct asking, req)->done);
}

/* Waits for the answer; the request is the caller's to release. */
static int ask(struct engine *store, struct asking *a)
{
	sem_init(&a->done, 0, 0);
	a->req.done = asked;
	store_submit(store, &a->req);
	while (sem_wait(&a->done) != 0)
		;
	sem_destroy(&a->done);
	return a->req.err.code;
}

static int recover_from(struct server_settings *s, struct engine *store, struct err *err)
{
	struct asking a = {.req.type = STORE_REQUEST_SYSTEM_READ};
	struct join_token token;
	a.req.system.prefix = SLICE(JOIN_KEYS_KEY);
	a.req.system.is_local = true;
	if (join_token_parse(slice_of(s->token), &token, err) != 0)
		return err->code;
	if (ask(store, &a) != 0)
		*err = a.req.err;
	else if (a.req.system.n_entries != 1)
		err_set(err, ERR_NOT_FOUND,
		        "the store has no keys of the cluster: put server/tls of one of its servers back");
	else
		server_keys_write(s, a.req.system.entries[0].value, token.secret, err);
	store_request_release(&a.req);
	return err->code;
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

/* ---- the keeper ---- */

struct keys_keeper {
	struct server_settings settings; /* a copy, for an arena is one thread's */
	struct engine *store;
	char name_key[64];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
};

/* What of a change is still to be made; 0: nothing. */
static size_t wanted(struct keys_keeper *k, const struct store_system_args *have, struct strbuf *sealed,
        struct store_system_entry changes[2], struct err *err)
{
	struct strbuf plain = STRBUF_INIT;
	struct slice secret, name = slice_of(k->name_key);
	bool has_keys = false, has_name = false;
	size_t n = 0;
	for (size_t i = 0; i < have->n_entries; i++) {
		const struct store_system_entry *e = &have->entries[i];
		has_keys = has_keys || slice_is(e->key, JOIN_KEYS_KEY);
		has_name = has_name || (slice_eq(e->key, name) && slice_is(e->value, k->settings.node_name));
	}
	if (!has_keys && server_token_secret(&k->settings, &secret, err) == 0 && pack(&k->settings, &plain, err) == 0) {
		pki_seal(secret, strbuf_slice(&plain), sealed);
		changes[n++] = (struct store_system_entry){.key = SLICE(JOIN_KEYS_KEY), .value = strbuf_slice(sealed)};
	}
	if (!has_name)
		changes[n++] = (struct store_system_entry){.key = name, .value = slice_of(k->settings.node_name)};
	strbuf_release(&plain);
	return n;
}

static int see_to_it(struct keys_keeper *k, struct err *err)
{
	struct asking read = {.req.type = STORE_REQUEST_SYSTEM_READ}, write = {.req.type = STORE_REQUEST_SYSTEM};
	struct store_system_entry changes[2];
	struct strbuf sealed = STRBUF_INIT;
	read.req.system.prefix = SLICE("k3x/");
	if (ask(k->store, &read) != 0)
		*err = read.req.err;
	else
		write.req.system.n_changes = wanted(k, &read.req.system, &sealed, changes, err);
	write.req.system.changes = changes;
	write.req.system.expect_version = read.req.system.version; /* another may have put them there meanwhile */
	if (!err->code && write.req.system.n_changes && ask(k->store, &write) != 0)
		*err = write.req.err;
	store_request_release(&read.req);
	store_request_release(&write.req);
	strbuf_release(&sealed);
	return err->code;
}

static bool wait_a_moment(struct keys_keeper *k)
{
	struct timespec limit = cond_limit(RETRY_MS);
	pthread_mutex_lock(&k->lock);
	while (!k->stopping && cond_wait_until(&k->wake, &k->lock, &limit))
		;
	bool go_on = !k->stopping;
	pthread_mutex_unlock(&k->lock);
	return go_on;
}

static void *keeper_main(void *arg)
{
	struct keys_keeper *k = arg;
	struct err err = ERR_INIT;
	pthread_setname_np(pthread_self(), "keys");
	while (see_to_it(k, &err) != 0) {
		log_info(
		        "server", "keys and name are not in the store yet, it is tried again", "error=\"%s\"", err.msg);
		err = ERR_INIT;
		if (!wait_a_moment(k))
			break;
	}
	return NULL;
}

struct keys_keeper *keys_keeper_start(const struct server_settings *s, struct engine *store)
{
	struct keys_keeper *k = xcalloc(1, sizeof *k);
	k->settings = *s;
	k->settings.arena = ARENA_INIT;
	k->store = store;
	snprintf(k->name_key, sizeof k->name_key, JOIN_NAMES_PREFIX "%016" PRIx64, s->member_id);
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->wake, NULL);
	CHECK(pthread_create(&k->thread, NULL, keeper_main, k) == 0);
	return k;
}

void keys_keeper_stop(struct keys_keeper *k)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	k->stopping = true;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->wake);
	arena_release(&k->settings.arena);
	free(k);
}

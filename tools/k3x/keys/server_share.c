/* Servers on one datastore are one cluster without ever having talked: what joining hands over (the CAs, the key of
 * service accounts, the encryption configuration) lies sealed under the token in the datastore itself, where
 * server_keys.c reads and writes it.
 *
 *     there are keys -> opened with the token, into the files -> certificates
 *     there are none -> "this server begins", written only if nobody else wrote meanwhile -> keys made -> put there
 *     there are none, and another begins -> waited for
 *
 * The settings that must be the same on all of them lie there as well: who comes with others is told which.
 *
 * A file says which cluster the keys here are of, so that a restart neither opens them again nor takes a datastore of
 * another cluster for its own.
 *
 * What can go wrong: the one that begins dies over it (when it comes back it goes on; if it never does, the others say
 * so and how to go on without it); no token, or another; keys of another cluster in this data directory. */
#include "tools/k3x/keys/server_share.h"

#include "api/server/auth/identity/join_token.h"
#include "api/server/join/words.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "store/ask.h"
#include "store/engine/log_engine.h"
#include "tools/k3x/keys/server_encryption.h"
#include "tools/k3x/keys/server_keys.h"
#include "tools/k3x/keys/server_pki.h"
#include "tools/k3x/keys/server_token.h"
#include "tools/k3x/server_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BEGINS_KEY "k3x/begins"
#define SETTINGS_KEY "k3x/settings"
enum { WAIT_MS = 200, WAIT_TRIES = 150, AGREE_TRIES = 20 };

struct sharing {
	struct server_settings *settings;
	struct engine *store;
	struct store_question q; /* what the datastore says of keys */
};

static const char *mark(struct server_settings *s)
{
	return server_file(s, "server/datastore/keys-of");
}

static bool has_keys(struct server_settings *s)
{
	return access(server_file(s, "server/tls/server-ca.crt"), F_OK) == 0;
}

/* Of which cluster the keys here are; 0: not known. */
static uint64_t keys_of(struct server_settings *s)
{
	struct err err = ERR_INIT;
	char *text;
	size_t len;
	if (!has_keys(s) || pki_file_read(mark(s), &text, &len, &err) != 0)
		return 0;
	uint64_t id = strtoull(text, NULL, 16);
	free(text);
	return id;
}

static bool is_known(struct server_settings *s)
{
	return keys_of(s) == s->cluster_id;
}

static int note(struct server_settings *s, struct err *err)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%016" PRIx64 "\n", s->cluster_id);
	return pki_file_write(mark(s), (struct slice){text, (size_t)n}, 0600, err);
}

/* ---- what the datastore says ---- */

static int look(struct sharing *x, struct err *err)
{
	store_request_release(&x->q.req);
	x->q = (struct store_question){.req.type = STORE_REQUEST_SYSTEM_READ};
	x->q.req.system.prefix = SLICE("k3x/");
	if (store_ask(x->store, &x->q) != 0)
		*err = x->q.req.err;
	return err->code;
}

static const struct slice *value_of(struct sharing *x, const char *key)
{
	for (size_t i = 0; i < x->q.req.system.n_entries; i++)
		if (slice_is(x->q.req.system.entries[i].key, key))
			return &x->q.req.system.entries[i].value;
	return NULL;
}

static int put(struct sharing *x, const struct store_system_entry *changes, size_t n, struct err *err)
{
	struct store_question q = {.req.type = STORE_REQUEST_SYSTEM};
	q.req.system.changes = changes;
	q.req.system.n_changes = n;
	q.req.system.expect_version = x->q.req.system.version;
	if (store_ask(x->store, &q) != 0)
		*err = q.req.err;
	store_request_release(&q.req);
	return err->code;
}

/* ---- taking them ---- */

static int secret_of(struct server_settings *s, struct slice *ret, struct err *err)
{
	struct join_token token;
	if (!s->token) {
		if (has_keys(s))
			return server_token_secret(s, ret, err);
		return err_set(err, ERR_INVAL,
		        "the datastore has a cluster already: give --token, the text of server/token on one of its "
		        "servers");
	}
	if (join_token_parse(slice_of(s->token), &token, err) != 0)
		return err->code;
	*ret = token.secret;
	return 0;
}

static int take(struct sharing *x, struct slice sealed, struct err *err)
{
	struct slice secret;
	if (secret_of(x->settings, &secret, err) != 0 || server_keys_write(x->settings, sealed, secret, err) != 0)
		return err->code;
	log_info("server", "the cluster's keys were taken out of the datastore", "cluster=%016" PRIx64,
	        x->settings->cluster_id);
	return 0;
}

/* ---- beginning ---- */

static int make_keys(struct sharing *x, struct strbuf *sealed, struct err *err)
{
	struct server_settings *s = x->settings;
	int rc = encryption_begin(s, clock_wall_s(), err);
	if (rc == 0)
		rc = server_pki_prepare(s, clock_wall_s(), 0, NULL, err);
	return rc == 0 ? server_keys_seal(s, NULL, sealed, NULL, err) : rc;
}

static int begin(struct sharing *x, struct err *err)
{
	struct strbuf sealed = STRBUF_INIT;
	char id[24];
	int n = snprintf(id, sizeof id, "%016" PRIx64, x->settings->member_id);
	struct store_system_entry claim = {.key = SLICE(BEGINS_KEY), .value = {id, (size_t)n}};
	if (keys_of(x->settings) && !is_known(x->settings))
		return err_set(err, ERR_INVAL,
		        "this server is of the cluster in another datastore, and the one that is named is empty: name "
		        "the other, "
		        "or remove %s to begin here anew",
		        mark(x->settings));
	int rc = put(x, &claim, 1, err);
	if (rc != 0)
		return rc;
	rc = make_keys(x, &sealed, err);
	if (rc == 0)
		rc = look(x, err);
	if (rc == 0) {
		struct store_system_entry all[] = {{.key = SLICE(JOIN_KEYS_KEY), .value = strbuf_slice(&sealed)},
		        {.key = SLICE(BEGINS_KEY), .is_delete = true}};
		rc = put(x, all, COUNT_OF(all), err);
	}
	strbuf_release(&sealed);
	if (rc == 0)
		log_info("server", "the cluster begins in the datastore", "cluster=%016" PRIx64,
		        x->settings->cluster_id);
	return rc;
}

static bool is_ours(struct server_settings *s, const struct slice *begins)
{
	char id[24];
	snprintf(id, sizeof id, "%016" PRIx64, s->member_id);
	return !begins || slice_is(*begins, id);
}

static int give_up(struct sharing *x, struct err *err)
{
	const struct slice *begins = value_of(x, BEGINS_KEY);
	return err_set(err, ERR_TIMEOUT,
	        "another server (%.*s) has begun the cluster and has not put its keys into the datastore: start it "
	        "again, "
	        "or empty the database",
	        begins ? (int)begins->len : 0, begins ? begins->ptr : "");
}

/* ---- settings ---- */

/* That are the same on every server, or services and pods of one would not be those of the other. The first says. */
static int compare_settings(struct sharing *x, struct err *err)
{
	const struct server_settings *s = x->settings;
	struct join_settings ours = server_join_settings(s);
	struct join_config theirs;
	struct strbuf text = STRBUF_INIT;
	struct arena a = ARENA_INIT;
	const struct slice *said = value_of(x, SETTINGS_KEY);
	int rc = 0;
	if (said) {
		rc = join_config_parse(&a, *said, &theirs, err);
		if (rc == 0)
			rc = join_check_settings(&ours, &theirs.settings, err);
	} else {
		join_settings_write(&ours, &text);
		struct store_system_entry e = {.key = SLICE(SETTINGS_KEY), .value = strbuf_slice(&text)};
		rc = put(x, &e, 1, err);
	}
	strbuf_release(&text);
	arena_release(&a);
	return rc;
}

/* Another may write at the same moment. */
static int agree(struct sharing *x, struct err *err)
{
	int rc = ERR_CONFLICT;
	for (int tries = 0; tries < AGREE_TRIES && rc == ERR_CONFLICT; tries++) {
		*err = ERR_INIT;
		rc = look(x, err) == 0 ? compare_settings(x, err) : err->code;
		if (rc == ERR_CONFLICT && value_of(x, SETTINGS_KEY))
			return rc;
	}
	return rc;
}

/* Until the keys are there, here and in the datastore. */
static int settle(struct sharing *x, struct err *err)
{
	for (int tries = 0; tries < WAIT_TRIES; tries++) {
		*err = ERR_INIT;
		if (look(x, err) != 0)
			return err->code;
		const struct slice *sealed = value_of(x, JOIN_KEYS_KEY), *begins = value_of(x, BEGINS_KEY);
		if (sealed)
			return is_known(x->settings) ? 0 : take(x, *sealed, err);
		if (!is_ours(x->settings, begins))
			usleep(WAIT_MS * 1000);
		else if (begin(x, err) != ERR_CONFLICT)
			return err->code;
	}
	return give_up(x, err);
}

int server_share_keys(struct server_settings *s, struct engine *store, struct err *err)
{
	struct sharing x = {.settings = s, .store = store};
	struct log_engine_status status;
	CHECK(log_engine_of(store) != NULL);
	log_engine_status(log_engine_of(store), &status);
	s->cluster_id = status.cluster_id;
	int rc = settle(&x, err);
	if (rc == 0)
		rc = agree(&x, err);
	store_request_release(&x.q.req);
	if (rc == 0)
		rc = server_pki_prepare(s, clock_wall_s(), 0, NULL, err);
	if (rc == 0)
		rc = note(s, err);
	return rc;
}

/* See server_keeper.h. A turn of the thread, and what it waits for after it:
 *
 *     what the store lacks -> put there
 *     what the store has of new keys -> into the files (server_keys_follow)
 *     orders, and what is due -> certificates (server_pki_prepare)
 *     the first of: an order, a second (with other servers: has the store's system keyspace another version?), two
 *     seconds when something failed, six hours
 *
 * A change of keys is written to the store by whoever is asked for it, and reaches the files of that server by the same
 * way as those of all others: files follow the store. A restored snapshot may hold keys of before: the mark
 * server/db/own-keys, which server_reset.c leaves, says that this time the store follows the files.
 *
 * What can go wrong: no leader (it is tried again), the disk is full (the same, and told), a certificate that could not
 * be renewed for so long that it nears its end (a warning, once a day). */
#include "tools/k3x/keys/server_keeper.h"

#include "api/server/join/words.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "base/rt/cond.h"
#include "store/ask.h"
#include "store/engine/raft_engine.h"
#include "tools/k3x/keys/server_certs.h"
#include "tools/k3x/keys/server_encryption.h"
#include "tools/k3x/keys/server_pki.h"
#include "tools/k3x/server_store.h"

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	RETRY_MS = 2000,
	LOOK_MS = 1000,
	DUE_MS = 6 * 3600 * 1000,
	WARN_EVERY_S = 24 * 3600,
	CHANGE_TRIES = 20,
	LOOK_TRIES = 10
};

struct order {
	struct order *next;
	const struct server_keys_change *change; /* NULL: certificates anew */
	unsigned leaves, made;
	struct err err;
	sem_t done;
};

struct keeper {
	struct keeper_options options;
	struct server_settings settings; /* a copy, for an arena is one thread's */
	char name_key[64], address_key[64], encryption_key[64];
	char *address;              /* URL for peers */
	struct strbuf others;       /* what is in the file of where they are */
	bool has_seen;              /* version */
	unsigned char followed[32]; /* SHA-256 of the change that is in the files: opening one takes 0.1 s */
	int64_t version;
	bool has_looked; /* at certificates, for warnings */
	uint64_t due_ms; /* certificates are looked at again */
	int64_t warned_s;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct order *orders; /* under the lock, newest first */
	bool stopping;        /* under the lock */
};

static int64_t now_s(const struct keeper *k)
{
	return k->options.now_s ? k->options.now_s() : clock_wall_s();
}

static const char *mark(struct keeper *k)
{
	return server_file(&k->settings, SERVER_OWN_KEYS_MARK);
}

/* ---- what the store lacks ---- */

struct have {
	bool keys, name, address, is_own;
	bool encryption;    /* what is said of ours is so */
	struct slice newer; /* empty: nothing was ever changed */
};

/* "" when there is no configuration, or none that reads. */
static const char *encryption_hash(struct keeper *k)
{
	struct encryption_texts texts;
	struct encryption_view view = {.hash = ""};
	struct err err = ERR_INIT;
	if (encryption_read(&k->settings, &texts, &err) != 0 ||
	        encryption_describe(&k->settings.arena, &texts, &view, &err) != 0)
		return "";
	return view.hash;
}

static struct have look(struct keeper *k, const struct store_system_args *s)
{
	const char *hash = encryption_hash(k);
	struct have h = {.is_own = access(mark(k), F_OK) == 0, .encryption = !*hash};
	for (size_t i = 0; i < s->n_entries; i++) {
		const struct store_system_entry *e = &s->entries[i];
		h.keys = h.keys || slice_is(e->key, JOIN_KEYS_KEY);
		h.name = h.name || (slice_is(e->key, k->name_key) && slice_is(e->value, k->settings.node_name));
		h.address = h.address || (slice_is(e->key, k->address_key) && slice_is(e->value, k->address));
		if (slice_is(e->key, k->encryption_key))
			h.encryption = slice_is(e->value, hash);
		if (slice_is(e->key, SERVER_KEYS_NEWER_KEY))
			h.newer = e->value;
	}
	return h;
}

/* ---- where the others are ---- */

/* They are told in the store, for several may have moved since the configuration was written and would not find each
 * other; and kept in a file, a line each, for a server that starts knows of what is in its log only once it has found
 * them. */
#define ADDRESSES_FILE "server/db/addresses"

static void go_to(struct keeper *k, struct slice id, struct slice url)
{
	char text[RAFT_ADDRESS_BYTES_MAX], hex[17];
	if (id.len != 16 || !url.len || url.len >= sizeof text)
		return;
	snprintf(hex, sizeof hex, "%.*s", SLICE_FMT(id));
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(url));
	raft_engine_move_member(raft_engine_of(k->options.store), strtoull(hex, NULL, 16), text);
}

static int find_others(struct keeper *k, const struct store_system_args *s, struct err *err)
{
	struct strbuf lines = STRBUF_INIT;
	for (size_t i = 0; i < s->n_entries; i++) {
		struct slice id = s->entries[i].key, url = s->entries[i].value;
		if (!slice_starts(id, JOIN_ADDRESSES_PREFIX) || slice_is(id, k->address_key))
			continue;
		id = (struct slice){id.ptr + strlen(JOIN_ADDRESSES_PREFIX), id.len - strlen(JOIN_ADDRESSES_PREFIX)};
		go_to(k, id, url);
		strbuf_addf(&lines, "%.*s %.*s\n", SLICE_FMT(id), SLICE_FMT(url));
	}
	if (!slice_eq(strbuf_slice(&lines), strbuf_slice(&k->others)) &&
	        pki_file_write(server_file(&k->settings, ADDRESSES_FILE), strbuf_slice(&lines), 0600, err) == 0) {
		strbuf_reset(&k->others);
		strbuf_add_slice(&k->others, strbuf_slice(&lines));
	}
	strbuf_release(&lines);
	return err->code;
}

static void find_others_again(struct keeper *k)
{
	const char *path = server_file(&k->settings, ADDRESSES_FILE);
	struct err err = ERR_INIT;
	char *text;
	size_t len;
	if (access(path, F_OK) != 0)
		return;
	if (pki_file_read(path, &text, &len, &err) != 0) {
		log_warn("server", "cannot read where the other servers are", "error=\"%s\"", err.msg);
		return;
	}
	for (struct slice rest = {text, len}, line; rest.len;) {
		line = slice_cut(&rest, '\n');
		struct slice id = slice_cut(&line, ' ');
		go_to(k, id, line);
	}
	strbuf_add(&k->others, text, len);
	free(text);
}

/* Members that said where they are, which no record tells yet: for those that they have not reached. */
static size_t note_moved(struct keeper *k, struct store_system_entry *changes)
{
	struct raft_node_status status;
	size_t n = 0;
	raft_engine_status(raft_engine_of(k->options.store), &status);
	for (size_t i = 0; i < status.n_members; i++) {
		const struct raft_node_member *m = &status.members[i];
		if (!m->has_said_so || m->id == k->settings.member_id)
			continue;
		changes[n++] = (struct store_system_entry){
		        .key = slice_of(arena_printf(&k->settings.arena, JOIN_ADDRESSES_PREFIX "%016" PRIx64, m->id)),
		        .value = slice_of(arena_strdup(&k->settings.arena, m->address))};
	}
	return n;
}

static int write_store(
        struct keeper *k, int64_t version, const struct store_system_entry *changes, size_t n, struct err *err)
{
	struct store_question q = {.req.type = STORE_REQUEST_SYSTEM};
	q.req.system.changes = changes;
	q.req.system.n_changes = n;
	q.req.system.expect_version = version; /* another may have written meanwhile */
	if (store_ask(k->options.store, &q) != 0)
		*err = q.req.err;
	store_request_release(&q.req);
	return err->code;
}

static int put_what_lacks(struct keeper *k, const struct have *h, int64_t version, struct err *err)
{
	struct store_system_entry changes[5 + RAFT_MEMBERS_MAX];
	struct strbuf sealed = STRBUF_INIT;
	size_t n = 0;
	if ((!h->keys || h->is_own) && server_keys_seal(&k->settings, NULL, &sealed, NULL, err) == 0)
		changes[n++] = (struct store_system_entry){.key = SLICE(JOIN_KEYS_KEY), .value = strbuf_slice(&sealed)};
	if (h->is_own && h->newer.len)
		changes[n++] = (struct store_system_entry){.key = SLICE(SERVER_KEYS_NEWER_KEY), .is_delete = true};
	if (!h->encryption)
		changes[n++] = (struct store_system_entry){
		        .key = slice_of(k->encryption_key), .value = slice_of(encryption_hash(k))};
	if (!h->name)
		changes[n++] = (struct store_system_entry){
		        .key = slice_of(k->name_key), .value = slice_of(k->settings.node_name)};
	if (!h->address && k->settings.has_peers)
		changes[n++] =
		        (struct store_system_entry){.key = slice_of(k->address_key), .value = slice_of(k->address)};
	if (k->settings.has_peers)
		n += note_moved(k, changes + n);
	if (!err->code && n)
		write_store(k, version, changes, n, err);
	if (!err->code && h->is_own)
		unlink(mark(k));
	strbuf_release(&sealed);
	return err->code;
}

/* ---- certificates ---- */

static int prepare(struct keeper *k, unsigned anew, unsigned keys, unsigned *ret_made, struct err *err)
{
	unsigned made = 0;
	int rc = server_pki_prepare(&k->settings, now_s(k), anew, &made, err);
	if (ret_made)
		*ret_made = made;
	if (made || keys) {
		log_info("server", "keys and certificates were renewed", "certificates=%#x keys=%#x", made, keys);
		k->options.changed(k->options.arg, made, keys);
	}
	return rc;
}

static void warn_of(void *arg, const struct server_certificate *c)
{
	struct keeper *k = arg;
	char text[1024];
	if (c->status == SERVER_CERTIFICATE_OK)
		return;
	snprintf(text, sizeof text, "certificate %s (%s) %s in %" PRId64 " days: %s", c->place, c->info.subject,
	        c->status == SERVER_CERTIFICATE_OVER ? "is over; it ended" : "ends",
	        (c->info.not_after_s - now_s(k)) / 86400,
	        c->info.is_ca ? "k3x certificate rotate-ca"
	                      : "k3x certificate rotate; the log says why it was not renewed");
	k->warned_s = now_s(k);
	log_warn("server", "a certificate nears its end", "what=\"%s\"", text);
	k->options.warn(k->options.arg, "CertificateExpirationWarning", text);
}

static void look_at_certificates(struct keeper *k)
{
	struct err err = ERR_INIT;
	bool is_first = !k->has_looked, is_due = clock_mono_ms() >= k->due_ms;
	k->has_looked = true;
	if (is_due) {
		k->due_ms = clock_mono_ms() + DUE_MS;
		if (prepare(k, 0, 0, NULL, &err) != 0)
			log_error("server", "cannot renew certificates", "error=\"%s\"", err.msg);
	}
	if (is_first || (is_due && now_s(k) - k->warned_s >= WARN_EVERY_S))
		server_certificates_each(&k->settings, now_s(k), warn_of, k);
}

/* ---- following ---- */

static int follow(struct keeper *k, struct slice newer, unsigned *ret_keys, struct err *err)
{
	unsigned keys = 0, anew = 0;
	unsigned char sum[32];
	pki_sha256(newer.ptr, newer.len, sum);
	if (memcmp(sum, k->followed, sizeof sum) == 0)
		return 0;
	if (server_keys_follow(&k->settings, newer, &keys, err) != 0)
		return err->code;
	for (unsigned i = 0; keys && i < SERVER_LEAVES; i++)
		if ((keys & SERVER_KEYS_SERVER_CA && strstr(server_leaves[i].ca, "server-ca")) ||
		        (keys & SERVER_KEYS_CLIENT_CA && strstr(server_leaves[i].ca, "client-ca")) ||
		        (keys & SERVER_KEYS_PROXY_CA && strstr(server_leaves[i].ca, "request-header-ca")) ||
		        (keys & SERVER_KEYS_PEER_CA && strstr(server_leaves[i].ca, "peer-ca")))
			anew |= 1u << i;
	*ret_keys = keys;
	if (keys && prepare(k, anew, keys, NULL, err) != 0)
		return err->code;
	memcpy(k->followed, sum, sizeof sum);
	return 0;
}

static bool somebody_moved(struct keeper *k)
{
	struct store_system_entry changes[RAFT_MEMBERS_MAX];
	return k->settings.has_peers && note_moved(k, changes) > 0;
}

static int look_once(struct keeper *k, unsigned *ret_keys, struct err *err)
{
	struct store_question q = {.req.type = STORE_REQUEST_SYSTEM_READ};
	q.req.system.prefix = SLICE("k3x/");
	if (store_ask(k->options.store, &q) != 0) {
		*err = q.req.err;
	} else {
		struct have h = look(k, &q.req.system);
		if (k->settings.has_peers)
			find_others(k, &q.req.system, err);
		if (!err->code && put_what_lacks(k, &h, q.req.system.version, err) == 0 && h.newer.len && !h.is_own)
			follow(k, h.newer, ret_keys, err);
		k->version = q.req.system.version;
		k->has_seen = !err->code;
	}
	store_request_release(&q.req);
	return err->code;
}

/* Once more when other servers wrote at the same moment, as all do after a change of what they tell about themselves;
 * and when what came of new keys is something to be told in turn. */
static int look_at_store(struct keeper *k, struct err *err)
{
	unsigned keys = SERVER_KEYS_ENCRYPTION;
	if (k->has_seen && k->version == store_system_version(k->options.store) && !somebody_moved(k))
		return 0;
	for (int tries = 0; tries < LOOK_TRIES && (err->code == ERR_CONFLICT || keys & SERVER_KEYS_ENCRYPTION);
	        tries++) {
		*err = ERR_INIT;
		keys = 0;
		look_once(k, &keys, err);
	}
	return err->code;
}

/* ---- orders ---- */

/* Files follow the store up to its newest version, and say what the change was computed of. */
static int stand_at_newest(struct keeper *k, const struct server_keys_change *c, struct err *err)
{
	if (!c->encryption_from || look_at_store(k, err) != 0)
		return err->code;
	if (strcmp(encryption_hash(k), c->encryption_from) != 0)
		return err_set(err, ERR_CONFLICT, "somebody else has changed the encryption configuration meanwhile");
	return 0;
}

/* *ret_is_raced: the store has moved on since the files were looked at. */
static int try_change(struct keeper *k, const struct server_keys_change *c, bool *ret_is_raced, struct err *err)
{
	struct store_question q = {.req.type = STORE_REQUEST_SYSTEM_READ};
	struct strbuf for_joining = STRBUF_INIT, for_members = STRBUF_INIT;
	q.req.system.prefix = SLICE("k3x/");
	if (store_ask(k->options.store, &q) != 0) {
		*err = q.req.err;
	} else if (c->encryption_from && q.req.system.version != k->version) {
		*ret_is_raced = true;
	} else if (server_keys_seal(&k->settings, c, &for_joining, &for_members, err) == 0) {
		struct store_system_entry changes[] = {
		        {.key = SLICE(JOIN_KEYS_KEY), .value = strbuf_slice(&for_joining)},
		        {.key = SLICE(SERVER_KEYS_NEWER_KEY), .value = strbuf_slice(&for_members)}};
		*ret_is_raced = write_store(k, q.req.system.version, changes, COUNT_OF(changes), err) == ERR_CONFLICT;
	}
	store_request_release(&q.req);
	strbuf_release(&for_joining);
	strbuf_release(&for_members);
	return err->code;
}

static int change(struct keeper *k, const struct server_keys_change *c, struct err *err)
{
	bool is_raced = true;
	for (int tries = 0; is_raced && tries < CHANGE_TRIES; tries++) {
		is_raced = false;
		*err = ERR_INIT;
		if (stand_at_newest(k, c, err) != 0)
			return err->code;
		try_change(k, c, &is_raced, err);
		if (!c->encryption_from)
			break;
	}
	if (is_raced)
		return err_set(err, ERR_CONFLICT, "something else changed at the same moment, try again");
	if (err->code)
		return err->code;
	k->has_seen = false;
	return look_at_store(k, err);
}

/* --secrets-encryption, and the cluster has none: it is there already, or was begun without. All servers hear of it. */
static void begin_encryption(struct keeper *k)
{
	struct encryption_texts t = {0};
	struct err err = ERR_INIT;
	if (!k->settings.secrets_encryption || !k->has_seen || encryption_read(&k->settings, &t, &err) != 0 ||
	        t.config.len)
		return;
	if (encryption_new(&k->settings.arena, k->settings.secrets_provider, now_s(k), &t, &err) == 0) {
		struct server_keys_change c = {.n = 2, .encryption_from = ""};
		c.keys[0] = (struct server_key){ENCRYPTION_STATE_PLACE, t.state};
		c.keys[1] = (struct server_key){ENCRYPTION_CONFIG_PLACE, t.config};
		change(k, &c, &err);
	}
	if (err.code && err.code != ERR_CONFLICT)
		log_warn("server", "Secrets are not encrypted yet", "error=\"%s\"", err.msg);
	else if (!err.code)
		log_info("server", "Secrets are encrypted from now on",
		        "earlier=\"k3x secrets-encrypt reencrypt -f --skip writes them anew\"");
}

static struct order *take_order(struct keeper *k)
{
	pthread_mutex_lock(&k->lock);
	struct order **at = &k->orders;
	while (*at && (*at)->next) /* the oldest */
		at = &(*at)->next;
	struct order *o = *at;
	*at = NULL;
	pthread_mutex_unlock(&k->lock);
	return o;
}

static void carry_out(struct keeper *k)
{
	for (struct order *o; (o = take_order(k));) {
		if (o->change)
			change(k, o->change, &o->err);
		else
			prepare(k, o->leaves, 0, &o->made, &o->err);
		sem_post(&o->done); /* it is gone then */
	}
}

static int give_order(struct keeper *k, struct order *o, struct err *err)
{
	sem_init(&o->done, 0, 0);
	pthread_mutex_lock(&k->lock);
	o->next = k->orders;
	k->orders = o;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
	while (sem_wait(&o->done) != 0)
		;
	sem_destroy(&o->done);
	*err = o->err;
	return err->code;
}

int keeper_renew(struct keeper *k, unsigned leaves, unsigned *ret_made, struct err *err)
{
	struct order o = {.leaves = leaves};
	int rc = give_order(k, &o, err);
	*ret_made = o.made;
	return rc;
}

int keeper_change(struct keeper *k, const struct server_keys_change *c, struct err *err)
{
	struct order o = {.change = c};
	return give_order(k, &o, err);
}

/* ---- the thread ---- */

/* The wait is cut short by orders and by the end. False: the end, and no order waits. */
static bool wait_a_moment(struct keeper *k, uint64_t ms)
{
	struct timespec limit = cond_limit(ms);
	pthread_mutex_lock(&k->lock);
	while (!k->stopping && !k->orders && cond_wait_until(&k->wake, &k->lock, &limit))
		;
	bool go_on = !k->stopping || k->orders;
	pthread_mutex_unlock(&k->lock);
	return go_on;
}

static void *keeper_main(void *arg)
{
	struct keeper *k = arg;
	bool go_on = true;
	pthread_setname_np(pthread_self(), "keeper");
	if (k->settings.has_peers)
		find_others_again(k);
	for (unsigned failed = 0; go_on;) {
		struct err err = ERR_INIT;
		if (look_at_store(k, &err) != 0 && failed++ == 0)
			log_info("server", "keys in the store can't be looked at yet, it is tried again",
			        "error=\"%s\"", err.msg);
		failed = err.code ? failed : 0;
		begin_encryption(k);
		look_at_certificates(k);
		carry_out(k);
		arena_release(&k->settings.arena);
		k->settings.arena = ARENA_INIT;
		go_on = wait_a_moment(k, err.code ? RETRY_MS : server_shares_store(&k->settings) ? LOOK_MS : DUE_MS);
	}
	return NULL;
}

struct keeper *keeper_start(const struct keeper_options *o)
{
	struct keeper *k = xcalloc(1, sizeof *k);
	k->options = *o;
	k->settings = *o->settings;
	k->settings.arena = ARENA_INIT;
	k->settings.token = k->settings.agent_token =
	        NULL;                         /* they were compared at the start; from now on the files count */
	k->due_ms = clock_mono_ms() + DUE_MS; /* the start has just looked */
	snprintf(k->name_key, sizeof k->name_key, JOIN_NAMES_PREFIX "%016" PRIx64, k->settings.member_id);
	snprintf(k->address_key, sizeof k->address_key, JOIN_ADDRESSES_PREFIX "%016" PRIx64, k->settings.member_id);
	k->address = xstrdup(server_peer_address(&k->settings));
	snprintf(k->encryption_key, sizeof k->encryption_key, SERVER_ENCRYPTION_PREFIX "%016" PRIx64,
	        k->settings.member_id);
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->wake, NULL);
	CHECK(pthread_create(&k->thread, NULL, keeper_main, k) == 0);
	return k;
}

void keeper_stop(struct keeper *k)
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
	free(k->address);
	strbuf_release(&k->others);
	free(k);
}

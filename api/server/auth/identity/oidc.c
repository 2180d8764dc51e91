/* See oidc.h.
 *
 *     (start, unknown key, keys grown old) --> discovery --> keys --> whoever waited is answered
 *                                                   \-- failed: the keys of before stay, the reason is remembered
 *
 * What can go wrong: an issuer that does not answer (tokens are refused with the reason, at once, until the next fetch
 * is due), tokens that name keys which never were (a fetch every FETCH_MS at the most, whoever asks), a discovery
 * document of somebody else (its issuer must be the one that was configured), keys that were withdrawn (fetched anew
 * every KEYS_OLD_MS while there are tokens). */
#include "api/server/auth/identity/oidc.h"

#include "api/server/auth/identity/jwks.h"
#include "api/server/auth/identity/token_cache.h"
#include "base/wire/outgoing.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json_lib.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/pki/pki.h"

#include <stdlib.h>

enum { FETCH_MS = 10000, KEYS_OLD_MS = 600000, ANSWER_MS = 8000, REMEMBER_MS = 10000 };

struct oidc {
	const struct jwt_rules *rules;
	struct loop *loop;
	struct outgoing_pool *pool;
	struct outgoing *issuer;
	char *discovery_path;
	struct jwks *keys; /* NULL: none yet */
	struct token_cache *good;
	struct outgoing_call call;
	bool is_fetching;
	uint64_t fetched_ms, tried_ms; /* 0: never */
	struct err why;                /* the last fetch failed */
	struct list_link waiting;
	size_t n_waiting;
};

/* ---- fetching ---- */

static int judge(struct oidc *o, struct token_question *q, struct err *err);

static void answer_waiting(struct oidc *o)
{
	struct list_link batch;
	list_init(&batch);
	for (struct list_link *it; (it = list_pop_front(&o->waiting)) != NULL;)
		list_push_back(&batch, it);
	o->n_waiting = 0;
	for (struct list_link *it; (it = list_pop_front(&batch)) != NULL;) {
		struct token_question *q = CONTAINER_OF(it, struct token_question, link);
		struct err err = ERR_INIT;
		if (judge(o, q, &err) == ERR_NOT_FOUND)
			err.code = ERR_UNAUTHENTICATED;
		q->step(q, &err);
	}
}

static void fetch_ended(struct oidc *o)
{
	o->is_fetching = false;
	if (o->why.code && o->why.code != ERR_CANCELED)
		log_warn("oidc", "cannot fetch the issuer's keys", "issuer=%s error=\"%s\"", o->rules->issuer_url,
		        o->why.msg);
	answer_waiting(o);
}

static bool is_answered(struct oidc *o, const struct outgoing_call *c, const char *what)
{
	o->why = c->err;
	if (!c->err.code && c->status != 200)
		err_set(&o->why, ERR_UNAVAILABLE, "%s: the issuer answered %d", what, c->status);
	return !o->why.code;
}

static void keys_came(struct outgoing_call *c)
{
	struct oidc *o = c->arg;
	struct jwks *keys;
	if (is_answered(o, c, "keys") && jwks_parse(c->answer, &keys, &o->why) == 0) {
		jwks_free(o->keys);
		o->keys = keys;
		if (!o->fetched_ms)
			log_info("oidc", "the issuer's keys are here", "issuer=%s keys=%zu", o->rules->issuer_url,
			        jwks_count(keys));
		o->fetched_ms = loop_now_ms(o->loop);
	}
	fetch_ended(o);
}

/* The target of the document's jwks_uri. */
static int find_keys(struct oidc *o, struct slice document, struct outgoing **ret, struct err *err)
{
	json_auto_t *v = json_lib_parse(document, err);
	if (!v)
		return err_wrap(err, "the discovery document");
	if (!slice_is(json_lib_get_str(v, "issuer"), o->rules->issuer_url))
		return err_set(err, ERR_INVAL, "the discovery document is of another issuer, \"%.*s\"",
		        SLICE_FMT(json_lib_get_str(v, "issuer")));
	CLEANUP(cleanup_free) char *uri = xprintf("%.*s", SLICE_FMT(json_lib_get_str(v, "jwks_uri")));
	if (strncmp(uri, "https://", 8) != 0)
		return err_set(err, ERR_INVAL, "the discovery document's jwks_uri is no URL with https://");
	return outgoing_get(o->pool, &(struct outgoing_target){.url = uri, .ca_pem = o->rules->ca_pem}, ret, err);
}

static void discovered(struct outgoing_call *c)
{
	struct oidc *o = c->arg;
	struct outgoing *keys;
	if (!is_answered(o, c, "discovery") || find_keys(o, c->answer, &keys, &o->why) != 0) {
		fetch_ended(o);
		return;
	}
	o->call = (struct outgoing_call){.timeout_ms = ANSWER_MS, .tries = 3, .done = keys_came, .arg = o};
	outgoing_send(keys, &o->call);
	outgoing_unref(keys);
}

static void fetch(struct oidc *o)
{
	o->is_fetching = true;
	o->tried_ms = loop_now_ms(o->loop);
	o->call = (struct outgoing_call){
	        .path = o->discovery_path, .timeout_ms = ANSWER_MS, .tries = 3, .done = discovered, .arg = o};
	outgoing_send(o->issuer, &o->call);
}

/* One is under way, or was begun: not more often than every FETCH_MS. */
static bool want_keys(struct oidc *o)
{
	if (!o->is_fetching && (!o->tried_ms || loop_now_ms(o->loop) - o->tried_ms >= FETCH_MS))
		fetch(o);
	return o->is_fetching;
}

/* ---- tokens ---- */

/* ERR_NOT_FOUND: its key is not known. */
static int judge(struct oidc *o, struct token_question *q, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf header = STRBUF_INIT, claims = STRBUF_INIT;
	struct jws_header h;
	int64_t expires_s, now_s = clock_wall_s();
	struct err why = ERR_INIT;
	if (jwt_parse(q->token, &header, &claims, &why) == 0 &&
	        jws_header_parse(q->arena, strbuf_slice(&header), &h, &why) == 0 &&
	        !jwt_rules_allow(o->rules, h.algorithm))
		err_set(&why, ERR_UNAUTHENTICATED, "its algorithm \"%.*s\" is not allowed", SLICE_FMT(h.algorithm));
	if (!why.code && !o->keys)
		err_set(&why, ERR_NOT_FOUND, "the issuer's keys are not here: %s",
		        o->why.code ? o->why.msg : "not yet");
	if (why.code || jwks_verify(o->keys, q->token, &h, &why) != 0)
		return err_set(err, why.code, "invalid bearer token: oidc: %s", why.msg);
	if (jwt_rules_user(o->rules, strbuf_slice(&claims), now_s, &q->user, &expires_s, err) != 0)
		return err->code;
	uint64_t left_ms =
	        (uint64_t)(expires_s - now_s) < REMEMBER_MS / 1000 ? (uint64_t)(expires_s - now_s) * 1000 : REMEMBER_MS;
	token_cache_put(o->good, q->hash, loop_now_ms(o->loop) + left_ms, q->user, 0);
	return 0;
}

bool oidc_is_of(const struct oidc *o, struct slice issuer)
{
	return slice_is(issuer, o->rules->issuer_url);
}

int oidc_ask(struct oidc *o, struct token_question *q, struct err *err)
{
	uint64_t now = loop_now_ms(o->loop);
	uint32_t unused;
	LOOP_CHECK_OWNER(o->loop);
	token_cache_hash(o->good, q->token, NULL, 0, q->hash);
	if (token_cache_get(o->good, q->hash, now, &q->user, &unused))
		return 0;
	if (o->keys && now - o->fetched_ms >= KEYS_OLD_MS)
		want_keys(o); /* these serve meanwhile */
	int rc = judge(o, q, err);
	if (rc != ERR_NOT_FOUND)
		return rc;
	if (o->n_waiting >= AUTHN_WAITING_MAX || !want_keys(o))
		return err->code = ERR_UNAUTHENTICATED;
	*err = ERR_INIT;
	list_push_back(&o->waiting, &q->link);
	o->n_waiting++;
	return AUTHN_LATER;
}

/* ---- life ---- */

int oidc_new(struct loop *loop, struct outgoing_pool *pool, const struct jwt_rules *rules, struct oidc **ret,
        struct err *err)
{
	struct oidc *o = xcalloc(1, sizeof *o);
	const char *url = rules->discovery_url ? rules->discovery_url : rules->issuer_url;
	*o = (struct oidc){.rules = rules, .loop = loop, .pool = pool};
	list_init(&o->waiting);
	o->good = token_cache_new();
	if (outgoing_get(pool, &(struct outgoing_target){.url = url, .ca_pem = rules->ca_pem}, &o->issuer, err) != 0) {
		oidc_free(o);
		return err_wrap(err, "issuer %s", url);
	}
	const char *path = url + 8 + strcspn(url + 8, "/?");
	size_t len = strlen(path);
	while (len && path[len - 1] == '/')
		len--;
	o->discovery_path = rules->discovery_url ? xstrdup(*path ? path : "/")
	                                         : xprintf("%.*s/.well-known/openid-configuration", (int)len, path);
	*ret = o;
	return 0;
}

void oidc_start(struct oidc *o)
{
	want_keys(o);
}

bool oidc_is_idle(const struct oidc *o)
{
	return list_empty(&o->waiting) && !o->is_fetching;
}

void oidc_free(struct oidc *o)
{
	if (!o)
		return;
	CHECK(oidc_is_idle(o));
	outgoing_unref(o->issuer);
	token_cache_free(o->good);
	jwks_free(o->keys);
	free(o->discovery_path);
	free(o);
}

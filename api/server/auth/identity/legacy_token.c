/* See legacy_token.h.
 *
 * Two kinds lie in Secrets: those that our controller makes, which are bound to the Secret like any other token, and
 * those of k3s and of upstream, which name it by older claims and never expire; a cluster that was taken over has them.
 * What is in the Secret is compared with what was shown: a token of another time that names the Secret is either one
 * that was asked for and bound to it (ours: nothing is said of it) or was taken away (upstream's: refused).
 *
 * An account that lists the Secret has it from the days when every account got one: the token is "auto-generated", and
 * whoever uses it is warned. Upstream: pkg/serviceaccount/legacy.go; the words are its.
 *
 * What can go wrong: more Secrets are used than USES_MAX before somebody takes them: the others are marked when they
 * are used again; so is one whose write failed. */
#include "api/server/auth/identity/legacy_token.h"

#include "api/machinery/codec/scalar.h"
#include "api/server/cache/cache.h"
#include "api/server/state.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/json/scan.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>

enum { USES_MAX = 1024, DAY_S = 24 * 3600, WARN_MS = 5000 };

struct use {
	struct slice key; /* "namespace/name" */
	char day[SCALAR_DAY_BYTES];
	char uid[64];
};

struct legacy_tokens {
	struct map uses;
	uint64_t warned_ms;
	uint64_t all, automatic, manual, invalid;
};

bool legacy_wants_mark(struct slice last_used, int64_t now_s)
{
	char today[SCALAR_DAY_BYTES], tomorrow[SCALAR_DAY_BYTES];
	scalar_day_format(now_s, today);
	scalar_day_format(now_s + DAY_S, tomorrow);
	return !slice_is(last_used, today) && !slice_is(last_used, tomorrow);
}

struct legacy_tokens *legacy_tokens_new(void)
{
	struct legacy_tokens *l = xcalloc(1, sizeof *l);
	map_init(&l->uses);
	return l;
}

static void drop_uses(struct legacy_tokens *l)
{
	MAP_FOREACH (it, &l->uses)
		free(it->value);
	map_release(&l->uses);
	map_init(&l->uses);
}

void legacy_tokens_free(struct legacy_tokens *l)
{
	if (!l)
		return;
	drop_uses(l);
	map_release(&l->uses);
	free(l);
}

static void note_use(struct legacy_tokens *l, const struct object *secret, int64_t now_s)
{
	struct slice uid = object_span(secret, secret->uid);
	struct slice meta = json_find(object_text(secret), "metadata", NULL);
	if (!legacy_wants_mark(json_find(meta, "labels", LEGACY_LAST_USED, NULL), now_s) ||
	        map_get(&l->uses, secret->key) || l->uses.count == USES_MAX || uid.len >= sizeof((struct use *)0)->uid)
		return;
	struct use *u = MAP_ENTRY_NEW(struct use, key, secret->key);
	scalar_day_format(now_s, u->day);
	memcpy(u->uid, uid.ptr, uid.len);
	map_put(&l->uses, u->key, u);
}

void legacy_tokens_take(struct legacy_tokens *l,
        void (*fn)(void *arg, struct slice ns, struct slice name, struct slice uid, const char *day), void *arg)
{
	MAP_FOREACH (it, &l->uses) {
		const struct use *u = it->value;
		struct slice name = u->key, ns = slice_cut(&name, '/');
		fn(arg, ns, name, slice_of(u->uid), u->day);
	}
	drop_uses(l);
}

/* ---- judging ---- */

static struct object *find(const struct api_server *s, const char *plural, struct slice ns, struct slice name)
{
	struct strbuf key = STRBUF_INIT;
	strbuf_addf(&key, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(name));
	struct object *o = cache_get(
	        cache_resource(s->cache, resource_find(SLICE(""), SLICE("v1"), slice_of(plural))), strbuf_slice(&key));
	strbuf_release(&key);
	return o;
}

static bool holds(struct arena *a, const struct object *secret, struct slice token)
{
	struct slice text;
	return slice_is(json_find(object_text(secret), "type", NULL), "kubernetes.io/service-account-token") &&
	       base64_decode(a, json_find(object_text(secret), "data", "token", NULL), &text) && slice_eq(text, token);
}

static bool is_listed(struct arena *a, const struct object *account, struct slice name)
{
	struct slice text = json_find(object_text(account), "secrets", NULL);
	JSON_FOREACH (it, text.len ? json_parse(a, text, NULL, NULL) : NULL)
		if (slice_eq(json_get_str(it, "name"), name))
			return true;
	return false;
}

static void annotate(struct token_question *q, const char *key, struct slice value)
{
	CHECK(q->n_notes < TOKEN_NOTES_MAX);
	q->notes[q->n_notes++] = (struct token_note){key, {arena_memdup(q->arena, value.ptr, value.len), value.len}};
}

static int refuse(struct legacy_tokens *l, struct token_question *q, const struct claims *c, struct err *err)
{
	uint64_t now_ms = loop_now_ms(q->server->loop);
	struct slice name = c->secret.name;
	l->invalid++;
	annotate(q, "authentication.k8s.io/legacy-token-invalidated",
	        slice_of(arena_printf(q->arena, "%.*s/%.*s", SLICE_FMT(name), SLICE_FMT(c->ns))));
	if (!l->warned_ms || now_ms - l->warned_ms >= WARN_MS)
		log_warn("authn", "a token that was marked as invalid is used", "secret=%.*s/%.*s account=%.*s",
		        SLICE_FMT(c->ns), SLICE_FMT(name), SLICE_FMT(c->account.name));
	l->warned_ms = now_ms;
	return err_set(err, ERR_UNAUTHENTICATED,
	        "the token in secret %.*s/%.*s for service account %.*s/%.*s has been marked invalid. Use tokens from "
	        "the TokenRequest API or manually created secret-based tokens, or remove the '%s' label from the "
	        "secret "
	        "to temporarily allow use of this token",
	        SLICE_FMT(c->ns), SLICE_FMT(name), SLICE_FMT(c->ns), SLICE_FMT(c->account.name), LEGACY_INVALID_SINCE);
}

static int judge(struct legacy_tokens *l, struct token_question *q, const struct claims *c, const struct object *secret,
        struct err *err)
{
	const struct object *account = find(q->server, "serviceaccounts", c->ns, c->account.name);
	l->all++;
	annotate(q, "authentication.k8s.io/legacy-token", c->subject);
	if (json_find(object_text(secret), "metadata", "labels", LEGACY_INVALID_SINCE, NULL).len)
		return refuse(l, q, c, err);
	bool is_automatic = account && is_listed(q->arena, account, c->secret.name);
	(*(is_automatic ? &l->automatic : &l->manual))++;
	annotate(q,
	        is_automatic ? "authentication.k8s.io/legacy-token-autogenerated-secret"
	                     : "authentication.k8s.io/legacy-token-manual-secret",
	        c->secret.name);
	if (is_automatic)
		q->warning = "Use tokens from the TokenRequest API or manually created secret-based tokens instead of "
		             "auto-generated secret-based tokens.";
	return 0;
}

int legacy_token_check(
        struct legacy_tokens *l, struct token_question *q, const struct claims *c, int64_t now_s, struct err *err)
{
	const struct object *secret = c->secret.is_named ? find(q->server, "secrets", c->ns, c->secret.name) : NULL;
	bool is_held = secret && holds(q->arena, secret, q->token);
	if (c->is_legacy && (!secret || json_find(object_text(secret), "metadata", "deletionTimestamp", NULL).len))
		return err_set(err, ERR_UNAUTHENTICATED, "Token has been invalidated");
	if (c->is_legacy && !is_held)
		return err_set(err, ERR_UNAUTHENTICATED, "Token does not match server's copy");
	if (!is_held)
		return 0;
	int rc = judge(l, q, c, secret, err);
	note_use(l, secret, now_s);
	return rc;
}

void legacy_tokens_metrics(const struct legacy_tokens *l, struct strbuf *out)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {{"serviceaccount_legacy_tokens_total", l->all},
	        {"serviceaccount_legacy_auto_token_uses_total", l->automatic},
	        {"serviceaccount_legacy_manual_token_uses_total", l->manual},
	        {"serviceaccount_invalid_legacy_auto_token_uses_total", l->invalid}};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		strbuf_addf(out, "# TYPE %s counter\n%s %" PRIu64 "\n", rows[i].name, rows[i].name, rows[i].value);
}

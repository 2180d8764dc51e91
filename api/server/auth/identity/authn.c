/* See authn.h.
 *
 * Certificates: TLS has verified them against the client CA; the common name is the user, organizations are groups.
 * Proxies say for whom they ask, in headers: see front_proxy.h. They come first.
 * Tokens: JWTs of service accounts, signed with our key. A token is good while its signature holds, its time is not
 * over, it was made for us, and the service account it names (and the pod or secret it is bound to) still exists with
 * the same uid: deleting a pod ends its token (KEP-1205). Checking a signature costs about 0.1 ms, so the result is
 * remembered for a little while by the token's hash.
 *
 * Whose a token is to judge shows in it: static tokens are known, bootstrap tokens have their form, JWTs name their
 * issuer. What nobody here knows, or an OIDC issuer's token that was refused, a webhook is asked for when there is one;
 * what names our own issuer is judged here alone, and shown to nobody. Claims are read of what is signed; before that
 * only the name of the issuer is looked for in the bytes.
 * Passwords: of join tokens alone, see join_token.h. */
#include "api/server/auth/identity/authn.h"

#include "api/server/auth/config_text.h"
#include "api/server/auth/identity/authentication_config.h"
#include "api/server/auth/identity/bootstrap_token.h"
#include "api/server/auth/identity/front_proxy.h"
#include "api/server/auth/identity/join_token.h"
#include "api/server/auth/identity/legacy_token.h"
#include "api/server/arguments.h"
#include "api/server/auth/identity/oidc.h"
#include "api/server/auth/identity/token_file.h"
#include "api/server/auth/identity/token_webhook.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/file/file_stamp.h"
#include "base/json/json.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "base/wire/http.h"
#include "base/wire/url.h"

#include <stdlib.h>
#include <time.h>

enum { REMEMBERED_MAX = 256, REMEMBER_S = 10, PEERS_MAX = 64, KEYS_MAX = 8, AUDIENCES_MAX = 16 };

struct remembered {
	unsigned char hash[32];
	int64_t until_s;
};

struct known_peer {
	char certificate[65]; /* SHA-256 in hex */
	struct user *user;    /* NULL: free */
};

struct authenticator {
	struct pki_key *keys[KEYS_MAX]; /* of service account tokens: the first signs, any verifies */
	size_t n_keys;
	struct join_secrets *joins;
	struct legacy_tokens *legacy;
	struct token_file *token_file; /* NULL: none */
	struct issuers *issuers; /* the first is the one in use; those behind it end when nobody asks them any more */
	struct token_webhook *webhook; /* NULL: none */
	struct file_stamp seen;        /* of the file of --authentication-config */
	uint64_t reloads, failed_reloads;
	struct slice audiences[AUDIENCES_MAX]; /* of the API */
	size_t n_audiences;
	uint64_t warned_ms; /* of a join that was turned away: not each of many is told */
	struct known_peer peers[PEERS_MAX];
	struct remembered remembered[REMEMBERED_MAX];
};

/* ---- issuers and audiences ---- */

const char *authn_issuer(const struct api_server *s)
{
	const struct flag_list *issuers = &s->options.arguments->service_accounts.issuers;
	return issuers->count ? issuers->items[0] : s->options.service_account_issuer;
}

/* A token's "iss" is that of service accounts. */
static bool is_our_issuer(const struct api_server *s, struct slice issuer)
{
	const struct flag_list *issuers = &s->options.arguments->service_accounts.issuers;
	for (size_t i = 0; i < issuers->count; i++)
		if (slice_is(issuer, issuers->items[i]))
			return true;
	return issuers->count == 0 && slice_is(issuer, s->options.service_account_issuer);
}

size_t authn_audiences(const struct api_server *s, const struct slice **ret)
{
	*ret = s->authenticator->audiences;
	return s->authenticator->n_audiences;
}

/* ---- keys and files ---- */

static void free_keys(struct pki_key **keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pki_key_free(keys[i]);
}

/* A file of one key or, while another takes over, of several. */
static int load_keys(const char *file, struct pki_key *keys[KEYS_MAX], size_t *n, struct err *err)
{
	char *pem;
	*n = 0;
	if (pki_file_read(file, &pem, NULL, err) != 0)
		return err_wrap(err, "service account key");
	for (char *at = pem, *end; at && *n < KEYS_MAX && !err->code; at = end) {
		char *line = strstr(at, "KEY-----\n"), *last = line ? strstr(line + 1, "KEY-----") : NULL;
		end = last ? strchr(last, '\n') : NULL;
		if (end)
			*end++ = 0;
		if (last || !*n) /* nothing that is one: say so */
			*n += pki_key_load(at, &keys[*n], err) == 0;
	}
	free(pem);
	if (!err->code)
		return 0;
	free_keys(keys, *n);
	return err_wrap(err, "service account key %s", file);
}

/* Those that the arguments name; else the issuers and, as the first tokens of k3x had it, "k3x". */
static int take_audiences(struct api_server *s, struct authenticator *a, struct err *err)
{
	const struct api_service_account_arguments *args = &s->options.arguments->service_accounts;
	const struct flag_list *from = args->audiences.count ? &args->audiences : &args->issuers;
	if (from->count > AUDIENCES_MAX - 2)
		return err_set(err, ERR_INVAL, "%s: more than %d",
		        args->audiences.count ? "api-audiences" : "service-account-issuer", AUDIENCES_MAX - 2);
	for (size_t i = 0; i < from->count; i++)
		a->audiences[a->n_audiences++] = slice_of(from->items[i]);
	if (from->count == 0)
		a->audiences[a->n_audiences++] = slice_of(s->options.service_account_issuer);
	if (from == &args->issuers)
		a->audiences[a->n_audiences++] = SLICE("k3x");
	return 0;
}

/* A token's issuer says who judges it. */
static int check_issuers(struct api_server *s, struct err *err)
{
	const struct api_arguments *args = s->options.arguments;
	for (size_t i = 0; i < args->service_accounts.issuers.count; i++) {
		const char *issuer = args->service_accounts.issuers.items[i];
		if (strchr(issuer, ':') && strncmp(issuer, "https://", 8) != 0)
			return err_set(
			        err, ERR_INVAL, "service-account-issuer: \"%s\" is no URL with https://", issuer);
	}
	if (args->authentication_config && args->oidc_is_set)
		return err_set(err, ERR_INVAL, "authentication-config file and oidc-* flags are mutually exclusive");
	uint64_t max_ms = args->service_accounts.max_expiration_ms;
	if (max_ms && (max_ms < 3600000 || max_ms / 1000 > (uint64_t)1 << 32))
		return err_set(
		        err, ERR_INVAL, "service-account-max-token-expiration: it lies between 1h and 2^32 seconds");
	return 0;
}

/* ---- issuers of tokens ---- */

enum { LOOK_TICKS = 5 };

/* What one reading of the configuration came to. */
struct issuers {
	struct issuers *next;
	struct arena arena;
	struct authentication_config *config; /* NULL: of the arguments */
	struct oidc *items[JWT_ISSUERS_MAX];
	size_t count;
};

static void issuers_free(struct issuers *x)
{
	for (size_t i = 0; i < x->count; i++)
		oidc_free(x->items[i]);
	authentication_config_free(x->config);
	arena_release(&x->arena);
	free(x);
}

static bool issuers_are_idle(const struct issuers *x)
{
	for (size_t i = 0; i < x->count; i++)
		if (!oidc_is_idle(x->items[i]))
			return false;
	return true;
}

/* Of the configuration's issuers, or of the arguments'. */
static int fill_issuers(struct api_server *s, struct issuers *x, struct err *err)
{
	const struct api_arguments *args = s->options.arguments;
	const struct jwt_rules *one, *const *all = &one;
	size_t n = args->oidc_is_set;
	if (args->authentication_config) {
		const char *const own[] = {s->options.service_account_issuer};
		struct flag_list list = {(const char **)own, 1};
		if (authentication_config_load(args->authentication_config,
		            args->service_accounts.issuers.count ? &args->service_accounts.issuers : &list, &x->config,
		            err) != 0)
			return err->code;
		all = x->config->issuers;
		n = x->config->count;
	} else if (n) {
		struct api_oidc_arguments *o = ARENA_NEW(&x->arena, struct api_oidc_arguments);
		*o = args->oidc;
		if (jwt_rules_of_arguments(&x->arena, o, &one, err) != 0)
			return err->code;
		if (is_our_issuer(s, slice_of(one->issuer_url)))
			return err_set(err, ERR_INVAL, "oidc-issuer-url: %s is the issuer of service accounts",
			        one->issuer_url);
		char *pem = NULL;
		if (o->ca_file && pki_file_read(o->ca_file, &pem, NULL, err) != 0)
			return err_wrap(err, "oidc-ca-file");
		if (pem)
			((struct jwt_rules *)one)->ca_pem = arena_strdup(&x->arena, pem);
		free(pem);
	}
	for (; x->count < n; x->count++)
		if (oidc_new(s->loop, s->outgoing, all[x->count], &x->items[x->count], err) != 0)
			return err->code;
	return 0;
}

static int issuers_new(struct api_server *s, struct issuers **ret, struct err *err)
{
	struct issuers *x = xcalloc(1, sizeof *x);
	if (fill_issuers(s, x, err) != 0)
		issuers_free(x);
	else
		*ret = x;
	return err->code;
}

static void start_issuers(struct issuers *x)
{
	for (size_t i = 0; i < x->count; i++)
		oidc_start(x->items[i]);
}

static struct oidc *find_issuer(const struct authenticator *a, struct slice name)
{
	for (size_t i = 0; i < a->issuers->count; i++)
		if (oidc_is_of(a->issuers->items[i], name))
			return a->issuers->items[i];
	return NULL;
}

static void drop_old_issuers(struct authenticator *a)
{
	for (struct issuers **at = &a->issuers->next, *x; (x = *at) != NULL;)
		if (issuers_are_idle(x)) {
			*at = x->next;
			issuers_free(x);
		} else {
			at = &x->next;
		}
}

/* Tokens of issuers that are gone are nobody's from now on. */
static void reload_issuers(struct api_server *s, const char *path)
{
	struct authenticator *a = s->authenticator;
	struct issuers *now = NULL;
	struct err err = ERR_INIT;
	if (issuers_new(s, &now, &err) != 0) {
		a->failed_reloads++;
		log_error("authn", "the issuers of tokens stay as they were", "error=\"%s\"", err.msg);
		return;
	}
	now->next = a->issuers;
	a->issuers = now;
	a->reloads++;
	start_issuers(now);
	log_info("authn", "the issuers of tokens have changed", "file=%s count=%zu", path, now->count);
}

void authenticator_look(struct api_server *s)
{
	struct authenticator *a = s->authenticator;
	const char *path = s->options.arguments->authentication_config;
	drop_old_issuers(a);
	if (path && s->ticks % LOOK_TICKS == 0 && file_stamp_changed(&a->seen, path))
		reload_issuers(s, path);
}

void authenticator_metrics(const struct api_server *s, struct strbuf *out)
{
	static const char name[] = "apiserver_authentication_config_controller_automatic_reloads_total";
	legacy_tokens_metrics(s->authenticator->legacy, out);
	if (!s->options.arguments->authentication_config)
		return;
	strbuf_addf(out, "# TYPE %s counter\n%s{status=\"success\"} %llu\n%s{status=\"failure\"} %llu\n", name, name,
	        (unsigned long long)s->authenticator->reloads, name,
	        (unsigned long long)s->authenticator->failed_reloads);
}

bool authn_allows_anonymous(const struct api_server *s, struct slice path)
{
	const struct authentication_config *c = s->authenticator->issuers->config;
	if (!c || !c->allows_anonymous)
		return false;
	for (size_t i = 0; i < c->n_anonymous_paths; i++)
		if (slice_is(path, c->anonymous_paths[i]))
			return true;
	return c->n_anonymous_paths == 0;
}

/* What the arguments name. */
static int load_named(struct api_server *s, struct authenticator *a, struct err *err)
{
	const struct api_arguments *args = s->options.arguments;
	if (take_audiences(s, a, err) != 0 || check_issuers(s, err) != 0 ||
	        front_proxy_check(&args->front_proxy, s->options.client_ca_file, err) != 0)
		return err->code;
	if (args->token_file && token_file_load(args->token_file, &a->token_file, err) != 0)
		return err_wrap(err, "token-auth-file");
	if (args->authentication_config)
		file_stamp_changed(&a->seen, args->authentication_config);
	if (issuers_new(s, &a->issuers, err) != 0)
		return err->code;
	if (args->token_webhook.config_file)
		return token_webhook_new(s->loop, s->outgoing, &args->token_webhook, &a->webhook, err);
	return 0;
}

void authenticator_start(struct authenticator *a)
{
	start_issuers(a->issuers);
}

int authenticator_new(struct api_server *s, struct authenticator **ret, struct err *err)
{
	struct authenticator *a = xcalloc(1, sizeof *a);
	if (load_keys(s->options.service_account_key_file, a->keys, &a->n_keys, err) != 0) {
		free(a);
		return err->code;
	}
	a->legacy = legacy_tokens_new();
	if (join_secrets_load(s->options.token_file, s->options.agent_token_file, &a->joins, err) != 0 ||
	        load_named(s, a, err) != 0) {
		authenticator_free(a);
		return err->code;
	}
	*ret = a;
	return 0;
}

int authenticator_reload(struct api_server *s, struct err *err)
{
	struct authenticator *a = s->authenticator;
	struct join_secrets *joins;
	struct pki_key *keys[KEYS_MAX];
	size_t n;
	LOOP_CHECK_OWNER(s->loop);
	if (load_keys(s->options.service_account_key_file, keys, &n, err) != 0)
		return err->code;
	if (join_secrets_load(s->options.token_file, s->options.agent_token_file, &joins, err) != 0) {
		free_keys(keys, n);
		return err->code;
	}
	join_secrets_free(a->joins);
	free_keys(a->keys, a->n_keys);
	a->joins = joins;
	a->n_keys = n;
	memcpy(a->keys, keys, n * sizeof *keys);
	memset(a->remembered, 0, sizeof a->remembered); /* by the old key */
	return 0;
}

void authenticator_free(struct authenticator *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < PEERS_MAX; i++)
		user_unref(a->peers[i].user);
	free_keys(a->keys, a->n_keys);
	join_secrets_free(a->joins);
	legacy_tokens_free(a->legacy);
	token_file_free(a->token_file);
	for (struct issuers *x = a->issuers, *next; x; x = next) {
		next = x->next;
		issuers_free(x);
	}
	token_webhook_free(a->webhook);
	free(a);
}

int authn_sign(struct api_server *s, const struct claims *claims, struct strbuf *out, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	claims_write(claims, &text);
	return jwt_sign(s->authenticator->keys[0], strbuf_slice(&text), out, err);
}

/* ---- users ---- */

/* Certificates are remembered by their hash, so that the requests of a connection share one user. */
static struct user *user_of_peer(struct authenticator *a, const struct http_peer *p)
{
	struct known_peer *k = &a->peers[p->certificate_sha256.len ? map_hash(p->certificate_sha256) % PEERS_MAX : 0];
	if (k->user && slice_eq((struct slice){k->certificate, strlen(k->certificate)}, p->certificate_sha256))
		return user_ref(k->user);
	struct user *u = user_new(p->common_name, SLICE_NULL);
	bool fits = user_add_group(u, SLICE("system:authenticated"));
	for (size_t i = 0; i < p->organizations_count; i++)
		fits = fits && user_add_group(u, p->organizations[i]);
	if (!fits) {
		user_unref(u);
		return NULL;
	}
	if (p->certificate_sha256.len == sizeof k->certificate - 1) {
		user_unref(k->user);
		k->user = user_ref(u);
		memcpy(k->certificate, p->certificate_sha256.ptr, p->certificate_sha256.len);
	}
	return u;
}

/* ---- tokens ---- */

static bool is_remembered(struct authenticator *a, const unsigned char hash[32], int64_t now)
{
	struct remembered *r = &a->remembered[hash[0]];
	return r->until_s > now && memcmp(r->hash, hash, 32) == 0;
}

static void remember(struct authenticator *a, const unsigned char hash[32], int64_t now)
{
	struct remembered *r = &a->remembered[hash[0]];
	memcpy(r->hash, hash, 32);
	r->until_s = now + REMEMBER_S;
}

static int verify_signature(struct api_server *s, struct slice token, int64_t now, struct err *err)
{
	unsigned char hash[32];
	pki_sha256(token.ptr, token.len, hash);
	if (is_remembered(s->authenticator, hash, now))
		return 0;
	if (jwt_verify(token, s->authenticator->keys, s->authenticator->n_keys, err) != 0)
		return err->code;
	remember(s->authenticator, hash, now);
	return 0;
}

static int reject(struct err *err, const char *why)
{
	return err_set(err, ERR_UNAUTHENTICATED, "invalid bearer token: %s", why);
}

static bool exists(struct api_server *s, const char *plural, struct slice ns, struct slice name, struct slice uid)
{
	struct strbuf key = STRBUF_INIT;
	strbuf_addf(&key, "%.*s%s%.*s", SLICE_FMT(ns), ns.len ? "/" : "", SLICE_FMT(name));
	struct object *o = cache_get(
	        cache_resource(s->cache, resource_find(SLICE(""), SLICE("v1"), slice_of(plural))), strbuf_slice(&key));
	strbuf_release(&key);
	return o && slice_eq(object_span(o, o->uid), uid);
}

struct legacy_tokens *authn_legacy_tokens(const struct api_server *s)
{
	return s->authenticator->legacy;
}

static bool bound_object_is_there(
        struct api_server *s, struct slice ns, const struct claims_object *o, const char *plural)
{
	return !o->is_named || exists(s, plural, ns, o->name, o->uid);
}

static bool is_of_account(const struct claims *c)
{
	CLEANUP(cleanup_strbuf) struct strbuf name = STRBUF_INIT;
	strbuf_addf(&name, "system:serviceaccount:%.*s:%.*s", SLICE_FMT(c->ns), SLICE_FMT(c->account.name));
	return slice_eq(strbuf_slice(&name), c->subject);
}

static int check_claims(struct api_server *s, const struct claims *c, int64_t now, struct err *err)
{
	if (!is_our_issuer(s, c->issuer) && !c->is_legacy)
		return reject(err, "it was issued by somebody else");
	if (c->expires_s <= now && !c->is_legacy)
		return reject(err, "it has expired");
	if (c->not_before_s > now + 60)
		return reject(err, "it is not valid yet");
	if (!exists(s, "serviceaccounts", c->ns, c->account.name, c->account.uid))
		return reject(err, "its service account is gone");
	if (c->is_legacy)
		return is_of_account(c) ? 0 : reject(err, "sub claim is invalid");
	if (!bound_object_is_there(s, c->ns, &c->pod, "pods") ||
	        !bound_object_is_there(s, c->ns, &c->secret, "secrets") ||
	        (!c->pod.is_named && !bound_object_is_there(s, SLICE_NULL, &c->node, "nodes")))
		return reject(err, "the object it is bound to is gone");
	return 0;
}

static struct user *user_of_claims(struct arena *a, const struct claims *c)
{
	struct user *u = user_new(slice_of(arena_printf(a, "system:serviceaccount:%.*s:%.*s", SLICE_FMT(c->ns),
	                                  SLICE_FMT(c->account.name))),
	        c->account.uid);
	user_add_group(u, SLICE("system:serviceaccounts"));
	user_add_group(u, slice_of(arena_printf(a, "system:serviceaccounts:%.*s", SLICE_FMT(c->ns))));
	user_add_group(u, SLICE("system:authenticated"));
	if (c->id.len)
		user_add_extra(u, SLICE("authentication.kubernetes.io/credential-id"),
		        slice_of(arena_printf(a, "JTI=%.*s", SLICE_FMT(c->id))));
	if (c->pod.is_named) {
		user_add_extra(u, SLICE("authentication.kubernetes.io/pod-name"), c->pod.name);
		user_add_extra(u, SLICE("authentication.kubernetes.io/pod-uid"), c->pod.uid);
	}
	if (c->node.is_named) {
		user_add_extra(u, SLICE("authentication.kubernetes.io/node-name"), c->node.name);
		user_add_extra(u, SLICE("authentication.kubernetes.io/node-uid"), c->node.uid);
	}
	return u;
}

/* Of `have` those that were asked for: by the question, or by the API. An error when there are none. */
static int fit_audiences(struct token_question *q, const struct slice *have, size_t n_have, struct err *err)
{
	struct slice *good = ARENA_ARRAY(q->arena, struct slice, q->n_audiences + 1);
	for (size_t i = 0; i < q->n_audiences; i++)
		for (size_t j = 0; j < n_have; j++)
			if (slice_eq(q->audiences[i], have[j])) {
				good[q->n_good_for++] = q->audiences[i];
				break;
			}
	q->good_for = good;
	if (q->n_good_for)
		return 0;
	user_unref(TAKE(q->user));
	return reject(err, "it was made for another audience");
}

/* Whoever is known by something that names no audience is known to the API. */
static int fit_any(struct token_question *q, struct err *err)
{
	const struct authenticator *a = q->server->authenticator;
	return fit_audiences(q, a->audiences, a->n_audiences, err);
}

static int of_service_account(struct token_question *q, struct slice text, struct err *err)
{
	struct claims claims;
	int64_t now = (int64_t)time(NULL);
	/* Before the claims are read: a tree is made of nothing that a stranger wrote. */
	if (verify_signature(q->server, q->token, now, err) != 0)
		return reject(err, "its signature does not fit");
	if (claims_parse(q->arena, text, &claims, err) != 0)
		return reject(err, "its claims are not JSON");
	if (check_claims(q->server, &claims, now, err) != 0)
		return err->code;
	if (legacy_token_check(q->server->authenticator->legacy, q, &claims, now, err) != 0)
		return err_wrap(err, "invalid bearer token");
	q->user = user_of_claims(q->arena, &claims);
	if (claims.is_legacy)
		return fit_any(q, err);
	return fit_audiences(q, claims.audiences, claims.audience_count, err);
}

/* ---- those that answer later ---- */

static void end_later(struct token_question *q, const struct err *err)
{
	struct err now = *err;
	if (!now.code && !q->n_good_for)
		fit_any(q, &now);
	q->done(q, &now);
}

static int ask_webhook(struct token_question *q, struct err *err)
{
	*err = ERR_INIT;
	q->step = end_later;
	int rc = token_webhook_ask(q->server->authenticator->webhook, q, err);
	return rc == 0 && !q->n_good_for ? fit_any(q, err) : rc;
}

static void oidc_answered(struct token_question *q, const struct err *err)
{
	struct err now = *err;
	if (now.code && q->server->authenticator->webhook && ask_webhook(q, &now) == AUTHN_LATER)
		return;
	if (!now.code && !q->n_good_for)
		fit_any(q, &now);
	q->done(q, &now);
}

static int ask_oidc(struct oidc *issuer, struct token_question *q, struct err *err)
{
	q->step = oidc_answered;
	int rc = oidc_ask(issuer, q, err);
	if (rc == 0)
		return fit_any(q, err);
	return rc != AUTHN_LATER && q->server->authenticator->webhook ? ask_webhook(q, err) : rc;
}

/* ---- */

static int of_jwt(struct token_question *q, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf header = STRBUF_INIT, text = STRBUF_INIT;
	struct authenticator *a = q->server->authenticator;
	if (jwt_parse(q->token, &header, &text, err) != 0)
		return a->webhook ? ask_webhook(q, err) : reject(err, "it is not a JSON Web Token");
	struct slice issuer = json_find(strbuf_slice(&text), "iss", NULL);
	struct oidc *known = find_issuer(a, issuer);
	if (known)
		return ask_oidc(known, q, err);
	if (is_our_issuer(q->server, issuer) || slice_is(issuer, CLAIMS_LEGACY_ISSUER) || !a->webhook)
		return of_service_account(q, strbuf_slice(&text), err);
	return ask_webhook(q, err);
}

int authn_token(struct api_server *s, struct token_question *q, struct err *err)
{
	struct bootstrap_token bootstrap;
	struct authenticator *a = s->authenticator;
	LOOP_CHECK_OWNER(s->loop);
	q->server = s;
	if (!q->n_audiences)
		q->n_audiences = authn_audiences(s, &q->audiences);
	if (a->token_file && (q->user = token_file_user(a->token_file, q->token)) != NULL)
		return fit_any(q, err);
	if (bootstrap_token_parse(q->token, &bootstrap)) {
		int rc = bootstrap_token_user(s, &bootstrap, &q->user, err);
		return rc == 0 ? fit_any(q, err) : rc;
	}
	return of_jwt(q, err);
}

/* ---- join tokens ---- */

enum { WARN_MS = 5000 };
#define JOIN_PREFIX "/v1-k3x/"

static int of_join(struct api_server *s, struct slice credentials, const struct http_request *r, struct user **ret,
        struct err *err)
{
	struct authenticator *a = s->authenticator;
	int rc = join_secrets_user(a->joins, credentials, ret, err);
	uint64_t now = loop_now_ms(s->loop);
	if (rc != 0 && !slice_starts(r->path, JOIN_PREFIX)) {
		*err = ERR_INIT;
		return err_set(err, ERR_UNAUTHENTICATED,
		        "Unauthorized: a password is what servers and agents join with: send a bearer token or a "
		        "client "
		        "certificate");
	}
	if (rc != 0 && (!a->warned_ms || now - a->warned_ms >= WARN_MS)) {
		a->warned_ms = now;
		log_warn("join", "turned away", "from=%s why=\"%s\"", r->peer->address, err->msg);
	}
	return rc;
}

static int of_peer(struct authenticator *a, const struct http_peer *peer, struct user **ret, struct err *err)
{
	if (!peer->verified)
		return err_set(err, ERR_UNAUTHENTICATED, "Unauthorized");
	*ret = user_of_peer(a, peer);
	return *ret ? 0
	            : err_set(err, ERR_UNAUTHENTICATED, "the certificate names more than %d organizations",
	                      USER_GROUPS_MAX - 1);
}

static struct slice behind(struct slice header, size_t n)
{
	return slice_trim((struct slice){header.ptr + n, header.len - n});
}

int authn_request(
        struct api_server *s, struct http_exchange *x, struct token_question *q, bool *is_silent, struct err *err)
{
	struct slice header = http_header(x, "authorization");
	const struct http_peer *peer = http_request(x)->peer;
	LOOP_CHECK_OWNER(s->loop);
	*is_silent = false;
	if (peer->is_proxy &&
	        (front_proxy_user(&s->options.arguments->front_proxy, http_request(x), &q->user, err) != 0 || q->user))
		return err->code;
	if (header.len > 7 && slice_caseis((struct slice){header.ptr, 7}, "Bearer ")) {
		struct slice token = behind(header, 7);
		q->token = (struct slice){arena_memdup(q->arena, token.ptr, token.len), token.len};
		return authn_token(s, q, err);
	}
	if (header.len > 6 && slice_caseis((struct slice){header.ptr, 6}, "Basic "))
		return of_join(s, behind(header, 6), http_request(x), &q->user, err);
	*is_silent = !header.len && !peer->verified;
	return of_peer(s->authenticator, peer, &q->user, err);
}

/* ---- what others may know of our keys ---- */

void authn_write_keys(const struct api_server *s, struct strbuf *out)
{
	const struct authenticator *a = s->authenticator;
	struct err err = ERR_INIT;
	strbuf_adds(out, "{\"keys\":[");
	for (size_t i = 0; i < a->n_keys; i++) {
		strbuf_adds(out, i ? "," : "");
		CHECK(pki_key_jwk(a->keys[i], out, &err) == 0);
	}
	strbuf_adds(out, "]}");
}

void authn_write_discovery(const struct api_server *s, struct strbuf *out)
{
	const struct authenticator *a = s->authenticator;
	const char *uri = s->options.arguments->service_accounts.jwks_uri;
	bool uses[2] = {false, false};
	CLEANUP(cleanup_strbuf) struct strbuf own = STRBUF_INIT;
	struct arena arena = ARENA_INIT;
	strbuf_addf(&own, "https://%s/openid/v1/jwks",
	        url_authority(&arena, s->options.advertise_address, http_server_port(s->http)));
	arena_release(&arena);
	strbuf_adds(out, "{\"issuer\":");
	json_write_str(out, slice_of(authn_issuer(s)));
	strbuf_adds(out, ",\"jwks_uri\":");
	json_write_str(out, uri ? slice_of(uri) : strbuf_slice(&own));
	strbuf_adds(out, ",\"response_types_supported\":[\"id_token\"],\"subject_types_supported\":[\"public\"],"
	                 "\"id_token_signing_alg_values_supported\":[");
	for (size_t i = 0; i < a->n_keys; i++)
		uses[strcmp(pki_key_algorithm(a->keys[i]), "RS256") == 0] = true;
	strbuf_addf(
	        out, "%s%s%s]}", uses[0] ? "\"ES256\"" : "", uses[0] && uses[1] ? "," : "", uses[1] ? "\"RS256\"" : "");
}

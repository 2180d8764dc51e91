/* See authn.h.
 *
 * Certificates: TLS has verified them against the client CA; the common name is the user, organizations are groups.
 * Tokens: JWTs of service accounts, signed with our key. A token is good while its signature holds, its time is not
 * over, it was made for us, and the service account it names (and the pod or secret it is bound to) still exists with
 * the same uid: deleting a pod ends its token (KEP-1205). Checking a signature costs about 0.1 ms, so the result is
 * remembered for a little while by the token's hash.
 * Bootstrap tokens are bearer tokens too, told apart by their form: see bootstrap_token.h.
 * Passwords: of join tokens alone, see join_token.h. */
#include "api/server/auth/authn.h"

#include "api/server/auth/bootstrap_token.h"
#include "api/server/auth/join_token.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/log.h"
#include "base/pki.h"
#include "base/wire/http.h"

#include <stdlib.h>
#include <time.h>

enum { REMEMBERED_MAX = 256, REMEMBER_S = 10, PEERS_MAX = 64, KEYS_MAX = 8 };

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
	uint64_t warned_ms; /* of a join that was turned away: not each of many is told */
	struct known_peer peers[PEERS_MAX];
	struct remembered remembered[REMEMBERED_MAX];
};

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

int authenticator_new(struct api_server *s, struct authenticator **ret, struct err *err)
{
	struct authenticator *a = xcalloc(1, sizeof *a);
	if (load_keys(s->options.service_account_key_file, a->keys, &a->n_keys, err) != 0) {
		free(a);
		return err->code;
	}
	if (join_secrets_load(s->options.token_file, s->options.agent_token_file, &a->joins, err) != 0) {
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
	free(a);
}

const char *authn_issuer(const struct api_server *s)
{
	return s->options.service_account_issuer;
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
	strbuf_addf(&key, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(name));
	struct object *o = cache_get(
	        cache_resource(s->cache, resource_find(SLICE(""), SLICE("v1"), slice_of(plural))), strbuf_slice(&key));
	strbuf_release(&key);
	return o && slice_eq(object_span(o, o->uid), uid);
}

static bool bound_object_is_there(
        struct api_server *s, struct slice ns, const struct claims_object *o, const char *plural)
{
	return !o->is_named || exists(s, plural, ns, o->name, o->uid);
}

static int check_claims(struct api_server *s, const struct claims *c, int64_t now, struct err *err)
{
	if (!slice_is(c->issuer, s->options.service_account_issuer))
		return reject(err, "it was issued by somebody else");
	if (c->expires_s <= now)
		return reject(err, "it has expired");
	if (c->not_before_s > now + 60)
		return reject(err, "it is not valid yet");
	if (!exists(s, "serviceaccounts", c->ns, c->account.name, c->account.uid))
		return reject(err, "its service account is gone");
	if (!bound_object_is_there(s, c->ns, &c->pod, "pods") ||
	        !bound_object_is_there(s, c->ns, &c->secret, "secrets"))
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
	return u;
}

int authn_token(struct api_server *s, struct arena *a, struct slice token, struct user **ret, struct claims *ret_claims,
        struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf header = STRBUF_INIT, text = STRBUF_INIT;
	int64_t now = (int64_t)time(NULL);
	struct claims claims;
	struct bootstrap_token bootstrap;
	LOOP_CHECK_OWNER(s->loop);
	if (bootstrap_token_parse(token, &bootstrap)) {
		*ret_claims = (struct claims){0};
		return bootstrap_token_user(s, &bootstrap, ret, err);
	}
	if (jwt_parse(token, &header, &text, err) != 0)
		return reject(err, "it is not a JSON Web Token");
	/* Before the claims are read: a tree is made of nothing that a stranger wrote. */
	if (verify_signature(s, token, now, err) != 0)
		return reject(err, "its signature does not fit");
	if (claims_parse(a, strbuf_slice(&text), &claims, err) != 0)
		return reject(err, "its claims are not JSON");
	if (check_claims(s, &claims, now, err) != 0)
		return err->code;
	*ret = user_of_claims(a, &claims);
	*ret_claims = claims;
	return 0;
}

static bool is_for_us(struct api_server *s, const struct claims *c)
{
	for (size_t i = 0; i < c->audience_count; i++)
		if (slice_is(c->audiences[i], s->options.service_account_issuer) || slice_is(c->audiences[i], "k3x"))
			return true;
	return false;
}

static int of_token(struct api_server *s, struct slice token, struct user **ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct claims claims;
	struct user *u = NULL;
	struct bootstrap_token bootstrap; /* good everywhere */
	int rc = authn_token(s, &a, token, &u, &claims, err);
	if (rc == 0 && !bootstrap_token_parse(token, &bootstrap) && !is_for_us(s, &claims)) {
		user_unref(u);
		rc = reject(err, "it was made for another audience");
	}
	arena_release(&a);
	if (rc == 0)
		*ret = u;
	return rc;
}

/* ---- join tokens ---- */

enum { WARN_MS = 5000 };

static int of_join(
        struct api_server *s, struct slice credentials, const char *address, struct user **ret, struct err *err)
{
	struct authenticator *a = s->authenticator;
	int rc = join_secrets_user(a->joins, credentials, ret, err);
	uint64_t now = loop_now_ms(s->loop);
	if (rc != 0 && (!a->warned_ms || now - a->warned_ms >= WARN_MS)) {
		a->warned_ms = now;
		log_warn("join", "turned away", "from=%s why=\"%s\"", address, err->msg);
	}
	return rc;
}

int authn_request(struct api_server *s, struct http_exchange *x, struct user **ret, bool *is_silent, struct err *err)
{
	struct slice header = http_header(x, "authorization");
	const struct http_peer *peer = http_request(x)->peer;
	LOOP_CHECK_OWNER(s->loop);
	*is_silent = false;
	if (header.len > 7 && slice_caseis((struct slice){header.ptr, 7}, "Bearer "))
		return of_token(s, slice_trim((struct slice){header.ptr + 7, header.len - 7}), ret, err);
	if (header.len > 6 && slice_caseis((struct slice){header.ptr, 6}, "Basic "))
		return of_join(s, slice_trim((struct slice){header.ptr + 6, header.len - 6}), peer->address, ret, err);
	if (peer->verified) {
		struct user *u = user_of_peer(s->authenticator, peer);
		if (!u)
			return err_set(err, ERR_UNAUTHENTICATED, "the certificate names more than %d organizations",
			        USER_GROUPS_MAX - 1);
		*ret = u;
		return 0;
	}
	*is_silent = !header.len;
	return err_set(err, ERR_UNAUTHENTICATED, "Unauthorized");
}

/* Tokens: what a client that has shown its password sends from then on. See auth.h.
 *
 * simple: "NAME.ISSUED.PASSWORD.NONCE.MAC": the user's name (base64url), the second it was issued, the revision of the
 * auth store at which the password was set, and a nonce, signed with the secret that the system keyspace holds. So it
 * is good on every member and needs no state but this: it dies a TTL after it was last used, and each member counts the
 * use it has seen itself (as etcd's do); a member that has seen none counts from the second it was issued. A new
 * password, the end of the user, and turning authentication off and on end it at once.
 *
 * jwt: a JSON Web Token with the claims username, revision (of the auth store) and exp, signed with a key of the
 * operator's. It dies when it says so, and when anything about users and roles has changed since. */
#include "base/base64.h"
#include "base/check.h"
#include "base/json_lib.h"
#include "base/mem/map.h"
#include "base/pki/pki.h"
#include "store/etcd/auth/auth.h"

#include <inttypes.h>
#include <stdlib.h>

enum { TTL_S = 300, NONCE_BYTES = 8, TOKEN_BYTES_MAX = 4096, SWEEP_MIN = 1024 };

struct used {
	int64_t until_s;
	size_t len;
	char text[];
};

struct etcd_tokens {
	bool is_jwt;
	unsigned ttl_s;
	struct map used; /* simple: by token */
	size_t sweep_at;
	struct pki_key *key; /* jwt */
};

/* ---- making ---- */

/* "1h30m", "90s" */
static bool parse_duration(struct slice text, unsigned *ret_s)
{
	uint64_t sum = 0;
	while (text.len) {
		uint64_t n;
		size_t digits = 0;
		while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
			digits++;
		if (digits == text.len || digits > 8 || !slice_to_u64((struct slice){text.ptr, digits}, &n))
			return false;
		char unit = text.ptr[digits];
		if (unit != 'h' && unit != 'm' && unit != 's')
			return false;
		sum += n * (unit == 'h' ? 3600u : unit == 'm' ? 60u : 1u);
		text = (struct slice){text.ptr + digits + 1, text.len - digits - 1};
	}
	*ret_s = (unsigned)sum;
	return sum > 0 && sum < 1000000000;
}

static int load_key(const char *file, struct pki_key **ret, struct err *err)
{
	char *pem = NULL;
	size_t len;
	if (pki_file_read(file, &pem, &len, err) != 0)
		return err->code;
	int rc = pki_key_load(pem, ret, err);
	free(pem);
	return rc ? err_wrap(err, "%s", file) : 0;
}

static bool same_key(const struct pki_key *x, const struct pki_key *y)
{
	char *px = NULL, *py = NULL;
	bool same =
	        pki_key_public_pem(x, &px, NULL) == 0 && pki_key_public_pem(y, &py, NULL) == 0 && strcmp(px, py) == 0;
	free(px);
	free(py);
	return same;
}

struct jwt_spec {
	const char *public_file, *private_file, *method;
};

static int parse_jwt(struct arena *a, struct slice rest, struct jwt_spec *v, unsigned *ttl_s, struct err *err)
{
	while (rest.len) {
		struct slice value = slice_cut(&rest, ',');
		struct slice name = slice_cut(&value, '=');
		const char *text = value.ptr ? arena_memdup(a, value.ptr, value.len) : "";
		if (slice_is(name, "pub-key"))
			v->public_file = text;
		else if (slice_is(name, "priv-key"))
			v->private_file = text;
		else if (slice_is(name, "sign-method"))
			v->method = text;
		else if (!slice_is(name, "ttl"))
			return err_set(err, ERR_INVAL,
			        "--auth-token: unknown option \"%.*s\": pub-key, priv-key, sign-method and ttl are "
			        "known",
			        SLICE_FMT(name));
		else if (!parse_duration(value, ttl_s))
			return err_set(err, ERR_INVAL, "--auth-token: ttl=%s is not a duration like 5m", text);
	}
	if (!v->method || (!v->public_file && !v->private_file))
		return err_set(err, ERR_INVAL, "--auth-token: jwt needs sign-method and priv-key or pub-key");
	return 0;
}

static int setup_jwt(struct etcd_tokens *t, struct arena *a, struct slice options, struct err *err)
{
	struct jwt_spec v = {0};
	struct pki_key *public_key = NULL;
	if (parse_jwt(a, options, &v, &t->ttl_s, err) != 0)
		return err->code;
	if (load_key(v.private_file ? v.private_file : v.public_file, &t->key, err) != 0)
		return err_wrap(err, "--auth-token");
	if (v.private_file && !pki_key_is_private(t->key))
		return err_set(err, ERR_INVAL, "--auth-token: %s holds no private key", v.private_file);
	if (strcmp(pki_key_algorithm(t->key), v.method) != 0)
		return err_set(err, ERR_INVAL, "--auth-token: sign-method=%s: the key is for %s", v.method,
		        pki_key_algorithm(t->key));
	if (!v.private_file || !v.public_file)
		return 0;
	if (load_key(v.public_file, &public_key, err) != 0)
		return err_wrap(err, "--auth-token");
	bool same = same_key(t->key, public_key);
	pki_key_free(public_key);
	return same ? 0
	            : err_set(err, ERR_INVAL, "--auth-token: %s and %s are not of one pair", v.public_file,
	                      v.private_file);
}

int etcd_tokens_new(const char *spec, unsigned ttl_s, struct etcd_tokens **ret, struct err *err)
{
	struct etcd_tokens *t = xcalloc(1, sizeof *t);
	struct arena a = ARENA_INIT;
	struct slice options = slice_of(spec && *spec ? spec : "simple");
	struct slice type = slice_cut(&options, ',');
	int rc = 0;
	t->ttl_s = ttl_s ? ttl_s : TTL_S;
	t->sweep_at = SWEEP_MIN;
	t->is_jwt = slice_is(type, "jwt");
	if (t->is_jwt)
		rc = setup_jwt(t, &a, options, err);
	else if (!slice_is(type, "simple"))
		rc = err_set(err, ERR_INVAL, "--auth-token: \"%.*s\" is neither simple nor jwt", SLICE_FMT(type));
	arena_release(&a);
	if (rc == 0)
		*ret = t;
	else
		etcd_tokens_free(t);
	return rc;
}

void etcd_tokens_free(struct etcd_tokens *t)
{
	if (!t)
		return;
	MAP_FOREACH (slot, &t->used) {
		free(slot->value);
	}
	map_release(&t->used);
	pki_key_free(t->key);
	free(t);
}

/* ---- simple tokens ---- */

static struct slice mac_of(struct arena *a, const struct etcd_auth_state *s, struct slice signed_part)
{
	unsigned char mac[32];
	CHECK(s->secret.len > 0); /* made with the first user */
	pki_hmac_sha256(s->secret, signed_part, mac);
	return base64url_encode(a, (struct slice){(const char *)mac, sizeof mac});
}

static void make_simple(const struct etcd_auth_state *s, const struct etcd_user *u, int64_t now_s, struct strbuf *out)
{
	struct arena a = ARENA_INIT;
	size_t from = out->len;
	strbuf_add_slice(out, base64url_encode(&a, u->name));
	strbuf_addf(out, ".%" PRId64 ".%" PRIu64 ".", now_s, u->message->password_revision);
	pki_random_hex(out, NONCE_BYTES);
	struct slice mac = mac_of(&a, s, (struct slice){out->data + from, out->len - from});
	strbuf_addc(out, '.');
	strbuf_add_slice(out, mac);
	arena_release(&a);
}

/* Forgets the tokens that have run out; only when many have come since the last time. */
static void sweep(struct etcd_tokens *t, int64_t now_s)
{
	struct used **dead = xcalloc(t->used.count + 1, sizeof *dead);
	size_t n = 0;
	MAP_FOREACH (slot, &t->used) {
		struct used *u = slot->value;
		if (u->until_s < now_s)
			dead[n++] = u;
	}
	for (size_t i = 0; i < n; i++) {
		map_del(&t->used, (struct slice){dead[i]->text, dead[i]->len});
		free(dead[i]);
	}
	free(dead);
	t->sweep_at = t->used.count * 2 > SWEEP_MIN ? t->used.count * 2 : SWEEP_MIN;
}

/* Does it live still? Then its use is counted. */
static bool use(struct etcd_tokens *t, struct slice token, int64_t issued_s, int64_t now_s)
{
	struct used *u = map_get(&t->used, token);
	if (now_s > (u ? u->until_s : issued_s + t->ttl_s))
		return false;
	if (!u) {
		u = xmalloc(sizeof *u + token.len);
		u->len = token.len;
		memcpy(u->text, token.ptr, token.len);
		map_put(&t->used, (struct slice){u->text, u->len}, u);
	}
	u->until_s = now_s + t->ttl_s;
	if (t->used.count > t->sweep_at)
		sweep(t, now_s);
	return true;
}

static enum etcd_auth_error check_simple(struct etcd_tokens *t, const struct etcd_auth_state *s, struct slice token,
        int64_t now_s, struct arena *a, struct etcd_identity *ret)
{
	struct slice rest = token, name;
	int64_t issued_s;
	uint64_t password_revision;
	size_t mac_at = token.len;
	while (mac_at && token.ptr[mac_at - 1] != '.')
		mac_at--;
	if (!mac_at || !s->secret.len)
		return ETCD_AUTH_BAD_TOKEN;
	struct slice mac = {token.ptr + mac_at, token.len - mac_at};
	if (!pki_equal(mac, mac_of(a, s, (struct slice){token.ptr, mac_at - 1})))
		return ETCD_AUTH_BAD_TOKEN;
	if (!base64url_decode(a, slice_cut(&rest, '.'), &name) || !slice_to_i64(slice_cut(&rest, '.'), &issued_s) ||
	        !slice_to_u64(slice_cut(&rest, '.'), &password_revision))
		return ETCD_AUTH_BAD_TOKEN;
	const struct etcd_user *u = etcd_auth_user(s, name);
	if (!u || u->message->password_revision != password_revision || !use(t, token, issued_s, now_s))
		return ETCD_AUTH_BAD_TOKEN;
	*ret = (struct etcd_identity){.is_known = true, .name = name, .revision = s->revision};
	return ETCD_AUTH_OK;
}

/* ---- JSON Web Tokens ---- */

static enum etcd_auth_error make_jwt(struct etcd_tokens *t, const struct etcd_auth_state *s, const struct etcd_user *u,
        int64_t now_s, struct strbuf *out)
{
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT;
	CHECK(t->is_jwt && t->key);
	if (!pki_key_is_private(t->key))
		return ETCD_AUTH_VERIFY_ONLY;
	json_auto_t *claims = json_object();
	json_lib_set_str(claims, "username", u->name);
	json_lib_set_int(claims, "revision", (int64_t)s->revision);
	json_lib_set_int(claims, "exp", now_s + t->ttl_s);
	json_lib_write(&text, claims);
	return jwt_sign(t->key, strbuf_slice(&text), out, &err) == 0 ? ETCD_AUTH_OK : ETCD_AUTH_VERIFY_ONLY;
}

static enum etcd_auth_error check_jwt(
        struct etcd_tokens *t, struct slice token, int64_t now_s, struct arena *a, struct etcd_identity *ret)
{
	CLEANUP(cleanup_strbuf) struct strbuf header = STRBUF_INIT, text = STRBUF_INIT;
	struct err err = ERR_INIT;
	if (jwt_verify(token, &t->key, 1, &err) != 0 || jwt_parse(token, &header, &text, &err) != 0)
		return ETCD_AUTH_BAD_TOKEN;
	json_auto_t *claims = json_lib_parse(strbuf_slice(&text), &err);
	struct slice name = json_lib_get_str(claims, "username");
	int64_t revision = json_lib_get_int(claims, "revision", 0);
	if (!name.len || revision <= 0 || json_lib_get_int(claims, "exp", INT64_MAX) <= now_s)
		return ETCD_AUTH_BAD_TOKEN;
	name.ptr = arena_memdup(a, name.ptr, name.len);
	*ret = (struct etcd_identity){.is_known = true, .name = name, .revision = (uint64_t)revision};
	return ETCD_AUTH_OK;
}

/* ---- both ---- */

enum etcd_auth_error etcd_tokens_make(struct etcd_tokens *t, const struct etcd_auth_state *s, const struct etcd_user *u,
        int64_t now_s, struct strbuf *out)
{
	if (t->is_jwt)
		return make_jwt(t, s, u, now_s, out);
	make_simple(s, u, now_s, out);
	return ETCD_AUTH_OK;
}

enum etcd_auth_error etcd_tokens_check(struct etcd_tokens *t, const struct etcd_auth_state *s, struct slice token,
        int64_t now_s, struct arena *a, struct etcd_identity *ret)
{
	if (!token.len || token.len > TOKEN_BYTES_MAX)
		return ETCD_AUTH_BAD_TOKEN;
	return t->is_jwt ? check_jwt(t, token, now_s, a, ret) : check_simple(t, s, token, now_s, a, ret);
}

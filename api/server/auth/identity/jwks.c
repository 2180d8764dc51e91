/* See jwks.h. */
#include "api/server/auth/identity/jwks.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/json_lib.h"
#include "base/pki/pki_jws.h"

#include <stdlib.h>

struct key {
	struct jws_key *key;
	char *id, *algorithm; /* malloc'ed; "" when it names none */
};

struct jwks {
	struct key keys[JWKS_KEYS_MAX];
	size_t n;
};

void jwks_free(struct jwks *s)
{
	for (size_t i = 0; s && i < s->n; i++) {
		jws_key_free(s->keys[i].key);
		free(s->keys[i].id);
		free(s->keys[i].algorithm);
	}
	free(s);
}

size_t jwks_count(const struct jwks *s)
{
	return s->n;
}

static char *copy_of(struct slice s)
{
	return xmemdup(s.len ? s.ptr : "", s.len);
}

/* Of a key that is of no use to us nothing is added. */
static int add_key(struct jwks *s, const json_t *v, struct err *err)
{
	struct slice use = json_lib_get_str(v, "use"), algorithm = json_lib_get_str(v, "alg");
	struct jws_jwk jwk = {.kty = json_lib_get_str(v, "kty"),
	        .crv = json_lib_get_str(v, "crv"),
	        .n = json_lib_get_str(v, "n"),
	        .e = json_lib_get_str(v, "e"),
	        .x = json_lib_get_str(v, "x"),
	        .y = json_lib_get_str(v, "y")};
	struct jws_key *key;
	struct err local = ERR_INIT;
	if ((use.len && !slice_is(use, "sig")) || (algorithm.len && !jws_algorithm_is_known(algorithm)))
		return 0;
	if (jws_key_new(&jwk, &key, &local) != 0) {
		if (local.code == ERR_UNIMPLEMENTED)
			return 0;
		*err = local;
		return err->code;
	}
	if (s->n == JWKS_KEYS_MAX) {
		jws_key_free(key);
		return err_set(err, ERR_INVAL, "a set of more than %d keys", JWKS_KEYS_MAX);
	}
	s->keys[s->n++] = (struct key){key, copy_of(json_lib_get_str(v, "kid")), copy_of(algorithm)};
	return 0;
}

int jwks_parse(struct slice text, struct jwks **ret, struct err *err)
{
	json_auto_t *v = json_lib_parse(text, err);
	const json_t *keys = json_object_get(v, "keys");
	if (!v)
		return err->code;
	if (!json_is_array(keys))
		return err_set(err, ERR_INVAL, "no JSON Web Key Set: it has no \"keys\"");
	struct jwks *s = xcalloc(1, sizeof *s);
	int rc = 0;
	for (size_t i = 0; i < json_array_size(keys) && rc == 0; i++)
		rc = add_key(s, json_array_get(keys, i), err);
	if (rc == 0 && s->n == 0)
		rc = err_set(err, ERR_INVAL, "no key in the set is for signatures by RSA or EC");
	if (rc != 0) {
		jwks_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

int jws_header_parse(struct arena *a, struct slice text, struct jws_header *ret, struct err *err)
{
	struct err local = ERR_INIT;
	json_auto_t *v = json_lib_parse(text, &local);
	if (!json_is_object(v))
		return err_set(err, ERR_UNAUTHENTICATED, "its header is not JSON");
	if (json_object_get(v, "crit"))
		return err_set(err, ERR_UNAUTHENTICATED, "its header demands an extension (\"crit\")");
	struct slice algorithm = json_lib_get_str(v, "alg"), id = json_lib_get_str(v, "kid");
	ret->algorithm =
	        (struct slice){arena_memdup(a, algorithm.len ? algorithm.ptr : "", algorithm.len), algorithm.len};
	ret->key_id = (struct slice){arena_memdup(a, id.len ? id.ptr : "", id.len), id.len};
	return 0;
}

static bool may_be(const struct key *k, const struct jws_header *h)
{
	if (h->key_id.len && !slice_is(h->key_id, k->id))
		return false;
	return jws_key_fits(k->key, h->algorithm) && (!*k->algorithm || slice_is(h->algorithm, k->algorithm));
}

int jwks_verify(const struct jwks *s, struct slice token, const struct jws_header *h, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct slice sig;
	bool is_known = false, is_signed = false;
	const char *dot = token.len ? memrchr(token.ptr, '.', token.len) : NULL;
	if (!dot || !base64url_decode(&a, (struct slice){dot + 1, token.len - (size_t)(dot + 1 - token.ptr)}, &sig)) {
		arena_release(&a);
		return err_set(err, ERR_UNAUTHENTICATED, "its signature is not base64url");
	}
	struct slice data = {token.ptr, (size_t)(dot - token.ptr)};
	for (size_t i = 0; i < s->n && !is_signed; i++) {
		if (!may_be(&s->keys[i], h))
			continue;
		is_known = true;
		is_signed = jws_verify(s->keys[i].key, h->algorithm, data, sig, NULL) == 0;
	}
	arena_release(&a);
	if (is_signed)
		return 0;
	return is_known && h->key_id.len ? err_set(err, ERR_UNAUTHENTICATED, "its signature does not fit")
	                                 : err_set(err, ERR_NOT_FOUND, "its issuer has no key \"%.*s\" for %.*s",
	                                           SLICE_FMT(h->key_id), SLICE_FMT(h->algorithm));
}

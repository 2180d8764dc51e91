/* Passwords: scrypt (RFC 7914) with a random salt, kept with its parameters as text. See pki.h. */
#include "base/pki.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/mem/arena.h"
#include "base/pki_int.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { SALT_BYTES = 16, HASH_BYTES = 32, R = 8, P = 1, LOG_N_MIN = 8, LOG_N_MAX = 18, COST_TO_LOG_N = 4 };

static bool derive(struct slice password, const unsigned char *salt, unsigned log_n, unsigned char ret[HASH_BYTES])
{
	uint64_t memory_max = 2 * ((UINT64_C(128) * R << log_n) + 1024 * 1024);
	return EVP_PBE_scrypt(password.ptr ? password.ptr : "", password.len, salt, SALT_BYTES, UINT64_C(1) << log_n, R,
	               P, memory_max, ret, HASH_BYTES) == 1;
}

int pki_password_hash(struct slice password, unsigned cost, struct strbuf *out, struct err *err)
{
	struct arena a = ARENA_INIT;
	unsigned char salt[SALT_BYTES], hash[HASH_BYTES];
	unsigned log_n = cost + COST_TO_LOG_N;
	int rc = 0;
	CHECK(log_n >= LOG_N_MIN && log_n <= LOG_N_MAX);
	pki_random(salt, sizeof salt);
	if (!derive(password, salt, log_n, hash))
		return pki_openssl_err(err, ERR_INTERNAL, "hash a password");
	strbuf_addf(out, "scrypt$%u$%d$%d$", log_n, R, P);
	strbuf_add_slice(out, base64url_encode(&a, (struct slice){(const char *)salt, sizeof salt}));
	strbuf_addc(out, '$');
	strbuf_add_slice(out, base64url_encode(&a, (struct slice){(const char *)hash, sizeof hash}));
	arena_release(&a);
	OPENSSL_cleanse(hash, sizeof hash);
	return rc;
}

/* Takes "scrypt$LOG_N$8$1$SALT$HASH" apart. */
static bool parse(struct arena *a, struct slice text, uint64_t *log_n, struct slice *salt, struct slice *hash)
{
	uint64_t r, p;
	if (!slice_is(slice_cut(&text, '$'), "scrypt") || !slice_to_u64(slice_cut(&text, '$'), log_n) ||
	        !slice_to_u64(slice_cut(&text, '$'), &r) || !slice_to_u64(slice_cut(&text, '$'), &p))
		return false;
	return *log_n >= LOG_N_MIN && *log_n <= LOG_N_MAX && r == R && p == P &&
	       base64url_decode(a, slice_cut(&text, '$'), salt) && salt->len == SALT_BYTES && text.ptr &&
	       base64url_decode(a, text, hash) && hash->len == HASH_BYTES;
}

bool pki_password_check(struct slice password, struct slice text)
{
	struct arena a = ARENA_INIT;
	struct slice salt, want;
	unsigned char have[HASH_BYTES];
	uint64_t log_n;
	bool fits = parse(&a, text, &log_n, &salt, &want) &&
	            derive(password, (const unsigned char *)salt.ptr, (unsigned)log_n, have) &&
	            pki_equal(want, (struct slice){(const char *)have, sizeof have});
	arena_release(&a);
	return fits;
}

void pki_hmac_sha256(struct slice key, struct slice data, unsigned char ret[32])
{
	unsigned n = 32;
	CHECK(HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)data.ptr, data.len, ret, &n) && n == 32);
}

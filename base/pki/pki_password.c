/* Passwords: hashed by bcrypt, in the form that etcd keeps them, so that users move between the two. See pki.h.
 *
 * bcrypt looks at 72 bytes: longer passwords are refused when a hash is made, and only their first 72 bytes count when
 * one is checked, both as in etcd. Hashes say "$2a$", as those of Go's bcrypt do. libcrypt takes that letter for hashes
 * that a faulty program may have made and computes a few of them differently on purpose; "$2b$" is what Go does.
 *
 * Before bcrypt, hashes were made by scrypt (RFC 7914): "scrypt$LOG_N$8$1$SALT$HASH". They are still checked. */
#include "base/pki/pki.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/mem/arena.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

enum { SALT_BYTES = 16, HASH_BYTES = 32, R = 8, P = 1, LOG_N_MIN = 8, LOG_N_MAX = 18 };
enum { BCRYPT_CHARS = 60, COST_AT = 4, BCRYPT_COST_MIN = 4, MADE_COST_MAX = 14 };

/* ---- bcrypt ---- */

/* setting: "$2b$10$" and 22 characters of salt, more is ignored. */
static bool bcrypt(struct slice password, const char *setting, char ret[BCRYPT_CHARS + 1])
{
	struct crypt_data *data = xcalloc(1, sizeof *data);
	char phrase[PKI_PASSWORD_BYTES_MAX + 1] = {0};
	size_t len = password.len < PKI_PASSWORD_BYTES_MAX ? password.len : PKI_PASSWORD_BYTES_MAX;
	if (len)
		memcpy(phrase, password.ptr, len);
	const char *made = strlen(phrase) == len ? crypt_r(phrase, setting, data) : NULL;
	bool is_made = made && strlen(made) == BCRYPT_CHARS;
	if (is_made)
		memcpy(ret, made, BCRYPT_CHARS + 1);
	OPENSSL_cleanse(phrase, sizeof phrase);
	OPENSSL_cleanse(data, sizeof *data);
	free(data);
	return is_made;
}

unsigned pki_password_bcrypt_cost(struct slice hash)
{
	const char *p = hash.ptr;
	if (hash.len != BCRYPT_CHARS || memcmp(p, "$2", 2) != 0 || (p[2] != 'a' && p[2] != 'b' && p[2] != 'y') ||
	        p[3] != '$' || p[COST_AT] < '0' || p[COST_AT] > '3' || p[COST_AT + 1] < '0' || p[COST_AT + 1] > '9' ||
	        p[COST_AT + 2] != '$')
		return 0;
	unsigned cost = (unsigned)((p[COST_AT] - '0') * 10 + (p[COST_AT + 1] - '0'));
	return cost < BCRYPT_COST_MIN ? 0 : cost;
}

static bool check_bcrypt(struct slice password, struct slice hash)
{
	char setting[BCRYPT_CHARS + 1], have[BCRYPT_CHARS + 1];
	if (pki_password_bcrypt_cost(hash) > PKI_PASSWORD_COST_MAX)
		return false;
	memcpy(setting, hash.ptr, BCRYPT_CHARS);
	setting[BCRYPT_CHARS] = 0;
	setting[2] = 'b';
	return bcrypt(password, setting, have) &&
	       pki_equal((struct slice){hash.ptr + 3, BCRYPT_CHARS - 3}, (struct slice){have + 3, BCRYPT_CHARS - 3});
}

int pki_password_hash(struct slice password, unsigned cost, struct strbuf *out, struct err *err)
{
	char salt[SALT_BYTES], setting[CRYPT_GENSALT_OUTPUT_SIZE], hash[BCRYPT_CHARS + 1];
	CHECK(cost >= BCRYPT_COST_MIN && cost <= MADE_COST_MAX);
	if (password.len > PKI_PASSWORD_BYTES_MAX)
		return err_set(err, ERR_INVAL, "a password of more than %d bytes", PKI_PASSWORD_BYTES_MAX);
	pki_random(salt, sizeof salt);
	if (!crypt_gensalt_rn("$2b$", cost, salt, sizeof salt, setting, sizeof setting) ||
	        !bcrypt(password, setting, hash))
		return err_set(err, ERR_INTERNAL, "libcrypt makes no bcrypt hash");
	hash[2] = 'a';
	strbuf_adds(out, hash);
	return 0;
}

/* ---- scrypt ---- */

static bool derive(struct slice password, const unsigned char *salt, unsigned log_n, unsigned char ret[HASH_BYTES])
{
	uint64_t memory_max = 2 * ((UINT64_C(128) * R << log_n) + 1024 * 1024);
	return EVP_PBE_scrypt(password.ptr ? password.ptr : "", password.len, salt, SALT_BYTES, UINT64_C(1) << log_n, R,
	               P, memory_max, ret, HASH_BYTES) == 1;
}

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

static bool check_scrypt(struct slice password, struct slice text)
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

/* ---- both ---- */

bool pki_password_check(struct slice password, struct slice hash)
{
	return pki_password_bcrypt_cost(hash) ? check_bcrypt(password, hash) : check_scrypt(password, hash);
}

void pki_hmac_sha256(struct slice key, struct slice data, unsigned char ret[32])
{
	unsigned n = 32;
	CHECK(HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)data.ptr, data.len, ret, &n) && n == 32);
}

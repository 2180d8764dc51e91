/* Bytes sealed with a password: what a cluster's store keeps of the cluster's own keys, so that a server that joins, or
 * a new one that a backup is restored to, needs the token and nothing else.
 *
 *     "k3xseal1"  rounds (4, big-endian)  salt (16)  nonce (12)  ciphertext  tag (16)
 *
 * The key is PBKDF2-HMAC-SHA256 of the password (RFC 8018 section 5.2), the rest AES-256-GCM (NIST SP 800-38D) with all
 * that stands before the nonce as associated data. Salt and nonce are drawn for each sealing, so no key and nonce are
 * used twice. Rounds are in the text so that they can grow; they are bounded when read, for they are a stranger's wish.
 *
 * What can go wrong: a text that is too short or of another kind (ERR_INVAL), another password or any bit changed
 * (ERR_UNAUTHENTICATED, which cannot be told apart). */
#include "base/pki/pki.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "base/pki/pki_int.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <stdlib.h>

#define SEAL_MAGIC "k3xseal1"
enum {
	MAGIC_BYTES = sizeof SEAL_MAGIC - 1,
	ROUNDS_BYTES = 4,
	SALT_BYTES = 16,
	NONCE_BYTES = 12,
	TAG_BYTES = 16,
	KEY_BYTES = 32,
	NONCE_AT = MAGIC_BYTES + ROUNDS_BYTES + SALT_BYTES,
	HEAD_BYTES = NONCE_AT + NONCE_BYTES,
	ROUNDS = 210000, /* of OWASP's advice for PBKDF2 with a wide margin over k3s's 4096 */
	ROUNDS_MAX = 2000000,
	PLAIN_BYTES_MAX = 1 << 24,
};

static void derive(struct slice password, const unsigned char *salt, uint32_t rounds, unsigned char ret[KEY_BYTES])
{
	CHECK(PKCS5_PBKDF2_HMAC(password.ptr ? password.ptr : "", (int)password.len, salt, SALT_BYTES, (int)rounds,
	              EVP_sha256(), KEY_BYTES, ret) == 1);
}

/* A context with key, nonce and the head as associated data. */
static EVP_CIPHER_CTX *begin(struct slice password, const unsigned char *head, uint32_t rounds, int is_sealing)
{
	unsigned char key[KEY_BYTES];
	int n;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	derive(password, head + MAGIC_BYTES + ROUNDS_BYTES, rounds, key);
	CHECK(c && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, head + NONCE_AT, is_sealing) == 1 &&
	        EVP_CipherUpdate(c, NULL, &n, head, NONCE_AT) == 1);
	OPENSSL_cleanse(key, sizeof key);
	return c;
}

void pki_seal(struct slice password, struct slice plain, struct strbuf *out)
{
	unsigned char head[HEAD_BYTES] = SEAL_MAGIC, tag[TAG_BYTES];
	int n = 0, end = 0;
	CHECK(plain.len <= PLAIN_BYTES_MAX && password.len <= PLAIN_BYTES_MAX);
	for (int i = 0; i < ROUNDS_BYTES; i++)
		head[MAGIC_BYTES + i] = (unsigned char)((uint32_t)ROUNDS >> (24 - 8 * i));
	pki_random(head + MAGIC_BYTES + ROUNDS_BYTES, SALT_BYTES + NONCE_BYTES);
	unsigned char *sealed = xmalloc(plain.len + 1);
	EVP_CIPHER_CTX *c = begin(password, head, ROUNDS, 1);
	CHECK(EVP_CipherUpdate(c, sealed, &n, (const unsigned char *)plain.ptr, (int)plain.len) == 1 &&
	        EVP_CipherFinal_ex(c, sealed + n, &end) == 1 &&
	        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1);
	EVP_CIPHER_CTX_free(c);
	strbuf_add(out, head, sizeof head);
	strbuf_add(out, sealed, (size_t)(n + end));
	strbuf_add(out, tag, sizeof tag);
	free(sealed);
}

int pki_unseal(struct slice password, struct slice sealed, struct strbuf *out, struct err *err)
{
	const unsigned char *p = (const unsigned char *)sealed.ptr;
	uint32_t rounds = 0;
	int n = 0, end = 0;
	if (sealed.len < HEAD_BYTES + TAG_BYTES || sealed.len > PLAIN_BYTES_MAX || !slice_starts(sealed, SEAL_MAGIC))
		return err_set(err, ERR_INVAL, "this was not sealed by k3x");
	for (int i = 0; i < ROUNDS_BYTES; i++)
		rounds = rounds << 8 | p[MAGIC_BYTES + i];
	if (rounds < 1000 || rounds > ROUNDS_MAX || password.len > PLAIN_BYTES_MAX)
		return err_set(err, ERR_INVAL, "this was not sealed by k3x: %u rounds", rounds);
	size_t len = sealed.len - HEAD_BYTES - TAG_BYTES;
	unsigned char *plain = xmalloc(len + 1), tag[TAG_BYTES];
	memcpy(tag, p + HEAD_BYTES + len, sizeof tag);
	EVP_CIPHER_CTX *c = begin(password, p, rounds, 0);
	bool fits = EVP_CipherUpdate(c, plain, &n, p + HEAD_BYTES, (int)len) == 1 &&
	            EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
	            EVP_CipherFinal_ex(c, plain + n, &end) == 1;
	EVP_CIPHER_CTX_free(c);
	if (fits)
		strbuf_add(out, plain, (size_t)(n + end));
	OPENSSL_cleanse(plain, len);
	free(plain);
	return fits ? 0 : err_set(err, ERR_UNAUTHENTICATED, "it was sealed with another password, or changed since");
}

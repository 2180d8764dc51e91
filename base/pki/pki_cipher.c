/* See pki_cipher.h.
 *
 *     AES-CBC     nonce (16)  ciphertext with PKCS #7 padding           NIST SP 800-38A
 *     AES-GCM     nonce (12)  ciphertext  tag (16)                      NIST SP 800-38D
 *     secretbox   nonce (24)  tag (16)    ciphertext                    nacl.cr.yp.to/secretbox.html
 *
 * OpenSSL has all of them but Salsa20, whose core is below (Bernstein, "The Salsa20 family of stream ciphers", and
 * "Extending the Salsa20 nonce"). Its first 32 bytes are Poly1305's key, what follows is laid over the text. */
#include "base/pki/pki_cipher.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "base/pki/pki.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <pthread.h>

enum {
	CBC_NONCE = 16,
	GCM_NONCE = 12,
	BOX_NONCE = 24,
	TAG = 16,
	BOX_KEY = 32,
	BLOCK = 64,
	POLY_KEY = 32,
	LANES = 4,
	STREAM = LANES * BLOCK
};

bool pki_cipher_takes(enum pki_cipher cipher, size_t key_bytes)
{
	if (cipher == PKI_SECRETBOX)
		return key_bytes == BOX_KEY;
	return key_bytes == 16 || key_bytes == 24 || key_bytes == 32;
}

static size_t nonce_bytes(enum pki_cipher cipher)
{
	return cipher == PKI_AES_CBC ? CBC_NONCE : cipher == PKI_AES_GCM ? GCM_NONCE : BOX_NONCE;
}

static int not_ours(struct err *err)
{
	return err_set(err, ERR_CORRUPT, "it was encrypted with another key, or changed since");
}

static const unsigned char *bytes(struct slice s)
{
	return (const unsigned char *)(s.ptr ? s.ptr : "");
}

/* ---- AES ---- */

static const EVP_CIPHER *aes(enum pki_cipher cipher, size_t key_bytes)
{
	if (cipher == PKI_AES_CBC)
		return key_bytes == 16 ? EVP_aes_128_cbc() : key_bytes == 24 ? EVP_aes_192_cbc() : EVP_aes_256_cbc();
	return key_bytes == 16 ? EVP_aes_128_gcm() : key_bytes == 24 ? EVP_aes_192_gcm() : EVP_aes_256_gcm();
}

static EVP_CIPHER_CTX *aes_begin(
        enum pki_cipher cipher, struct slice key, const unsigned char *nonce, struct slice context, int is_sealing)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n;
	CHECK(c && EVP_CipherInit_ex(c, aes(cipher, key.len), NULL, bytes(key), nonce, is_sealing) == 1);
	if (cipher == PKI_AES_GCM && context.len)
		CHECK(EVP_CipherUpdate(c, NULL, &n, bytes(context), (int)context.len) == 1);
	return c;
}

static void aes_seal(enum pki_cipher cipher, struct slice key, struct slice nonce, struct slice context,
        struct slice plain, struct strbuf *out)
{
	EVP_CIPHER_CTX *c = aes_begin(cipher, key, bytes(nonce), context, 1);
	int n = 0, end = 0;
	unsigned char tag[TAG];
	strbuf_add_slice(out, nonce);
	strbuf_reserve(out, plain.len + 2 * TAG);
	unsigned char *to = (unsigned char *)out->data + out->len;
	CHECK(EVP_CipherUpdate(c, to, &n, bytes(plain), (int)plain.len) == 1 &&
	        EVP_CipherFinal_ex(c, to + n, &end) == 1);
	out->len += (size_t)(n + end);
	if (cipher == PKI_AES_GCM) {
		CHECK(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, tag) == 1);
		strbuf_add(out, tag, TAG);
	}
	EVP_CIPHER_CTX_free(c);
}

static int aes_open(enum pki_cipher cipher, struct slice key, struct slice context, struct slice sealed,
        struct strbuf *out, struct err *err)
{
	size_t nonce = nonce_bytes(cipher), tag = cipher == PKI_AES_GCM ? TAG : 0;
	unsigned char expected[TAG];
	int n = 0, end = 0;
	if (sealed.len < nonce + tag || (cipher == PKI_AES_CBC && (sealed.len == nonce || sealed.len % 16)))
		return not_ours(err);
	size_t len = sealed.len - nonce - tag;
	EVP_CIPHER_CTX *c = aes_begin(cipher, key, bytes(sealed), context, 0);
	if (tag) {
		memcpy(expected, sealed.ptr + nonce + len, tag);
		CHECK(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, expected) == 1);
	}
	strbuf_reserve(out, len + TAG);
	unsigned char *to = (unsigned char *)out->data + out->len;
	bool fits = EVP_CipherUpdate(c, to, &n, bytes(sealed) + nonce, (int)len) == 1 &&
	            EVP_CipherFinal_ex(c, to + n, &end) == 1;
	EVP_CIPHER_CTX_free(c);
	if (!fits)
		return not_ours(err);
	out->len += (size_t)(n + end);
	return 0;
}

/* ---- Salsa20: four blocks at a time, each in a lane of the same words ---- */

typedef uint32_t lanes __attribute__((vector_size(16)));

static uint32_t load(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static lanes everywhere(uint32_t v)
{
	return (lanes){v, v, v, v};
}

static lanes turn(lanes v, int by)
{
	return v << by | v >> (32 - by);
}

static inline void quarter(lanes x[16], int a, int b, int c, int d)
{
	x[b] ^= turn(x[a] + x[d], 7);
	x[c] ^= turn(x[b] + x[a], 9);
	x[d] ^= turn(x[c] + x[b], 13);
	x[a] ^= turn(x[d] + x[c], 18);
}

/* Twenty rounds: columns, then rows, ten times. */
static void rounds(lanes x[16])
{
	for (int i = 0; i < 10; i++) {
		quarter(x, 0, 4, 8, 12);
		quarter(x, 5, 9, 13, 1);
		quarter(x, 10, 14, 2, 6);
		quarter(x, 15, 3, 7, 11);
		quarter(x, 0, 1, 2, 3);
		quarter(x, 5, 6, 7, 4);
		quarter(x, 10, 11, 8, 9);
		quarter(x, 15, 12, 13, 14);
	}
}

/* The constant on the diagonal, the key around it, 16 bytes of nonce and counter in the middle. */
static void lay_out(lanes x[16], const unsigned char *key, const unsigned char *middle)
{
	static const unsigned char constant[] = "expand 32-byte k";
	for (int i = 0; i < 4; i++) {
		x[5 * i] = everywhere(load(constant + 4 * i));
		x[1 + i] = everywhere(load(key + 4 * i));
		x[11 + i] = everywhere(load(key + 16 + 4 * i));
		x[6 + i] = everywhere(load(middle + 4 * i));
	}
}

/* HSalsa20: a key for this half of the nonce. */
static void derive(unsigned char ret[BOX_KEY], const unsigned char *key, const unsigned char *nonce)
{
	static const int taken[] = {0, 5, 10, 15, 6, 7, 8, 9};
	lanes x[16];
	lay_out(x, key, nonce);
	rounds(x);
	for (int i = 0; i < 8; i++)
		store(ret + 4 * i, x[taken[i]][0]);
}

/* The blocks from `counter` on. */
static void blocks(unsigned char ret[STREAM], const unsigned char *key, const unsigned char *nonce, uint64_t counter)
{
	unsigned char middle[16] = {0};
	lanes x[16], start[16];
	memcpy(middle, nonce, 8);
	lay_out(start, key, middle);
	for (int i = 0; i < LANES; i++) {
		start[8][i] = (uint32_t)(counter + (uint64_t)i);
		start[9][i] = (uint32_t)((counter + (uint64_t)i) >> 32);
	}
	memcpy(x, start, sizeof x);
	rounds(x);
	for (int w = 0; w < 16; w++) {
		x[w] += start[w];
		for (int i = 0; i < LANES; i++)
			store(ret + BLOCK * i + 4 * w, x[w][i]);
	}
}

/* ---- secretbox ---- */

struct box {
	unsigned char key[BOX_KEY];
	const unsigned char *nonce;   /* its second half */
	unsigned char stream[STREAM]; /* its beginning: Poly1305's key, then what is laid over the text */
};

static void box_begin(struct box *b, struct slice key, const unsigned char *nonce)
{
	derive(b->key, bytes(key), nonce);
	b->nonce = nonce + 16;
	blocks(b->stream, b->key, b->nonce, 0);
}

static void box_end(struct box *b)
{
	OPENSSL_cleanse(b, sizeof *b);
}

static void lay_bytes(unsigned char *to, const unsigned char *from, const unsigned char *stream, size_t len)
{
	size_t i = 0;
	for (; i + 8 <= len; i += 8) {
		uint64_t x, y;
		memcpy(&x, from + i, 8);
		memcpy(&y, stream + i, 8);
		x ^= y;
		memcpy(to + i, &x, 8);
	}
	for (; i < len; i++)
		to[i] = from[i] ^ stream[i];
}

static void box_lay_over(const struct box *b, unsigned char *to, const unsigned char *from, size_t len)
{
	unsigned char stream[STREAM];
	size_t first = len < STREAM - POLY_KEY ? len : STREAM - POLY_KEY;
	lay_bytes(to, from, b->stream + POLY_KEY, first);
	for (size_t at = first, n = LANES; at < len; at += STREAM, n += LANES) {
		blocks(stream, b->key, b->nonce, n);
		lay_bytes(to + at, from + at, stream, len - at < STREAM ? len - at : STREAM);
	}
	OPENSSL_cleanse(stream, sizeof stream);
}

static pthread_once_t poly_once = PTHREAD_ONCE_INIT;
static EVP_MAC *poly; /* looked up once: that takes longer than what it does to a Secret */

static void find_poly(void)
{
	poly = EVP_MAC_fetch(NULL, "POLY1305", NULL);
	CHECK(poly != NULL);
}

static void box_tag(const struct box *b, const unsigned char *text, size_t len, unsigned char ret[TAG])
{
	size_t n = 0;
	CHECK(pthread_once(&poly_once, find_poly) == 0);
	EVP_MAC_CTX *c = EVP_MAC_CTX_new(poly);
	CHECK(c && EVP_MAC_init(c, b->stream, POLY_KEY, NULL) == 1 && EVP_MAC_update(c, text, len) == 1 &&
	        EVP_MAC_final(c, ret, &n, TAG) == 1 && n == TAG);
	EVP_MAC_CTX_free(c);
}

static void box_seal(struct slice key, struct slice nonce, struct slice plain, struct strbuf *out)
{
	struct box b;
	strbuf_add_slice(out, nonce);
	strbuf_reserve(out, TAG + plain.len);
	unsigned char *tag = (unsigned char *)out->data + out->len, *text = tag + TAG;
	box_begin(&b, key, bytes(nonce));
	box_lay_over(&b, text, bytes(plain), plain.len);
	box_tag(&b, text, plain.len, tag);
	box_end(&b);
	out->len += TAG + plain.len;
}

static int box_open(struct slice key, struct slice sealed, struct strbuf *out, struct err *err)
{
	struct box b;
	unsigned char tag[TAG];
	if (sealed.len < BOX_NONCE + TAG)
		return not_ours(err);
	const unsigned char *there = bytes(sealed) + BOX_NONCE, *text = there + TAG;
	size_t len = sealed.len - BOX_NONCE - TAG;
	box_begin(&b, key, bytes(sealed));
	box_tag(&b, text, len, tag);
	bool fits = CRYPTO_memcmp(tag, there, TAG) == 0;
	if (fits) {
		strbuf_reserve(out, len);
		box_lay_over(&b, (unsigned char *)out->data + out->len, text, len);
		out->len += len;
	}
	box_end(&b);
	return fits ? 0 : not_ours(err);
}

/* ---- */

void pki_cipher_seal_with(enum pki_cipher cipher, struct slice key, struct slice nonce, struct slice context,
        struct slice plain, struct strbuf *out)
{
	CHECK(pki_cipher_takes(cipher, key.len) && nonce.len == nonce_bytes(cipher) && plain.len <= INT32_MAX);
	if (cipher == PKI_SECRETBOX)
		box_seal(key, nonce, plain, out);
	else
		aes_seal(cipher, key, nonce, context, plain, out);
	out->data[out->len] = 0; /* room for it was reserved beside the padding */
}

void pki_cipher_seal(
        enum pki_cipher cipher, struct slice key, struct slice context, struct slice plain, struct strbuf *out)
{
	char nonce[BOX_NONCE];
	size_t n = nonce_bytes(cipher);
	pki_random(nonce, n);
	pki_cipher_seal_with(cipher, key, (struct slice){nonce, n}, context, plain, out);
}

int pki_cipher_open(enum pki_cipher cipher, struct slice key, struct slice context, struct slice sealed,
        struct strbuf *out, struct err *err)
{
	CHECK(pki_cipher_takes(cipher, key.len));
	if (sealed.len > INT32_MAX)
		return not_ours(err);
	int rc = cipher == PKI_SECRETBOX ? box_open(key, sealed, out, err)
	                                 : aes_open(cipher, key, context, sealed, out, err);
	if (rc == 0)
		strbuf_reserve(out, 1), out->data[out->len] = 0;
	return rc;
}

/* See pki_x25519.h. A private key is any 32 random bytes; five of its bits are the same in all of them (RFC 7748
 * section 5), which whoever multiplies with it sets anyway. */
#include "base/pki/pki_x25519.h"

#include "base/pki/pki_int.h"

#include <openssl/evp.h>

void pki_x25519_generate(unsigned char ret[PKI_X25519_BYTES])
{
	pki_random(ret, PKI_X25519_BYTES);
	ret[0] &= 248;
	ret[31] = (unsigned char)((ret[31] & 127) | 64);
}

int pki_x25519_public(const unsigned char key[PKI_X25519_BYTES], unsigned char ret[PKI_X25519_BYTES], struct err *err)
{
	size_t len = PKI_X25519_BYTES;
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, key, PKI_X25519_BYTES);
	bool is_done = k && EVP_PKEY_get_raw_public_key(k, ret, &len) == 1;
	EVP_PKEY_free(k);
	return is_done ? 0 : pki_openssl_err(err, ERR_INTERNAL, "find the public key of a Curve25519 key");
}

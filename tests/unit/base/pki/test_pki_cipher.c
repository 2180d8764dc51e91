/* The ciphers of what is stored: published vectors, what is sealed opens, and what was changed does not. */
#include "base/pki/pki_cipher.h"

#include "tests/unit/unit.h"

static struct strbuf out;

static int setup(void **state)
{
	strbuf_reset(&out);
	return 0;
}

static int teardown(void **state)
{
	strbuf_release(&out);
	return 0;
}

static struct slice hex(const char *text, unsigned char *to)
{
	size_t n = 0;
	for (; text[2 * n]; n++) {
		unsigned v;
		assert_int_equal(sscanf(text + 2 * n, "%2x", &v), 1);
		to[n] = (unsigned char)v;
	}
	return (struct slice){(const char *)to, n};
}

static void vector(enum pki_cipher cipher, const char *key_hex, const char *nonce_hex, const char *context_hex,
        const char *plain_hex, const char *want_hex)
{
	unsigned char buffers[5][512];
	struct slice key = hex(key_hex, buffers[0]), nonce = hex(nonce_hex, buffers[1]),
	             context = hex(context_hex, buffers[2]), plain = hex(plain_hex, buffers[3]),
	             want = hex(want_hex, buffers[4]);
	struct err err = ERR_INIT;
	struct strbuf opened = STRBUF_INIT;
	strbuf_reset(&out);
	pki_cipher_seal_with(cipher, key, nonce, context, plain, &out);
	assert_int_equal(out.len, nonce.len + want.len);
	assert_memory_equal(out.data, nonce.ptr, nonce.len);
	assert_memory_equal(out.data + nonce.len, want.ptr, want.len);
	assert_int_equal(pki_cipher_open(cipher, key, context, strbuf_slice(&out), &opened, &err), 0);
	assert_true(slice_eq(strbuf_slice(&opened), plain));
	strbuf_release(&opened);
}

/* NaCl's tests/secretbox.c and secretbox.out. */
static void secretbox_is_nacls(void **state)
{
	vector(PKI_SECRETBOX, "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389",
	        "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37", "",
	        "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c"
	        "0123"
	        "3561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd"
	        "4924"
	        "ca1c60902e52f0a089bc76897040e082f937763848645e0705",
	        "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc1"
	        "7c98"
	        "dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfea"
	        "bd6b"
	        "b3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5");
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 4 and 16. */
static void gcm_is_the_standards(void **state)
{
	static const char plain[] =
	        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0"
	        "e2449a6b525b16aedf5aa0de657ba637b39";
	static const char context[] = "feedfacedeadbeeffeedfacedeadbeefabaddad2", nonce[] = "cafebabefacedbaddecaf888";
	vector(PKI_AES_GCM, "feffe9928665731c6d6a8f9467308308", nonce, context, plain,
	        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b"
	        "396a"
	        "0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47");
	vector(PKI_AES_GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", nonce, context, plain,
	        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e"
	        "6393"
	        "ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");
}

/* NIST SP 800-38A, F.2.5, the first block; the second is the padding. */
static void cbc_is_the_standards(void **state)
{
	unsigned char key_bytes[32], nonce_bytes[16], plain_bytes[16], want[16];
	struct slice key = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", key_bytes),
	             nonce = hex("000102030405060708090a0b0c0d0e0f", nonce_bytes),
	             plain = hex("6bc1bee22e409f96e93d7e117393172a", plain_bytes);
	hex("f58c4c04d6e5f1ba779eabfb5f7bfbd6", want);
	strbuf_reset(&out);
	pki_cipher_seal_with(PKI_AES_CBC, key, nonce, SLICE(""), plain, &out);
	assert_int_equal(out.len, 48);
	assert_memory_equal(out.data + 16, want, 16);
}

static const size_t sizes[] = {0, 1, 15, 16, 31, 32, 33, 63, 64, 95, 96, 97, 223, 224, 225, 479, 480, 481, 4096};

static void what_is_sealed_opens(void **state)
{
	char text[4097], key[32];
	struct err err = ERR_INIT;
	unit_noise(text, 4096);
	memset(key, 7, sizeof key);
	for (int cipher = PKI_AES_CBC; cipher <= PKI_SECRETBOX; cipher++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			struct slice plain = {text, sizes[i]}, k = {key, 32};
			struct strbuf opened = STRBUF_INIT;
			strbuf_reset(&out);
			pki_cipher_seal((enum pki_cipher)cipher, k, SLICE("x"), plain, &out);
			assert_int_equal(pki_cipher_open((enum pki_cipher)cipher, k, SLICE("x"), strbuf_slice(&out),
			                         &opened, &err),
			        0);
			assert_true(slice_eq(strbuf_slice(&opened), plain));
			strbuf_release(&opened);
		}
}

static void no_two_are_the_same(void **state)
{
	struct strbuf other = STRBUF_INIT;
	struct slice key = SLICE("0123456789abcdef0123456789abcdef");
	for (int cipher = PKI_AES_CBC; cipher <= PKI_SECRETBOX; cipher++) {
		strbuf_reset(&out);
		strbuf_reset(&other);
		pki_cipher_seal((enum pki_cipher)cipher, key, SLICE(""), SLICE("the same"), &out);
		pki_cipher_seal((enum pki_cipher)cipher, key, SLICE(""), SLICE("the same"), &other);
		assert_false(slice_eq(strbuf_slice(&out), strbuf_slice(&other)));
	}
	strbuf_release(&other);
}

static void refuses(enum pki_cipher cipher, struct slice key, struct slice context, struct slice sealed)
{
	struct err err = ERR_INIT;
	struct strbuf opened = STRBUF_INIT;
	assert_int_equal(pki_cipher_open(cipher, key, context, sealed, &opened, &err), ERR_CORRUPT);
	strbuf_release(&opened);
}

static void what_was_changed_does_not_open(void **state)
{
	struct slice key = SLICE("0123456789abcdef0123456789abcdef"), other = SLICE("0123456789abcdef0123456789abcdeF");
	static const enum pki_cipher ciphers[] = {PKI_AES_GCM, PKI_SECRETBOX};
	for (size_t c = 0; c < 2; c++) {
		strbuf_reset(&out);
		pki_cipher_seal(ciphers[c], key, SLICE("/registry/a"), SLICE("some text"), &out);
		refuses(ciphers[c], other, SLICE("/registry/a"), strbuf_slice(&out));
		for (size_t i = 0; i < out.len; i++) {
			refuses(ciphers[c], key, SLICE("/registry/a"), (struct slice){out.data, i});
			out.data[i] ^= 1;
			refuses(ciphers[c], key, SLICE("/registry/a"), strbuf_slice(&out));
			out.data[i] ^= 1;
		}
	}
	strbuf_reset(&out);
	pki_cipher_seal(PKI_AES_GCM, key, SLICE("/registry/a"), SLICE("some text"), &out);
	refuses(PKI_AES_GCM, key, SLICE("/registry/b"), strbuf_slice(&out));
	strbuf_reset(&out);
	pki_cipher_seal(PKI_AES_CBC, key, SLICE(""), SLICE("some text"), &out);
	for (size_t i = 0; i < out.len; i++)
		refuses(PKI_AES_CBC, key, SLICE(""), (struct slice){out.data, i});
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {T(secretbox_is_nacls), T(gcm_is_the_standards), T(cbc_is_the_standards),
	        T(what_is_sealed_opens), T(no_two_are_the_same), T(what_was_changed_does_not_open)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is said to a KMS plugin and by it, what is stored, and the keys that are derived. */
#include "api/server/sealing/kms_messages.h"

#include "base/check.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static struct arena arena;
static struct err err;

static struct slice hex(const char *text)
{
	size_t n = strlen(text) / 2;
	char *out = arena_alloc(&arena, n + 1);
	for (size_t i = 0; i < n; i++) {
		unsigned byte;
		assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
		out[i] = (char)byte;
	}
	return (struct slice){out, n};
}

/* RFC 5869, A.1, the first block. */
static void keys_are_derived_as_published(void **state)
{
	unsigned char key[32];
	kms_derive_key(hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"),
	        hex("f0f1f2f3f4f5f6f7f8f9"), key);
	assert_memory_equal(key, hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf").ptr, 32);
	arena_release(&arena);
}

static void what_is_stored_reads_back(void **state)
{
	static const struct kms_annotation notes[] = {
	        {SLICE("a.example.com"), SLICE("x")}, {SLICE("b.example.com"), SLICE("")}};
	struct kms_stored in = {.seed = {SLICE("sealed"), SLICE("key-1"), notes, 2}, .data = SLICE("data")}, out;
	struct strbuf text = STRBUF_INIT;
	kms_stored_write(&text, &in);
	assert_int_equal(kms_stored_read(&arena, strbuf_slice(&text), &out, &err), 0);
	assert_true(slice_is(out.data, "data") && slice_is(out.seed.key_id, "key-1") &&
	            slice_is(out.seed.ciphertext, "sealed"));
	assert_true(out.seed.n_annotations == 2 && slice_is(out.seed.annotations[0].value, "x") && !out.is_plain_key);
	in.is_plain_key = true;
	strbuf_reset(&text);
	kms_stored_write(&text, &in);
	assert_int_equal(kms_stored_read(&arena, strbuf_slice(&text), &out, &err), 0);
	assert_true(out.is_plain_key);
	assert_int_equal(kms_stored_read(&arena, SLICE("\x0a\x7f"), &out, &err), ERR_CORRUPT);
	assert_int_equal(kms_stored_read(&arena, SLICE(""), &out, &err), ERR_CORRUPT);
	strbuf_release(&text);
	arena_release(&arena);
}

static void answers_are_checked(void **state)
{
	static const struct {
		const char *text, *want; /* the error; NULL: none */
	} rows[] = {
	        {"0a02763212026f6b1a0131", NULL}, /* v2, ok, "1" */
	        {"0a0776326265746131"
	         "12026f6b1a0131",
	                NULL},                                                   /* v2beta1 */
	        {"0a02763112026f6b1a0131", "expected version v2, got v1"},       /* v1 */
	        {"0a027632120273691a0131", "got unexpected healthz status: si"}, /* "si" */
	        {"0a02763212026f6b", "keyID is empty"},
	        {"0a", "broken"},
	};
	struct slice id;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		err = ERR_INIT;
		int rc = kms_read_status(hex(rows[i].text), &id, &err);
		assert_int_equal(rc, rows[i].want ? ERR_INVAL : 0);
		if (rows[i].want && strcmp(rows[i].want, "broken") != 0)
			assert_string_equal(err.msg, rows[i].want);
	}
	struct kms_sealed_seed seed;
	err = ERR_INIT;
	assert_int_equal(kms_read_encrypted(&arena, hex("0a0178120131"), &seed, &err), 0);
	assert_true(slice_is(seed.ciphertext, "x") && slice_is(seed.key_id, "1"));
	assert_int_equal(kms_read_encrypted(&arena, hex("120131"), &seed, &err), ERR_INVAL);
	assert_string_equal(err.msg, "encrypted DEK source is empty");
	assert_int_equal(kms_read_encrypted(&arena, hex("0a01781201311a030a0161"), &seed, &err), ERR_INVAL);
	assert_string_equal(err.msg, "annotations: \"a\" is no domain name with two parts");
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(keys_are_derived_as_published),
	        cmocka_unit_test(what_is_stored_reads_back),
	        cmocka_unit_test(answers_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

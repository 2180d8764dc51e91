/* What a KMS plugin answers, and what is stored: what is taken keeps the limits and is written as it was read. */
#include "api/server/sealing/kms_messages.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_seed(const struct kms_sealed_seed *s)
{
	CHECK(s->key_id.len && s->key_id.len <= KMS_ID_BYTES_MAX && s->ciphertext.len &&
	        s->ciphertext.len <= KMS_ID_BYTES_MAX);
	CHECK(s->n_annotations <= KMS_ANNOTATIONS_MAX);
}

static void stored(struct arena *a, struct slice text)
{
	struct kms_stored first, again;
	struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;
	if (kms_stored_read(a, text, &first, &err) != 0) {
		CHECK(err.code == ERR_CORRUPT && err.msg[0]);
		return;
	}
	check_seed(&first.seed);
	kms_stored_write(&out, &first);
	CHECK(kms_stored_read(a, strbuf_slice(&out), &again, &err) == 0);
	CHECK(slice_eq(first.data, again.data) && slice_eq(first.seed.ciphertext, again.seed.ciphertext));
	CHECK(first.seed.n_annotations == again.seed.n_annotations && first.is_plain_key == again.is_plain_key);
	strbuf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct slice text = {(const char *)data, size}, got;
	struct kms_sealed_seed seed;
	struct err err = ERR_INIT;
	stored(&a, text);
	CHECK(kms_read_status(text, &got, &err) == err.code);
	err = ERR_INIT;
	if (kms_read_encrypted(&a, text, &seed, &err) == 0)
		check_seed(&seed);
	err = ERR_INIT;
	CHECK(kms_read_decrypted(text, &got, &err) == err.code);
	arena_release(&a);
	return 0;
}

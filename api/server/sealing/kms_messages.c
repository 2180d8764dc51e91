/* See kms_messages.h. Upstream: k8s.io/kms/apis/v2/api.proto, apiserver pkg/storage/value/encrypt/envelope/kmsv2. */
#include "api/server/sealing/kms_messages.h"

#include "api/machinery/codec/wire.h"
#include "api/machinery/rules/names.h"
#include "base/check.h"
#include "base/pki/pki.h"

/* EncryptedDEKSourceType */
enum { TYPE_KEY = 0, TYPE_SEED = 1 };

/* ---- writing ---- */

static void put_annotations(struct strbuf *out, uint32_t number, const struct kms_sealed_seed *s)
{
	for (size_t i = 0; i < s->n_annotations; i++) {
		size_t mark = wire_begin(out, number);
		wire_put_bytes(out, 1, s->annotations[i].key);
		wire_put_bytes(out, 2, s->annotations[i].value);
		wire_end(out, mark);
	}
}

void kms_stored_write(struct strbuf *out, const struct kms_stored *s)
{
	wire_put_bytes(out, 1, s->data);
	wire_put_bytes(out, 2, s->seed.key_id);
	wire_put_bytes(out, 3, s->seed.ciphertext);
	put_annotations(out, 4, &s->seed);
	if (!s->is_plain_key)
		wire_put_uint(out, 5, TYPE_SEED);
}

void kms_encrypt_request(struct strbuf *out, struct slice plain, const char *uid)
{
	wire_put_bytes(out, 1, plain);
	wire_put_bytes(out, 2, slice_of(uid));
}

void kms_decrypt_request(struct strbuf *out, const struct kms_sealed_seed *s, const char *uid)
{
	wire_put_bytes(out, 1, s->ciphertext);
	wire_put_bytes(out, 2, slice_of(uid));
	wire_put_bytes(out, 3, s->key_id);
	put_annotations(out, 4, s);
}

void kms_derive_key(struct slice seed, struct slice info, unsigned char ret[32])
{
	unsigned char block[KMS_INFO_BYTES + 1];
	CHECK(info.len <= KMS_INFO_BYTES);
	memcpy(block, info.ptr, info.len);
	block[info.len] = 1;
	pki_hmac_sha256(seed, (struct slice){(const char *)block, info.len + 1}, ret);
}

/* ---- reading ---- */

struct annotations {
	struct kms_annotation items[KMS_ANNOTATIONS_MAX];
	size_t count, bytes;
};

static int read_annotation(struct annotations *all, struct slice text, struct err *err)
{
	struct kms_annotation one = {SLICE(""), SLICE("")};
	struct wire_field f;
	int rc;
	while ((rc = wire_next(&text, &f, err)) == 1)
		if (f.type == WIRE_BYTES && (f.number == 1 || f.number == 2))
			*(f.number == 1 ? &one.key : &one.value) = f.bytes;
	if (rc != 0)
		return rc;
	if (all->count == KMS_ANNOTATIONS_MAX)
		return err_set(err, ERR_INVAL, "more than %d annotations", KMS_ANNOTATIONS_MAX);
	all->bytes += one.key.len + one.value.len;
	all->items[all->count++] = one;
	return 0;
}

static void keep_annotations(struct arena *a, const struct annotations *all, struct kms_sealed_seed *s)
{
	struct kms_annotation *list = ARENA_ARRAY(a, struct kms_annotation, all->count + 1);
	memcpy(list, all->items, all->count * sizeof *list);
	s->annotations = list;
	s->n_annotations = all->count;
}

static int check_key_id(struct slice id, struct err *err)
{
	if (!id.len)
		return err_set(err, ERR_INVAL, "keyID is empty");
	if (id.len > KMS_ID_BYTES_MAX)
		return err_set(err, ERR_INVAL, "keyID is %zu bytes, which exceeds the max size of %d", id.len,
		        KMS_ID_BYTES_MAX);
	return 0;
}

static int check_seed(const struct kms_sealed_seed *s, const struct annotations *all, struct err *err)
{
	if (check_key_id(s->key_id, err) != 0)
		return err->code;
	if (!s->ciphertext.len)
		return err_set(err, ERR_INVAL, "encrypted DEK source is empty");
	if (s->ciphertext.len > KMS_ID_BYTES_MAX)
		return err_set(err, ERR_INVAL, "encrypted DEK source is %zu bytes, which exceeds the max size of %d",
		        s->ciphertext.len, KMS_ID_BYTES_MAX);
	for (size_t i = 0; i < all->count; i++)
		if (validate_dns1123_subdomain(all->items[i].key) ||
		        !memchr(all->items[i].key.ptr, '.', all->items[i].key.len))
			return err_set(err, ERR_INVAL, "annotations: \"%.*s\" is no domain name with two parts",
			        SLICE_FMT(all->items[i].key));
	if (all->bytes > KMS_ANNOTATIONS_BYTES_MAX)
		return err_set(err, ERR_INVAL, "total size of annotations is %zu, which exceeds the max size of %d",
		        all->bytes, KMS_ANNOTATIONS_BYTES_MAX);
	return 0;
}

/* Fields of bytes by number, up to 5; and annotations. */
static int read_fields(struct slice text, struct slice bytes[6], uint64_t numbers[6], uint32_t annotations_at,
        struct annotations *all, struct err *err)
{
	struct wire_field f;
	int rc;
	while ((rc = wire_next(&text, &f, err)) == 1) {
		if (f.number > 5)
			continue;
		if (f.type == WIRE_BYTES && f.number == annotations_at) {
			if (read_annotation(all, f.bytes, err) != 0)
				return err->code;
		} else if (f.type == WIRE_BYTES) {
			bytes[f.number] = f.bytes;
		} else if (f.type == WIRE_VARINT) {
			numbers[f.number] = f.value;
		}
	}
	return rc;
}

int kms_stored_read(struct arena *a, struct slice text, struct kms_stored *ret, struct err *err)
{
	struct slice bytes[6] = {{0}};
	uint64_t numbers[6] = {0};
	struct annotations all = {.count = 0};
	*ret = (struct kms_stored){0};
	int rc = read_fields(text, bytes, numbers, 4, &all, err);
	ret->data = bytes[1];
	ret->seed = (struct kms_sealed_seed){.ciphertext = bytes[3], .key_id = bytes[2]};
	ret->is_plain_key = numbers[5] == TYPE_KEY;
	if (rc == 0)
		rc = check_seed(&ret->seed, &all, err);
	if (rc == 0 && !ret->data.len)
		rc = err_set(err, ERR_INVAL, "encrypted data is empty");
	if (rc == 0 && numbers[5] > TYPE_SEED)
		rc = err_set(err, ERR_INVAL, "unknown type of encrypted DEK source");
	if (rc != 0)
		return err->code = ERR_CORRUPT;
	keep_annotations(a, &all, &ret->seed);
	return 0;
}

int kms_read_status(struct slice text, struct slice *ret_key_id, struct err *err)
{
	struct slice bytes[6] = {{0}};
	uint64_t numbers[6];
	if (read_fields(text, bytes, numbers, 0, NULL, err) != 0)
		return err->code;
	if (!slice_is(bytes[1], "v2") && !slice_is(bytes[1], "v2beta1"))
		return err_set(err, ERR_INVAL, "expected version v2, got %.*s", SLICE_FMT(bytes[1]));
	if (!slice_is(bytes[2], "ok"))
		return err_set(err, ERR_INVAL, "got unexpected healthz status: %.*s", SLICE_FMT(bytes[2]));
	if (check_key_id(bytes[3], err) != 0)
		return err->code;
	*ret_key_id = bytes[3];
	return 0;
}

int kms_read_encrypted(struct arena *a, struct slice text, struct kms_sealed_seed *ret, struct err *err)
{
	struct slice bytes[6] = {{0}};
	uint64_t numbers[6];
	struct annotations all = {.count = 0};
	if (read_fields(text, bytes, numbers, 3, &all, err) != 0)
		return err->code;
	*ret = (struct kms_sealed_seed){.ciphertext = bytes[1], .key_id = bytes[2]};
	if (check_seed(ret, &all, err) != 0)
		return err->code;
	keep_annotations(a, &all, ret);
	return 0;
}

int kms_read_decrypted(struct slice text, struct slice *ret_plain, struct err *err)
{
	struct slice bytes[6] = {{0}};
	uint64_t numbers[6];
	if (read_fields(text, bytes, numbers, 0, NULL, err) != 0)
		return err->code;
	*ret_plain = bytes[1];
	return 0;
}

/* What is said to a KMS plugin and by it (k8s.io/kms apis/v2, protobuf), and what is stored of an object that was
 * encrypted by its leave (apiserver's EncryptedObject). Pure, any thread. */
#ifndef K3X_API_SERVER_SEALING_KMS_MESSAGES_H
#define K3X_API_SERVER_SEALING_KMS_MESSAGES_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

enum { KMS_ID_BYTES_MAX = 1024, KMS_ANNOTATIONS_MAX = 64, KMS_ANNOTATIONS_BYTES_MAX = 32 * 1024 };

struct kms_annotation {
	struct slice key, value;
};

/* A seed as the plugin has encrypted it: all that it needs to decrypt it again. */
struct kms_sealed_seed {
	struct slice ciphertext, key_id;
	const struct kms_annotation *annotations;
	size_t n_annotations;
};

struct kms_stored {
	struct kms_sealed_seed seed;
	struct slice data;
	bool is_plain_key; /* of an older form: the seed is the key itself */
};

/* Appends a stored object. */
void kms_stored_write(struct strbuf *out, const struct kms_stored *s);
/* Slices lie in `text`, lists in the arena. ERR_CORRUPT. */
int kms_stored_read(struct arena *a, struct slice text, struct kms_stored *ret, struct err *err);

/* The key of one value: HKDF-Expand of RFC 5869 with SHA-256, from a seed and what is drawn for the value, which is
 * stored before its ciphertext. info: KMS_INFO_BYTES at the most. */
enum { KMS_INFO_BYTES = 32 };
void kms_derive_key(struct slice seed, struct slice info, unsigned char ret[32]);

void kms_encrypt_request(struct strbuf *out, struct slice plain, const char *uid);
void kms_decrypt_request(struct strbuf *out, const struct kms_sealed_seed *s, const char *uid);

/* Answers. ERR_INVAL, in upstream's words, when they are none, or break a limit. */
int kms_read_status(struct slice text, struct slice *ret_key_id, struct err *err);
int kms_read_encrypted(struct arena *a, struct slice text, struct kms_sealed_seed *ret, struct err *err);
int kms_read_decrypted(struct slice text, struct slice *ret_plain, struct err *err);

#endif

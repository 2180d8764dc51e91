/* A KMS plugin (provider kms, apiVersion v2): a process of the operator's that keeps the key of keys, asked over gRPC
 * at a unix socket.
 *
 * Nothing is encrypted by the plugin itself but seeds: one is drawn at the start and whenever the plugin's key has
 * changed, the plugin encrypts it, and each value's own key is derived from it. So a value costs no call; only a seed
 * that was not seen before does, once, and the loop waits for that, for the configuration's timeout at the most. After
 * a failure the plugin is left alone for some seconds.
 *
 * The functions are for one thread (the API loop's); the plugin is looked after by a thread of its own. */
#ifndef K3X_API_SERVER_SEALING_KMS_H
#define K3X_API_SERVER_SEALING_KMS_H

#include "base/err.h"
#include "base/mem/str.h"

#include <stdint.h>

struct kms_config {
	const char *name, *socket; /* socket: a path */
	unsigned timeout_ms;
};

struct kms;

/* Begins to ask for its status; *c is copied. */
struct kms *kms_new(const struct kms_config *c);
void kms_free(struct kms *k); /* NULL is allowed */
bool kms_is_of(const struct kms *k, const struct kms_config *c);

/* The plain text of what kms_seal() made for `key`, appended; *ret_number tells which of the plugin's keys it was.
 * ERR_UNAVAILABLE: the plugin does not answer; ERR_CORRUPT: it says no, or the text was changed. */
int kms_open(struct kms *k, struct slice key, struct slice sealed, struct strbuf *out, uint32_t *ret_number,
        struct err *err);
/* May something be written? ERR_UNAVAILABLE says why not: no seed yet, or no status for three minutes. */
int kms_may_seal(struct kms *k, struct err *err);
/* Appends the form that is stored. After kms_may_seal() only. */
void kms_seal(struct kms *k, struct slice key, struct slice plain, struct strbuf *out);
uint32_t kms_number(struct kms *k); /* of the key by which it would be written now; 0: there is none yet */

/* The last status was good. Else *ret_why, which stays as long as nobody asks again. */
bool kms_is_healthy(struct kms *k, const char **ret_why);
/* Counts the times that it has become healthy. */
unsigned kms_recoveries(struct kms *k);

#endif

/* Between the API and the store: objects' values in the form in which they are stored, and in plain text.
 *
 * A value that a provider has written begins with its prefix ("k8s:enc:aescbc:v1:key1:"), as kube-apiserver's do; all
 * else is plain. What is written goes through the first provider of the resource's rule; what is read, through
 * whichever has the prefix. Which key a value was read with is a number (seal), so that a write can tell that the one
 * there is by another key than it would take, and write it anew though nothing else has changed. API loop. */
#ifndef K3X_API_SERVER_SEALING_SEALER_H
#define K3X_API_SERVER_SEALING_SEALER_H

#include "api/machinery/schema/resources.h"
#include "base/err.h"
#include "base/mem/str.h"

struct sealer;

/* path: of an EncryptionConfiguration, borrowed. NULL, or a file that is not there when it may be absent: everything is
 * written plain, and what is there encrypted is an error. */
int sealer_new(const char *path, bool may_be_absent, struct sealer **ret, struct err *err);
void sealer_free(struct sealer *s); /* NULL is allowed */
/* Reads the file again; on error it stays as it was. *ret_changed: it says something else now. */
int sealer_reload(struct sealer *s, bool *ret_changed, struct err *err);
/* The file has another time, size or place than when it was read. */
bool sealer_file_changed(const struct sealer *s);

/* The plain text of what is stored at `key` (the whole key). *ret lies in `stored` or in `scratch`, which is emptied
 * before. *ret_seal: how it was written. ERR_CORRUPT: no provider reads it, or it was changed. */
int sealer_open(struct sealer *s, const struct resource *r, struct slice key, struct slice stored,
        struct strbuf *scratch, struct slice *ret, uint32_t *ret_seal, struct err *err);
/* Whoever is to write it is there: a plugin may not be. ERR_UNAVAILABLE. */
int sealer_may_seal(const struct sealer *s, const struct resource *r, struct err *err);
/* After that. The form that is stored; it lies in `plain`, or in the arena. */
struct slice sealer_seal(
        struct sealer *s, struct arena *a, const struct resource *r, struct slice key, struct slice plain);
/* How it would be written now: another number than an object's means that the object is to be written anew. */
uint32_t sealer_seal_of(const struct sealer *s, const struct resource *r);

/* Plugins, for /readyz: the i-th of them, false: there are not so many. *ret_why: NULL when it is well. */
bool sealer_plugin(const struct sealer *s, size_t i, const char **ret_why);
/* Now and then. A plugin has become well: what could not be read may be read now. */
bool sealer_has_recovered(struct sealer *s);

/* SHA-256 of the configuration in use, hex; "" when there is none. */
const char *sealer_hash(const struct sealer *s);
/* Appends lines for /metrics. */
void sealer_metrics(const struct sealer *s, struct strbuf *out);

#endif

/* ConversionReviews: what a conversion webhook is asked, and what of its answer is taken. Any thread. */
#ifndef K3X_API_SERVER_CONVERTING_CONVERSION_REVIEW_H
#define K3X_API_SERVER_CONVERTING_CONVERSION_REVIEW_H

#include "base/err.h"
#include "base/json/json.h"

/* The first version of a CRD's conversionReviewVersions that is known here: "v1" or "v1beta1"; NULL: none is. */
const char *conversion_review_version(const struct json *versions);

/* Appends a review as JSON; `objects`: their texts with commas between. */
void conversion_review_write(
        struct strbuf *out, const char *version, const char *uid, const char *desired, struct slice objects);

/* The list of converted objects in an answer, in the arena, which borrows from `text`. ERR_INTERNAL in upstream's
 * words: it is no review of that version, or one of another question, or says why it could not. */
int conversion_review_read(struct arena *a, struct slice text, const char *version, const char *uid,
        const struct json **ret, struct err *err);

/* Makes of what came back for `original` what it is in the other version: the server's metadata, of which labels and
 * annotations alone may be other ones. `converted` is changed in place. ERR_INTERNAL: it is not that object, or not in
 * the version that was asked for. */
int conversion_review_take(struct arena *a, const struct json *original, const char *desired, struct json *converted,
        size_t index, struct err *err);

#endif

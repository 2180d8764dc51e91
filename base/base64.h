/* Base64 (RFC 4648): the standard alphabet with padding, and the URL-safe one without. Any thread. */
#ifndef K3X_BASE_BASE64_H
#define K3X_BASE_BASE64_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

/* Results live in the arena and have a zero byte behind them. */
struct slice base64_encode(struct arena *a, struct slice bytes);
struct slice base64url_encode(struct arena *a, struct slice bytes);

/* False when the text is not exactly base64: foreign characters, wrong padding, stray bits. Line breaks are allowed in
 * the standard form (as Go's decoder does), padding is optional in the URL form. */
bool base64_decode(struct arena *a, struct slice text, struct slice *out);
bool base64url_decode(struct arena *a, struct slice text, struct slice *out);

#endif

/* The configMaps and secrets a pod refers to. Loop's thread; the pool reads them while an operation of the pod is open.
 */
#ifndef K3X_NODE_GROUND_REFS_H
#define K3X_NODE_GROUND_REFS_H

#include "base/err.h"
#include "base/json/json.h"

struct pod;
struct refs;

/* Fetches all of them anew; done(p, err) on the loop, never inside; err when the API server cannot be asked. Absent
 * ones are no error here. */
void refs_fetch(struct pod *p, void (*done)(struct pod *p, const struct err *err));
bool refs_any(const struct pod *p);
/* The object, NULL when it is absent; lives until the next refs_fetch(). kind: "configmaps", "secrets". */
struct json *refs_get(const struct pod *p, const char *kind, struct slice name);
void refs_free(struct refs *r); /* NULL is fine */

#endif

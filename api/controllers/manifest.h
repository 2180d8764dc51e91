/* A manifest: a file of objects that are to be applied. What its text says, what its Addon is called, and how an object
 * is marked as its own.
 *
 * Pure but for manifest_read(), which reads a file. Any thread; all lives in the arena. */
#ifndef K3X_API_CONTROLLERS_MANIFEST_H
#define K3X_API_CONTROLLERS_MANIFEST_H

#include "base/json/json.h"

struct manifest_object {
	struct json *json; /* nobody else's: it may be changed */
	struct slice api_version, kind, ns, name;
	unsigned rank; /* those of a lower one are applied first: namespaces, definitions, all else */
	size_t number; /* its place in the file, from 1 */
};

struct manifest {
	struct manifest_object *objects; /* by rank, then as they stand in the file */
	size_t count;
	char checksum[65]; /* SHA-256 of the text, hex */
};

/* YAML of any number of documents, or JSON; Lists are taken apart. ERR_INVAL when the text is neither, or something in
 * it is no object with apiVersion, kind and name; ERR_TOO_BIG beyond MANIFEST_OBJECTS_MAX. */
int manifest_parse(struct arena *a, struct slice text, struct manifest *ret, struct err *err);
/* The same of a file. ERR_TOO_BIG beyond MANIFEST_BYTES_MAX; ERR_INVAL: it is no regular file. */
int manifest_read(struct arena *a, const char *path, struct manifest *ret, struct err *err);

/* "sub/web.v1.yaml" -> "web", as k3s names Addons. */
struct slice manifest_name(struct slice path);
/* .yaml, .yml or .json, and not hidden. */
bool manifest_is_one(struct slice path);

/* ---- whose an object is ---- */
/* As k3s marks what it applies: annotations that name the Addon, and a label by which its objects are listed. */
#define MANIFEST_HASH_LABEL "objectset.rio.cattle.io/hash"
#define MANIFEST_OWNER_NAME "objectset.rio.cattle.io/owner-name"
#define MANIFEST_OWNER_NAMESPACE "objectset.rio.cattle.io/owner-namespace"
#define MANIFEST_OWNER_KIND "objectset.rio.cattle.io/owner-gvk"
#define MANIFEST_ADDON_KIND "k3s.cattle.io/v1, Kind=Addon"

void manifest_hash(struct slice addon, char ret_hex[41]);
void manifest_mark(struct arena *a, struct json *object, struct slice addon);
/* Is this object (its text) marked so? */
bool manifest_is_of(struct slice object, struct slice addon);

/* ---- the kinds of an Addon's objects, kept in its annotation: "apps/v1, Kind=Deployment; v1, Kind=Service" ---- */
#define MANIFEST_KINDS "addon.k3s.cattle.io/gvks"

struct manifest_kinds {
	struct manifest_kind {
		struct slice api_version, kind;
	} * rows;
	size_t count, cap;
};

void manifest_kinds_add(struct arena *a, struct manifest_kinds *k, struct slice api_version, struct slice kind);
/* What is no kind in the text is passed over. */
void manifest_kinds_read(struct arena *a, struct manifest_kinds *k, struct slice text);
const char *manifest_kinds_text(struct arena *a, const struct manifest_kinds *k);

#endif

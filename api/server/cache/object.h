/* A stored object as the watch cache holds it: finished JSON bytes, and where in them the things lie that selectors ask
 * for.
 *
 * The bytes are those that clients get: the stored text with metadata.resourceVersion put in place. They are shared by
 * reference with responses, watch events and in-process clients; nothing ever parses them again to serve a read.
 *
 * metadata.managedFields is not among them: it lies packed beside the bytes, for they are a fifth of a pod and only
 * clients outside of the house read them. Who answers such a client lays it in, where metadata ends. */
#ifndef K3X_API_SERVER_CACHE_OBJECT_H
#define K3X_API_SERVER_CACHE_OBJECT_H

#include "api/machinery/schema/resources.h"
#include "api/machinery/schema/selector.h"
#include "base/mem/rcbuf.h"

struct span {
	uint32_t offset;
	uint32_t len; /* 0: absent */
};

struct object {
	atomic_uint refs;
	int64_t revision;
	struct rcbuf *json;
	struct slice key;       /* "namespace/name" or "name"; lives behind the struct */
	uint32_t namespace_len; /* of the key's first part, 0 for cluster scope */
	uint32_t managed_at;    /* in json: where managedFields go */
	uint32_t packed_len;    /* of managedFields, behind the key (api/machinery/fields/pack.h); 0: there are none */
	uint32_t seal;          /* how its stored value was written (sealing/sealer.h); 0: plain */
	uint16_t field_count;
	bool is_of_other_version; /* than the row that it was made for, which a webhook converts */
	struct span labels;
	struct span uid;
	struct span fields[]; /* the resource's selectors, in order; then their fallbacks */
};

/* Makes an object from a stored value. key: "namespace/name" or "name". NULL when the text is not a JSON object. */
struct object *object_new(const struct resource *r, struct slice key, struct slice stored, int64_t revision);
/* One that is made for an answer and not kept: managedFields stay in its bytes. */
struct object *object_new_whole(const struct resource *r, struct slice key, struct slice stored, int64_t revision);
/* One that is stored nowhere, with its bytes as they are; the reference is taken over. */
struct object *object_of_text(struct slice key, struct rcbuf *text);
struct object *object_ref(struct object *o);
void object_unref(struct object *o); /* NULL is allowed */

static inline struct slice object_text(const struct object *o)
{
	return (struct slice){o->json->data, o->json->len};
}

/* Packed managedFields; empty: there are none. */
static inline struct slice object_packed(const struct object *o)
{
	return (struct slice){o->key.ptr + o->key.len + 1, o->packed_len};
}

/* `,"managedFields":[...]`, to be put at managed_at; a new reference, NULL when there are none. */
struct rcbuf *object_managed_text(const struct object *o);
/* Its length; 0: there is none. */
size_t object_managed_len(const struct object *o);
/* The whole object, managedFields laid in. A new reference. */
struct rcbuf *object_whole(const struct object *o);

static inline struct slice object_namespace(const struct object *o)
{
	return (struct slice){o->key.ptr, o->namespace_len};
}

static inline struct slice object_name(const struct object *o)
{
	size_t skip = o->namespace_len ? o->namespace_len + 1u : 0;
	return (struct slice){o->key.ptr + skip, o->key.len - skip};
}

static inline struct slice object_span(const struct object *o, struct span s)
{
	return s.len ? (struct slice){o->json->data + s.offset, s.len} : SLICE_NULL;
}

/* What a list or watch asks for. Zeroed: everything. */
struct object_filter {
	struct slice ns;   /* empty: all */
	struct slice name; /* from metadata.name; empty: all */
	struct label_selector labels;
	struct field_selector fields;
};

/* ERR_INVAL when the resource that the client speaks of does not know a field of the selector; else the fields take the
 * names by which the stored form knows them. */
int object_filter_check(struct object_filter *f, const struct resource *r, struct err *err);
/* `r`: the row in whose form objects are stored. */
bool object_matches(const struct object *o, const struct object_filter *f, const struct resource *r);

/* The stored text with "resourceVersion":"N" as the first member of metadata. Used for answers to writes too. */
struct rcbuf *object_finish(struct slice stored, int64_t revision);
/* `text` with the array of managedFields as the last member of metadata, whose closing brace is at `at`. */
void object_lay_in(struct strbuf *out, struct slice text, size_t at, struct slice managed);

#endif

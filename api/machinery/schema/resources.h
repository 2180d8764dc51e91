/* The registry of resources: every group, version and resource that is served, and what is known of it.
 *
 * Built-in rows are constant and live for ever. Rows for CRDs are added and retired at run time with resources_add()
 * and resources_retire(). Who works with rows that may have been added takes a snapshot of the registry: its rows stay
 * valid for as long as it is held, whatever is retired meanwhile. Who keeps a single row takes resource_ref().
 *
 * Objects lie in the store as JSON under kube-apiserver's keys:
 *     storage_prefix [NAMESPACE "/"] NAME        e.g. /registry/pods/default/web, /registry/minions/pi-1
 * Two rows may share one prefix: core/v1 and events.k8s.io/v1 events, autoscaling/v1 and v2. `storage` then names the
 * row in whose form the object is stored; resource_convert() renames fields between them.
 *
 * Thread: any (lookups of built-in rows take no lock). */
#ifndef K3X_API_MACHINERY_SCHEMA_RESOURCES_H
#define K3X_API_MACHINERY_SCHEMA_RESOURCES_H

#include "api/machinery/schema/schema.h"
#include "base/err.h"
#include "base/json/json.h"

#include <stdatomic.h>

struct kind_ops;
struct custom_columns;
struct custom_program;

enum resource_verb {
	RESOURCE_GET = 1,
	RESOURCE_LIST = 2,
	RESOURCE_WATCH = 4,
	RESOURCE_CREATE = 8,
	RESOURCE_UPDATE = 16,
	RESOURCE_PATCH = 32,
	RESOURCE_DELETE = 64,
	RESOURCE_DELETECOLLECTION = 128,
};

#define RESOURCE_VERBS_ALL 255u

/* A field selector beyond metadata.name and metadata.namespace, which every resource has. */
struct resource_selector {
	const char *name;     /* what the client writes: "status.phase" */
	const char *path;     /* dotted JSON path it reads, in the stored form */
	const char *fallback; /* second path, read when the first is absent; NULL when none */
	const char *empty;    /* value when absent: "", "false", "0" */
};

/* "pods/status". */
struct resource_sub {
	const char *name;  /* "status" */
	const char *group; /* of the kind it speaks: "autoscaling", "policy", ... */
	const char *version;
	const char *kind;               /* "Scale", "Eviction", "Pod" */
	const struct schema_type *type; /* NULL when bodies are not objects (log, exec, proxy, ...) */
	unsigned verbs;                 /* enum resource_verb bits */
	bool is_connect;                /* exec, attach, portforward, proxy: streams, not objects */
};

/* Where the scale of a custom resource is: dotted paths, ".spec.replicas". */
struct resource_scale {
	const char *spec, *status, *selector; /* selector NULL: none */
};

/* What rows that were added live in (the arena of a CRD). free() is called when the last reference is gone. */
struct resource_owner {
	atomic_uint refs;
	void (*free)(struct resource_owner *owner);
};

/* How objects of a CRD become those of its other versions, when a webhook knows that. It may have to be asked first:
 * then an object has no other form yet, and who needs it asks for it (api/server/converting/conversion.h). */
struct resource_conversion {
	const struct resource *rows; /* of all versions */
	size_t count;
	/* Into the form of `to`, in place. ERR_UNAVAILABLE: not yet; the object is as it was. */
	int (*convert)(struct resource_conversion *c, struct arena *a, struct json *object, const struct resource *to,
	        struct err *err);
};

struct resource {
	const char *group; /* "" for core */
	const char *version;
	const char *plural;
	const char *singular;
	const char *kind;
	const char *list_kind;
	const char *api_version;        /* "v1", "apps/v1" */
	const char *const *short_names; /* ends with NULL; never NULL itself */
	const char *const *categories;  /* ends with NULL; never NULL itself */
	const struct resource_sub *subs;
	const struct resource_selector *selectors;
	const struct schema_type *type;      /* NULL: a CRD without a schema, any object */
	const struct schema_type *list_type; /* NULL for CRDs */
	const char *storage_prefix;          /* "/registry/pods/"; NULL for what is not stored (reviews, bindings) */
	const struct resource *storage;      /* the row in whose form objects are stored: itself, mostly */
	struct slice openapi_packed;         /* CRDs: see resource_openapi_text(); else empty */
	size_t openapi_len;
	const char *deprecation;              /* CRDs: what clients are told who use this version; NULL: nothing */
	const struct kind_ops *ops;           /* see kind_ops.h; NULL: nothing particular */
	struct resource_owner *owner;         /* NULL: lives for ever, as built-in rows do */
	const struct custom_program *custom;  /* CRDs: the schema, compiled (rules/custom_program.h); else NULL */
	const struct custom_columns *columns; /* CRDs: what `kubectl get` prints (table/custom_columns.h); else NULL */
	const struct resource_scale *scale;   /* CRDs with a scale subresource; NULL: where it is in built-in kinds */
	struct resource_conversion *conversion; /* CRDs whose versions a webhook converts; else NULL */
	atomic_bool *terminating;               /* CRDs: the definition is going, nothing may be created; else NULL */
	unsigned verbs;
	uint8_t sub_count;
	uint8_t selector_count;
	bool namespaced;
	bool has_generation; /* metadata.generation counts spec changes */
	bool is_custom;      /* a CRD's row: no protobuf, no strategic merge */
	bool is_remote;      /* another server's: passed on (api/server/aggregate/) */
};

/* NULL when not served. Group "" is core. A row that was added may be retired at any time: hold a snapshot that was
 * taken before, or look it up in one. */
const struct resource *resource_find(struct slice group, struct slice version, struct slice plural);
/* By apiVersion ("v1", "apps/v1") and kind ("Deployment"). List kinds are not found here. */
const struct resource *resource_find_kind(struct slice api_version, struct slice kind);
/* The row of a group in its preferred version; NULL when not served. */
const struct resource *resource_find_preferred(struct slice group, struct slice plural);
/* Pods have the subresource "resize", which upstream has off by default. Before anything else here is called, once, by
 * the thread that starts the program. */
void resource_offer_pod_resize(void);

const struct resource_sub *resource_sub_find(const struct resource *r, struct slice name);
const struct resource_selector *resource_selector_find(const struct resource *r, struct slice name);
/* By what name the storage row knows the field that `r` calls so: "involvedObject.name" for "regarding.name". NULL when
 * r has no such selector. */
const char *resource_selector_stored_name(const struct resource *r, struct slice name);

/* The type of any kind that may come as a body or leave as an answer: resources, their lists, subresource kinds,
 * DeleteOptions, Status, WatchEvent, Table. NULL when unknown. */
const struct schema_type *resource_kind_type(struct slice api_version, struct slice kind);

/* The registry as it is now, counted. Rows: built-in ones, groups in order of priority, preferred version first,
 * resources by name; then those added, by group, version and name. */
struct resource_snapshot;
struct resource_snapshot *resources_snapshot(void);
struct resource_snapshot *resources_snapshot_ref(struct resource_snapshot *s);
void resources_snapshot_unref(struct resource_snapshot *s); /* NULL is fine */
uint64_t resources_snapshot_generation(const struct resource_snapshot *s);
const struct resource *const *resources_snapshot_rows(const struct resource_snapshot *s, size_t *ret_count);
/* As resource_find() and resource_find_kind(); `version` SLICE_NULL: the preferred one. */
const struct resource *resources_snapshot_find(
        const struct resource_snapshot *s, struct slice group, struct slice version, struct slice plural);
const struct resource *resources_snapshot_find_kind(
        const struct resource_snapshot *s, struct slice api_version, struct slice kind);

/* Keeps one row beyond a snapshot's life; nothing to do for built-in rows. Returns the row. NULL is fine. */
const struct resource *resource_ref(const struct resource *r);
void resource_unref(const struct resource *r);

/* Calls fn for every row of a snapshot, in its order. Stops when fn returns false. */
void resources_each(bool (*fn)(void *arg, const struct resource *r), void *arg);
/* Counts changes by add and retire, starting with 1: for caches and ETags of discovery and OpenAPI. */
uint64_t resources_generation(void);

/* Adds a row; each snapshot that has it holds a reference of its owner. ERR_EXISTS when group, version and plural (or
 * kind) are taken. */
int resources_add(const struct resource *r, struct err *err);
/* Takes a row that was added out of snapshots to come. */
void resources_retire(const struct resource *r);

/* "/registry/pods/default/web": appends the key. `name` empty: the prefix of a namespace, or of all when `ns` is empty
 * too. `r` must be stored. */
void resource_storage_key(struct strbuf *out, const struct resource *r, struct slice ns, struct slice name);

/* Turns an object from the form of `from` into the form of `to` (rows that share a storage), in place, apiVersion and
 * kind included. ERR_UNIMPLEMENTED with a clear message where the two forms cannot be mapped. Same row: 0. With a
 * `conversion` an object is in the form that its own apiVersion says, whatever `from` is. */
int resource_convert(
        struct arena *a, struct json *object, const struct resource *from, const struct resource *to, struct err *err);

/* The name of a row's definition in OpenAPI documents: "io.k8s.api.core.v1.Pod", or "com.example.v1.Foo" for CRDs.
 * `suffix` "" or "List". */
void resource_definition_name(struct strbuf *out, const struct resource *r, const char *suffix);

/* The openAPIV3Schema of a CRD's version as JSON, unpacked into the arena; empty when there is none. It is kept packed,
 * for it is as large as all else of a row, and read only for /openapi. */
struct slice resource_openapi_text(struct arena *a, const struct resource *r);
void resource_openapi_set(struct arena *a, struct resource *r, struct slice text); /* packs it into the arena */

/* "get", "list", ...: of one bit. */
const char *resource_verb_name(enum resource_verb verb);

#endif

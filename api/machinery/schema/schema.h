/* Schemas: what the fields of every API type are called, how they look in JSON and protobuf, and how they merge.
 *
 * The built-in types are constant tables that tools/gen_schema writes at build time from the published Kubernetes
 * definitions (types.go: JSON names, markers, docs, protobuf numbers). Everything generic reads these tables: decoding,
 * defaulting, unknown fields, strategic merge, server-side apply, protobuf, OpenAPI. Types made at run time (for CRDs)
 * fill in the same structs, so a user of this header need not care where one came from.
 *
 * A type's `fields` are those of its JSON object, in the order Go would write them, with inlined structs already
 * flattened in. The protobuf view keeps inlined structs as messages of their own: see `wire`.
 *
 * Tables are immutable and live for ever: any thread, no locks, no ownership. */
#ifndef K3X_API_MACHINERY_SCHEMA_SCHEMA_H
#define K3X_API_MACHINERY_SCHEMA_SCHEMA_H

#include "base/mem/str.h"

/* What a field, or one element of a list or map, is. */
enum schema_kind {
	SCHEMA_STRING,
	SCHEMA_BOOL,
	SCHEMA_INT32,
	SCHEMA_INT64,
	SCHEMA_DOUBLE,
	SCHEMA_BYTES,    /* base64 text in JSON */
	SCHEMA_QUANTITY, /* "100m" or a number in JSON */
	SCHEMA_INT_OR_STRING,
	SCHEMA_TIME,       /* RFC 3339, whole seconds */
	SCHEMA_MICRO_TIME, /* RFC 3339 with six digits of fraction */
	SCHEMA_DURATION,   /* Go text: "1m30s" */
	SCHEMA_RAW,        /* runtime.RawExtension: any JSON object, kept as it is */
	SCHEMA_FIELDS_V1,  /* managedFields: any JSON object, kept as it is */
	SCHEMA_ANY,        /* any JSON value */
	SCHEMA_REF,        /* a struct: see schema_field.ref */
};

enum schema_container { SCHEMA_SINGLE, SCHEMA_LIST, SCHEMA_MAP /* keys are strings */ };

/* +listType / x-kubernetes-list-type. Lists without one are atomic to server-side apply. */
enum schema_list_type { SCHEMA_LIST_TYPE_NONE, SCHEMA_LIST_TYPE_ATOMIC, SCHEMA_LIST_TYPE_SET, SCHEMA_LIST_TYPE_MAP };

enum schema_field_flag {
	SCHEMA_OMITEMPTY = 1,        /* Go drops the zero value */
	SCHEMA_POINTER = 2,          /* Go tells absent from zero; a pointer to a struct may be absent */
	SCHEMA_REQUIRED = 4,         /* listed under `required` in OpenAPI */
	SCHEMA_ATOMIC = 8,           /* +mapType=atomic or +structType=atomic: server-side apply replaces the whole */
	SCHEMA_ELEMENT_POINTER = 16, /* the elements are pointers in Go */
	SCHEMA_PATCH_MERGE = 32,     /* patchStrategy has "merge" */
	SCHEMA_PATCH_REPLACE = 64,   /* patchStrategy has "replace" */
	SCHEMA_PATCH_RETAIN_KEYS = 128, /* patchStrategy has "retainKeys" */
	SCHEMA_NULLABLE = 256,          /* CRDs: null is a value of its own */
	SCHEMA_EMBEDDED_OBJECT = 512,   /* CRDs: x-kubernetes-embedded-resource */
	SCHEMA_PROTO_FIXED = 1024,      /* protobuf: fixed32/fixed64 (doubles always are) */
	SCHEMA_ENUM = 2048,             /* a Go string type marked +enum: its values are in `enums` */
};

struct schema_type;

struct schema_field {
	const char *name;              /* JSON name */
	const struct schema_type *ref; /* of SCHEMA_REF, else NULL */
	const char *merge_key;         /* patchMergeKey, NULL when none */
	const char *list_keys;    /* +listMapKey names with commas between ("containerPort,protocol"), NULL when none */
	const char *default_json; /* +default as JSON text, NULL when none */
	const char *enums;        /* values of a +enum type with commas between, sorted; NULL when none */
	uint32_t doc;             /* for schema_docs_text() */
	uint16_t number;          /* protobuf; 0 when the field has no protobuf form */
	uint16_t flags;           /* enum schema_field_flag */
	uint8_t kind;             /* enum schema_kind, of the elements for lists and maps */
	uint8_t container;        /* enum schema_container */
	uint8_t list_type;        /* enum schema_list_type */
};

/* The protobuf view: one entry per message field, sorted by number. */
struct schema_wire {
	const struct schema_field *field;  /* NULL for an inlined struct */
	const struct schema_type *inlined; /* its message; its JSON members lie in the same object */
	uint16_t number;
};

enum schema_type_flag {
	SCHEMA_TYPE_LIST_WRAPPER = 1, /* JSON: an array of strings; protobuf: a message {repeated string items = 1} */
	SCHEMA_TYPE_ATOMIC = 2,       /* +structType=atomic (x-kubernetes-map-type: atomic) */
	SCHEMA_TYPE_PRESERVE_UNKNOWN = 4, /* CRDs: unknown members are kept */
	SCHEMA_TYPE_HAS_TYPE_META = 8,    /* has apiVersion and kind: a whole object */
	/* JSON: an object is the field "schema" itself, anything else is the other field (JSONSchemaPropsOrBool, ...)
	 */
	SCHEMA_TYPE_UNION = 16,
	SCHEMA_TYPE_CUSTOM = 32, /* made from a CRD: decoding is lenient and keeps the shape, see decode.h */
	SCHEMA_TYPE_INNER =
	        64, /* CRDs, lists in lists and maps in maps: the JSON is not an object, but the one field */
};

struct schema_type {
	const char *name;    /* OpenAPI name: "io.k8s.api.core.v1.Pod" */
	const char *go_name; /* "Pod" */
	const struct schema_field *fields;
	const uint16_t *sorted; /* indexes into fields, by name in byte order */
	const struct schema_wire *wire;
	uint16_t field_count;
	uint16_t wire_count;
	uint16_t flags; /* enum schema_type_flag */
	uint32_t doc;
};

/* By OpenAPI name; NULL when there is none. */
const struct schema_type *schema_type_find(struct slice name);
/* All built-in types, sorted by name. */
size_t schema_type_count(void);
const struct schema_type *schema_type_at(size_t index);

/* By JSON name, case-sensitive: binary search. NULL when absent; a NULL type has no fields. */
const struct schema_field *schema_field_find(const struct schema_type *type, struct slice name);
/* By protobuf number; NULL when absent. */
const struct schema_wire *schema_wire_find(const struct schema_type *type, uint32_t number);

/* Follows JSON names from a type, for messages and selectors: "spec.template" of Deployment is PodTemplateSpec. Steps
 * through lists and maps take the element type. NULL when a name is not there. */
const struct schema_field *schema_field_path(const struct schema_type *type, const char *dotted);

/* The docs are one LZ4 block, unpacked for as long as someone holds it (about 1 MB). NULL only when memory is out. Both
 * on any thread. schema_docs_text() is "" for doc 0. */
struct schema_docs;
struct schema_docs *schema_docs_open(void);
void schema_docs_close(struct schema_docs *docs);
const char *schema_docs_text(const struct schema_docs *docs, uint32_t doc);

/* A text that differs when the tables were generated from other definitions, for ETags of documents made of them. */
enum { SCHEMA_FINGERPRINT_MAX = 40 };
void schema_fingerprint(char out[SCHEMA_FINGERPRINT_MAX]);

#endif

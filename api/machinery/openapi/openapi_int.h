/* What the v2 and v3 documents share: definitions and paths, written as JSON in the one dialect or the other. */
#ifndef K3X_API_MACHINERY_OPENAPI_OPENAPI_INT_H
#define K3X_API_MACHINERY_OPENAPI_OPENAPI_INT_H

#include "api/machinery/schema/resource_rows.h"

/* Types that are scalars in our tables and have definitions of their own in OpenAPI. */
enum openapi_scalar {
	OPENAPI_QUANTITY,
	OPENAPI_INT_OR_STRING,
	OPENAPI_TIME,
	OPENAPI_MICRO_TIME,
	OPENAPI_DURATION,
	OPENAPI_RAW,
	OPENAPI_FIELDS_V1,
	OPENAPI_JSON,
	OPENAPI_PATCH, /* the body of any patch */
	OPENAPI_SCALARS,
};

struct openapi {
	struct strbuf *out;
	struct schema_docs *docs;
	struct resource_rows rows;
	bool is_v3;
	bool *wanted; /* by index of schema_type_at() */
	bool wanted_scalar[OPENAPI_SCALARS];
	bool need_comma;
};

void openapi_open(struct openapi *o, struct strbuf *out, bool is_v3);
void openapi_close(struct openapi *o);

/* Marks a type, and all it refers to, as part of the document. NULL is ignored. */
void openapi_want(struct openapi *o, const struct schema_type *type);
void openapi_want_row(struct openapi *o, const struct resource *r);

/* Called with each wanted definition, for `each` in order of names: name and schema object. */
typedef void openapi_definition_fn(void *arg, struct slice name, struct slice schema);
void openapi_each_definition(struct openapi *o, size_t from, size_t to, openapi_definition_fn *fn, void *arg);
/* Called with each path of the rows [from, to) and its path item. */
void openapi_each_path(struct openapi *o, size_t from, size_t to, openapi_definition_fn *fn, void *arg);

/* "#/components/schemas/" or "#/definitions/". */
const char *openapi_ref_prefix(const struct openapi *o);

/* A definition and a path item in gnostic's protobuf form (openapi_v2 NamedSchema, NamedPathItem), as field `number`.
 */
void openapi_gnostic_definition(struct strbuf *out, uint32_t number, struct slice name, const struct json *schema);
void openapi_gnostic_path(struct strbuf *out, uint32_t number, struct slice name, const struct json *item);

#endif

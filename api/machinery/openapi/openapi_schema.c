/* OpenAPI definitions from the schema tables and from CRDs.
 *
 * A document first marks what it needs, starting at its resources and following references; then the marked types are
 * written in order of their names. In v3 a reference with a description or default beside it is wrapped in allOf, since
 * siblings of $ref are ignored there; in v2 it stands beside them, as upstream publishes it. */
#include "api/machinery/openapi/openapi_int.h"

#include "base/check.h"
#include "base/json/json.h"

#include <stdlib.h>

struct scalar {
	const char *name;
	const char *v3;
	const char *v2;
};

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

static const struct scalar scalars[OPENAPI_SCALARS] = {
        [OPENAPI_QUANTITY] = {"io.k8s.apimachinery.pkg.api.resource.Quantity",
                "{\"description\":\"A number with a suffix: 500m, 1Gi, "
                "1e3.\",\"oneOf\":[{\"type\":\"string\"},{\"type\":\"number\"}]}",
                "{\"description\":\"A number with a suffix: 500m, 1Gi, 1e3.\",\"type\":\"string\"}"},
        [OPENAPI_INT_OR_STRING] = {"io.k8s.apimachinery.pkg.util.intstr.IntOrString",
                "{\"description\":\"An integer or a "
                "string.\",\"format\":\"int-or-string\",\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}",
                "{\"description\":\"An integer or a string.\",\"type\":\"string\",\"format\":\"int-or-string\"}"},
        [OPENAPI_TIME] = {META "Time",
                "{\"description\":\"A time, RFC 3339.\",\"type\":\"string\",\"format\":\"date-time\"}", NULL},
        [OPENAPI_MICRO_TIME] = {META "MicroTime",
                "{\"description\":\"A time with microseconds, RFC "
                "3339.\",\"type\":\"string\",\"format\":\"date-time\"}",
                NULL},
        [OPENAPI_DURATION] = {META "Duration", "{\"description\":\"A duration: 1m30s.\",\"type\":\"string\"}", NULL},
        [OPENAPI_RAW] = {"io.k8s.apimachinery.pkg.runtime.RawExtension",
                "{\"description\":\"An object of any kind.\",\"type\":\"object\"}", NULL},
        [OPENAPI_FIELDS_V1] = {META "FieldsV1",
                "{\"description\":\"A set of fields, as a tree of their names.\",\"type\":\"object\"}", NULL},
        [OPENAPI_JSON] = {"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
                "{\"description\":\"Any JSON value.\"}", NULL},
        [OPENAPI_PATCH] = {META "Patch",
                "{\"description\":\"A patch, in the form that its content type names.\",\"type\":\"object\"}", NULL},
};

/* ---- marking ---- */

void openapi_open(struct openapi *o, struct strbuf *out, bool is_v3)
{
	*o = (struct openapi){.out = out, .docs = schema_docs_open(), .is_v3 = is_v3};
	o->wanted = xcalloc(schema_type_count(), sizeof(*o->wanted));
	resource_rows_init(&o->rows);
	o->wanted_scalar[OPENAPI_PATCH] = true;
	openapi_want(o, schema_type_find(SLICE(META "DeleteOptions")));
	openapi_want(o, schema_type_find(SLICE(META "Status")));
	openapi_want(o, schema_type_find(SLICE(META "APIResourceList")));
	openapi_want(o, schema_type_find(SLICE(META "WatchEvent")));
}

void openapi_close(struct openapi *o)
{
	resource_rows_release(&o->rows);
	free(o->wanted);
	schema_docs_close(o->docs);
}

static int scalar_of(int kind)
{
	switch (kind) {
	case SCHEMA_QUANTITY:
		return OPENAPI_QUANTITY;
	case SCHEMA_INT_OR_STRING:
		return OPENAPI_INT_OR_STRING;
	case SCHEMA_TIME:
		return OPENAPI_TIME;
	case SCHEMA_MICRO_TIME:
		return OPENAPI_MICRO_TIME;
	case SCHEMA_DURATION:
		return OPENAPI_DURATION;
	case SCHEMA_RAW:
		return OPENAPI_RAW;
	case SCHEMA_FIELDS_V1:
		return OPENAPI_FIELDS_V1;
	case SCHEMA_ANY:
		return OPENAPI_JSON;
	default:
		return -1;
	}
}

static size_t index_of(const struct schema_type *type)
{
	return (size_t)(type - schema_type_at(0));
}

void openapi_want(struct openapi *o, const struct schema_type *type)
{
	/* types made at run time are not in the table; CRDs bring their schema as text */
	if (!type || index_of(type) >= schema_type_count() || o->wanted[index_of(type)])
		return;
	o->wanted[index_of(type)] = true;
	for (size_t i = 0; i < type->field_count; i++) {
		const struct schema_field *f = &type->fields[i];
		int scalar = scalar_of(f->kind);
		if (scalar >= 0)
			o->wanted_scalar[scalar] = true;
		openapi_want(o, f->ref); /* depth: as deep as types nest, a few dozen */
	}
}

void openapi_want_row(struct openapi *o, const struct resource *r)
{
	if (r->is_custom) {
		openapi_want(o, schema_type_find(SLICE(META "ObjectMeta")));
		openapi_want(o, schema_type_find(SLICE(META "ListMeta")));
	} else {
		openapi_want(o, r->type);
		openapi_want(o, r->list_type);
	}
	for (size_t i = 0; i < r->sub_count; i++)
		if (!r->is_custom || strcmp(r->subs[i].kind, r->kind) != 0)
			openapi_want(o, r->subs[i].type);
}

/* ---- fields ---- */

const char *openapi_ref_prefix(const struct openapi *o)
{
	return o->is_v3 ? "#/components/schemas/" : "#/definitions/";
}

static void put_key(struct openapi *o, struct strbuf *b, const char *name)
{
	if (o->need_comma)
		strbuf_addc(b, ',');
	strbuf_addf(b, "\"%s\":", name);
	o->need_comma = true;
}

static void put_ref(struct openapi *o, struct strbuf *b, const char *name, bool has_siblings)
{
	bool wrap = o->is_v3 && has_siblings;
	put_key(o, b, wrap ? "allOf" : "$ref");
	strbuf_addf(b, wrap ? "[{\"$ref\":\"%s%s\"}]" : "\"%s%s\"", openapi_ref_prefix(o), name);
}

static void put_default(struct openapi *o, struct strbuf *b, const char *json)
{
	if (!o->is_v3)
		return;
	put_key(o, b, "default");
	strbuf_adds(b, json);
}

static void put_type(struct openapi *o, struct strbuf *b, const char *type, const char *format)
{
	put_key(o, b, "type");
	strbuf_addf(b, "\"%s\"", type);
	if (format) {
		put_key(o, b, "format");
		strbuf_addf(b, "\"%s\"", format);
	}
}

static void put_enum(struct openapi *o, struct strbuf *b, const char *values)
{
	if (!o->is_v3 || !values)
		return;
	put_key(o, b, "enum");
	struct slice rest = slice_of(values);
	char before = '[';
	while (rest.ptr) {
		strbuf_addc(b, before);
		json_write_str(b, slice_cut(&rest, ','));
		before = ',';
	}
	strbuf_addc(b, ']');
}

/* A string, number or boolean. `zero` is the default Go gives it, NULL when there is none to tell. */
static void put_plain(struct openapi *o, struct strbuf *b, const struct schema_field *f, bool has_zero)
{
	static const struct {
		const char *type, *format, *zero;
	} plain[] = {
	        [SCHEMA_STRING] = {"string", NULL, "\"\""},
	        [SCHEMA_BOOL] = {"boolean", NULL, "false"},
	        [SCHEMA_INT32] = {"integer", "int32", "0"},
	        [SCHEMA_INT64] = {"integer", "int64", "0"},
	        [SCHEMA_DOUBLE] = {"number", "double", "0"},
	        [SCHEMA_BYTES] = {"string", "byte", NULL},
	};
	CHECK(f->kind < COUNT_OF(plain));
	put_type(o, b, plain[f->kind].type, plain[f->kind].format);
	if (f->default_json && f->container == SCHEMA_SINGLE)
		put_default(o, b, f->default_json);
	else if (has_zero && plain[f->kind].zero)
		put_default(o, b, plain[f->kind].zero);
	put_enum(o, b, f->enums);
}

/* What a single value or one element is; the braces are the caller's. */
static void put_value(struct openapi *o, struct strbuf *b, const struct schema_field *f, bool is_element, bool has_doc)
{
	bool is_pointer = f->flags & (is_element ? SCHEMA_ELEMENT_POINTER : SCHEMA_POINTER);
	int scalar = scalar_of(f->kind);
	if (scalar >= 0) {
		put_ref(o, b, scalars[scalar].name, has_doc);
	} else if (f->kind != SCHEMA_REF) {
		put_plain(o, b, f, !is_pointer && (is_element || !(f->flags & SCHEMA_OMITEMPTY)));
	} else if (f->ref->flags & SCHEMA_TYPE_LIST_WRAPPER) {
		put_type(o, b, "array", NULL);
		put_key(o, b, "items");
		strbuf_adds(b, o->is_v3 ? "{\"default\":\"\",\"type\":\"string\"}" : "{\"type\":\"string\"}");
	} else {
		bool has_default = o->is_v3 && !is_pointer && !(f->ref->flags & SCHEMA_TYPE_UNION);
		if (has_default)
			put_default(o, b, "{}");
		put_ref(o, b, f->ref->name, has_doc || has_default);
	}
}

static void put_extensions(struct openapi *o, struct strbuf *b, const struct schema_field *f)
{
	static const char *const list_types[] = {NULL, "atomic", "set", "map"};
	if (f->list_type) {
		put_key(o, b, "x-kubernetes-list-type");
		strbuf_addf(b, "\"%s\"", list_types[f->list_type]);
	}
	if (f->list_keys) {
		put_key(o, b, "x-kubernetes-list-map-keys");
		struct slice rest = slice_of(f->list_keys);
		char before = '[';
		while (rest.ptr) {
			strbuf_addc(b, before);
			json_write_str(b, slice_cut(&rest, ','));
			before = ',';
		}
		strbuf_addc(b, ']');
	}
	if (f->flags & SCHEMA_ATOMIC) {
		put_key(o, b, "x-kubernetes-map-type");
		strbuf_adds(b, "\"atomic\"");
	}
	if (f->merge_key) {
		put_key(o, b, "x-kubernetes-patch-merge-key");
		strbuf_addf(b, "\"%s\"", f->merge_key);
	}
	if (f->flags & (SCHEMA_PATCH_MERGE | SCHEMA_PATCH_REPLACE | SCHEMA_PATCH_RETAIN_KEYS)) {
		put_key(o, b, "x-kubernetes-patch-strategy");
		bool merge = f->flags & (SCHEMA_PATCH_MERGE | SCHEMA_PATCH_REPLACE);
		bool retain = f->flags & SCHEMA_PATCH_RETAIN_KEYS;
		strbuf_addf(b, "\"%s%s%s\"",
		        f->flags & SCHEMA_PATCH_MERGE ? "merge"
		        : merge                       ? "replace"
		                                      : "",
		        merge && retain ? "," : "", retain ? "retainKeys" : "");
	}
}

static void put_field(struct openapi *o, struct strbuf *b, const struct schema_field *f)
{
	json_write_str(b, slice_of(f->name));
	strbuf_adds(b, ":{");
	o->need_comma = false;
	const char *doc = schema_docs_text(o->docs, f->doc);
	if (*doc) {
		put_key(o, b, "description");
		json_write_str(b, slice_of(doc));
	}
	if (f->container == SCHEMA_SINGLE) {
		put_value(o, b, f, false, *doc || f->flags & SCHEMA_ATOMIC);
	} else {
		put_type(o, b, f->container == SCHEMA_LIST ? "array" : "object", NULL);
		put_key(o, b, f->container == SCHEMA_LIST ? "items" : "additionalProperties");
		strbuf_addc(b, '{');
		o->need_comma = false;
		put_value(o, b, f, true, false);
		strbuf_addc(b, '}');
		o->need_comma = true;
	}
	put_extensions(o, b, f);
	strbuf_addc(b, '}');
}

/* ---- definitions ---- */

static void put_gvk(struct strbuf *b, const char *group, const char *version, const char *kind)
{
	strbuf_addf(b, ",\"x-kubernetes-group-version-kind\":[{\"group\":\"%s\",\"kind\":\"%s\",\"version\":\"%s\"}]",
	        group, kind, version);
}

static void put_type_gvk(struct openapi *o, struct strbuf *b, const struct schema_type *t)
{
	for (size_t i = 0; i < o->rows.count; i++) {
		const struct resource *r = o->rows.rows[i];
		if (r->is_custom)
			continue;
		if (r->type == t || r->list_type == t) {
			put_gvk(b, r->group, r->version, r->type == t ? r->kind : r->list_kind);
			return;
		}
		for (size_t s = 0; s < r->sub_count; s++)
			if (r->subs[s].type == t) {
				put_gvk(b, r->subs[s].group, r->subs[s].version, r->subs[s].kind);
				return;
			}
	}
	if (strncmp(t->name, META, strlen(META)) == 0 &&
	        (t->flags & SCHEMA_TYPE_HAS_TYPE_META || strcmp(t->go_name, "WatchEvent") == 0))
		put_gvk(b, "", "v1", t->go_name);
}

static void put_definition(struct openapi *o, struct strbuf *b, const struct schema_type *t)
{
	strbuf_adds(b, "{\"description\":");
	json_write_str(b, slice_of(schema_docs_text(o->docs, t->doc)));
	if (t->flags & SCHEMA_TYPE_UNION) {
		strbuf_addc(b, '}');
		return;
	}
	strbuf_adds(b, ",\"type\":\"object\"");
	for (size_t i = 0; i < t->field_count; i++) {
		strbuf_adds(b, i ? "," : ",\"properties\":{");
		put_field(o, b, &t->fields[t->sorted[i]]);
	}
	strbuf_adds(b, t->field_count ? "}" : "");
	const char *before = ",\"required\":[";
	for (size_t i = 0; i < t->field_count; i++)
		if (t->fields[i].flags & SCHEMA_REQUIRED) {
			strbuf_addf(b, "%s\"%s\"", before, t->fields[i].name);
			before = ",";
		}
	strbuf_adds(b, *before == ',' && !before[1] ? "]" : "");
	if (t->flags & SCHEMA_TYPE_ATOMIC)
		strbuf_adds(b, ",\"x-kubernetes-map-type\":\"atomic\"");
	put_type_gvk(o, b, t);
	strbuf_addc(b, '}');
}

/* ---- definitions of CRDs ---- */

/* v2 knows no oneOf, anyOf, not, nullable or default that we could keep; upstream drops them too. */
static void strip_for_v2(struct json *schema)
{
	static const char *const unknown[] = {"oneOf", "anyOf", "not", "nullable", "default"};
	if (!json_is(schema, JSON_OBJECT))
		return;
	struct json *type = json_get(schema, "type");
	bool is_nullable = json_get_bool(schema, "nullable", false);
	for (size_t i = 0; i < COUNT_OF(unknown); i++)
		json_del(schema, unknown[i]);
	if (json_get_bool(schema, "x-kubernetes-preserve-unknown-fields", false) || is_nullable ||
	        !json_is(type, JSON_STRING)) {
		json_del(schema, "type");
		json_del(schema, "items");
		json_del(schema, "properties");
	}
	JSON_FOREACH (it, json_get(schema, "properties"))
		strip_for_v2(it);
	strip_for_v2(json_get(schema, "items"));
	strip_for_v2(json_get(schema, "additionalProperties"));
}

static void set_meta_property(
        struct arena *a, struct openapi *o, struct json *properties, const char *name, const char *type)
{
	struct json *p = json_set(a, properties, name, json_new(a, JSON_OBJECT));
	if (!type) {
		json_set_cstr(a, p, "type", "string");
		return;
	}
	const char *ref = arena_printf(a, "%s" META "%s", openapi_ref_prefix(o), type);
	if (o->is_v3) {
		struct json *inner = json_new(a, JSON_OBJECT);
		json_set_cstr(a, inner, "$ref", ref);
		json_append(json_need(a, p, "allOf", JSON_ARRAY), inner);
	} else {
		json_set_cstr(a, p, "$ref", ref);
	}
}

static void set_gvk(struct arena *a, struct json *schema, const struct resource *r, const char *kind)
{
	struct json *gvk = json_new(a, JSON_OBJECT);
	json_set_cstr(a, gvk, "group", r->group);
	json_set_cstr(a, gvk, "kind", kind);
	json_set_cstr(a, gvk, "version", r->version);
	json_append(json_need(a, schema, "x-kubernetes-group-version-kind", JSON_ARRAY), gvk);
}

static void put_custom(struct openapi *o, struct strbuf *b, const struct resource *r)
{
	struct arena a = ARENA_INIT;
	struct slice text = resource_openapi_text(&a, r);
	struct json *schema = text.len ? json_parse(&a, text, NULL, NULL) : NULL;
	if (!json_is(schema, JSON_OBJECT))
		schema = json_new(&a, JSON_OBJECT);
	if (!o->is_v3)
		strip_for_v2(schema);
	json_set_cstr(&a, schema, "type", "object");
	if (json_get(schema, "properties") || o->is_v3) {
		struct json *properties = json_need(&a, schema, "properties", JSON_OBJECT);
		set_meta_property(&a, o, properties, "apiVersion", NULL);
		set_meta_property(&a, o, properties, "kind", NULL);
		set_meta_property(&a, o, properties, "metadata", "ObjectMeta");
	}
	set_gvk(&a, schema, r, r->kind);
	json_write(b, schema);
	arena_release(&a);
}

static void put_custom_list(struct openapi *o, struct strbuf *b, const struct resource *r)
{
	struct arena a = ARENA_INIT;
	struct json *schema = json_new(&a, JSON_OBJECT);
	struct strbuf name = STRBUF_INIT;
	resource_definition_name(&name, r, "");
	json_set_cstr(&a, schema, "description", arena_printf(&a, "%s is a list of %s", r->list_kind, r->kind));
	json_set_cstr(&a, schema, "type", "object");
	json_append(json_need(&a, schema, "required", JSON_ARRAY), json_new_cstr(&a, "items"));
	struct json *properties = json_need(&a, schema, "properties", JSON_OBJECT);
	set_meta_property(&a, o, properties, "apiVersion", NULL);
	struct json *items = json_need(&a, properties, "items", JSON_OBJECT);
	json_set_cstr(&a, items, "type", "array");
	json_set_cstr(&a, json_need(&a, items, "items", JSON_OBJECT), "$ref",
	        arena_printf(&a, "%s%s", openapi_ref_prefix(o), strbuf_cstr(&name)));
	set_meta_property(&a, o, properties, "kind", NULL);
	set_meta_property(&a, o, properties, "metadata", "ListMeta");
	set_gvk(&a, schema, r, r->list_kind);
	json_write(b, schema);
	strbuf_release(&name);
	arena_release(&a);
}

/* ---- all ---- */

static void each_custom(struct openapi *o, const struct resource *r, openapi_definition_fn *fn, void *arg)
{
	struct strbuf name = STRBUF_INIT;
	struct strbuf b = STRBUF_INIT;
	resource_definition_name(&name, r, "");
	put_custom(o, &b, r);
	fn(arg, strbuf_slice(&name), strbuf_slice(&b));
	strbuf_reset(&name);
	strbuf_reset(&b);
	resource_definition_name(&name, r, "List");
	put_custom_list(o, &b, r);
	fn(arg, strbuf_slice(&name), strbuf_slice(&b));
	strbuf_release(&name);
	strbuf_release(&b);
}

void openapi_each_definition(struct openapi *o, size_t from, size_t to, openapi_definition_fn *fn, void *arg)
{
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < schema_type_count(); i++) {
		const struct schema_type *t = schema_type_at(i);
		if (!o->wanted[i] || t->flags & SCHEMA_TYPE_LIST_WRAPPER)
			continue;
		strbuf_reset(&b);
		put_definition(o, &b, t);
		fn(arg, slice_of(t->name), strbuf_slice(&b));
	}
	strbuf_release(&b);
	for (size_t i = 0; i < OPENAPI_SCALARS; i++)
		if (o->wanted_scalar[i])
			fn(arg, slice_of(scalars[i].name),
			        slice_of(!o->is_v3 && scalars[i].v2 ? scalars[i].v2 : scalars[i].v3));
	for (size_t i = from; i < to; i++)
		if (o->rows.rows[i]->is_custom)
			each_custom(o, o->rows.rows[i], fn, arg);
}

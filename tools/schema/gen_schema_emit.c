/* Writes the model as C: one const array of struct schema_type, and per type its fields, their order by name, and the
 * protobuf view. Docs are pooled, each text once, and LZ4-compressed into one byte array.
 *
 * Which Go types are scalars of ours is decided here (`specials`); named types are followed to what they stand for. */
#include "tools/schema/gen_schema.h"

#include <lz4.h>
#include <lz4hc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define META "k8s.io/apimachinery/pkg/apis/meta/v1."

struct special {
	const char *go;
	const char *kind;
};

static const struct special specials[] = {
        {"string", "STRING"},
        {"bool", "BOOL"},
        {"int32", "INT32"},
        {"int64", "INT64"},
        {"int", "INT64"},
        {"float64", "DOUBLE"},
        {"interface{}", "ANY"},
        {"any", "ANY"},
        {META "Time", "TIME"},
        {META "MicroTime", "MICRO_TIME"},
        {META "Duration", "DURATION"},
        {META "FieldsV1", "FIELDS_V1"},
        {"k8s.io/apimachinery/pkg/api/resource.Quantity", "QUANTITY"},
        {"k8s.io/apimachinery/pkg/util/intstr.IntOrString", "INT_OR_STRING"},
        {"k8s.io/apimachinery/pkg/runtime.RawExtension", "RAW"},
        {"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSON", "ANY"},
        {"k8s.io/apimachinery/pkg/types.UID", "STRING"},
        {"k8s.io/apimachinery/pkg/types.NodeName", "STRING"},
        {"k8s.io/apimachinery/pkg/types.NamespacedName", "STRING"},
        {"k8s.io/apimachinery/pkg/types.PatchType", "STRING"},
};

/* What a field is, once its type expression is followed. */
struct shape {
	const char *container;
	const char *kind;
	struct go_type *ref;
	struct go_type *enum_type;
	bool is_pointer;
	bool is_element_pointer;
};

struct doc_pool {
	char *text;
	size_t len;
	size_t cap;
};

struct emitter {
	struct go_model *m;
	FILE *out;
	struct doc_pool docs;
	struct go_type **order;
	size_t count;
};

/* ---- shapes ---- */

static const char *special_kind(const char *expr)
{
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
		if (strcmp(specials[i].go, expr) == 0)
			return specials[i].kind;
	return NULL;
}

static void shape_of(struct go_model *m, const char *expr, struct shape *s, const char *where)
{
	bool is_single = strcmp(s->container, "SINGLE") == 0;
	const char *kind = special_kind(expr);
	if (kind) {
		s->kind = kind;
	} else if (*expr == '*') {
		*(is_single ? &s->is_pointer : &s->is_element_pointer) = true;
		shape_of(m, expr + 1, s, where);
	} else if (strcmp(expr, "[]byte") == 0) {
		s->kind = "BYTES";
	} else if (strncmp(expr, "[]", 2) == 0 || strncmp(expr, "map[", 4) == 0) {
		if (!is_single)
			gen_fail("%s: a list or map inside a list or map", where);
		s->container = *expr == '[' ? "LIST" : "MAP";
		shape_of(m, strchr(expr, ']') + 1, s, where);
	} else {
		struct go_type *t = go_type_find(m, expr);
		if (!t)
			gen_fail("%s: unknown type %s", where, expr);
		if (t->is_enum)
			s->enum_type = t;
		if (t->alias && !t->is_message) {
			shape_of(m, t->alias, s, where);
		} else {
			s->kind = "REF";
			s->ref = t;
		}
	}
}

static struct shape field_shape(struct go_model *m, const struct go_type *t, const struct go_field *f)
{
	struct shape s = {.container = "SINGLE"};
	shape_of(m, f->expr, &s, gen_printf("%s.%s.%s", t->package, t->name, f->name));
	return s;
}

/* ---- which types, and their names ---- */

static char *openapi_name(const struct go_type *t)
{
	char *host = strndup(t->package, strcspn(t->package, "/"));
	char *rest = strdup(t->package + strlen(host));
	for (char *c = rest; *c; c++)
		if (*c == '/')
			*c = '.';
	char *dot = strchr(host, '.');
	*dot = 0;
	return gen_printf("%s.%s%s.%s", dot + 1, host, rest, t->name);
}

static int by_openapi_name(const void *a, const void *b)
{
	return strcmp(openapi_name(*(struct go_type *const *)a), openapi_name(*(struct go_type *const *)b));
}

static bool is_api_struct(const struct go_type *t)
{
	if (t->name[0] < 'A' || t->name[0] > 'Z' || special_kind(gen_printf("%s.%s", t->package, t->name)))
		return false;
	for (size_t i = 0; i < t->field_count; i++)
		if (t->fields[i].json)
			return true;
	return t->is_message;
}

/* A named copy of a struct (core/v1 List) gets its fields; a wrapped slice (ExtraValue) becomes a message with items.
 */
static void settle_aliases(struct go_model *m)
{
	for (size_t i = 0; i < m->type_count; i++) {
		struct go_type *t = &m->types[i];
		if (t->alias && t->is_message && strncmp(t->alias, "[]", 2) == 0) {
			t->fields = calloc(1, sizeof(struct go_field));
			t->fields[0] = (struct go_field){
			        .name = "Items", .expr = t->alias, .json = "items", .doc = "", .number = 1};
			t->field_count = 1;
			continue;
		}
		t->is_message = false;
		struct go_type *target = t->alias ? go_type_find(m, t->alias) : NULL;
		if (target && !target->alias && target->field_count && !special_kind(t->alias)) {
			t->fields = target->fields;
			t->field_count = target->field_count;
			t->alias = NULL;
		}
	}
}

static void choose_types(struct emitter *e)
{
	e->order = calloc(e->m->type_count, sizeof(*e->order));
	for (size_t i = 0; i < e->m->type_count; i++)
		if (is_api_struct(&e->m->types[i]) && (!e->m->types[i].alias || e->m->types[i].is_message))
			e->order[e->count++] = &e->m->types[i];
	/* what is referred to but has no fields of its own (empty structs) */
	for (size_t i = 0; i < e->count; i++)
		e->order[i]->index = 0;
	for (size_t i = 0; i < e->count; i++)
		for (size_t k = 0; k < e->order[i]->field_count; k++) {
			if (!e->order[i]->fields[k].json)
				continue;
			struct shape s = field_shape(e->m, e->order[i], &e->order[i]->fields[k]);
			if (s.ref && s.ref->index < 0) {
				s.ref->index = 0;
				e->order[e->count++] = s.ref;
			}
		}
	qsort(e->order, e->count, sizeof(*e->order), by_openapi_name);
	for (size_t i = 0; i < e->count; i++)
		e->order[i]->index = (int)i;
}

/* ---- text ---- */

static void put_string(FILE *out, const char *s)
{
	if (!s) {
		fputs("0", out);
		return;
	}
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s == '\n')
			fputs("\\n", out);
		else
			fputc(*s, out);
	}
	fputc('"', out);
}

/* Offset of the text in the pool; 0 is the empty text. Linear search is enough for a few thousand texts. */
static uint32_t doc_add(struct doc_pool *d, const char *text)
{
	size_t n = text ? strlen(text) + 1 : 1;
	if (!d->text) {
		d->cap = 8 << 20;
		d->text = calloc(1, d->cap);
		d->len = 1;
	}
	if (n == 1)
		return 0;
	for (size_t at = 1; at < d->len; at += strlen(d->text + at) + 1)
		if (strcmp(d->text + at, text) == 0)
			return (uint32_t)at;
	if (d->len + n > d->cap)
		gen_fail("docs do not fit");
	memcpy(d->text + d->len, text, n);
	d->len += n;
	return (uint32_t)(d->len - n);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *enum_values(struct go_model *m, const struct go_type *t)
{
	const char *values[200];
	size_t n = 0;
	for (size_t i = 0; t && i < m->const_count && n < 200; i++)
		if (strcmp(m->consts[i].package, t->package) == 0 && strcmp(m->consts[i].type, t->name) == 0)
			values[n++] = m->consts[i].value;
	if (!n)
		return NULL;
	qsort(values, n, sizeof(values[0]), by_text);
	char *out = strdup(values[0]);
	for (size_t i = 1; i < n; i++)
		if (strcmp(values[i], values[i - 1]) != 0)
			out = gen_printf("%s,%s", out, values[i]);
	return out;
}

static const char *default_json(struct go_model *m, const struct go_type *t, const char *text)
{
	if (!text || strncmp(text, "ref(", 4) != 0)
		return text;
	size_t n = strcspn(text + 4, ")");
	for (size_t i = 0; i < m->const_count; i++)
		if (strcmp(m->consts[i].package, t->package) == 0 && strncmp(m->consts[i].name, text + 4, n) == 0 &&
		        !m->consts[i].name[n])
			return gen_printf("\"%s\"", m->consts[i].value);
	gen_fail("%s.%s: default %s is not a constant", t->package, t->name, text);
}

/* ---- tables ---- */

struct flat_field {
	const struct go_type *owner;
	const struct go_field *field;
	bool is_own;
};

/* The JSON view: inlined structs' fields at their place. */
static size_t flatten(struct go_model *m, const struct go_type *t, struct flat_field *out, size_t n, bool is_own)
{
	for (size_t i = 0; i < t->field_count; i++) {
		const struct go_field *f = &t->fields[i];
		if (!f->json)
			continue;
		if (f->inlined) {
			struct shape s = field_shape(m, t, f);
			if (!s.ref)
				gen_fail("%s.%s: inlines what is no struct", t->package, t->name);
			n = flatten(m, s.ref, out, n, false);
		} else if (n == FIELDS_MAX) {
			gen_fail("%s.%s: too many fields", t->package, t->name);
		} else {
			out[n++] = (struct flat_field){t, f, is_own};
		}
	}
	return n;
}

static void put_flags(struct emitter *e, const struct flat_field *ff, const struct shape *s, bool has_enum)
{
	const struct go_field *f = ff->field;
	FILE *out = e->out;
	fputs("0", out);
	if (f->omitempty)
		fputs("|SCHEMA_OMITEMPTY", out);
	if (s->is_pointer)
		fputs("|SCHEMA_POINTER", out);
	if (!f->omitempty && !f->optional)
		fputs("|SCHEMA_REQUIRED", out);
	if (f->atomic)
		fputs("|SCHEMA_ATOMIC", out);
	if (s->is_element_pointer)
		fputs("|SCHEMA_ELEMENT_POINTER", out);
	if (f->is_fixed)
		fputs("|SCHEMA_PROTO_FIXED", out);
	if (has_enum)
		fputs("|SCHEMA_ENUM", out);
	if (f->patch_strategy && strstr(f->patch_strategy, "merge"))
		fputs("|SCHEMA_PATCH_MERGE", out);
	if (f->patch_strategy && strstr(f->patch_strategy, "replace"))
		fputs("|SCHEMA_PATCH_REPLACE", out);
	if (f->patch_strategy && strstr(f->patch_strategy, "retainKeys"))
		fputs("|SCHEMA_PATCH_RETAIN_KEYS", out);
}

static const char *list_type_name(const struct flat_field *ff)
{
	const char *t = ff->field->list_type;
	if (!t)
		return "NONE";
	if (strcmp(t, "atomic") == 0)
		return "ATOMIC";
	if (strcmp(t, "set") == 0)
		return "SET";
	if (strcmp(t, "map") == 0)
		return "MAP";
	gen_fail("%s.%s: list type %s is not known", ff->owner->package, ff->field->name, t);
}

static void put_field(struct emitter *e, const struct flat_field *ff)
{
	const struct go_field *f = ff->field;
	struct shape s = field_shape(e->m, ff->owner, f);
	const char *enums = enum_values(e->m, s.enum_type);
	fputs("\t{.name = ", e->out);
	put_string(e->out, f->json);
	if (s.ref)
		fprintf(e->out, ", .ref = &schema_types_[%d]", s.ref->index);
	fputs(", .merge_key = ", e->out);
	put_string(e->out, f->patch_merge_key);
	fputs(", .list_keys = ", e->out);
	put_string(e->out, f->list_keys[0] ? f->list_keys : NULL);
	fputs(", .default_json = ", e->out);
	put_string(e->out, default_json(e->m, ff->owner, f->default_json));
	fputs(", .enums = ", e->out);
	put_string(e->out, enums);
	fprintf(e->out, ", .doc = %u, .number = %d, .flags = ", doc_add(&e->docs, f->doc), ff->is_own ? f->number : 0);
	put_flags(e, ff, &s, enums != NULL);
	fprintf(e->out, ", .kind = SCHEMA_%s, .container = SCHEMA_%s, .list_type = SCHEMA_LIST_TYPE_%s},\n", s.kind,
	        s.container, list_type_name(ff));
}

static const struct flat_field *sort_base;

static int by_json_name(const void *a, const void *b)
{
	return strcmp(sort_base[*(const uint16_t *)a].field->json, sort_base[*(const uint16_t *)b].field->json);
}

static void put_sorted(struct emitter *e, const struct flat_field *flat, size_t n, const struct go_type *t)
{
	uint16_t order[FIELDS_MAX];
	for (size_t i = 0; i < n; i++)
		order[i] = (uint16_t)i;
	sort_base = flat;
	qsort(order, n, sizeof(order[0]), by_json_name);
	fprintf(e->out, "static const uint16_t s%d[] = {", t->index);
	for (size_t i = 0; i < n; i++) {
		if (i && strcmp(flat[order[i]].field->json, flat[order[i - 1]].field->json) == 0)
			gen_fail("%s.%s: two fields are called %s", t->package, t->name, flat[order[i]].field->json);
		fprintf(e->out, "%u,", order[i]);
	}
	fputs("};\n", e->out);
}

static int by_number(const void *a, const void *b)
{
	return (*(const struct go_field *const *)a)->number - (*(const struct go_field *const *)b)->number;
}

static size_t put_wire(struct emitter *e, const struct flat_field *flat, size_t n, const struct go_type *t)
{
	const struct go_field *order[FIELDS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < t->field_count; i++)
		if (t->fields[i].number && t->fields[i].json)
			order[count++] = &t->fields[i];
	qsort(order, count, sizeof(order[0]), by_number);
	fprintf(e->out, "static const struct schema_wire w%d[] = {\n", t->index);
	for (size_t i = 0; i < count; i++) {
		if (order[i]->inlined) {
			struct shape s = field_shape(e->m, t, order[i]);
			fprintf(e->out, "\t{0, &schema_types_[%d], %d},\n", s.ref->index, order[i]->number);
			continue;
		}
		size_t k = 0;
		while (k < n && flat[k].field != order[i])
			k++;
		fprintf(e->out, "\t{&f%d[%zu], 0, %d},\n", t->index, k, order[i]->number);
	}
	fputs("\t{0, 0, 0}};\n", e->out);
	return count;
}

static void put_type_row(struct emitter *e, const struct go_type *t, size_t fields, size_t wires)
{
	fputs("\t{", e->out);
	put_string(e->out, openapi_name(t));
	fputs(", ", e->out);
	put_string(e->out, t->name);
	fprintf(e->out, ", f%d, s%d, w%d, %zu, %zu, 0", t->index, t->index, t->index, fields, wires);
	if (t->is_message)
		fputs("|SCHEMA_TYPE_LIST_WRAPPER", e->out);
	if (t->is_union)
		fputs("|SCHEMA_TYPE_UNION", e->out);
	if (t->is_atomic)
		fputs("|SCHEMA_TYPE_ATOMIC", e->out);
	for (size_t i = 0; i < t->field_count; i++)
		if (t->fields[i].inlined && strcmp(t->fields[i].expr, META "TypeMeta") == 0)
			fputs("|SCHEMA_TYPE_HAS_TYPE_META", e->out);
	fprintf(e->out, ", %u},\n", doc_add(&e->docs, t->doc));
}

static void put_docs(struct emitter *e)
{
	int bound = LZ4_compressBound((int)e->docs.len);
	unsigned char *packed = malloc((size_t)bound);
	int n = LZ4_compress_HC(e->docs.text, (char *)packed, (int)e->docs.len, bound, LZ4HC_CLEVEL_MAX);
	if (n <= 0)
		gen_fail("compressing the docs failed");
	fprintf(e->out, "const unsigned schema_docs_size_ = %zu;\nconst unsigned schema_docs_packed_size_ = %d;\n",
	        e->docs.len, n);
	fputs("const unsigned char schema_docs_packed_[] = {", e->out);
	for (int i = 0; i < n; i++)
		fprintf(e->out, "%s%u,", i % 32 ? "" : "\n", packed[i]);
	fputs("};\n", e->out);
}

void gen_emit(struct go_model *m, const char *out_path)
{
	settle_aliases(m);
	struct emitter e = {.m = m};
	choose_types(&e);
	e.out = fopen(out_path, "w");
	if (!e.out)
		gen_fail("open %s", out_path);
	fputs("/* Written by gen_schema. */\n#include \"api/machinery/schema/schema_int.h\"\n\n", e.out);
	size_t(*sizes)[2] = calloc(e.count, sizeof(*sizes));
	for (size_t i = 0; i < e.count; i++) {
		struct flat_field flat[FIELDS_MAX];
		size_t n = sizes[i][0] = flatten(m, e.order[i], flat, 0, true);
		fprintf(e.out, "static const struct schema_field f%zu[] = {\n", i);
		for (size_t k = 0; k < n; k++)
			put_field(&e, &flat[k]);
		fputs("\t{0}};\n", e.out);
		put_sorted(&e, flat, n, e.order[i]);
		sizes[i][1] = put_wire(&e, flat, n, e.order[i]);
	}
	fprintf(e.out, "const size_t schema_type_count_ = %zu;\nconst struct schema_type schema_types_[] = {\n",
	        e.count);
	for (size_t i = 0; i < e.count; i++)
		put_type_row(&e, e.order[i], sizes[i][0], sizes[i][1]);
	fputs("};\n", e.out);
	put_docs(&e);
	if (fclose(e.out) != 0)
		gen_fail("write %s", out_path);
}

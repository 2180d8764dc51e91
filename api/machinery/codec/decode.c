/* Checking a tree against a type, and bringing it to the form Go would write back.
 *
 * One walk does both. Each object's members are sorted into slots, one per field of its type; what has no slot is
 * unknown, is noted and dropped. Then the slots are linked again in the type's order, with what Go always writes added
 * and what Go leaves out dropped. The place in the tree is a chain of frames on the stack: it becomes text only when
 * there is something to say. Depth is bounded by the parser (JSON_DEPTH_MAX).
 *
 * Failure modes: a value of the wrong type or out of range (the first one found ends the walk, as in Go), and problems
 * that are collected (unknown and duplicate fields), which the caller judges by its fieldValidation. */
#include "api/machinery/codec/decode.h"
#include "api/machinery/codec/quantity.h"
#include "api/machinery/codec/scalar.h"

#include "base/base64.h"
#include "base/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROBLEMS_MAX = 100, SLOTS_MAX = 64, PATH_MAX_ = 256 };

/* A step from the root to where we are. */
struct frame {
	const struct frame *parent;
	struct slice name; /* of a member; null for an element */
	unsigned index;
	bool is_element;
};

struct decoder {
	struct arena *arena;
	struct decode_problems *problems;
	struct err *err;
	bool keep_shape;
	bool lenient;        /* wrong types are left alone */
	bool is_normalising; /* nothing may fail */
};

static int decode_struct(struct decoder *d, const struct frame *at, struct json *obj, const struct schema_type *type);
static int decode_value(struct decoder *d, const struct frame *at, const struct schema_type *owner,
        const struct schema_field *f, struct json *v);

/* ---- problems ---- */

void decode_problems_init(struct decode_problems *p, struct arena *a)
{
	*p = (struct decode_problems){.arena = a};
}

struct decode_problem {
	const char *path;
	size_t offset; /* in the document */
	bool is_unknown;
};

static void problem_add(struct decode_problems *p, const char *path, size_t offset, bool is_unknown)
{
	if (p->count == PROBLEMS_MAX) {
		p->dropped++;
		return;
	}
	if (p->count == p->cap) {
		struct decode_problem *more = arena_alloc(p->arena, sizeof(*more) * (p->cap * 2 + 8));
		if (p->count)
			memcpy(more, p->items, p->count * sizeof(*more));
		p->items = more;
		p->cap = p->cap * 2 + 8;
	}
	p->items[p->count++] = (struct decode_problem){arena_strdup(p->arena, path), offset, is_unknown};
}

void decode_on_duplicate(void *problems, const char *path, size_t offset)
{
	problem_add(problems, path, offset, false);
}

static bool is_unknown_path(const struct decode_problems *p, const char *path)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].is_unknown && strcmp(p->items[i].path, path) == 0)
			return true;
	return false;
}

static int problem_order(const void *a, const void *b)
{
	const struct decode_problem *x = a, *y = b;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Duplicates were found by the parser and unknown fields by the walk: now they take the order of the document. A field
 * that is unknown is not told a second time for being there twice. */
static void problems_finish(struct decode_problems *p)
{
	size_t n = 0;
	struct decode_problem *kept = ARENA_ARRAY(p->arena, struct decode_problem, p->count + 1);
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].is_unknown || !is_unknown_path(p, p->items[i].path))
			kept[n++] = p->items[i];
	p->items = kept;
	p->count = p->cap = n;
	if (n)
		qsort(p->items, n, sizeof(p->items[0]), problem_order);
	p->texts = ARENA_ARRAY(p->arena, const char *, n + 1);
	for (size_t i = 0; i < n; i++)
		p->texts[i] = arena_printf(p->arena, "%s field \"%s\"",
		        p->items[i].is_unknown ? "unknown" : "duplicate", p->items[i].path);
}

int decode_problems_judge(struct decode_problems *p, enum decode_validation validation, struct err *err)
{
	if (!p->texts)
		problems_finish(p);
	if (validation != DECODE_STRICT || p->count == 0)
		return 0;
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < p->count; i++)
		strbuf_addf(&b, "%s%s", i ? ", " : "", p->texts[i]);
	int rc = err_set(err, ERR_INVAL, "strict decoding error: %s", strbuf_cstr(&b));
	strbuf_release(&b);
	return rc;
}

int decode_validation_parse(struct slice text, enum decode_validation *out, struct err *err)
{
	if (slice_is(text, "Ignore"))
		*out = DECODE_IGNORE;
	else if (text.len == 0 || slice_is(text, "Warn"))
		*out = DECODE_WARN;
	else if (slice_is(text, "Strict"))
		*out = DECODE_STRICT;
	else
		return err_set(err, ERR_INVAL,
		        "fieldValidation: Unsupported value: \"%.*s\": supported values: \"Ignore\", "
		        "\"Strict\", \"Warn\"",
		        SLICE_FMT(text));
	return 0;
}

/* ---- places ---- */

static void path_put(const struct frame *f, bool with_index, struct strbuf *out)
{
	if (!f)
		return;
	path_put(f->parent, with_index, out);
	if (!f->is_element)
		strbuf_addf(out, "%s%.*s", out->len ? "." : "", SLICE_FMT(f->name));
	else if (with_index)
		strbuf_addf(out, "[%u]", f->index);
}

static void note_unknown(struct decoder *d, const struct frame *at, const struct json *v)
{
	if (!d->problems)
		return;
	struct strbuf b = STRBUF_INIT;
	path_put(&(struct frame){.parent = at, .name = v->key}, true, &b);
	problem_add(d->problems, strbuf_cstr(&b), v->offset, true);
	strbuf_release(&b);
}

/* ---- errors ---- */

static void go_type_put(const struct schema_field *f, bool is_element, char *out, size_t size)
{
	static const char *const names[] = {"string", "bool", "int32", "int64", "float64", "[]uint8",
	        "resource.Quantity", "intstr.IntOrString", "v1.Time", "v1.MicroTime", "v1.Duration",
	        "runtime.RawExtension", "v1.FieldsV1", "interface {}", ""};
	const char *prefix = is_element || f->container == SCHEMA_SINGLE ? ""
	                     : f->container == SCHEMA_LIST               ? "[]"
	                                                                 : "map[string]";
	if (f->kind != SCHEMA_REF) {
		snprintf(out, size, "%s%s", prefix, names[f->kind]);
		return;
	}
	const char *end = strrchr(f->ref->name, '.');
	const char *version = end;
	while (version > f->ref->name && version[-1] != '.')
		version--;
	snprintf(out, size, "%s%.*s.%s", prefix, (int)(end - version), version, f->ref->go_name);
}

static int wrong_type(struct decoder *d, const struct frame *at, const struct schema_type *owner,
        const struct schema_field *f, bool is_element, const struct json *v)
{
	if (d->lenient)
		return 0;
	char want[160];
	go_type_put(f, is_element, want, sizeof(want));
	const char *got = v->type == JSON_BOOL ? "bool" : json_type_name(v->type);
	bool is_number = v->type == JSON_NUMBER && f->kind >= SCHEMA_INT32 && f->kind <= SCHEMA_DOUBLE &&
	                 (is_element || f->container == SCHEMA_SINGLE);
	struct strbuf b = STRBUF_INIT;
	path_put(at, false, &b);
	int rc = err_set(d->err, ERR_INVAL, "json: cannot unmarshal %s%s%.*s into Go struct field %s.%s of type %s",
	        got, is_number ? " " : "", is_number ? (int)v->text.len : 0, is_number ? v->text.ptr : "",
	        owner->go_name, strbuf_cstr(&b), want);
	strbuf_release(&b);
	return rc;
}

static int bad_value(struct decoder *d, const struct frame *at)
{
	struct strbuf b = STRBUF_INIT;
	path_put(at, true, &b);
	int rc = err_wrap(d->err, "%s", strbuf_cstr(&b));
	strbuf_release(&b);
	return rc;
}

/* ---- scalars ---- */

/* A JSON number as Go takes it for an integer: digits only, in range. */
static bool is_integer(const struct json *v, int64_t min, int64_t max)
{
	int64_t n;
	return slice_to_i64(v->text, &n) && n >= min && n <= max;
}

static int decode_quantity(struct decoder *d, const struct frame *at, struct json *v)
{
	struct quantity q;
	if (quantity_parse(slice_trim(v->text), &q, d->err) != 0)
		return d->lenient ? 0 : bad_value(d, at);
	char out[QUANTITY_TEXT_MAX];
	size_t n = quantity_format(&q, out);
	v->type = JSON_STRING;
	if (!slice_eq(v->text, (struct slice){out, n}))
		v->text = (struct slice){arena_memdup(d->arena, out, n), n};
	return 0;
}

static int decode_time(struct decoder *d, const struct frame *at, struct json *v, bool is_micro)
{
	int64_t seconds;
	int32_t nanos;
	if (scalar_time_parse(v->text, &seconds, &nanos, d->err) != 0)
		return d->lenient ? 0 : bad_value(d, at);
	char out[SCALAR_TIME_MAX];
	if (scalar_time_format(seconds, nanos, is_micro, out) && !slice_is(v->text, out))
		v->text = slice_of(arena_strdup(d->arena, out));
	return 0;
}

static int decode_bytes(struct decoder *d, const struct frame *at, struct json *v)
{
	struct slice bytes;
	if (d->lenient || base64_decode(d->arena, v->text, &bytes))
		return 0;
	err_set(d->err, ERR_INVAL, "illegal base64 data");
	return bad_value(d, at);
}

/* One value that is no list, map or struct. `owner` and `f` are for messages. */
static int decode_scalar(struct decoder *d, const struct frame *at, const struct schema_type *owner,
        const struct schema_field *f, bool is_element, struct json *v)
{
	bool ok = true;
	switch ((enum schema_kind)f->kind) {
	case SCHEMA_STRING:
		ok = v->type == JSON_STRING;
		break;
	case SCHEMA_BOOL:
		ok = v->type == JSON_BOOL;
		break;
	case SCHEMA_INT32:
		ok = v->type == JSON_NUMBER && is_integer(v, INT32_MIN, INT32_MAX);
		break;
	case SCHEMA_INT64:
		ok = v->type == JSON_NUMBER && is_integer(v, INT64_MIN, INT64_MAX);
		break;
	case SCHEMA_DOUBLE:
		ok = v->type == JSON_NUMBER;
		break;
	case SCHEMA_BYTES:
		if (v->type == JSON_STRING)
			return decode_bytes(d, at, v);
		ok = false;
		break;
	case SCHEMA_QUANTITY:
		if (v->type == JSON_STRING || v->type == JSON_NUMBER)
			return decode_quantity(d, at, v);
		ok = false;
		break;
	case SCHEMA_INT_OR_STRING:
		ok = v->type == JSON_STRING || (v->type == JSON_NUMBER && is_integer(v, INT32_MIN, INT32_MAX));
		break;
	case SCHEMA_TIME:
	case SCHEMA_MICRO_TIME:
		if (v->type == JSON_STRING)
			return decode_time(d, at, v, f->kind == SCHEMA_MICRO_TIME);
		ok = false;
		break;
	case SCHEMA_DURATION:
		ok = v->type == JSON_STRING;
		break;
	case SCHEMA_RAW:
	case SCHEMA_FIELDS_V1:
	case SCHEMA_ANY:
	case SCHEMA_REF:
		break;
	}
	return ok ? 0 : wrong_type(d, at, owner, f, is_element, v);
}

/* ---- values ---- */

/* What Go has for a null element of a list or map. */
static void zero_element(struct json *v, const struct schema_field *f)
{
	switch ((enum schema_kind)f->kind) {
	case SCHEMA_STRING:
	case SCHEMA_BYTES:
		v->type = JSON_STRING;
		v->text = SLICE("");
		break;
	case SCHEMA_BOOL:
		v->type = JSON_BOOL;
		v->boolean = false;
		break;
	case SCHEMA_INT32:
	case SCHEMA_INT64:
	case SCHEMA_DOUBLE:
	case SCHEMA_INT_OR_STRING:
		v->type = JSON_NUMBER;
		v->text = SLICE("0");
		break;
	case SCHEMA_QUANTITY:
		v->type = JSON_STRING;
		v->text = SLICE("0");
		break;
	case SCHEMA_REF:
		v->type = f->ref->flags & SCHEMA_TYPE_LIST_WRAPPER ? JSON_NULL : JSON_OBJECT;
		break;
	default:
		break;
	}
}

static int decode_strings(struct decoder *d, const struct frame *at, const struct schema_type *owner,
        const struct schema_field *f, struct json *v)
{
	unsigned i = 0;
	JSON_FOREACH (it, v) {
		struct frame here = {.parent = at, .index = i++, .is_element = true};
		if (it->type == JSON_NULL)
			zero_element(it, &(struct schema_field){.kind = SCHEMA_STRING});
		else if (it->type != JSON_STRING)
			return wrong_type(d, &here, owner,
			        &(struct schema_field){.kind = SCHEMA_STRING, .name = f->name}, true, it);
	}
	return 0;
}

/* "schema or something else": see SCHEMA_TYPE_UNION. */
static int decode_union(struct decoder *d, const struct frame *at, const struct schema_type *owner,
        const struct schema_field *f, bool is_element, struct json *v)
{
	const struct schema_field *schema = schema_field_find(f->ref, SLICE("schema"));
	if (v->type == JSON_OBJECT)
		return decode_struct(d, at, v, schema->ref);
	const struct schema_field *other = &f->ref->fields[schema == &f->ref->fields[0] ? 1 : 0];
	if (other->container == SCHEMA_SINGLE)
		return v->type == JSON_BOOL ? 0 : wrong_type(d, at, owner, f, is_element, v);
	if (v->type != JSON_ARRAY)
		return wrong_type(d, at, owner, f, is_element, v);
	if (other->kind == SCHEMA_STRING)
		return decode_strings(d, at, owner, f, v);
	unsigned i = 0;
	JSON_FOREACH (it, v) {
		struct frame here = {.parent = at, .index = i++, .is_element = true};
		int rc = it->type == JSON_OBJECT ? decode_struct(d, &here, it, other->ref)
		                                 : wrong_type(d, &here, owner, other, true, it);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* metadata of a custom resource: a built-in type inside one that is not, with the rules of built-in types. */
static int decode_metadata(struct decoder *d, const struct frame *at, const struct schema_type *owner,
        const struct schema_field *f, struct json *v)
{
	struct decoder strict = *d;
	strict.lenient = d->is_normalising;
	strict.keep_shape = false;
	if (v->type != JSON_OBJECT)
		return wrong_type(&strict, at, owner, f, false, v);
	return decode_struct(&strict, at, v, f->ref);
}

static int decode_one(struct decoder *d, const struct frame *at, const struct schema_type *owner,
        const struct schema_field *f, bool is_element, struct json *v)
{
	if (f->kind != SCHEMA_REF)
		return decode_scalar(d, at, owner, f, is_element, v);
	if (f->flags & SCHEMA_EMBEDDED_OBJECT && !(f->ref->flags & SCHEMA_TYPE_HAS_TYPE_META))
		return decode_metadata(d, at, owner, f, v);
	if (f->ref->flags & SCHEMA_TYPE_INNER)
		return decode_value(d, at, f->ref, &f->ref->fields[0], v);
	if (f->ref->flags & SCHEMA_TYPE_UNION)
		return decode_union(d, at, owner, f, is_element, v);
	if (f->ref->flags & SCHEMA_TYPE_LIST_WRAPPER) {
		if (v->type != JSON_ARRAY)
			return wrong_type(d, at, owner, f, is_element, v);
		return decode_strings(d, at, owner, f, v);
	}
	if (v->type != JSON_OBJECT)
		return wrong_type(d, at, owner, f, is_element, v);
	return decode_struct(d, at, v, f->ref);
}

static int decode_value(struct decoder *d, const struct frame *at, const struct schema_type *owner,
        const struct schema_field *f, struct json *v)
{
	if (f->container == SCHEMA_SINGLE)
		return decode_one(d, at, owner, f, false, v);
	enum json_type want = f->container == SCHEMA_LIST ? JSON_ARRAY : JSON_OBJECT;
	if (v->type != want)
		return wrong_type(d, at, owner, f, false, v);
	unsigned i = 0;
	JSON_FOREACH (it, v) {
		struct frame here = {
		        .parent = at, .name = it->key, .index = i++, .is_element = f->container == SCHEMA_LIST};
		if (it->type == JSON_NULL && !d->keep_shape)
			zero_element(it, f);
		if (it->type == JSON_NULL)
			continue;
		int rc = decode_one(d, &here, owner, f, true, it);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* ---- what Go writes ---- */

/* Whether Go's omitempty drops the value. */
static bool is_empty(const struct schema_field *f, const struct json *v)
{
	if (f->container != SCHEMA_SINGLE)
		return (v->type == JSON_ARRAY || v->type == JSON_OBJECT) && v->count == 0;
	if (f->flags & SCHEMA_POINTER)
		return false;
	switch ((enum schema_kind)f->kind) {
	case SCHEMA_STRING:
	case SCHEMA_BYTES:
		return v->type == JSON_STRING && v->text.len == 0;
	case SCHEMA_BOOL:
		return v->type == JSON_BOOL && !v->boolean;
	case SCHEMA_INT32:
	case SCHEMA_INT64:
		return v->type == JSON_NUMBER && (slice_is(v->text, "0") || slice_is(v->text, "-0"));
	default:
		return false;
	}
}

/* What Go writes for a field that is absent; NULL: nothing. Times and int-or-strings that may be left out are: clients
 * take an absent one for zero, and defaulting must be able to tell. */
static struct json *absent_value(struct decoder *d, const struct schema_field *f)
{
	bool is_plain = f->container == SCHEMA_SINGLE && !(f->flags & SCHEMA_POINTER);
	if (is_plain && f->kind == SCHEMA_REF && !(f->ref->flags & (SCHEMA_TYPE_LIST_WRAPPER | SCHEMA_TYPE_UNION)))
		return json_new(d->arena, JSON_OBJECT);
	if (is_plain && f->kind == SCHEMA_QUANTITY)
		return json_new_cstr(d->arena, "0");
	if (f->flags & SCHEMA_OMITEMPTY)
		return NULL;
	struct json *v = json_new(d->arena, JSON_NULL);
	if (is_plain && f->kind != SCHEMA_REF && f->kind != SCHEMA_BYTES)
		zero_element(v, f);
	return v;
}

static void link_member(struct json *obj, struct json *v)
{
	v->next = NULL;
	json_append(obj, v);
}

/* Decodes one member's value; *keep says whether it stays. */
static int decode_member(struct decoder *d, const struct frame *at, const struct schema_type *type,
        const struct schema_field *f, struct json *v, bool *keep)
{
	struct frame here = {.parent = at, .name = slice_of(f->name)};
	*keep = v->type != JSON_NULL || d->keep_shape || f->flags & SCHEMA_NULLABLE;
	if (v->type == JSON_NULL)
		return 0;
	int rc = decode_value(d, &here, type, f, v);
	if (rc == 0 && !d->keep_shape && f->flags & SCHEMA_OMITEMPTY)
		*keep = !is_empty(f, v);
	return rc;
}

static int decode_kept(struct decoder *d, const struct frame *at, struct json *obj, const struct schema_type *type)
{
	struct json *next = obj->first;
	obj->first = obj->last = NULL;
	obj->count = 0;
	while (next) {
		struct json *v = next;
		next = v->next;
		const struct schema_field *f = schema_field_find(type, v->key);
		bool keep = f || type->flags & SCHEMA_TYPE_PRESERVE_UNKNOWN;
		if (!keep)
			note_unknown(d, at, v);
		int rc = f ? decode_member(d, at, type, f, v, &keep) : 0;
		if (rc != 0)
			return rc;
		if (keep)
			link_member(obj, v);
	}
	return 0;
}

static int decode_struct(struct decoder *d, const struct frame *at, struct json *obj, const struct schema_type *type)
{
	if (d->keep_shape || type->flags & SCHEMA_TYPE_PRESERVE_UNKNOWN)
		return decode_kept(d, at, obj, type);
	struct json *few[SLOTS_MAX] = {NULL};
	struct json **slots =
	        type->field_count <= SLOTS_MAX ? few : ARENA_ARRAY(d->arena, struct json *, type->field_count);
	JSON_FOREACH (v, obj) {
		const struct schema_field *f = schema_field_find(type, v->key);
		if (f)
			slots[f - type->fields] = v;
		else
			note_unknown(d, at, v);
	}
	obj->first = obj->last = NULL;
	obj->count = 0;
	for (size_t i = 0; i < type->field_count; i++) {
		const struct schema_field *f = &type->fields[i];
		struct json *v = slots[i];
		bool keep = false;
		int rc = v ? decode_member(d, at, type, f, v, &keep) : 0;
		if (rc != 0)
			return rc;
		if (keep) {
			link_member(obj, v);
		} else if ((v = absent_value(d, f))) {
			v->key = slice_of(f->name);
			link_member(obj, v);
			if (v->type == JSON_OBJECT)
				decode_struct(d, at, v, f->ref);
		}
	}
	return 0;
}

int decode_object(struct arena *a, struct json *tree, const struct schema_type *type, unsigned flags,
        struct decode_problems *problems, struct err *err)
{
	struct err own = ERR_INIT;
	struct decoder d = {.arena = a,
	        .problems = problems,
	        .err = err ? err : &own,
	        .keep_shape = flags & DECODE_KEEP_SHAPE,
	        .lenient = flags & DECODE_LENIENT};
	if (type->flags & SCHEMA_TYPE_CUSTOM)
		d.lenient = d.keep_shape = true;
	if (!json_is(tree, JSON_OBJECT))
		return err_set(err, ERR_INVAL, "json: cannot unmarshal %s into Go value of type %s",
		        tree ? json_type_name(tree->type) : "nothing", type->go_name);
	return decode_struct(&d, NULL, tree, type);
}

void decode_normalise(struct arena *a, struct json *tree, const struct schema_type *type)
{
	struct err err = ERR_INIT;
	struct decoder d = {.arena = a, .err = &err, .lenient = true, .is_normalising = true};
	if (type->flags & SCHEMA_TYPE_CUSTOM)
		d.keep_shape = true;
	if (json_is(tree, JSON_OBJECT))
		decode_struct(&d, NULL, tree, type);
}

/* JSON to protobuf.
 *
 * An object is parsed into a small arena and written by its type's wire table, in order of field numbers; an inlined
 * struct is written as a message of its own out of the same object. Lists are walked with the scanner and their items
 * written one by one, so that a list of thousands never becomes one tree. Absent and null members are left out: Go
 * takes them for zero. */
#include "api/machinery/codec/transcode.h"
#include "api/machinery/schema/resources.h"
#include "api/machinery/codec/scalar.h"
#include "api/machinery/codec/wire.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/json/scan.h"

#include <stdio.h>
#include <stdlib.h>

struct writer {
	struct strbuf *out;
	struct arena *arena; /* for what must be rewritten on the way */
	struct err *err;
	int depth;
};

static int write_message(struct writer *w, const struct json *obj, const struct schema_type *type);

/* Forgets what a failed call wrote. */
static void take_back(struct strbuf *out, size_t len)
{
	out->len = len;
	if (out->data)
		out->data[len] = 0;
}

static int unfit(struct writer *w, const char *name, const struct json *v)
{
	return err_set(w->err, ERR_INVAL, "field \"%s\" is a JSON %s, which does not fit its protobuf type", name,
	        json_type_name(v->type));
}

/* ---- scalars that are messages ---- */

static int write_time(struct writer *w, const struct schema_field *f, uint32_t number, const struct json *v)
{
	int64_t seconds;
	int32_t nanos;
	if (v->type != JSON_STRING)
		return unfit(w, f->name, v);
	if (scalar_time_parse(v->text, &seconds, &nanos, w->err) != 0)
		return err_wrap(w->err, "field \"%s\"", f->name);
	size_t mark = wire_begin(w->out, number);
	wire_put_uint(w->out, 1, (uint64_t)seconds);
	wire_put_uint(w->out, 2, f->kind == SCHEMA_MICRO_TIME ? (uint64_t)nanos : 0);
	wire_end(w->out, mark);
	return 0;
}

static int write_int_or_string(struct writer *w, const struct schema_field *f, uint32_t number, const struct json *v)
{
	if (v->type != JSON_NUMBER && v->type != JSON_STRING)
		return unfit(w, f->name, v);
	bool is_string = v->type == JSON_STRING;
	size_t mark = wire_begin(w->out, number);
	wire_put_uint(w->out, 1, is_string);
	wire_put_uint(w->out, 2, is_string ? 0 : (uint64_t)json_int(v, 0));
	wire_put_bytes(w->out, 3, is_string ? v->text : SLICE(""));
	wire_end(w->out, mark);
	return 0;
}

static void write_raw(struct writer *w, uint32_t number, const struct json *v)
{
	size_t mark = wire_begin(w->out, number);
	size_t raw = wire_begin(w->out, 1);
	json_write(w->out, v);
	wire_end(w->out, raw);
	wire_end(w->out, mark);
}

static int write_double(struct writer *w, const struct schema_field *f, uint32_t number, const struct json *v)
{
	if (v->type != JSON_NUMBER || v->text.len > 60)
		return unfit(w, f->name, v);
	char text[64];
	snprintf(text, sizeof(text), "%.*s", SLICE_FMT(v->text));
	double d = strtod(text, NULL);
	uint64_t bits;
	memcpy(&bits, &d, sizeof(bits));
	char bytes[8];
	for (int i = 0; i < 8; i++)
		bytes[i] = (char)(bits >> (8 * i));
	wire_put_tag(w->out, number, WIRE_FIXED64);
	strbuf_add(w->out, bytes, 8);
	return 0;
}

/* ---- values ---- */

static int write_strings(struct writer *w, const char *name, uint32_t number, const struct json *v)
{
	if (v->type != JSON_ARRAY)
		return unfit(w, name, v);
	size_t mark = wire_begin(w->out, number);
	JSON_FOREACH (it, v) {
		if (it->type != JSON_STRING)
			return unfit(w, name, it);
		wire_put_bytes(w->out, 1, it->text);
	}
	wire_end(w->out, mark);
	return 0;
}

/* "schema or something else": puts the value back under the field it stands for. */
static int write_union(struct writer *w, const struct schema_type *type, uint32_t number, const struct json *v)
{
	const struct schema_field *other = &type->fields[strcmp(type->fields[0].name, "schema") == 0 ? 1 : 0];
	struct json *obj = json_new(w->arena, JSON_OBJECT);
	json_set(w->arena, obj, v->type == JSON_OBJECT ? "schema" : other->name, json_copy(w->arena, v));
	if (v->type == JSON_OBJECT && other->kind == SCHEMA_BOOL)
		json_set_bool(w->arena, obj, other->name, true); /* as upstream's decoder sets it */
	size_t mark = wire_begin(w->out, number);
	int rc = write_message(w, obj, type);
	wire_end(w->out, mark);
	return rc;
}

static int write_ref(struct writer *w, const struct schema_field *f, uint32_t number, const struct json *v)
{
	if (f->ref->flags & SCHEMA_TYPE_LIST_WRAPPER)
		return write_strings(w, f->name, number, v);
	if (f->ref->flags & SCHEMA_TYPE_UNION)
		return write_union(w, f->ref, number, v);
	if (v->type != JSON_OBJECT)
		return unfit(w, f->name, v);
	size_t mark = wire_begin(w->out, number);
	int rc = write_message(w, v, f->ref);
	wire_end(w->out, mark);
	return rc;
}

static int write_bytes(struct writer *w, const struct schema_field *f, uint32_t number, const struct json *v)
{
	struct slice bytes;
	if (v->type != JSON_STRING || !base64_decode(w->arena, v->text, &bytes))
		return unfit(w, f->name, v);
	wire_put_bytes(w->out, number, bytes);
	return 0;
}

static int write_quantity(struct writer *w, const struct schema_field *f, uint32_t number, const struct json *v)
{
	if (v->type != JSON_STRING && v->type != JSON_NUMBER)
		return unfit(w, f->name, v);
	size_t mark = wire_begin(w->out, number);
	wire_put_bytes(w->out, 1, v->text);
	wire_end(w->out, mark);
	return 0;
}

/* One value, no list, no map. */
static int write_value(struct writer *w, const struct schema_field *f, uint32_t number, const struct json *v)
{
	switch ((enum schema_kind)f->kind) {
	case SCHEMA_STRING:
	case SCHEMA_DURATION:
		if (v->type != JSON_STRING)
			return unfit(w, f->name, v);
		wire_put_bytes(w->out, number, v->text);
		return 0;
	case SCHEMA_BOOL:
		if (v->type != JSON_BOOL)
			return unfit(w, f->name, v);
		wire_put_uint(w->out, number, v->boolean);
		return 0;
	case SCHEMA_INT32:
	case SCHEMA_INT64:
		if (v->type != JSON_NUMBER)
			return unfit(w, f->name, v);
		wire_put_uint(w->out, number, (uint64_t)json_int(v, 0));
		return 0;
	case SCHEMA_DOUBLE:
		return write_double(w, f, number, v);
	case SCHEMA_BYTES:
		return write_bytes(w, f, number, v);
	case SCHEMA_QUANTITY:
		return write_quantity(w, f, number, v);
	case SCHEMA_INT_OR_STRING:
		return write_int_or_string(w, f, number, v);
	case SCHEMA_TIME:
	case SCHEMA_MICRO_TIME:
		return write_time(w, f, number, v);
	case SCHEMA_RAW:
	case SCHEMA_FIELDS_V1:
	case SCHEMA_ANY:
		write_raw(w, number, v);
		return 0;
	case SCHEMA_REF:
		return write_ref(w, f, number, v);
	}
	return 0;
}

static int write_map(struct writer *w, const struct schema_field *f, uint32_t number, const struct json *v)
{
	JSON_FOREACH (it, v) {
		size_t mark = wire_begin(w->out, number);
		wire_put_bytes(w->out, 1, it->key);
		int rc = it->type == JSON_NULL ? 0 : write_value(w, f, 2, it);
		if (rc != 0)
			return rc;
		wire_end(w->out, mark);
	}
	return 0;
}

/* A null element is a zero value, so that the others keep their places. */
static int write_null_element(struct writer *w, const struct schema_field *f, uint32_t number)
{
	if (f->kind == SCHEMA_BOOL || f->kind == SCHEMA_INT32 || f->kind == SCHEMA_INT64)
		wire_put_uint(w->out, number, 0);
	else
		wire_put_bytes(w->out, number, SLICE(""));
	return 0;
}

static int write_field(struct writer *w, const struct schema_field *f, uint32_t number, const struct json *v)
{
	if (f->container == SCHEMA_SINGLE)
		return write_value(w, f, number, v);
	if (v->type != (f->container == SCHEMA_LIST ? JSON_ARRAY : JSON_OBJECT))
		return unfit(w, f->name, v);
	if (f->container == SCHEMA_MAP)
		return write_map(w, f, number, v);
	JSON_FOREACH (it, v) {
		int rc = it->type == JSON_NULL ? write_null_element(w, f, number) : write_value(w, f, number, it);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int write_message(struct writer *w, const struct json *obj, const struct schema_type *type)
{
	if (++w->depth > TRANSCODE_DEPTH_MAX)
		return err_set(w->err, ERR_INVAL, "the object is nested too deep for protobuf");
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < type->wire_count; i++) {
		const struct schema_wire *wire = &type->wire[i];
		if (wire->inlined) {
			size_t mark = wire_begin(w->out, wire->number);
			rc = write_message(w, obj, wire->inlined);
			wire_end(w->out, mark);
			continue;
		}
		const struct json *v = json_get(obj, wire->field->name);
		if (v && v->type != JSON_NULL)
			rc = write_field(w, wire->field, wire->number, v);
	}
	w->depth--;
	return rc;
}

int transcode_message_encode(
        struct strbuf *out, const struct json *object, const struct schema_type *type, struct err *err)
{
	struct err own = ERR_INIT;
	struct arena a = ARENA_INIT;
	size_t before = out->len;
	struct writer w = {.out = out, .arena = &a, .err = err ? err : &own};
	int rc = write_message(&w, object, type);
	if (rc != 0)
		take_back(out, before);
	arena_release(&a);
	return rc;
}

/* ---- the envelope ---- */

static void envelope_begin(struct strbuf *out, struct slice api_version, struct slice kind, size_t *mark)
{
	strbuf_add(out, "k8s\0", 4);
	size_t meta = wire_begin(out, 1);
	wire_put_bytes(out, 1, api_version);
	wire_put_bytes(out, 2, kind);
	wire_end(out, meta);
	*mark = wire_begin(out, 2);
}

static void envelope_end(struct strbuf *out, size_t mark)
{
	wire_end(out, mark);
	wire_put_bytes(out, 3, SLICE(""));
	wire_put_bytes(out, 4, SLICE(""));
}

static int find_type(struct slice api_version, struct slice kind, const struct schema_type **out, struct err *err)
{
	const struct schema_type *t = resource_kind_type(api_version, kind);
	if (!t || (t->wire_count == 0 && t->field_count > 2))
		return err_set(err, ERR_NOT_ACCEPTABLE, "%.*s of %.*s has no protobuf form: ask for application/json",
		        SLICE_FMT(kind), SLICE_FMT(api_version));
	*out = t;
	return 0;
}

int transcode_tree_to_protobuf(struct strbuf *out, const struct json *object, struct err *err)
{
	const struct schema_type *type;
	struct slice api_version = json_get_str(object, "apiVersion");
	struct slice kind = json_get_str(object, "kind");
	int rc = find_type(api_version, kind, &type, err);
	if (rc != 0)
		return rc;
	size_t before = out->len;
	size_t mark;
	envelope_begin(out, api_version, kind, &mark);
	rc = transcode_message_encode(out, object, type, err);
	if (rc != 0)
		take_back(out, before);
	else
		envelope_end(out, mark);
	return rc;
}

/* The list field whose items are whole objects; NULL when the type is no list. */
static const struct schema_field *items_of(const struct schema_type *type)
{
	const struct schema_field *f = schema_field_find(type, SLICE("items"));
	bool is_list = f && f->container == SCHEMA_LIST && f->kind == SCHEMA_REF && f->number;
	return is_list && f->ref->flags & SCHEMA_TYPE_HAS_TYPE_META ? f : NULL;
}

/* One item's or member's text: parsed, written as one field, forgotten. */
static int write_span(
        struct strbuf *out, struct slice span, const struct schema_field *f, bool is_item, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct writer w = {.out = out, .arena = &a, .err = err};
	struct json *v = json_parse(&a, span, NULL, err);
	int rc = v ? 0 : err->code;
	if (v && v->type != JSON_NULL)
		rc = is_item ? write_value(&w, f, f->number, v) : write_field(&w, f, f->number, v);
	arena_release(&a);
	return rc;
}

static int write_list(struct strbuf *out, struct slice text, const struct schema_type *type,
        const struct schema_field *items, struct err *err)
{
	struct json_scan s;
	json_scan_init(&s, text);
	int rc = json_scan_next(&s) == JSON_TOKEN_OBJECT ? 0 : err_set(err, ERR_INVAL, "a list is not a JSON object");
	while (rc == 0 && json_scan_member(&s)) {
		const struct schema_field *f = schema_field_find(type, s.key);
		if (f == items && json_scan_next(&s) == JSON_TOKEN_ARRAY) {
			while (rc == 0 && json_scan_element(&s) && json_scan_skip(&s))
				rc = write_span(out, s.text, items, true, err);
		} else if (f != items && json_scan_skip(&s) && f && f->number) {
			rc = write_span(out, s.text, f, false, err);
		}
	}
	if (rc == 0 && s.error)
		rc = err_set(err, ERR_INVAL, "offset %zu: %s", json_scan_offset(&s), s.error);
	return rc;
}

int transcode_to_protobuf(struct strbuf *out, struct slice json_text, struct err *err)
{
	struct err own = ERR_INIT;
	err = err ? err : &own;
	struct slice api_version = json_find(json_text, "apiVersion", NULL);
	struct slice kind = json_find(json_text, "kind", NULL);
	const struct schema_type *type;
	int rc = find_type(api_version, kind, &type, err);
	if (rc != 0)
		return rc;
	const struct schema_field *items = items_of(type);
	size_t before = out->len;
	if (items) {
		size_t mark;
		envelope_begin(out, api_version, kind, &mark);
		rc = write_list(out, json_text, type, items, err);
		if (rc == 0)
			envelope_end(out, mark);
	} else {
		struct arena a = ARENA_INIT;
		struct json *v = json_parse(&a, json_text, NULL, err);
		rc = v ? transcode_tree_to_protobuf(out, v, err) : err->code;
		arena_release(&a);
	}
	if (rc != 0)
		take_back(out, before);
	return rc;
}

int transcode_watch_frame(struct strbuf *out, const char *event, struct slice object_json, struct err *err)
{
	size_t before = out->len;
	strbuf_add(out, "\0\0\0\0", 4);
	wire_put_bytes(out, 1, slice_of(event));
	size_t object = wire_begin(out, 2);
	size_t raw = wire_begin(out, 1);
	int rc = transcode_to_protobuf(out, object_json, err);
	if (rc != 0) {
		take_back(out, before);
		return rc;
	}
	wire_end(out, raw);
	wire_end(out, object);
	size_t len = out->len - before - 4;
	for (int i = 0; i < 4; i++)
		out->data[before + (size_t)i] = (char)(len >> (24 - 8 * i));
	return 0;
}

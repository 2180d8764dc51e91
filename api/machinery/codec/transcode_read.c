/* Protobuf to a JSON tree.
 *
 * A message is read field by field into the object it stands for; an inlined struct's message is read into its parent's
 * object. The tree is then brought to Go's JSON form by decode_object(), which also drops the zero values that Go's
 * encoder always sends. Bytes become base64, times RFC 3339, raw extensions the JSON they hold, or, when they hold an
 * enveloped object, that object's JSON.
 *
 * A message field that comes twice is merged, as protobuf asks for; a scalar's last value wins. */
#include "api/machinery/codec/transcode.h"
#include "api/machinery/codec/decode.h"
#include "api/machinery/codec/quantity.h"
#include "api/machinery/schema/resources.h"
#include "api/machinery/codec/scalar.h"
#include "api/machinery/codec/wire.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/mem/map.h"

#include <math.h>
#include <stdio.h>

#define MAGIC "k8s\0"

struct reader {
	struct arena *arena;
	struct err *err;
	int depth;
};

static int read_message(struct reader *r, struct slice bytes, const struct schema_type *type, struct json *obj);
static struct json *read_enveloped(
        struct reader *r, struct slice body, const struct schema_type *type, const struct schema_type **type_out);

bool transcode_is_protobuf(struct slice body)
{
	return body.len >= 4 && memcmp(body.ptr, MAGIC, 4) == 0;
}

/* ---- small messages that are scalars in JSON ---- */

struct small {
	uint64_t number[4]; /* by field number, 1 to 3 */
	struct slice bytes[4];
	bool seen[4];
};

static int read_small(struct reader *r, struct slice bytes, struct small *out)
{
	*out = (struct small){0};
	struct wire_field w;
	int rc;
	while ((rc = wire_next(&bytes, &w, r->err)) > 0) {
		if (w.number > 3)
			continue;
		out->number[w.number] = w.value;
		out->bytes[w.number] = w.bytes;
		out->seen[w.number] = true;
	}
	return rc;
}

static struct json *read_time(struct reader *r, const struct small *s, bool is_empty, bool is_micro)
{
	char text[SCALAR_TIME_MAX];
	int64_t seconds = (int64_t)s->number[1];
	/* An empty message is Go's zero time, which is null in JSON; one that says zero seconds is 1970. */
	if (is_empty || seconds == SCALAR_TIME_ZERO)
		return json_new(r->arena, JSON_NULL);
	if (!scalar_time_format(seconds, (int32_t)s->number[2], is_micro, text)) {
		err_set(r->err, ERR_INVAL, "protobuf: time %lld is out of range", (long long)seconds);
		return NULL;
	}
	return json_new_cstr(r->arena, text);
}

static struct json *new_text(struct reader *r, struct slice s)
{
	return json_new_str(r->arena, s.ptr ? s : SLICE(""));
}

/* RawExtension: JSON text, or an enveloped object. */
static struct json *read_raw(struct reader *r, struct slice raw)
{
	if (raw.len == 0)
		return json_new(r->arena, JSON_NULL);
	if (!transcode_is_protobuf(raw))
		return json_parse(r->arena, raw, NULL, r->err);
	return read_enveloped(r, raw, NULL, NULL);
}

static struct json *read_small_value(struct reader *r, const struct schema_field *f, struct slice bytes)
{
	struct small s;
	if (read_small(r, bytes, &s) != 0)
		return NULL;
	switch ((enum schema_kind)f->kind) {
	case SCHEMA_QUANTITY:
		return s.bytes[1].len ? new_text(r, s.bytes[1]) : json_new_cstr(r->arena, "0");
	case SCHEMA_INT_OR_STRING:
		return s.number[1] ? new_text(r, s.bytes[3]) : json_new_int(r->arena, (int32_t)s.number[2]);
	case SCHEMA_TIME:
	case SCHEMA_MICRO_TIME:
		return read_time(r, &s, bytes.len == 0, f->kind == SCHEMA_MICRO_TIME);
	default:
		return read_raw(r, s.bytes[1]);
	}
}

/* ---- values ---- */

static bool is_varint_kind(int kind)
{
	return kind == SCHEMA_BOOL || kind == SCHEMA_INT32 || kind == SCHEMA_INT64;
}

static struct json *read_number(struct reader *r, const struct schema_field *f, uint64_t v)
{
	if (f->kind == SCHEMA_BOOL)
		return json_new_bool(r->arena, v != 0);
	return json_new_int(r->arena, f->kind == SCHEMA_INT32 ? (int32_t)v : (int64_t)v);
}

static struct json *read_double(struct reader *r, uint64_t bits)
{
	double v;
	memcpy(&v, &bits, sizeof(v));
	char text[40];
	if (!isfinite(v)) {
		err_set(r->err, ERR_INVAL, "protobuf: a number is not finite");
		return NULL;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		double back;
		if (sscanf(text, "%lf", &back) == 1 && back == v)
			break;
	}
	return json_new_number(r->arena, slice_of(text));
}

static struct json *read_strings(struct reader *r, struct slice bytes, struct json *array)
{
	struct wire_field w;
	int rc;
	while ((rc = wire_next(&bytes, &w, r->err)) > 0)
		if (w.number == 1 && w.type == WIRE_BYTES)
			json_append(array, new_text(r, w.bytes));
	return rc == 0 ? array : NULL;
}

/* JSONSchemaPropsOr...: the field "schema" is the object itself, the other one is the boolean or the list. */
static struct json *read_union(struct reader *r, const struct schema_type *type, struct slice bytes)
{
	struct json *obj = json_new(r->arena, JSON_OBJECT);
	if (read_message(r, bytes, type, obj) != 0)
		return NULL;
	struct json *v = json_get(obj, "schema");
	if (v) {
		json_remove(obj, v);
		return v;
	}
	const struct schema_field *other = &type->fields[strcmp(type->fields[0].name, "schema") == 0 ? 1 : 0];
	v = json_get(obj, other->name);
	if (v) {
		json_remove(obj, v);
		return v;
	}
	return other->container == SCHEMA_SINGLE ? json_new_bool(r->arena, false) : json_new(r->arena, JSON_ARRAY);
}

/* A value of a length-delimited field; `into` is the object an earlier occurrence made, or NULL. */
static struct json *read_bytes(struct reader *r, const struct schema_field *f, struct slice bytes, struct json *into)
{
	switch ((enum schema_kind)f->kind) {
	case SCHEMA_STRING:
	case SCHEMA_DURATION:
		return new_text(r, bytes);
	case SCHEMA_BYTES:
		return json_new_str(r->arena, base64_encode(r->arena, bytes));
	case SCHEMA_REF:
		break;
	default:
		return read_small_value(r, f, bytes);
	}
	if (f->ref->flags & SCHEMA_TYPE_LIST_WRAPPER)
		return read_strings(r, bytes, json_new(r->arena, JSON_ARRAY));
	if (f->ref->flags & SCHEMA_TYPE_UNION)
		return read_union(r, f->ref, bytes);
	struct json *obj = json_is(into, JSON_OBJECT) ? into : json_new(r->arena, JSON_OBJECT);
	return read_message(r, bytes, f->ref, obj) == 0 ? obj : NULL;
}

static struct json *read_value(
        struct reader *r, const struct schema_field *f, const struct wire_field *w, struct json *into)
{
	if (is_varint_kind(f->kind) && w->type != WIRE_BYTES)
		return read_number(r, f, w->value);
	if (f->kind == SCHEMA_DOUBLE && w->type == WIRE_FIXED64)
		return read_double(r, w->value);
	if (w->type == WIRE_BYTES && !is_varint_kind(f->kind) && f->kind != SCHEMA_DOUBLE)
		return read_bytes(r, f, w->bytes, into);
	err_set(r->err, ERR_INVAL, "protobuf: field \"%s\" has wire type %d", f->name, (int)w->type);
	return NULL;
}

/* Several numbers in one field (packed), which any reader must take. */
static int read_packed(struct reader *r, const struct schema_field *f, struct slice bytes, struct json *array)
{
	while (bytes.len) {
		/* a packed number is a varint without tag: borrow wire_next() by looking at it as field 1 */
		uint64_t v = 0;
		unsigned shift = 0;
		uint8_t b;
		do {
			if (bytes.len == 0 || shift > 63)
				return err_set(r->err, ERR_INVAL, "protobuf: field \"%s\" ends too early", f->name);
			b = (uint8_t)*bytes.ptr++;
			bytes.len--;
			v |= (uint64_t)(b & 0x7f) << shift;
			shift += 7;
		} while (b & 0x80);
		json_append(array, read_number(r, f, v));
	}
	return 0;
}

/* A map's entry is a message {key = 1, value = 2}. */
static int read_entry(struct reader *r, const struct schema_field *f, struct slice bytes, struct json *map)
{
	struct slice key = SLICE("");
	struct wire_field w, value = {.type = is_varint_kind(f->kind) ? WIRE_VARINT : WIRE_BYTES};
	int rc;
	while ((rc = wire_next(&bytes, &w, r->err)) > 0) {
		if (w.number == 1 && w.type == WIRE_BYTES)
			key = w.bytes;
		else if (w.number == 2)
			value = w;
	}
	if (rc != 0)
		return rc;
	struct json *v = read_value(r, f, &value, NULL);
	if (!v)
		return r->err->code;
	v->key = (struct slice){arena_memdup(r->arena, key.ptr, key.len), key.len};
	json_append(map, v);
	return 0;
}

/* Entries were appended unseen, as looking for each key would take quadratic time: of equal keys the last one stays. */
static void drop_repeated_keys(struct json *map)
{
	struct map seen = MAP_INIT;
	JSON_FOREACH (it, map) {
		struct json *before = map_put(&seen, it->key, it);
		if (before)
			json_remove(map, before);
	}
	map_release(&seen);
}

static int read_field(struct reader *r, const struct schema_field *f, const struct wire_field *w, struct json *obj)
{
	if (f->container == SCHEMA_MAP) {
		if (w->type != WIRE_BYTES)
			return err_set(
			        r->err, ERR_INVAL, "protobuf: field \"%s\" has wire type %d", f->name, (int)w->type);
		return read_entry(r, f, w->bytes, json_need(r->arena, obj, f->name, JSON_OBJECT));
	}
	if (f->container == SCHEMA_LIST && is_varint_kind(f->kind) && w->type == WIRE_BYTES)
		return read_packed(r, f, w->bytes, json_need(r->arena, obj, f->name, JSON_ARRAY));
	struct json *v = read_value(r, f, w, f->container == SCHEMA_SINGLE ? json_get(obj, f->name) : NULL);
	if (!v)
		return r->err->code;
	if (f->container == SCHEMA_LIST)
		json_append(json_need(r->arena, obj, f->name, JSON_ARRAY), v);
	else if (v != json_get(obj, f->name))
		json_set(r->arena, obj, f->name, v);
	return 0;
}

static int read_message(struct reader *r, struct slice bytes, const struct schema_type *type, struct json *obj)
{
	if (++r->depth > TRANSCODE_DEPTH_MAX)
		return err_set(r->err, ERR_INVAL, "protobuf: messages are nested too deep");
	struct wire_field w;
	int rc;
	while ((rc = wire_next(&bytes, &w, r->err)) > 0) {
		const struct schema_wire *known = schema_wire_find(type, w.number);
		if (!known)
			continue;
		if (known->field)
			rc = read_field(r, known->field, &w, obj);
		else if (w.type == WIRE_BYTES)
			rc = read_message(r, w.bytes, known->inlined, obj);
		else
			rc = err_set(r->err, ERR_INVAL, "protobuf: field %u has wire type %d", w.number, (int)w.type);
		if (rc != 0)
			break;
	}
	for (size_t i = 0; rc == 0 && i < type->wire_count; i++)
		if (type->wire[i].field && type->wire[i].field->container == SCHEMA_MAP) {
			struct json *map = json_get(obj, type->wire[i].field->name);
			if (map && map->count > 1)
				drop_repeated_keys(map);
		}
	r->depth--;
	return rc;
}

/* ---- whole messages ---- */

struct json *transcode_message_decode(
        struct arena *a, struct slice bytes, const struct schema_type *type, struct err *err)
{
	struct err own = ERR_INIT;
	struct reader r = {.arena = a, .err = err ? err : &own};
	struct json *obj = json_new(a, JSON_OBJECT);
	if (read_message(&r, bytes, type, obj) != 0 || decode_object(a, obj, type, 0, NULL, r.err) != 0)
		return NULL;
	return obj;
}

/* runtime.Unknown {typeMeta = 1 {apiVersion = 1, kind = 2}, raw = 2, contentEncoding = 3, contentType = 4}. */
struct envelope {
	struct slice api_version;
	struct slice kind;
	struct slice raw;
	struct slice encoding;
	struct slice content_type;
};

static int read_envelope(struct slice body, struct envelope *out, struct err *err)
{
	if (!transcode_is_protobuf(body))
		return err_set(
		        err, ERR_INVAL, "the body is not Kubernetes protobuf: it does not begin with \"k8s\\0\"");
	struct slice rest = {body.ptr + 4, body.len - 4};
	struct wire_field w;
	struct slice meta = SLICE_NULL;
	*out = (struct envelope){.raw = SLICE("")};
	int rc;
	while ((rc = wire_next(&rest, &w, err)) > 0) {
		struct slice *const known[] = {NULL, &meta, &out->raw, &out->encoding, &out->content_type};
		if (w.number < COUNT_OF(known) && w.type == WIRE_BYTES)
			*known[w.number] = w.bytes;
	}
	while (rc == 0 && (rc = wire_next(&meta, &w, err)) > 0) {
		if (w.type == WIRE_BYTES && w.number <= 2)
			*(w.number == 1 ? &out->api_version : &out->kind) = w.bytes;
		rc = 0;
	}
	return rc;
}

static struct json *named(struct reader *r, const char *key, struct slice text)
{
	struct json *v = new_text(r, text);
	v->key = slice_of(key);
	return v;
}

static struct json *read_enveloped(
        struct reader *r, struct slice body, const struct schema_type *type, const struct schema_type **type_out)
{
	struct envelope e;
	if (read_envelope(body, &e, r->err) != 0)
		return NULL;
	if (e.encoding.len) {
		err_set(r->err, ERR_INVAL, "protobuf: content encoding \"%.*s\" is not supported",
		        SLICE_FMT(e.encoding));
		return NULL;
	}
	if (!type)
		type = resource_kind_type(e.api_version, e.kind);
	if (!type) {
		err_set(r->err, ERR_INVAL, "no kind \"%.*s\" is registered for version \"%.*s\"", SLICE_FMT(e.kind),
		        SLICE_FMT(e.api_version));
		return NULL;
	}
	struct json *obj = json_new(r->arena, JSON_OBJECT);
	if (read_message(r, e.raw, type, obj) != 0)
		return NULL;
	/* in front, as Go writes them */
	json_del(obj, "kind");
	json_del(obj, "apiVersion");
	json_insert(obj, 0, named(r, "apiVersion", e.api_version));
	json_insert(obj, 0, named(r, "kind", e.kind));
	if (type_out)
		*type_out = type;
	return obj;
}

struct json *transcode_from_protobuf(struct arena *a, struct slice body, const struct schema_type *type,
        const struct schema_type **type_out, struct err *err)
{
	struct err own = ERR_INIT;
	struct reader r = {.arena = a, .err = err ? err : &own};
	const struct schema_type *found = NULL;
	struct json *obj = read_enveloped(&r, body, type, &found);
	if (!obj || decode_object(a, obj, found, 0, NULL, r.err) != 0)
		return NULL;
	if (type_out)
		*type_out = found;
	return obj;
}

/* JSON for protobuf messages, in both directions by the tables that protobuf-c makes of a .proto file. See json.h.
 *
 * Nothing here knows a message of etcd's: a field's type and label say how it is written, its offset where it lies. A
 * member of a oneof shares its place with the others; the field's quantifier then holds which of them is set. Depth is
 * bounded by the JSON parser's limit, which is also why reading may recurse.
 *
 * What can go wrong: text that is no JSON, a value that does not fit its field (both ERR_INVAL with the field's name).
 */
#include "store/proto/json.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/json/json.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- writing ---- */

static const void *at(const ProtobufCMessage *m, unsigned offset)
{
	return (const char *)m + offset;
}

static void write_bytes(struct strbuf *out, const ProtobufCBinaryData *b)
{
	struct arena a = ARENA_INIT;
	strbuf_addc(out, '"');
	strbuf_add_slice(out, base64_encode(&a, (struct slice){(const char *)b->data, b->len}));
	strbuf_addc(out, '"');
	arena_release(&a);
}

static void write_enum(struct strbuf *out, const ProtobufCEnumDescriptor *e, int value)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(e, value);
	if (v)
		json_write_str(out, slice_of(v->name));
	else
		strbuf_add_i64(out, value);
}

static void write_value(struct strbuf *out, const ProtobufCFieldDescriptor *f, const void *p)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		strbuf_addf(out, "\"%" PRId64 "\"", *(const int64_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		strbuf_addf(out, "\"%" PRIu64 "\"", *(const uint64_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		strbuf_add_u64(out, *(const uint32_t *)p);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		write_enum(out, f->descriptor, *(const int *)p);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		strbuf_adds(out, *(const protobuf_c_boolean *)p ? "true" : "false");
		break;
	case PROTOBUF_C_TYPE_STRING:
		json_write_str(out, slice_of(*(char *const *)p));
		break;
	case PROTOBUF_C_TYPE_BYTES:
		write_bytes(out, p);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		etcd_json_write(out, *(ProtobufCMessage *const *)p);
		break;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		strbuf_add_i64(out, *(const int32_t *)p);
		break;
	default:
		CHECK(!"floating point is in no message of etcd's");
	}
}

static size_t element_bytes(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
}

static bool is_default(const ProtobufCFieldDescriptor *f, const void *p)
{
	static const char zeros[8];
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		return !*(char *const *)p || !**(char *const *)p;
	case PROTOBUF_C_TYPE_MESSAGE:
		return !*(ProtobufCMessage *const *)p;
	case PROTOBUF_C_TYPE_BYTES:
		return ((const ProtobufCBinaryData *)p)->len == 0;
	default:
		return memcmp(p, zeros, element_bytes(f)) == 0;
	}
}

static bool is_present(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)at(m, f->quantifier_offset) == f->id;
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)at(m, f->quantifier_offset) > 0;
	return !is_default(f, at(m, f->offset));
}

static void write_repeated(struct strbuf *out, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	size_t n = *(const size_t *)at(m, f->quantifier_offset);
	const char *list = *(const char *const *)at(m, f->offset);
	for (size_t i = 0; i < n; i++) {
		strbuf_addc(out, i ? ',' : '[');
		write_value(out, f, list + i * element_bytes(f));
	}
	strbuf_addc(out, ']');
}

void etcd_json_write(struct strbuf *out, const ProtobufCMessage *m)
{
	char open = '{';
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		if (!is_present(m, f))
			continue;
		strbuf_addc(out, open);
		open = ',';
		json_write_str(out, slice_of(f->name));
		strbuf_addc(out, ':');
		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			write_repeated(out, m, f);
		else
			write_value(out, f, at(m, f->offset));
	}
	if (open == '{')
		strbuf_addc(out, '{');
	strbuf_addc(out, '}');
}

/* ---- reading ---- */

/* "rangeEnd" for range_end. */
static void add_camel(struct strbuf *out, const char *name)
{
	for (; *name; name++)
		if (*name == '_' && name[1] >= 'a' && name[1] <= 'z')
			strbuf_addc(out, (char)(*++name - 32));
		else
			strbuf_addc(out, *name);
}

static int unfit(const ProtobufCFieldDescriptor *f, const char *kind, const struct json *v, struct err *err)
{
	struct strbuf text = STRBUF_INIT, name = STRBUF_INIT;
	add_camel(&name, f->name);
	json_write(&text, v);
	err_set(err, ERR_INVAL, "proto: invalid value for %s field %s: %.200s", kind, strbuf_cstr(&name),
	        strbuf_cstr(&text));
	strbuf_release(&name);
	strbuf_release(&text);
	return ERR_INVAL;
}

/* A number as text: of a JSON number, also 3.0 and 3e2, or of a string with one in it. */
static bool number_of(const struct json *v, bool is_unsigned, int64_t *ret)
{
	uint64_t u;
	struct json n = *v;
	if (v->type != JSON_NUMBER && v->type != JSON_STRING)
		return false;
	if (is_unsigned && slice_to_u64(v->text, &u)) {
		*ret = (int64_t)u;
		return true;
	}
	if (slice_to_i64(v->text, ret))
		return !is_unsigned || *ret >= 0;
	n.type = JSON_NUMBER;
	*ret = v->type == JSON_NUMBER ? json_int(&n, INT64_MIN) : INT64_MIN;
	return *ret != INT64_MIN && (!is_unsigned || *ret >= 0);
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/* Either alphabet, with or without padding, and with stray bits at the end, as Go's decoder takes them. */
static bool read_bytes(struct arena *a, struct slice text, ProtobufCBinaryData *ret)
{
	uint8_t *bytes = arena_alloc(a, text.len * 3 / 4 + 1);
	unsigned bits = 0, word = 0;
	size_t n = 0;
	while (text.len && text.ptr[text.len - 1] == '=')
		text.len--;
	if (text.len % 4 == 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int digit = base64_digit(text.ptr[i]);
		if (digit < 0)
			return false;
		word = word << 6 | (unsigned)digit;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes[n++] = (uint8_t)(word >> bits);
		}
	}
	*ret = (ProtobufCBinaryData){n, bytes};
	return true;
}

/* False: an unknown name, which is skipped like an unknown field. */
static bool read_enum(const ProtobufCEnumDescriptor *e, const struct json *v, int *ret)
{
	char name[64];
	int64_t n;
	if (v->type == JSON_STRING && v->text.len < sizeof name) {
		memcpy(name, v->text.ptr, v->text.len);
		name[v->text.len] = 0;
		const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value_by_name(e, name);
		if (found)
			*ret = found->value;
		return found != NULL;
	}
	if (!number_of(v, false, &n) || n < INT32_MIN || n > INT32_MAX)
		return false;
	*ret = (int)n;
	return true;
}

static int read_message(struct arena *a, const ProtobufCMessageDescriptor *type, const struct json *v,
        ProtobufCMessage **ret, struct err *err);

static int read_text(struct arena *a, const ProtobufCFieldDescriptor *f, const struct json *v, void *p, struct err *err)
{
	if (f->type == PROTOBUF_C_TYPE_BYTES)
		return v->type == JSON_STRING && read_bytes(a, v->text, p) ? 0 : unfit(f, "bytes", v, err);
	if (v->type != JSON_STRING || memchr(v->text.ptr, 0, v->text.len))
		return unfit(f, "string", v, err);
	*(char **)p = arena_memdup(a, v->text.ptr, v->text.len);
	return 0;
}

static int read_value(
        struct arena *a, const ProtobufCFieldDescriptor *f, const struct json *v, void *p, struct err *err)
{
	int64_t n;
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		if (!number_of(v, f->type == PROTOBUF_C_TYPE_UINT64, &n))
			return unfit(f, f->type == PROTOBUF_C_TYPE_UINT64 ? "uint64" : "int64", v, err);
		*(int64_t *)p = n;
		return 0;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_UINT32:
		if (!number_of(v, false, &n) || n < (f->type == PROTOBUF_C_TYPE_INT32 ? INT32_MIN : 0) ||
		        n > (f->type == PROTOBUF_C_TYPE_INT32 ? INT32_MAX : (int64_t)UINT32_MAX))
			return unfit(f, f->type == PROTOBUF_C_TYPE_INT32 ? "int32" : "uint32", v, err);
		*(uint32_t *)p = (uint32_t)n;
		return 0;
	case PROTOBUF_C_TYPE_ENUM:
		if (!read_enum(f->descriptor, v, p) && v->type != JSON_STRING)
			return unfit(f, "enum", v, err);
		return 0;
	case PROTOBUF_C_TYPE_BOOL:
		if (v->type != JSON_BOOL)
			return unfit(f, "bool", v, err);
		*(protobuf_c_boolean *)p = v->boolean;
		return 0;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
		return read_text(a, f, v, p, err);
	case PROTOBUF_C_TYPE_MESSAGE:
		return read_message(a, f->descriptor, v, p, err);
	default:
		CHECK(!"a field type that no message of etcd's has");
	}
	return 0;
}

static int read_repeated(
        struct arena *a, const ProtobufCFieldDescriptor *f, const struct json *v, ProtobufCMessage *m, struct err *err)
{
	size_t n = 0;
	if (v->type != JSON_ARRAY)
		return unfit(f, "repeated", v, err);
	char *list = arena_zalloc(a, v->count * element_bytes(f) + 1);
	JSON_FOREACH (it, v) {
		int rc = read_value(a, f, it, list + n++ * element_bytes(f), err);
		if (rc != 0)
			return rc;
	}
	*(char **)((char *)m + f->offset) = list;
	*(size_t *)((char *)m + f->quantifier_offset) = n;
	return 0;
}

static bool is_camel(struct slice key, const char *name)
{
	struct strbuf camel = STRBUF_INIT;
	add_camel(&camel, name);
	bool same = slice_eq(key, strbuf_slice(&camel));
	strbuf_release(&camel);
	return same;
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *type, struct slice key)
{
	for (unsigned i = 0; i < type->n_fields; i++)
		if (slice_is(key, type->fields[i].name) || is_camel(key, type->fields[i].name))
			return &type->fields[i];
	return NULL;
}

static int read_message(struct arena *a, const ProtobufCMessageDescriptor *type, const struct json *v,
        ProtobufCMessage **ret, struct err *err)
{
	ProtobufCMessage *m = arena_zalloc(a, type->sizeof_message);
	if (v->type != JSON_OBJECT)
		return err_set(err, ERR_INVAL, "proto: syntax error: %s is an object", type->short_name);
	protobuf_c_message_init(type, m);
	JSON_FOREACH (it, v) {
		const ProtobufCFieldDescriptor *f = find_field(type, it->key);
		if (!f || it->type == JSON_NULL)
			continue;
		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
			uint32_t *which = (uint32_t *)((char *)m + f->quantifier_offset);
			if (*which)
				return err_set(
				        err, ERR_INVAL, "proto: error parsing \"%s\", oneof is already set", f->name);
			*which = f->id;
		}
		int rc = f->label == PROTOBUF_C_LABEL_REPEATED ? read_repeated(a, f, it, m, err)
		                                               : read_value(a, f, it, (char *)m + f->offset, err);
		if (rc != 0)
			return rc;
	}
	*ret = m;
	return 0;
}

int etcd_json_read(struct arena *a, const ProtobufCMessageDescriptor *type, struct slice text, ProtobufCMessage **ret,
        struct err *err)
{
	struct json *v = json_parse(a, text, NULL, err);
	return v ? read_message(a, type, v, ret, err) : err->code;
}

size_t etcd_json_first(struct slice text)
{
	int depth = 0;
	bool in_string = false, begun = false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (in_string) {
			i += c == '\\';
			in_string = c != '"';
		} else if (c == '"') {
			in_string = begun = true;
		} else if (c == '{' || c == '[') {
			depth++;
			begun = true;
		} else if (c == '}' || c == ']') {
			if (--depth <= 0)
				return i + 1;
		} else if (depth == 0 && begun) {
			return i;
		}
	}
	return 0;
}

/* Types: made, printed, compared, and read from declarations of functions.
 *
 * What fits where is the language's "gradual typing": dyn fits everywhere and takes everything; a parameter takes what
 * it met first, or what is more general. */
#include "base/cel/program_int.h"

#include "base/check.h"

enum { TYPE_TEXT_BYTES_MAX = 1000 };

const struct cel_type cel_type_dyn = {.kind = CEL_DYN, .size_max = CEL_SIZE_UNBOUND, .text_bytes_min = 1};
const struct cel_type cel_type_null = {.kind = CEL_NULL, .size_max = 1, .text_bytes_min = 4};
const struct cel_type cel_type_bool = {.kind = CEL_BOOL, .size_max = 1, .text_bytes_min = 4};
const struct cel_type cel_type_int = {.kind = CEL_INT, .size_max = 1, .text_bytes_min = 1};
const struct cel_type cel_type_uint = {.kind = CEL_UINT, .size_max = 1, .text_bytes_min = 1};
const struct cel_type cel_type_double = {.kind = CEL_DOUBLE, .size_max = 1, .text_bytes_min = 1};
const struct cel_type cel_type_string = {.kind = CEL_STRING, .size_max = CEL_SIZE_UNBOUND, .text_bytes_min = 2};
const struct cel_type cel_type_bytes = {.kind = CEL_BYTES, .size_max = CEL_SIZE_UNBOUND, .text_bytes_min = 2};
const struct cel_type cel_type_timestamp = {.kind = CEL_TIMESTAMP, .size_max = 1, .text_bytes_min = 21};
const struct cel_type cel_type_duration = {.kind = CEL_DURATION, .size_max = 1, .text_bytes_min = 3};

static const struct named_type {
	const char *name, *in_expressions; /* NULL: it has no name there */
	const struct cel_type *type;
} named[] = {
        {"dyn", "dyn", &cel_type_dyn},
        {"null", "null_type", &cel_type_null},
        {"bool", "bool", &cel_type_bool},
        {"int", "int", &cel_type_int},
        {"uint", "uint", &cel_type_uint},
        {"double", "double", &cel_type_double},
        {"string", "string", &cel_type_string},
        {"bytes", "bytes", &cel_type_bytes},
        {"timestamp", "google.protobuf.Timestamp", &cel_type_timestamp},
        {"duration", "google.protobuf.Duration", &cel_type_duration},
};

static const struct cel_type *make(
        struct arena *a, enum cel_kind kind, const struct cel_type *key, const struct cel_type *elem)
{
	struct cel_type *t = ARENA_NEW(a, struct cel_type);
	t->kind = kind;
	t->key = key;
	t->elem = elem;
	t->size_max = CEL_SIZE_UNBOUND;
	t->text_bytes_min = 2;
	return t;
}

const struct cel_type *cel_type_list(struct arena *a, const struct cel_type *elem)
{
	return make(a, CEL_LIST, NULL, elem);
}

const struct cel_type *cel_type_map(struct arena *a, const struct cel_type *key, const struct cel_type *elem)
{
	return make(a, CEL_MAP, key, elem);
}

const struct cel_type *cel_type_optional(struct arena *a, const struct cel_type *elem)
{
	return make(a, CEL_OPTIONAL, NULL, elem);
}

const struct cel_type *cel_type_of_types(struct arena *a, const struct cel_type *of)
{
	return make(a, CEL_TYPE, NULL, of);
}

/* ---- words ---- */

static const char *scalar_name(enum cel_kind kind)
{
	for (size_t i = 0; i < COUNT_OF(named); i++)
		if (named[i].type->kind == kind)
			return named[i].in_expressions;
	return "error";
}

static void write_type(struct strbuf *out, const struct cel_type *t, unsigned depth)
{
	if (depth > CEL_DEPTH_MAX || out->len > TYPE_TEXT_BYTES_MAX) {
		strbuf_adds(out, "...");
		return;
	}
	switch (t->kind) {
	case CEL_LIST:
	case CEL_OPTIONAL:
	case CEL_TYPE:
		strbuf_adds(out, t->kind == CEL_LIST ? "list(" : t->kind == CEL_TYPE ? "type(" : "optional_type(");
		write_type(out, t->elem, depth + 1);
		strbuf_addc(out, ')');
		break;
	case CEL_MAP:
		strbuf_adds(out, "map(");
		write_type(out, t->key, depth + 1);
		strbuf_adds(out, ", ");
		write_type(out, t->elem, depth + 1);
		strbuf_addc(out, ')');
		break;
	case CEL_OBJECT:
	case CEL_OPAQUE:
	case CEL_PARAM:
		strbuf_adds(out, t->name ? t->name : "object");
		break;
	default:
		strbuf_adds(out, t->kind == CEL_NULL ? "null" : scalar_name(t->kind));
		break;
	}
}

const char *cel_type_text(struct arena *a, const struct cel_type *t)
{
	struct strbuf b = STRBUF_INIT;
	write_type(&b, t, 0);
	const char *text = arena_memdup(a, b.data, b.len);
	strbuf_release(&b);
	return text;
}

const struct cel_type *cel_type_of_name(struct arena *a, struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(named); i++)
		if (slice_is(name, named[i].in_expressions))
			return named[i].type;
	if (slice_is(name, "list"))
		return cel_type_list(a, &cel_type_dyn);
	if (slice_is(name, "map"))
		return cel_type_map(a, &cel_type_dyn, &cel_type_dyn);
	if (slice_is(name, "type"))
		return cel_type_of_types(a, &cel_type_dyn);
	if (slice_is(name, "optional_type"))
		return cel_type_optional(a, &cel_type_dyn);
	return NULL;
}

static bool take(struct slice *s, const char *text)
{
	if (!slice_starts(*s, text))
		return false;
	s->ptr += strlen(text);
	s->len -= strlen(text);
	return true;
}

const struct cel_type *cel_type_parse(struct arena *a, struct slice *s)
{
	static const struct {
		const char *open;
		enum cel_kind kind;
	} holders[] = {{"list(", CEL_LIST}, {"optional(", CEL_OPTIONAL}, {"type(", CEL_TYPE}};
	struct cel_type *t = ARENA_NEW(a, struct cel_type);
	t->size_max = CEL_SIZE_UNBOUND;
	for (size_t i = 0; i < COUNT_OF(holders); i++) {
		if (take(s, holders[i].open)) {
			t->kind = holders[i].kind;
			t->elem = cel_type_parse(a, s);
			CHECK(take(s, ")"));
			return t;
		}
	}
	if (take(s, "map(")) {
		t->kind = CEL_MAP;
		t->key = cel_type_parse(a, s);
		CHECK(take(s, ","));
		t->elem = cel_type_parse(a, s);
		CHECK(take(s, ")"));
		return t;
	}
	size_t n = 0;
	while (n < s->len && !strchr("(),", s->ptr[n]))
		n++;
	if (n && s->ptr[n - 1] == '.')
		n--; /* it is a target's */
	struct slice word = {s->ptr, n};
	s->ptr += n;
	s->len -= n;
	for (size_t i = 0; i < COUNT_OF(named); i++)
		if (slice_is(word, named[i].name))
			return named[i].type;
	CHECK(n > 0);
	t->kind = n == 1 ? CEL_PARAM : CEL_OPAQUE;
	t->name = arena_memdup(a, word.ptr, word.len);
	return t;
}

/* ---- relations ---- */

bool cel_type_same(const struct cel_type *a, const struct cel_type *b)
{
	if (a == b)
		return true;
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case CEL_LIST:
	case CEL_OPTIONAL:
	case CEL_TYPE:
		return cel_type_same(a->elem, b->elem);
	case CEL_MAP:
		return cel_type_same(a->key, b->key) && cel_type_same(a->elem, b->elem);
	case CEL_OBJECT:
		return false; /* it is its place */
	case CEL_OPAQUE:
	case CEL_PARAM:
		return strcmp(a->name, b->name) == 0;
	default:
		return true;
	}
}

static bool param_fits(struct bindings *b, const struct cel_type *to, const struct cel_type *from)
{
	struct bindings none = {0};
	size_t i = 0;
	while (i < b->count && strcmp(b->names[i], to->name) != 0)
		i++;
	if (i == b->count) {
		CHECK(i < TYPE_PARAMS_MAX);
		b->names[i] = to->name;
		b->types[i] = from;
		b->count++;
		return true;
	}
	if (b->types[i]->kind == CEL_DYN || cel_type_fits(&none, b->types[i], from))
		return true;
	if (!cel_type_fits(&none, from, b->types[i]))
		return false;
	b->types[i] = from;
	return true;
}

static bool takes_null(const struct cel_type *t)
{
	return t->kind == CEL_OBJECT || t->kind == CEL_TIMESTAMP || t->kind == CEL_DURATION || t->kind == CEL_OPAQUE ||
	       t->kind == CEL_OPTIONAL;
}

bool cel_type_fits(struct bindings *b, const struct cel_type *to, const struct cel_type *from)
{
	if (to->kind == CEL_PARAM)
		return param_fits(b, to, from);
	if (to == from)
		return true;
	if (to->kind == CEL_DYN || from->kind == CEL_DYN || from->kind == CEL_ERROR || to->kind == CEL_ERROR)
		return true;
	if (from->kind == CEL_NULL && takes_null(to))
		return true;
	if (to->kind != from->kind)
		return false;
	switch (to->kind) {
	case CEL_LIST:
	case CEL_OPTIONAL:
		return cel_type_fits(b, to->elem, from->elem);
	case CEL_TYPE:
		return true;
	case CEL_MAP:
		return cel_type_fits(b, to->key, from->key) && cel_type_fits(b, to->elem, from->elem);
	default:
		return cel_type_same(to, from);
	}
}

const struct cel_type *cel_type_filled(struct arena *a, const struct bindings *b, const struct cel_type *t)
{
	switch (t->kind) {
	case CEL_PARAM:
		for (size_t i = 0; i < b->count; i++)
			if (strcmp(b->names[i], t->name) == 0)
				return b->types[i];
		return &cel_type_dyn;
	case CEL_LIST:
	case CEL_OPTIONAL:
	case CEL_TYPE:
		return make(a, t->kind, NULL, cel_type_filled(a, b, t->elem));
	case CEL_MAP:
		return cel_type_map(a, cel_type_filled(a, b, t->key), cel_type_filled(a, b, t->elem));
	default:
		return t;
	}
}

bool cel_type_kind_fits(const struct cel_type *t, struct cel_value v)
{
	if (t->kind == CEL_DYN || t->kind == CEL_PARAM)
		return true;
	if (t->kind == CEL_MAP)
		return v.kind == CEL_MAP || v.kind == CEL_OBJECT;
	if (t->kind == CEL_OPAQUE)
		return v.kind == CEL_OPAQUE && strcmp(v.type->name, t->name) == 0;
	return t->kind == v.kind;
}

const struct cel_field *cel_type_field(const struct cel_type *object, struct slice name)
{
	size_t low = 0, high = object->field_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = slice_cmp(object->fields[mid].name, name);
		if (order == 0)
			return &object->fields[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* jansson behind our errors, texts and memory. See json_lib.h. */
#include "base/json_lib.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem/arena.h"
#include "base/mem/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

enum { WRITE_FLAGS = JSON_ENCODE_ANY | JSON_REAL_PRECISION(15) };

__attribute__((constructor)) static void use_our_memory(void)
{
	json_set_alloc_funcs(xmalloc, free);
}

/* ---- parsing ---- */

/* Where the text nests too deep; its length when it does nowhere. The library recurses, and further down than we let
 * anybody go. Text that is no JSON may be counted wrong: it is refused either way. */
static size_t too_deep_at(struct slice text)
{
	bool in_string = false;
	int depth = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '[') && ++depth > API_TREE_DEPTH_MAX)
			return i;
		else if (!in_string && (c == '}' || c == ']'))
			depth--;
	}
	return text.len;
}

json_t *json_lib_parse(struct slice text, struct err *err)
{
	json_error_t why;
	size_t deep = too_deep_at(text);
	if (deep < text.len) {
		err_set(err, ERR_INVAL, "offset %zu: nested deeper than %d", deep, API_TREE_DEPTH_MAX);
		return NULL;
	}
	json_t *v = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (!v)
		err_set(err, ERR_INVAL, "offset %d: %s", why.position, why.text);
	return v;
}

/* ---- reading ---- */

struct slice json_lib_str(const json_t *v)
{
	return json_is_string(v) ? (struct slice){json_string_value(v), json_string_length(v)} : SLICE_NULL;
}

struct slice json_lib_get_str(const json_t *object, const char *name)
{
	return json_lib_str(json_object_get(object, name));
}

int64_t json_lib_get_int(const json_t *object, const char *name, int64_t fallback)
{
	const json_t *v = json_object_get(object, name);
	double d = json_is_real(v) ? json_real_value(v) : NAN;
	if (json_is_integer(v))
		return json_integer_value(v);
	return d >= -0x1p63 && d < 0x1p63 && d == floor(d) ? (int64_t)d : fallback;
}

bool json_lib_get_bool(const json_t *object, const char *name, bool fallback)
{
	const json_t *v = json_object_get(object, name);
	return json_is_boolean(v) ? json_is_true(v) : fallback;
}

/* ---- making ---- */

static void add_mended(struct strbuf *out, struct slice s)
{
	for (size_t i = 0; i < s.len;) {
		const char *p = s.ptr + i;
		size_t n = utf8_len((const unsigned char *)p, s.len - i);
		if (n)
			strbuf_add(out, p, n);
		else
			strbuf_adds(out, "\xef\xbf\xbd");
		i += n ? n : 1;
	}
}

json_t *json_lib_new_str(struct slice s)
{
	json_t *v = json_stringn(s.ptr ? s.ptr : "", s.len);
	if (v)
		return v;
	CLEANUP(cleanup_strbuf) struct strbuf mended = STRBUF_INIT;
	add_mended(&mended, s);
	v = json_stringn(mended.data, mended.len);
	CHECK(v);
	return v;
}

void json_lib_set(json_t *object, const char *name, json_t *value)
{
	if (json_object_set(object, name, value) != 0) {
		CLEANUP(cleanup_strbuf) struct strbuf mended = STRBUF_INIT;
		add_mended(&mended, slice_of(name));
		CHECK(json_object_set(object, strbuf_cstr(&mended), value) == 0);
	}
	json_decref(value);
}

void json_lib_set_str(json_t *object, const char *name, struct slice s)
{
	json_lib_set(object, name, json_lib_new_str(s));
}

void json_lib_set_cstr(json_t *object, const char *name, const char *text)
{
	json_lib_set_str(object, name, slice_of(text));
}

void json_lib_set_fmt(json_t *object, const char *name, const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;
	va_start(ap, fmt);
	CHECK(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	json_lib_set_cstr(object, name, text);
	free(text);
}

void json_lib_set_int(json_t *object, const char *name, int64_t v)
{
	json_lib_set(object, name, json_integer(v));
}

void json_lib_set_real(json_t *object, const char *name, double v)
{
	json_lib_set(object, name, isfinite(v) ? json_real(v) : json_null());
}

void json_lib_set_bool(json_t *object, const char *name, bool v)
{
	json_lib_set(object, name, json_boolean(v));
}

/* ---- writing ---- */

static int add_piece(const char *data, size_t len, void *out)
{
	strbuf_add(out, data, len);
	return 0;
}

void json_lib_write(struct strbuf *out, const json_t *v)
{
	CHECK(json_dump_callback(v, add_piece, out, WRITE_FLAGS | JSON_COMPACT) == 0);
}

void json_lib_write_pretty(struct strbuf *out, const json_t *v)
{
	CHECK(json_dump_callback(v, add_piece, out, WRITE_FLAGS | JSON_INDENT(2)) == 0);
}

void json_lib_print(FILE *to, json_t *v)
{
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	json_lib_write(&text, v);
	strbuf_addc(&text, '\n');
	fwrite(text.data, 1, text.len, to);
	fflush(to);
	json_decref(v);
}

/* What tests of field sets share: sets by their FieldsV1 text. Single quotes stand for double ones in texts. */
#ifndef K3X_TESTS_UNIT_FIELDS_H
#define K3X_TESTS_UNIT_FIELDS_H

#include "tests/unit/unit_json.h"

#include "api/machinery/fields/fields_v1.h"
#include "api/machinery/schema/resources.h"

static inline const char *quoted(const char *text)
{
	char *copy = arena_strdup(&a, text);
	for (char *at = copy; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	return copy;
}

/* Keys of list elements are written k:{"name":"x"} by their names alone: the quotes inside are escaped here. */
static inline struct field_set *set_of(const char *text)
{
	struct err err = ERR_INIT;
	struct json_scan scan;
	json_scan_init(&scan, slice_of(quoted(text)));
	struct field_set *s = fields_v1_read(&a, &scan, false, &err);
	if (!s)
		fail_msg("%s: %s", text, err.msg);
	return s;
}

static inline const char *text_of(const struct field_set *s)
{
	struct strbuf out = STRBUF_INIT;
	fields_v1_write(&out, s);
	const char *text = arena_strdup(&a, strbuf_cstr(&out));
	strbuf_release(&out);
	return text;
}

static inline void assert_set(const struct field_set *got, const char *want)
{
	assert_string_equal(text_of(got), quoted(want));
}

static inline const struct resource *row(const char *api_version, const char *kind)
{
	const struct resource *r = resource_find_kind(slice_of(api_version), slice_of(kind));
	assert_non_null(r);
	return r;
}

static inline struct json *object_of(const char *text)
{
	return parse(quoted(text));
}

#endif

/* What tests of definitions share: a sound one, what is merged into it, and all that is said of the result. In texts '
 * stands for ". */
#ifndef K3X_TESTS_UNIT_DEFINITION_CASES_H
#define K3X_TESTS_UNIT_DEFINITION_CASES_H

#include "tests/unit/unit_json.h"

#include "api/machinery/patch/patch.h"
#include "api/machinery/rules/custom/definition.h"
#include "base/check.h"

#define DEFINITION_VERSION "'name':'v1','served':true,'storage':true,'schema':{'openAPIV3Schema':{'type':'object'}}"

static inline struct json *parse_quoted(const char *text)
{
	char *quoted = arena_strdup(&a, text);
	for (char *p = quoted; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	return parse(quoted);
}

static inline struct json *definition_of(const char *patch)
{
	struct json *v =
	        parse_quoted("{'metadata':{'name':'bs.e.org'},'spec':{'group':'e.org','scope':'Namespaced','names':"
	                     "{'plural':'bs','kind':'B'},'versions':[{" DEFINITION_VERSION "}]}}");
	v = patch_merge_apply(&a, v, parse_quoted(patch));
	definition_defaults(&a, v);
	return v;
}

static inline const char *definition_errors(struct json *v, const struct json *old)
{
	struct field_errors *e = ARENA_NEW(&a, struct field_errors);
	const char *all = "";
	field_errors_init(e, &a);
	if (!json_path(v, "status", "storedVersions", NULL))
		definition_prepare_create(&a, v);
	definition_validate(e, v, old);
	for (size_t i = 0; i < e->count; i++)
		all = arena_printf(&a, "%s%s%s: %s", all, *all ? "\n" : "", e->items[i].field, e->items[i].message);
	return all;
}

/* Of a patch of the sound one what is wanted; "": nothing is wrong. */
static inline void each_definition_says(const char *const (*rows)[2], size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_string_equal(definition_errors(definition_of(rows[i][0]), NULL), rows[i][1]);
}

#endif

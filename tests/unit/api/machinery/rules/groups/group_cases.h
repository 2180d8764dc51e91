/* What tests of the groups share: an object of a kind, what it was before, and all that the server says is wrong. */
#ifndef K3X_TESTS_UNIT_GROUP_CASES_H
#define K3X_TESTS_UNIT_GROUP_CASES_H

#include "tests/unit/unit_json.h"

#include "api/machinery/rules/defaults.h"
#include "api/machinery/rules/validate.h"
#include "base/check.h"

struct group_case {
	const char *plural;
	const char *body; /* the object's members but metadata */
	const char *old;  /* the same of what it was; NULL: a creation */
	const char *want; /* "field: message", several with "; " between; NULL: accepted */
};

static inline struct json *group_object(const struct resource *r, const char *body)
{
	struct json *v = parse(
	        arena_printf(&a, "{\"metadata\":{\"name\":\"n\",\"namespace\":\"d\"}%s%s}", *body ? "," : "", body));
	defaults_apply(&a, r, v);
	return v;
}

static inline const char *group_errors(
        const struct resource *r, const struct json *object, const struct json *old, const char *sub)
{
	struct field_errors *e = ARENA_NEW(&a, struct field_errors);
	const char *all = "";
	field_errors_init(e, &a);
	validate_object(e, r, object, old, sub);
	for (size_t i = 0; i < e->count; i++)
		all = arena_printf(&a, "%s%s%s: %s", all, *all ? "; " : "", e->items[i].field, e->items[i].message);
	return all;
}

static inline void run_version_cases(
        const char *group, const char *version, const struct group_case *cases, size_t count, const char *sub)
{
	for (size_t i = 0; i < count; i++) {
		const struct group_case *c = &cases[i];
		const struct resource *r = resource_find(slice_of(group), slice_of(version), slice_of(c->plural));
		assert_non_null(r);
		const char *got =
		        group_errors(r, group_object(r, c->body), c->old ? group_object(r, c->old) : NULL, sub);
		if (strcmp(got, c->want ? c->want : "") != 0)
			fail_msg("%s {%s}:\n got  %s\n want %s", c->plural, c->body, got,
			        c->want ? c->want : "(accepted)");
	}
}

static inline void run_group_cases(const char *group, const struct group_case *cases, size_t count, const char *sub)
{
	run_version_cases(group, "v1", cases, count, sub);
}

#define RUN_GROUP_CASES(group, cases) run_group_cases(group, cases, COUNT_OF(cases), "")

#endif

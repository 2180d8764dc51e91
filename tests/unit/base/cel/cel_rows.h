/* Rows of expressions for tests of CEL: an expression, and what it comes to, or what is said of it. */
#ifndef K3X_TESTS_UNIT_BASE_CEL_CEL_ROWS_H
#define K3X_TESTS_UNIT_BASE_CEL_CEL_ROWS_H

#include "base/cel/library.h"
#include "base/check.h"
#include "tests/unit/unit.h"

struct row {
	const char *text, *result; /* "error: ..." and "compile: ..." are looked for in what is said */
};

/* `object` is JSON, the variable "self" of the type; NULL: none. */
static void expect_row(
        const struct cel_env *env, const struct row *row, const char *object, const struct cel_type *type)
{
	struct arena a = ARENA_INIT;
	struct strbuf words = STRBUF_INIT;
	struct cel_variable vars[] = {{"self", type ? type : &cel_type_dyn}};
	struct json *tree = object ? json_parse(&a, slice_of(object), NULL, NULL) : NULL;
	struct cel_value self = cel_of_json(&a, tree, type);
	const struct cel_program *p = cel_compile(&a, env, vars, 1, slice_of(row->text), &words);
	struct cel_run r = {.arena = &a, .variables = &self, .cost_max = 10000000};
	const char *got;
	if (!p) {
		got = arena_printf(&a, "compile: %s", strbuf_cstr(&words));
	} else {
		/* as text, whatever it is */
		struct cel_value v = cel_run(p, &r);
		struct cel_value shown = v;
		got = shown.kind == CEL_ERROR ? arena_printf(&a, "error: %s", cel_error_text(v)) : cel_show(&r, v);
	}
	bool said = row->result[0] && (slice_starts(slice_of(row->result), "error: ") ||
	                                      slice_starts(slice_of(row->result), "compile: "));
	const char *want = said ? strstr(row->result, ": ") + 2 : row->result;
	bool good = said ? strncmp(got, row->result, (size_t)(want - row->result)) == 0 && strstr(got, want)
	                 : strcmp(got, want) == 0;
	if (!good)
		fail_msg("%s\n  gives %s\n  not   %s", row->text, got, row->result);
	strbuf_release(&words);
	arena_release(&a);
}

static inline void expect_rows(const struct row *rows, size_t count, const char *object, const struct cel_type *type)
{
	struct arena a = ARENA_INIT;
	const struct cel_env *env = cel_env_new(&a, NULL, 0);
	for (size_t i = 0; i < count; i++)
		expect_row(env, &rows[i], object, type);
	arena_release(&a);
}

#endif

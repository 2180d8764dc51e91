/* From text to a program: parsed, typed, its cost estimated. */
#include "base/cel/program_int.h"

const struct cel_program *cel_compile(struct arena *a, const struct cel_env *env, const struct cel_variable *variables,
        size_t count, struct slice text, struct strbuf *words)
{
	struct cel_program *p = ARENA_NEW(a, struct cel_program);
	struct slice copy = {arena_memdup(a, text.ptr ? text.ptr : "", text.len), text.len};
	struct cel_issues issues = {.arena = a, .text = copy, .words = words};
	p->uses = ARENA_ARRAY(a, bool, count + 1);
	p->root = cel_parse_expression(a, &issues);
	if (!p->root || !cel_check_expression(a, env, variables, count, p->root, &issues, p->uses, &p->slots))
		return NULL;
	p->type = p->root->type;
	p->cost = cel_estimate_cost(p->root);
	return p;
}

const struct cel_type *cel_program_type(const struct cel_program *p)
{
	return p->type;
}

uint64_t cel_program_cost(const struct cel_program *p)
{
	return p->cost;
}

bool cel_program_uses(const struct cel_program *p, size_t variable)
{
	return p->uses[variable];
}

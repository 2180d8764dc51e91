/* Macros (cel-spec, "Macros"; the extensions of comprehensions with two variables and of optional values): calls whose
 * arguments are not evaluated as they stand. They become folds, which name variables of their own. */
#include "base/cel/program_int.h"

#include "base/check.h"

/* A row for each form; `vars` of the arguments are names. */
static const struct macro {
	const char *name;
	size_t args; /* without the target */
	size_t vars;
	enum fold fold;
	bool is_conditioned;
} macros[] = {
        {"all", 2, 1, FOLD_ALL, false},
        {"all", 3, 2, FOLD_ALL, false},
        {"exists", 2, 1, FOLD_EXISTS, false},
        {"exists", 3, 2, FOLD_EXISTS, false},
        {"exists_one", 2, 1, FOLD_ONE, false},
        {"exists_one", 3, 2, FOLD_ONE, false},
        {"existsOne", 2, 1, FOLD_ONE, false},
        {"existsOne", 3, 2, FOLD_ONE, false},
        {"map", 2, 1, FOLD_MAP, false},
        {"map", 3, 1, FOLD_MAP, true},
        {"filter", 2, 1, FOLD_FILTER, false},
        {"transformList", 3, 2, FOLD_MAP, false},
        {"transformList", 4, 2, FOLD_MAP, true},
        {"transformMap", 3, 2, FOLD_TO_MAP, false},
        {"transformMap", 4, 2, FOLD_TO_MAP, true},
        {"transformMapEntry", 3, 2, FOLD_TO_ENTRIES, false},
        {"transformMapEntry", 4, 2, FOLD_TO_ENTRIES, true},
        {"optMap", 2, 1, FOLD_OPTIONAL, false},
        {"optFlatMap", 2, 1, FOLD_OPTIONAL_FLAT, false},
};

static struct node *expand_has(struct arena *a, struct cel_issues *issues, const struct node *call, bool *ret_bad)
{
	const struct node *arg = call->args[0];
	if (arg->kind != NODE_SELECT || arg->is_optional) {
		cel_issue(issues, call->offset, "invalid argument to has() macro");
		*ret_bad = true;
		return NULL;
	}
	struct node *n = cel_node_new(a, NODE_SELECT, call->offset, 1);
	n->name = arg->name;
	n->args[0] = arg->args[0];
	n->is_test = true;
	return n;
}

struct node *cel_macro_expand(struct arena *a, struct cel_issues *issues, const struct node *call, bool *ret_bad)
{
	const struct macro *m = NULL;
	if (!call->is_member)
		return slice_is(call->name, "has") && call->count == 1 ? expand_has(a, issues, call, ret_bad) : NULL;
	for (size_t i = 0; i < COUNT_OF(macros) && !m; i++)
		if (slice_is(call->name, macros[i].name) && call->count == macros[i].args + 1)
			m = &macros[i];
	if (!m)
		return NULL;
	struct node *n = cel_node_new(a, NODE_FOLD, call->offset, call->count - m->vars);
	n->name = call->name;
	n->fold = (uint8_t)m->fold;
	n->has_two = m->vars == 2;
	n->is_conditioned = m->is_conditioned;
	n->args[0] = call->args[0];
	for (size_t i = 0; i < m->vars; i++) {
		const struct node *var = call->args[1 + i];
		if (var->kind != NODE_NAME) {
			cel_issue(issues, var->offset, "argument must be a simple name");
			*ret_bad = true;
			return NULL;
		}
		n->vars[i] = var->name;
	}
	if (m->vars == 2 && slice_eq(n->vars[0], n->vars[1])) {
		cel_issue(issues, call->args[2]->offset, "duplicate variable name: %.*s", SLICE_FMT(n->vars[1]));
		*ret_bad = true;
		return NULL;
	}
	for (size_t i = 1 + m->vars; i < call->count; i++)
		n->args[i - m->vars] = call->args[i];
	return n;
}

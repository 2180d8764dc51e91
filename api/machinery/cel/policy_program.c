/* See policy_program.h. A variable sees those before it, and has the type of its expression. */
#include "api/machinery/cel/policy_program.h"

#include "api/machinery/cel/kube_cel.h"
#include "base/check.h"

struct maker {
	struct arena *arena;
	const struct policy_faults *faults;
	struct policy_env env; /* variables may ask for less than match conditions */
	struct cel_field *fields;
	struct cel_type *variables;
};

static void tell(struct maker *m, const char *field, struct slice expression, const char *words)
{
	if (m->faults)
		m->faults->bad(m->faults->arg, field, expression, words);
}

static struct slice kept(struct maker *m, const struct json *v, const char *key)
{
	struct slice s = slice_trim(json_get_str(v, key));
	return s.len ? (struct slice){arena_memdup(m->arena, s.ptr, s.len), s.len} : SLICE_NULL;
}

static const struct cel_program *compile(
        struct maker *m, const char *field, struct slice expression, const enum cel_kind *results)
{
	struct strbuf words = STRBUF_INIT;
	const struct cel_program *p = policy_compile(m->arena, &m->env, expression, results, &words);
	if (!p)
		tell(m, field, expression, strbuf_cstr(&words));
	strbuf_release(&words);
	return p;
}

/* ---- variables ---- */

/* In its place among the others. Those before it were compiled when it was not there. */
static void declare(struct maker *m, struct slice name, const struct cel_program *p)
{
	struct cel_type *t = m->variables;
	size_t i = t->field_count++;
	for (; i > 0 && slice_cmp(m->fields[i - 1].name, name) > 0; i--)
		m->fields[i] = m->fields[i - 1];
	m->fields[i] = (struct cel_field){name, name, p ? cel_program_type(p) : &cel_type_dyn};
}

static void make_variables(struct maker *m, struct policy_program *p, const struct json *list)
{
	size_t max = list ? list->count : 0;
	p->variables = ARENA_ARRAY(m->arena, struct policy_named, max + 1);
	m->fields = ARENA_ARRAY(m->arena, struct cel_field, max + 1);
	m->variables->fields = m->fields;
	JSON_FOREACH (it, list) {
		if (p->variable_count == POLICY_VARIABLES_COUNT_MAX)
			break;
		struct policy_named *v = &p->variables[p->variable_count];
		const char *field = arena_printf(m->arena, "variables[%zu].expression", p->variable_count++);
		v->name = kept(m, it, "name");
		v->program = compile(m, field, kept(m, it, "expression"), NULL);
		declare(m, v->name, v->program);
	}
}

struct lazy_variables {
	const struct policy_program *program;
	const struct cel_value *values;
	struct cel_value *known; /* kind CEL_DYN: not yet */
	unsigned depth;
};

/* Variables that ask for variables: each takes some of the stack. */
enum { VARIABLE_DEPTH_MAX = 32 };

static struct cel_value variable(void *arg, struct cel_run *r, struct slice name)
{
	struct lazy_variables *lazy = arg;
	size_t i = 0;
	while (i < lazy->program->variable_count && !slice_eq(lazy->program->variables[i].name, name))
		i++;
	if (i == lazy->program->variable_count)
		return (struct cel_value){.kind = CEL_DYN};
	if (lazy->known[i].kind != CEL_DYN)
		return lazy->known[i];
	const struct cel_program *p = lazy->program->variables[i].program;
	if (!p || lazy->depth == VARIABLE_DEPTH_MAX)
		return cel_error(r->arena, "composited variable \"%.*s\" %s", SLICE_FMT(name),
		        p ? "asks for a variable that asks for a variable, and so on, too deep" : "fails to compile");
	lazy->depth++;
	struct cel_value v = cel_run(p, r);
	lazy->depth--;
	if (v.kind == CEL_ERROR && !r->is_over)
		v = cel_error(r->arena, "composited variable \"%.*s\" fails to evaluate: %s", SLICE_FMT(name),
		        cel_error_text(v));
	if (!r->is_over)
		lazy->known[i] = v;
	return v;
}

struct cel_value policy_variables(struct arena *a, const struct policy_program *p, const struct cel_value *values)
{
	struct cel_lazy *lazy = ARENA_NEW(a, struct cel_lazy);
	struct lazy_variables *vars = ARENA_NEW(a, struct lazy_variables);
	*vars = (struct lazy_variables){
	        .program = p, .values = values, .known = ARENA_ARRAY(a, struct cel_value, p->variable_count + 1)};
	*lazy = (struct cel_lazy){variable, vars};
	return cel_of_lazy(lazy);
}

/* ---- validations, annotations ---- */

static void make_checks(struct maker *m, struct policy_program *p, const struct json *list)
{
	static const enum cel_kind is_bool[] = {CEL_BOOL, CEL_ERROR}, is_text[] = {CEL_STRING, CEL_ERROR};
	p->checks = ARENA_ARRAY(m->arena, struct policy_check, list ? list->count + 1 : 1);
	JSON_FOREACH (it, list) {
		size_t i = p->check_count++;
		struct policy_check *c = &p->checks[i];
		struct slice said = kept(m, it, "messageExpression");
		c->expression = kept(m, it, "expression");
		c->message = kept(m, it, "message");
		c->reason = kept(m, it, "reason");
		c->program =
		        compile(m, arena_printf(m->arena, "validations[%zu].expression", i), c->expression, is_bool);
		if (!said.len)
			continue;
		/* a message is made without the authorizer */
		struct policy_env all = m->env;
		m->env.vars[POLICY_AUTHORIZER].name = m->env.vars[POLICY_REQUEST_RESOURCE].name = "";
		c->message_program =
		        compile(m, arena_printf(m->arena, "validations[%zu].messageExpression", i), said, is_text);
		m->env = all;
	}
}

static void make_annotations(struct maker *m, struct policy_program *p, const struct json *list)
{
	static const enum cel_kind results[] = {CEL_STRING, CEL_NULL, CEL_ERROR};
	p->annotations = ARENA_ARRAY(m->arena, struct policy_annotation, list ? list->count + 1 : 1);
	JSON_FOREACH (it, list) {
		size_t i = p->annotation_count++;
		p->annotations[i].key = kept(m, it, "key");
		p->annotations[i].program =
		        compile(m, arena_printf(m->arena, "auditAnnotations[%zu].valueExpression", i),
		                kept(m, it, "valueExpression"), results);
	}
}

struct conditions_bad {
	struct maker *maker;
	const struct json *list;
};

static void condition_is_bad(void *arg, size_t index, const char *words)
{
	struct conditions_bad *b = arg;
	tell(b->maker, arena_printf(b->maker->arena, "matchConditions[%zu].expression", index),
	        json_get_str(json_at(b->list, index), "expression"), words);
}

const struct policy_program *policy_program_new(struct arena *a, const struct json *spec, const struct cel_type *object,
        const struct cel_type *params, const struct policy_faults *faults)
{
	struct policy_program *p = ARENA_NEW(a, struct policy_program);
	struct maker m = {.arena = a, .faults = faults, .variables = ARENA_NEW(a, struct cel_type)};
	struct conditions_bad bad = {&m, json_get(spec, "matchConditions")};
	*m.variables =
	        (struct cel_type){.kind = CEL_OBJECT, .name = "kubernetes.variables", .size_max = CEL_SIZE_UNBOUND};
	policy_env_init(&m.env, json_is(json_get(spec, "paramKind"), JSON_OBJECT), true);
	if (object)
		m.env.vars[POLICY_OBJECT].type = m.env.vars[POLICY_OLD_OBJECT].type = object;
	if (params)
		m.env.vars[POLICY_PARAMS].type = params;
	p->conditions = match_conditions_new(a, &m.env, bad.list, condition_is_bad, &bad);
	m.env.vars[POLICY_VARIABLES] = (struct cel_variable){"variables", m.variables};
	make_variables(&m, p, json_get(spec, "variables"));
	make_checks(&m, p, json_get(spec, "validations"));
	make_annotations(&m, p, json_get(spec, "auditAnnotations"));
	return p;
}

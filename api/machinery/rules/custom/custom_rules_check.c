/* Rules asked of values. Upstream: apiextensions-apiserver pkg/apiserver/schema/cel/validation.go.
 *
 * One walk beside the value, into those parts alone that have rules. A value has an old one beside it where the two
 * correspond: members by name, elements of keyed lists by their keys. Below the last such place an element is unchanged
 * when all of that place is. All rules of an object draw on one budget.
 *
 * What can go wrong: the budget ends, which is an error of its own and ends the walk. */
#include "api/machinery/rules/custom/custom_program_int.h"
#include "api/machinery/rules/custom/custom_rule.h"

#include "api/machinery/cel/kube_cel.h"
#include "base/check.h"

/* ---- asking ---- */

struct asking {
	struct field_errors *errors;
	const char *base;
	struct cel_run run;
	int64_t budget;
	bool is_over;
};

/* A value, and what it was; `same`: an ancestor that corresponds is as it was, for values that have no old one. */
struct pair {
	const struct json *now, *old;
	const struct json *near_now, *near_old;
};

static bool is_unchanged(const struct pair *p)
{
	if (p->old)
		return json_equal(p->now, p->old);
	return p->near_old && json_equal(p->near_now, p->near_old);
}

/* The schema's type: that of a part of allOf is the whole's. */
static const char *type_word(const struct custom_node *n)
{
	switch (n->rules->type->kind) {
	case CEL_LIST:
		return "array";
	case CEL_OBJECT:
	case CEL_MAP:
		return "object";
	case CEL_BOOL:
		return "boolean";
	case CEL_INT:
		return "integer";
	case CEL_DOUBLE:
		return "number";
	case CEL_DYN:
		return "";
	default:
		return "string";
	}
}

static void add(struct asking *k, const struct custom_node *n, const struct custom_place *at, const char *tail,
        struct slice reason, const char *words)
{
	const char *path = custom_place_text(k->errors->arena, k->base, at);
	if (*tail)
		path = arena_printf(k->errors->arena, "%s%s", strcmp(path, "<nil>") == 0 ? "" : path,
		        strcmp(path, "<nil>") == 0 ? tail + 1 : tail);
	if (slice_is(reason, "FieldValueForbidden"))
		field_error_add(k->errors, reason.ptr, path, "Forbidden: %s", words);
	else if (slice_is(reason, "FieldValueRequired"))
		field_error_add(k->errors, reason.ptr, path, "Required value: %s", words);
	else if (slice_is(reason, "FieldValueDuplicate"))
		field_error_add(k->errors, reason.ptr, path, "Duplicate value: \"%s\"", type_word(n));
	else
		field_error_add(k->errors, "FieldValueInvalid", path, "Invalid value: \"%s\": %s", type_word(n), words);
}

static struct slice rule_words(const struct custom_rule *rule)
{
	return rule->message.len ? rule->message : rule->rule;
}

/* What was spent goes off the budget. False: it is used up. */
static bool pay(struct asking *k, const struct custom_node *n, const struct custom_place *at, const char *words)
{
	k->budget -= (int64_t)k->run.cost;
	k->run.cost = 0;
	k->run.is_over = false;
	if (k->budget >= 0)
		return true;
	add(k, n, at, "", SLICE_NULL, words);
	k->is_over = true;
	return false;
}

static const char *failed_words(
        struct asking *k, const struct custom_node *n, const struct custom_place *at, const struct custom_rule *rule)
{
	struct arena *a = k->errors->arena;
	const char *why = NULL;
	if (rule->message_program) {
		struct slice s = kube_cel_message(cel_run(rule->message_program, &k->run), &why);
		if (!pay(k, n, at,
		            "messageExpression evaluation failed due to running out of cost budget, no further "
		            "validation "
		            "rules will be run"))
			return NULL;
		if (s.len)
			return arena_printf(a, "%.*s", SLICE_FMT(s));
	}
	return rule->message.len ? arena_printf(a, "%.*s", SLICE_FMT(rule->message))
	                         : arena_printf(a, "failed rule: %.*s", SLICE_FMT(rule->rule));
}

static void tell_error(struct asking *k, const struct custom_node *n, const struct custom_place *at,
        const struct custom_rule *rule, const char *error)
{
	struct arena *a = k->errors->arena;
	struct slice words = rule_words(rule);
	const char *text;
	if (strncmp(error, "no such overload", 16) == 0) {
		text = arena_printf(a,
		        "'%s': call arguments did not match a supported operator, function or macro signature for "
		        "rule: "
		        "%.*s",
		        error, SLICE_FMT(words));
	} else if (strcmp(error, CEL_OVER_BUDGET) == 0) {
		text = arena_printf(a,
		        "'%s': no further validation rules will be run due to call cost exceeds limit for "
		        "rule: %.*s",
		        error, SLICE_FMT(words));
		k->is_over = true;
	} else {
		text = arena_printf(a, "%s evaluating rule: %.*s", error, SLICE_FMT(words));
	}
	add(k, n, at, "", SLICE_NULL, text);
}

static void ask(struct asking *k, const struct custom_node *n, const struct custom_place *at,
        const struct custom_rule *rule, struct cel_value values[2])
{
	k->run.variables = values;
	struct cel_value v = cel_run(rule->program, &k->run);
	if (!pay(k, n, at,
	            "validation failed due to running out of cost budget, no further validation rules will be run"))
		return;
	if (v.kind == CEL_ERROR) {
		tell_error(k, n, at, rule, cel_error_text(v));
	} else if (!cel_is_true(v)) {
		const char *words = failed_words(k, n, at, rule);
		if (words)
			add(k, n, at, rule->field_path, rule->reason, words);
	}
}

static void ask_rules(
        struct asking *k, const struct custom_node *n, const struct custom_place *at, const struct pair *p)
{
	const struct custom_rules *all = n->rules;
	struct arena *a = k->run.arena;
	struct cel_value self = cel_of_json(a, p->now, all->type), old = cel_of_json(a, p->old, all->type);
	bool unchanged = is_unchanged(p);
	for (size_t i = 0; i < all->count && !k->is_over; i++) {
		const struct custom_rule *rule = &all->items[i];
		if (rule->uses_old ? !p->old && !rule->optional_old : unchanged)
			continue;
		struct cel_value values[] = {[CUSTOM_RULE_SELF] = self,
		        [CUSTOM_RULE_OLD_SELF] = rule->optional_old ? cel_of_optional(a, p->old ? &old : NULL) : old};
		ask(k, n, at, rule, values);
	}
}

static void walk(struct asking *k, const struct custom_node *n, const struct custom_place *at, const struct pair *p);

/* The pair of a part: one without an old value looks to the nearest that has one. */
static struct pair part(const struct pair *p, const struct json *now, const struct json *old)
{
	struct pair out = {.now = now, .old = old, .near_now = p->near_now, .near_old = p->near_old};
	if (p->old) {
		out.near_now = p->now;
		out.near_old = p->old;
	}
	return out;
}

static void walk_elements(
        struct asking *k, const struct custom_node *n, const struct custom_place *at, const struct pair *p)
{
	struct map before = MAP_INIT;
	struct strbuf name = STRBUF_INIT;
	bool finds = n->flags & CUSTOM_KEYED && json_is(p->old, JSON_ARRAY);
	size_t i = 0;
	if (finds) {
		JSON_FOREACH (it, p->old) {
			custom_element_name(&name, n, it);
			map_put(&before, (struct slice){arena_memdup(k->run.arena, name.data, name.len), name.len}, it);
		}
	}
	JSON_FOREACH (it, p->now) {
		struct custom_place here = {.parent = at, .index = i++, .is_element = true};
		if (finds)
			custom_element_name(&name, n, it);
		struct pair below = part(p, it, finds ? map_get(&before, strbuf_slice(&name)) : NULL);
		walk(k, n->items, &here, &below);
	}
	map_release(&before);
	strbuf_release(&name);
}

static void walk(struct asking *k, const struct custom_node *n, const struct custom_place *at, const struct pair *p)
{
	struct json_index before;
	if (k->is_over || !(n->flags & CUSTOM_RULED) || p->now->type == JSON_NULL)
		return;
	if (n->rules)
		ask_rules(k, n, at, p);
	for (size_t i = 0; n->combinations && i < n->combinations->all_of.count; i++)
		walk(k, n->combinations->all_of.nodes[i], at, p);
	if (p->now->type == JSON_ARRAY && n->items)
		walk_elements(k, n, at, p);
	if (p->now->type != JSON_OBJECT)
		return;
	json_index_init(&before, (struct json *)p->old);
	JSON_FOREACH (it, p->now) {
		const struct custom_node *m = custom_node_member(n, it->key);
		struct custom_place here = {.parent = at, .name = it->key, .is_key = !m};
		m = m ? m : n->values;
		if (!m || !(m->flags & CUSTOM_RULED))
			continue;
		struct pair below = part(p, it, json_index_get(&before, it->key));
		if (below.old && below.old->type == JSON_NULL)
			below.old = NULL;
		walk(k, m, &here, &below);
	}
	json_index_release(&before);
}

/* Values of another shape than their types say would make rules fail for no reason of theirs. */
static bool is_in_doubt(const struct field_errors *e)
{
	static const char *const reasons[] = {"FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong",
	        "FieldValueTooMany", "FieldValueTypeInvalid"};
	for (size_t i = 0; i < e->count; i++)
		for (size_t k = 0; k < COUNT_OF(reasons); k++)
			if (strcmp(e->items[i].reason, reasons[k]) == 0)
				return true;
	return false;
}

void custom_program_check_rules(struct field_errors *e, const struct custom_program *p, const struct json *value,
        const struct json *old, const char *path)
{
	struct arena scratch = ARENA_INIT;
	struct asking k = {.errors = e,
	        .base = path,
	        .run = {.arena = &scratch, .cost_max = KUBE_CEL_CALL_COST_MAX},
	        .budget = KUBE_CEL_BUDGET};
	struct pair whole = {.now = value, .old = old};
	if (!(p->root->flags & CUSTOM_RULED))
		return;
	if (is_in_doubt(e)) {
		field_error_add(e, "FieldValueInvalid", "<nil>",
		        "Invalid value: \"null\": some validation rules were not checked because the object was "
		        "invalid; "
		        "correct the existing errors to complete validation");
		return;
	}
	walk(&k, p->root, NULL, &whole);
	arena_release(&scratch);
}

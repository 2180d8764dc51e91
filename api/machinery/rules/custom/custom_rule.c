/* A schema's rules in CEL, compiled. See custom_rule.h. */
#include "api/machinery/rules/custom/custom_rule.h"

#include "api/machinery/cel/kube_cel.h"

static struct slice kept(struct arena *a, const struct json *rule, const char *key)
{
	struct slice s = slice_trim(json_get_str(rule, key));
	return s.len ? (struct slice){arena_memdup(a, s.ptr, s.len), s.len} : SLICE_NULL;
}

static const struct cel_program *compile(struct arena *a, struct slice text, const struct cel_variable vars[2],
        enum cel_kind wanted, const char *before, const char *not_wanted, struct strbuf *words)
{
	struct strbuf found = STRBUF_INIT;
	const struct cel_program *p = cel_compile(a, kube_cel_env(), vars, 2, text, &found);
	if (!p && words)
		strbuf_addf(words, "%s%s", before, strbuf_cstr(&found));
	if (p && cel_program_type(p)->kind != wanted) {
		if (words)
			strbuf_adds(words, not_wanted);
		p = NULL;
	}
	strbuf_release(&found);
	return p;
}

bool custom_rule_compile(struct arena *a, const struct json *rule, const struct cel_type *type, struct custom_rule *out,
        struct strbuf *words, struct strbuf *message_words)
{
	*out = (struct custom_rule){.field_path = ""};
	out->rule = kept(a, rule, "rule");
	out->message = kept(a, rule, "message");
	out->reason = kept(a, rule, "reason");
	out->optional_old = json_get_bool(rule, "optionalOldSelf", false);
	struct cel_variable vars[] = {[CUSTOM_RULE_SELF] = {"self", type},
	        [CUSTOM_RULE_OLD_SELF] = {"oldSelf", out->optional_old ? cel_type_optional(a, type) : type}};
	struct slice message = kept(a, rule, "messageExpression");
	out->program = compile(
	        a, out->rule, vars, CEL_BOOL, "compilation failed: ", "cel expression must evaluate to a bool", words);
	if (message.len)
		out->message_program = compile(a, message, vars, CEL_STRING,
		        "messageExpression compilation failed: ", "messageExpression must evaluate to a string",
		        message_words);
	out->uses_old = out->program && cel_program_uses(out->program, CUSTOM_RULE_OLD_SELF);
	return out->program && (!message.len || out->message_program);
}

const struct custom_rules *custom_rules_new(
        struct arena *a, const struct json *rules, const struct cel_type *type, struct err *err)
{
	struct custom_rules *all = ARENA_NEW(a, struct custom_rules);
	struct strbuf words = STRBUF_INIT;
	bool good = true;
	all->type = type;
	all->items = ARENA_ARRAY(a, struct custom_rule, rules->count + 1);
	JSON_FOREACH (it, rules) {
		struct custom_rule *rule = &all->items[all->count];
		struct slice path = json_get_str(it, "fieldPath");
		if (!slice_trim(json_get_str(it, "rule")).len)
			continue;
		good = good && custom_rule_compile(a, it, type, rule, &words, &words);
		if (path.len)
			rule->field_path = arena_printf(
			        a, "%s%.*s", path.ptr[0] == '[' ? "." : "", SLICE_FMT(path)); /* checked before */
		all->count++;
	}
	if (!good)
		err_set(err, ERR_INVAL, "a rule in CEL does not compile: %.200s", strbuf_cstr(&words));
	strbuf_release(&words);
	return good ? all : NULL;
}

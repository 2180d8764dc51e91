/* See policy_env.h. Upstream: apiserver pkg/admission/plugin/cel and plugin/webhook/matchconditions. */
#include "api/machinery/cel/policy_env.h"

#include "api/machinery/cel/authorizer.h"
#include "api/machinery/cel/kube_cel.h"
#include "base/check.h"

/* ---- the request ---- */

const struct cel_type kube_texts_type = {.kind = CEL_LIST, .elem = &cel_type_string, .size_max = CEL_SIZE_UNBOUND};
const struct cel_type kube_text_lists_type = {
        .kind = CEL_MAP, .key = &cel_type_string, .elem = &kube_texts_type, .size_max = CEL_SIZE_UNBOUND};
/* in the order of names */
static const struct cel_field kind_fields[] = {KUBE_CEL_FIELD("group", &cel_type_string),
        KUBE_CEL_FIELD("kind", &cel_type_string), KUBE_CEL_FIELD("version", &cel_type_string)};
static const struct cel_field resource_fields[] = {KUBE_CEL_FIELD("group", &cel_type_string),
        KUBE_CEL_FIELD("resource", &cel_type_string), KUBE_CEL_FIELD("version", &cel_type_string)};
static const struct cel_field user_fields[] = {KUBE_CEL_FIELD("extra", &kube_text_lists_type),
        KUBE_CEL_FIELD("groups", &kube_texts_type), KUBE_CEL_FIELD("uid", &cel_type_string),
        KUBE_CEL_FIELD("username", &cel_type_string)};
static const struct cel_type kind_type = KUBE_CEL_OBJECT("kubernetes.GroupVersionKind", kind_fields),
                             resource_type = KUBE_CEL_OBJECT("kubernetes.GroupVersionResource", resource_fields);
const struct cel_type kube_user_type = KUBE_CEL_OBJECT("kubernetes.UserInfo", user_fields);
static const struct cel_field request_fields[] = {KUBE_CEL_FIELD("dryRun", &cel_type_bool),
        KUBE_CEL_FIELD("kind", &kind_type), KUBE_CEL_FIELD("name", &cel_type_string),
        KUBE_CEL_FIELD("namespace", &cel_type_string), KUBE_CEL_FIELD("operation", &cel_type_string),
        KUBE_CEL_FIELD("options", &cel_type_dyn), KUBE_CEL_FIELD("requestKind", &kind_type),
        KUBE_CEL_FIELD("requestResource", &resource_type), KUBE_CEL_FIELD("requestSubResource", &cel_type_string),
        KUBE_CEL_FIELD("resource", &resource_type), KUBE_CEL_FIELD("subResource", &cel_type_string),
        KUBE_CEL_FIELD("userInfo", &kube_user_type)};
const struct cel_type policy_request_type = KUBE_CEL_OBJECT("kubernetes.AdmissionRequest", request_fields);

/* ---- compiling ---- */

void policy_env_init(struct policy_env *env, bool has_params, bool has_authorizer)
{
	*env = (struct policy_env){{
	        [POLICY_OBJECT] = {"object", &cel_type_dyn},
	        [POLICY_OLD_OBJECT] = {"oldObject", &cel_type_dyn},
	        [POLICY_REQUEST] = {"request", &policy_request_type},
	        [POLICY_NAMESPACE] = {"namespaceObject", &cel_type_dyn},
	        [POLICY_PARAMS] = {has_params ? "params" : "", &cel_type_dyn},
	        [POLICY_AUTHORIZER] = {has_authorizer ? "authorizer" : "", &kube_authorizer_type},
	        [POLICY_REQUEST_RESOURCE] = {has_authorizer ? "authorizer.requestResource" : "",
	                &kube_resource_check_type},
	        [POLICY_VARIABLES] = {"", &cel_type_dyn},
	}};
}

static const char *kind_word(enum cel_kind kind)
{
	return kind == CEL_BOOL ? "bool" : kind == CEL_NULL ? "null_type" : "string";
}

const struct cel_program *policy_compile(struct arena *a, const struct policy_env *env, struct slice expression,
        const enum cel_kind *results, struct strbuf *words)
{
	struct strbuf found = STRBUF_INIT;
	const struct cel_program *p =
	        cel_compile(a, kube_cel_env(), env->vars, POLICY_VARIABLES_MAX, expression, &found);
	if (!p && words)
		strbuf_addf(words, "compilation failed: %s", strbuf_cstr(&found));
	strbuf_release(&found);
	if (!p || !results)
		return p;
	const struct cel_type *type = cel_program_type(p);
	for (size_t i = 0; results[i] != CEL_ERROR; i++)
		if (type->kind == results[i])
			return p;
	if (words && results[1] == CEL_ERROR)
		strbuf_addf(words, "must evaluate to %s but got %s", kind_word(results[0]), cel_type_text(a, type));
	else if (words)
		strbuf_addf(words, "must evaluate to one of [%s %s] but got %s", kind_word(results[0]),
		        kind_word(results[1]), cel_type_text(a, type));
	return NULL;
}

/* ---- conditions ---- */

struct match_conditions {
	const struct cel_program **programs; /* NULL: it does not compile */
	const char **names;
	size_t count;
};

const struct match_conditions *match_conditions_new(struct arena *a, const struct policy_env *env,
        const struct json *list, void (*bad)(void *arg, size_t index, const char *words), void *arg)
{
	static const enum cel_kind results[] = {CEL_BOOL, CEL_ERROR};
	struct match_conditions *m = ARENA_NEW(a, struct match_conditions);
	size_t max = json_is(list, JSON_ARRAY) ? list->count : 0;
	m->programs = ARENA_ARRAY(a, const struct cel_program *, max + 1);
	m->names = ARENA_ARRAY(a, const char *, max + 1);
	JSON_FOREACH (it, list) {
		struct strbuf words = STRBUF_INIT;
		struct slice name = json_get_str(it, "name");
		m->names[m->count] = arena_memdup(a, name.ptr ? name.ptr : "", name.len);
		m->programs[m->count] = policy_compile(a, env, json_get_str(it, "expression"), results, &words);
		if (!m->programs[m->count] && bad)
			bad(arg, m->count, strbuf_cstr(&words));
		strbuf_release(&words);
		m->count++;
	}
	return m;
}

enum match_verdict match_conditions_ask(
        const struct match_conditions *m, struct arena *a, const struct cel_value *variables, const char **ret_words)
{
	struct cel_run r = {.arena = a, .variables = variables, .cost_max = KUBE_CEL_CALL_COST_MAX};
	int64_t budget = KUBE_CEL_MATCH_BUDGET;
	enum match_verdict verdict = MATCH_HOLDS;
	const char *words = NULL;
	for (size_t i = 0; i < m->count; i++) {
		struct cel_value v = {.kind = CEL_ERROR, .error = "it does not compile"};
		if (m->programs[i])
			v = cel_run(m->programs[i], &r);
		budget -= (int64_t)r.cost;
		r.cost = 0;
		r.is_over = false;
		if (budget < 0)
			v = (struct cel_value){.kind = CEL_ERROR,
			        .error = "validation failed due to running out of cost budget, no further validation "
			                 "rules "
			                 "will be run"};
		if (v.kind == CEL_BOOL && !v.boolean)
			return MATCH_FAILS;
		if (v.kind != CEL_BOOL && verdict == MATCH_HOLDS) {
			verdict = MATCH_ERROR;
			words = arena_printf(a, "match condition '%s' resulted in error: %s", m->names[i],
			        v.kind == CEL_ERROR ? cel_error_text(v) : "it is no bool");
		}
		if (budget < 0)
			break;
	}
	if (verdict == MATCH_ERROR)
		*ret_words = words;
	return verdict;
}

/* See jwt_rules.h. As kube-apiserver reads claims: issuer and audience by bytes, an expiry that is needed, five minutes
 * of leeway for tokens that come before their time, an "email" that must not be said to be unverified.
 *
 * Groups that lie elsewhere (distributed claims: "_claim_names" has the claim of groups) would have to be fetched with
 * every token; that is not built, and such a token is refused, because its user without his groups is another one. */
#include "api/server/auth/identity/jwt_rules.h"

#include "api/machinery/cel/kube_cel.h"
#include "api/machinery/cel/policy_env.h"
#include "base/check.h"
#include "base/pki/pki_jws.h"

enum { NOT_BEFORE_LEEWAY_S = 300 };

#define OIDC "invalid bearer token: oidc: "

const struct cel_type jwt_claims_type = {
        .kind = CEL_MAP, .key = &cel_type_string, .elem = &cel_type_dyn, .size_max = CEL_SIZE_UNBOUND};

/* ---- of the arguments ---- */

static int check_arguments(const struct api_oidc_arguments *o, struct err *err)
{
	if (!o->issuer_url || !o->client_id)
		return err_set(err, ERR_INVAL, "oidc-issuer-url and oidc-client-id go together: oidc-%s is missing",
		        o->issuer_url ? "client-id" : "issuer-url");
	if (strncmp(o->issuer_url, "https://", 8) != 0)
		return err_set(err, ERR_INVAL, "oidc-issuer-url: \"%s\" must begin with https://", o->issuer_url);
	if (!*o->client_id || !*o->username_claim)
		return err_set(err, ERR_INVAL, "oidc-%s: it is empty", *o->client_id ? "username-claim" : "client-id");
	for (size_t i = 0; i < o->signing_algs.count; i++)
		if (!jws_algorithm_is_known(slice_of(o->signing_algs.items[i])))
			return err_set(err, ERR_INVAL,
			        "oidc-signing-algs: \"%s\" is none of RS, ES or PS with 256, 384 or 512",
			        o->signing_algs.items[i]);
	return 0;
}

static const char *username_prefix(struct arena *a, const struct api_oidc_arguments *o)
{
	if (o->username_prefix && strcmp(o->username_prefix, "-") == 0)
		return "";
	if (o->username_prefix && *o->username_prefix)
		return o->username_prefix;
	return strcmp(o->username_claim, "email") == 0 ? "" : arena_printf(a, "%s#", o->issuer_url);
}

int jwt_rules_of_arguments(
        struct arena *a, const struct api_oidc_arguments *args, const struct jwt_rules **ret, struct err *err)
{
	static const char *const rs256[] = {"RS256"};
	static const struct flag_list by_default = {(const char **)rs256, 1};
	struct jwt_rules *r = ARENA_NEW(a, struct jwt_rules);
	struct jwt_rule *required = ARENA_ARRAY(a, struct jwt_rule, args->required_claims.count + 1);
	if (check_arguments(args, err) != 0)
		return err->code;
	for (size_t i = 0; i < args->required_claims.count; i++) {
		struct slice value = slice_of(args->required_claims.items[i]), name = slice_cut(&value, '=');
		if (!value.ptr || !name.len)
			return err_set(err, ERR_INVAL, "oidc-required-claim: \"%s\" is not NAME=VALUE",
			        args->required_claims.items[i]);
		required[i] = (struct jwt_rule){.claim = arena_memdup(a, name.ptr, name.len), .value = value.ptr};
	}
	*r = (struct jwt_rules){.issuer_url = args->issuer_url,
	        .audiences = &args->client_id,
	        .n_audiences = 1,
	        .algorithms = args->signing_algs.count ? &args->signing_algs : &by_default,
	        .username = {args->username_claim, username_prefix(a, args), NULL},
	        .groups = {args->groups_claim, args->groups_prefix ? args->groups_prefix : "", NULL},
	        .claim_rules = required,
	        .n_claim_rules = args->required_claims.count};
	*ret = r;
	return 0;
}

bool jwt_rules_allow(const struct jwt_rules *r, struct slice algorithm)
{
	for (size_t i = 0; r->algorithms && i < r->algorithms->count; i++)
		if (slice_is(algorithm, r->algorithms->items[i]))
			return true;
	return !r->algorithms && jws_algorithm_is_known(algorithm);
}

/* ---- a token on its way ---- */

struct judging {
	const struct jwt_rules *rules;
	struct arena arena;
	const struct json *claims;
	struct cel_run run;
	struct user *user; /* in the making */
	struct err *err;
};

static int reject(struct judging *j, const char *why)
{
	return err_set(j->err, ERR_UNAUTHENTICATED, OIDC "%s", why);
}

static bool is_meant_for(const struct json *audience, const char *client)
{
	if (slice_is(json_str(audience), client))
		return true;
	JSON_FOREACH (it, json_is(audience, JSON_ARRAY) ? audience : NULL)
		if (slice_is(json_str(it), client))
			return true;
	return false;
}

static int check_audience(struct judging *j)
{
	for (size_t i = 0; i < j->rules->n_audiences; i++)
		if (is_meant_for(json_get(j->claims, "aud"), j->rules->audiences[i]))
			return 0;
	return reject(j, "it was made for another audience");
}

static int check_times(struct judging *j, int64_t now, int64_t *expires_s)
{
	const struct json *not_before = json_get(j->claims, "nbf");
	if (!json_is(json_get(j->claims, "exp"), JSON_NUMBER))
		return reject(j, "it has no \"exp\"");
	*expires_s = json_get_int(j->claims, "exp", 0);
	if (*expires_s <= now)
		return reject(j, "it has expired");
	if (not_before &&
	        (!json_is(not_before, JSON_NUMBER) || json_get_int(j->claims, "nbf", 0) > now + NOT_BEFORE_LEEWAY_S))
		return reject(j, "it is not valid yet");
	return 0;
}

/* ---- expressions ---- */

static struct cel_value evaluate(struct judging *j, const struct cel_program *p, struct cel_value over)
{
	struct cel_value *variables = ARENA_NEW(&j->arena, struct cel_value);
	*variables = over;
	j->run = (struct cel_run){.arena = &j->arena, .variables = variables, .cost_max = KUBE_CEL_CALL_COST_MAX};
	return cel_run(p, &j->run);
}

static struct cel_value over_claims(struct judging *j)
{
	return cel_of_json(&j->arena, j->claims, &jwt_claims_type);
}

static int expression_failed(struct judging *j, const char *what, const char *why)
{
	return err_set(j->err, ERR_UNAUTHENTICATED, OIDC "error evaluating %s expression: %s", what, why);
}

/* Texts of a value that is one, a list of them, or null. */
static int each_text(struct judging *j, struct cel_value v, const char *what,
        int (*fn)(struct judging *j, const char *arg, struct slice text), const char *arg)
{
	static const char odd[] = "expression must return a string or a list of strings";
	if (v.kind == CEL_ERROR)
		return expression_failed(j, what, cel_error_text(v));
	if (v.kind == CEL_NULL || (v.kind == CEL_STRING && !v.text.len))
		return 0;
	if (v.kind == CEL_STRING)
		return fn(j, arg, v.text);
	size_t n = v.kind == CEL_LIST ? cel_list_count(v) : 0;
	if (v.kind != CEL_LIST)
		return expression_failed(j, what, odd);
	for (size_t i = 0; i < n; i++) {
		struct cel_value item = cel_list_at(&j->run, v, i);
		if (item.kind != CEL_STRING)
			return expression_failed(j, what, odd);
		if (item.text.len && fn(j, arg, item.text) != 0)
			return j->err->code;
	}
	return 0;
}

static int check_expression(struct judging *j, const struct jwt_rule *r, struct cel_value over, const char *what)
{
	struct cel_value v = evaluate(j, r->program, over);
	if (v.kind == CEL_ERROR)
		return expression_failed(j, what, cel_error_text(v));
	if (cel_is_true(v))
		return 0;
	return err_set(j->err, ERR_UNAUTHENTICATED, OIDC "error evaluating %s: validation expression '%s' failed%s%s",
	        what, r->expression, *r->message ? ": " : "", r->message);
}

static int check_claim(struct judging *j, const struct jwt_rule *r)
{
	const struct json *have = json_get(j->claims, r->claim);
	if (json_is(have, JSON_STRING) && slice_is(have->text, r->value))
		return 0;
	return err_set(
	        j->err, ERR_UNAUTHENTICATED, OIDC "the required claim %s is not there or has another value", r->claim);
}

static int check(struct judging *j, int64_t now, int64_t *expires_s)
{
	const struct jwt_rules *r = j->rules;
	if (!slice_is(json_get_str(j->claims, "iss"), r->issuer_url))
		return reject(j, "it was issued by somebody else");
	if (check_audience(j) != 0 || check_times(j, now, expires_s) != 0)
		return j->err->code;
	if (r->groups.claim && json_get(json_get(j->claims, "_claim_names"), r->groups.claim))
		return reject(j, "its groups are distributed claims, which are not fetched");
	for (size_t i = 0; i < r->n_claim_rules; i++) {
		const struct jwt_rule *one = &r->claim_rules[i];
		int rc = one->program ? check_expression(j, one, over_claims(j), "claim validation rule")
		                      : check_claim(j, one);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* ---- the user ---- */

static int name_by_claim(struct judging *j, struct strbuf *out)
{
	const struct jwt_mapping *m = &j->rules->username;
	struct slice name = json_get_str(j->claims, m->claim);
	const struct json *verified = strcmp(m->claim, "email") == 0 ? json_get(j->claims, "email_verified") : NULL;
	if (!name.len)
		return err_set(
		        j->err, ERR_UNAUTHENTICATED, OIDC "its claim \"%s\" is no text that could be a name", m->claim);
	if (verified && !json_bool(verified, false))
		return reject(j, "its email is not verified");
	strbuf_adds(out, m->prefix);
	strbuf_add_slice(out, name);
	return 0;
}

/* One text of an expression, appended. */
static int text_of(struct judging *j, const struct cel_program *p, const char *what, struct strbuf *out)
{
	struct cel_value v = evaluate(j, p, over_claims(j));
	if (v.kind == CEL_ERROR)
		return expression_failed(j, what, cel_error_text(v));
	if (v.kind != CEL_STRING)
		return expression_failed(j, what, arena_printf(&j->arena, "%s expression must return a string", what));
	strbuf_add_slice(out, v.text);
	return 0;
}

static int name_of(struct judging *j, struct strbuf *out)
{
	if (!j->rules->username.program)
		return name_by_claim(j, out);
	if (text_of(j, j->rules->username.program, "username claim", out) != 0)
		return j->err->code;
	return out->len ? 0 : reject(j, "empty username via CEL expression is not allowed");
}

static int uid_of(struct judging *j, struct strbuf *out)
{
	const struct jwt_mapping *m = &j->rules->uid;
	if (m->program)
		return text_of(j, m->program, "uid claim", out);
	if (!m->claim)
		return 0;
	struct slice uid = json_get_str(j->claims, m->claim);
	if (!uid.len)
		return err_set(
		        j->err, ERR_UNAUTHENTICATED, OIDC "its claim \"%s\" is no text that could be a uid", m->claim);
	strbuf_add_slice(out, uid);
	return 0;
}

static int add_group(struct judging *j, const char *prefix, struct slice group)
{
	struct slice name = slice_of(arena_printf(&j->arena, "%s%.*s", prefix, SLICE_FMT(group)));
	return user_add_group(j->user, name) ? 0 : reject(j, "it names too many groups");
}

static int add_groups(struct judging *j)
{
	const struct jwt_mapping *m = &j->rules->groups;
	if (m->program)
		return each_text(j, evaluate(j, m->program, over_claims(j)), "group claim", add_group, "");
	const struct json *groups = m->claim ? json_get(j->claims, m->claim) : NULL;
	if (!groups || groups->type == JSON_NULL)
		return 0;
	if (groups->type == JSON_STRING)
		return add_group(j, m->prefix, groups->text);
	if (groups->type != JSON_ARRAY)
		return reject(j, "its groups are no texts");
	JSON_FOREACH (it, groups) {
		if (it->type != JSON_STRING)
			return reject(j, "its groups are no texts");
		if (add_group(j, m->prefix, it->text) != 0)
			return j->err->code;
	}
	return 0;
}

static int add_extra(struct judging *j, const char *key, struct slice value)
{
	user_add_extra(j->user, slice_of(key), value);
	return 0;
}

static int add_extras(struct judging *j)
{
	for (size_t i = 0; i < j->rules->n_extras; i++) {
		const struct jwt_extra *x = &j->rules->extras[i];
		if (each_text(j, evaluate(j, x->program, over_claims(j)), "extra claim", add_extra, x->key) != 0)
			return j->err->code;
	}
	return 0;
}

/* As UserInfo, for the rules about users. */
static struct json *user_json(struct judging *j)
{
	struct arena *a = &j->arena;
	const struct user *u = j->user;
	struct json *v = json_new(a, JSON_OBJECT), *groups = json_need(a, v, "groups", JSON_ARRAY),
	            *extra = json_need(a, v, "extra", JSON_OBJECT);
	json_set_str(a, v, "username", u->name);
	json_set_str(a, v, "uid", u->uid.ptr ? u->uid : SLICE(""));
	for (size_t i = 0; i < u->n_groups; i++)
		json_append(groups, json_new_str(a, u->groups[i]));
	for (const struct user_extra *x = u->extras; x; x = x->next)
		json_append(json_need(a, extra, arena_memdup(a, x->key.ptr, x->key.len), JSON_ARRAY),
		        json_new_str(a, x->value));
	return v;
}

static int check_user(struct judging *j)
{
	struct cel_value user = {.kind = CEL_NULL};
	if (j->rules->n_user_rules)
		user = cel_of_json(&j->arena, user_json(j), &kube_user_type);
	for (size_t i = 0; i < j->rules->n_user_rules; i++)
		if (check_expression(j, &j->rules->user_rules[i], user, "user info validation rule") != 0)
			return j->err->code;
	return 0;
}

static int make_user(struct judging *j)
{
	CLEANUP(cleanup_strbuf) struct strbuf name = STRBUF_INIT, uid = STRBUF_INIT;
	if (name_of(j, &name) != 0 || uid_of(j, &uid) != 0)
		return j->err->code;
	j->user = user_new(strbuf_slice(&name), uid.len ? strbuf_slice(&uid) : SLICE_NULL);
	if (add_groups(j) != 0 || add_extras(j) != 0 || check_user(j) != 0)
		return j->err->code;
	return user_add_group(j->user, SLICE("system:authenticated")) ? 0 : reject(j, "it names too many groups");
}

int jwt_rules_user(const struct jwt_rules *r, struct slice claims, int64_t now_s, struct user **ret, int64_t *expires_s,
        struct err *err)
{
	struct judging j = {.rules = r, .arena = ARENA_INIT, .err = err};
	struct err local = ERR_INIT;
	j.claims = json_parse(&j.arena, claims, NULL, &local);
	int rc = json_is(j.claims, JSON_OBJECT) ? 0 : reject(&j, "its claims are not JSON");
	if (rc == 0)
		rc = check(&j, now_s, expires_s);
	if (rc == 0)
		rc = make_user(&j);
	if (rc == 0)
		*ret = TAKE(j.user);
	user_unref(j.user);
	arena_release(&j.arena);
	return rc;
}

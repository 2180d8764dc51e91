/* See authentication_config.h. Upstream: apiserver pkg/apis/apiserver/validation and pkg/authentication/cel. A field
 * that is misspelt is refused. */
#include "api/server/auth/identity/authentication_config.h"

#include "api/machinery/cel/kube_cel.h"
#include "api/machinery/cel/policy_env.h"
#include "api/machinery/rules/checks.h"
#include "api/server/auth/config_text.h"
#include "base/check.h"
#include "base/pki/pki.h"

#include <stdlib.h>

#define BOTH "claim and expression can't both be set"
#define NEITHER "claim or expression is required"

struct reading {
	struct field_errors *e;
	struct arena *arena;
	struct authentication_config *config;
	const struct flag_list *own;
	struct name_set urls, discovery_urls;
	/* of the issuer at hand: expressions that speak of claims.email, and of claims.email_verified */
	bool uses_email, uses_verified;
};

/* ---- URLs ---- */

static const char *text_of(const struct reading *r, const struct json *v, const char *name)
{
	return json_cstr(r->arena, json_get(v, name));
}

static void check_url(struct reading *r, struct slice url, const char *here)
{
	const char *text = arena_memdup(r->arena, url.ptr ? url.ptr : "", url.len);
	const char *host = strncmp(text, "https://", 8) == 0 ? text + 8 : NULL;
	if (!url.len) {
		bad_required(r->e, here, "URL is required");
		return;
	}
	if (!host) {
		bad_value(r->e, here, url, "URL scheme must be https");
		return;
	}
	size_t len = strcspn(host, "/?#");
	if (!len)
		bad_value(r->e, here, url, "URL must have a host");
	if (memchr(host, '@', len))
		bad_value(r->e, here, url, "URL must not contain a username or password");
	if (strchr(text, '?'))
		bad_value(r->e, here, url, "URL must not contain a query");
	if (strchr(text, '#'))
		bad_value(r->e, here, url, "URL must not contain a fragment");
}

static struct slice without_slash(struct slice url)
{
	while (url.len && url.ptr[url.len - 1] == '/')
		url.len--;
	return url;
}

static void read_urls(struct reading *r, struct jwt_rules *j, const struct json *issuer, const char *here)
{
	struct slice url = json_get_str(issuer, "url"), discovery = json_get_str(issuer, "discoveryURL");
	check_url(r, url, at(r->e, "%s.url", here));
	for (size_t i = 0; url.len && i < r->own->count; i++)
		if (slice_is(url, r->own->items[i]))
			bad_value(r->e, at(r->e, "%s.url", here), url,
			        "URL must not overlap with the issuer of service accounts");
	if (url.len && !name_set_add(&r->urls, url))
		bad_duplicate(r->e, at(r->e, "%s.url", here), url);
	j->issuer_url = text_of(r, issuer, "url");
	if (!discovery.len)
		return;
	if (slice_eq(without_slash(url), without_slash(discovery)))
		bad_value(
		        r->e, at(r->e, "%s.discoveryURL", here), discovery, "discoveryURL must be different from URL");
	check_url(r, discovery, at(r->e, "%s.discoveryURL", here));
	if (!name_set_add(&r->discovery_urls, discovery))
		bad_duplicate(r->e, at(r->e, "%s.discoveryURL", here), discovery);
	j->discovery_url = text_of(r, issuer, "discoveryURL");
}

static void read_audiences(struct reading *r, struct jwt_rules *j, const struct json *issuer, const char *here)
{
	const struct json *list = json_get(issuer, "audiences");
	struct slice policy = json_get_str(issuer, "audienceMatchPolicy");
	const char *place = at(r->e, "%s.audiences", here), *policy_place = at(r->e, "%s.audienceMatchPolicy", here);
	struct name_set seen = {MAP_INIT};
	size_t count = json_is(list, JSON_ARRAY) ? list->count : 0;
	const char **out = ARENA_ARRAY(r->arena, const char *, count + 1);
	if (!count)
		bad_required(r->e, place, at(r->e, "at least one %s is required", place));
	JSON_FOREACH (it, count ? list : NULL) {
		const char *one = at(r->e, "%s[%zu]", place, j->n_audiences);
		if (!json_str(it).len)
			bad_required(r->e, one, "audience can't be empty");
		else if (!name_set_add(&seen, json_str(it)))
			bad_duplicate(r->e, one, json_str(it));
		out[j->n_audiences++] = json_cstr(r->arena, it);
	}
	name_set_release(&seen);
	if (count > 1 && !slice_is(policy, "MatchAny"))
		bad_value(r->e, policy_place, policy, "audienceMatchPolicy must be MatchAny for multiple audiences");
	if (count == 1 && policy.len && !slice_is(policy, "MatchAny"))
		bad_value(r->e, policy_place, policy,
		        "audienceMatchPolicy must be empty or MatchAny for single audience");
	j->audiences = out;
}

static void read_issuer(struct reading *r, struct jwt_rules *j, const struct json *issuer, const char *here)
{
	struct slice ca = json_get_str(issuer, "certificateAuthority");
	struct pki_info info;
	struct err err = ERR_INIT;
	config_check_object(r->e, issuer, here, "url,discoveryURL,certificateAuthority,audiences,audienceMatchPolicy");
	read_urls(r, j, issuer, here);
	read_audiences(r, j, issuer, here);
	if (!ca.len)
		return;
	j->ca_pem = text_of(r, issuer, "certificateAuthority");
	if (pki_info(j->ca_pem, &info, &err) != 0)
		field_error_add(r->e, "FieldValueInvalid", at(r->e, "%s.certificateAuthority", here),
		        "Invalid value: \"<omitted>\": %s", err.msg);
}

/* ---- expressions ---- */

/* Does the text speak of claims.NAME, or claims.?NAME, or claims["NAME"]? */
static bool speaks_of(const char *expression, const char *name)
{
	size_t len = strlen(name);
	for (const char *p = strstr(expression, name); p; p = strstr(p + 1, name)) {
		char before = p == expression ? 0 : p[-1], after = p[len];
		bool is_word = (after >= 'a' && after <= 'z') || (after >= '0' && after <= '9') || after == '_';
		if ((before == '.' || before == '?' || before == '"' || before == '\'') && !is_word)
			return true;
	}
	return false;
}

/* Over `claims` or `user`; NULL with an error when it does not compile, or is no bool where it must be. */
static const struct cel_program *compile(
        struct reading *r, const char *text, bool is_of_user, bool is_rule, const char *here)
{
	const struct cel_variable variable = {
	        is_of_user ? "user" : "claims", is_of_user ? &kube_user_type : &jwt_claims_type};
	struct strbuf words = STRBUF_INIT;
	const struct cel_program *p = cel_compile(r->arena, kube_cel_env(), &variable, 1, slice_of(text), &words);
	if (!p)
		bad_value(r->e, here, slice_of(text), at(r->e, "compilation failed: %s", strbuf_cstr(&words)));
	strbuf_release(&words);
	if (p && is_rule && cel_program_type(p)->kind != CEL_BOOL) {
		bad_value(r->e, here, slice_of(text), "must evaluate to bool");
		return NULL;
	}
	return p;
}

/* ---- mappings ---- */

static void read_mapping(
        struct reading *r, struct jwt_mapping *m, const struct json *v, bool has_prefix, const char *here)
{
	const struct json *prefix = json_get(v, "prefix");
	const char *claim = text_of(r, v, "claim"), *expression = text_of(r, v, "expression");
	config_check_object(r->e, v, here, has_prefix ? "claim,prefix,expression" : "claim,expression");
	if (*claim && *expression)
		bad_value(r->e, here, SLICE(""), BOTH);
	if (*claim && has_prefix && !json_is(prefix, JSON_STRING))
		bad_required(r->e, at(r->e, "%s.prefix", here),
		        "prefix is required when claim is set. It can be set to an empty string to disable prefixing");
	if (!*claim && prefix)
		bad_value(r->e, at(r->e, "%s.prefix", here), json_str(prefix),
		        *expression ? "prefix can't be set when expression is set" : "prefix needs a claim");
	if (*claim)
		*m = (struct jwt_mapping){claim, text_of(r, v, "prefix"), NULL};
	else if (*expression)
		m->program = compile(r, expression, false, false, at(r->e, "%s.expression", here));
}

static void read_username(struct reading *r, struct jwt_rules *j, const struct json *v, const char *here)
{
	const char *expression = text_of(r, v, "expression");
	if (!*text_of(r, v, "claim") && !*expression) {
		bad_required(r->e, here, NEITHER);
		return;
	}
	read_mapping(r, &j->username, v, true, here);
	r->uses_email = speaks_of(expression, "email");
	r->uses_verified = speaks_of(expression, "email_verified");
}

static bool is_reserved(struct slice domain)
{
	return slice_is(domain, "k8s.io") || slice_is(domain, "kubernetes.io") || slice_ends(domain, ".k8s.io") ||
	       slice_ends(domain, ".kubernetes.io");
}

static void check_key(struct reading *r, struct slice key, struct name_set *seen, const char *here)
{
	struct slice path = key, domain = slice_cut(&path, '/');
	if (!key.len) {
		bad_required(r->e, here, "");
		return;
	}
	if (!path.ptr || !path.len || validate_dns1123_subdomain(domain))
		bad_value(r->e, here, key, "must be a domain-prefixed path (such as \"acme.io/foo\")");
	else if (is_reserved(domain))
		bad_value(
		        r->e, here, key, "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use");
	for (size_t i = 0; i < key.len; i++)
		if (key.ptr[i] >= 'A' && key.ptr[i] <= 'Z') {
			bad_value(r->e, here, key, "key must be lowercase");
			break;
		}
	if (!name_set_add(seen, key))
		bad_duplicate(r->e, here, key);
}

static void read_extras(struct reading *r, struct jwt_rules *j, const struct json *list, const char *here)
{
	struct name_set seen = {MAP_INIT};
	struct jwt_extra *out = ARENA_ARRAY(r->arena, struct jwt_extra, (list ? list->count : 0) + 1);
	JSON_FOREACH (it, list) {
		const char *one = at(r->e, "%s[%zu]", here, j->n_extras), *text = text_of(r, it, "valueExpression");
		struct jwt_extra *x = &out[j->n_extras++];
		config_check_object(r->e, it, one, "key,valueExpression");
		check_key(r, json_get_str(it, "key"), &seen, at(r->e, "%s.key", one));
		x->key = text_of(r, it, "key");
		if (!*text)
			bad_required(r->e, at(r->e, "%s.valueExpression", one), "valueExpression is required");
		else
			x->program = compile(r, text, false, false, at(r->e, "%s.valueExpression", one));
		r->uses_verified |= speaks_of(text, "email_verified");
	}
	name_set_release(&seen);
	j->extras = out;
}

static void read_mappings(struct reading *r, struct jwt_rules *j, const struct json *v, const char *here)
{
	config_check_object(r->e, v, here, "username,groups,uid,extra");
	config_check_type(r->e, v, here, "extra", JSON_ARRAY);
	read_username(r, j, json_get(v, "username"), at(r->e, "%s.username", here));
	read_mapping(r, &j->groups, json_get(v, "groups"), true, at(r->e, "%s.groups", here));
	read_mapping(r, &j->uid, json_get(v, "uid"), false, at(r->e, "%s.uid", here));
	const struct json *extra = json_get(v, "extra");
	read_extras(r, j, json_is(extra, JSON_ARRAY) ? extra : NULL, at(r->e, "%s.extra", here));
}

/* ---- rules ---- */

static void read_claim_rule(
        struct reading *r, struct jwt_rule *rule, const struct json *v, struct name_set *seen, const char *here)
{
	struct slice value = json_get_str(v, "requiredValue"), claim = json_get_str(v, "claim");
	config_check_object(r->e, v, here, "claim,requiredValue,expression,message");
	*rule = (struct jwt_rule){.expression = text_of(r, v, "expression"), .message = text_of(r, v, "message")};
	if (claim.len && *rule->expression)
		bad_value(r->e, here, claim, BOTH);
	else if (!claim.len && !*rule->expression)
		bad_required(r->e, here, NEITHER);
	if (claim.len && *rule->message)
		bad_value(r->e, at(r->e, "%s.message", here), slice_of(rule->message),
		        "message can't be set when claim is set");
	if (!claim.len && *rule->expression && value.len)
		bad_value(r->e, at(r->e, "%s.requiredValue", here), value,
		        "requiredValue can't be set when expression is set");
	if (claim.len) {
		rule->claim = text_of(r, v, "claim");
		rule->value = text_of(r, v, "requiredValue");
	} else if (*rule->expression) {
		rule->program = compile(r, rule->expression, false, true, at(r->e, "%s.expression", here));
	}
	struct slice key = claim.len ? claim : slice_of(rule->expression);
	if (key.len && !name_set_add(seen, key))
		bad_duplicate(r->e, at(r->e, "%s.%s", here, claim.len ? "claim" : "expression"), key);
	r->uses_verified |= speaks_of(rule->expression, "email_verified");
}

static void read_user_rule(
        struct reading *r, struct jwt_rule *rule, const struct json *v, struct name_set *seen, const char *here)
{
	config_check_object(r->e, v, here, "expression,message");
	*rule = (struct jwt_rule){.expression = text_of(r, v, "expression"), .message = text_of(r, v, "message")};
	if (!*rule->expression)
		bad_required(r->e, at(r->e, "%s.expression", here), "expression is required");
	else if (!name_set_add(seen, slice_of(rule->expression)))
		bad_duplicate(r->e, at(r->e, "%s.expression", here), slice_of(rule->expression));
	else
		rule->program = compile(r, rule->expression, true, true, at(r->e, "%s.expression", here));
}

static const struct jwt_rule *read_rules(struct reading *r, const struct json *list, size_t *ret_count,
        void (*one)(struct reading *r, struct jwt_rule *rule, const struct json *v, struct name_set *seen,
                const char *here),
        const char *here)
{
	struct name_set seen = {MAP_INIT};
	size_t n = 0;
	struct jwt_rule *out =
	        ARENA_ARRAY(r->arena, struct jwt_rule, (json_is(list, JSON_ARRAY) ? list->count : 0) + 1);
	JSON_FOREACH (it, json_is(list, JSON_ARRAY) ? list : NULL) {
		one(r, &out[n], it, &seen, at(r->e, "%s[%zu]", here, n));
		n++;
	}
	name_set_release(&seen);
	*ret_count = n;
	return out;
}

/* ---- the whole ---- */

static void read_jwt(struct reading *r, const struct json *v, const char *here)
{
	struct jwt_rules *j = ARENA_NEW(r->arena, struct jwt_rules);
	const char *mappings = at(r->e, "%s.claimMappings", here);
	r->uses_email = r->uses_verified = false;
	config_check_object(r->e, v, here, "issuer,claimValidationRules,claimMappings,userValidationRules");
	config_check_type(r->e, v, here, "claimValidationRules", JSON_ARRAY);
	config_check_type(r->e, v, here, "userValidationRules", JSON_ARRAY);
	read_issuer(r, j, json_get(v, "issuer"), at(r->e, "%s.issuer", here));
	j->claim_rules = read_rules(r, json_get(v, "claimValidationRules"), &j->n_claim_rules, read_claim_rule,
	        at(r->e, "%s.claimValidationRules", here));
	bool rules_use_it = r->uses_verified;
	read_mappings(r, j, json_get(v, "claimMappings"), mappings);
	j->user_rules = read_rules(r, json_get(v, "userValidationRules"), &j->n_user_rules, read_user_rule,
	        at(r->e, "%s.userValidationRules", here));
	if (r->uses_email && !r->uses_verified && !rules_use_it)
		bad_value(r->e, at(r->e, "%s.username.expression", mappings),
		        json_str(json_path(v, "claimMappings", "username", "expression", NULL)),
		        "claims.email_verified must be used in claimMappings.username.expression or "
		        "claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when "
		        "claims.email is "
		        "used in claimMappings.username.expression");
	r->config->issuers[r->config->count++] = j;
}

static void read_anonymous(struct reading *r, const struct json *v)
{
	const struct json *list = json_get(v, "conditions");
	struct authentication_config *c = r->config;
	const char **paths = ARENA_ARRAY(r->arena, const char *, (json_is(list, JSON_ARRAY) ? list->count : 0) + 1);
	config_check_object(r->e, v, "anonymous", "enabled,conditions");
	config_check_type(r->e, v, "anonymous", "conditions", JSON_ARRAY);
	c->allows_anonymous = json_get_bool(v, "enabled", false);
	JSON_FOREACH (it, json_is(list, JSON_ARRAY) ? list : NULL) {
		config_check_object(r->e, it, at(r->e, "anonymous.conditions[%zu]", c->n_anonymous_paths), "path");
		paths[c->n_anonymous_paths++] = text_of(r, it, "path");
	}
	c->anonymous_paths = paths;
	if (c->n_anonymous_paths && !c->allows_anonymous)
		bad_value(r->e, "anonymous.conditions", SLICE("..."),
		        "enabled should be set to true when conditions are defined");
}

static int read_all(struct reading *r, const struct json *tree, struct err *err)
{
	const struct json *list = json_get(tree, "jwt");
	int i = 0;
	config_check_object(r->e, tree, "the configuration", "apiVersion,kind,jwt,anonymous");
	config_check_type(r->e, tree, "", "jwt", JSON_ARRAY);
	if (json_is(list, JSON_ARRAY) && list->count > JWT_ISSUERS_MAX)
		field_error_add(r->e, "FieldValueTooMany", "jwt", "Too many: %u: must have at most %d items",
		        list->count, JWT_ISSUERS_MAX);
	JSON_FOREACH (it, json_is(list, JSON_ARRAY) && list->count <= JWT_ISSUERS_MAX ? list : NULL)
		read_jwt(r, it, at(r->e, "jwt[%d]", i++));
	read_anonymous(r, json_get(tree, "anonymous"));
	return config_errors_tell(r->e, err);
}

int authentication_config_parse(
        struct slice text, const struct flag_list *own, struct authentication_config **ret, struct err *err)
{
	struct authentication_config *c = xcalloc(1, sizeof *c);
	struct reading r = {.arena = &c->arena, .config = c, .own = own};
	const struct json *tree =
	        config_text_parse(&c->arena, text, "AuthenticationConfiguration", "v1beta1,v1alpha1", err);
	int rc = tree ? 0 : err->code;
	if (tree) {
		r.e = ARENA_NEW(&c->arena, struct field_errors);
		field_errors_init(r.e, &c->arena);
		rc = read_all(&r, tree, err);
	}
	name_set_release(&r.urls);
	name_set_release(&r.discovery_urls);
	if (rc == 0)
		*ret = c;
	else
		authentication_config_free(c);
	return rc;
}

int authentication_config_load(
        const char *path, const struct flag_list *own, struct authentication_config **ret, struct err *err)
{
	char *text;
	size_t len;
	if (pki_file_read(path, &text, &len, err) != 0)
		return err_wrap(err, "authentication-config");
	int rc = authentication_config_parse((struct slice){text, len}, own, ret, err);
	free(text);
	return rc == 0 ? 0 : err_wrap(err, "authentication-config: %s", path);
}

void authentication_config_free(struct authentication_config *c)
{
	if (!c)
		return;
	arena_release(&c->arena);
	free(c);
}

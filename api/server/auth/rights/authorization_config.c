/* See authorization_config.h. Upstream: apiserver pkg/apis/apiserver/{v1/defaults.go,validation} and
 * pkg/authorization/cel. A field that is misspelt is refused, for it would be a rule that its author believes in. */
#include "api/server/auth/rights/authorization_config.h"

#include "api/machinery/cel/kube_cel.h"
#include "api/machinery/cel/policy_env.h"
#include "api/machinery/rules/checks.h"
#include "api/server/auth/config_text.h"
#include "api/server/auth/review_json.h"
#include "base/check.h"
#include "base/time/duration.h"
#include "base/pki/pki.h"

#include <stdlib.h>

enum { TIMEOUT_MS_MAX = 30000, CONDITIONS_MAX = 64, AUTHORIZED_TTL_MS = 300000, UNAUTHORIZED_TTL_MS = 30000 };

static const struct {
	const char *name;
	enum authorizer_type type;
} types[] = {{"AlwaysAllow", AUTHORIZER_ALLOW}, {"AlwaysDeny", AUTHORIZER_DENY}, {"Node", AUTHORIZER_NODE},
        {"RBAC", AUTHORIZER_RBAC}, {"Webhook", AUTHORIZER_WEBHOOK}};

#define TYPES "AlwaysAllow,AlwaysDeny,Node,RBAC,Webhook"

/* ---- what conditions see ---- */

/* in the order of names */
static const struct cel_field resource_fields[] = {KUBE_CEL_FIELD("group", &cel_type_string),
        KUBE_CEL_FIELD("name", &cel_type_string), KUBE_CEL_FIELD("namespace", &cel_type_string),
        KUBE_CEL_FIELD("resource", &cel_type_string), KUBE_CEL_FIELD("subresource", &cel_type_string),
        KUBE_CEL_FIELD("verb", &cel_type_string), KUBE_CEL_FIELD("version", &cel_type_string)};
static const struct cel_field path_fields[] = {
        KUBE_CEL_FIELD("path", &cel_type_string), KUBE_CEL_FIELD("verb", &cel_type_string)};
static const struct cel_type resource_type = KUBE_CEL_OBJECT("kubernetes.ResourceAttributes", resource_fields),
                             path_type = KUBE_CEL_OBJECT("kubernetes.NonResourceAttributes", path_fields);
static const struct cel_field request_fields[] = {KUBE_CEL_FIELD("extra", &kube_text_lists_type),
        KUBE_CEL_FIELD("groups", &kube_texts_type), KUBE_CEL_FIELD("nonResourceAttributes", &path_type),
        KUBE_CEL_FIELD("resourceAttributes", &resource_type), KUBE_CEL_FIELD("uid", &cel_type_string),
        KUBE_CEL_FIELD("user", &cel_type_string)};
static const struct cel_type request_type = KUBE_CEL_OBJECT("kubernetes.SubjectAccessReviewSpec", request_fields);

enum authorizer_match authorizer_matches(
        const struct authorizer_config *c, struct arena *a, const struct attributes *z, const char **ret_why)
{
	struct cel_value values[POLICY_VARIABLES_MAX];
	struct strbuf text = STRBUF_INIT;
	if (!c->conditions)
		return AUTHORIZER_IS_ASKED;
	access_review_write(&text, "authorization.k8s.io/v1", z);
	const struct json *review = json_parse(a, strbuf_slice(&text), NULL, NULL);
	strbuf_release(&text);
	for (size_t i = 0; i < POLICY_VARIABLES_MAX; i++)
		values[i] = cel_null();
	values[POLICY_REQUEST] = cel_of_json(a, json_get(review, "spec"), &request_type);
	switch (match_conditions_ask(c->conditions, a, values, ret_why)) {
	case MATCH_HOLDS:
		return AUTHORIZER_IS_ASKED;
	case MATCH_FAILS:
		return AUTHORIZER_IS_PASSED_OVER;
	case MATCH_ERROR:
		break;
	}
	return AUTHORIZER_HAS_FAILED;
}

/* ---- a webhook ---- */

struct bad_conditions {
	struct field_errors *e;
	const struct json *list;
	const char *here;
};

static void condition_is_bad(void *arg, size_t index, const char *words)
{
	const struct bad_conditions *b = arg;
	bad_value(b->e, at(b->e, "%s[%zu].expression", b->here, index),
	        json_get_str(json_at(b->list, index), "expression"), words);
}

static void read_conditions(
        struct field_errors *e, struct arena *a, struct authorizer_config *c, const struct json *list, const char *here)
{
	struct bad_conditions bad = {e, list, here};
	struct name_set seen = {MAP_INIT};
	struct policy_env env = {.vars = {[POLICY_REQUEST] = {"request", &request_type}}};
	size_t before = e->count;
	int i = 0;
	if (!list || !list->count)
		return;
	for (size_t k = 0; k < POLICY_VARIABLES_MAX; k++)
		if (!env.vars[k].name)
			env.vars[k] = (struct cel_variable){"", &cel_type_dyn};
	if (list->count > CONDITIONS_MAX)
		field_error_add(e, "FieldValueTooMany", here, "Too many: %u: must have at most %d items", list->count,
		        CONDITIONS_MAX);
	JSON_FOREACH (it, list) {
		const char *at_one = at(e, "%s[%d]", here, i++);
		struct slice text = json_get_str(it, "expression");
		config_check_object(e, it, at_one, "expression");
		if (!slice_trim(text).len)
			bad_required(e, at(e, "%s.expression", at_one), "");
		else if (!name_set_add(&seen, text))
			bad_duplicate(e, at(e, "%s.expression", at_one), text);
	}
	name_set_release(&seen);
	if (e->count == before)
		c->conditions = match_conditions_new(a, &env, list, condition_is_bad, &bad);
}

/* A span of time; `fallback` when it is not there. */
static uint64_t read_span(
        struct field_errors *e, const struct json *v, const char *name, const char *here, uint64_t fallback)
{
	struct slice text = json_get_str(v, name);
	uint64_t ms = 0;
	if (!json_get(v, name))
		return fallback;
	if (!text.len || !duration_parse_ms(json_cstr(e->arena, json_get(v, name)), &ms) || !ms)
		bad_value(e, at(e, "%s.%s", here, name), text, "must be > 0s");
	return ms;
}

static void read_connection(
        struct field_errors *e, struct arena *a, struct authorizer_config *c, const struct json *v, const char *here)
{
	struct slice type = json_get_str(v, "type");
	const struct json *file = json_get(v, "kubeConfigFile");
	config_check_object(e, v, here, "type,kubeConfigFile");
	if (!type.len)
		bad_required(e, at(e, "%s.type", here), "");
	else
		check_choice(e, at(e, "%s.type", here), type, "InClusterConfig,KubeConfigFile", true);
	if (slice_is(type, "InClusterConfig") && file)
		bad_value(e, at(e, "%s.kubeConfigFile", here), json_str(file),
		        "can only be set when type=KubeConfigFile");
	if (slice_is(type, "InClusterConfig"))
		field_error_add(e, "FieldValueForbidden", at(e, "%s.type", here),
		        "Forbidden: this server is no pod of a cluster: name a kubeConfigFile");
	if (!slice_is(type, "KubeConfigFile"))
		return;
	if (!json_str(file).len)
		bad_required(e, at(e, "%s.kubeConfigFile", here), "");
	else if (json_str(file).ptr[0] != '/')
		bad_value(e, at(e, "%s.kubeConfigFile", here), json_str(file), "must be an absolute path");
	else
		c->kubeconfig = json_cstr(a, file);
}

static const char *read_version(struct field_errors *e, const struct json *v, const char *here)
{
	struct slice version = json_get_str(v, "subjectAccessReviewVersion"),
	             condition = json_get_str(v, "matchConditionSubjectAccessReviewVersion");
	const struct json *conditions = json_get(v, "matchConditions");
	if (!version.len)
		bad_required(e, at(e, "%s.subjectAccessReviewVersion", here), "");
	else
		check_choice(e, at(e, "%s.subjectAccessReviewVersion", here), version, "v1,v1beta1", true);
	if (!condition.len && conditions && conditions->count)
		bad_required(e, at(e, "%s.matchConditionSubjectAccessReviewVersion", here),
		        "required if match conditions are specified");
	else if (condition.len)
		check_choice(e, at(e, "%s.matchConditionSubjectAccessReviewVersion", here), condition, "v1", true);
	return slice_is(version, "v1beta1") ? "authorization.k8s.io/v1beta1" : "authorization.k8s.io/v1";
}

static void read_webhook(
        struct field_errors *e, struct arena *a, struct authorizer_config *c, const struct json *v, const char *here)
{
	struct slice policy = json_get_str(v, "failurePolicy");
	uint64_t timeout_ms = read_span(e, v, "timeout", here, 0);
	config_check_object(e, v, here,
	        "authorizedTTL,unauthorizedTTL,timeout,subjectAccessReviewVersion,"
	        "matchConditionSubjectAccessReviewVersion,failurePolicy,connectionInfo,matchConditions");
	config_check_type(e, v, here, "matchConditions", JSON_ARRAY);
	if (!json_get(v, "timeout"))
		bad_required(e, at(e, "%s.timeout", here), "");
	else if (timeout_ms > TIMEOUT_MS_MAX)
		bad_value(e, at(e, "%s.timeout", here), json_get_str(v, "timeout"), "must be > 0s and <= 30s");
	c->timeout_ms = (unsigned)(timeout_ms < TIMEOUT_MS_MAX ? timeout_ms : TIMEOUT_MS_MAX);
	c->authorized_ttl_ms = read_span(e, v, "authorizedTTL", here, AUTHORIZED_TTL_MS);
	c->unauthorized_ttl_ms = read_span(e, v, "unauthorizedTTL", here, UNAUTHORIZED_TTL_MS);
	c->api_version = read_version(e, v, here);
	if (!policy.len)
		bad_required(e, at(e, "%s.failurePolicy", here), "");
	else
		check_choice(e, at(e, "%s.failurePolicy", here), policy, "NoOpinion,Deny", true);
	c->denies_on_failure = slice_is(policy, "Deny");
	if (!json_get(v, "connectionInfo"))
		bad_required(e, at(e, "%s.connectionInfo", here), "");
	else
		read_connection(e, a, c, json_get(v, "connectionInfo"), at(e, "%s.connectionInfo", here));
	read_conditions(e, a, c, json_get(v, "matchConditions"), at(e, "%s.matchConditions", here));
}

/* ---- all ---- */

static bool find_type(struct slice name, enum authorizer_type *ret)
{
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (slice_is(name, types[i].name)) {
			*ret = types[i].type;
			return true;
		}
	return false;
}

static void read_one(struct field_errors *e, struct authorization_config *all, const struct json *v, const char *here)
{
	struct authorizer_config *c = &all->items[all->count];
	struct slice type = json_get_str(v, "type"), name = json_get_str(v, "name");
	const struct json *webhook = json_get(v, "webhook");
	*c = (struct authorizer_config){.name = json_cstr(&all->arena, json_get(v, "name"))};
	config_check_object(e, v, here, "type,name,webhook");
	if (!type.len)
		bad_required(e, at(e, "%s.type", here), "");
	else if (!find_type(type, &c->type))
		check_choice(e, at(e, "%s.type", here), type, TYPES, true);
	for (size_t i = 0; i < all->count && type.len; i++)
		if (c->type == all->items[i].type && c->type != AUTHORIZER_WEBHOOK)
			bad_duplicate(e, at(e, "%s.type", here), type);
	if (!name.len)
		bad_required(e, at(e, "%s.name", here), "");
	else if (validate_dns1123_subdomain(name))
		bad_value(e, at(e, "%s.name", here), name, validate_dns1123_subdomain(name));
	for (size_t i = 0; i < all->count && name.len; i++)
		if (slice_is(name, all->items[i].name))
			bad_duplicate(e, at(e, "%s.name", here), name);
	if (slice_is(type, "Webhook") && !json_is(webhook, JSON_OBJECT))
		bad_required(e, at(e, "%s.webhook", here), "required when type=Webhook");
	else if (slice_is(type, "Webhook"))
		read_webhook(e, &all->arena, c, webhook, at(e, "%s.webhook", here));
	else if (webhook)
		bad_value(e, at(e, "%s.webhook", here), SLICE("non-null"), "may only be specified when type=Webhook");
	all->count++;
}

static int read_all(struct authorization_config *c, const struct json *tree, struct err *err)
{
	const struct json *list = json_get(tree, "authorizers");
	struct field_errors *e = ARENA_NEW(&c->arena, struct field_errors);
	int i = 0;
	field_errors_init(e, &c->arena);
	config_check_object(e, tree, "the configuration", "apiVersion,kind,authorizers");
	if (!json_is(list, JSON_ARRAY) || !list->count)
		bad_required(e, "authorizers", "at least one authorization mode must be defined");
	else if (list->count > AUTHORIZERS_MAX)
		field_error_add(e, "FieldValueTooMany", "authorizers", "Too many: %u: must have at most %d items",
		        list->count, AUTHORIZERS_MAX);
	JSON_FOREACH (it, json_is(list, JSON_ARRAY) && list->count <= AUTHORIZERS_MAX ? list : NULL)
		read_one(e, c, it, at(e, "authorizers[%d]", i++));
	return config_errors_tell(e, err);
}

int authorization_config_parse(struct slice text, struct authorization_config **ret, struct err *err)
{
	struct authorization_config *c = xcalloc(1, sizeof *c);
	const struct json *tree =
	        config_text_parse(&c->arena, text, "AuthorizationConfiguration", "v1,v1beta1,v1alpha1", err);
	if (!tree || read_all(c, tree, err) != 0) {
		authorization_config_free(c);
		return err->code;
	}
	*ret = c;
	return 0;
}

int authorization_config_load(const char *path, struct authorization_config **ret, struct err *err)
{
	char *text;
	size_t len;
	if (pki_file_read(path, &text, &len, err) != 0)
		return err_wrap(err, "authorization-config");
	int rc = authorization_config_parse((struct slice){text, len}, ret, err);
	free(text);
	return rc == 0 ? 0 : err_wrap(err, "authorization-config: %s", path);
}

/* ---- the arguments ---- */

static int add_mode(struct authorization_config *c, const struct api_authorization_arguments *args, const char *mode,
        struct err *err)
{
	struct authorizer_config *one = &c->items[c->count];
	*one = (struct authorizer_config){.name = mode,
	        .kubeconfig = args->webhook_config_file,
	        .timeout_ms = TIMEOUT_MS_MAX,
	        .authorized_ttl_ms = args->authorized_ttl_ms,
	        .unauthorized_ttl_ms = args->unauthorized_ttl_ms};
	if (!find_type(slice_of(mode), &one->type) || one->type == AUTHORIZER_ALLOW || one->type == AUTHORIZER_DENY)
		return err_set(err, ERR_INVAL, "authorization-mode: \"%s\" is none of Node, RBAC, Webhook", mode);
	for (size_t i = 0; i < c->count; i++)
		if (c->items[i].type == one->type)
			return err_set(err, ERR_INVAL, "authorization-mode: %s is there twice", mode);
	c->count++;
	if (one->type != AUTHORIZER_WEBHOOK)
		return 0;
	if (!args->webhook_config_file)
		return err_set(
		        err, ERR_INVAL, "authorization-mode has Webhook: authorization-webhook-config-file is missing");
	if (strcmp(args->webhook_version, "v1") != 0 && strcmp(args->webhook_version, "v1beta1") != 0)
		return err_set(err, ERR_INVAL, "authorization-webhook-version: \"%s\" is neither v1 nor v1beta1",
		        args->webhook_version);
	one->api_version = arena_printf(&c->arena, "authorization.k8s.io/%s", args->webhook_version);
	return 0;
}

static bool has_webhook(const struct authorization_config *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->items[i].type == AUTHORIZER_WEBHOOK)
			return true;
	return false;
}

int authorization_config_of_arguments(
        const struct api_authorization_arguments *args, struct authorization_config **ret, struct err *err)
{
	static const char *const by_default[] = {"Node", "RBAC"};
	struct authorization_config *c = xcalloc(1, sizeof *c);
	size_t n = args->modes.count ? args->modes.count : COUNT_OF(by_default);
	const char *const *modes = args->modes.count ? (const char *const *)args->modes.items : by_default;
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_mode(c, args, modes[i], err);
	if (rc == 0 && args->webhook_config_file && !has_webhook(c))
		rc = err_set(err, ERR_INVAL,
		        "authorization-webhook-config-file: there is no Webhook in authorization-mode that would use "
		        "it");
	if (rc == 0)
		*ret = c;
	else
		authorization_config_free(c);
	return rc;
}

void authorization_config_free(struct authorization_config *c)
{
	if (!c)
		return;
	arena_release(&c->arena);
	free(c);
}

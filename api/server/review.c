/* Objects that are questions: TokenReview, SelfSubjectReview and the access reviews. They are answered and not stored.
 */
#include "api/server/authn_int.h"
#include "api/server/write_int.h"

static void set_user(struct arena *a, struct json *to, const struct user *u)
{
	json_set_str(a, to, "username", u->name);
	if (u->uid.len)
		json_set_str(a, to, "uid", u->uid);
	struct json *groups = json_set(a, to, "groups", json_new(a, JSON_ARRAY));
	for (size_t i = 0; i < u->n_groups; i++)
		json_append(groups, json_new_str(a, u->groups[i]));
}

static void token_review(struct call *c, const struct json *spec, struct json *status)
{
	struct arena *a = &c->arena;
	struct user user = {0};
	struct err err = ERR_INIT;
	struct json *audiences = NULL;
	if (authn_token(c->server, a, json_get_str(spec, "token"), &user, &audiences, &err) != 0) {
		json_set_bool(a, status, "authenticated", false);
		json_set_cstr(a, status, "error", err.msg);
		return;
	}
	json_set_bool(a, status, "authenticated", true);
	set_user(a, json_set(a, status, "user", json_new(a, JSON_OBJECT)), &user);
	if (audiences)
		json_set(a, status, "audiences", json_copy(a, audiences));
}

static bool names_masters(const struct json *groups)
{
	JSON_FOREACH (it, groups)
		if (slice_is(json_str(it), "system:masters"))
			return true;
	return false;
}

/* The same rule as in dispatch.c: masters may, others may not. */
static void access_review(struct call *c, const struct json *spec, struct json *status, bool self)
{
	bool allowed = self ? c->user.is_master : names_masters(json_get(spec, "groups"));
	json_set_bool(&c->arena, status, "allowed", allowed);
	if (!allowed)
		json_set_cstr(&c->arena, status, "reason", "only members of system:masters are allowed");
}

static void rules_review(struct call *c, struct json *status)
{
	struct arena *a = &c->arena;
	static const char all[] = "[{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}]";
	static const char paths[] = "[{\"verbs\":[\"*\"],\"nonResourceURLs\":[\"*\"]}]";
	json_set(
	        a, status, "resourceRules", json_parse(a, c->user.is_master ? slice_of(all) : SLICE("[]"), NULL, NULL));
	json_set(a, status, "nonResourceRules",
	        json_parse(a, c->user.is_master ? slice_of(paths) : SLICE("[]"), NULL, NULL));
	json_set_bool(a, status, "incomplete", false);
}

void api_review(struct call *c)
{
	const struct resource *r = c->route.resource;
	struct err err = ERR_INIT;
	struct json *review = body_read(c, r->type, r->kind, r->api_version, &err);
	if (!review) {
		call_respond_err(c, &err);
		return;
	}
	struct json *spec = json_get(review, "spec"),
	            *status = json_set(&c->arena, review, "status", json_new(&c->arena, JSON_OBJECT));
	if (strcmp(r->plural, "tokenreviews") == 0) {
		token_review(c, spec, status);
	} else if (strcmp(r->plural, "selfsubjectreviews") == 0) {
		set_user(
		        &c->arena, json_set(&c->arena, status, "userInfo", json_new(&c->arena, JSON_OBJECT)), &c->user);
	} else if (strcmp(r->plural, "selfsubjectrulesreviews") == 0) {
		rules_review(c, status);
	} else if (strstr(r->plural, "accessreviews")) {
		access_review(c, spec, status, strcmp(r->plural, "selfsubjectaccessreviews") == 0);
	} else {
		err_set(&err, ERR_UNIMPLEMENTED, "%s are not built yet", r->plural);
		call_respond_err(c, &err);
		return;
	}
	call_respond_tree(c, 201, review);
}

/* Objects that are questions: TokenReview, SelfSubjectReview and the access reviews. They are answered and not stored;
 * admission is asked about them as about what is.
 * What somebody may is asked where dispatch asks it (auth/authorize.h). */
#include "api/server/verbs/petition.h"
#include "api/server/verbs/verbs.h"

#include "api/server/answer.h"
#include "api/server/audit/audit.h"
#include "api/server/auth/identity/authn.h"
#include "api/server/auth/rights/authorize.h"
#include "api/server/auth/rights/node.h"
#include "api/server/auth/rights/rbac.h"
#include "api/server/body.h"
#include "api/server/state.h"
#include "base/check.h"

static void set_user(struct arena *a, struct json *to, const struct user *u)
{
	json_set_str(a, to, "username", u->name);
	if (u->uid.len)
		json_set_str(a, to, "uid", u->uid);
	struct json *groups = json_set(a, to, "groups", json_new(a, JSON_ARRAY));
	for (size_t i = 0; i < u->n_groups; i++)
		json_append(groups, json_new_str(a, u->groups[i]));
	for (const struct user_extra *e = u->extras; e; e = e->next) {
		struct json *extra = json_need(a, to, "extra", JSON_OBJECT), *values = json_get_slice(extra, e->key);
		if (!values)
			values = json_set_slice(a, extra, e->key, json_new(a, JSON_ARRAY));
		json_append(values, json_new_str(a, e->value));
	}
}

struct whose {
	struct token_question q; /* first */
	struct call *call;
	struct json *review, *status;
};

/* Told who asks about the token, as upstream does. */
static void pass_notes(struct call *c, const struct token_question *q)
{
	if (q->warning)
		call_warn(c, q->warning);
	for (size_t i = 0; i < q->n_notes; i++)
		audit_annotate(c, q->notes[i].key, q->notes[i].value);
}

static void token_known(struct token_question *q, const struct err *err)
{
	struct whose *w = (struct whose *)q;
	struct call *c = w->call;
	struct arena *a = &c->arena;
	json_set_bool(a, w->status, "authenticated", !err->code);
	if (err->code)
		json_set_cstr(a, w->status, "error", err->msg);
	else
		set_user(a, json_set(a, w->status, "user", json_new(a, JSON_OBJECT)), q->user);
	struct json *audiences = err->code ? NULL : json_need(a, w->status, "audiences", JSON_ARRAY);
	for (size_t i = 0; i < q->n_good_for && audiences; i++)
		json_append(audiences, json_new_str(a, q->good_for[i]));
	user_unref(q->user);
	if (!c->gone) {
		pass_notes(c, q);
		call_respond_tree(c, 201, w->review);
	}
	call_unref(c);
}

static void token_review(struct call *c, struct json *review, struct json *status)
{
	struct whose *w = ARENA_NEW(&c->arena, struct whose);
	struct json *spec = json_get(review, "spec"), *audiences = json_get(spec, "audiences");
	struct err err = ERR_INIT;
	struct slice *list = ARENA_ARRAY(&c->arena, struct slice, (audiences ? audiences->count : 0) + 1);
	if (!json_get_str(spec, "token").len) {
		err_set(&err, ERR_INVAL, "token is required for TokenReview in authentication");
		call_respond_err(c, &err);
		return;
	}
	*w = (struct whose){.call = call_ref(c), .review = review, .status = status};
	JSON_FOREACH (it, audiences)
		list[w->q.n_audiences++] = json_str(it);
	w->q.audiences = list;
	w->q.arena = &c->arena;
	w->q.token = json_get_str(spec, "token");
	w->q.done = token_known;
	if (authn_token(c->server, &w->q, &err) != AUTHN_LATER)
		token_known(&w->q, &err);
}

static void subject_review(struct call *c, struct json *review, struct json *status)
{
	set_user(&c->arena, json_set(&c->arena, status, "userInfo", json_new(&c->arena, JSON_OBJECT)), c->user);
	call_respond_tree(c, 201, review);
}

/* ---- access reviews ---- */

struct access {
	struct authorization z; /* first */
	struct call *call;
	struct user *user; /* a reference */
	struct json *review, *status;
};

static void access_known(struct authorization *z)
{
	struct access *k = (struct access *)z;
	struct call *c = k->call;
	json_set_bool(&c->arena, k->status, "allowed", z->verdict == VERDICT_ALLOW);
	if (z->verdict == VERDICT_DENY)
		json_set_bool(&c->arena, k->status, "denied", true);
	if (*z->reason)
		json_set_cstr(&c->arena, k->status, "reason", z->reason);
	call_respond_tree(c, 201, k->review);
	user_unref(k->user);
	call_unref(c);
}

static int take_attributes(struct access *k, const struct json *spec, struct err *err)
{
	struct json *resource = json_get(spec, "resourceAttributes"), *path = json_get(spec, "nonResourceAttributes");
	struct attributes *a = &k->z.attributes;
	if (!resource == !path)
		return err_set(err, ERR_INVALID_OBJECT,
		        "spec: Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be "
		        "specified");
	a->is_resource = resource != NULL;
	if (path) {
		a->verb = json_get_str(path, "verb");
		a->path = json_get_str(path, "path");
		return 0;
	}
	a->verb = json_get_str(resource, "verb");
	a->group = json_get_str(resource, "group");
	a->version = json_get_str(resource, "version");
	a->resource = json_get_str(resource, "resource");
	a->subresource = json_get_str(resource, "subresource");
	a->ns = json_get_str(resource, "namespace");
	a->name = json_get_str(resource, "name");
	return 0;
}

/* Of a SubjectAccessReview: whoever it names. NULL: nobody, or too many groups. */
static struct user *named_user(const struct json *spec, struct err *err)
{
	struct slice name = json_get_str(spec, "user");
	struct json *groups = json_get(spec, "groups");
	if (!name.len && !(groups && groups->first)) {
		err_set(err, ERR_INVALID_OBJECT,
		        "spec.user: Invalid value: at least one of user or group must be specified");
		return NULL;
	}
	struct user *u = user_new(name, json_get_str(spec, "uid"));
	JSON_FOREACH (it, groups)
		if (!user_add_group(u, json_str(it))) {
			user_unref(u);
			err_set(err, ERR_INVAL, "spec.groups: at most %d groups are looked at", USER_GROUPS_MAX);
			return NULL;
		}
	return u;
}

static void access_review(struct call *c, struct json *review, struct json *status)
{
	struct access *k = ARENA_NEW(&c->arena, struct access);
	struct json *spec = json_get(review, "spec");
	struct err err = ERR_INIT;
	bool self = strcmp(c->route.resource->plural, "selfsubjectaccessreviews") == 0;
	if (take_attributes(k, spec, &err) != 0 || !(k->user = self ? user_ref(c->user) : named_user(spec, &err))) {
		call_respond_err(c, &err);
		return;
	}
	bool local = strcmp(c->route.resource->plural, "localsubjectaccessreviews") == 0;
	if (local && (!k->z.attributes.is_resource || !slice_eq(k->z.attributes.ns, c->route.ns))) {
		user_unref(k->user);
		err_set(&err, ERR_INVALID_OBJECT,
		        "spec.resourceAttributes.namespace: Invalid value: must match metadata.namespace, \"%.*s\"",
		        SLICE_FMT(c->route.ns));
		call_respond_err(c, &err);
		return;
	}
	k->z.attributes.user = k->user;
	k->z.arena = &c->arena;
	k->z.explains = true;
	k->z.done = access_known;
	k->call = call_ref(c);
	k->review = review;
	k->status = status;
	authorize(c->server, &k->z);
}

/* ---- rules ---- */

struct rules {
	struct arena *arena;
	struct json *resources, *paths;
	struct strbuf absent;
};

static void add_rule(struct rules *x, const struct rbac_rule *r)
{
	struct json *o = rbac_rule_to_json(x->arena, r);
	json_append(r->urls.count ? x->paths : x->resources, o);
}

static bool take_grant(void *arg, const struct rbac_grant *g)
{
	struct rules *x = arg;
	if (!g->rules) {
		strbuf_adds(&x->absent, x->absent.len ? ", " : "");
		rbac_describe_absent(g, &x->absent);
	}
	for (size_t i = 0; g->rules && i < g->rules->count; i++)
		add_rule(x, &g->rules->items[i]);
	return true;
}

static void add_everything(struct rules *x)
{
	static const struct slice star[] = {{"*", 1}};
	const struct rbac_list any = {star, 1};
	add_rule(x, &(struct rbac_rule){.verbs = any, .groups = any, .resources = any});
	add_rule(x, &(struct rbac_rule){.verbs = any, .urls = any});
}

static void rules_review(struct call *c, struct json *review, struct json *status)
{
	struct arena *a = &c->arena;
	struct slice ns = json_str(json_path(review, "spec", "namespace", NULL)), node;
	struct rules x = {.arena = a};
	struct err err = ERR_INIT;
	if (!ns.len) {
		err_set(&err, ERR_INVAL, "no namespace on request: spec.namespace says where the rules are to hold");
		call_respond_err(c, &err);
		return;
	}
	x.resources = json_set(a, status, "resourceRules", json_new(a, JSON_ARRAY));
	x.paths = json_set(a, status, "nonResourceRules", json_new(a, JSON_ARRAY));
	if (user_is_in(c->user, "system:masters"))
		add_everything(&x);
	rbac_index_each(c->server->rbac, c->user, ns, take_grant, &x);
	if (node_identity(c->user, &node))
		strbuf_addf(
		        &x.absent, "%snode authorizer does not support user rule resolution", x.absent.len ? ", " : "");
	if (authorizers_have_webhook(c->server->authorizers))
		strbuf_addf(&x.absent, "%swebhook authorizer does not support user rule resolution",
		        x.absent.len ? ", " : "");
	json_set_bool(a, status, "incomplete", x.absent.len > 0);
	if (x.absent.len)
		json_set_str(a, status, "evaluationError", strbuf_slice(&x.absent));
	strbuf_release(&x.absent);
	call_respond_tree(c, 201, review);
}

/* ---- */

static const struct review {
	const char *plural;
	void (*answer)(struct call *c, struct json *review, struct json *status);
} rows[] = {
        {"tokenreviews", token_review},
        {"selfsubjectreviews", subject_review},
        {"selfsubjectrulesreviews", rules_review},
        {"selfsubjectaccessreviews", access_review},
        {"subjectaccessreviews", access_review},
        {"localsubjectaccessreviews", access_review},
};

struct question {
	struct petition petition; /* first */
	const struct review *review;
};

static void granted(struct petition *p)
{
	struct call *c = p->admission.call;
	struct json *object = p->admission.object;
	const struct review *r = ((struct question *)p)->review;
	r->answer(c, object, json_set(&c->arena, object, "status", json_new(&c->arena, JSON_OBJECT)));
}

void api_review(struct call *c)
{
	const struct resource *r = c->route.resource;
	struct question *q = ARENA_NEW(&c->arena, struct question);
	struct err err = ERR_INIT;
	bool is_dry_run;
	LOOP_CHECK_OWNER(c->loop);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(r->plural, rows[i].plural) == 0)
			q->review = &rows[i];
	if (!q->review)
		err_set(&err, ERR_UNIMPLEMENTED, "%s are not built yet", r->plural);
	struct json *object = err.code ? NULL : body_read(c, r->type, r->kind, r->api_version, &err);
	if (object && body_dry_run(c, &is_dry_run, &err) == 0)
		petition_start(&q->petition, c, ADMISSION_CREATE, NULL, object, is_dry_run, granted);
	else
		call_respond_err(c, &err);
}

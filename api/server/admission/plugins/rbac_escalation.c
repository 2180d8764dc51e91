/* Nobody gives away more than he has: who writes a role must hold all of its rules himself, there where it holds, or be
 * allowed the verb `escalate` on it; who binds somebody to a role must hold all that the role allows, or be allowed
 * `bind` on it. Upstream does this in the storage of the group (pkg/registry/rbac); the words are its.
 *
 * The rules are compared at once; only when they do not suffice the verb is asked for, which may take a turn of the
 * loop. A write that changes only finalizers and owners changes nobody's rights and passes. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/auth/rights/authorize.h"
#include "api/server/auth/rights/rbac.h"
#include "api/server/call.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "base/check.h"

#include <stdlib.h>

struct escalation {
	struct authorization z;
	struct admission *a;
	struct err refusal;
};

/* ---- what the user holds ---- */

struct held {
	struct arena *arena;
	struct rbac_rules rules;
	size_t cap;
	struct strbuf absent; /* roles he is bound to that are not there */
};

static bool take_grant(void *arg, const struct rbac_grant *g)
{
	struct held *h = arg;
	if (!g->rules) {
		strbuf_adds(&h->absent, h->absent.len ? ", " : "");
		rbac_describe_absent(g, &h->absent);
		return true;
	}
	if (h->rules.count + g->rules->count > h->cap) {
		h->cap = 2 * (h->rules.count + g->rules->count);
		struct rbac_rule *items = ARENA_ARRAY(h->arena, struct rbac_rule, h->cap);
		if (h->rules.count)
			memcpy(items, h->rules.items, h->rules.count * sizeof *items);
		h->rules.items = items;
	}
	if (g->rules->count)
		memcpy(h->rules.items + h->rules.count, g->rules->items, g->rules->count * sizeof *h->rules.items);
	h->rules.count += g->rules->count;
	return true;
}

/* ---- the refusal ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_missing(struct arena *a, const struct rbac_rules *missing, struct strbuf *out)
{
	struct rbac_rules rules = rbac_rules_compact(a, missing);
	const char **texts = ARENA_ARRAY(a, const char *, rules.count);
	for (size_t i = 0; i < rules.count; i++) {
		struct strbuf one = STRBUF_INIT;
		rbac_rule_describe(&rules.items[i], &one);
		texts[i] = arena_strdup(a, strbuf_cstr(&one));
		strbuf_release(&one);
	}
	qsort(texts, rules.count, sizeof *texts, by_text);
	for (size_t i = 0; i < rules.count; i++)
		strbuf_addf(out, "\n%s", texts[i]);
}

static void refuse(struct escalation *e, const struct rbac_rules *missing, const struct held *held)
{
	const struct user *u = e->a->call->user;
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	strbuf_addf(&text, "%s.%s \"%.*s\" is forbidden: user ", e->a->resource->plural, e->a->resource->group,
	        SLICE_FMT(e->a->name));
	json_write_str(&text, u->name);
	strbuf_adds(&text, " (groups=[");
	for (size_t i = 0; i < u->n_groups; i++) {
		strbuf_adds(&text, i ? " " : "");
		json_write_str(&text, u->groups[i]);
	}
	strbuf_adds(&text, "]) is attempting to grant RBAC permissions not currently held:");
	add_missing(e->a->arena, missing, &text);
	if (held->absent.len)
		strbuf_addf(&text, "; resolution errors: [%s]", strbuf_cstr(&held->absent));
	err_set(&e->refusal, ERR_FORBIDDEN, "%s", strbuf_cstr(&text));
}

/* True: the user holds all of `wanted` in the namespace; else e->refusal says what he lacks. */
static bool holds(struct escalation *e, const struct rbac_rules *wanted)
{
	struct held h = {.arena = e->a->arena};
	rbac_index_each(e->a->call->server->rbac, e->a->call->user, e->a->ns, take_grant, &h);
	struct rbac_rules missing = rbac_rules_missing(e->a->arena, &h.rules, wanted);
	if (missing.count)
		refuse(e, &missing, &h);
	strbuf_release(&h.absent);
	return !missing.count;
}

/* ---- asking for the verb ---- */

static void verb_known(struct authorization *z)
{
	struct escalation *e = CONTAINER_OF(z, struct escalation, z);
	struct err none = ERR_INIT;
	admission_resume(e->a, z->verdict == VERDICT_ALLOW ? &none : &e->refusal);
}

static int ask(struct escalation *e, const char *verb, struct slice plural, struct slice name)
{
	struct admission *a = e->a;
	e->z.attributes = (struct attributes){.user = a->call->user,
	        .is_resource = true,
	        .verb = slice_of(verb),
	        .group = SLICE("rbac.authorization.k8s.io"),
	        .version = SLICE("*"),
	        .resource = plural,
	        .ns = a->ns,
	        .name = name};
	e->z.arena = a->arena;
	e->z.done = verb_known;
	authorize(a->call->server, &e->z);
	return ADMISSION_LATER;
}

/* ---- roles ---- */

static const struct json *rights_of(struct arena *a, const struct json *object)
{
	struct json *o = json_copy(a, object), *meta = json_get(o, "metadata");
	static const char *const others[] = {
	        "finalizers", "ownerReferences", "managedFields", "resourceVersion", "generation"};
	for (size_t i = 0; i < COUNT_OF(others); i++)
		json_del(meta, others[i]);
	return o;
}

static bool changes_rights(const struct admission *a)
{
	return !a->old || !json_equal(rights_of(a->arena, a->object), rights_of(a->arena, a->old));
}

static struct escalation *begin(struct admission *a)
{
	struct escalation *e = ARENA_NEW(a->arena, struct escalation);
	e->a = a;
	return e;
}

static bool needs_no_check(const struct admission *a)
{
	return user_is_in(a->call->user, "system:masters") || !changes_rights(a);
}

static bool aggregates(const struct json *role)
{
	return json_is(json_get(role, "aggregationRule"), JSON_OBJECT);
}

/* What a role collects may be anything. */
static int need_everything(struct escalation *e, struct err *err)
{
	static const struct slice star[] = {{"*", 1}};
	const struct rbac_list any = {star, 1};
	struct rbac_rule all[] = {{.verbs = any, .groups = any, .resources = any}, {.verbs = any, .urls = any}};
	if (holds(e, &(struct rbac_rules){all, 2}))
		return 0;
	return err_set(err, ERR_FORBIDDEN,
	        "%s.%s \"%.*s\" is forbidden: must have cluster-admin privileges to use an aggregationRule: %s",
	        e->a->resource->plural, e->a->resource->group, SLICE_FMT(e->a->name), e->refusal.msg);
}

int admit_role(struct admission *a, struct err *err)
{
	if (needs_no_check(a))
		return 0;
	struct escalation *e = begin(a);
	struct rbac_rules wanted = rbac_rules_of_json(a->arena, json_get(a->object, "rules"));
	bool has_rule = aggregates(a->object) || aggregates(a->old);
	if (has_rule) {
		struct err lacking = ERR_INIT;
		if (need_everything(e, &lacking) == 0)
			return 0;
		e->refusal = lacking;
	} else if (holds(e, &wanted)) {
		return 0;
	}
	*err = (struct err)ERR_INIT;
	return ask(e, "escalate", slice_of(a->resource->plural), a->name);
}

/* ---- bindings ---- */

int admit_role_binding(struct admission *a, struct err *err)
{
	if (needs_no_check(a))
		return 0;
	struct escalation *e = begin(a);
	struct json *ref = json_get(a->object, "roleRef");
	struct slice kind = json_get_str(ref, "kind"), name = json_get_str(ref, "name");
	struct slice plural = slice_is(kind, "Role") ? SLICE("roles") : SLICE("clusterroles");
	const struct rbac_rules *rules = rbac_index_role(a->call->server->rbac, kind, a->ns, name);
	if (!rules)
		status_not_found(
		        &e->refusal, resource_find_preferred(SLICE("rbac.authorization.k8s.io"), plural), name);
	else if (holds(e, rules))
		return 0;
	return ask(e, "bind", plural, name);
}

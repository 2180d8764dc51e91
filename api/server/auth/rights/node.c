/* The authorizer of kubelets: a node may read what its pods refer to, and write what is its own; of everything else
 * what the role system:node says. Upstream: plugin/pkg/auth/authorizer/node. What it may write into which object is
 * said by the admission plugin NodeRestriction.
 *
 * A row per resource that is asked about object by object; reasons are upstream's. */
#include "api/server/auth/rights/node.h"

#include "api/server/auth/rights/authorize.h"
#include "api/server/auth/rights/node_graph.h"
#include "api/server/auth/roles/policy.h"
#include "api/server/auth/rights/rbac_rules.h"
#include "api/server/state.h"
#include "base/check.h"

struct question {
	struct api_server *server;
	const struct attributes *a;
	struct slice node;
	struct strbuf *why;
	enum pod_ref kind;
};

static enum verdict no(const struct question *q, const char *why)
{
	strbuf_adds(q->why, why);
	return VERDICT_NO_OPINION;
}

static bool is_verb(const struct question *q, const char *list)
{
	struct slice rest = slice_of(list);
	while (rest.ptr)
		if (slice_eq(slice_cut(&rest, ','), q->a->verb))
			return true;
	return false;
}

static enum verdict related(const struct question *q, bool is)
{
	if (is)
		return VERDICT_ALLOW;
	strbuf_addf(q->why, "no relationship found between node '%.*s' and this object", SLICE_FMT(q->node));
	return VERDICT_NO_OPINION;
}

static bool has_path(const struct question *q)
{
	return node_graph_uses(q->server->node_graph, q->node, q->kind, q->a->ns, q->a->name);
}

/* ---- resources ---- */

static enum verdict ask_read(const struct question *q)
{
	if (!is_verb(q, POLICY_READ))
		return no(q, "can only read resources of this type");
	if (q->a->subresource.len)
		return no(q, "cannot read subresource");
	if (!q->a->ns.len)
		return no(q, "can only read namespaced object of this type");
	if (!q->a->name.len)
		return no(q, "No Object name found");
	return related(q, has_path(q));
}

static bool check_get(const struct question *q)
{
	if (!is_verb(q, "get") || !q->a->name.len)
		no(q, "can only get individual resources of this type");
	else if (q->a->subresource.len)
		no(q, "cannot get subresource");
	return !q->why->len;
}

static enum verdict ask_claim(const struct question *q)
{
	if (slice_is(q->a->subresource, "status")) {
		if (!is_verb(q, "get,update,patch"))
			return no(q, "can only get/update/patch this type");
		return related(q, has_path(q));
	}
	return check_get(q) ? related(q, has_path(q)) : VERDICT_NO_OPINION;
}

static enum verdict ask_volume(const struct question *q)
{
	if (!check_get(q))
		return VERDICT_NO_OPINION;
	return related(q, node_graph_uses_volume(q->server->node_graph, q->node, q->a->name));
}

static enum verdict ask_attachment(const struct question *q)
{
	if (!check_get(q))
		return VERDICT_NO_OPINION;
	return related(q, node_graph_has_attachment(q->server->node_graph, q->node, q->a->name));
}

static enum verdict ask_account(const struct question *q)
{
	if (!is_verb(q, "create") || !slice_is(q->a->subresource, "token") || !q->a->name.len)
		return no(q, "can only create tokens for individual service accounts");
	return related(q, has_path(q));
}

static enum verdict ask_lease(const struct question *q)
{
	if (!is_verb(q, "get,create,update,patch,delete"))
		return no(q, "can only get, create, update, patch, or delete a node lease");
	if (!slice_is(q->a->ns, "kube-node-lease"))
		return no(q, "can only access leases in the \"kube-node-lease\" system namespace");
	if (!is_verb(q, "create") && !slice_eq(q->a->name, q->node))
		return no(q, "can only access node lease with the same name as the requesting node");
	return VERDICT_ALLOW;
}

static enum verdict ask_csi_node(const struct question *q)
{
	if (!is_verb(q, "get,create,update,patch,delete"))
		return no(q, "can only get, create, update, patch, or delete a CSINode");
	if (q->a->subresource.len)
		return no(q, "cannot authorize CSINode subresources");
	if (!is_verb(q, "create") && !slice_eq(q->a->name, q->node))
		return no(q, "can only access CSINode with the same name as the requesting node");
	return VERDICT_ALLOW;
}

static enum verdict ask_node(const struct question *q)
{
	const struct attributes *a = q->a;
	if (slice_is(a->subresource, "status") && is_verb(q, "update,patch"))
		return VERDICT_ALLOW;
	if (!a->subresource.len && is_verb(q, "create,update,patch"))
		return VERDICT_ALLOW;
	if (a->subresource.len || !is_verb(q, POLICY_READ))
		return VERDICT_NO_OPINION;
	if (slice_eq(a->name, q->node)) /* also before it is there */
		return VERDICT_ALLOW;
	if (a->name.len)
		strbuf_addf(q->why, "node '%.*s' cannot read '%.*s', only its own Node object", SLICE_FMT(q->node),
		        SLICE_FMT(a->name));
	else
		strbuf_addf(q->why, "node '%.*s' cannot read all nodes, only its own Node object", SLICE_FMT(q->node));
	return VERDICT_NO_OPINION;
}

static enum verdict ask_pod(const struct question *q)
{
	const struct attributes *a = q->a;
	if (slice_is(a->subresource, "status"))
		return is_verb(q, "update,patch") ? VERDICT_ALLOW : VERDICT_NO_OPINION;
	if (slice_is(a->subresource, "eviction"))
		return is_verb(q, "create") ? VERDICT_ALLOW : VERDICT_NO_OPINION;
	if (a->subresource.len)
		return VERDICT_NO_OPINION;
	if (is_verb(q, "create,delete"))
		return VERDICT_ALLOW;
	if (is_verb(q, "get"))
		return check_get(q) ? related(q, has_path(q)) : VERDICT_NO_OPINION;
	if (!is_verb(q, "list,watch"))
		return VERDICT_NO_OPINION;
	if (slice_eq(a->node_selector, q->node))
		return VERDICT_ALLOW;
	if (a->name.len && a->ns.len)
		return related(q, has_path(q));
	return no(q, "can only list/watch pods with spec.nodeName field selector");
}

static const struct {
	const char *group, *resource;
	enum pod_ref kind;
	enum verdict (*ask)(const struct question *q);
} rows[] = {
        {"", "secrets", POD_REF_SECRET, ask_read},
        {"", "configmaps", POD_REF_CONFIG_MAP, ask_read},
        {"", "persistentvolumeclaims", POD_REF_CLAIM, ask_claim},
        {"", "persistentvolumes", 0, ask_volume},
        {"storage.k8s.io", "volumeattachments", 0, ask_attachment},
        {"", "serviceaccounts", POD_REF_ACCOUNT, ask_account},
        {"coordination.k8s.io", "leases", 0, ask_lease},
        {"storage.k8s.io", "csinodes", 0, ask_csi_node},
        {"", "nodes", 0, ask_node},
        {"", "pods", POD_REF_POD, ask_pod},
};

/* ---- the rest ---- */

static bool is_in(const char *list, struct slice text)
{
	struct slice rest = slice_of(list);
	while (list && rest.ptr) {
		struct slice one = slice_cut(&rest, ',');
		if (slice_eq(one, text) || slice_is(one, "*"))
			return true;
	}
	return false;
}

/* Plain rows: no names, no subresources with stars. */
static bool role_allows(const struct attributes *a)
{
	const struct policy_role *role = policy_find("system:node");
	CLEANUP(cleanup_strbuf) struct strbuf resource = STRBUF_INIT;
	strbuf_add_slice(&resource, a->resource);
	if (a->subresource.len)
		strbuf_addf(&resource, "/%.*s", SLICE_FMT(a->subresource));
	for (const struct policy_rule *r = role->rules; r->verbs; r++)
		if (is_in(r->verbs, a->verb) && is_in(r->groups, a->group) &&
		        is_in(r->resources, strbuf_slice(&resource)))
			return true;
	return false;
}

bool node_identity(const struct user *u, struct slice *ret_name)
{
	static const char prefix[] = "system:node:";
	if (!slice_starts(u->name, prefix) || !user_is_in(u, "system:nodes"))
		return false;
	*ret_name = (struct slice){u->name.ptr + sizeof prefix - 1, u->name.len - (sizeof prefix - 1)};
	return true;
}

enum verdict authorize_node(struct api_server *s, struct authorization *z, struct strbuf *why)
{
	struct question q = {.server = s, .a = &z->attributes, .why = why};
	LOOP_CHECK_OWNER(s->loop);
	if (!node_identity(q.a->user, &q.node))
		return VERDICT_NO_OPINION;
	if (!q.node.len) {
		strbuf_addf(why, "unknown node for user \"%.*s\"", SLICE_FMT(q.a->user->name));
		return VERDICT_NO_OPINION;
	}
	for (size_t i = 0; q.a->is_resource && i < COUNT_OF(rows); i++)
		if (slice_is(q.a->resource, rows[i].resource) && slice_is(q.a->group, rows[i].group)) {
			q.kind = rows[i].kind;
			return rows[i].ask(&q);
		}
	return q.a->is_resource && role_allows(q.a) ? VERDICT_ALLOW : VERDICT_NO_OPINION;
}

/* The authorizer by roles: what one of the user's bindings allows. Words as upstream's. See rbac_index.h. */
#include "api/server/auth/rights/rbac.h"

#include "api/server/auth/rights/authorize.h"
#include "api/server/state.h"
#include "base/check.h"

void rbac_describe_grant(const struct rbac_grant *g, struct strbuf *out)
{
	const struct rbac_subject *s = g->subject;
	struct slice ns = s->ns.len ? s->ns : g->ns;
	strbuf_addf(out, "%s \"%.*s%s%.*s\" of %.*s \"%.*s\" to %.*s \"%.*s",
	        g->ns.len ? "RoleBinding" : "ClusterRoleBinding", SLICE_FMT(g->name), g->ns.len ? "/" : "",
	        SLICE_FMT(g->ns), SLICE_FMT(g->role_kind), SLICE_FMT(g->role_name), SLICE_FMT(s->kind),
	        SLICE_FMT(s->name));
	if (slice_is(s->kind, "ServiceAccount"))
		strbuf_addf(out, "/%.*s", SLICE_FMT(ns));
	strbuf_addc(out, '"');
}

void rbac_describe_absent(const struct rbac_grant *g, struct strbuf *out)
{
	const char *kind = slice_is(g->role_kind, "Role") ? "role" : "clusterrole";
	strbuf_addf(out, "%s.rbac.authorization.k8s.io \"%.*s\" not found", kind, SLICE_FMT(g->role_name));
}

/* Roles that the user is bound to and that are not there. */
struct absent {
	struct strbuf text, one;
	size_t count;
};

static bool note_absent(void *arg, const struct rbac_grant *g)
{
	struct absent *x = arg;
	if (g->rules)
		return true;
	strbuf_reset(&x->one);
	rbac_describe_absent(g, &x->one);
	if (x->count && memmem(x->text.data, x->text.len, x->one.data, x->one.len))
		return true; /* said already */
	strbuf_adds(&x->text, x->count++ ? ", " : "");
	strbuf_add_slice(&x->text, strbuf_slice(&x->one));
	return x->text.len < RBAC_ABSENT_BYTES_MAX;
}

static void explain_refusal(struct api_server *s, const struct attributes *a, struct strbuf *why)
{
	struct absent x = {0};
	rbac_index_each(s->rbac, a->user, a->is_resource ? a->ns : SLICE_NULL, note_absent, &x);
	if (x.count)
		strbuf_addf(why, "RBAC: %s%s%s", x.count > 1 ? "[" : "", strbuf_cstr(&x.text), x.count > 1 ? "]" : "");
	strbuf_release(&x.text);
	strbuf_release(&x.one);
}

enum verdict authorize_rbac(struct api_server *s, struct authorization *z, struct strbuf *why)
{
	struct rbac_grant g;
	LOOP_CHECK_OWNER(s->loop);
	if (!rbac_index_allows(s->rbac, &z->attributes, &g)) {
		explain_refusal(s, &z->attributes, why);
		return VERDICT_NO_OPINION;
	}
	if (z->explains) {
		strbuf_adds(why, "RBAC: allowed by ");
		rbac_describe_grant(&g, why);
	}
	return VERDICT_ALLOW;
}

/* See authorize.h. In upstream's order: what is always open, the masters, nodes, roles. */
#include "api/server/auth/authorize.h"

#include "api/server/auth/bootstrap_token.h"
#include "api/server/state.h"
#include "base/check.h"

/* ---- the authorizers that need no file of their own ---- */

/* Also while there are no roles yet: who looks after this server must see that it is alive. */
static enum verdict open_paths(struct api_server *s, struct authorization *z, struct strbuf *why)
{
	static const char *const paths[] = {
	        "/healthz", "/livez", "/readyz", "/version", "/version/", "/cacerts", "/ping"};
	const struct attributes *a = &z->attributes;
	if (a->is_resource || !(slice_is(a->verb, "get") || slice_is(a->verb, "head")))
		return VERDICT_NO_OPINION;
	for (size_t i = 0; i < COUNT_OF(paths); i++)
		if (slice_is(a->path, paths[i]))
			return VERDICT_ALLOW;
	return VERDICT_NO_OPINION;
}

static enum verdict masters(struct api_server *s, struct authorization *z, struct strbuf *why)
{
	return user_is_in(z->attributes.user, "system:masters") ? VERDICT_ALLOW : VERDICT_NO_OPINION;
}

/* What a server or an agent that shows a join token, or a node that has its certificate, may have to come in: all of it
 * below /v1-k3x/, what is for servers only with theirs. */
static enum verdict joining(struct api_server *s, struct authorization *z, struct strbuf *why)
{
	const struct attributes *a = &z->attributes;
	if (a->is_resource || !slice_starts(a->path, "/v1-k3x/"))
		return VERDICT_NO_OPINION;
	bool is_for_servers = slice_starts(a->path, "/v1-k3x/server-");
	bool is_node = user_is_in(a->user, "k3x:agent") || user_is_in(a->user, "system:nodes") ||
	               user_is_in(a->user, BOOTSTRAP_TOKEN_GROUP);
	return user_is_in(a->user, "k3x:server") || (is_node && !is_for_servers) ? VERDICT_ALLOW : VERDICT_NO_OPINION;
}

static authorizer_fn *const authorizers[] = {open_paths, masters, joining, authorize_node, authorize_rbac};

/* ---- */

/* Reasons of several that did not allow it stand below each other, as upstream's. */
static void decide(struct api_server *s, struct authorization *z)
{
	CLEANUP(cleanup_strbuf) struct strbuf why = STRBUF_INIT, all = STRBUF_INIT;
	z->verdict = VERDICT_NO_OPINION;
	for (size_t i = 0; i < COUNT_OF(authorizers) && z->verdict == VERDICT_NO_OPINION; i++) {
		strbuf_reset(&why);
		z->verdict = authorizers[i](s, z, &why);
		if (z->verdict != VERDICT_NO_OPINION)
			strbuf_reset(&all);
		if (why.len && all.len)
			strbuf_addc(&all, '\n');
		strbuf_add_slice(&all, strbuf_slice(&why));
	}
	z->reason = all.len ? arena_memdup(z->arena, all.data, all.len) : "";
}

enum verdict authorize_now(struct api_server *s, struct authorization *z)
{
	LOOP_CHECK_OWNER(s->loop);
	decide(s, z);
	return z->verdict;
}

static void answer(struct loop_defer *d)
{
	struct authorization *z = CONTAINER_OF(d, struct authorization, deferred);
	z->done(z);
}

static void cache_is_fresh(struct cache_wait *w)
{
	struct authorization *z = CONTAINER_OF(w, struct authorization, wait);
	decide(z->server, z);
	z->done(z);
}

void authorize(struct api_server *s, struct authorization *z)
{
	LOOP_CHECK_OWNER(s->loop);
	CHECK(z->attributes.user != NULL && z->arena != NULL && z->done != NULL);
	z->server = s;
	decide(s, z);
	z->wait = (struct cache_wait){.revision = store_revision(s->store), .reached = cache_is_fresh};
	if (z->verdict == VERDICT_NO_OPINION && z->wait.revision > cache_revision(s->cache)) {
		cache_wait(s->cache, &z->wait);
		return;
	}
	loop_defer_init(&z->deferred, answer);
	loop_defer(s->loop, &z->deferred);
}

static void add(struct strbuf *out, const char *before, struct slice text, const char *after)
{
	if (text.len)
		strbuf_addf(out, "%s%.*s%s", before, SLICE_FMT(text), after);
}

int authorize_refusal(const struct attributes *a, const char *reason, struct err *err)
{
	CHECK(a->user && reason);
	if (!a->is_resource)
		return err_set(err, ERR_FORBIDDEN, "forbidden: User \"%.*s\" cannot %.*s path \"%.*s\"%s%s",
		        SLICE_FMT(a->user->name), SLICE_FMT(a->verb), SLICE_FMT(a->path), *reason ? ": " : "", reason);
	struct strbuf text = STRBUF_INIT;
	strbuf_add_slice(&text, a->resource);
	add(&text, ".", a->group, "");
	add(&text, " \"", a->name, "\"");
	strbuf_addf(&text, " is forbidden: User \"%.*s\" cannot %.*s resource \"%.*s", SLICE_FMT(a->user->name),
	        SLICE_FMT(a->verb), SLICE_FMT(a->resource));
	add(&text, "/", a->subresource, "");
	strbuf_addf(&text, "\" in API group \"%.*s\"", SLICE_FMT(a->group));
	if (a->ns.len)
		add(&text, " in the namespace \"", a->ns, "\"");
	else
		strbuf_adds(&text, " at the cluster scope");
	if (*reason)
		strbuf_addf(&text, ": %s", reason);
	err_set(err, ERR_FORBIDDEN, "%s", strbuf_cstr(&text));
	strbuf_release(&text);
	return err->code;
}

/* See authorize.h. Until RBAC is built authorization is all or nothing: system:masters may do everything; who is known
 * may discover the API and ask about himself; everybody may see that the server is alive. */
#include "api/server/auth/authorize.h"

#include "api/server/state.h"
#include "base/check.h"

typedef enum verdict authorizer(const struct attributes *a, const char **reason);

static bool is_one_of(struct slice text, const char *const *list)
{
	for (; *list; list++)
		if (slice_is(text, *list))
			return true;
	return false;
}

static bool is_below(struct slice path, const char *const *list)
{
	for (; *list; list++)
		if (slice_starts(path, *list))
			return true;
	return false;
}

static bool is_read(const struct attributes *a)
{
	return !a->is_resource && (slice_is(a->verb, "get") || slice_is(a->verb, "head"));
}

/* ---- the authorizers ---- */

static enum verdict masters(const struct attributes *a, const char **reason)
{
	*reason = "member of system:masters";
	return user_is_in(a->user, "system:masters") ? VERDICT_ALLOW : VERDICT_NO_OPINION;
}

/* Upstream's roles system:public-info-viewer and system:discovery. */
static enum verdict discovery(const struct attributes *a, const char **reason)
{
	static const char *const public[] = {
	        "/healthz", "/livez", "/readyz", "/version", "/version/", "/cacerts", "/ping", NULL};
	static const char *const known[] = {"/api", "/apis", "/openapi", NULL};
	static const char *const below[] = {"/api/", "/apis/", "/openapi/", NULL};
	if (!is_read(a))
		return VERDICT_NO_OPINION;
	*reason = "discovery";
	if (is_one_of(a->path, public))
		return VERDICT_ALLOW;
	if (user_is_in(a->user, "system:authenticated") && (is_one_of(a->path, known) || is_below(a->path, below)))
		return VERDICT_ALLOW;
	return VERDICT_NO_OPINION;
}

/* Upstream's role system:basic-user: questions about oneself. */
static enum verdict about_oneself(const struct attributes *a, const char **reason)
{
	static const char *const questions[] = {
	        "selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews", NULL};
	static const char *const groups[] = {"authentication.k8s.io", "authorization.k8s.io", NULL};
	*reason = "a question about oneself";
	return a->is_resource && slice_is(a->verb, "create") && is_one_of(a->resource, questions) &&
	                       is_one_of(a->group, groups) && user_is_in(a->user, "system:authenticated")
	               ? VERDICT_ALLOW
	               : VERDICT_NO_OPINION;
}

/* What a server or an agent that shows a join token, or a node that has its certificate, may have to come in: all of it
 * below /v1-k3x/, what is for servers only with theirs. */
static enum verdict joining(const struct attributes *a, const char **reason)
{
	*reason = "a join token";
	if (a->is_resource || !slice_starts(a->path, "/v1-k3x/"))
		return VERDICT_NO_OPINION;
	bool is_for_servers = slice_starts(a->path, "/v1-k3x/server-");
	bool is_node = user_is_in(a->user, "k3x:agent") || user_is_in(a->user, "system:nodes");
	return user_is_in(a->user, "k3x:server") || (is_node && !is_for_servers) ? VERDICT_ALLOW : VERDICT_NO_OPINION;
}

static authorizer *const authorizers[] = {masters, discovery, about_oneself, joining};

/* ---- */

static void answer(struct loop_defer *d)
{
	struct authorization *z = CONTAINER_OF(d, struct authorization, deferred);
	z->done(z);
}

void authorize(struct api_server *s, struct authorization *z)
{
	LOOP_CHECK_OWNER(s->loop);
	CHECK(z->attributes.user != NULL && z->done != NULL);
	z->verdict = VERDICT_NO_OPINION;
	for (size_t i = 0; i < COUNT_OF(authorizers) && z->verdict == VERDICT_NO_OPINION; i++)
		z->verdict = authorizers[i](&z->attributes, &z->reason);
	if (z->verdict == VERDICT_NO_OPINION)
		z->reason = "";
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
		return err_set(err, ERR_FORBIDDEN, "forbidden: User \"%.*s\" cannot %.*s path \"%.*s\"",
		        SLICE_FMT(a->user->name), SLICE_FMT(a->verb), SLICE_FMT(a->path));
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

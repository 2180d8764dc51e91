/* See authorize.h. In upstream's order: what is always open, the masters, whoever joins, and then what
 * authorization-mode says: nodes and roles, by default. */
#include "api/server/auth/authorize.h"

#include "api/server/arguments.h"
#include "api/server/auth/bootstrap_token.h"
#include "api/server/state.h"
#include "base/check.h"

#include <stdlib.h>

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

/* ---- the chain ---- */

enum { STEPS_MAX = 8 };

struct authorizers {
	struct {
		authorizer_fn *fn; /* NULL stands for the webhook */
	} steps[STEPS_MAX];
	size_t n;
	struct authorize_webhook *webhook; /* NULL: there is none */
};

static int add_mode(struct api_server *s, struct authorizers *a, const char *mode, struct err *err)
{
	authorizer_fn *fn = strcmp(mode, "Node") == 0   ? authorize_node
	                    : strcmp(mode, "RBAC") == 0 ? authorize_rbac
	                                                : NULL;
	bool is_webhook = strcmp(mode, "Webhook") == 0;
	if (!fn && !is_webhook)
		return err_set(err, ERR_INVAL, "authorization-mode: \"%s\" is none of Node, RBAC, Webhook", mode);
	for (size_t i = 0; i < a->n; i++)
		if (a->steps[i].fn == fn)
			return err_set(err, ERR_INVAL, "authorization-mode: %s is there twice", mode);
	a->steps[a->n++].fn = fn;
	return is_webhook ? authorize_webhook_new(s, &a->webhook, err) : 0;
}

int authorizers_new(struct api_server *s, struct authorizers **ret, struct err *err)
{
	static const char *const by_default[] = {"Node", "RBAC"};
	const struct api_authorization_arguments *args = &s->options.arguments->authorization;
	struct authorizers *a = xcalloc(1, sizeof *a);
	*a = (struct authorizers){.steps = {{open_paths}, {masters}, {joining}}, .n = 3};
	size_t n = args->modes.count ? args->modes.count : COUNT_OF(by_default);
	const char *const *modes = args->modes.count ? (const char *const *)args->modes.items : by_default;
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_mode(s, a, modes[i], err);
	if (rc == 0 && args->webhook_config_file && !a->webhook)
		rc = err_set(err, ERR_INVAL,
		        "authorization-webhook-config-file: there is no Webhook in authorization-mode that would use "
		        "it");
	if (rc != 0) {
		authorizers_free(a);
		return rc;
	}
	*ret = a;
	return 0;
}

void authorizers_free(struct authorizers *a)
{
	if (!a)
		return;
	authorize_webhook_free(a->webhook);
	free(a);
}

bool authorizers_have_webhook(const struct authorizers *a)
{
	return a->webhook != NULL;
}

/* ---- a question's way through it ---- */

/* Reasons of several that did not allow it stand below each other, as upstream's. */
static void take(struct authorization *z, struct slice why)
{
	if (z->verdict != VERDICT_NO_OPINION)
		strbuf_reset(&z->reasons);
	if (why.len && z->reasons.len)
		strbuf_addc(&z->reasons, '\n');
	strbuf_add_slice(&z->reasons, why);
}

static void begin(struct authorization *z)
{
	z->at = 0;
	z->verdict = VERDICT_NO_OPINION;
	strbuf_reset(&z->reasons);
}

static bool is_behind(const struct authorization *z)
{
	return !z->is_fresh && z->wait.revision > cache_revision(z->server->cache);
}

/* From z->at on. False: a webhook is asked, and authorize_answered() goes on. It is asked only when the cache, which
 * those before it looked at, was new enough. */
static bool decide(struct authorization *z)
{
	CLEANUP(cleanup_strbuf) struct strbuf why = STRBUF_INIT;
	const struct authorizers *a = z->server->authorizers;
	while (z->at < a->n && z->verdict == VERDICT_NO_OPINION) {
		authorizer_fn *fn = a->steps[z->at].fn;
		strbuf_reset(&why);
		if (!fn && is_behind(z))
			return true;
		z->at++;
		if (fn)
			z->verdict = fn(z->server, z, &why);
		else if (!authorize_webhook_ask(a->webhook, z, &why))
			return false;
		take(z, strbuf_slice(&why));
	}
	return true;
}

static void keep_reason(struct authorization *z)
{
	z->reason = z->reasons.len ? arena_memdup(z->arena, z->reasons.data, z->reasons.len) : "";
	strbuf_release(&z->reasons);
}

static void finish(struct authorization *z)
{
	keep_reason(z);
	z->done(z);
}

enum verdict authorize_now(struct api_server *s, struct authorization *z)
{
	CLEANUP(cleanup_strbuf) struct strbuf why = STRBUF_INIT;
	const struct authorizers *a = s->authorizers;
	LOOP_CHECK_OWNER(s->loop);
	z->server = s;
	z->reasons = STRBUF_INIT;
	begin(z);
	for (; z->at < a->n && z->verdict == VERDICT_NO_OPINION; z->at++) {
		strbuf_reset(&why);
		if (a->steps[z->at].fn)
			z->verdict = a->steps[z->at].fn(s, z, &why);
		take(z, strbuf_slice(&why));
	}
	keep_reason(z);
	return z->verdict;
}

static void answer(struct loop_defer *d)
{
	finish(CONTAINER_OF(d, struct authorization, deferred));
}

static void cache_is_fresh(struct cache_wait *w)
{
	struct authorization *z = CONTAINER_OF(w, struct authorization, wait);
	z->is_fresh = true;
	begin(z);
	if (decide(z))
		finish(z);
}

void authorize_answered(struct authorization *z, struct slice why)
{
	take(z, why);
	if (decide(z))
		finish(z);
}

void authorize(struct api_server *s, struct authorization *z)
{
	LOOP_CHECK_OWNER(s->loop);
	CHECK(z->attributes.user != NULL && z->arena != NULL && z->done != NULL);
	z->server = s;
	z->is_fresh = false;
	z->reasons = STRBUF_INIT;
	z->wait = (struct cache_wait){.revision = store_revision(s->store), .reached = cache_is_fresh};
	begin(z);
	if (!decide(z))
		return;
	if (z->verdict == VERDICT_NO_OPINION && is_behind(z)) {
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

/* See authorize.h. In upstream's order: what is always open, the masters, whoever joins, and then what
 * authorization-mode says: nodes and roles, by default. */
#include "api/server/auth/rights/authorize.h"

#include "api/server/arguments.h"
#include "api/server/auth/config_text.h"
#include "api/server/auth/rights/authorization_config.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/file/file_stamp.h"
#include "base/log.h"

#include <inttypes.h>
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

static enum verdict always_allow(struct api_server *s, struct authorization *z, struct strbuf *why)
{
	return VERDICT_ALLOW;
}

static enum verdict always_deny(struct api_server *s, struct authorization *z, struct strbuf *why)
{
	strbuf_adds(why, "Everything is forbidden.");
	return VERDICT_NO_OPINION;
}

enum { ALWAYS_FIRST = 3, LOOK_TICKS = 5 };

struct authorizers {
	unsigned refs;
	struct authorization_config *config;
	struct {
		authorizer_fn *fn; /* NULL: the webhook */
		struct authorize_webhook *webhook;
	} steps[ALWAYS_FIRST + AUTHORIZERS_MAX];
	size_t n;
	/* of the one in use */
	struct file_stamp seen;
	uint64_t reloads, failed_reloads;
};

static authorizer_fn *fn_of(enum authorizer_type type)
{
	static authorizer_fn *const fns[] = {[AUTHORIZER_NODE] = authorize_node,
	        [AUTHORIZER_RBAC] = authorize_rbac,
	        [AUTHORIZER_WEBHOOK] = NULL,
	        [AUTHORIZER_ALLOW] = always_allow,
	        [AUTHORIZER_DENY] = always_deny};
	return fns[type];
}

/* The configuration is taken over. */
static int build(struct api_server *s, struct authorization_config *config, struct authorizers **ret, struct err *err)
{
	struct authorizers *a = xcalloc(1, sizeof *a);
	*a = (struct authorizers){
	        .refs = 1, .config = config, .steps = {{open_paths}, {masters}, {joining}}, .n = ALWAYS_FIRST};
	for (size_t i = 0; i < config->count && !err->code; i++) {
		const struct authorizer_config *c = &config->items[i];
		a->steps[a->n].fn = fn_of(c->type);
		if (c->type == AUTHORIZER_WEBHOOK &&
		        authorize_webhook_new(s->loop, s->outgoing, c, &a->steps[a->n].webhook, err) != 0)
			err_wrap(err, "authorizer %s", c->name);
		a->n++;
	}
	if (err->code)
		authorizers_unref(a);
	else
		*ret = a;
	return err->code;
}

static int check_arguments(const struct api_authorization_arguments *args, struct err *err)
{
	bool has_others = args->modes.count || args->webhook_config_file || args->webhook_is_set;
	if (args->config_file && has_others)
		return err_set(err, ERR_INVAL,
		        "authorization-config can not be specified when authorization-mode or authorization-webhook-* "
		        "are specified");
	return 0;
}

int authorizers_new(struct api_server *s, struct authorizers **ret, struct err *err)
{
	const struct api_authorization_arguments *args = &s->options.arguments->authorization;
	struct authorization_config *config;
	struct file_stamp seen = {0};
	if (check_arguments(args, err) != 0)
		return err->code;
	if (args->config_file)
		file_stamp_changed(&seen, args->config_file);
	int rc = args->config_file ? authorization_config_load(args->config_file, &config, err)
	                           : authorization_config_of_arguments(args, &config, err);
	if (rc != 0 || build(s, config, ret, err) != 0)
		return err->code;
	(*ret)->seen = seen;
	return 0;
}

/* What is under way goes on with those of before. */
static void reload(struct api_server *s, const char *path)
{
	struct authorizers *before = s->authorizers, *now;
	struct authorization_config *config;
	struct err err = ERR_INIT;
	if (authorization_config_load(path, &config, &err) != 0 || build(s, config, &now, &err) != 0) {
		before->failed_reloads++;
		log_error("authorize", "the authorizers stay as they were", "error=\"%s\"", err.msg);
		return;
	}
	now->seen = before->seen;
	now->reloads = before->reloads + 1;
	now->failed_reloads = before->failed_reloads;
	s->authorizers = now;
	authorizers_unref(before);
	log_info("authorize", "the authorizers have changed", "file=%s count=%zu", path, now->config->count);
}

void authorizers_look(struct api_server *s)
{
	const char *path = s->options.arguments->authorization.config_file;
	if (path && s->ticks % LOOK_TICKS == 0 && file_stamp_changed(&s->authorizers->seen, path))
		reload(s, path);
}

void authorizers_metrics(const struct api_server *s, struct strbuf *out)
{
	static const char name[] = "apiserver_authorization_config_controller_automatic_reloads_total";
	if (!s->options.arguments->authorization.config_file)
		return;
	strbuf_addf(out, "# TYPE %s counter\n%s{status=\"success\"} %" PRIu64 "\n%s{status=\"failure\"} %" PRIu64 "\n",
	        name, name, s->authorizers->reloads, name, s->authorizers->failed_reloads);
}

void authorizers_unref(struct authorizers *a)
{
	if (!a || --a->refs)
		return;
	for (size_t i = 0; i < a->n; i++)
		authorize_webhook_free(a->steps[i].webhook);
	authorization_config_free(a->config);
	free(a);
}

bool authorizers_have_webhook(const struct authorizers *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->steps[i].webhook)
			return true;
	return false;
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
	const struct authorizers *a = z->chain;
	while (z->at < a->n && z->verdict == VERDICT_NO_OPINION) {
		authorizer_fn *fn = a->steps[z->at].fn;
		strbuf_reset(&why);
		if (!fn && is_behind(z))
			return true;
		struct authorize_webhook *webhook = a->steps[z->at++].webhook;
		if (fn)
			z->verdict = fn(z->server, z, &why);
		else if (!authorize_webhook_ask(webhook, z, &why))
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
	struct authorizers *chain = TAKE(z->chain);
	keep_reason(z);
	z->done(z);
	authorizers_unref(chain);
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
	z->chain = s->authorizers;
	z->chain->refs++;
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

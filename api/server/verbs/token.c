/* serviceaccounts/NAME/token: a TokenRequest makes a signed, bound, expiring token (authentication.k8s.io/v1). Nothing
 * is stored; admission is asked about the request. */
#include "api/server/verbs/petition.h"
#include "api/server/verbs/verbs.h"

#include "api/server/answer.h"
#include "api/server/arguments.h"
#include "api/server/auth/identity/authn.h"
#include "api/server/body.h"
#include "api/server/cache/fresh.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "api/server/strategy.h"
#include "base/check.h"
#include "base/json/scan.h"

#include <inttypes.h>
#include <time.h>

/* What the admission of service accounts asks for in pods (3607, told from what a user would ask for) is meant to be
 * renewed in time by programs that know how; those that do not are given a year, and told (KEP-1205). */
enum { TOKEN_S_DEFAULT = 3600, TOKEN_S_MIN = 600, TOKEN_S_LIMIT = 1 << 30, WARN_ONLY_S = 3607, EXTENDED_S = 31536000 };

static const char *bound_plural(struct slice kind)
{
	return slice_is(kind, "Pod")      ? "pods"
	       : slice_is(kind, "Secret") ? "secrets"
	       : slice_is(kind, "Node")   ? "nodes"
	                                  : NULL;
}

static struct object *bound_object(struct call *c, const char *plural, struct slice name)
{
	bool is_node = strcmp(plural, "nodes") == 0;
	struct slice key =
	        is_node ? name
	                : slice_of(arena_printf(&c->arena, "%.*s/%.*s", SLICE_FMT(c->route.ns), SLICE_FMT(name)));
	return cache_get(
	        cache_resource(c->server->cache, resource_find(SLICE(""), SLICE("v1"), slice_of(plural))), key);
}

/* A pod's token says on which node it runs. */
static void add_node(struct call *c, const struct object *pod, struct claims *claims)
{
	struct slice name = json_find(object_text(pod), "spec", "nodeName", NULL);
	const struct object *node = name.len ? bound_object(c, "nodes", name) : NULL;
	if (node)
		claims->node = (struct claims_object){true, name, object_span(node, node->uid)};
}

/* Sets the object the token shall die with. */
static int bind_to(struct call *c, const struct json *ref, struct claims *claims, struct err *err)
{
	struct slice kind = json_get_str(ref, "kind"), name = json_get_str(ref, "name"), uid = json_get_str(ref, "uid");
	const char *plural = bound_plural(kind);
	if (!plural)
		return err_set(err, ERR_INVAL, "cannot bind token to object of type %.*s: only Pod, Secret and Node",
		        SLICE_FMT(kind));
	struct object *o = bound_object(c, plural, name);
	if (!o)
		return status_not_found(err, resource_find(SLICE(""), SLICE("v1"), slice_of(plural)), name);
	struct slice have = object_span(o, o->uid);
	if (uid.len && !slice_eq(uid, have))
		return err_set(err, ERR_CONFLICT,
		        "the UID in the bound object reference (%.*s) does not match the UID in record (%.*s)",
		        SLICE_FMT(uid), SLICE_FMT(have));
	struct claims_object bound = {true, name, have};
	if (slice_is(kind, "Pod")) {
		claims->pod = bound;
		add_node(c, o, claims);
	} else {
		*(slice_is(kind, "Node") ? &claims->node : &claims->secret) = bound;
	}
	return 0;
}

/* Those asked for; without any the server itself. */
static void set_audiences(struct call *c, const struct json *asked, struct claims *claims)
{
	size_t n = json_is(asked, JSON_ARRAY) ? asked->count : 0;
	struct slice *list = ARENA_ARRAY(&c->arena, struct slice, n + 2);
	if (n) {
		JSON_FOREACH (it, asked)
			list[claims->audience_count++] = json_str(it);
	} else {
		claims->audience_count = authn_audiences(c->server, &claims->audiences);
		return;
	}
	claims->audiences = list;
}

static bool is_for_api(struct call *c, const struct claims *claims)
{
	const struct slice *own;
	size_t n = authn_audiences(c->server, &own);
	for (size_t i = 0; i < claims->audience_count; i++) {
		bool is_own = false;
		for (size_t j = 0; j < n; j++)
			is_own = is_own || slice_eq(claims->audiences[i], own[j]);
		if (!is_own)
			return false;
	}
	return true;
}

static void extend(struct call *c, int64_t seconds, struct claims *claims)
{
	const struct api_service_account_arguments *args = &c->server->options.arguments->service_accounts;
	if (!args->extend_expiration || seconds != WARN_ONLY_S || !is_for_api(c, claims))
		return;
	int64_t max_s = (int64_t)(args->max_expiration_ms / 1000);
	claims->warn_after_s = claims->issued_s + seconds;
	claims->expires_s = claims->issued_s + (max_s && max_s < EXTENDED_S ? max_s : EXTENDED_S);
}

static int claims_of(struct call *c, const struct json *spec, const struct object *account, int64_t seconds,
        struct claims *ret, struct err *err)
{
	int64_t now = (int64_t)time(NULL);
	struct json *ref = json_get(spec, "boundObjectRef");
	*ret = (struct claims){.issuer = slice_of(authn_issuer(c->server)),
	        .id = slice_of(strategy_uid(&c->arena)),
	        .subject = slice_of(arena_printf(&c->arena, "system:serviceaccount:%.*s:%.*s", SLICE_FMT(c->route.ns),
	                SLICE_FMT(c->route.name))),
	        .ns = c->route.ns,
	        .account = {true, c->route.name, object_span(account, account->uid)},
	        .expires_s = now + seconds,
	        .issued_s = now,
	        .not_before_s = now};
	set_audiences(c, json_get(spec, "audiences"), ret);
	extend(c, seconds, ret);
	return json_is(ref, JSON_OBJECT) ? bind_to(c, ref, ret, err) : 0;
}

/* The spec says whom the token is for, though the request may not have: clients take the field for required. */
static void tell_audiences(struct call *c, struct json *spec, const struct claims *claims)
{
	struct json *list = json_set(&c->arena, spec, "audiences", json_new(&c->arena, JSON_ARRAY));
	for (size_t i = 0; i < claims->audience_count; i++)
		json_append(list, json_new_str(&c->arena, claims->audiences[i]));
}

/* With upstream's fields of a token that was made. */
static void answer(
        struct call *c, struct json *request, int64_t seconds, const struct claims *claims, struct slice token)
{
	struct json *spec = json_get(request, "spec");
	tell_audiences(c, spec, claims);
	json_set_int(&c->arena, spec, "expirationSeconds", seconds);
	struct json *status = json_set(&c->arena, request, "status", json_new(&c->arena, JSON_OBJECT));
	json_set_str(&c->arena, status, "token", token);
	json_set_cstr(&c->arena, status, "expirationTimestamp", strategy_time(&c->arena, seconds));
	call_respond_tree(c, 201, request);
}

static void make_token(struct petition *p)
{
	struct call *c = p->admission.call;
	struct json *request = p->admission.object, *spec = json_need(&c->arena, request, "spec", JSON_OBJECT);
	struct object *account = fresh_route_object(c);
	struct err err = ERR_INIT;
	struct strbuf token = STRBUF_INIT;
	struct claims claims = {0};
	int64_t seconds = json_get_int(spec, "expirationSeconds", TOKEN_S_DEFAULT);
	int64_t max_s = (int64_t)(c->server->options.arguments->service_accounts.max_expiration_ms / 1000);
	if (max_s && seconds > max_s && seconds <= TOKEN_S_LIMIT) {
		call_warn(c, arena_printf(&c->arena,
		                     "requested expiration of %" PRId64 " seconds shortened to %" PRId64 " seconds",
		                     seconds, max_s));
		seconds = max_s;
	}
	if (!account) {
		status_not_found(&err, c->route.resource, c->route.name);
	} else if (seconds < TOKEN_S_MIN || seconds > TOKEN_S_LIMIT) {
		err_set(&err, ERR_INVALID_OBJECT,
		        "TokenRequest is invalid: spec.expirationSeconds: Invalid value: %" PRId64
		        ": may not specify a duration less than 10 minutes or larger than 2^30 seconds",
		        seconds);
	} else {
		if (claims_of(c, spec, account, seconds, &claims, &err) == 0)
			authn_sign(c->server, &claims, &token, &err);
	}
	if (err.code)
		call_respond_err(c, &err);
	else
		answer(c, request, seconds, &claims, strbuf_slice(&token));
	strbuf_release(&token);
}

static void ask(struct call *c)
{
	struct petition *p = ARENA_NEW(&c->arena, struct petition);
	struct err err = ERR_INIT;
	bool is_dry_run;
	if (body_dry_run(c, &is_dry_run, &err) == 0)
		petition_start(p, c, ADMISSION_CREATE, c->route.sub, c->handler_data, is_dry_run, make_token);
	else
		call_respond_err(c, &err);
}

void api_token(struct call *c)
{
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	c->handler_data = body_read(c, c->route.sub->type, "TokenRequest", "authentication.k8s.io/v1", &err);
	if (c->handler_data)
		fresh_wait(c, true, ask);
	else
		call_respond_err(c, &err);
}

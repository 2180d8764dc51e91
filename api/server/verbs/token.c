/* serviceaccounts/NAME/token: a TokenRequest makes a signed, bound, expiring token (authentication.k8s.io/v1). */
#include "api/server/verbs/verbs.h"

#include "api/server/admission/node_restriction.h"
#include "api/server/answer.h"
#include "api/server/auth/authn.h"
#include "api/server/body.h"
#include "api/server/cache/fresh.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "api/server/strategy.h"
#include "base/check.h"

#include <inttypes.h>
#include <time.h>

enum { TOKEN_S_DEFAULT = 3600, TOKEN_S_MIN = 600, TOKEN_S_LIMIT = 1 << 30 };

static const char *bound_plural(struct slice kind)
{
	return slice_is(kind, "Pod") ? "pods" : slice_is(kind, "Secret") ? "secrets" : NULL;
}

/* Sets the object the token shall die with. */
static int bind_to(struct call *c, const struct json *ref, struct claims *claims, struct err *err)
{
	struct slice kind = json_get_str(ref, "kind"), name = json_get_str(ref, "name"), uid = json_get_str(ref, "uid");
	const char *plural = bound_plural(kind);
	if (!plural)
		return err_set(err, ERR_INVAL, "cannot bind token to object of type %.*s: only Pod and Secret",
		        SLICE_FMT(kind));
	struct slice key = slice_of(arena_printf(&c->arena, "%.*s/%.*s", SLICE_FMT(c->route.ns), SLICE_FMT(name)));
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), slice_of(plural));
	struct object *o = cache_get(cache_resource(c->server->cache, r), key);
	if (!o)
		return status_not_found(err, r, name);
	struct slice have = object_span(o, o->uid);
	if (uid.len && !slice_eq(uid, have))
		return err_set(err, ERR_CONFLICT,
		        "the UID in the bound object reference (%.*s) does not match the UID in record (%.*s)",
		        SLICE_FMT(uid), SLICE_FMT(have));
	*(slice_is(kind, "Pod") ? &claims->pod : &claims->secret) = (struct claims_object){true, name, have};
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
		list[claims->audience_count++] = slice_of(authn_issuer(c->server));
		list[claims->audience_count++] = SLICE("k3x");
	}
	claims->audiences = list;
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
	return json_is(ref, JSON_OBJECT) ? bind_to(c, ref, ret, err) : 0;
}

static void token_now(struct call *c)
{
	struct json *request = c->handler_data, *spec = json_need(&c->arena, request, "spec", JSON_OBJECT);
	struct object *account = fresh_route_object(c);
	struct err err = ERR_INIT;
	struct strbuf token = STRBUF_INIT;
	int64_t seconds = json_get_int(spec, "expirationSeconds", TOKEN_S_DEFAULT);
	if (!account) {
		status_not_found(&err, c->route.resource, c->route.name);
	} else if (seconds < TOKEN_S_MIN || seconds > TOKEN_S_LIMIT) {
		err_set(&err, ERR_INVALID_OBJECT,
		        "TokenRequest is invalid: spec.expirationSeconds: Invalid value: %" PRId64
		        ": may not specify a duration less than 10 minutes or larger than 2^30 seconds",
		        seconds);
	} else {
		struct claims claims;
		if (node_restriction_token(c, spec, &err) == 0 &&
		        claims_of(c, spec, account, seconds, &claims, &err) == 0)
			authn_sign(c->server, &claims, &token, &err);
	}
	if (err.code) {
		strbuf_release(&token);
		call_respond_err(c, &err);
		return;
	}
	json_set_int(&c->arena, spec, "expirationSeconds", seconds);
	struct json *status = json_set(&c->arena, request, "status", json_new(&c->arena, JSON_OBJECT));
	json_set_str(&c->arena, status, "token", strbuf_slice(&token));
	json_set_cstr(&c->arena, status, "expirationTimestamp", strategy_time(&c->arena, seconds));
	strbuf_release(&token);
	call_respond_tree(c, 201, request);
}

void api_token(struct call *c)
{
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	c->handler_data = body_read(c, c->route.sub->type, "TokenRequest", "authentication.k8s.io/v1", &err);
	if (c->handler_data)
		fresh_wait(c, true, token_now);
	else
		call_respond_err(c, &err);
}

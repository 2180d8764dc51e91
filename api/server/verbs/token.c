/* serviceaccounts/NAME/token: a TokenRequest makes a signed, bound, expiring token (authentication.k8s.io/v1). */
#include "api/server/verbs/verbs.h"

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

struct token_request {
	struct json *body;
};

static const char *bound_plural(struct slice kind)
{
	return slice_is(kind, "Pod") ? "pods" : slice_is(kind, "Secret") ? "secrets" : NULL;
}

/* Adds {"pod":{"name":...,"uid":...}} for the object the token shall die with. */
static int bind_to(struct call *c, const struct json *ref, struct json *claim, struct err *err)
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
	struct json *v = json_new(&c->arena, JSON_OBJECT);
	json_set_str(&c->arena, v, "name", name);
	json_set_str(&c->arena, v, "uid", have);
	json_set(&c->arena, claim, slice_is(kind, "Pod") ? "pod" : "secret", v);
	return 0;
}

static struct json *claims_of(
        struct call *c, const struct json *spec, const struct object *account, int64_t seconds, struct err *err)
{
	struct arena *a = &c->arena;
	struct json *claims = json_new(a, JSON_OBJECT), *k = json_new(a, JSON_OBJECT), *sa = json_new(a, JSON_OBJECT);
	int64_t now = (int64_t)time(NULL);
	struct json *audiences = json_get(spec, "audiences");
	if (audiences && audiences->first) {
		json_set(a, claims, "aud", json_copy(a, audiences));
	} else {
		struct json *list = json_set(a, claims, "aud", json_new(a, JSON_ARRAY));
		json_append(list, json_new_cstr(a, authn_issuer(c->server)));
		json_append(list, json_new_cstr(a, "k3x"));
	}
	json_set_int(a, claims, "exp", now + seconds);
	json_set_int(a, claims, "iat", now);
	json_set_cstr(a, claims, "iss", authn_issuer(c->server));
	json_set_cstr(a, claims, "jti", strategy_uid(a));
	json_set_str(a, k, "namespace", c->route.ns);
	json_set_str(a, sa, "name", c->route.name);
	json_set_str(a, sa, "uid", object_span(account, account->uid));
	json_set(a, k, "serviceaccount", sa);
	struct json *ref = json_get(spec, "boundObjectRef");
	if (json_is(ref, JSON_OBJECT) && bind_to(c, ref, k, err) != 0)
		return NULL;
	json_set(a, claims, "kubernetes.io", k);
	json_set_int(a, claims, "nbf", now);
	json_set_cstr(a, claims, "sub",
	        arena_printf(a, "system:serviceaccount:%.*s:%.*s", SLICE_FMT(c->route.ns), SLICE_FMT(c->route.name)));
	return claims;
}

static void token_now(struct call *c)
{
	struct json *request = c->handler_data, *spec = json_need(&c->arena, request, "spec", JSON_OBJECT);
	struct object *account = fresh_route_object(c);
	struct err err = ERR_INIT;
	struct strbuf text = STRBUF_INIT, token = STRBUF_INIT;
	int64_t seconds = json_get_int(spec, "expirationSeconds", TOKEN_S_DEFAULT);
	if (!account) {
		status_not_found(&err, c->route.resource, c->route.name);
	} else if (seconds < TOKEN_S_MIN || seconds > TOKEN_S_LIMIT) {
		err_set(&err, ERR_INVALID_OBJECT,
		        "TokenRequest is invalid: spec.expirationSeconds: Invalid value: %" PRId64
		        ": may not specify a duration less than 10 minutes or larger than 2^30 seconds",
		        seconds);
	} else {
		struct json *claims = claims_of(c, spec, account, seconds, &err);
		if (claims) {
			json_write(&text, claims);
			authn_sign(c->server, strbuf_slice(&text), &token, &err);
		}
	}
	strbuf_release(&text);
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

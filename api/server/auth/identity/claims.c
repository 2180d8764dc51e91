/* Claims of service account tokens, from and to JSON. See claims.h. */
#include "api/server/auth/identity/claims.h"

#include "base/json_lib.h"

/* ---- reading ---- */

static struct slice copy_of(struct arena *a, const json_t *object, const char *name)
{
	struct slice text = json_lib_get_str(object, name);
	return text.ptr ? (struct slice){arena_memdup(a, text.ptr, text.len), text.len} : SLICE_NULL;
}

static struct claims_object object_in(struct arena *a, const json_t *from, const char *name)
{
	const json_t *v = json_object_get(from, name);
	return (struct claims_object){.is_named = v, .name = copy_of(a, v, "name"), .uid = copy_of(a, v, "uid")};
}

static void read_audiences(struct arena *a, const json_t *v, struct claims *c)
{
	size_t n = json_is_array(v) ? json_array_size(v) : json_is_string(v);
	struct slice *list = ARENA_ARRAY(a, struct slice, n + 1);
	for (size_t i = 0; i < n; i++) {
		struct slice text = json_lib_str(json_is_array(v) ? json_array_get(v, i) : v);
		if (text.ptr)
			list[c->audience_count++] = (struct slice){arena_memdup(a, text.ptr, text.len), text.len};
	}
	c->audiences = list;
}

/* The claims that name upstream's older tokens are flat. */
static void read_legacy(struct arena *a, const json_t *v, struct claims *c)
{
	c->is_legacy = true;
	c->ns = copy_of(a, v, "kubernetes.io/serviceaccount/namespace");
	c->account = (struct claims_object){.is_named = true,
	        .name = copy_of(a, v, "kubernetes.io/serviceaccount/service-account.name"),
	        .uid = copy_of(a, v, "kubernetes.io/serviceaccount/service-account.uid")};
	c->secret = (struct claims_object){
	        .is_named = true, .name = copy_of(a, v, "kubernetes.io/serviceaccount/secret.name")};
}

int claims_parse(struct arena *a, struct slice text, struct claims *ret, struct err *err)
{
	json_auto_t *v = json_lib_parse(text, err);
	if (!v)
		return err->code;
	if (!json_is_object(v))
		return err_set(err, ERR_INVAL, "claims are an object");
	const json_t *k = json_object_get(v, "kubernetes.io");
	*ret = (struct claims){.issuer = copy_of(a, v, "iss"),
	        .id = copy_of(a, v, "jti"),
	        .subject = copy_of(a, v, "sub"),
	        .ns = copy_of(a, k, "namespace"),
	        .account = object_in(a, k, "serviceaccount"),
	        .pod = object_in(a, k, "pod"),
	        .secret = object_in(a, k, "secret"),
	        .node = object_in(a, k, "node"),
	        .warn_after_s = json_lib_get_int(k, "warnafter", 0),
	        .expires_s = json_lib_get_int(v, "exp", 0),
	        .issued_s = json_lib_get_int(v, "iat", 0),
	        .not_before_s = json_lib_get_int(v, "nbf", 0)};
	read_audiences(a, json_object_get(v, "aud"), ret);
	if (slice_is(ret->issuer, CLAIMS_LEGACY_ISSUER))
		read_legacy(a, v, ret);
	return 0;
}

/* ---- writing ---- */

static void set_object(json_t *to, const char *name, const struct claims_object *o)
{
	if (!o->is_named)
		return;
	json_t *v = json_object();
	json_lib_set_str(v, "name", o->name);
	json_lib_set_str(v, "uid", o->uid);
	json_lib_set(to, name, v);
}

void claims_write(const struct claims *c, struct strbuf *out)
{
	json_auto_t *v = json_object();
	json_t *k = json_object(), *audiences = json_array();
	for (size_t i = 0; i < c->audience_count; i++)
		json_array_append_new(audiences, json_lib_new_str(c->audiences[i]));
	json_lib_set(v, "aud", audiences);
	json_lib_set_int(v, "exp", c->expires_s);
	json_lib_set_int(v, "iat", c->issued_s);
	json_lib_set_str(v, "iss", c->issuer);
	json_lib_set_str(v, "jti", c->id);
	json_lib_set(v, "kubernetes.io", k);
	json_lib_set_str(k, "namespace", c->ns);
	set_object(k, "serviceaccount", &c->account);
	set_object(k, "pod", &c->pod);
	set_object(k, "secret", &c->secret);
	set_object(k, "node", &c->node);
	if (c->warn_after_s)
		json_lib_set_int(k, "warnafter", c->warn_after_s);
	json_lib_set_int(v, "nbf", c->not_before_s);
	json_lib_set_str(v, "sub", c->subject);
	json_lib_write(out, v);
}

/* See pack.h. */
#include "net/ingress/follow/pack.h"

#include "base/base64.h"
#include "net/ingress/route/options.h"

static struct rcbuf *finish(struct arena *a, const struct json *o)
{
	struct strbuf b = STRBUF_INIT;
	json_write(&b, o);
	struct rcbuf *r = rcbuf_copy(b.data, b.len);
	strbuf_release(&b);
	arena_release(a);
	return r;
}

static void copy_text(struct arena *a, struct json *to, const struct json *from, const char *key)
{
	struct json *v = json_get(from, key);
	if (v)
		json_set(a, to, key, json_copy(a, v));
}

struct rcbuf *pack_service(struct slice object)
{
	struct arena a = ARENA_INIT;
	struct json *in = json_parse(&a, object, NULL, NULL), *out = json_new(&a, JSON_OBJECT);
	struct json *ports = json_need(&a, out, "ports", JSON_ARRAY),
	            *addresses = json_path(in, "status", "loadBalancer", "ingress", NULL);
	JSON_FOREACH (it, json_path(in, "spec", "ports", NULL)) {
		struct json *p = json_new(&a, JSON_OBJECT);
		copy_text(&a, p, it, "name");
		copy_text(&a, p, it, "port");
		copy_text(&a, p, it, "appProtocol");
		json_append(ports, p);
	}
	JSON_FOREACH (it, json_path(in, "metadata", "annotations", NULL))
		if (options_are_for_us(it->key))
			json_set_slice(&a, json_need(&a, out, "annotations", JSON_OBJECT), it->key, json_copy(&a, it));
	copy_text(&a, out, json_get(in, "spec"), "type");
	if (addresses)
		json_set(&a, out, "addresses", json_copy(&a, addresses));
	return finish(&a, out);
}

static void add_address(struct arena *a, struct json *out, const struct json *endpoint)
{
	const struct json *c = json_get(endpoint, "conditions");
	bool is_ready = json_get_bool(c, "ready", true);
	bool is_serving = json_get_bool(c, "serving", is_ready);
	struct slice address = json_str(json_at(json_get(endpoint, "addresses"), 0));
	if (address.len && (is_ready || is_serving))
		json_append(json_need(a, out, is_ready ? "ready" : "serving", JSON_ARRAY), json_new_str(a, address));
}

struct rcbuf *pack_slice(struct slice object)
{
	struct arena a = ARENA_INIT;
	struct json *in = json_parse(&a, object, NULL, NULL), *out = json_new(&a, JSON_OBJECT),
	            *meta = json_get(in, "metadata");
	struct slice service = json_get_str(json_get(meta, "labels"), "kubernetes.io/service-name");
	json_set_cstr(&a, out, "service",
	        arena_printf(&a, "%.*s/%.*s", SLICE_FMT(json_get_str(meta, "namespace")), SLICE_FMT(service)));
	JSON_FOREACH (it, json_get(in, "ports"))
		if (json_get(it, "port"))
			json_set_slice(&a, json_need(&a, out, "ports", JSON_OBJECT), json_get_str(it, "name"),
			        json_new_int(&a, json_get_int(it, "port", 0)));
	if (!slice_is(json_get_str(in, "addressType"), "FQDN"))
		JSON_FOREACH (it, json_get(in, "endpoints"))
			add_address(&a, out, it);
	return finish(&a, out);
}

struct rcbuf *pack_secret(struct slice object)
{
	static const char *const names[][2] = {{"tls.crt", "crt"}, {"tls.key", "key"}, {"auth", "auth"}};
	struct arena a = ARENA_INIT;
	struct json *in = json_parse(&a, object, NULL, NULL), *out = json_new(&a, JSON_OBJECT);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct slice text = json_get_str(json_get(in, "data"), names[i][0]), plain;
		if (text.ptr && base64_decode(&a, text, &plain))
			json_set_str(&a, out, names[i][1], plain);
	}
	return finish(&a, out);
}

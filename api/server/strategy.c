/* What the server owns in an object, whatever the client sent: identity, times, generation, and which half of an object
 * a write may touch. Upstream keeps this in a strategy per kind; the differences between kinds are few enough to stand
 * here. See strategy.h. */
#include "api/server/strategy.h"

#include "api/server/call.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/pki.h"

#include <time.h>

const char *strategy_time(struct arena *a, int64_t plus_s)
{
	time_t t = time(NULL) + (time_t)plus_s;
	struct tm tm;
	gmtime_r(&t, &tm);
	return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	        tm.tm_hour, tm.tm_min, tm.tm_sec);
}

const char *strategy_uid(struct arena *a)
{
	unsigned char b[16];
	pki_random(b, sizeof b);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* RFC 9562 section 5.4 */
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	return arena_printf(a, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
	        b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

const char *strategy_random_suffix(struct arena *a)
{
	static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789"; /* no vowels: no words by chance */
	unsigned char r[5];
	char text[6] = {0};
	pki_random(r, sizeof r);
	for (size_t i = 0; i < sizeof r; i++)
		text[i] = alphabet[r[i] % (sizeof alphabet - 1)];
	return arena_strdup(a, text);
}

bool strategy_is_core(const struct resource *r, const char *plural)
{
	return !*r->group && strcmp(r->plural, plural) == 0;
}

/* ---- kinds with a habit of their own ---- */

/* stringData is written only: its values move into data. */
static void secret_string_data(struct arena *a, struct json *object)
{
	struct json *plain = json_get(object, "stringData");
	if (!json_is(plain, JSON_OBJECT))
		return;
	struct json *data = json_need(a, object, "data", JSON_OBJECT);
	JSON_FOREACH (it, plain)
		json_set_slice(a, data, it->key, json_new_str(a, base64_encode(a, json_str(it))));
	json_del(object, "stringData");
}

static bool has_any(const struct json *resources, const char *list)
{
	struct json *l = json_get(resources, list);
	return json_get(l, "cpu") || json_get(l, "memory");
}

static bool is_guaranteed(const struct json *container)
{
	struct json *r = json_get(container, "resources");
	struct json *limits = json_get(r, "limits"), *requests = json_get(r, "requests");
	static const char *const names[] = {"cpu", "memory"};
	for (size_t i = 0; i < 2; i++) {
		struct json *limit = json_get(limits, names[i]), *request = json_get(requests, names[i]);
		if (!limit || (request && !json_equal(limit, request)))
			return false;
	}
	return true;
}

/* Upstream's GetPodQOS. */
static const char *pod_qos(const struct json *spec)
{
	bool any = false, guaranteed = true;
	static const char *const lists[] = {"containers", "initContainers"};
	for (size_t i = 0; i < 2; i++)
		JSON_FOREACH (it, json_get(spec, lists[i])) {
			struct json *r = json_get(it, "resources");
			any = any || has_any(r, "requests") || has_any(r, "limits");
			guaranteed = guaranteed && is_guaranteed(it);
		}
	return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

static void pod_create(struct arena *a, struct json *object)
{
	struct json *status = json_set(a, object, "status", json_new(a, JSON_OBJECT));
	json_set_cstr(a, status, "phase", "Pending");
	json_set_cstr(a, status, "qosClass", pod_qos(json_get(object, "spec")));
}

static void namespace_label(struct arena *a, struct json *object)
{
	struct json *meta = json_need(a, object, "metadata", JSON_OBJECT);
	struct json *labels = json_need(a, meta, "labels", JSON_OBJECT);
	json_set_str(a, labels, "kubernetes.io/metadata.name", json_get_str(meta, "name"));
}

static void namespace_create(struct arena *a, struct json *object)
{
	struct json *spec = json_need(a, object, "spec", JSON_OBJECT);
	struct json *finalizers = json_set(a, spec, "finalizers", json_new(a, JSON_ARRAY));
	json_append(finalizers, json_new_cstr(a, "kubernetes"));
	struct json *status = json_set(a, object, "status", json_new(a, JSON_OBJECT));
	json_set_cstr(a, status, "phase", "Active");
	namespace_label(a, object);
}

/* ---- creation ---- */

static void generate_name(struct arena *a, struct json *meta)
{
	struct slice base = json_get_str(meta, "generateName");
	if (json_get_str(meta, "name").len || !base.len)
		return;
	if (base.len > 58)
		base.len = 58;
	json_set_cstr(a, meta, "name", arena_printf(a, "%.*s%s", SLICE_FMT(base), strategy_random_suffix(a)));
}

static const char *const server_owned[] = {
        "resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"};

void strategy_prepare_create(struct call *c, const struct resource *r, struct json *object)
{
	struct arena *a = &c->arena;
	struct json *meta = json_need(a, object, "metadata", JSON_OBJECT);
	for (size_t i = 0; i < COUNT_OF(server_owned); i++)
		json_del(meta, server_owned[i]);
	generate_name(a, meta);
	if (r->namespaced)
		json_set_str(a, meta, "namespace", c->route.ns);
	json_set_cstr(a, meta, "uid", strategy_uid(a));
	json_set_cstr(a, meta, "creationTimestamp", strategy_time(a, 0));
	if (r->has_generation)
		json_set_int(a, meta, "generation", 1);
	else
		json_del(meta, "generation");
	if (resource_sub_find(r, SLICE("status")) && json_get(object, "status") && !strategy_is_core(r, "nodes") &&
	        !strategy_is_core(r, "persistentvolumes"))
		json_set(a, object, "status", json_new(a, JSON_OBJECT));
	if (strategy_is_core(r, "pods"))
		pod_create(a, object);
	else if (strategy_is_core(r, "namespaces"))
		namespace_create(a, object);
	else if (strategy_is_core(r, "secrets"))
		secret_string_data(a, object);
}

/* ---- update ---- */

static void keep(struct arena *a, struct json *to, const struct json *from, const char *name)
{
	struct json *v = json_get(from, name);
	if (v)
		json_set(a, to, name, json_copy(a, v));
	else
		json_del(to, name);
}

static void keep_metadata(struct arena *a, struct json *meta, const struct json *old)
{
	static const char *const kept[] = {"uid", "creationTimestamp", "deletionTimestamp",
	        "deletionGracePeriodSeconds", "generation", "selfLink", "generateName", "namespace", "name"};
	for (size_t i = 0; i < COUNT_OF(kept); i++)
		keep(a, meta, old, kept[i]);
	json_del(meta, "resourceVersion");
	json_del(meta, "managedFields");
}

static bool is_head(struct slice key)
{
	return slice_is(key, "metadata") || slice_is(key, "kind") || slice_is(key, "apiVersion");
}

/* A subresource changes one member, next to metadata: all others are the old ones. */
static void keep_all_but(struct arena *a, struct json *object, const struct json *old, const char *changed)
{
	for (struct json *next, *it = object->first; it; it = next) {
		next = it->next;
		if (!is_head(it->key) && !slice_is(it->key, changed))
			json_remove(object, it);
	}
	JSON_FOREACH (it, old)
		if (!is_head(it->key) && !slice_is(it->key, changed))
			json_set_slice(a, object, it->key, json_copy(a, it));
}

static bool same_but_status_and_metadata(const struct json *x, const struct json *y)
{
	JSON_FOREACH (it, x) {
		if (is_head(it->key) || slice_is(it->key, "status"))
			continue;
		struct json *other = json_get_slice(y, it->key);
		if (!other || !json_equal(it, other))
			return false;
	}
	return true;
}

static bool spec_changed(const struct json *object, const struct json *old)
{
	return !same_but_status_and_metadata(object, old) || !same_but_status_and_metadata(old, object);
}

void strategy_prepare_update(
        struct call *c, const struct resource *r, const char *sub, struct json *object, const struct json *old)
{
	struct arena *a = &c->arena;
	struct json *meta = json_need(a, object, "metadata", JSON_OBJECT), *old_meta = json_get(old, "metadata");
	bool status = strcmp(sub, "status") == 0, finalize = strcmp(sub, "finalize") == 0,
	     approval = strcmp(sub, "approval") == 0;
	keep_metadata(a, meta, old_meta);
	if (status || approval)
		keep_all_but(a, object, old, "status");
	else if (resource_sub_find(r, SLICE("status")))
		keep(a, object, old, "status");
	if (strategy_is_core(r, "namespaces")) {
		if (!finalize)
			keep(a, object, old, "spec");
		namespace_label(a, object);
	}
	if (strategy_is_core(r, "secrets"))
		secret_string_data(a, object);
	if (r->has_generation && !status && !approval && spec_changed(object, old))
		json_set_int(a, meta, "generation", json_get_int(old_meta, "generation", 0) + 1);
}

/* ---- writing ---- */

static void move_to_front(struct json *object, const char *name)
{
	struct json *v = json_get(object, name);
	if (!v || object->first == v)
		return;
	json_remove(object, v);
	json_insert(object, 0, v);
}

void strategy_write(struct strbuf *out, struct json *object)
{
	json_del(json_get(object, "metadata"), "resourceVersion");
	move_to_front(object, "metadata");
	move_to_front(object, "apiVersion");
	move_to_front(object, "kind");
	json_write(out, object);
}

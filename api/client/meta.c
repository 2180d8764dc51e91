/* See meta.h. */
#include "api/client/meta.h"

#include "api/machinery/codec/scalar.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json/scan.h"
#include "base/time/rfc3339.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- metadata ---- */

/* The raw span of the value ahead: strings without quotes, null as nothing. */
static struct slice take(struct json_scan *s)
{
	if (!json_scan_skip(s))
		return SLICE_NULL;
	struct slice v = s->text;
	if (v.len >= 2 && v.ptr[0] == '"')
		return (struct slice){v.ptr + 1, v.len - 2};
	return slice_is(v, "null") ? SLICE_NULL : v;
}

static void read_metadata(struct json_scan *s, struct meta *m)
{
	static const struct {
		const char *name;
		size_t offset;
	} rows[] = {
	        {"name", offsetof(struct meta, name)},
	        {"namespace", offsetof(struct meta, ns)},
	        {"uid", offsetof(struct meta, uid)},
	        {"resourceVersion", offsetof(struct meta, resource_version)},
	        {"labels", offsetof(struct meta, labels)},
	        {"annotations", offsetof(struct meta, annotations)},
	        {"ownerReferences", offsetof(struct meta, owners)},
	        {"finalizers", offsetof(struct meta, finalizers)},
	        {"creationTimestamp", offsetof(struct meta, creation_timestamp)},
	        {"deletionTimestamp", offsetof(struct meta, deletion_timestamp)},
	};
	if (json_scan_next(s) != JSON_TOKEN_OBJECT)
		return;
	while (json_scan_member(s)) {
		struct slice key = s->key, value = take(s);
		for (size_t i = 0; i < COUNT_OF(rows); i++)
			if (slice_is(key, rows[i].name))
				*(struct slice *)((char *)m + rows[i].offset) = value;
		if (slice_is(key, "generation"))
			slice_to_i64(value, &m->generation);
	}
}

void meta_read(struct slice object, struct meta *out)
{
	struct json_scan s;
	*out = (struct meta){0};
	json_scan_init(&s, object);
	if (json_scan_next(&s) != JSON_TOKEN_OBJECT)
		return;
	while (json_scan_member(&s)) {
		if (slice_is(s.key, "metadata")) {
			read_metadata(&s, out);
			return;
		}
		json_scan_skip(&s);
	}
}

/* ---- owners ---- */

static void read_owner(struct slice text, struct owner_ref *out)
{
	struct json_scan s;
	*out = (struct owner_ref){0};
	json_scan_init(&s, text);
	if (json_scan_next(&s) != JSON_TOKEN_OBJECT)
		return;
	while (json_scan_member(&s)) {
		struct slice key = s.key, v = take(&s);
		if (slice_is(key, "apiVersion"))
			out->api_version = v;
		else if (slice_is(key, "kind"))
			out->kind = v;
		else if (slice_is(key, "name"))
			out->name = v;
		else if (slice_is(key, "uid"))
			out->uid = v;
		else if (slice_is(key, "controller"))
			out->is_controller = slice_is(v, "true");
		else if (slice_is(key, "blockOwnerDeletion"))
			out->blocks_deletion = slice_is(v, "true");
	}
}

/* The rest is what follows the last element read; the first time it is the whole array. */
bool owner_ref_next(struct slice *rest, struct owner_ref *out)
{
	const char *p = rest->ptr, *end = p ? p + rest->len : NULL;
	while (p < end && *p != '{')
		p++;
	if (p == end)
		return false;
	struct json_scan s;
	json_scan_init(&s, (struct slice){p, (size_t)(end - p)});
	if (!json_scan_skip(&s))
		return false;
	read_owner(s.text, out);
	*rest = (struct slice){s.pos, (size_t)(end - s.pos)};
	return true;
}

bool owner_ref_controller(struct slice owners, struct owner_ref *out)
{
	while (owner_ref_next(&owners, out))
		if (out->is_controller)
			return true;
	return false;
}

struct json *owner_ref_new(
        struct arena *a, const char *api_version, const char *kind, struct slice name, struct slice uid)
{
	struct json *o = json_new(a, JSON_OBJECT);
	json_set_cstr(a, o, "apiVersion", api_version);
	json_set_cstr(a, o, "kind", kind);
	json_set_str(a, o, "name", name);
	json_set_str(a, o, "uid", uid);
	json_set_bool(a, o, "controller", true);
	json_set_bool(a, o, "blockOwnerDeletion", true);
	return o;
}

/* ---- pods ---- */

static void read_pod_spec(struct json_scan *s, struct pod_view *p)
{
	if (json_scan_next(s) != JSON_TOKEN_OBJECT)
		return;
	while (json_scan_member(s)) {
		struct slice key = s->key, v = take(s);
		if (slice_is(key, "nodeName"))
			p->node = v;
		else if (slice_is(key, "schedulerName"))
			p->scheduler = v;
	}
}

static void read_pod_conditions(struct json_scan *s, struct pod_view *p)
{
	if (json_scan_next(s) != JSON_TOKEN_ARRAY)
		return;
	while (json_scan_element(s)) {
		struct slice type = SLICE_NULL, status = SLICE_NULL, since = SLICE_NULL;
		if (json_scan_next(s) != JSON_TOKEN_OBJECT)
			continue;
		while (json_scan_member(s)) {
			struct slice key = s->key, v = take(s);
			if (slice_is(key, "type"))
				type = v;
			else if (slice_is(key, "status"))
				status = v;
			else if (slice_is(key, "lastTransitionTime"))
				since = v;
		}
		if (slice_is(type, "Ready")) {
			p->is_ready = slice_is(status, "True");
			p->ready_since_s = kube_time_parse(since);
		} else if (slice_is(type, "PodScheduled")) {
			p->is_scheduled = slice_is(status, "True");
		}
	}
}

static void read_pod_restarts(struct json_scan *s, struct pod_view *p)
{
	if (json_scan_next(s) != JSON_TOKEN_ARRAY)
		return;
	while (json_scan_element(s)) {
		if (json_scan_next(s) != JSON_TOKEN_OBJECT)
			continue;
		while (json_scan_member(s)) {
			struct slice key = s->key, v = take(s);
			int64_t n = 0;
			if (slice_is(key, "restartCount") && slice_to_i64(v, &n) && n > p->restarts)
				p->restarts = n;
		}
	}
}

static void read_pod_status(struct json_scan *s, struct pod_view *p)
{
	if (json_scan_next(s) != JSON_TOKEN_OBJECT)
		return;
	while (json_scan_member(s)) {
		if (slice_is(s->key, "phase"))
			p->phase = take(s);
		else if (slice_is(s->key, "podIP"))
			p->ip = take(s);
		else if (slice_is(s->key, "conditions"))
			read_pod_conditions(s, p);
		else if (slice_is(s->key, "containerStatuses"))
			read_pod_restarts(s, p);
		else
			json_scan_skip(s);
	}
}

void pod_view_read(struct slice object, struct pod_view *out)
{
	struct json_scan s;
	*out = (struct pod_view){0};
	json_scan_init(&s, object);
	if (json_scan_next(&s) != JSON_TOKEN_OBJECT)
		return;
	while (json_scan_member(&s)) {
		if (slice_is(s.key, "metadata"))
			read_metadata(&s, &out->meta);
		else if (slice_is(s.key, "spec"))
			read_pod_spec(&s, out);
		else if (slice_is(s.key, "status"))
			read_pod_status(&s, out);
		else
			json_scan_skip(&s);
	}
}

bool pod_view_is_active(const struct pod_view *p)
{
	return !slice_is(p->phase, "Succeeded") && !slice_is(p->phase, "Failed") && !p->meta.deletion_timestamp.len;
}

bool pod_view_is_available(const struct pod_view *p, int64_t min_ready_s, int64_t now_s, int64_t *wait_s)
{
	if (wait_s)
		*wait_s = 0;
	if (!p->is_ready)
		return false;
	if (min_ready_s == 0 || (p->ready_since_s && p->ready_since_s + min_ready_s <= now_s))
		return true;
	if (wait_s && p->ready_since_s)
		*wait_s = p->ready_since_s + min_ready_s - now_s;
	return false;
}

/* ---- times ---- */

int64_t kube_time_now_s(void)
{
	return (int64_t)time(NULL);
}

const char *kube_time_text(struct arena *a, int64_t unix_s)
{
	char text[RFC3339_MAX];
	return arena_strdup(a, rfc3339_seconds(text, unix_s ? unix_s : kube_time_now_s()));
}

const char *kube_time_micro_text(struct arena *a)
{
	char text[RFC3339_MAX];
	return arena_strdup(a, rfc3339_text(text, clock_wall_ns(), 6));
}

int64_t kube_time_parse(struct slice text)
{
	int64_t seconds;
	int32_t nanos;
	return scalar_time_parse(text, &seconds, &nanos, NULL) == 0 ? seconds : 0;
}

/* ---- conditions ---- */

struct json *condition_find(const struct json *list, const char *type)
{
	JSON_FOREACH (it, list)
		if (slice_is(json_get_str(it, "type"), type))
			return it;
	return NULL;
}

bool condition_drop(struct json *list, const char *type)
{
	struct json *c = condition_find(list, type);
	if (c)
		json_remove(list, c);
	return c != NULL;
}

bool condition_set(struct arena *a, struct json *list, const char *type, const char *status, const char *reason,
        const char *message, const char *time_field)
{
	struct json *c = condition_find(list, type);
	bool flips = !c || !slice_is(json_get_str(c, "status"), status);
	if (!flips && slice_is(json_get_str(c, "reason"), reason) && slice_is(json_get_str(c, "message"), message))
		return false;
	if (!c) {
		c = json_new(a, JSON_OBJECT);
		json_set_cstr(a, c, "type", type);
		json_append(list, c);
	}
	const char *now = kube_time_text(a, 0);
	json_set_cstr(a, c, "status", status);
	if (time_field)
		json_set_cstr(a, c, time_field, now);
	if (flips)
		json_set_cstr(a, c, "lastTransitionTime", now);
	json_set_cstr(a, c, "reason", reason);
	json_set_cstr(a, c, "message", message);
	return true;
}

/* ---- paths ---- */

const char *kube_path(struct arena *a, const char *api_version, const char *plural, struct slice ns, struct slice name,
        const char *sub)
{
	const char *root = strchr(api_version, '/') ? "/apis/" : "/api/";
	const char *scoped = ns.len ? arena_printf(a, "/namespaces/%.*s", SLICE_FMT(ns)) : "";
	const char *base = arena_printf(a, "%s%s%s/%s", root, api_version, scoped, plural);
	if (name.len)
		base = arena_printf(a, "%s/%.*s", base, SLICE_FMT(name));
	return sub && *sub ? arena_printf(a, "%s/%s", base, sub) : base;
}

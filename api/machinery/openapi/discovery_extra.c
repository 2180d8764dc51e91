/* What other servers serve, in discovery's documents: parts of those that discovery.c writes. Names and versions are
 * those of a validated APIService; what the other server says is JSON that was written anew. */
#include "api/machinery/openapi/discovery_int.h"

#include "base/check.h"
#include "base/json/json.h"

/* Behind the last version of the group at `from`. */
size_t discovery_extras_span(struct discovery_extras x, size_t from)
{
	size_t end = from + 1;
	while (end < x.count && slice_eq(x.items[end].group, x.items[from].group))
		end++;
	return end;
}

static void put_extra_version(struct strbuf *out, const struct discovery_extra *x)
{
	strbuf_addf(out, "{\"groupVersion\":\"%.*s/%.*s\",\"version\":\"%.*s\"}", SLICE_FMT(x->group),
	        SLICE_FMT(x->version), SLICE_FMT(x->version));
}

/* The members of an APIGroup, without its braces. */
void discovery_put_extra_group(struct strbuf *out, struct discovery_extras x, size_t from)
{
	size_t end = discovery_extras_span(x, from);
	strbuf_addf(out, "\"name\":\"%.*s\",\"versions\":[", SLICE_FMT(x.items[from].group));
	for (size_t i = from; i < end; i++) {
		strbuf_adds(out, i == from ? "" : ",");
		put_extra_version(out, &x.items[i]);
	}
	strbuf_adds(out, "],\"preferredVersion\":");
	put_extra_version(out, &x.items[from]);
}

static const struct discovery_extra *find_extra(struct discovery_extras x, struct slice group, struct slice version)
{
	for (size_t i = 0; i < x.count; i++)
		if (slice_eq(x.items[i].group, group) && slice_eq(x.items[i].version, version))
			return &x.items[i];
	return NULL;
}

int discovery_extra_group(struct strbuf *out, struct slice group, struct discovery_extras extras, struct err *err)
{
	for (size_t i = 0; i < extras.count; i = discovery_extras_span(extras, i)) {
		if (!slice_eq(extras.items[i].group, group))
			continue;
		strbuf_adds(out, "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",");
		discovery_put_extra_group(out, extras, i);
		strbuf_adds(out, "}\n");
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND, "the server could not find the requested resource");
}

int discovery_extra_resources(
        struct strbuf *out, struct slice group, struct slice version, struct discovery_extras extras, struct err *err)
{
	const struct discovery_extra *x = find_extra(extras, group, version);
	if (!x || !x->resources.len)
		return err_set(err, ERR_NOT_FOUND, "the server could not find the requested resource");
	strbuf_addf(out,
	        "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":\"%.*s/"
	        "%.*s\",\"resources\":%.*s}\n",
	        SLICE_FMT(group), SLICE_FMT(version), SLICE_FMT(x->resources));
	return 0;
}

/* As an APIResourceList names it, "pods/log" for what a subresource is. */
static void put_extra_resource(struct strbuf *out, const struct discovery_extra *x, const struct json *r,
        const char *name_of, struct slice name)
{
	struct slice group = json_get_str(r, "group"), version = json_get_str(r, "version");
	strbuf_addf(out, "{\"%s\":", name_of);
	json_write_str(out, name);
	strbuf_adds(out, ",\"responseKind\":{\"group\":");
	json_write_str(out, group.len ? group : x->group);
	strbuf_adds(out, ",\"version\":");
	json_write_str(out, version.len ? version : x->version);
	strbuf_adds(out, ",\"kind\":");
	json_write_str(out, json_get_str(r, "kind"));
	strbuf_adds(out, "},\"verbs\":");
	json_write(out, json_get(r, "verbs"));
}

static void put_extra_subs(
        struct strbuf *out, const struct discovery_extra *x, const struct json *list, struct slice parent)
{
	bool is_first = true;
	JSON_FOREACH (r, list) {
		struct slice sub = json_get_str(r, "name"), name = slice_cut(&sub, '/');
		if (!sub.len || !slice_eq(name, parent) || !json_get(r, "verbs"))
			continue;
		strbuf_adds(out, is_first ? ",\"subresources\":[" : ",");
		put_extra_resource(out, x, r, "subresource", sub);
		strbuf_addc(out, '}');
		is_first = false;
	}
	strbuf_adds(out, is_first ? "" : "]");
}

static void put_scope(struct strbuf *out, const struct json *r, struct slice singular)
{
	strbuf_addf(out, ",\"scope\":\"%s\",\"singularResource\":",
	        json_get_bool(r, "namespaced", false) ? "Namespaced" : "Cluster");
	json_write_str(out, singular);
}

static void put_extra_parent(
        struct strbuf *out, const struct discovery_extra *x, const struct json *r, struct slice name)
{
	static const char *const words[] = {"shortNames", "categories"};
	put_extra_resource(out, x, r, "resource", name);
	put_scope(out, r, json_get_str(r, "singularName"));
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (json_get(r, words[i])) {
			strbuf_addf(out, ",\"%s\":", words[i]);
			json_write(out, json_get(r, words[i]));
		}
}

/* What a subresource is of, when the list does not say (custom metrics: "pods/http_requests"). */
static void put_unknown_parent(struct strbuf *out, const struct json *r, struct slice name)
{
	strbuf_adds(out, "{\"resource\":");
	json_write_str(out, name);
	strbuf_adds(out, ",\"responseKind\":{\"group\":\"\",\"version\":\"\",\"kind\":\"\"},\"verbs\":[]");
	put_scope(out, r, SLICE(""));
}

/* Is it named by an earlier member of the list, or as a resource by any? */
static bool is_known(const struct json *list, const struct json *until, struct slice parent)
{
	bool is_before = true;
	JSON_FOREACH (r, list) {
		struct slice sub = json_get_str(r, "name"), name = slice_cut(&sub, '/');
		is_before = is_before && r != until;
		if (slice_eq(name, parent) && json_get(r, "verbs") && (is_before || !sub.ptr))
			return true;
	}
	return false;
}

static void put_extra_list(struct strbuf *out, const struct discovery_extra *x)
{
	struct arena a = ARENA_INIT;
	struct json *list = x->resources.len ? json_parse(&a, x->resources, NULL, NULL) : NULL;
	const char *comma = "";
	JSON_FOREACH (r, list) {
		struct slice sub = json_get_str(r, "name"), name = slice_cut(&sub, '/');
		if (!json_get(r, "verbs") || !name.len || (sub.ptr && is_known(list, r, name)))
			continue;
		strbuf_adds(out, comma);
		if (sub.ptr)
			put_unknown_parent(out, r, name);
		else
			put_extra_parent(out, x, r, name);
		put_extra_subs(out, x, list, name);
		strbuf_addc(out, '}');
		comma = ",";
	}
	arena_release(&a);
}

void discovery_put_extra(struct strbuf *out, struct discovery_extras x, size_t from)
{
	size_t end = discovery_extras_span(x, from);
	strbuf_adds(out, "{\"metadata\":{\"name\":");
	json_write_str(out, x.items[from].group);
	strbuf_adds(out, ",\"creationTimestamp\":null},\"versions\":[");
	for (size_t i = from; i < end; i++) {
		strbuf_addf(out, "%s{\"version\":\"%.*s\",\"resources\":[", i == from ? "" : ",",
		        SLICE_FMT(x.items[i].version));
		put_extra_list(out, &x.items[i]);
		strbuf_addf(out, "],\"freshness\":\"%s\"}", x.items[i].is_stale ? "Stale" : "Current");
	}
	strbuf_adds(out, "]}");
}

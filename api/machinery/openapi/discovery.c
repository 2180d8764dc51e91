/* Discovery documents.
 *
 * Rows come from the registry grouped and in order, so each document is one walk over a span of rows. Shapes follow
 * what kube-apiserver 1.32 answers; client-go's rest mapper reads verbs, kinds, names and scope out of them. */
#include "api/machinery/openapi/discovery.h"
#include "api/machinery/openapi/discovery_int.h"
#include "api/machinery/schema/resource_rows.h"

#include "base/json/json.h"

/* ---- pieces ---- */

static void put_str(struct strbuf *out, const char *s)
{
	json_write_str(out, slice_of(s));
}

static void put_member(struct strbuf *out, const char *name, const char *value)
{
	strbuf_addf(out, "\"%s\":", name);
	put_str(out, value);
}

static void put_verbs(struct strbuf *out, unsigned verbs)
{
	static const enum resource_verb order[] = {RESOURCE_CREATE, RESOURCE_DELETE, RESOURCE_DELETECOLLECTION,
	        RESOURCE_GET, RESOURCE_LIST, RESOURCE_PATCH, RESOURCE_UPDATE, RESOURCE_WATCH};
	strbuf_adds(out, "\"verbs\":[");
	const char *comma = "";
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (verbs & order[i]) {
			strbuf_addf(out, "%s\"%s\"", comma, resource_verb_name(order[i]));
			comma = ",";
		}
	strbuf_addc(out, ']');
}

static void put_words(struct strbuf *out, const char *name, const char *const *words)
{
	if (!words[0])
		return;
	strbuf_addf(out, ",\"%s\":[", name);
	for (size_t i = 0; words[i]; i++) {
		if (i)
			strbuf_addc(out, ',');
		put_str(out, words[i]);
	}
	strbuf_addc(out, ']');
}

/* ---- the old form ---- */

void discovery_core_versions(struct strbuf *out, const char *server_address)
{
	strbuf_adds(out, "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],\"serverAddressByClientCIDRs\":[{"
	                 "\"clientCIDR\":\"0.0.0.0/0\",");
	put_member(out, "serverAddress", server_address);
	strbuf_adds(out, "}]}\n");
}

static bool is_served_here(const struct resource_rows *rows, struct slice group)
{
	return resource_rows_find(rows, group, SLICE_NULL) < rows->count;
}

static void put_group_version(struct strbuf *out, const struct resource *r)
{
	strbuf_addc(out, '{');
	put_member(out, "groupVersion", r->api_version);
	strbuf_addc(out, ',');
	put_member(out, "version", r->version);
	strbuf_addc(out, '}');
}

/* The members of an APIGroup, without its braces. */
static void put_group(struct strbuf *out, const struct resource_rows *rows, size_t from)
{
	size_t end = resource_rows_span(rows, from, false);
	put_member(out, "name", rows->rows[from]->group);
	strbuf_adds(out, ",\"versions\":[");
	for (size_t i = from; i < end; i = resource_rows_span(rows, i, true)) {
		if (i != from)
			strbuf_addc(out, ',');
		put_group_version(out, rows->rows[i]);
	}
	strbuf_adds(out, "],\"preferredVersion\":");
	put_group_version(out, rows->rows[from]);
}

void discovery_groups(struct strbuf *out, struct discovery_extras extras)
{
	struct resource_rows rows;
	resource_rows_init(&rows);
	strbuf_adds(out, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
	const char *comma = "";
	for (size_t i = 0; i < rows.count; i = resource_rows_span(&rows, i, false)) {
		if (!*rows.rows[i]->group)
			continue;
		strbuf_addf(out, "%s{", comma);
		put_group(out, &rows, i);
		strbuf_addc(out, '}');
		comma = ",";
	}
	for (size_t i = 0; i < extras.count; i = discovery_extras_span(extras, i)) {
		if (is_served_here(&rows, extras.items[i].group))
			continue;
		strbuf_addf(out, "%s{", comma);
		discovery_put_extra_group(out, extras, i);
		strbuf_addc(out, '}');
		comma = ",";
	}
	strbuf_adds(out, "]}\n");
	resource_rows_release(&rows);
}

int discovery_group(struct strbuf *out, struct slice group, struct discovery_extras extras, struct err *err)
{
	struct resource_rows rows;
	resource_rows_init(&rows);
	size_t i = resource_rows_find(&rows, group, SLICE_NULL);
	bool found = group.len && i < rows.count;
	if (found) {
		strbuf_adds(out, "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",");
		put_group(out, &rows, i);
		strbuf_adds(out, "}\n");
	}
	resource_rows_release(&rows);
	return found ? 0 : discovery_extra_group(out, group, extras, err);
}

static void put_resource(struct strbuf *out, const struct resource *r)
{
	strbuf_addc(out, '{');
	put_member(out, "name", r->plural);
	strbuf_addc(out, ',');
	put_member(out, "singularName", r->singular ? r->singular : "");
	strbuf_addf(out, ",\"namespaced\":%s,", r->namespaced ? "true" : "false");
	put_member(out, "kind", r->kind);
	strbuf_addc(out, ',');
	put_verbs(out, r->verbs);
	put_words(out, "shortNames", r->short_names);
	put_words(out, "categories", r->categories);
	strbuf_addc(out, '}');
}

static void put_sub(struct strbuf *out, const struct resource *r, const struct resource_sub *s)
{
	strbuf_addf(out, ",{\"name\":\"%s/%s\",\"singularName\":\"\",\"namespaced\":%s,", r->plural, s->name,
	        r->namespaced ? "true" : "false");
	if (strcmp(s->group, r->group) != 0 || strcmp(s->version, r->version) != 0)
		strbuf_addf(out, "\"group\":\"%s\",\"version\":\"%s\",", s->group, s->version);
	put_member(out, "kind", s->kind);
	strbuf_addc(out, ',');
	put_verbs(out, s->verbs);
	strbuf_addc(out, '}');
}

int discovery_resources(
        struct strbuf *out, struct slice group, struct slice version, struct discovery_extras extras, struct err *err)
{
	struct resource_rows rows;
	resource_rows_init(&rows);
	size_t i = version.ptr ? resource_rows_find(&rows, group, version) : rows.count;
	bool found = i < rows.count;
	if (found) {
		size_t end = resource_rows_span(&rows, i, true);
		strbuf_addf(out, "{\"kind\":\"APIResourceList\",%s", group.len ? "\"apiVersion\":\"v1\"," : "");
		put_member(out, "groupVersion", rows.rows[i]->api_version);
		strbuf_adds(out, ",\"resources\":[");
		for (size_t k = i; k < end; k++) {
			if (k != i)
				strbuf_addc(out, ',');
			put_resource(out, rows.rows[k]);
			for (size_t s = 0; s < rows.rows[k]->sub_count; s++)
				put_sub(out, rows.rows[k], &rows.rows[k]->subs[s]);
		}
		strbuf_adds(out, "]}\n");
	}
	resource_rows_release(&rows);
	return found ? 0 : discovery_extra_resources(out, group, version, extras, err);
}

/* ---- the aggregated form ---- */

static void put_response_kind(struct strbuf *out, const char *group, const char *version, const char *kind)
{
	strbuf_adds(out, "\"responseKind\":{");
	put_member(out, "group", group);
	strbuf_addc(out, ',');
	put_member(out, "version", version);
	strbuf_addc(out, ',');
	put_member(out, "kind", kind);
	strbuf_adds(out, "},");
}

static void put_aggregated_resource(struct strbuf *out, const struct resource *r)
{
	strbuf_addc(out, '{');
	put_member(out, "resource", r->plural);
	strbuf_addc(out, ',');
	put_response_kind(out, r->group, r->version, r->kind);
	strbuf_addf(out, "\"scope\":\"%s\",", r->namespaced ? "Namespaced" : "Cluster");
	put_member(out, "singularResource", r->singular ? r->singular : "");
	strbuf_addc(out, ',');
	put_verbs(out, r->verbs);
	put_words(out, "shortNames", r->short_names);
	put_words(out, "categories", r->categories);
	for (size_t i = 0; i < r->sub_count; i++) {
		strbuf_adds(out, i ? ",{" : ",\"subresources\":[{");
		put_member(out, "subresource", r->subs[i].name);
		strbuf_addc(out, ',');
		put_response_kind(out, r->subs[i].group, r->subs[i].version, r->subs[i].kind);
		put_verbs(out, r->subs[i].verbs);
		strbuf_addc(out, '}');
	}
	strbuf_adds(out, r->sub_count ? "]}" : "}");
}

static void put_aggregated_group(struct strbuf *out, const struct resource_rows *rows, size_t from, size_t end)
{
	strbuf_adds(out, "{\"metadata\":{");
	if (*rows->rows[from]->group) {
		put_member(out, "name", rows->rows[from]->group);
		strbuf_addc(out, ',');
	}
	strbuf_adds(out, "\"creationTimestamp\":null},\"versions\":[");
	for (size_t i = from; i < end;) {
		size_t stop = resource_rows_span(rows, i, true);
		strbuf_adds(out, i == from ? "{" : ",{");
		put_member(out, "version", rows->rows[i]->version);
		strbuf_adds(out, ",\"resources\":[");
		for (size_t k = i; k < stop; k++) {
			if (k != i)
				strbuf_addc(out, ',');
			put_aggregated_resource(out, rows->rows[k]);
		}
		strbuf_adds(out, "],\"freshness\":\"Current\"}");
		i = stop;
	}
	strbuf_adds(out, "]}");
}

void discovery_aggregated(struct strbuf *out, bool is_core, bool is_v2beta1, struct discovery_extras extras)
{
	struct resource_rows rows;
	resource_rows_init(&rows);
	strbuf_addf(out,
	        "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/%s\",\"metadata\":{},"
	        "\"items\":[",
	        is_v2beta1 ? "v2beta1" : "v2");
	const char *comma = "";
	for (size_t i = 0; i < rows.count;) {
		size_t end = resource_rows_span(&rows, i, false);
		if (is_core == !*rows.rows[i]->group) {
			strbuf_adds(out, comma);
			put_aggregated_group(out, &rows, i, end);
			comma = ",";
		}
		i = end;
	}
	for (size_t i = 0; !is_core && i < extras.count; i = discovery_extras_span(extras, i)) {
		if (is_served_here(&rows, extras.items[i].group))
			continue;
		strbuf_adds(out, comma);
		discovery_put_extra(out, extras, i);
		comma = ",";
	}
	strbuf_adds(out, "]}\n");
	resource_rows_release(&rows);
}

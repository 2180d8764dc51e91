/* What tells the cluster of the API itself, kept by the server that leads:
 *
 * - an APIService for every group and version that is served here, as upstream's autoregistration makes them, so that
 *   `kubectl get apiservices` shows the whole API; those of custom resources go with them;
 * - the ConfigMap kube-system/extension-apiserver-authentication, by which aggregated API servers know whom to believe.
 *
 * The watch cache is compared with what is wanted; what differs is written, one after the other. What somebody has made
 * of an APIService stays. */
#include "api/server/duties/writes.h"

#include "api/machinery/schema/resource_rows.h"
#include "api/server/arguments.h"
#include "base/pki/pki.h"

#include <stdlib.h>

#define SERVICES "/apis/apiregistration.k8s.io/v1/apiservices"
#define MAPS "/api/v1/namespaces/kube-system/configmaps"
#define MAP_NAME "extension-apiserver-authentication"
#define MANAGED "kube-aggregator.kubernetes.io/automanaged"

enum { BUILT_IN_PRIORITY = 18000, CUSTOM_PRIORITY = 1000, CUSTOM_VERSION_PRIORITY = 100, VERSION_PRIORITY = 30 };

struct keeping {
	struct writes writes; /* of a run */
	uint64_t generation;  /* of the registry, that was brought in line */
};

static struct cache_resource *source(struct keeping *k, const char *group, const char *plural)
{
	return cache_resource(k->writes.run->server->cache, resource_find_preferred(slice_of(group), slice_of(plural)));
}

/* ---- APIServices ---- */

static void add_service(struct keeping *k, const struct resource *r, int64_t group_priority, int64_t version_priority)
{
	struct arena *a = &k->writes.arena;
	const char *name = arena_printf(a, "%s.%s", r->version, r->group);
	if (cache_get(source(k, "apiregistration.k8s.io", "apiservices"), slice_of(name)))
		return;
	struct json *o = json_new(a, JSON_OBJECT), *meta = json_need(a, o, "metadata", JSON_OBJECT),
	            *spec = json_need(a, o, "spec", JSON_OBJECT);
	json_set_cstr(a, meta, "name", name);
	json_set_cstr(a, json_need(a, meta, "labels", JSON_OBJECT), MANAGED, r->is_custom ? "true" : "onstart");
	if (*r->group)
		json_set_cstr(a, spec, "group", r->group);
	json_set_cstr(a, spec, "version", r->version);
	json_set_int(a, spec, "groupPriorityMinimum", group_priority);
	json_set_int(a, spec, "versionPriority", version_priority);
	writes_add(&k->writes, "POST", SERVICES, o);
}

/* Rows stand in order of priority. */
static void add_missing(struct keeping *k, const struct resource_rows *rows)
{
	int64_t priority = BUILT_IN_PRIORITY, version = VERSION_PRIORITY;
	for (size_t i = 0; i < rows->count;) {
		const struct resource *r = rows->rows[i];
		size_t end = resource_rows_span(rows, i, true);
		if (r->is_custom)
			add_service(k, r, CUSTOM_PRIORITY, CUSTOM_VERSION_PRIORITY);
		else if (strcmp(r->group, "apiregistration.k8s.io") != 0) /* upstream has none of its own */
			add_service(k, r, priority, version);
		bool ends_group = end == rows->count || strcmp(rows->rows[end]->group, r->group) != 0;
		version = ends_group ? VERSION_PRIORITY : version - 1;
		priority -= ends_group ? 100 : 0;
		i = end;
	}
}

static void drop_unserved(struct keeping *k, const struct resource_rows *rows)
{
	struct cache_resource *all = source(k, "apiregistration.k8s.io", "apiservices");
	for (struct omap_node *n = all->objects.head[0]; n; n = omap_next(n)) {
		const struct json *o = json_parse(&k->writes.arena, object_text(n->value), NULL, NULL),
		                  *spec = json_get(o, "spec");
		bool is_ours =
		        json_get(json_path(o, "metadata", "labels", NULL), MANAGED) && !json_get(spec, "service");
		struct slice group = json_get_str(spec, "group");
		if (is_ours && resource_rows_find(rows, group.ptr ? group : SLICE(""), json_get_str(spec, "version")) ==
		                       rows->count)
			writes_add(&k->writes, "DELETE",
			        arena_printf(&k->writes.arena, SERVICES "/%.*s", SLICE_FMT(n->key)), NULL);
	}
}

static void compare_services(struct keeping *k)
{
	struct resource_rows rows;
	uint64_t generation = resources_generation();
	if (k->generation == generation)
		return;
	resource_rows_init(&rows);
	add_missing(k, &rows);
	drop_unserved(k, &rows);
	resource_rows_release(&rows);
	k->generation = generation;
}

/* ---- whom to believe ---- */

static void set_file(struct keeping *k, struct json *data, const char *name, const char *path)
{
	char *text = NULL;
	size_t len;
	if (path && pki_file_read(path, &text, &len, &k->writes.err) == 0)
		json_set_str(
		        &k->writes.arena, data, name, (struct slice){arena_memdup(&k->writes.arena, text, len), len});
	free(text);
}

static void compare_map(struct keeping *k)
{
	static const char *const fixed[][2] = {{"requestheader-allowed-names", "[\"system:auth-proxy\"]"},
	        {"requestheader-username-headers", "[\"X-Remote-User\"]"},
	        {"requestheader-group-headers", "[\"X-Remote-Group\"]"},
	        {"requestheader-extra-headers-prefix", "[\"X-Remote-Extra-\"]"}};
	const struct api_server_options *o = &k->writes.run->server->options;
	struct arena *a = &k->writes.arena;
	struct json *map = json_new(a, JSON_OBJECT), *data = json_need(a, map, "data", JSON_OBJECT);
	set_file(k, data, "client-ca-file", o->client_ca_file);
	set_file(k, data, "requestheader-client-ca-file", o->proxy_ca_file);
	for (size_t i = 0; o->proxy_ca_file && i < COUNT_OF(fixed); i++)
		json_set_cstr(a, data, fixed[i][0], fixed[i][1]);
	if (k->writes.err.code)
		return;
	struct object *have = cache_get(source(k, "", "configmaps"), SLICE("kube-system/" MAP_NAME));
	if (have && json_equal(json_get(json_parse(a, object_text(have), NULL, NULL), "data"), data))
		return;
	json_set_cstr(a, json_need(a, map, "metadata", JSON_OBJECT), "name", MAP_NAME);
	writes_add(&k->writes, have ? "PATCH" : "POST", have ? MAPS "/" MAP_NAME : MAPS, map);
}

/* ---- a run ---- */

static void written(struct writes *w)
{
	struct keeping *k = CONTAINER_OF(w, struct keeping, writes);
	if (w->err.code)
		k->generation = 0;
}

void api_services_run(struct duty_run *r)
{
	if (!r->state)
		r->state = xcalloc(1, sizeof(struct keeping));
	struct keeping *k = r->state;
	writes_init(&k->writes, r);
	compare_services(k);
	compare_map(k);
	writes_send(&k->writes, written);
}

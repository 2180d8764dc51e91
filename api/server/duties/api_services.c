/* What tells the cluster of the API itself, kept by the server that leads:
 *
 * - an APIService for every group and version that is served here, as upstream's autoregistration makes them, so that
 *   `kubectl get apiservices` shows the whole API; those of custom resources go with them;
 * - the ConfigMap kube-system/extension-apiserver-authentication, by which aggregated API servers know whom to believe.
 *
 * The watch cache is compared with what is wanted; what differs is written, one after the other. What somebody has made
 * of an APIService stays. */
#include "api/server/duties/duty_int.h"

#include "api/client/client.h"
#include "api/machinery/schema/resource_rows.h"
#include "api/server/arguments.h"
#include "api/server/inproc.h"
#include "base/check.h"
#include "base/json/json.h"
#include "base/pki/pki.h"

#include <stdlib.h>

#define SERVICES "/apis/apiregistration.k8s.io/v1/apiservices"
#define MAPS "/api/v1/namespaces/kube-system/configmaps"
#define MAP_NAME "extension-apiserver-authentication"
#define MANAGED "kube-aggregator.kubernetes.io/automanaged"

enum { BUILT_IN_PRIORITY = 18000, CUSTOM_PRIORITY = 1000, CUSTOM_VERSION_PRIORITY = 100, VERSION_PRIORITY = 30 };

struct step {
	struct step *next;
	const char *method, *path, *content_type;
	struct slice body;
};

struct keeping {
	struct duty_run *run;
	struct client *client;
	struct arena arena; /* of a run */
	struct step *steps, **end;
	struct client_request request;
	uint64_t generation; /* of the registry, that was brought in line */
	struct err err;
};

static void add_step(struct keeping *k, const char *method, const char *path, const struct json *body)
{
	struct step *s = ARENA_NEW(&k->arena, struct step);
	struct strbuf text = STRBUF_INIT;
	if (body)
		json_write(&text, body);
	*s = (struct step){.method = method,
	        .path = path,
	        .content_type = strcmp(method, "PATCH") == 0 ? "application/merge-patch+json" : NULL,
	        .body = {arena_memdup(&k->arena, text.data ? text.data : "", text.len), text.len}};
	strbuf_release(&text);
	*k->end = s;
	k->end = &s->next;
}

static struct cache_resource *source(struct keeping *k, const char *group, const char *plural)
{
	return cache_resource(k->run->server->cache, resource_find_preferred(slice_of(group), slice_of(plural)));
}

/* ---- APIServices ---- */

static void add_service(struct keeping *k, const struct resource *r, int64_t group_priority, int64_t version_priority)
{
	struct arena *a = &k->arena;
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
	add_step(k, "POST", SERVICES, o);
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
		const struct json *o = json_parse(&k->arena, object_text(n->value), NULL, NULL),
		                  *spec = json_get(o, "spec");
		bool is_ours =
		        json_get(json_path(o, "metadata", "labels", NULL), MANAGED) && !json_get(spec, "service");
		struct slice group = json_get_str(spec, "group");
		if (is_ours && resource_rows_find(rows, group.ptr ? group : SLICE(""), json_get_str(spec, "version")) ==
		                       rows->count)
			add_step(k, "DELETE", arena_printf(&k->arena, SERVICES "/%.*s", SLICE_FMT(n->key)), NULL);
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
	if (path && pki_file_read(path, &text, &len, &k->err) == 0)
		json_set_str(&k->arena, data, name, (struct slice){arena_memdup(&k->arena, text, len), len});
	free(text);
}

static void compare_map(struct keeping *k)
{
	static const char *const fixed[][2] = {{"requestheader-allowed-names", "[\"system:auth-proxy\"]"},
	        {"requestheader-username-headers", "[\"X-Remote-User\"]"},
	        {"requestheader-group-headers", "[\"X-Remote-Group\"]"},
	        {"requestheader-extra-headers-prefix", "[\"X-Remote-Extra-\"]"}};
	const struct api_server_options *o = &k->run->server->options;
	struct arena *a = &k->arena;
	struct json *map = json_new(a, JSON_OBJECT), *data = json_need(a, map, "data", JSON_OBJECT);
	set_file(k, data, "client-ca-file", o->client_ca_file);
	set_file(k, data, "requestheader-client-ca-file", o->proxy_ca_file);
	for (size_t i = 0; o->proxy_ca_file && i < COUNT_OF(fixed); i++)
		json_set_cstr(a, data, fixed[i][0], fixed[i][1]);
	if (k->err.code)
		return;
	struct object *have = cache_get(source(k, "", "configmaps"), SLICE("kube-system/" MAP_NAME));
	if (have && json_equal(json_get(json_parse(a, object_text(have), NULL, NULL), "data"), data))
		return;
	json_set_cstr(a, json_need(a, map, "metadata", JSON_OBJECT), "name", MAP_NAME);
	add_step(k, have ? "PATCH" : "POST", have ? MAPS "/" MAP_NAME : MAPS, map);
}

/* ---- writing ---- */

static void write_next(struct keeping *k);

static void client_closed(void *arg)
{
	struct keeping *k = arg;
	struct err err = k->err;
	if (err.code)
		k->generation = 0;
	k->client = NULL;
	k->err = ERR_INIT;
	arena_release(&k->arena);
	duty_done(k->run, &err);
}

static void written(struct client_request *req)
{
	struct keeping *k = CONTAINER_OF(req, struct keeping, request);
	int code = req->err.code;
	if (code && code != ERR_EXISTS && code != ERR_NOT_FOUND && !k->err.code) {
		k->err = req->err;
		err_wrap(&k->err, "%s %s", req->method, req->path);
	}
	client_request_release(req);
	k->steps = k->steps->next;
	write_next(k);
}

static void write_next(struct keeping *k)
{
	const struct step *s = k->steps;
	if (!s || k->err.code) {
		client_close(k->client, client_closed, k);
		return;
	}
	k->request = (struct client_request){.method = s->method,
	        .path = s->path,
	        .body = s->body,
	        .content_type = s->content_type,
	        .done = written};
	client_send(k->client, &k->request);
}

void api_services_run(struct duty_run *r)
{
	if (!r->state)
		r->state = xcalloc(1, sizeof(struct keeping));
	struct keeping *k = r->state;
	k->run = r;
	k->steps = NULL;
	k->end = &k->steps;
	compare_services(k);
	compare_map(k);
	k->client = api_server_client(r->server, r->server->loop, "system:apiserver", "system:masters");
	write_next(k);
}

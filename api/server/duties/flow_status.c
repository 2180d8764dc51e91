/* The condition Dangling of every FlowSchema: whether there is the priority level that it names. By the server that
 * leads; a look costs nothing while neither schemas nor levels have changed since the last one.
 *
 * Upstream: apiserver/pkg/util/flowcontrol, which has the words from the API's documentation. */
#include "api/server/duties/writes.h"

#include "api/client/meta.h"

#include <stdlib.h>

#define GROUP "flowcontrol.apiserver.k8s.io"
#define SCHEMAS "/apis/" GROUP "/v1/flowschemas"

struct flow_status {
	struct writes writes;
	uint64_t schemas_seen, levels_seen; /* up to these events all is as it should be */
};

static struct cache_resource *source(const struct writes *w, const char *plural)
{
	return cache_resource(w->run->server->cache, resource_find_preferred(SLICE(GROUP), slice_of(plural)));
}

static const char *message_of(struct arena *a, struct slice level, bool is_dangling)
{
	return arena_printf(a, "This FlowSchema references the PriorityLevelConfiguration object named \"%.*s\" and %s",
	        SLICE_FMT(level), is_dangling ? "there is no such object" : "it exists");
}

static void look_at(struct writes *w, struct slice name, const struct json *schema)
{
	struct arena *a = &w->arena;
	struct slice level = json_str(json_path(schema, "spec", "priorityLevelConfiguration", "name", NULL));
	bool is_dangling = !cache_get(source(w, "prioritylevelconfigurations"), level);
	const struct json *have = json_path(schema, "status", "conditions", NULL);
	struct json *list = have ? json_copy(a, have) : json_new(a, JSON_ARRAY);
	if (!condition_set(a, list, "Dangling", is_dangling ? "True" : "False", is_dangling ? "NotFound" : "Found",
	            message_of(a, level, is_dangling), NULL))
		return;
	struct json *patch = json_new(a, JSON_OBJECT);
	json_set_str(a, json_need(a, patch, "metadata", JSON_OBJECT), "resourceVersion",
	        json_str(json_path(schema, "metadata", "resourceVersion", NULL)));
	json_set(a, json_need(a, patch, "status", JSON_OBJECT), "conditions", list);
	writes_add(w, "PATCH", arena_printf(a, SCHEMAS "/%.*s/status", SLICE_FMT(name)), patch);
}

static void look_at_all(struct writes *w)
{
	struct cache_resource *schemas = source(w, "flowschemas");
	for (struct omap_node *n = schemas->objects.head[0]; n; n = omap_next(n)) {
		const struct json *schema = json_parse(&w->arena, object_text(n->value), NULL, NULL);
		if (schema && !json_path(schema, "metadata", "deletionTimestamp", NULL))
			look_at(w, n->key, schema);
	}
}

static void written(struct writes *w)
{
	struct flow_status *s = CONTAINER_OF(w, struct flow_status, writes);
	if (w->err.code)
		s->schemas_seen = 0;
}

void flow_status_run(struct duty_run *r)
{
	if (!r->state)
		r->state = xcalloc(1, sizeof(struct flow_status));
	struct flow_status *s = r->state;
	writes_init(&s->writes, r);
	uint64_t schemas = source(&s->writes, "flowschemas")->next_seq,
	         levels = source(&s->writes, "prioritylevelconfigurations")->next_seq;
	if (s->schemas_seen != schemas || s->levels_seen != levels)
		look_at_all(&s->writes);
	s->schemas_seen = schemas;
	s->levels_seen = levels;
	writes_send(&s->writes, written);
}

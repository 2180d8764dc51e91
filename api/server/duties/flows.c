/* The priority levels and flow schemas of machinery/rules/groups/flow_presets.h: made when they are absent, the
 * mandatory ones held to what they must be, the others as long as nobody has said that they are his (the annotation
 * apf.kubernetes.io/autoupdate-spec). By the server that leads, before it answers anybody and every minute after that,
 * for what was deleted comes back, as upstream. Who writes is the server itself, as with roles.c. */
#include "api/server/duties/writes.h"

#include "api/machinery/rules/groups/flow_presets.h"

#include <stdlib.h>

static void look_at(struct writes *w, const struct preset *p)
{
	struct arena *a = &w->arena;
	const struct resource *r = resource_find_preferred(SLICE("flowcontrol.apiserver.k8s.io"), slice_of(p->plural));
	const struct object *o = cache_get(cache_resource(w->run->server->cache, r), slice_of(p->name));
	struct json *tree = o ? json_parse(a, object_text(o), NULL, NULL) : NULL;
	const char *path = arena_printf(a, "/apis/flowcontrol.apiserver.k8s.io/v1/%s", p->plural);
	if (!o)
		writes_add(w, "POST", path, preset_object(a, p));
	else if (tree && preset_reconcile(a, p, tree))
		writes_add(w, "PUT", arena_printf(a, "%s/%s", path, p->name), tree);
}

static void written(struct writes *w)
{
	free(w);
}

void flows_run(struct duty_run *run)
{
	struct writes *w = xmalloc(sizeof *w);
	writes_init(w, run);
	for (const struct preset *p = presets; p->name; p++)
		look_at(w, p);
	writes_send(w, written);
}

/* See pod_place_int.h: what the rules of pod_admit.c are to know, from the records and the Node as the API server has
 * it. */
#include "node/worker/pod_place_int.h"

#include "api/client/informer.h"
#include "base/check.h"
#include "base/json/scan.h"
#include "node/cgroup/resources.h"
#include "node/config/kubelet_config.h"
#include "node/ground/machine.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"

#include <stdlib.h>

/* The scheduler gives a place away again when its pod's status says that it is over, which may be before the last of it
 * is taken down. Who waits for others to go has what they leave: nobody else may come between. */
static bool holds_its_place(const struct pod *p)
{
	if (!p->spec || !p->in_api || pod_state(p) >= POD_FINISHED || !(p->is_admitted || p->awaits_place))
		return false;
	if (pod_state(p) == POD_RUNNING || p->is_deleting)
		return true;
	LIST_FOREACH (it, &p->containers) {
		enum container_state state = CONTAINER_OF(it, struct container, in_pod)->state;
		if (state == CONTAINER_RUNNING || state == CONTAINER_UNKNOWN)
			return true;
	}
	return false;
}

/* For whom place is made already takes nobody else's, and is nobody's victim. */
static bool gives_place_up(const struct pod *p)
{
	return p->is_deleting || p->end_reason || pod_state(p) != POD_RUNNING;
}

/* The pods that have a place here already, and what the rules are to know of them. */
static struct pod **find_others(const struct pod *p, struct admit_other **ret, struct arena *a, size_t *ret_count)
{
	size_t count, kept = 0;
	struct pod **pods = node_pods(p->n, &count);
	*ret = ARENA_ARRAY(a, struct admit_other, count + 1);
	for (size_t i = 0; i < count; i++)
		if (pods[i] != p && holds_its_place(pods[i])) {
			(*ret)[kept] = (struct admit_other){
			        pods[i]->spec, pods[i]->is_static || pods[i]->awaits_place, gives_place_up(pods[i])};
			pods[kept++] = pods[i];
		}
	*ret_count = kept;
	return pods;
}

static struct admit_node node_as_it_is(const struct node *n)
{
	struct informer_object *o = n->node_informer ? informer_get(n->node_informer, slice_of(n->o.node_name)) : NULL;
	struct slice text = o ? informer_text(o) : SLICE_NULL;
	struct admit_node node = {.name = slice_of(n->o.node_name),
	        .labels = o ? json_find(text, "metadata", "labels", NULL) : SLICE_NULL,
	        .taints = o ? json_find(text, "spec", "taints", NULL) : SLICE_NULL,
	        .allocatable = o ? json_find(text, "status", "allocatable", NULL) : SLICE_NULL,
	        .has_apparmor = node_has_apparmor(),
	        .unsafe_sysctls = kubelet_config_get(n->config, "allowedUnsafeSysctls"),
	        .is_shutting_down = n->is_shutting_down,
	        .pressures = n->pressures};
	node.is_known = node.allocatable.len > 0;
	return node;
}

bool pod_place_ask(const struct pod *p, struct arena *a, struct pod_place *ret)
{
	struct admit_node node = node_as_it_is(p->n);
	struct admit_other *others;
	size_t count;
	LOOP_CHECK_OWNER(p->n->loop);
	if (!node.is_known && !p->is_static)
		return false;
	struct pod **pods = find_others(p, &others, a, &count);
	ret->verdict = pod_admit(a, p->spec, p->is_static, others, count, &node);
	ret->victims = ARENA_ARRAY(a, struct pod *, ret->verdict.victims_count + 1);
	for (size_t i = 0; i < ret->verdict.victims_count; i++)
		ret->victims[i] = pods[ret->verdict.victims[i]];
	free(pods);
	return true;
}

static bool is_more_than_all(const struct json *spec, const struct admit_node *node, struct arena *a)
{
	static const char *const names[] = {"cpu", "memory"};
	struct resource_list has = resource_list_read(a, json_parse(a, node->allocatable, NULL, NULL)),
	                     asks = pod_asks(a, spec);
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (pod_asks_of(&asks, slice_of(names[i])) > pod_asks_of(&has, slice_of(names[i])))
			return true;
	return false;
}

/* What guaranteed pods have to themselves by a static policy is theirs for good, as upstream has it; WebAssembly pods
 * have no runtime that could be told. */
static bool can_never(const struct pod *p)
{
	bool has_own = (p->n->cpus || p->n->memory) && pod_qos(p->spec) == QOS_GUARANTEED;
	return has_own || (p->n->wasm && slice_is(json_get_str(p->spec, "runtimeClassName"), "wasm"));
}

enum place_for_resize pod_place_for_resize(const struct pod *p, const struct json *spec, struct arena *a)
{
	struct admit_node node = node_as_it_is(p->n);
	struct admit_other *others;
	size_t count;
	if (!node.is_known)
		return RESIZE_DEFERRED;
	if (can_never(p) || is_more_than_all(spec, &node, a))
		return RESIZE_INFEASIBLE;
	free(find_others(p, &others, a, &count));
	struct admit_verdict v = pod_admit(a, spec, p->is_static, others, count, &node);
	return v.reason || v.must_wait ? RESIZE_DEFERRED : RESIZE_FITS;
}

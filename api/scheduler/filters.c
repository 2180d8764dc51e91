/* Filters: can this node take this pod? In upstream's order, with upstream's words, because people and tools read them:
 * NodeUnschedulable, NodeName, TaintToleration, NodeAffinity, NodePorts, NodeResourcesFit, what volumes ask
 * (volumes.c), and the rules about other pods (placement.c). */
#include "api/scheduler/scheduler_int.h"

#include "api/machinery/schema/node_selector.h"

static bool refuse(struct verdict *v, const char *reason, bool resolvable)
{
	if (v->count < REASONS_MAX)
		v->reasons[v->count++] = reason;
	v->resolvable = resolvable;
	return false;
}

/* ---- taints ---- */

bool toleration_matches(const struct json *tolerations, const struct taint *t)
{
	const char *effect = t->effect == 'S' ? "NoSchedule" : t->effect == 'P' ? "PreferNoSchedule" : "NoExecute";
	JSON_FOREACH (it, tolerations)
		if (toleration_covers(it, t->key, t->value, slice_of(effect)))
			return true;
	return false;
}

static const struct taint *untolerated(const struct candidate *p, const struct node_info *n)
{
	for (size_t i = 0; i < n->n_taints; i++)
		if (n->taints[i].effect != 'P' && !toleration_matches(p->tolerations, &n->taints[i]))
			return &n->taints[i];
	return NULL;
}

bool taints_are_tolerated(const struct candidate *p, const struct node_info *n)
{
	return !untolerated(p, n);
}

static bool filter_taints(struct candidate *p, const struct node_info *n, struct verdict *v)
{
	static const struct taint unschedulable = {{"node.kubernetes.io/unschedulable", 32}, {NULL, 0}, 'S'};
	if (n->unschedulable && (p->profile->filters & FILTER_UNSCHEDULABLE) &&
	        !toleration_matches(p->tolerations, &unschedulable))
		return refuse(v, "node(s) were unschedulable", false);
	const struct taint *t = p->profile->filters & FILTER_TAINTS ? untolerated(p, n) : NULL;
	if (!t)
		return true;
	return refuse(v,
	        arena_printf(&p->arena, "node(s) had untolerated taint {%.*s: %.*s}", SLICE_FMT(t->key),
	                SLICE_FMT(t->value)),
	        false);
}

/* ---- node affinity ---- */

bool node_term_matches(const struct json *term, const struct node_info *n)
{
	return node_selector_term_matches(term, n->name, n->labels);
}

static bool affinity_matches(struct candidate *p, const struct node_info *n)
{
	return node_selector_labels_match(p->node_selector, n->labels) &&
	       (!p->required_terms || node_selector_terms_match(p->required_terms, n->name, n->labels));
}

/* ---- ports ---- */

static bool clash(const struct host_port *a, const struct host_port *b)
{
	return a->port == b->port && a->protocol == b->protocol && (!a->ip.len || !b->ip.len || slice_eq(a->ip, b->ip));
}

static bool ports_are_free(struct candidate *p, const struct node_info *n)
{
	if (!p->demands.n_ports)
		return true;
	LIST_FOREACH (it, &n->pods) {
		struct pod_info *other = CONTAINER_OF(it, struct pod_info, in_node);
		for (size_t i = 0; i < other->n_ports; i++)
			for (size_t j = 0; j < p->demands.n_ports; j++)
				if (clash(&other->ports[i], &p->demands.ports[j]))
					return false;
	}
	return true;
}

/* ---- resources ---- */

static bool lacks(struct verdict *v, const char *reason, int64_t want, int64_t used, int64_t allocatable)
{
	if (want > allocatable - used)
		return !refuse(v, reason, want <= allocatable);
	return false;
}

bool filter_resources(struct candidate *p, const struct node_info *n, struct verdict *v)
{
	const struct amounts *want = &p->demands.requests, *used = &n->used, *all = &n->allocatable;
	bool ok = true;
	if ((int64_t)n->n_pods + 1 > all->pods)
		ok = refuse(v, "Too many pods", true);
	if (want->cpu_milli)
		ok &= !lacks(v, "Insufficient cpu", want->cpu_milli, used->cpu_milli, all->cpu_milli);
	if (want->memory)
		ok &= !lacks(v, "Insufficient memory", want->memory, used->memory, all->memory);
	if (want->storage)
		ok &= !lacks(v, "Insufficient ephemeral-storage", want->storage, used->storage, all->storage);
	for (const struct extended *e = want->extended; e && e->name; e++)
		if (e->amount > amounts_extended(all, e->name) - amounts_extended(used, e->name))
			ok = refuse(v, arena_printf(&p->arena, "Insufficient %s", e->name),
			        e->amount <= amounts_extended(all, e->name));
	return ok;
}

/* ---- all of them ---- */

bool filters_pass(struct scheduler *s, struct candidate *p, const struct node_info *n, struct verdict *v)
{
	*v = (struct verdict){0};
	struct slice wanted = json_get_str(p->spec, "nodeName");
	if (wanted.len && !slice_eq(wanted, n->name))
		return refuse(v, "node(s) didn't match the requested node name", false);
	if (!filter_taints(p, n, v))
		return false;
	unsigned filters = p->profile->filters;
	if ((filters & FILTER_NODE_AFFINITY) && (p->node_selector || p->required_terms) && !affinity_matches(p, n))
		return refuse(v, "node(s) didn't match Pod's node affinity/selector", false);
	if ((filters & FILTER_PORTS) && !ports_are_free(p, n))
		return refuse(v, "node(s) didn't have free ports for the requested pod ports", true);
	if ((filters & FILTER_FIT) && !filter_resources(p, n, v))
		return false;
	bool may_be_freed = false;
	const char *volume = p->volumes ? volumes_filter(s, p, n, &may_be_freed) : NULL;
	if (volume)
		return refuse(v, volume, may_be_freed);
	const char *other = p->placement ? placement_filter(p, n) : NULL;
	return other ? refuse(v, other, true) : true;
}

bool filters_pass_beside(struct scheduler *s, struct candidate *p, struct node_info *n, struct verdict *v)
{
	if (!list_empty(&n->nominees) && nominees_show(s, p, n)) {
		bool fits = filters_pass(s, p, n, v);
		nominees_hide(s, p, n);
		if (!fits)
			return false;
	}
	return filters_pass(s, p, n, v);
}

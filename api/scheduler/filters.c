/* Filters: can this node take this pod? In upstream's order, with upstream's words, because people and tools read them:
 * NodeUnschedulable, NodeName, TaintToleration, NodeAffinity, NodePorts, NodeResourcesFit, what volumes ask
 * (volumes.c), and the rules about other pods (placement.c). */
#include "api/scheduler/scheduler_int.h"

#include "api/machinery/schema/node_selector.h"

bool verdict_refuse(struct verdict *v, unsigned plugin, const char *reason, bool resolvable)
{
	if (v->count < REASONS_MAX)
		v->reasons[v->count++] = reason;
	v->plugin = plugin;
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
		return verdict_refuse(v, FILTER_UNSCHEDULABLE, "node(s) were unschedulable", false);
	const struct taint *t = p->profile->filters & FILTER_TAINTS ? untolerated(p, n) : NULL;
	if (!t)
		return true;
	return verdict_refuse(v, FILTER_TAINTS,
	        arena_printf(&p->arena, "node(s) had untolerated taint {%.*s: %.*s}", SLICE_FMT(t->key),
	                SLICE_FMT(t->value)),
	        false);
}

/* ---- node affinity ---- */

bool node_term_matches(const struct json *term, const struct node_info *n)
{
	return node_selector_term_matches(term, n->name, n->labels);
}

bool node_is_chosen(const struct candidate *p, const struct node_info *n)
{
	return node_selector_labels_match(p->node_selector, n->labels) &&
	       (!p->required_terms || node_selector_terms_match(p->required_terms, n->name, n->labels));
}

bool node_is_enforced(const struct candidate *p, const struct node_info *n)
{
	const struct json *terms = p->profile->added_terms;
	return !terms || node_selector_terms_match(terms, n->name, n->labels);
}

static bool filter_node_affinity(struct candidate *p, const struct node_info *n, struct verdict *v)
{
	if (!node_is_enforced(p, n))
		return verdict_refuse(
		        v, FILTER_NODE_AFFINITY, "node(s) didn't match scheduler-enforced node affinity", false);
	return node_is_chosen(p, n) ||
	       verdict_refuse(v, FILTER_NODE_AFFINITY, "node(s) didn't match Pod's node affinity/selector", false);
}

static bool names_node(const struct json *field, const struct node_info *n)
{
	const struct json *values = json_get(field, "values");
	return values && values->first && slice_eq(json_str(values->first), n->name);
}

/* Every term says by name which nodes it means (pods of DaemonSets do), and this is none of them. Upstream does not ask
 * other plugins about such a node. */
static bool is_named_elsewhere(const struct candidate *p, const struct node_info *n)
{
	if (!p->required_terms || !p->required_terms->first)
		return false;
	JSON_FOREACH (term, p->required_terms) {
		bool names_any = false, is_meant = true;
		JSON_FOREACH (f, json_get(term, "matchFields"))
			if (slice_is(json_get_str(f, "key"), "metadata.name") &&
			        slice_is(json_get_str(f, "operator"), "In")) {
				names_any = true;
				is_meant = is_meant && names_node(f, n);
			}
		if (!names_any || is_meant)
			return false;
	}
	return true;
}

/* ---- ports ---- */

static bool clash(const struct host_port *a, const struct host_port *b)
{
	return a->port == b->port && a->protocol == b->protocol && (!a->ip.len || !b->ip.len || slice_eq(a->ip, b->ip));
}

bool ports_clash(const struct pod_info *a, const struct pod_info *b)
{
	for (size_t i = 0; i < a->n_ports; i++)
		for (size_t j = 0; j < b->n_ports; j++)
			if (clash(&a->ports[i], &b->ports[j]))
				return true;
	return false;
}

static bool ports_are_free(struct candidate *p, const struct node_info *n)
{
	if (!p->demands.n_ports)
		return true;
	LIST_FOREACH (it, &n->pods)
		if (ports_clash(CONTAINER_OF(it, struct pod_info, in_node), &p->demands))
			return false;
	return true;
}

/* ---- resources ---- */

static bool lacks(struct verdict *v, const char *reason, int64_t want, int64_t used, int64_t allocatable)
{
	if (want > allocatable - used)
		return !verdict_refuse(v, FILTER_FIT, reason, want <= allocatable);
	return false;
}

/* Upstream's IsExtendedResourceName(), of names that pods can have. */
static bool is_extended(const char *resource)
{
	return strchr(resource, '/') && !strstr(resource, "kubernetes.io/") &&
	       strncmp(resource, "requests.", strlen("requests.")) != 0;
}

static bool is_of_group(const char *resource, const char *group)
{
	size_t n = strlen(group);
	return strncmp(resource, group, n) == 0 && resource[n] == '/';
}

/* Somebody else counts it, an extender maybe. */
static bool is_left_out(const struct scheduler_profile *f, const char *resource)
{
	if (!is_extended(resource))
		return false;
	for (size_t i = 0; i < f->n_left_out; i++)
		if (strcmp(f->left_out[i], resource) == 0)
			return true;
	for (size_t i = 0; i < f->n_left_out_groups; i++)
		if (is_of_group(resource, f->left_out_groups[i]))
			return true;
	return false;
}

static bool extended_fits(const struct candidate *p, const struct node_info *n, const struct extended *e)
{
	return e->amount <= amounts_extended(&n->allocatable, e->name) - amounts_extended(&n->used, e->name) ||
	       is_left_out(p->profile, e->name);
}

bool requests_fit(const struct candidate *p, const struct node_info *n)
{
	const struct amounts *want = &p->demands.requests, *used = &n->used, *all = &n->allocatable;
	if ((int64_t)n->n_pods + 1 > all->pods)
		return false;
	for (const struct extended *e = want->extended; e && e->name; e++)
		if (!extended_fits(p, n, e))
			return false;
	return (!want->cpu_milli || want->cpu_milli <= all->cpu_milli - used->cpu_milli) &&
	       (!want->memory || want->memory <= all->memory - used->memory) &&
	       (!want->storage || want->storage <= all->storage - used->storage);
}

bool filter_resources(struct candidate *p, const struct node_info *n, struct verdict *v)
{
	const struct amounts *want = &p->demands.requests, *used = &n->used, *all = &n->allocatable;
	bool ok = true;
	if ((int64_t)n->n_pods + 1 > all->pods)
		ok = verdict_refuse(v, FILTER_FIT, "Too many pods", true);
	if (want->cpu_milli)
		ok &= !lacks(v, "Insufficient cpu", want->cpu_milli, used->cpu_milli, all->cpu_milli);
	if (want->memory)
		ok &= !lacks(v, "Insufficient memory", want->memory, used->memory, all->memory);
	if (want->storage)
		ok &= !lacks(v, "Insufficient ephemeral-storage", want->storage, used->storage, all->storage);
	for (const struct extended *e = want->extended; e && e->name; e++)
		if (!extended_fits(p, n, e))
			ok = verdict_refuse(v, FILTER_FIT, arena_printf(&p->arena, "Insufficient %s", e->name),
			        e->amount <= amounts_extended(all, e->name));
	return ok;
}

/* ---- all of them ---- */

bool filters_pass(struct scheduler *s, struct candidate *p, const struct node_info *n, struct verdict *v)
{
	*v = (struct verdict){0};
	struct slice wanted = json_get_str(p->spec, "nodeName");
	if (wanted.len && !slice_eq(wanted, n->name))
		return verdict_refuse(v, FILTER_NODE_NAME, "node(s) didn't match the requested node name", false);
	unsigned filters = p->profile->filters;
	if ((filters & FILTER_NODE_AFFINITY) && is_named_elsewhere(p, n))
		return verdict_refuse(
		        v, FILTER_NODE_AFFINITY, "node(s) didn't satisfy plugin(s) [NodeAffinity]", false);
	if (!filter_taints(p, n, v))
		return false;
	if ((filters & FILTER_NODE_AFFINITY) && !filter_node_affinity(p, n, v))
		return false;
	if ((filters & FILTER_PORTS) && !ports_are_free(p, n))
		return verdict_refuse(
		        v, FILTER_PORTS, "node(s) didn't have free ports for the requested pod ports", true);
	if ((filters & FILTER_FIT) && !filter_resources(p, n, v))
		return false;
	return (!p->volumes || volumes_filter(s, p, n, v)) && (!p->placement || placement_filter(p, n, v));
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

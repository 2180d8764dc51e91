/* Filters: can this node take this pod? In upstream's order, with upstream's words, because people and tools read them:
 * NodeUnschedulable, NodeName, TaintToleration, NodeAffinity, NodePorts, NodeResourcesFit, VolumeBinding, and the rules
 * about other pods (placement.c). */
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

static bool filter_taints(struct candidate *p, const struct node_info *n, struct verdict *v)
{
	static const struct taint unschedulable = {{"node.kubernetes.io/unschedulable", 32}, {NULL, 0}, 'S'};
	if (n->unschedulable && !toleration_matches(p->tolerations, &unschedulable))
		return refuse(v, "node(s) were unschedulable", false);
	for (size_t i = 0; i < n->n_taints; i++) {
		const struct taint *t = &n->taints[i];
		if (t->effect == 'P' || toleration_matches(p->tolerations, t))
			continue;
		return refuse(v,
		        arena_printf(&p->arena, "node(s) had untolerated taint {%.*s: %.*s}", SLICE_FMT(t->key),
		                SLICE_FMT(t->value)),
		        false);
	}
	return true;
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

/* ---- volumes ---- */

static const char *claim_problem(struct scheduler *s, struct candidate *p, struct slice name)
{
	struct arena *a = &p->arena;
	struct informer_object *claim = informer_get_named(shared_informer_base(s->claims), p->meta.ns, name);
	if (!claim)
		return arena_printf(a, "persistentvolumeclaim \"%.*s\" not found", SLICE_FMT(name));
	struct slice text = informer_text(claim);
	if (json_find(text, "metadata", "deletionTimestamp", NULL).len)
		return arena_printf(a, "persistentvolumeclaim \"%.*s\" is being deleted", SLICE_FMT(name));
	struct slice volume = json_find(text, "spec", "volumeName", NULL);
	if (slice_is(json_find(text, "status", "phase", NULL), "Lost"))
		return arena_printf(a, "persistentvolumeclaim \"%.*s\" bound to non-existent persistentvolume \"%.*s\"",
		        SLICE_FMT(name), SLICE_FMT(volume));
	if (!volume.len || !slice_is(json_find(text, "status", "phase", NULL), "Bound"))
		return "pod has unbound immediate PersistentVolumeClaims";
	if (!informer_get_named(shared_informer_base(s->volumes), SLICE_NULL, volume))
		return arena_printf(a, "persistentvolume \"%.*s\" not found", SLICE_FMT(volume));
	return NULL;
}

/* The claim a volume of the pod stands for; SLICE_NULL: none. */
static struct slice claim_name(struct candidate *p, const struct json *volume)
{
	if (json_get(volume, "ephemeral"))
		return slice_of(arena_printf(
		        &p->arena, "%.*s-%.*s", SLICE_FMT(p->meta.name), SLICE_FMT(json_get_str(volume, "name"))));
	return json_str(json_path(volume, "persistentVolumeClaim", "claimName", NULL));
}

const char *filters_prepare(struct scheduler *s, struct candidate *p)
{
	JSON_FOREACH (volume, json_get(p->spec, "volumes")) {
		struct slice name = claim_name(p, volume);
		const char *problem = name.len ? claim_problem(s, p, name) : NULL;
		if (problem)
			return problem;
	}
	return NULL;
}

static bool volume_reaches(
        struct scheduler *s, struct candidate *p, struct slice claim_named, const struct node_info *n)
{
	struct informer_object *claim = informer_get_named(shared_informer_base(s->claims), p->meta.ns, claim_named);
	struct slice volume = claim ? json_find(informer_text(claim), "spec", "volumeName", NULL) : SLICE_NULL;
	struct informer_object *o =
	        volume.len ? informer_get_named(shared_informer_base(s->volumes), SLICE_NULL, volume) : NULL;
	struct slice text = o ? json_find(informer_text(o), "spec", "nodeAffinity", "required", NULL) : SLICE_NULL;
	if (!text.len)
		return true;
	struct json *required = json_parse(&p->arena, text, NULL, NULL);
	JSON_FOREACH (term, json_get(required, "nodeSelectorTerms"))
		if (node_term_matches(term, n))
			return true;
	return false;
}

static bool volumes_reach(struct scheduler *s, struct candidate *p, const struct node_info *n)
{
	JSON_FOREACH (volume, json_get(p->spec, "volumes")) {
		struct slice name = claim_name(p, volume);
		if (name.len && !volume_reaches(s, p, name, n))
			return false;
	}
	return true;
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
	if ((p->node_selector || p->required_terms) && !affinity_matches(p, n))
		return refuse(v, "node(s) didn't match Pod's node affinity/selector", false);
	if (!ports_are_free(p, n))
		return refuse(v, "node(s) didn't have free ports for the requested pod ports", true);
	if (!filter_resources(p, n, v))
		return false;
	if (!volumes_reach(s, p, n))
		return refuse(v, "node(s) had volume node affinity conflict", false);
	const char *other = p->placement ? placement_filter(p, n) : NULL;
	return other ? refuse(v, other, true) : true;
}

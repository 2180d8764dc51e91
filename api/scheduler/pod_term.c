/* Terms: which other pods a rule means, and the key of the labels by which nodes are one domain. See scheduler_int.h.
 */
#include "api/scheduler/scheduler_int.h"

void pod_term_read(struct arena *a, const struct json *json, struct pod_term *ret)
{
	struct json *names = json_get(json, "namespaces"), *by_label = json_get(json, "namespaceSelector");
	bool nothing;
	*ret = (struct pod_term){.topology_key = json_cstr(a, json_get(json, "topologyKey"))};
	if (label_selector_from_json(a, json_get(json, "labelSelector"), &ret->selector, &ret->nothing, NULL) != 0)
		ret->nothing = true;
	ret->namespaces = names && names->first ? names : NULL;
	if (by_label && label_selector_from_json(a, by_label, &ret->namespace_selector, &nothing, NULL) == 0 &&
	        !nothing)
		ret->has_namespace_selector = true;
}

void pod_term_match_keys(struct candidate *p, struct pod_term *t, const struct json *keys)
{
	struct json *labels = json_path(p->pod, "metadata", "labels", NULL);
	JSON_FOREACH (k, keys) {
		struct json *v = json_get_slice(labels, json_str(k));
		if (!v)
			continue;
		struct selector_requirement *list =
		        ARENA_ARRAY(&p->arena, struct selector_requirement, t->selector.count + 1);
		if (t->selector.count)
			memcpy(list, t->selector.requirements, t->selector.count * sizeof *list);
		struct slice *value = ARENA_NEW(&p->arena, struct slice);
		*value = json_str(v);
		list[t->selector.count] = (struct selector_requirement){
		        .key = json_str(k), .op = SELECTOR_IN, .values = value, .count = 1};
		t->selector.requirements = list;
		t->selector.count++;
	}
}

static bool in_namespaces(struct scheduler *s, const struct pod_term *t, struct slice own, struct slice ns)
{
	JSON_FOREACH (it, t->namespaces)
		if (slice_eq(json_str(it), ns))
			return true;
	if (t->has_namespace_selector) {
		struct informer_object *o = informer_get_named(shared_informer_base(s->namespaces), SLICE_NULL, ns);
		return o && label_selector_matches(
		                    &t->namespace_selector, json_find(informer_text(o), "metadata", "labels", NULL));
	}
	return !t->namespaces && slice_eq(own, ns);
}

bool pod_term_matches(
        struct scheduler *s, const struct pod_term *t, struct slice own_ns, struct slice ns, struct slice labels)
{
	return !t->nothing && in_namespaces(s, t, own_ns, ns) && label_selector_matches(&t->selector, labels);
}

/* ---- spread ---- */

bool spread_includes(const struct candidate *p, const struct json *constraint, const struct node_info *n)
{
	bool heeds_affinity = !slice_is(json_get_str(constraint, "nodeAffinityPolicy"), "Ignore"),
	     heeds_taints = slice_is(json_get_str(constraint, "nodeTaintsPolicy"), "Honor");
	return (!heeds_affinity || node_is_chosen(p, n)) && (!heeds_taints || taints_are_tolerated(p, n));
}

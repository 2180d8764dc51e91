/* Topology spread of pods that ask for none: the constraints of their profile (PodTopologySpreadArgs), by default
 * upstream's system defaults. See scheduler_int.h.
 *
 * Whom they count is what helper.DefaultSelector() of upstream says: the labels that services select this pod by, all
 * of them, and beside these what its controller selects, if that is a ReplicationController, a ReplicaSet or a
 * StatefulSet. A pod that none of them selects is not spread. The constraints are made as if the pod had them, so
 * filters, scores and hints know no difference, but for nodes without a zone: the system's defaults count them too.
 *
 * What can go wrong: an informer is behind, and a pod comes before its service or controller is seen; it is placed
 * without them, as upstream. */
#include "api/scheduler/scheduler_int.h"

#include "api/machinery/schema/node_selector.h"

/* ---- selectors ---- */

void default_selector_add_service(struct arena *a, struct json *selector, struct slice service, struct slice labels)
{
	struct slice text = json_find(service, "spec", "selector", NULL);
	const struct json *wanted = text.len ? json_parse(a, text, NULL, NULL) : NULL;
	if (!json_is(wanted, JSON_OBJECT) || !wanted->first || !node_selector_labels_match(wanted, labels))
		return;
	struct json *all = json_need(a, selector, "matchLabels", JSON_OBJECT);
	JSON_FOREACH (it, wanted)
		json_set_slice(a, all, it->key, json_copy(a, it));
}

/* A ReplicationController's is a set of labels; it takes the place of services' labels of the same keys. */
static void add_labels(struct arena *a, struct json *selector, const struct json *wanted)
{
	JSON_FOREACH (it, wanted)
		json_set_slice(a, json_need(a, selector, "matchLabels", JSON_OBJECT), it->key, json_copy(a, it));
}

/* The others' are rules, which hold beside the labels. */
static void add_rules(struct arena *a, struct json *selector, const struct json *rules)
{
	JSON_FOREACH (it, json_get(rules, "matchLabels")) {
		struct json *rule = json_new(a, JSON_OBJECT), *values = json_new(a, JSON_ARRAY);
		json_append(values, json_new_str(a, json_str(it)));
		json_set_str(a, rule, "key", it->key);
		json_set_cstr(a, rule, "operator", "In");
		json_set(a, rule, "values", values);
		json_append(json_need(a, selector, "matchExpressions", JSON_ARRAY), rule);
	}
	JSON_FOREACH (it, json_get(rules, "matchExpressions"))
		json_append(json_need(a, selector, "matchExpressions", JSON_ARRAY), json_copy(a, it));
}

void default_selector_add_owner(struct arena *a, struct json *selector, struct slice kind, struct slice owner)
{
	struct slice text = json_find(owner, "spec", "selector", NULL);
	const struct json *wanted = text.len ? json_parse(a, text, NULL, NULL) : NULL;
	if (slice_is(kind, "ReplicationController"))
		add_labels(a, selector, wanted);
	else
		add_rules(a, selector, wanted);
}

/* ---- constraints ---- */

static struct json *constraint_new(struct arena *a, const struct spread_default *d, const struct json *selector)
{
	struct json *c = json_new(a, JSON_OBJECT);
	json_set_int(a, c, "maxSkew", d->max_skew);
	json_set_cstr(a, c, "topologyKey", d->topology_key);
	json_set_cstr(a, c, "whenUnsatisfiable", d->is_hard ? "DoNotSchedule" : "ScheduleAnyway");
	if (d->min_domains)
		json_set_int(a, c, "minDomains", d->min_domains);
	if (d->ignores_affinity)
		json_set_cstr(a, c, "nodeAffinityPolicy", "Ignore");
	if (d->honors_taints)
		json_set_cstr(a, c, "nodeTaintsPolicy", "Honor");
	json_set(a, c, "labelSelector", json_copy(a, selector));
	return c;
}

struct json *default_spread_constraints(
        struct arena *a, const struct scheduler_profile *profile, const struct json *selector)
{
	struct json *list = json_new(a, JSON_ARRAY);
	if (!selector->first || !profile->n_spread)
		return NULL;
	for (size_t i = 0; i < profile->n_spread; i++)
		json_append(list, constraint_new(a, &profile->spread[i], selector));
	return list;
}

/* ---- who selects a pod ---- */

static struct shared_informer *informer_of(const struct scheduler *s, struct slice api_version, struct slice kind)
{
	if (slice_is(api_version, "v1") && slice_is(kind, "ReplicationController"))
		return s->rcs;
	if (!slice_is(api_version, "apps/v1"))
		return NULL;
	return slice_is(kind, "ReplicaSet") ? s->replica_sets : slice_is(kind, "StatefulSet") ? s->stateful_sets : NULL;
}

static void ask_owner(struct scheduler *s, struct candidate *p, struct json *selector)
{
	JSON_FOREACH (ref, json_path(p->pod, "metadata", "ownerReferences", NULL)) {
		struct slice kind = json_get_str(ref, "kind");
		if (!json_get_bool(ref, "controller", false))
			continue;
		struct shared_informer *all = informer_of(s, json_get_str(ref, "apiVersion"), kind);
		struct informer_object *o =
		        all ? informer_get_named(shared_informer_base(all), p->meta.ns, json_get_str(ref, "name"))
		            : NULL;
		if (o)
			default_selector_add_owner(&p->arena, selector, kind, informer_text(o));
		return;
	}
}

/* The first label that a service selects by: of a thousand services only those are asked whose first label the pod has.
 */
static void write_key(struct strbuf *out, struct slice ns, struct slice key, struct slice value)
{
	strbuf_addf(out, "%.*s/%.*s=%.*s", SLICE_FMT(ns), SLICE_FMT(key), SLICE_FMT(value));
}

static void index_by_label(struct slice service, struct strbuf *out)
{
	struct arena a = ARENA_INIT;
	struct slice text = json_find(service, "spec", "selector", NULL);
	const struct json *selector = text.len ? json_parse(&a, text, NULL, NULL) : NULL;
	if (json_is(selector, JSON_OBJECT) && selector->first)
		write_key(out, json_find(service, "metadata", "namespace", NULL), selector->first->key,
		        json_str(selector->first));
	arena_release(&a);
}

static void ask_services(struct scheduler *s, struct candidate *p, struct json *selector)
{
	const struct json *labels = p->meta.labels.len ? json_parse(&p->arena, p->meta.labels, NULL, NULL) : NULL;
	struct strbuf key = STRBUF_INIT;
	JSON_FOREACH (it, labels) {
		strbuf_reset(&key);
		write_key(&key, p->meta.ns, it->key, json_str(it));
		INFORMER_GROUP_FOREACH(o, informer_index_group(s->services_by_label, strbuf_slice(&key)))
		default_selector_add_service(&p->arena, selector, informer_text(o), p->meta.labels);
	}
	strbuf_release(&key);
}

void default_spread_give(struct scheduler *s, struct candidate *p)
{
	const struct scheduler_profile *f = p->profile;
	if (p->spread || !s->services || !f->n_spread || !(f->weights[SCORE_SPREAD] || (f->filters & FILTER_SPREAD)))
		return;
	struct json *selector = json_new(&p->arena, JSON_OBJECT);
	ask_services(s, p, selector);
	ask_owner(s, p, selector);
	p->spread = default_spread_constraints(&p->arena, f, selector);
	p->spreads_by_system = p->spread && f->spreads_by_system;
}

static bool is_needed(const struct scheduler *s)
{
	for (size_t i = 0; i < s->conf->n_profiles; i++)
		if (s->conf->profiles[i].n_spread)
			return true;
	return false;
}

void default_spread_follow(struct scheduler *s)
{
	if (!is_needed(s))
		return;
	s->services = informer_set_get(s->informers, "/api/v1/services");
	s->services_by_label = informer_index_get(s->services, "first-label", index_by_label);
	s->rcs = informer_set_get(s->informers, "/api/v1/replicationcontrollers");
	s->replica_sets = informer_set_get(s->informers, "/apis/apps/v1/replicasets");
	s->stateful_sets = informer_set_get(s->informers, "/apis/apps/v1/statefulsets");
}

/* See roles_reconcile.h. What a rule lacks is found as escalation is: a wanted piece that no stored rule covers. */
#include "api/server/duties/roles_reconcile.h"

#include "api/server/auth/rights/rbac_rules.h"
#include "base/check.h"

static const char autoupdate[] = "rbac.authorization.kubernetes.io/autoupdate";
static const char api_group[] = "rbac.authorization.k8s.io";
static const char aggregate_prefix[] = "rbac.authorization.k8s.io/aggregate-to-";

/* ---- objects of the tables ---- */

static struct json *list_of(struct arena *a, const char *list)
{
	struct json *array = json_new(a, JSON_ARRAY);
	struct slice rest = slice_of(list);
	while (rest.ptr)
		json_append(array, json_new_str(a, slice_cut(&rest, ',')));
	return array;
}

static struct json *rule_object(struct arena *a, const struct policy_rule *r)
{
	struct json *o = json_new(a, JSON_OBJECT);
	json_set(a, o, "verbs", list_of(a, r->verbs));
	if (r->urls) {
		json_set(a, o, "nonResourceURLs", list_of(a, r->urls));
		return o;
	}
	json_set(a, o, "apiGroups", list_of(a, r->groups));
	json_set(a, o, "resources", list_of(a, r->resources));
	if (r->names)
		json_set(a, o, "resourceNames", list_of(a, r->names));
	return o;
}

static struct json *frame(struct arena *a, const char *name, const char *ns, const char *kind)
{
	struct json *o = json_new(a, JSON_OBJECT);
	json_set_cstr(a, o, "apiVersion", "rbac.authorization.k8s.io/v1");
	json_set_cstr(a, o, "kind", arena_printf(a, "%s%s", ns ? "" : "Cluster", kind));
	struct json *meta = json_need(a, o, "metadata", JSON_OBJECT);
	json_set_cstr(a, meta, "name", name);
	if (ns)
		json_set_cstr(a, meta, "namespace", ns);
	json_set_cstr(a, json_need(a, meta, "labels", JSON_OBJECT), "kubernetes.io/bootstrapping", "rbac-defaults");
	json_set_cstr(a, json_need(a, meta, "annotations", JSON_OBJECT), autoupdate, "true");
	return o;
}

static void set_aggregation(struct arena *a, struct json *o, const char *label)
{
	struct json *selectors =
	        json_need(a, json_need(a, o, "aggregationRule", JSON_OBJECT), "clusterRoleSelectors", JSON_ARRAY);
	struct json *selector = json_new(a, JSON_OBJECT);
	json_set_cstr(a, json_need(a, selector, "matchLabels", JSON_OBJECT),
	        arena_printf(a, "%s%s", aggregate_prefix, label), "true");
	json_append(selectors, selector);
}

struct json *role_object(struct arena *a, const struct policy_role *r, const char *name)
{
	struct json *o = frame(a, name ? name : r->name, r->ns, "Role");
	struct json *labels = json_path(o, "metadata", "labels", NULL);
	if (r->aggregates)
		json_set_cstr(a, labels, arena_printf(a, "%s%s", aggregate_prefix, r->aggregates), "true");
	struct json *rules = json_need(a, o, "rules", JSON_ARRAY);
	for (const struct policy_rule *rule = r->rules; rule->verbs; rule++)
		json_append(rules, rule_object(a, rule));
	if (r->collects)
		set_aggregation(a, o, r->collects);
	return o;
}

/* "Kind:NAME", where the name of a service account is NS/NAME. */
static struct json *subject_object(struct arena *a, struct slice text)
{
	struct json *o = json_new(a, JSON_OBJECT);
	struct slice kind = slice_cut(&text, ':');
	json_set_str(a, o, "kind", kind);
	if (slice_is(kind, "ServiceAccount"))
		json_set_str(a, o, "namespace", slice_cut(&text, '/'));
	else
		json_set_cstr(a, o, "apiGroup", api_group);
	json_set_str(a, o, "name", text);
	return o;
}

struct json *binding_object(struct arena *a, const struct policy_binding *b)
{
	struct json *o = frame(a, b->name, b->ns, "RoleBinding"), *ref = json_need(a, o, "roleRef", JSON_OBJECT);
	json_set_cstr(a, ref, "apiGroup", api_group);
	json_set_cstr(a, ref, "kind", b->ns ? "Role" : "ClusterRole");
	json_set_cstr(a, ref, "name", b->role);
	struct json *subjects = json_need(a, o, "subjects", JSON_ARRAY);
	struct slice rest = *b->subjects ? slice_of(b->subjects) : SLICE_NULL;
	while (rest.ptr)
		json_append(subjects, subject_object(a, slice_cut(&rest, ',')));
	return o;
}

/* ---- what is lacking ---- */

static bool is_left_alone(const struct json *stored)
{
	return slice_is(json_str(json_get(json_path(stored, "metadata", "annotations", NULL), autoupdate)), "false");
}

/* Members that are not there; those that are stay as they are. */
static bool add_members(struct arena *a, struct json *meta, const char *map, const struct json *wanted)
{
	bool changed = false;
	JSON_FOREACH (it, wanted) {
		struct json *have = json_need(a, meta, map, JSON_OBJECT);
		if (json_get_slice(have, it->key))
			continue;
		json_set_slice(a, have, it->key, json_copy(a, it));
		changed = true;
	}
	return changed;
}

static bool add_metadata(struct arena *a, struct json *stored, const struct json *wanted)
{
	struct json *meta = json_get(stored, "metadata"), *want = json_get(wanted, "metadata");
	bool labels = add_members(a, meta, "labels", json_get(want, "labels"));
	return add_members(a, meta, "annotations", json_get(want, "annotations")) || labels;
}

static bool add_rules(struct arena *a, struct json *stored, const struct json *wanted)
{
	struct rbac_rules have = rbac_rules_of_json(a, json_get(stored, "rules")),
	                  want = rbac_rules_of_json(a, json_get(wanted, "rules"));
	struct rbac_rules lacking = rbac_rules_missing(a, &have, &want);
	lacking = rbac_rules_compact(a, &lacking);
	for (size_t i = 0; i < lacking.count; i++)
		json_append(json_need(a, stored, "rules", JSON_ARRAY), rbac_rule_to_json(a, &lacking.items[i]));
	return lacking.count > 0;
}

static bool is_in(const struct json *array, const struct json *value)
{
	JSON_FOREACH (it, array)
		if (json_equal(it, value))
			return true;
	return false;
}

static bool add_elements(struct arena *a, struct json *to, const char *list, const struct json *wanted)
{
	bool changed = false;
	JSON_FOREACH (it, wanted) {
		struct json *have = json_need(a, to, list, JSON_ARRAY);
		if (is_in(have, it))
			continue;
		json_append(have, json_copy(a, it));
		changed = true;
	}
	return changed;
}

bool role_reconcile(struct arena *a, struct json *stored, const struct json *wanted)
{
	struct json *selectors = json_path(wanted, "aggregationRule", "clusterRoleSelectors", NULL);
	DCHECK(json_is(stored, JSON_OBJECT));
	if (is_left_alone(stored))
		return false;
	bool changed = add_metadata(a, stored, wanted);
	changed = add_rules(a, stored, wanted) || changed;
	if (selectors)
		changed = add_elements(a, json_need(a, stored, "aggregationRule", JSON_OBJECT), "clusterRoleSelectors",
		                  selectors) ||
		          changed;
	return changed;
}

bool binding_reconcile(struct arena *a, struct json *stored, const struct json *wanted, bool *ret_is_other)
{
	struct json *have = json_get(stored, "roleRef"), *want = json_get(wanted, "roleRef");
	*ret_is_other = false;
	if (is_left_alone(stored))
		return false;
	if (!json_equal(have, want)) {
		*ret_is_other = true;
		return true;
	}
	bool changed = add_metadata(a, stored, wanted);
	return add_elements(a, stored, "subjects", json_get(wanted, "subjects")) || changed;
}

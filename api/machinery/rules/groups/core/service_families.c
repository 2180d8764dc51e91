/* See service_families.h. How a service's families come about:
 *
 *     policy            the client's, else that of before; else SingleStack (RequireDualStack for a headless one
 * without a selector) ipFamilies        the client's; else those of its clusterIPs; else the cluster's first a second
 * family   unless the policy is SingleStack and where the cluster has two
 *
 * A service of PreferDualStack that says what it said before stays as it is, also when the cluster got another family:
 * nobody's addresses change by themselves. */
#include "api/machinery/rules/groups/core/service_families.h"

#include "api/machinery/rules/checks.h"
#include "base/check.h"

#define POLICIES "PreferDualStack,RequireDualStack,SingleStack"

static size_t count_of(const struct json *list)
{
	return list ? list->count : 0;
}

static bool is_external(const struct json *spec)
{
	return slice_is(json_get_str(spec, "type"), "ExternalName");
}

bool service_is_headless(const struct json *spec)
{
	const struct json *ips = json_get(spec, "clusterIPs");
	return ips ? ips->count == 1 && slice_is(json_str(ips->first), "None")
	           : slice_is(json_get_str(spec, "clusterIP"), "None");
}

static bool has_selector(const struct json *spec)
{
	return count_of(json_get(spec, "selector")) > 0;
}

static struct slice policy_of(const struct json *spec)
{
	return json_get_str(spec, "ipFamilyPolicy");
}

static bool is_single(const struct json *spec)
{
	return slice_is(policy_of(spec), "SingleStack");
}

static bool same_list(const struct json *x, const struct json *y)
{
	return count_of(x) == count_of(y) && (!count_of(x) || json_equal(x, y));
}

static bool same_field(const struct json *x, const struct json *y, const char *name)
{
	return same_list(json_get(x, name), json_get(y, name));
}

static void bad_ips(struct field_errors *e, const char *field, const struct json *spec, const char *why)
{
	field_error_add(e, "FieldValueInvalid", field, "Invalid value: %s: %s",
	        go_list_text(e->arena, "[]string", json_get(spec, "clusterIPs")), why);
}

static void bad_families(struct field_errors *e, const struct json *spec, const char *why)
{
	field_error_add(e, "FieldValueInvalid", "spec.ipFamilies[0]", "Invalid value: %s: %s",
	        go_list_text(e->arena, "[]core.IPFamily", json_get(spec, "ipFamilies")), why);
}

static void bad_policy(struct field_errors *e, const struct json *spec, const char *why)
{
	bad_value(e, "spec.ipFamilyPolicy", policy_of(spec), why);
}

/* ---- what an update leaves out ---- */

static void set_ips(struct arena *a, struct json *spec, const struct json *from)
{
	json_set(a, spec, "clusterIPs", from ? json_copy(a, from) : json_new(a, JSON_ARRAY));
}

static void set_only_ip(struct arena *a, struct json *spec, struct slice ip)
{
	struct json *list = json_set(a, spec, "clusterIPs", json_new(a, JSON_ARRAY));
	json_append(list, json_new_str(a, ip));
}

/* Upstream: patchAllocatedValues and normalizeClusterIPs. */
void service_families_carry(struct arena *a, struct json *spec, const struct json *old)
{
	struct slice had = json_get_str(old, "clusterIP"), ip = json_get_str(spec, "clusterIP");
	bool same_ips = same_field(spec, old, "clusterIPs"), none = !count_of(json_get(spec, "clusterIPs"));
	if (is_external(spec) || is_external(old) || !had.len)
		return;
	if (!ip.len && (none || same_ips)) { /* left out */
		json_set_str(a, spec, "clusterIP", had);
		ip = had;
	}
	if (none && slice_eq(ip, had))
		set_ips(a, spec, json_get(old, "clusterIPs"));
	else if (!slice_eq(ip, had) && (none || same_ips)) /* the one was changed: it says all */
		set_only_ip(a, spec, ip);
	else if (slice_eq(ip, had) && !same_ips && json_str(json_at(json_get(spec, "clusterIPs"), 0)).len)
		json_set_str(a, spec, "clusterIP", json_str(json_at(json_get(spec, "clusterIPs"), 0)));
}

/* ---- filling in ---- */

static bool keeps_both(const struct json *spec, const struct json *old)
{
	return old && slice_eq(json_get_str(spec, "type"), json_get_str(old, "type")) &&
	       slice_is(policy_of(spec), "PreferDualStack") && slice_is(policy_of(old), "PreferDualStack") &&
	       count_of(json_get(spec, "clusterIPs")) && same_field(spec, old, "clusterIPs") &&
	       same_field(spec, old, "ipFamilies");
}

static void fill_policy(struct arena *a, struct json *spec, const struct json *old)
{
	if (policy_of(spec).len)
		return;
	if (policy_of(old).len)
		json_set_str(a, spec, "ipFamilyPolicy", policy_of(old));
	else
		json_set_cstr(a, spec, "ipFamilyPolicy",
		        service_is_headless(spec) && !has_selector(spec) ? "RequireDualStack" : "SingleStack");
}

static void keep_first(struct json *list)
{
	while (count_of(list) > 1)
		json_remove(list, list->first->next);
}

/* A policy alone says that the second of each goes; two of them that stay the same were not asked to. */
static void shrink(struct field_errors *e, struct json *spec, const struct json *old)
{
	static const struct {
		const char *name, *why;
	} fields[] = {{"clusterIPs", "must be 'SingleStack' to release the secondary cluster IP"},
	        {"ipFamilies", "must be 'SingleStack' to release the secondary IP family"}};
	for (size_t i = 0; old && i < COUNT_OF(fields); i++) {
		size_t now = count_of(json_get(spec, fields[i].name)), had = count_of(json_get(old, fields[i].name));
		if (is_single(spec) && same_field(spec, old, fields[i].name))
			keep_first(json_get(spec, fields[i].name));
		else if (!is_single(spec) && now && now < had)
			bad_policy(e, spec, fields[i].why);
	}
}

static void check_single(struct field_errors *e, const struct json *spec)
{
	if (!is_single(spec))
		return;
	if (count_of(json_get(spec, "clusterIPs")) == 2)
		bad_policy(e, spec,
		        "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified");
	if (count_of(json_get(spec, "ipFamilies")) == 2)
		bad_policy(e, spec,
		        "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified");
}

static bool has_family(const struct service_families *cluster, enum ip_family f)
{
	for (size_t i = 0; i < cluster->count; i++)
		if (cluster->items[i] == f)
			return true;
	return false;
}

static void add_family(struct arena *a, struct json *spec, enum ip_family f)
{
	json_append(json_need(a, spec, "ipFamilies", JSON_ARRAY), json_new_cstr(a, ip_family_name(f)));
}

/* The families of addresses that the client asks for. */
static void infer_families(
        struct arena *a, struct field_errors *e, struct json *spec, const struct service_families *cluster)
{
	size_t i = 0, named = count_of(json_get(spec, "ipFamilies"));
	JSON_FOREACH (it, json_get(spec, "clusterIPs")) {
		struct ip ip;
		if (i++ < named || !ip_parse(json_str(it), &ip))
			continue;
		if (has_family(cluster, ip.family))
			add_family(a, spec, ip.family);
		else
			bad_ips(e, at(e, "spec.clusterIPs[%zu]", i - 1), spec,
			        at(e, "%s is not configured on this cluster", ip_family_name(ip.family)));
	}
}

static void add_other_family(struct arena *a, struct json *spec)
{
	struct slice first = json_str(json_at(json_get(spec, "ipFamilies"), 0));
	if (!is_single(spec) && count_of(json_get(spec, "ipFamilies")) == 1)
		add_family(a, spec, slice_is(first, "IPv4") ? IP_V6 : IP_V4);
}

static void check_cluster(struct field_errors *e, const struct json *spec, const struct service_families *cluster)
{
	enum ip_family f;
	size_t i = 0;
	if (slice_is(policy_of(spec), "RequireDualStack") && cluster->count < 2)
		bad_policy(e, spec, "this cluster is not configured for dual-stack services");
	JSON_FOREACH (it, json_get(spec, "ipFamilies")) {
		if (!ip_family_parse(json_str(it), &f) || !has_family(cluster, f))
			bad_value(e, at(e, "spec.ipFamilies[%zu]", i), json_str(it), "not configured on this cluster");
		i++;
	}
}

bool service_families_init(struct arena *a, struct field_errors *e, struct json *spec, const struct json *old,
        const struct service_families *cluster)
{
	size_t before = e->count;
	if (is_external(old))
		old = NULL; /* it had none */
	if (is_external(spec) || keeps_both(spec, old))
		return true;
	if (json_get_str(spec, "clusterIP").len && !count_of(json_get(spec, "clusterIPs")))
		set_only_ip(a, spec, json_get_str(spec, "clusterIP"));
	fill_policy(a, spec, old);
	service_families_check(e, spec);
	if (e->count > before)
		return false;
	shrink(e, spec, old);
	check_single(e, spec);
	infer_families(a, e, spec, cluster);
	if (e->count > before)
		return false;
	/* Nobody gives out addresses of it, so that it may have families that the cluster has not. */
	bool is_free = service_is_headless(spec) && !has_selector(spec);
	if (!is_free)
		check_cluster(e, spec, cluster);
	if (e->count > before)
		return false;
	if (!count_of(json_get(spec, "ipFamilies")))
		add_family(a, spec, cluster->items[0]);
	if (is_free || cluster->count == 2)
		add_other_family(a, spec);
	return true;
}

/* ---- checking ---- */

static void check_both(struct field_errors *e, const struct json *spec)
{
	const struct json *ips = json_get(spec, "clusterIPs");
	struct slice ip = json_get_str(spec, "clusterIP");
	if (ip.len && !count_of(ips))
		bad_required(e, "spec.clusterIPs", "");
	else if (ip.len && !slice_eq(json_str(ips->first), ip))
		bad_ips(e, "spec.clusterIPs", spec, "first value must match `clusterIP`");
	else if (!ip.len && count_of(ips))
		bad_ips(e, "spec.clusterIPs", spec, "must be empty when `clusterIP` is not specified");
}

static void check_families(struct field_errors *e, const struct json *spec)
{
	struct name_set seen = {0};
	size_t i = 0;
	JSON_FOREACH (it, json_get(spec, "ipFamilies")) {
		const char *here = at(e, "spec.ipFamilies[%zu]", i++);
		enum ip_family f;
		if (!ip_family_parse(json_str(it), &f))
			bad_choice(e, here, json_str(it), "IPv4,IPv6");
		if (!name_set_add(&seen, json_str(it)))
			bad_duplicate(e, here, json_str(it));
	}
	name_set_release(&seen);
}

/* False: what else would be said of them would lead astray. */
static bool check_ips(struct field_errors *e, const struct json *spec)
{
	const struct json *ips = json_get(spec, "clusterIPs");
	bool all_good = true;
	size_t i = 0;
	JSON_FOREACH (it, ips) {
		struct ip ip;
		bool is_none = i == 0 && slice_is(json_str(it), "None");
		bool is_good = is_none ? ips->count == 1 : ip_parse(json_str(it), &ip);
		if (is_none && !is_good)
			bad_ips(e, "spec.clusterIPs", spec, "'None' must be the first and only value");
		else if (!is_good)
			bad_value(e, at(e, "spec.clusterIPs[%zu]", i), json_str(it),
			        "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
		all_good = all_good && is_good;
		i++;
	}
	if (count_of(ips) > 2)
		bad_ips(e, "spec.clusterIPs", spec, "may only hold up to 2 values");
	return all_good;
}

/* One of each family, as ipFamilies says. */
static void check_order(struct field_errors *e, const struct json *spec)
{
	const struct json *ips = json_get(spec, "clusterIPs"), *families = json_get(spec, "ipFamilies");
	bool seen[IP_FAMILIES] = {false}, twice = false;
	unsigned i = 0;
	JSON_FOREACH (it, ips) {
		struct ip ip;
		enum ip_family f;
		if (!ip_parse(json_str(it), &ip))
			continue;
		twice = twice || seen[ip.family];
		seen[ip.family] = true;
		if (ip_family_parse(json_str(json_at(families, i)), &f) && f != ip.family)
			bad_value(e, at(e, "spec.clusterIPs[%u]", i), json_str(it),
			        at(e, "expected an %s value as indicated by `ipFamilies[%u]`", ip_family_name(f), i));
		i++;
	}
	if (twice)
		bad_ips(e, "spec.clusterIPs", spec, "may specify no more than one IP for each IP family");
}

void service_families_check(struct field_errors *e, const struct json *spec)
{
	if (is_external(spec))
		return;
	check_both(e, spec);
	check_families(e, spec);
	check_choice(e, "spec.ipFamilyPolicy", policy_of(spec), POLICIES, false);
	if (check_ips(e, spec))
		check_order(e, spec);
}

static bool same_first(const struct json *x, const struct json *y)
{
	return !count_of(x) || !count_of(y) || slice_eq(json_str(x->first), json_str(y->first));
}

static void check_ips_change(struct field_errors *e, const struct json *spec, const struct json *old)
{
	const struct json *ips = json_get(spec, "clusterIPs"), *had = json_get(old, "clusterIPs");
	unsigned i = 0;
	if (count_of(ips) == count_of(had)) {
		JSON_FOREACH (it, had) {
			if (!slice_eq(json_str(it), json_str(json_at(ips, i))))
				bad_ips(e, at(e, "spec.clusterIPs[%u]", i), spec, "may not change once set");
			i++;
		}
		return;
	}
	if (!count_of(ips))
		bad_ips(e, "spec.clusterIPs[0]", spec, "primary clusterIP can not be unset");
	if (!same_first(ips, had))
		bad_ips(e, "spec.clusterIPs[0]", spec, "may not change once set");
	if (count_of(ips) == 1 && count_of(had) > 1 && !is_single(spec))
		bad_policy(e, spec, "must be set to 'SingleStack' when releasing the secondary clusterIP");
}

static void check_families_change(struct field_errors *e, const struct json *spec, const struct json *old)
{
	const struct json *families = json_get(spec, "ipFamilies"), *had = json_get(old, "ipFamilies");
	if (!count_of(had))
		return; /* of a version that did not say it */
	if (!count_of(families))
		bad_families(e, spec, "primary ipFamily can not be unset");
	else if (!same_first(families, had) || (count_of(families) == count_of(had) && !same_list(families, had)))
		bad_families(e, spec, "may not change once set");
	if (count_of(families) == 1 && count_of(had) > 1 && !is_single(spec))
		bad_policy(e, spec, "must be set to 'SingleStack' when releasing the secondary ipFamily");
}

void service_families_check_change(struct field_errors *e, const struct json *spec, const struct json *old)
{
	if (is_external(spec) || is_external(old))
		return;
	bool is_headless = service_is_headless(spec), was_headless = service_is_headless(old);
	if (!(is_headless && was_headless))
		check_ips_change(e, spec, old);
	if (!is_headless && !was_headless)
		check_families_change(e, spec, old);
}

/* See pod_security.h. The table says from which version on (and up to which) a check holds, at which level, and which
 * checks of restricted stand for one of baseline. Those of baseline come first, each group in upstream's order. */
#include "api/machinery/rules/pod/pod_security_int.h"

#include "base/check.h"

#define LABEL "pod-security.kubernetes.io/"

static const struct check {
	pod_check_fn *fn;
	enum pod_security_level level;
	int from, to;       /* minor versions; to: not any more */
	bool is_overridden; /* restricted has a stricter one */
	int overridden_from;
} checks[] = {
        {check_apparmor, POD_SECURITY_BASELINE, 0, POD_SECURITY_LATEST, false, 0},
        {check_capabilities_baseline, POD_SECURITY_BASELINE, 0, POD_SECURITY_LATEST, true, 22},
        {check_host_namespaces, POD_SECURITY_BASELINE, 0, POD_SECURITY_LATEST, false, 0},
        {check_host_paths, POD_SECURITY_BASELINE, 0, POD_SECURITY_LATEST, true, 0},
        {check_host_ports, POD_SECURITY_BASELINE, 0, POD_SECURITY_LATEST, false, 0},
        {check_privileged, POD_SECURITY_BASELINE, 0, POD_SECURITY_LATEST, false, 0},
        {check_proc_mount, POD_SECURITY_BASELINE, 0, POD_SECURITY_LATEST, false, 0},
        {check_selinux, POD_SECURITY_BASELINE, 0, POD_SECURITY_LATEST, false, 0},
        {check_seccomp_annotations, POD_SECURITY_BASELINE, 0, 19, false, 0},
        {check_seccomp_baseline, POD_SECURITY_BASELINE, 19, POD_SECURITY_LATEST, true, 19},
        {check_sysctls, POD_SECURITY_BASELINE, 0, POD_SECURITY_LATEST, false, 0},
        {check_host_process, POD_SECURITY_BASELINE, 0, POD_SECURITY_LATEST, false, 0},
        {check_privilege_escalation, POD_SECURITY_RESTRICTED, 8, POD_SECURITY_LATEST, false, 0},
        {check_capabilities_restricted, POD_SECURITY_RESTRICTED, 22, POD_SECURITY_LATEST, false, 0},
        {check_volumes, POD_SECURITY_RESTRICTED, 0, POD_SECURITY_LATEST, false, 0},
        {check_non_root, POD_SECURITY_RESTRICTED, 0, POD_SECURITY_LATEST, false, 0},
        {check_user, POD_SECURITY_RESTRICTED, 23, POD_SECURITY_LATEST, false, 0},
        {check_seccomp_restricted, POD_SECURITY_RESTRICTED, 19, POD_SECURITY_LATEST, false, 0},
};
_Static_assert(sizeof checks / sizeof checks[0] <= POD_VIOLATIONS_MAX, "each check finds one thing at most");

static bool holds(const struct check *c, struct pod_security s)
{
	bool is_of_version = s.minor >= c->from && (s.minor < c->to || c->to == POD_SECURITY_LATEST);
	bool is_replaced = c->is_overridden && s.level == POD_SECURITY_RESTRICTED && s.minor >= c->overridden_from;
	return c->level <= s.level && is_of_version && !is_replaced;
}

void pod_security_check(struct pod_security s, const struct json *metadata, const struct json *spec, struct arena *a,
        struct pod_violations *ret)
{
	struct pod_checked p = {metadata, spec, s.minor, a, ret};
	ret->arena = a;
	ret->n = 0;
	for (size_t i = 0; i < COUNT_OF(checks); i++)
		if (holds(&checks[i], s))
			checks[i].fn(&p);
	CHECK(ret->n <= POD_VIOLATIONS_MAX);
}

const char *pod_violations_text(const struct pod_violations *v, bool with_details)
{
	const char *text = "";
	for (size_t i = 0; i < v->n; i++) {
		const struct pod_violation *x = &v->list[i];
		text = arena_printf(v->arena, "%s%s%s", text, i ? ", " : "", x->reason);
		if (with_details && *x->detail)
			text = arena_printf(v->arena, "%s (%s)", text, x->detail);
	}
	return text;
}

/* ---- levels and versions ---- */

static const char *const level_names[] = {"privileged", "baseline", "restricted"};

bool pod_security_parse_level(struct slice text, enum pod_security_level *ret)
{
	for (size_t i = 0; i < COUNT_OF(level_names); i++)
		if (slice_is(text, level_names[i])) {
			*ret = (enum pod_security_level)i;
			return true;
		}
	return false;
}

bool pod_security_parse_version(struct slice text, int *ret_minor)
{
	uint64_t n;
	if (slice_is(text, "latest")) {
		*ret_minor = POD_SECURITY_LATEST;
		return true;
	}
	if (!slice_starts(text, "v1.") || text.len > 6 || (text.len > 4 && text.ptr[3] == '0') ||
	        !slice_to_u64((struct slice){text.ptr + 3, text.len - 3}, &n))
		return false;
	*ret_minor = (int)n;
	return true;
}

const char *pod_security_text(struct arena *a, struct pod_security s)
{
	if (s.minor == POD_SECURITY_LATEST)
		return arena_printf(a, "%s:latest", level_names[s.level]);
	return arena_printf(a, "%s:v1.%d", level_names[s.level], s.minor);
}

/* ---- a namespace's labels ---- */

struct reading {
	const struct json *labels;
	void (*bad)(void *arg, const char *label, struct slice value);
	void *arg;
};

/* What is there and does not read has level `fallback`. False: no level is asked for. */
static bool read_mode(const struct reading *r, const char *level_label, const char *version_label,
        enum pod_security_level fallback, struct pod_security by_default, struct pod_security *ret)
{
	const struct json *level = json_get(r->labels, level_label), *version = json_get(r->labels, version_label);
	*ret = by_default;
	if (level && !pod_security_parse_level(level->text, &ret->level)) {
		ret->level = fallback;
		if (r->bad)
			r->bad(r->arg, level_label, level->text);
	}
	if (version && !pod_security_parse_version(version->text, &ret->minor) && r->bad)
		r->bad(r->arg, version_label, version->text);
	return level != NULL;
}

struct pod_security_policy pod_security_policy(const struct json *labels, const struct pod_security_policy *defaults,
        void (*bad)(void *arg, const char *label, struct slice value), void *arg)
{
	static const struct pod_security_policy nothing_said = {{POD_SECURITY_PRIVILEGED, POD_SECURITY_LATEST},
	        {POD_SECURITY_PRIVILEGED, POD_SECURITY_LATEST}, {POD_SECURITY_PRIVILEGED, POD_SECURITY_LATEST}};
	struct reading r = {labels, bad, arg};
	const struct pod_security_policy *d = defaults ? defaults : &nothing_said;
	struct pod_security_policy p;
	read_mode(&r, LABEL "enforce", LABEL "enforce-version", POD_SECURITY_RESTRICTED, d->enforce, &p.enforce);
	read_mode(&r, LABEL "audit", LABEL "audit-version", POD_SECURITY_PRIVILEGED, d->audit, &p.audit);
	/* Who is refused pods is told so when he makes what would make them. */
	if (!read_mode(&r, LABEL "warn", LABEL "warn-version", POD_SECURITY_PRIVILEGED, d->warn, &p.warn) &&
	        p.enforce.level > p.warn.level)
		p.warn = p.enforce;
	return p;
}

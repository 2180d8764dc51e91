/* The checks of pod_security.c, one function each. A check gathers the containers that do what they may not, and the
 * values they do it with, and says all of it in one violation. */
#include "api/machinery/rules/pod/pod_security_int.h"

#include "base/check.h"

#include <stdlib.h>

/* ---- names ---- */

/* Each once, in the order they came; sorted where upstream keeps them in a set. */
struct names {
	struct arena *arena;
	struct slice *list;
	size_t n, cap;
};

static void names_add(struct names *s, struct slice name)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 8;
		struct slice *list = ARENA_ARRAY(s->arena, struct slice, cap);
		if (s->n)
			memcpy(list, s->list, s->n * sizeof *list);
		s->list = list;
		s->cap = cap;
	}
	s->list[s->n++] = name;
}

static int compare_names(const void *x, const void *y)
{
	return slice_cmp(*(const struct slice *)x, *(const struct slice *)y);
}

/* As a set has them. */
static void names_sort(struct names *s)
{
	size_t n = 0;
	if (s->n > 1)
		qsort(s->list, s->n, sizeof *s->list, compare_names);
	for (size_t i = 0; i < s->n; i++)
		if (!n || !slice_eq(s->list[n - 1], s->list[i]))
			s->list[n++] = s->list[i];
	s->n = n;
}

static const char *join(const struct names *s, bool quoted)
{
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < s->n; i++) {
		strbuf_adds(&b, i ? ", " : "");
		if (quoted)
			json_write_str(&b, s->list[i]);
		else
			strbuf_add_slice(&b, s->list[i]);
	}
	const char *text = arena_memdup(s->arena, b.data ? b.data : "", b.len);
	strbuf_release(&b);
	return text;
}

static const char *plural(const char *one, const char *many, size_t n)
{
	return n == 1 ? one : many;
}

/* `container "a"`, `containers "a", "b"` */
static const char *containers_text(const struct names *s)
{
	return arena_printf(s->arena, "%s %s", plural("container", "containers", s->n), join(s, true));
}

static void violate(const struct pod_checked *p, const char *reason, const char *detail)
{
	CHECK(p->found->n < POD_VIOLATIONS_MAX);
	p->found->list[p->found->n++] = (struct pod_violation){reason, detail};
}

/* ---- containers ---- */

static const char *const container_lists[] = {"initContainers", "containers", "ephemeralContainers"};

#define FOREACH_CONTAINER(c, p) \
	for (size_t list_ = 0; list_ < COUNT_OF(container_lists); list_++) \
		JSON_FOREACH (c, json_get((p)->spec, container_lists[list_]))

static struct json *context_of(const struct json *pod_or_container)
{
	return json_get(pod_or_container, "securityContext");
}

static struct names no_names(const struct pod_checked *p)
{
	return (struct names){.arena = p->arena};
}

/* "pod", "pod and containers ...", "containers ...": who does it. NULL: nobody. */
static const char *setters(const struct pod_checked *p, bool by_pod, const struct names *containers)
{
	if (!containers->n)
		return by_pod ? "pod" : NULL;
	return arena_printf(p->arena, "%s%s", by_pod ? "pod and " : "", containers_text(containers));
}

static bool is_windows(const struct pod_checked *p)
{
	return p->minor >= 25 && slice_is(json_str(json_path(p->spec, "os", "name", NULL)), "windows");
}

/* ---- baseline ---- */

static bool is_apparmor_type(struct slice type)
{
	return !type.ptr || slice_is(type, "RuntimeDefault") || slice_is(type, "Localhost");
}

void check_apparmor(const struct pod_checked *p)
{
	static const char prefix[] = "container.apparmor.security.beta.kubernetes.io/";
	struct names values = no_names(p), bad = no_names(p), annotations = no_names(p);
	struct slice of_pod = json_str(json_path(context_of(p->spec), "appArmorProfile", "type", NULL));
	if (!is_apparmor_type(of_pod))
		names_add(&values, of_pod);
	FOREACH_CONTAINER(c, p)
	{
		struct slice type = json_str(json_path(context_of(c), "appArmorProfile", "type", NULL));
		if (is_apparmor_type(type))
			continue;
		names_add(&values, type);
		names_add(&bad, json_get_str(c, "name"));
	}
	JSON_FOREACH (it, json_get(p->metadata, "annotations"))
		if (slice_starts(it->key, prefix) && it->text.len && !slice_is(it->text, "runtime/default") &&
		        !slice_starts(it->text, "localhost/"))
			names_add(&annotations, slice_of(arena_printf(p->arena, "%.*s=\"%.*s\"", SLICE_FMT(it->key),
			                                SLICE_FMT(it->text))));
	const char *who = setters(p, !is_apparmor_type(of_pod), &bad);
	names_sort(&values);
	names_sort(&annotations);
	for (size_t i = 0; i < annotations.n; i++)
		names_add(&values, annotations.list[i]);
	if (annotations.n)
		who = arena_printf(p->arena, "%s%s%s", who ? who : "", who ? " and " : "",
		        plural("annotation", "annotations", annotations.n));
	if (who)
		violate(p, plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values.n),
		        arena_printf(
		                p->arena, "%s must not set AppArmor profile type to %s", who, join(&values, true)));
}

void check_capabilities_baseline(const struct pod_checked *p)
{
	static const char *const allowed[] = {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL",
	        "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"};
	struct names bad = no_names(p), values = no_names(p);
	FOREACH_CONTAINER(c, p)
	{
		size_t before = values.n;
		JSON_FOREACH (it, json_path(context_of(c), "capabilities", "add", NULL))
			if (!slice_is_any(it->text, allowed, COUNT_OF(allowed)))
				names_add(&values, it->text);
		if (values.n > before)
			names_add(&bad, json_get_str(c, "name"));
	}
	names_sort(&values);
	if (bad.n)
		violate(p, "non-default capabilities",
		        arena_printf(p->arena, "%s must not include %s in securityContext.capabilities.add",
		                containers_text(&bad), join(&values, true)));
}

void check_host_namespaces(const struct pod_checked *p)
{
	static const char *const fields[] = {"hostNetwork", "hostPID", "hostIPC"};
	struct names set = no_names(p);
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		if (json_get_bool(p->spec, fields[i], false))
			names_add(&set, slice_of(arena_printf(p->arena, "%s=true", fields[i])));
	if (set.n)
		violate(p, "host namespaces", join(&set, false));
}

void check_host_paths(const struct pod_checked *p)
{
	struct names bad = no_names(p);
	JSON_FOREACH (v, json_get(p->spec, "volumes"))
		if (json_get(v, "hostPath"))
			names_add(&bad, json_get_str(v, "name"));
	if (bad.n)
		violate(p, "hostPath volumes",
		        arena_printf(p->arena, "%s %s", plural("volume", "volumes", bad.n), join(&bad, true)));
}

void check_host_ports(const struct pod_checked *p)
{
	struct names bad = no_names(p), ports = no_names(p);
	FOREACH_CONTAINER(c, p)
	{
		size_t before = ports.n;
		JSON_FOREACH (port, json_get(c, "ports"))
			if (json_get_int(port, "hostPort", 0) != 0)
				names_add(&ports, slice_of(arena_printf(p->arena, "%lld",
				                          (long long)json_get_int(port, "hostPort", 0))));
		if (ports.n > before)
			names_add(&bad, json_get_str(c, "name"));
	}
	names_sort(&ports);
	if (bad.n)
		violate(p, "hostPort",
		        arena_printf(p->arena, "%s %s %s %s", containers_text(&bad), plural("uses", "use", bad.n),
		                plural("hostPort", "hostPorts", ports.n), join(&ports, false)));
}

void check_privileged(const struct pod_checked *p)
{
	struct names bad = no_names(p);
	FOREACH_CONTAINER(c, p)
	if (json_get_bool(context_of(c), "privileged", false))
		names_add(&bad, json_get_str(c, "name"));
	if (bad.n)
		violate(p, "privileged",
		        arena_printf(
		                p->arena, "%s must not set securityContext.privileged=true", containers_text(&bad)));
}

void check_proc_mount(const struct pod_checked *p)
{
	struct names bad = no_names(p), values = no_names(p);
	FOREACH_CONTAINER(c, p)
	{
		struct slice type = json_get_str(context_of(c), "procMount");
		if (!type.ptr || slice_is(type, "Default"))
			continue;
		names_add(&bad, json_get_str(c, "name"));
		names_add(&values, type);
	}
	names_sort(&values);
	if (bad.n)
		violate(p, "procMount",
		        arena_printf(p->arena, "%s must not set securityContext.procMount to %s", containers_text(&bad),
		                join(&values, true)));
}

struct selinux {
	struct names types;
	bool has_user, has_role;
};

/* True: it is fine. */
static bool look_at_selinux(const struct pod_checked *p, struct selinux *x, const struct json *owner)
{
	static const char *const allowed[] = {
	        "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t" /* from 1.31 on */};
	const struct json *o = json_get(context_of(owner), "seLinuxOptions");
	struct slice type = json_get_str(o, "type");
	size_t n = COUNT_OF(allowed) - (p->minor < 31);
	bool is_fine = !type.ptr || slice_is_any(type, allowed, n);
	if (!is_fine)
		names_add(&x->types, type);
	x->has_user |= json_get_str(o, "user").len > 0;
	x->has_role |= json_get_str(o, "role").len > 0;
	return is_fine && !json_get_str(o, "user").len && !json_get_str(o, "role").len;
}

void check_selinux(const struct pod_checked *p)
{
	struct selinux x = {.types = no_names(p)};
	struct names bad = no_names(p), what = no_names(p);
	bool by_pod = !look_at_selinux(p, &x, p->spec);
	FOREACH_CONTAINER(c, p)
	if (!look_at_selinux(p, &x, c))
		names_add(&bad, json_get_str(c, "name"));
	const char *who = setters(p, by_pod, &bad), *text = "";
	names_sort(&x.types);
	if (x.types.n)
		names_add(&what, slice_of(arena_printf(
		                         p->arena, "%s %s", plural("type", "types", x.types.n), join(&x.types, true))));
	if (x.has_user)
		names_add(&what, SLICE("user may not be set"));
	if (x.has_role)
		names_add(&what, SLICE("role may not be set"));
	for (size_t i = 0; i < what.n; i++)
		text = arena_printf(p->arena, "%s%s%.*s", text, i ? "; " : "", SLICE_FMT(what.list[i]));
	if (who)
		violate(p, "seLinuxOptions",
		        arena_printf(p->arena, "%s set forbidden securityContext.seLinuxOptions: %s", who, text));
}

/* Before profiles were fields. */
void check_seccomp_annotations(const struct pod_checked *p)
{
	struct names bad = no_names(p);
	JSON_FOREACH (it, json_get(p->metadata, "annotations")) {
		if (!slice_is(it->key, "seccomp.security.alpha.kubernetes.io/pod") &&
		        !slice_starts(it->key, "container.seccomp.security.alpha.kubernetes.io/"))
			continue;
		if (!slice_is(it->text, "runtime/default") && !slice_is(it->text, "docker/default") &&
		        !slice_starts(it->text, "localhost/"))
			names_add(&bad, slice_of(arena_printf(
			                        p->arena, "%.*s=\"%.*s\"", SLICE_FMT(it->key), SLICE_FMT(it->text))));
	}
	names_sort(&bad);
	if (bad.n)
		violate(p, "seccompProfile",
		        arena_printf(p->arena, "forbidden %s %s", plural("annotation", "annotations", bad.n),
		                join(&bad, false)));
}

static struct slice seccomp_of(const struct json *owner)
{
	return json_str(json_path(context_of(owner), "seccompProfile", "type", NULL));
}

static bool is_seccomp_type(struct slice type)
{
	return slice_is(type, "RuntimeDefault") || slice_is(type, "Localhost");
}

/* What is set and may not be. True: something was. */
static bool find_bad_seccomp(const struct pod_checked *p)
{
	struct names bad = no_names(p), values = no_names(p);
	struct slice of_pod = seccomp_of(p->spec);
	bool by_pod = of_pod.ptr && !is_seccomp_type(of_pod);
	if (by_pod)
		names_add(&values, of_pod);
	FOREACH_CONTAINER(c, p)
	{
		struct slice type = seccomp_of(c);
		if (!type.ptr || is_seccomp_type(type))
			continue;
		names_add(&bad, json_get_str(c, "name"));
		names_add(&values, type);
	}
	const char *who = setters(p, by_pod, &bad);
	names_sort(&values);
	if (who)
		violate(p, "seccompProfile",
		        arena_printf(p->arena, "%s must not set securityContext.seccompProfile.type to %s", who,
		                join(&values, true)));
	return who != NULL;
}

void check_seccomp_baseline(const struct pod_checked *p)
{
	find_bad_seccomp(p);
}

void check_sysctls(const struct pod_checked *p)
{
	static const struct {
		const char *name;
		int from;
	} allowed[] = {{"kernel.shm_rmid_forced", 0}, {"net.ipv4.ip_local_port_range", 0},
	        {"net.ipv4.tcp_syncookies", 0}, {"net.ipv4.ping_group_range", 0},
	        {"net.ipv4.ip_unprivileged_port_start", 0}, {"net.ipv4.ip_local_reserved_ports", 27},
	        {"net.ipv4.tcp_keepalive_time", 29}, {"net.ipv4.tcp_fin_timeout", 29},
	        {"net.ipv4.tcp_keepalive_intvl", 29}, {"net.ipv4.tcp_keepalive_probes", 29}, {"net.ipv4.tcp_rmem", 32},
	        {"net.ipv4.tcp_wmem", 32}};
	struct names bad = no_names(p);
	JSON_FOREACH (it, json_get(context_of(p->spec), "sysctls")) {
		struct slice name = json_get_str(it, "name");
		bool is_fine = false;
		for (size_t i = 0; i < COUNT_OF(allowed); i++)
			is_fine |= p->minor >= allowed[i].from && slice_is(name, allowed[i].name);
		if (!is_fine)
			names_add(&bad, name);
	}
	if (bad.n)
		violate(p, plural("forbidden sysctl", "forbidden sysctls", bad.n), join(&bad, false));
}

void check_host_process(const struct pod_checked *p)
{
	struct names bad = no_names(p);
	bool by_pod = json_bool(json_path(context_of(p->spec), "windowsOptions", "hostProcess", NULL), false);
	FOREACH_CONTAINER(c, p)
	if (json_bool(json_path(context_of(c), "windowsOptions", "hostProcess", NULL), false))
		names_add(&bad, json_get_str(c, "name"));
	const char *who = setters(p, by_pod, &bad);
	if (who)
		violate(p, "hostProcess",
		        arena_printf(p->arena, "%s must not set securityContext.windowsOptions.hostProcess=true", who));
}

/* ---- restricted ---- */

void check_privilege_escalation(const struct pod_checked *p)
{
	struct names bad = no_names(p);
	if (is_windows(p))
		return;
	FOREACH_CONTAINER(c, p)
	if (json_get_bool(context_of(c), "allowPrivilegeEscalation", true))
		names_add(&bad, json_get_str(c, "name"));
	if (bad.n)
		violate(p, "allowPrivilegeEscalation != false",
		        arena_printf(p->arena, "%s must set securityContext.allowPrivilegeEscalation=false",
		                containers_text(&bad)));
}

static bool has_item(const struct json *list, const char *text)
{
	JSON_FOREACH (it, list)
		if (slice_is(it->text, text))
			return true;
	return false;
}

void check_capabilities_restricted(const struct pod_checked *p)
{
	struct names keeping = no_names(p), adding = no_names(p), values = no_names(p);
	const char *detail = "";
	if (is_windows(p))
		return;
	FOREACH_CONTAINER(c, p)
	{
		const struct json *capabilities = json_get(context_of(c), "capabilities");
		size_t before = values.n;
		if (!has_item(json_get(capabilities, "drop"), "ALL"))
			names_add(&keeping, json_get_str(c, "name"));
		JSON_FOREACH (it, json_get(capabilities, "add"))
			if (!slice_is(it->text, "NET_BIND_SERVICE"))
				names_add(&values, it->text);
		if (values.n > before)
			names_add(&adding, json_get_str(c, "name"));
	}
	names_sort(&values);
	if (keeping.n)
		detail = arena_printf(
		        p->arena, "%s must set securityContext.capabilities.drop=[\"ALL\"]", containers_text(&keeping));
	if (adding.n)
		detail = arena_printf(p->arena, "%s%s%s must not include %s in securityContext.capabilities.add",
		        detail, keeping.n ? "; " : "", containers_text(&adding), join(&values, true));
	if (*detail)
		violate(p, "unrestricted capabilities", detail);
}

void check_volumes(const struct pod_checked *p)
{
	static const char *const allowed[] = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral",
	        "persistentVolumeClaim", "projected", "secret"};
	struct names bad = no_names(p), types = no_names(p);
	JSON_FOREACH (v, json_get(p->spec, "volumes")) {
		struct slice type = SLICE("unknown");
		JSON_FOREACH (it, v)
			type = slice_is(it->key, "name") ? type : it->key;
		if (slice_is_any(type, allowed, COUNT_OF(allowed)))
			continue;
		names_add(&bad, json_get_str(v, "name"));
		names_add(&types, type);
	}
	names_sort(&types);
	if (bad.n)
		violate(p, "restricted volume types",
		        arena_printf(p->arena, "%s %s %s %s %s", plural("volume", "volumes", bad.n), join(&bad, true),
		                plural("uses", "use", bad.n),
		                plural("restricted volume type", "restricted volume types", types.n),
		                join(&types, true)));
}

void check_non_root(const struct pod_checked *p)
{
	const struct json *of_pod = json_get(context_of(p->spec), "runAsNonRoot");
	struct names bad = no_names(p), silent = no_names(p);
	FOREACH_CONTAINER(c, p)
	{
		const struct json *own = json_get(context_of(c), "runAsNonRoot");
		if (own && !json_bool(own, true))
			names_add(&bad, json_get_str(c, "name"));
		else if (!own && !json_bool(of_pod, false))
			names_add(&silent, json_get_str(c, "name"));
	}
	const char *who = setters(p, of_pod && !json_bool(of_pod, true), &bad);
	if (who)
		violate(p, "runAsNonRoot != true",
		        arena_printf(p->arena, "%s must not set securityContext.runAsNonRoot=false", who));
	else if (silent.n)
		violate(p, "runAsNonRoot != true",
		        arena_printf(p->arena, "pod or %s must set securityContext.runAsNonRoot=true",
		                containers_text(&silent)));
}

void check_user(const struct pod_checked *p)
{
	struct names bad = no_names(p);
	bool by_pod = json_get_int(context_of(p->spec), "runAsUser", -1) == 0;
	FOREACH_CONTAINER(c, p)
	if (json_get_int(context_of(c), "runAsUser", -1) == 0)
		names_add(&bad, json_get_str(c, "name"));
	const char *who = setters(p, by_pod, &bad);
	if (who)
		violate(p, "runAsUser=0", arena_printf(p->arena, "%s must not set runAsUser=0", who));
}

void check_seccomp_restricted(const struct pod_checked *p)
{
	struct names silent = no_names(p);
	if (is_windows(p) || find_bad_seccomp(p))
		return;
	FOREACH_CONTAINER(c, p)
	if (!seccomp_of(c).ptr && !seccomp_of(p->spec).ptr)
		names_add(&silent, json_get_str(c, "name"));
	if (silent.n)
		violate(p, "seccompProfile",
		        arena_printf(p->arena,
		                "pod or %s must set securityContext.seccompProfile.type to \"RuntimeDefault\" or "
		                "\"Localhost\"",
		                containers_text(&silent)));
}

/* What the runtime is told: the configuration of a sandbox and of a container, from the pod's spec, in the caller's
 * arena. The names of labels and annotations are upstream's, so that crictl and others find their way, and so that a
 * restarted kubelet knows its own. */
#include "node/worker/pod_config_int.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "node/cgroup/cgroup.h"
#include "node/cgroup/resources.h"
#include "node/config/kubelet_config.h"
#include "node/devices/devices.h"
#include "node/ground/files.h"
#include "node/ground/machine.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/runtime/image.h"
#include "node/volume/volume.h"
#include "node/worker/pod_env_int.h"
#include "node/worker/pod_files_int.h"
#include "node/worker/pod_limits_int.h"
#include "node/worker/pod_security_int.h"
#include "node/worker/resolv_conf_int.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What dnsConfig may add to what the node has; upstream's validation takes 3 and 32. */
/* Of a label of the DNS, and of what sethostname() takes. */
enum { HOST_NAME_BYTES_MAX = 63, KERNEL_NAME_BYTES_MAX = 64 };
enum { RESOLV_CONF_BYTES_MAX = 16384, DNS_SERVERS_MAX = 8, DNS_SEARCHES_MAX = 48, DNS_OPTIONS_MAX = 48 };
_Static_assert((int)DNS_SERVERS_MAX >= (int)RESOLV_SERVERS_MAX &&
                       (int)DNS_SEARCHES_MAX >= (int)RESOLV_SEARCHES_MAX + 3 &&
                       (int)DNS_OPTIONS_MAX > (int)RESOLV_OPTIONS_MAX,
        "what the node has and the cluster's own fit");

/* ---- helpers ---- */

static const CRI(Pair) pair_init = RUNTIME__V1__PAIR__INIT;

static void add_pair(struct arena *a, CRI(Pair) * **list, size_t *count, size_t cap, const char *key, const char *value)
{
	if (!*list)
		*list = ARENA_ARRAY(a, CRI(Pair) *, cap);
	CRI(Pair) *p = ARENA_NEW(a, CRI(Pair));
	*p = pair_init;
	p->key = (char *)key;
	p->value = (char *)value;
	CHECK(*count < cap);
	(*list)[(*count)++] = p;
}

static CRI(NamespaceOption) * namespaces(const struct pod *p, struct arena *a, bool for_sandbox)
{
	CRI(NamespaceOption) *o = ARENA_NEW(a, CRI(NamespaceOption));
	runtime__v1__namespace_option__init(o);
	bool shared = json_get_bool(p->spec, "shareProcessNamespace", false);
	if (pod_uses_host_network(p))
		o->network = RUNTIME__V1__NAMESPACE_MODE__NODE;
	o->pid = json_get_bool(p->spec, "hostPID", false) ? RUNTIME__V1__NAMESPACE_MODE__NODE
	         : shared                                 ? RUNTIME__V1__NAMESPACE_MODE__POD
	                                                  : RUNTIME__V1__NAMESPACE_MODE__CONTAINER;
	if (json_get_bool(p->spec, "hostIPC", false))
		o->ipc = RUNTIME__V1__NAMESPACE_MODE__NODE;
	return o;
}

static bool any_privileged(const struct pod *p)
{
	static const char *const lists[] = {"containers", "initContainers"};
	for (size_t i = 0; i < 2; i++)
		JSON_FOREACH (it, json_get(p->spec, lists[i]))
			if (json_bool(json_path(it, "securityContext", "privileged", NULL), false))
				return true;
	return false;
}

/* ---- names ---- */

/* Without its domain. */
static const char *host_name(const struct pod *p, struct arena *a)
{
	const char *own = json_cstr(a, json_get(p->spec, "hostname"));
	if (pod_uses_host_network(p)) {
		char name[256] = "";
		gethostname(name, sizeof name - 1);
		return arena_strdup(a, name);
	}
	char *name = arena_strdup(a, *own ? own : p->name);
	if (strlen(name) > HOST_NAME_BYTES_MAX)
		name[HOST_NAME_BYTES_MAX] = 0;
	while (*name && (name[strlen(name) - 1] == '-' || name[strlen(name) - 1] == '.'))
		name[strlen(name) - 1] = 0;
	return name;
}

/* With it, or "": only a subdomain gives a pod one. */
static const char *full_name(const struct pod *p, struct arena *a)
{
	const char *sub = json_cstr(a, json_get(p->spec, "subdomain"));
	return *sub ? arena_printf(a, "%s.%s.%s.svc.%s", host_name(p, a), sub, p->ns, p->n->o.cluster_domain) : "";
}

static const char *kernel_name(const struct pod *p, struct arena *a)
{
	const char *full = json_get_bool(p->spec, "setHostnameAsFQDN", false) ? full_name(p, a) : "";
	return *full ? full : host_name(p, a);
}

int pod_name_check(struct pod *p, struct arena *a, struct err *err)
{
	const char *name = kernel_name(p, a);
	LOOP_CHECK_OWNER(p->n->loop);
	if (pod_uses_host_network(p) || strlen(name) <= KERNEL_NAME_BYTES_MAX)
		return 0;
	return err_set(err, ERR_INVAL,
	        "failed to construct FQDN from pod hostname and cluster domain, FQDN %s is too long (%d characters is "
	        "the max, %zu characters requested)",
	        name, KERNEL_NAME_BYTES_MAX, strlen(name));
}

static void read_resolv_conf(struct arena *a, const char *path, CRI(DNSConfig) * d)
{
	size_t len = 0;
	char *text = path ? file_read(path, RESOLV_CONF_BYTES_MAX, false, &len) : NULL;
	struct resolv_conf c = resolv_conf_parse(a, (struct slice){text, text ? len : 0});
	d->servers = ARENA_ARRAY(a, char *, DNS_SERVERS_MAX);
	d->searches = ARENA_ARRAY(a, char *, DNS_SEARCHES_MAX);
	d->options = ARENA_ARRAY(a, char *, DNS_OPTIONS_MAX);
	memcpy(d->servers, c.servers, (d->n_servers = c.n_servers) * sizeof *c.servers);
	memcpy(d->searches, c.searches, (d->n_searches = c.n_searches) * sizeof *c.searches);
	memcpy(d->options, c.options, (d->n_options = c.n_options) * sizeof *c.options);
	free(text);
}

static CRI(DNSConfig) * dns(const struct pod *p, struct arena *a)
{
	const struct node_options *o = &p->n->o;
	struct slice policy = json_get_str(p->spec, "dnsPolicy");
	struct json *extra = json_get(p->spec, "dnsConfig");
	CRI(DNSConfig) *d = ARENA_NEW(a, CRI(DNSConfig));
	runtime__v1__dnsconfig__init(d);
	bool cluster = slice_is(policy, "ClusterFirstWithHostNet") ||
	               ((!policy.len || slice_is(policy, "ClusterFirst")) && !pod_uses_host_network(p));
	read_resolv_conf(a, slice_is(policy, "None") ? NULL : o->resolv_conf, d);
	if (cluster && o->cluster_dns && *o->cluster_dns) {
		char *host[RESOLV_SEARCHES_MAX];
		size_t n_host = d->n_searches;
		memcpy(host, d->searches, n_host * sizeof *host);
		d->n_servers = d->n_searches = 0;
		struct slice dns = slice_of(o->cluster_dns);
		while (dns.ptr && d->n_servers < DNS_SERVERS_MAX) {
			struct slice one = slice_cut(&dns, ',');
			d->servers[d->n_servers++] = arena_memdup(a, one.ptr, one.len);
		}
		d->searches[d->n_searches++] = arena_printf(a, "%s.svc.%s", p->ns, o->cluster_domain);
		d->searches[d->n_searches++] = arena_printf(a, "svc.%s", o->cluster_domain);
		d->searches[d->n_searches++] = (char *)o->cluster_domain;
		for (size_t i = 0; i < n_host; i++)
			d->searches[d->n_searches++] = host[i];
		d->n_options = 0;
		d->options[d->n_options++] = "ndots:5";
	}
	CHECK(d->n_servers <= DNS_SERVERS_MAX && d->n_searches <= DNS_SEARCHES_MAX);
	JSON_FOREACH (it, json_get(extra, "nameservers"))
		if (d->n_servers < DNS_SERVERS_MAX)
			d->servers[d->n_servers++] = (char *)json_cstr(a, it);
	JSON_FOREACH (it, json_get(extra, "searches"))
		if (d->n_searches < DNS_SEARCHES_MAX)
			d->searches[d->n_searches++] = (char *)json_cstr(a, it);
	JSON_FOREACH (it, json_get(extra, "options")) {
		const char *name = json_cstr(a, json_get(it, "name")), *value = json_cstr(a, json_get(it, "value"));
		char *text = *value ? arena_printf(a, "%s:%s", name, value) : arena_strdup(a, name);
		size_t at = 0;
		while (at < d->n_options &&
		        (strncmp(d->options[at], name, strlen(name)) != 0 ||
		                (d->options[at][strlen(name)] && d->options[at][strlen(name)] != ':')))
			at++;
		if (at < DNS_OPTIONS_MAX)
			d->options[at] = text;
		if (at == d->n_options && at < DNS_OPTIONS_MAX)
			d->n_options++;
	}
	return d;
}

/* ---- sandboxes ---- */

static void add_ports(struct pod *p, struct arena *a, CRI(PodSandboxConfig) * c)
{
	size_t cap = 0;
	JSON_FOREACH (it, json_get(p->spec, "containers"))
		cap += json_get(it, "ports") ? json_get(it, "ports")->count : 0;
	c->port_mappings = ARENA_ARRAY(a, CRI(PortMapping) *, cap + 1);
	JSON_FOREACH (it, json_get(p->spec, "containers"))
		JSON_FOREACH (port, json_get(it, "ports")) {
			struct slice protocol = json_get_str(port, "protocol");
			CRI(PortMapping) *m = ARENA_NEW(a, CRI(PortMapping));
			runtime__v1__port_mapping__init(m);
			m->host_port = (int32_t)json_get_int(port, "hostPort", 0);
			m->container_port = (int32_t)json_get_int(port, "containerPort", 0);
			m->host_ip = (char *)json_cstr(a, json_get(port, "hostIP"));
			m->protocol = slice_is(protocol, "UDP")    ? RUNTIME__V1__PROTOCOL__UDP
			              : slice_is(protocol, "SCTP") ? RUNTIME__V1__PROTOCOL__SCTP
			                                           : RUNTIME__V1__PROTOCOL__TCP;
			if (m->host_port && !pod_uses_host_network(p))
				c->port_mappings[c->n_port_mappings++] = m;
		}
}

bool pod_asks_for_host_port(const struct pod *p)
{
	LOOP_CHECK_OWNER(p->n->loop);
	JSON_FOREACH (it, json_get(p->spec, "containers"))
		JSON_FOREACH (port, json_get(it, "ports"))
			if (json_get_int(port, "hostPort", 0) && !pod_uses_host_network(p))
				return true;
	return false;
}

static CRI(LinuxPodSandboxConfig) * sandbox_linux(struct pod *p, struct arena *a)
{
	struct json *sc = json_get(p->spec, "securityContext"), *sysctls = json_get(sc, "sysctls");
	CRI(LinuxPodSandboxConfig) *l = ARENA_NEW(a, CRI(LinuxPodSandboxConfig));
	CRI(LinuxSandboxSecurityContext) *s = ARENA_NEW(a, CRI(LinuxSandboxSecurityContext));
	runtime__v1__linux_pod_sandbox_config__init(l);
	runtime__v1__linux_sandbox_security_context__init(s);
	l->cgroup_parent = (char *)pod_cgroup(p, a);
	l->security_context = s;
	s->namespace_options = namespaces(p, a, true);
	s->privileged = any_privileged(p);
	s->seccomp = pod_seccomp(a, p->spec, NULL, kubelet_config_bool(p->n->config, "seccompDefault"));
	s->apparmor = pod_apparmor(a, p->spec, NULL);
	s->selinux_options = pod_selinux(a, p->spec, NULL);
	if (json_get(sc, "runAsUser"))
		s->run_as_user = cri_int64(a, json_get_int(sc, "runAsUser", 0));
	if (json_get(sc, "runAsGroup") && s->run_as_user)
		s->run_as_group = cri_int64(a, json_get_int(sc, "runAsGroup", 0));
	pod_groups(a, p->spec, &s->supplemental_groups, &s->n_supplemental_groups);
	JSON_FOREACH (it, sysctls)
		add_pair(a, &l->sysctls, &l->n_sysctls, sysctls->count, json_cstr(a, json_get(it, "name")),
		        json_cstr(a, json_get(it, "value")));
	return l;
}

CRI(PodSandboxConfig) * pod_sandbox_config(struct pod *p, struct arena *a, unsigned attempt, bool is_beside)
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(p->spec);
	CRI(PodSandboxConfig) *c = ARENA_NEW(a, CRI(PodSandboxConfig));
	CRI(PodSandboxMetadata) *m = ARENA_NEW(a, CRI(PodSandboxMetadata));
	struct json *labels = json_get(p->meta, "labels"), *annotations = json_get(p->meta, "annotations");
	runtime__v1__pod_sandbox_config__init(c);
	runtime__v1__pod_sandbox_metadata__init(m);
	m->name = p->name;
	m->uid = p->uid;
	m->namespace_ = p->ns;
	m->attempt = attempt;
	c->metadata = m;
	c->hostname = pod_uses_host_network(p) ? "" : (char *)kernel_name(p, a);
	c->log_directory = (char *)pod_log_dir(p, a);
	c->dns_config = dns(p, a);
	c->linux = sandbox_linux(p, a);
	add_ports(p, a, c);
	size_t cap = (labels ? labels->count : 0) + 3;
	JSON_FOREACH (it, labels)
		add_pair(a, &c->labels, &c->n_labels, cap, arena_memdup(a, it->key.ptr, it->key.len), json_cstr(a, it));
	add_pair(a, &c->labels, &c->n_labels, cap, "io.kubernetes.pod.name", p->name);
	add_pair(a, &c->labels, &c->n_labels, cap, "io.kubernetes.pod.namespace", p->ns);
	add_pair(a, &c->labels, &c->n_labels, cap, "io.kubernetes.pod.uid", p->uid);
	cap = (annotations ? annotations->count : 0) + 1;
	JSON_FOREACH (it, annotations)
		if (!slice_is(it->key, CRI_BESIDE_ANNOTATION))
			add_pair(a, &c->annotations, &c->n_annotations, cap, arena_memdup(a, it->key.ptr, it->key.len),
			        json_cstr(a, it));
	if (is_beside)
		add_pair(a, &c->annotations, &c->n_annotations, cap, CRI_BESIDE_ANNOTATION, "true");
	return c;
}

/* ---- containers ---- */

const char *pod_container_hash(struct arena *a, const struct json *container)
{
	uint64_t h = FNV1A64_INIT;
	struct slice parts[] = {json_get_str(container, "name"), json_get_str(container, "image")};
	for (size_t i = 0; i < 2; i++)
		h = fnv1a64_add(h, parts[i].ptr, parts[i].len);
	return arena_printf(a, "%llx", (unsigned long long)h);
}

static char **expanded(struct arena *a, const struct json *list, const struct env *env, size_t *count)
{
	char **v = cri_strings(a, list, count);
	for (size_t i = 0; i < *count; i++)
		v[i] = (char *)env_expand(a, slice_of(v[i]), env);
	return v;
}

/* The processes that an ephemeral container asked to see. */
static int set_target(
        struct pod *p, struct arena *a, const struct json *container, CRI(NamespaceOption) * o, struct err *err)
{
	const char *name = json_cstr(a, json_get(container, "targetContainerName"));
	struct container *target = *name ? pod_container(p, name) : NULL;
	if (!*name || o->pid == RUNTIME__V1__NAMESPACE_MODE__NODE)
		return 0;
	if (!target || target->state != CONTAINER_RUNNING)
		return err_set(err, ERR_NOT_FOUND, "unable to find target container \"%s\": it does not run", name);
	o->pid = RUNTIME__V1__NAMESPACE_MODE__TARGET;
	o->target_id = arena_strdup(a, target->id);
	return 0;
}

/* As the CRI names sizes: "2MB" for hugepages-2Mi. A size that the container does not ask for is closed to it. */
static int set_linux(struct pod *p, struct arena *a, const struct json *container, const struct image_result *image,
        CRI(ContainerConfig) * c, struct err *err)
{
	/* What containerd hides by default, by the names of its own list. */
	static char *const masked[] = {"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"};
	static char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
	struct json *sc = json_get(container, "securityContext"),
	            *escalation = json_get(sc, "allowPrivilegeEscalation");
	CRI(LinuxContainerConfig) *l = ARENA_NEW(a, CRI(LinuxContainerConfig));
	CRI(LinuxContainerSecurityContext) *s = ARENA_NEW(a, CRI(LinuxContainerSecurityContext));
	runtime__v1__linux_container_config__init(l);
	runtime__v1__linux_container_security_context__init(s);
	c->linux = l;
	l->security_context = s;
	l->resources = pod_limits_of(p, container, a);
	s->namespace_options = namespaces(p, a, false);
	if (set_target(p, a, container, s->namespace_options, err) != 0)
		return err->code;
	s->privileged = json_get_bool(sc, "privileged", false);
	s->readonly_rootfs = json_get_bool(sc, "readOnlyRootFilesystem", false);
	s->no_new_privs = escalation && !json_bool(escalation, true);
	s->seccomp = pod_seccomp(a, p->spec, container, kubelet_config_bool(p->n->config, "seccompDefault"));
	s->apparmor = pod_apparmor(a, p->spec, container);
	s->selinux_options = pod_selinux(a, p->spec, container);
	if (!s->privileged && !slice_is(json_get_str(sc, "procMount"), "Unmasked")) {
		s->masked_paths = (char **)masked;
		s->n_masked_paths = sizeof masked / sizeof *masked;
		s->readonly_paths = (char **)read_only;
		s->n_readonly_paths = sizeof read_only / sizeof *read_only;
	}
	s->capabilities = pod_capabilities(a, container);
	pod_groups(a, p->spec, &s->supplemental_groups, &s->n_supplemental_groups);
	return pod_user(a, p->spec, container, image, s, err);
}

/* A container's configuration in the making. */
struct config {
	struct pod *p;
	struct arena *a;
	const struct json *container;
	CRI(ContainerConfig) * c;
	struct pod_files *files;
};

static CRI(Mount) * add_mount(struct arena *a, CRI(ContainerConfig) * c, const char *inside, const char *host)
{
	CRI(Mount) *m = ARENA_NEW(a, CRI(Mount));
	runtime__v1__mount__init(m);
	m->container_path = (char *)inside;
	m->host_path = (char *)host;
	c->mounts[c->n_mounts++] = m;
	return m;
}

static bool path_climbs(const char *path)
{
	return strstr(path, "..") && (strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0 || strstr(path, "/../") ||
	                                     slice_ends(slice_of(path), "/.."));
}

/* Where a sub-path is mounted for the container: below the pod's folder, a place per mount. */
static const char *sub_path_place(struct pod *p, struct arena *a, const char *container, size_t index)
{
	return arena_printf(a, "%s/volume-subpaths/%s/%zu", pod_dir(p, a), container, index);
}

static const char *add_sub_path(struct config *g, const char *volume, const char *sub, struct err *err)
{
	struct arena *a = g->a;
	if (*sub == '/' || path_climbs(sub)) {
		err_set(err, ERR_INVAL, "subPath \"%s\" must be relative and without ..", sub);
		return NULL;
	}
	const char *container = json_cstr(a, json_get(g->container, "name"));
	const char *dir = arena_printf(a, "%s/volume-subpaths/%s", pod_dir(g->p, a), container);
	struct pod_file folder = {.kind = POD_FILE_FOLDER, .path = dir, .mode = 0750},
	                file = {.kind = POD_FILE_SUB_PATH,
	                        .path = sub_path_place(g->p, a, container, g->c->n_mounts),
	                        .volume = volume,
	                        .sub = sub};
	pod_files_add(g->files, a, &folder);
	pod_files_add(g->files, a, &file);
	return file.path;
}

static int add_volume_mount(struct config *g, const struct json *mount, const struct env *env, struct err *err)
{
	struct pod *p = g->p;
	struct arena *a = g->a;
	bool volume_read_only = false;
	struct slice name = json_get_str(mount, "name"), propagation = json_get_str(mount, "mountPropagation");
	const char *host = volume_host_path(p, a, name, &volume_read_only),
	           *inside = json_cstr(a, json_get(mount, "mountPath"));
	const char *sub = json_cstr(a, json_get(mount, "subPath"));
	struct json *expr = json_get(mount, "subPathExpr");
	if (!host)
		return err_set(
		        err, ERR_NOT_FOUND, "volume \"%.*s\" of the mount at %s is not there", SLICE_FMT(name), inside);
	if (expr)
		sub = env_expand(a, json_str(expr), env);
	bool read_only = volume_read_only || json_get_bool(mount, "readOnly", false);
	/* IfPossible it is then just read-only. */
	if (slice_is(json_get_str(mount, "recursiveReadOnly"), "Enabled"))
		return err_set(err, ERR_UNIMPLEMENTED,
		        "volume \"%.*s\" requested recursive read-only mode, but it is not supported by the runtime",
		        SLICE_FMT(name));
	if (*sub && !(host = add_sub_path(g, host, sub, err)))
		return err->code;
	CRI(Mount) *m = add_mount(a, g->c, *inside == '/' ? inside : arena_printf(a, "/%s", inside), host);
	m->readonly = read_only;
	m->propagation =
	        slice_is(propagation, "HostToContainer") ? RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_HOST_TO_CONTAINER
	        : slice_is(propagation, "Bidirectional") ? RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL
	                                                 : RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_PRIVATE;
	return 0;
}

/* Block devices go in as they are. */
static int add_devices(struct config *g, struct err *err)
{
	struct json *list = json_get(g->container, "volumeDevices");
	g->c->devices = ARENA_ARRAY(g->a, CRI(Device) *, list ? list->count + 1 : 1);
	JSON_FOREACH (it, list) {
		struct slice name = json_get_str(it, "name");
		bool read_only = false;
		const char *host = volume_device_path(g->p, g->a, name, &read_only);
		if (!host)
			return err_set(err, ERR_NOT_FOUND,
			        "volume \"%.*s\" of a device is not there, or is no block device", SLICE_FMT(name));
		CRI(Device) *d = ARENA_NEW(g->a, CRI(Device));
		runtime__v1__device__init(d);
		d->host_path = (char *)host;
		d->container_path = (char *)json_cstr(g->a, json_get(it, "devicePath"));
		d->permissions = read_only ? "r" : "mrw";
		g->c->devices[g->c->n_devices++] = d;
	}
	return 0;
}

static struct slice hosts_text(struct pod *p, struct arena *a)
{
	struct strbuf b = STRBUF_INIT;
	const char *full = full_name(p, a), *name = host_name(p, a);
	if (pod_uses_host_network(p)) {
		char *own = file_read("/etc/hosts", 65536, false, NULL);
		strbuf_addf(&b, "# Kubernetes-managed hosts file (host network).\n%s", own ? own : "");
		free(own);
	} else {
		strbuf_adds(&b, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost "
		                "ip6-loopback\n"
		                "fe00::\tip6-localnet\nfe00::\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-"
		                "allrouters\n");
		const char *ips[2];
		size_t n = pod_ips(p, ips);
		for (size_t i = 0; i < n; i++)
			strbuf_addf(&b, "%s\t%s%s%s\n", ips[i], full, *full ? "\t" : "", name);
	}
	struct json *aliases = json_get(p->spec, "hostAliases");
	if (aliases && aliases->count)
		strbuf_adds(&b, "\n# Entries added by HostAliases.\n");
	JSON_FOREACH (it, aliases) {
		strbuf_addf(&b, "%s", json_cstr(a, json_get(it, "ip")));
		JSON_FOREACH (h, json_get(it, "hostnames"))
			strbuf_addf(&b, "\t%s", json_cstr(a, h));
		strbuf_addc(&b, '\n');
	}
	struct slice text = {arena_memdup(a, b.data, b.len), b.len};
	strbuf_release(&b);
	return text;
}

static bool mounts_path(const struct json *container, const char *path)
{
	JSON_FOREACH (it, json_get(container, "volumeMounts"))
		if (slice_is(json_get_str(it, "mountPath"), path))
			return true;
	return false;
}

static void add_own_files(struct config *g, unsigned attempt)
{
	struct pod *p = g->p;
	struct arena *a = g->a;
	const char *name = json_cstr(a, json_get(g->container, "name")),
	           *dir = arena_printf(a, "%s/containers/%s", pod_dir(p, a), name),
	           *logs = arena_printf(a, "%s/%s", pod_log_dir(p, a), name);
	const char *message_path = json_cstr(a, json_get(g->container, "terminationMessagePath"));
	struct pod_file message = {.kind = POD_FILE_TEXT,
	                        .path = arena_printf(a, "%s/%u.log", dir, attempt),
	                        .mode = 0666},
	                hosts = {.kind = POD_FILE_TEXT,
	                        .path = arena_printf(a, "%s/etc-hosts", pod_dir(p, a)),
	                        .mode = 0644};
	pod_files_add(g->files, a, &(struct pod_file){.kind = POD_FILE_FOLDER, .path = logs, .mode = 0755});
	pod_files_add(g->files, a, &(struct pod_file){.kind = POD_FILE_FOLDER, .path = dir, .mode = 0755});
	pod_files_add(g->files, a, &message);
	add_mount(a, g->c, *message_path ? message_path : "/dev/termination-log", message.path);
	if (mounts_path(g->container, "/etc/hosts") || (pod_uses_host_network(p) && !json_get(p->spec, "hostAliases")))
		return;
	hosts.text = hosts_text(p, a);
	pod_files_add(g->files, a, &hosts);
	add_mount(a, g->c, "/etc/hosts", hosts.path);
}

static void add_labels(
        struct pod *p, struct arena *a, const struct json *container, unsigned attempt, CRI(ContainerConfig) * c)
{
	enum { CAP = 12 };
	add_pair(a, &c->labels, &c->n_labels, CAP, "io.kubernetes.container.name",
	        json_cstr(a, json_get(container, "name")));
	add_pair(a, &c->labels, &c->n_labels, CAP, "io.kubernetes.pod.name", p->name);
	add_pair(a, &c->labels, &c->n_labels, CAP, "io.kubernetes.pod.namespace", p->ns);
	add_pair(a, &c->labels, &c->n_labels, CAP, "io.kubernetes.pod.uid", p->uid);
	add_pair(a, &c->annotations, &c->n_annotations, CAP, "io.kubernetes.container.hash",
	        pod_container_hash(a, container));
	add_pair(a, &c->annotations, &c->n_annotations, CAP, "io.kubernetes.container.restartCount",
	        arena_printf(a, "%u", attempt));
	add_pair(a, &c->annotations, &c->n_annotations, CAP, "io.kubernetes.container.terminationMessagePath",
	        json_cstr(a, json_get(container, "terminationMessagePath")));
	add_pair(a, &c->annotations, &c->n_annotations, CAP, "io.kubernetes.container.terminationMessagePolicy",
	        json_cstr(a, json_get(container, "terminationMessagePolicy")));
	add_pair(a, &c->annotations, &c->n_annotations, CAP, "io.kubernetes.pod.terminationGracePeriod",
	        arena_printf(a, "%lld", (long long)json_get_int(p->spec, "terminationGracePeriodSeconds", 30)));
}

static void add_env(struct arena *a, const struct env *env, CRI(ContainerConfig) * c)
{
	c->envs = ARENA_ARRAY(a, CRI(KeyValue) *, env->count + 1);
	for (size_t i = 0; i < env->count; i++) {
		CRI(KeyValue) *kv = ARENA_NEW(a, CRI(KeyValue));
		runtime__v1__key_value__init(kv);
		kv->key = (char *)env->vars[i].name;
		kv->value = (char *)env->vars[i].value;
		c->envs[c->n_envs++] = kv;
	}
}

int pod_container_config(struct pod *p, struct arena *a, const struct json *container, unsigned attempt,
        const struct image_result *image, CRI(ContainerConfig) * *ret, struct pod_files *files, struct err *err)
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(p->operations && image->reference);
	struct env env;
	struct json *mounts = json_get(container, "volumeMounts");
	const char *name = json_cstr(a, json_get(container, "name"));
	CRI(ContainerConfig) *c = ARENA_NEW(a, CRI(ContainerConfig));
	struct config g = {p, a, container, c, files};
	runtime__v1__container_config__init(c);
	if (pod_env(p, a, container, &env, err) != 0)
		return err->code;
	c->metadata = ARENA_NEW(a, CRI(ContainerMetadata));
	runtime__v1__container_metadata__init(c->metadata);
	c->metadata->name = (char *)name;
	c->metadata->attempt = attempt;
	c->image = ARENA_NEW(a, CRI(ImageSpec));
	runtime__v1__image_spec__init(c->image);
	c->image->image = arena_strdup(a, image->reference);
	c->command = expanded(a, json_get(container, "command"), &env, &c->n_command);
	c->args = expanded(a, json_get(container, "args"), &env, &c->n_args);
	c->working_dir = (char *)json_cstr(a, json_get(container, "workingDir"));
	c->stdin = json_get_bool(container, "stdin", false);
	c->stdin_once = json_get_bool(container, "stdinOnce", false);
	c->tty = json_get_bool(container, "tty", false);
	c->log_path = arena_printf(a, "%s/%u.log", name, attempt);
	c->mounts = ARENA_ARRAY(a, CRI(Mount) *, (mounts ? mounts->count : 0) + 4);
	add_env(a, &env, c);
	add_labels(p, a, container, attempt, c);
	JSON_FOREACH (it, mounts)
		if (add_volume_mount(&g, it, &env, err) != 0)
			return err->code;
	if (add_devices(&g, err) != 0)
		return err->code;
	add_own_files(&g, attempt);
	devices_apply(p->n->devices, p, json_cstr(a, json_get(container, "name")), a, c);
	*ret = c;
	return set_linux(p, a, container, image, c, err);
}

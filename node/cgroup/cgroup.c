/* Cgroups of pods: /kubepods for guaranteed pods, /kubepods/burstable and /kubepods/besteffort below it, a group per
 * pod in them; the runtime makes the containers' groups inside. Both cgroup versions: on v1 (also hybrid) a group is
 * made in each controller's hierarchy, on v2 once, with the controllers turned on from the root down.
 *
 * What can go wrong: controllers that the kernel lacks or that a hierarchy does not let us use: those are passed over,
 * as limits are the better for what is there. Removing fails while something still runs inside; the caller tries when
 * nothing does, and a group left over is taken again by the pod's next life. */
#include "node/cgroup/cgroup.h"

#include "base/check.h"
#include "node/cgroup/resources.h"
#include "node/config/kubelet_config.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

static bool is_v2(void)
{
	return access(CGROUP_ROOT "/cgroup.controllers", F_OK) == 0;
}

static bool by_systemd(void)
{
	return is_v2() && access("/run/systemd/system", F_OK) == 0;
}

const char *pod_cgroup(const struct pod *p, struct arena *a)
{
	CHECK(*p->uid);
	enum qos q = pod_qos(p->spec);
	if (!by_systemd())
		return arena_printf(a, "/kubepods%s/pod%s",
		        q == QOS_BURSTABLE    ? "/burstable"
		        : q == QOS_BESTEFFORT ? "/besteffort"
		                              : "",
		        p->uid);
	const char *group = q == QOS_BURSTABLE ? "-burstable" : q == QOS_BESTEFFORT ? "-besteffort" : "";
	char *uid = arena_strdup(a, p->uid);
	for (char *c = uid; *c; c++)
		if (*c == '-')
			*c = '_';
	return arena_printf(a, "kubepods%s-pod%s.slice", group, uid);
}

const char *cgroup_pids_file(const struct pod *p, struct arena *a)
{
	const char *group = pod_cgroup(p, a);
	enum qos q = pod_qos(p->spec);
	if (!by_systemd())
		return arena_printf(a, CGROUP_ROOT "%s%s/pids.current", is_v2() ? "" : "/pids", group);
	return arena_printf(a, CGROUP_ROOT "/kubepods.slice/%s%s/pids.current",
	        q == QOS_BURSTABLE    ? "kubepods-burstable.slice/"
	        : q == QOS_BESTEFFORT ? "kubepods-besteffort.slice/"
	                              : "",
	        group);
}

/* Calls fn for each hierarchy with the controller's name ("" on v2). */
static void each_hierarchy(void (*fn)(const char *root, const char *controller, void *arg), void *arg)
{
	char path[300];
	if (is_v2()) {
		fn(CGROUP_ROOT, "", arg);
		return;
	}
	DIR *d = opendir(CGROUP_ROOT);
	for (struct dirent *e; d && (e = readdir(d));) {
		struct stat st;
		if (e->d_name[0] == '.' || e->d_type == DT_LNK || strcmp(e->d_name, "unified") == 0)
			continue;
		snprintf(path, sizeof path, CGROUP_ROOT "/%s", e->d_name);
		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			fn(path, e->d_name, arg);
	}
	if (d)
		closedir(d);
}

static void put(const char *dir, const char *file, const char *value)
{
	DCHECK(*dir == '/');
	char path[512];
	snprintf(path, sizeof path, "%s/%s", dir, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t n = write(fd, value, strlen(value));
	(void)n; /* a controller that does not take it stays as it is */
	close(fd);
}

static void inherit_cpuset(const char *parent, const char *dir)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	char path[600];
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", parent, files[i]);
		char *text = file_read(path, 4096, false, NULL);
		if (text)
			put(dir, files[i], text);
		free(text);
	}
}

/* A value that is more than the file's, or none at all ("max", -1). */
static void put_more(const char *dir, const char *file, const char *value)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", dir, file);
	CLEANUP(cleanup_free) char *now = file_read(path, 64, false, NULL);
	bool is_none = now && (strncmp(now, "max", 3) == 0 || *now == '-');
	if (now && !is_none && strtoll(value, NULL, 10) > strtoll(now, NULL, 10))
		put(dir, file, value);
}

typedef void put_fn(const char *dir, const char *file, const char *value);

struct making {
	const char *group; /* "/kubepods/burstable/podX" */
	struct resource_limits limits;
	char error[200];
};

static void set_limits(const char *dir, const char *controller, const struct resource_limits *r, put_fn *set)
{
	char value[64];
	bool v2 = !*controller;
	if ((v2 || strcmp(controller, "cpu") == 0) && r->cpu_shares > 0) {
		snprintf(value, sizeof value, "%lld",
		        (long long)(v2 ? cgroup_cpu_weight(r->cpu_shares) : r->cpu_shares));
		set(dir, v2 ? "cpu.weight" : "cpu.shares", value);
		if (r->cpu_quota_us > 0 && v2) {
			snprintf(value, sizeof value, "%lld %lld", (long long)r->cpu_quota_us,
			        (long long)r->cpu_period_us);
			set(dir, "cpu.max", value);
		} else if (r->cpu_quota_us > 0) {
			snprintf(value, sizeof value, "%lld", (long long)r->cpu_quota_us);
			set(dir, "cpu.cfs_quota_us", value);
		}
	}
	if ((v2 || strcmp(controller, "pids") == 0) && r->pids_max > 0) {
		snprintf(value, sizeof value, "%lld", (long long)r->pids_max);
		set(dir, "pids.max", value);
	}
	if ((v2 || strcmp(controller, "memory") == 0) && r->memory_bytes) {
		snprintf(value, sizeof value, "%lld", (long long)r->memory_bytes);
		if (v2 && r->memory_bytes < 0)
			snprintf(value, sizeof value, "max");
		set(dir, v2 ? "memory.max" : "memory.limit_in_bytes", value);
	}
}

static void make_in(const char *root, const char *controller, void *arg)
{
	CHECK(*((struct making *)arg)->group == '/');
	struct making *m = arg;
	char path[512], parent[512];
	snprintf(parent, sizeof parent, "%s", root);
	for (const char *at = m->group; *at;) {
		const char *next = strchr(at + 1, '/');
		size_t len = next ? (size_t)(next - m->group) : strlen(m->group);
		snprintf(path, sizeof path, "%s%.*s", root, (int)len, m->group);
		if (!*controller)
			put(parent, "cgroup.subtree_control", "+cpu +memory +pids +io +cpuset");
		if (mkdir(path, 0755) != 0 && errno != EEXIST && !*m->error)
			snprintf(m->error, sizeof m->error, "make cgroup %.120s: %s", path, strerror(errno));
		if (strcmp(controller, "cpuset") == 0)
			inherit_cpuset(parent, path);
		memcpy(parent, path, sizeof parent);
		at = next ? next : "";
	}
	set_limits(path, controller, &m->limits, put);
}

static void raise_in(const char *root, const char *controller, void *arg)
{
	const struct making *m = arg;
	char path[512];
	snprintf(path, sizeof path, "%s%s", root, m->group);
	set_limits(path, controller, &m->limits, put_more);
}

static struct resource_limits limits_of(const struct pod *p)
{
	struct resource_limits r = pod_resources(p->spec);
	r.pids_max = kubelet_config_int(p->n->config, "podPidsLimit");
	if (!kubelet_config_bool(p->n->config, "cpuCFSQuota"))
		r.cpu_quota_us = 0;
	return r;
}

void cgroup_raise(const struct pod *p)
{
	struct arena a = ARENA_INIT;
	struct making m = {.group = pod_cgroup(p, &a), .limits = limits_of(p)};
	if (!by_systemd())
		each_hierarchy(raise_in, &m);
	arena_release(&a);
}

int cgroup_make(struct pod *p, struct err *err)
{
	CHECK(p->spec);
	struct arena a = ARENA_INIT;
	struct making m = {0};
	if (by_systemd())
		return 0; /* the runtime asks systemd for the slice */
	m.group = pod_cgroup(p, &a);
	m.limits = limits_of(p);
	each_hierarchy(make_in, &m);
	arena_release(&a);
	return *m.error ? err_set(err, ERR_IO, "%s", m.error) : 0;
}

static void remove_group(const char *path, int depth)
{
	DCHECK(strncmp(path, CGROUP_ROOT, strlen(CGROUP_ROOT)) == 0);
	DIR *d = depth < 4 ? opendir(path) : NULL;
	for (struct dirent *e; d && (e = readdir(d));) {
		char below[700];
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(below, sizeof below, "%s/%s", path, e->d_name);
		remove_group(below, depth + 1);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static void remove_in(const char *root, const char *controller, void *arg)
{
	char path[512];
	snprintf(path, sizeof path, "%s%s", root, (const char *)arg);
	remove_group(path, 0);
}

void cgroup_remove(const struct pod *p)
{
	CHECK(*p->uid);
	static const char *const groups[] = {"", "/burstable", "/besteffort"};
	if (by_systemd())
		return;
	for (size_t i = 0; i < 3; i++) {
		char group[300];
		snprintf(group, sizeof group, "/kubepods%s/pod%s", groups[i], p->uid);
		each_hierarchy(remove_in, group);
	}
}

bool cgroup_is_v2(void)
{
	return is_v2();
}

/* On v2 the root has no such file: ours or that of all pods, whichever is there, says it. */
bool cgroup_limits_swap(void)
{
	char own[512] = "", path[600];
	if (!is_v2())
		return access(CGROUP_ROOT "/memory/memory.memsw.limit_in_bytes", F_OK) == 0;
	char *text = file_read("/proc/self/cgroup", 4096, false, NULL), *at = text ? strstr(text, "0::/") : NULL;
	if (at)
		snprintf(own, sizeof own, "%.*s", (int)strcspn(at + 3, "\n"), at + 3);
	free(text);
	snprintf(path, sizeof path, CGROUP_ROOT "%s/memory.swap.max", own);
	return access(path, F_OK) == 0 || access(CGROUP_ROOT "/kubepods/memory.swap.max", F_OK) == 0 ||
	       access(CGROUP_ROOT "/kubepods.slice/memory.swap.max", F_OK) == 0;
}

bool cgroup_is_systemd(void)
{
	return by_systemd();
}

void cgroup_make_roots(int64_t memory_bytes)
{
	static const char *const groups[] = {"/kubepods/burstable", "/kubepods/besteffort"};
	if (by_systemd())
		return;
	struct making top = {.group = "/kubepods"};
	/* An earlier start may have had another limit. */
	top.limits = (struct resource_limits){.memory_bytes = memory_bytes > 0 ? memory_bytes : -1};
	each_hierarchy(make_in, &top);
	for (size_t i = 0; i < 2; i++) {
		struct making m = {.group = groups[i]};
		each_hierarchy(make_in, &m);
	}
}

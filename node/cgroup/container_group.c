/* On v2 there is one group; on v1 one in each hierarchy that limits or counts something for us: cpu, cpuacct, memory.
 * Under systemd the parent is the name of a slice, whose place follows from the name ("a-b.slice" lies in "a.slice");
 * systemd is not asked for it: groups inside a slice that it did not make itself it leaves alone.
 *
 * What can go wrong: a hierarchy that is not there is passed over; a value that a group does not take stays as it is.
 */
#include "node/cgroup/container_group.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/mem/arena.h"
#include "node/ground/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

static const char *const hierarchies[CONTAINER_GROUPS_MAX] = {"memory", "cpu", "cpuacct"};

static bool is_v2(void)
{
	return access(CGROUP_ROOT "/cgroup.controllers", F_OK) == 0;
}

/* "kubepods-burstable-podX.slice" is "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podX.slice". */
static const char *path_of(struct arena *a, const char *parent)
{
	const char *path = "";
	CHECK(*parent);
	if (*parent == '/')
		return parent;
	for (const char *at = strchr(parent, '-'); at; at = strchr(at + 1, '-'))
		path = arena_printf(a, "%s/%.*s.slice", path, (int)(at - parent), parent);
	return arena_printf(a, "%s/%s", path, parent);
}

/* hierarchy NULL: v2. */
static const char *group_path(struct arena *a, const char *hierarchy, const char *parent, const char *name)
{
	return arena_printf(
	        a, CGROUP_ROOT "%s%s%s/%s", hierarchy ? "/" : "", hierarchy ? hierarchy : "", path_of(a, parent), name);
}

static void put(struct arena *a, const char *dir, const char *file, const char *value)
{
	int fd = open(arena_printf(a, "%s/%s", dir, file), O_WRONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? write(fd, value, strlen(value)) : 0;
	(void)n;
	if (fd >= 0)
		close(fd);
}

static void limit_v1(struct arena *a, const char *hierarchy, const char *dir, const struct resource_limits *l)
{
	if (strcmp(hierarchy, "memory") == 0 && l->memory_bytes > 0)
		put(a, dir, "memory.limit_in_bytes", arena_printf(a, "%lld", (long long)l->memory_bytes));
	if (strcmp(hierarchy, "cpu") != 0)
		return;
	if (l->cpu_shares > 0)
		put(a, dir, "cpu.shares", arena_printf(a, "%lld", (long long)l->cpu_shares));
	if (l->cpu_quota_us > 0) {
		put(a, dir, "cpu.cfs_period_us", arena_printf(a, "%lld", (long long)l->cpu_period_us));
		put(a, dir, "cpu.cfs_quota_us", arena_printf(a, "%lld", (long long)l->cpu_quota_us));
	}
}

static void limit_v2(struct arena *a, const char *dir, const struct resource_limits *l)
{
	if (l->memory_bytes > 0)
		put(a, dir, "memory.max", arena_printf(a, "%lld", (long long)l->memory_bytes));
	if (l->cpu_shares > 0)
		put(a, dir, "cpu.weight", arena_printf(a, "%lld", (long long)cgroup_cpu_weight(l->cpu_shares)));
	if (l->cpu_quota_us > 0)
		put(a, dir, "cpu.max",
		        arena_printf(a, "%lld %lld", (long long)l->cpu_quota_us, (long long)l->cpu_period_us));
}

static int open_one(struct arena *a, const char *hierarchy, const char *parent, const char *name,
        const struct resource_limits *limits, struct err *err)
{
	const char *dir = group_path(a, hierarchy, parent, name);
	if (!hierarchy)
		put(a, arena_printf(a, CGROUP_ROOT "%s", path_of(a, parent)), "cgroup.subtree_control",
		        "+cpu +memory +pids");
	if (file_make_dirs(dir, 0755, err) != 0)
		return -1;
	if (hierarchy)
		limit_v1(a, hierarchy, dir, limits);
	else
		limit_v2(a, dir, limits);
	int fd = open(arena_printf(a, "%s/cgroup.procs", dir), O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		err_errno(err, errno, "open %s/cgroup.procs", dir);
	return fd;
}

int container_group_open(const char *parent, const char *name, const struct resource_limits *limits,
        int fds[CONTAINER_GROUPS_MAX], size_t *count, struct err *err)
{
	struct arena a = ARENA_INIT;
	bool v2 = is_v2();
	CHECK(*name && !strchr(name, '/') && !err->code);
	*count = 0;
	for (size_t i = 0; i < (v2 ? 1 : CONTAINER_GROUPS_MAX) && !err->code; i++) {
		if (!v2 && access(arena_printf(&a, CGROUP_ROOT "/%s", hierarchies[i]), F_OK) != 0)
			continue;
		int fd = open_one(&a, v2 ? NULL : hierarchies[i], parent, name, limits, err);
		if (fd >= 0)
			fds[(*count)++] = fd;
	}
	while (err->code && *count)
		close(fds[--*count]);
	arena_release(&a);
	return err->code;
}

void container_group_remove(const char *parent, const char *name)
{
	CHECK(*name && !strchr(name, '/')); /* never the parent */
	struct arena a = ARENA_INIT;
	bool v2 = is_v2();
	for (size_t i = 0; i < (v2 ? 1 : CONTAINER_GROUPS_MAX); i++)
		rmdir(group_path(&a, v2 ? NULL : hierarchies[i], parent, name));
	arena_release(&a);
}

/* The number behind `key ` at the start of a line; without a key: the file's one number. */
static uint64_t read_number(struct arena *a, const char *dir, const char *file, const char *key)
{
	size_t len = 0;
	char *text = file_read(arena_printf(a, "%s/%s", dir, file), 16384, false, &len);
	struct slice rest = {text, text ? len : 0};
	uint64_t v = 0;
	while (rest.len) {
		struct slice line = slice_cut(&rest, '\n');
		if (key && !slice_is(slice_cut(&line, ' '), key))
			continue;
		if (!slice_to_u64(line, &v))
			v = 0;
		break;
	}
	free(text);
	return v;
}

bool container_group_usage(const char *parent, const char *name, struct group_usage *ret)
{
	struct arena a = ARENA_INIT;
	bool v2 = is_v2();
	const char *memory = group_path(&a, v2 ? NULL : "memory", parent, name);
	bool there = access(memory, F_OK) == 0;
	*ret = (struct group_usage){0};
	if (there) {
		ret->memory_bytes = read_number(&a, memory, v2 ? "memory.current" : "memory.usage_in_bytes", NULL);
		uint64_t idle = read_number(&a, memory, "memory.stat", v2 ? "inactive_file" : "total_inactive_file");
		ret->working_set_bytes = ret->memory_bytes > idle ? ret->memory_bytes - idle : 0;
		ret->cpu_ns = v2 ? read_number(&a, memory, "cpu.stat", "usage_usec") * 1000
		                 : read_number(&a, group_path(&a, "cpuacct", parent, name), "cpuacct.usage", NULL);
	}
	arena_release(&a);
	return there;
}

bool container_group_was_out_of_memory(const char *parent, const char *name)
{
	struct arena a = ARENA_INIT;
	bool v2 = is_v2();
	const char *memory = group_path(&a, v2 ? NULL : "memory", parent, name);
	uint64_t kills = read_number(&a, memory, v2 ? "memory.events" : "memory.oom_control", "oom_kill");
	arena_release(&a);
	return kills > 0;
}

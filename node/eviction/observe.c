/* See observe_int.h. memory.available is upstream's: what is free and the page cache that nobody used lately, which is
 * the capacity without the working set; it is less than the kernel's MemAvailable, and the same number that
 * /metrics/resource subtracts. Processes are tasks, threads among them, against the lesser of the kernel's two limits.
 */
#include "node/eviction/observe_int.h"

#include "base/check.h"
#include "node/ground/files.h"
#include "node/ground/machine.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { PROC_BYTES_MAX = 16384 };

static int64_t first_number(struct slice s)
{
	int64_t n;
	s = slice_trim(s);
	return slice_to_i64(slice_cut(&s, ' '), &n) ? n : -1;
}

struct eviction_observation observe_memory(struct slice meminfo)
{
	struct machine_memory m;
	machine_memory_parse(meminfo, &m);
	int64_t idle = m.unused + m.inactive_file;
	bool is_known = m.total > 0 && m.unused >= 0 && m.inactive_file >= 0 && idle <= m.total;
	return is_known ? (struct eviction_observation){true, idle, m.total}
	                : (struct eviction_observation){false, 0, 0};
}

struct eviction_observation observe_pids(struct slice loadavg, int64_t pids_max)
{
	for (int i = 0; i < 3; i++)
		slice_cut(&loadavg, ' ');
	struct slice tasks = slice_cut(&loadavg, ' ');
	slice_cut(&tasks, '/');
	int64_t now = first_number(tasks);
	return (struct eviction_observation){now >= 0 && pids_max > 0, pids_max - now, pids_max};
}

static struct slice read_proc(const char *path, char **ret_text)
{
	size_t len = 0;
	*ret_text = file_read(path, PROC_BYTES_MAX, false, &len);
	return (struct slice){*ret_text, *ret_text ? len : 0};
}

static int64_t read_limit(const char *path)
{
	char *text;
	int64_t n = first_number(read_proc(path, &text));
	free(text);
	return n;
}

static int64_t pids_max(void)
{
	int64_t a = read_limit("/proc/sys/kernel/pid_max"), b = read_limit("/proc/sys/kernel/threads-max");
	return a < b || b <= 0 ? a : b;
}

static void observe_fs(
        const char *path, struct eviction_observation *ret_bytes, struct eviction_observation *ret_inodes)
{
	struct statvfs fs;
	if (!path || statvfs(path, &fs) != 0)
		return;
	*ret_bytes = (struct eviction_observation){
	        true, (int64_t)(fs.f_bavail * fs.f_frsize), (int64_t)(fs.f_blocks * fs.f_frsize)};
	/* btrfs has no number of inodes: then they do not run out */
	*ret_inodes = (struct eviction_observation){fs.f_files > 0, (int64_t)fs.f_favail, (int64_t)fs.f_files};
}

void observe(const struct observe_paths *p, struct eviction_observation ret[SIGNALS_COUNT], bool *ret_is_one_fs)
{
	char *meminfo, *loadavg;
	struct stat x, y;
	memset(ret, 0, SIGNALS_COUNT * sizeof *ret);
	ret[SIGNAL_MEMORY_AVAILABLE] = observe_memory(read_proc("/proc/meminfo", &meminfo));
	ret[SIGNAL_PID_AVAILABLE] = observe_pids(read_proc("/proc/loadavg", &loadavg), pids_max());
	free(meminfo);
	free(loadavg);
	observe_fs(p->nodefs, &ret[SIGNAL_NODEFS_AVAILABLE], &ret[SIGNAL_NODEFS_INODES_FREE]);
	observe_fs(p->imagefs, &ret[SIGNAL_IMAGEFS_AVAILABLE], &ret[SIGNAL_IMAGEFS_INODES_FREE]);
	*ret_is_one_fs = !p->imagefs || stat(p->nodefs, &x) != 0 || stat(p->imagefs, &y) != 0 || x.st_dev == y.st_dev;
}

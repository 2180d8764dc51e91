/* See mount_table.h. */
#include "node/ground/mount_table.h"

#include "base/check.h"
#include "node/ground/files.h"

#include <stdio.h>

enum { TABLE_BYTES_MAX = 8 * 1024 * 1024 };

struct slice mount_table_read(pid_t pid, char **ret_text)
{
	char file[64] = "/proc/self/mountinfo";
	size_t len = 0;
	CHECK(pid >= 0);
	if (pid)
		snprintf(file, sizeof file, "/proc/%d/mountinfo", (int)pid);
	*ret_text = file_read(file, TABLE_BYTES_MAX, false, &len);
	return (struct slice){*ret_text, *ret_text ? len : 0};
}

/* "36 35 98:0 /root /mount/point ..." */
struct mount_line mount_table_cut(struct slice *table)
{
	struct mount_line m;
	CHECK(table->len > 0);
	struct slice line = slice_cut(table, '\n');
	slice_cut(&line, ' ');
	slice_cut(&line, ' ');
	m.device = slice_cut(&line, ' ');
	slice_cut(&line, ' ');
	m.point = slice_cut(&line, ' ');
	return m;
}

unsigned mount_count(struct slice table, const char *path)
{
	unsigned count = 0;
	while (table.len)
		count += slice_is(mount_table_cut(&table).point, path);
	return count;
}

bool mount_is_below(struct slice point, const char *dir)
{
	size_t n = strlen(dir);
	return point.len > n && memcmp(point.ptr, dir, n) == 0 && point.ptr[n] == '/';
}

size_t mounts_below(struct arena *a, struct slice table, const char *dir,
        bool (*is_meant)(void *arg, const struct mount_line *m), void *arg, const char *const **ret)
{
	size_t count = 0, most = 1;
	for (const char *at = table.ptr; at && (at = memchr(at, '\n', (size_t)(table.ptr + table.len - at))); at++)
		most++;
	/* from the end on, for the newest come first */
	const char **points = ARENA_ARRAY(a, const char *, most);
	while (table.len) {
		struct mount_line m = mount_table_cut(&table);
		if (mount_is_below(m.point, dir) && is_meant(arg, &m))
			points[most - ++count] = arena_memdup(a, m.point.ptr, m.point.len);
	}
	*ret = points + most - count;
	return count;
}

/* See mount_pins.h. What is read belongs to other processes and may go meanwhile: then it is passed over. */
#include "node/ground/mount_pins.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "node/ground/files.h"
#include "node/ground/mount_table.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAMED_MAX = 3, NAMESPACES_MAX = 64, FDS_MAX = 4096 };

bool mount_path_in(const char *message, char *out, size_t size)
{
	const char *at = strstr(message, "/run/netns/");
	if (!at)
		return false;
	size_t len = strlen("/run/netns/");
	while (isalnum((unsigned char)at[len]) || at[len] == '-' || at[len] == '_' || at[len] == '.')
		len++;
	if (len >= size)
		return false;
	memcpy(out, at, len);
	out[len] = 0;
	return true;
}

static unsigned mounted_in(int pid, const char *path)
{
	char *text;
	unsigned count = mount_count(mount_table_read(pid, &text), path);
	free(text);
	return count;
}

static void name_process(struct strbuf *out, const char *what, int pid)
{
	DCHECK(pid > 0);
	char file[64];
	snprintf(file, sizeof file, "/proc/%d/comm", pid);
	char *comm = file_read(file, 64, false, NULL);
	struct slice name = slice_trim(slice_of(comm ? comm : "?"));
	strbuf_addf(out, "%s%s pid %d (%.*s)", out->len ? ", " : "", what, pid, SLICE_FMT(name));
	free(comm);
}

static bool points_below(const char *link, const char *path)
{
	char target[4096];
	size_t n = strlen(path);
	ssize_t len = readlink(link, target, sizeof target - 1);
	if (len < (ssize_t)n)
		return false;
	target[len] = 0;
	return strncmp(target, path, n) == 0 && (!target[n] || target[n] == '/');
}

static bool has_open(int pid, const char *path)
{
	static const char *const links[] = {"cwd", "root"};
	char name[320];
	for (size_t i = 0; i < 2; i++) {
		snprintf(name, sizeof name, "/proc/%d/%s", pid, links[i]);
		if (points_below(name, path))
			return true;
	}
	snprintf(name, sizeof name, "/proc/%d/fd", pid);
	DIR *d = opendir(name);
	bool found = false;
	unsigned seen = 0;
	for (struct dirent *e; d && !found && seen++ < FDS_MAX && (e = readdir(d));) {
		snprintf(name, sizeof name, "/proc/%d/fd/%s", pid, e->d_name);
		found = e->d_name[0] != '.' && points_below(name, path);
	}
	if (d)
		closedir(d);
	return found;
}

static bool namespace_of(int pid, char out[64])
{
	char link[64];
	snprintf(link, sizeof link, "/proc/%d/ns/mnt", pid);
	ssize_t len = readlink(link, out, 63);
	out[len > 0 ? len : 0] = 0;
	return len > 0;
}

/* Mount namespaces that were looked at already. */
struct seen {
	char names[NAMESPACES_MAX][64];
	size_t count;
};

static bool is_new(struct seen *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->names[i], name) == 0)
			return false;
	if (s->count < NAMESPACES_MAX)
		snprintf(s->names[s->count++], sizeof s->names[0], "%s", name);
	return true;
}

void mount_pins(const char *path, struct strbuf *out)
{
	CHECK(*path == '/');
	char ns[64];
	struct seen seen = {.count = 0};
	unsigned here = mounted_in(getpid(), path), elsewhere = 0, open = 0;
	if (namespace_of(getpid(), ns))
		is_new(&seen, ns);
	if (here > 1)
		strbuf_addf(out, "it is mounted %u times here", here);
	DIR *d = opendir("/proc");
	for (struct dirent *e; d && (e = readdir(d));) {
		int pid = atoi(e->d_name);
		if (pid <= 0)
			continue;
		if (elsewhere < NAMED_MAX && namespace_of(pid, ns) && is_new(&seen, ns) && mounted_in(pid, path)) {
			name_process(out, "the mount namespace of", pid);
			elsewhere++;
		}
		if (open < NAMED_MAX && has_open(pid, path)) {
			name_process(out, "an open file of", pid);
			open++;
		}
	}
	if (d)
		closedir(d);
	if (!out->len)
		strbuf_adds(out, "nothing that can be seen");
}

/* See machine.h. */
#include "node/ground/machine.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "base/file/file_dirs.h"
#include "node/ground/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/sysinfo.h>
#include <unistd.h>

static int64_t kib_as_bytes(struct slice text)
{
	int64_t n;
	text = slice_trim(text);
	bool is_number = slice_to_i64(slice_cut(&text, ' '), &n) && n >= 0 && n <= INT64_MAX / 1024;
	return is_number ? n * 1024 : -1;
}

void machine_memory_parse(struct slice meminfo, struct machine_memory *ret)
{
	const struct {
		const char *name;
		int64_t *to;
	} rows[] = {{"MemTotal", &ret->total}, {"MemFree", &ret->unused}, {"Inactive(file)", &ret->inactive_file},
	        {"SwapTotal", &ret->swap_total}, {"SwapFree", &ret->swap_free}};
	*ret = (struct machine_memory){-1, -1, -1, -1, -1};
	while (meminfo.len) {
		struct slice line = slice_cut(&meminfo, '\n'), name = slice_cut(&line, ':');
		for (size_t i = 0; i < COUNT_OF(rows); i++)
			if (slice_is(name, rows[i].name))
				*rows[i].to = kib_as_bytes(line);
	}
}

int64_t node_memory_bytes(void)
{
	struct sysinfo s;
	return sysinfo(&s) == 0 ? (int64_t)s.totalram * s.mem_unit : 0;
}

int64_t node_swap_bytes(void)
{
	struct sysinfo s;
	return sysinfo(&s) == 0 ? (int64_t)s.totalswap * s.mem_unit : 0;
}

static int only_sizes(const struct dirent *e)
{
	return strncmp(e->d_name, "hugepages-", 10) == 0;
}

const char *machine_hugepages(struct arena *a)
{
	static const char dir[] = "/sys/kernel/mm/hugepages";
	struct dirent **sizes;
	int count = scandir(dir, &sizes, only_sizes, alphasort);
	const char *text = "";
	for (int i = 0; i < count; i++) {
		char name[QUANTITY_TEXT_MAX];
		int64_t bytes = atoll(sizes[i]->d_name + 10) * 1024;
		struct quantity size = quantity_from_value(bytes, QUANTITY_BINARY_SI);
		char *pages = file_read(arena_printf(a, "%s/%s/nr_hugepages", dir, sizes[i]->d_name), 32, false, NULL);
		quantity_format(&size, name);
		text = arena_printf(a, "%shugepages-%s %lld\n", text, name, pages ? atoll(pages) * bytes : 0LL);
		free(pages);
		free(sizes[i]);
	}
	if (count >= 0)
		free(sizes);
	return text;
}

bool machine_may_lower_oom_score(void)
{
	enum { CAP_SYS_RESOURCE_BIT = 24 };
	char *text = file_read("/proc/self/status", 8192, false, NULL), *at = text ? strstr(text, "CapEff:") : NULL;
	bool yes = !at || (strtoull(at + strlen("CapEff:"), NULL, 16) >> CAP_SYS_RESOURCE_BIT & 1);
	free(text);
	return yes;
}

bool node_has_apparmor(void)
{
	char *text = file_read("/sys/module/apparmor/parameters/enabled", 16, false, NULL);
	bool yes = text && *text == 'Y';
	free(text);
	return yes;
}

int machine_share_netns(struct err *err)
{
	static const char dir[] = "/run/netns";
	if (file_make_dirs(dir, 0755, err) != 0)
		return err->code;
	if (mount("", dir, "none", MS_SHARED | MS_REC, NULL) == 0)
		return 0;
	/* No mount point yet. */
	if (errno != EINVAL || mount(dir, dir, "none", MS_BIND | MS_REC, NULL) != 0 ||
	        mount("", dir, "none", MS_SHARED | MS_REC, NULL) != 0)
		return err_errno(err, errno, "make %s a shared mount", dir);
	return 0;
}

/* See machine.h. */
#include "node/ground/machine.h"

#include "node/ground/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/sysinfo.h>
#include <unistd.h>

int64_t node_memory_bytes(void)
{
	struct sysinfo s;
	return sysinfo(&s) == 0 ? (int64_t)s.totalram * s.mem_unit : 0;
}

bool machine_may_lower_oom_score(void)
{
	enum { CAP_SYS_RESOURCE_BIT = 24 };
	char *text = file_read("/proc/self/status", 8192, false, NULL), *at = text ? strstr(text, "CapEff:") : NULL;
	bool yes = !at || (strtoull(at + strlen("CapEff:"), NULL, 16) >> CAP_SYS_RESOURCE_BIT & 1);
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

/* `k3x killall`: ends everything that k3x started on this machine, by a shell script that is in the binary
 * (tools/install/killall.sh): the work is that of a dozen commands of the system, and `make down` does it by the same
 * one. */
#include "base/check.h"
#include "base/flags.h"
#include "tools/programs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__asm__(".pushsection .rodata\nkillall_script:\n.incbin \"tools/install/killall.sh\"\n.byte 0\n.popsection\n");
extern const char killall_script[];

static int fail(const struct err *err)
{
	fprintf(stderr, "k3x killall: %s\n", err->msg);
	return err_exit_code(err->code);
}

int killall_main(int argc, char **argv)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	const char *data_dir = NULL;
	const struct flag table[] = {
	        {"data-dir", 'd', FLAG_STRING, &data_dir, "K3X_DATA_DIR",
	                "of which server; services of the system are left alone then (/var/lib/k3x)", NULL},
	};
	struct flags f = {.program = "k3x killall",
	        .summary = "k3x killall: stop k3x on this machine with all it started: services, pods, containerd, "
	                   "mounts, "
	                   "links, rules, cgroups.\nData stays",
	        .table = table,
	        .count = COUNT_OF(table)};
	int rc = flags_load(&f, &a, argc, argv, &err);
	if (rc == 0 && f.want_help) {
		flags_help(&f);
		arena_release(&a);
		return 0;
	}
	if (rc != 0)
		return fail(&err);
	if (data_dir && *data_dir != '/') {
		err_set(&err, ERR_INVAL, "--data-dir: \"%s\" is not the whole path of a folder", data_dir);
		return fail(&err);
	}
	if (data_dir)
		setenv("K3X_DATA_DIR", data_dir, 1);
	else
		setenv("K3X_KILL_SERVICES", "1", 1);
	execl("/bin/sh", "sh", "-c", killall_script, "k3x killall", (char *)NULL);
	err_errno(&err, errno, "run /bin/sh");
	return fail(&err);
}

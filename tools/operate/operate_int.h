/* What the commands of an operator share: a group of them is a table. */
#ifndef K3X_TOOLS_OPERATE_OPERATE_INT_H
#define K3X_TOOLS_OPERATE_OPERATE_INT_H

#include "base/check.h"
#include "tools/operate/admin.h"
#include "tools/programs.h"

struct operate_command {
	const char *name;                  /* "create" */
	const char *arguments, *help;      /* help NULL: another name of one that is listed */
	int (*run)(int argc, char **argv); /* argv[0] is the name; returns the exit code */
};

/* `k3x GROUP NAME ...`: finds the command, or prints what there is. */
int operate_group(const char *group, const char *summary, const struct operate_command *commands, size_t n, int argc,
        char **argv);

#endif

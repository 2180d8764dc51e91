/* The commands of `k3x-store`. Each gets its own name as argv[0] and returns the exit code. */
#ifndef K3X_TOOLS_STORE_INT_H
#define K3X_TOOLS_STORE_INT_H

#include "base/err.h"

/* Says what went wrong on stderr; the exit code for it. */
int store_tool_fail(const char *command, const struct err *err);

int store_snapshot_status(int argc, char **argv);
int store_snapshot_restore(int argc, char **argv);
int store_check(int argc, char **argv);
int store_sql_main(int argc, char **argv);

#endif

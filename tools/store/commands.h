/* The table of commands of `k3x-store`: what main finds them in, and what help, completion and the manual are made
 * from. */
#ifndef K3X_TOOLS_STORE_COMMANDS_H
#define K3X_TOOLS_STORE_COMMANDS_H

#include <stddef.h>

struct store_entry {
	const char *name, *sub; /* "snapshot", "save" */
	const char *arguments;  /* "FILE" */
	const char *help;
	int (*run)(int argc, char **argv);
};

extern const struct store_entry store_entries[];
extern const size_t store_entries_count;

#endif

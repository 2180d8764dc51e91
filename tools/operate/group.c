/* A group of commands, `k3x token ...`: one is found by its name, and help is made of the table. */
#include "tools/operate/operate_int.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static int usage(FILE *out, const char *group, const char *summary, const struct operate_command *commands, size_t n)
{
	fprintf(out, "k3x %s: %s\n\nUsage: k3x %s COMMAND [flags]\n\n", group, summary, group);
	for (size_t i = 0; i < n; i++) {
		char left[64];
		if (!commands[i].help)
			continue;
		snprintf(left, sizeof left, "%s %s", commands[i].name, commands[i].arguments);
		fprintf(out, "  %-24s %s\n", left, commands[i].help);
	}
	fprintf(out, "\nk3x %s COMMAND --help lists the flags of a command.\n", group);
	return out == stdout ? 0 : 2;
}

int operate_group(
        const char *group, const char *summary, const struct operate_command *commands, size_t n, int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN); /* a connection that went away is an error like others */
	const char *name = argc > 1 ? argv[1] : NULL;
	for (size_t i = 0; name && i < n; i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	for (size_t i = 0; name && strcmp(name, "--help=table") == 0 && i <= n; i++) {
		if (i == n)
			return 0;
		if (commands[i].help)
			printf("%s\t%s\n", commands[i].name, commands[i].help);
	}
	if (name && (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0))
		return usage(stdout, group, summary, commands, n);
	if (name)
		fprintf(stderr, "k3x %s: unknown command \"%s\"\n\n", group, name);
	return usage(stderr, group, summary, commands, n);
}

/* k3x: the one binary. The name it was called by (k3x-store, k3x-bench, ...) or else the first argument picks the
 * program. */
#include "tools/programs.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct k3x_program *find(const char *name)
{
	for (size_t i = 0; i < k3x_programs_count; i++)
		if (strcmp(k3x_programs[i].name, name) == 0)
			return &k3x_programs[i];
	return NULL;
}

static int usage(FILE *out)
{
	fprintf(out, "k3x %s (Kubernetes %s): a lightweight Kubernetes\n\nUsage: k3x COMMAND [flags]\n\n", K3X_VERSION,
	        K3X_KUBE_VERSION);
	for (size_t i = 0; i < k3x_programs_count; i++)
		if (k3x_programs[i].help)
			fprintf(out, "  %-15s %s\n", k3x_programs[i].name, k3x_programs[i].help);
	fprintf(out, "\nk3x COMMAND --help lists the flags of a command.\n");
	return out == stdout ? 0 : 2;
}

/* Names of other programs' that links to this one may have, as install.sh makes them. */
static bool is_tool(const char *name)
{
	return strcmp(name, "kubectl") == 0 || strcmp(name, "crictl") == 0 || strcmp(name, "ctr") == 0;
}

static int table(void)
{
	for (size_t i = 0; i < k3x_programs_count; i++)
		if (k3x_programs[i].help)
			printf("%s\t%s\n", k3x_programs[i].name, k3x_programs[i].help);
	return 0;
}

int main(int argc, char **argv)
{
	const char *base = strrchr(argv[0], '/');
	base = base ? base + 1 : argv[0];
	const struct k3x_program *p = strncmp(base, "k3x-", 4) == 0 ? find(base + 4)
	                              : is_tool(base)               ? find(base)
	                                                            : NULL;
	if (p)
		return p->main(argc, argv);
	if (argc < 2)
		return usage(stderr);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0) {
		printf("k3x version %s (Kubernetes %s)\n", K3X_VERSION, K3X_KUBE_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
		return usage(stdout);
	if (strcmp(argv[1], "--help=table") == 0)
		return table();
	p = find(argv[1]);
	if (p)
		return p->main(argc - 1, argv + 1);
	fprintf(stderr, "k3x: unknown command \"%s\"\n\n", argv[1]);
	return usage(stderr);
}

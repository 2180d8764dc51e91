/* `k3x-store`: the datastore's own commands. */
#include "tools/programs.h"

#include <stdio.h>
#include <string.h>

static int usage(FILE *out)
{
	fprintf(out, "k3x-store: run the datastore of k3x\n\nUsage: k3x-store COMMAND [flags]\n\n"
	             "  serve        serve etcd's v3 API from a data directory\n\n"
	             "k3x-store COMMAND --help lists the flags of a command. Use etcdctl as the client.\n");
	return out == stdout ? 0 : 2;
}

int store_main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "serve") == 0)
		return store_serve_main(argc - 1, argv + 1);
	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0))
		return usage(stdout);
	if (argc >= 2)
		fprintf(stderr, "k3x-store: unknown command \"%s\"\n\n", argv[1]);
	return usage(stderr);
}

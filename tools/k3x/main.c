/* k3x: the one binary. The name it was called by (k3x-store, k3x-bench, ...) or else the first argument picks the
 * program. */
#include "tools/programs.h"

#include <stdio.h>
#include <string.h>

struct program {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *help;
};

static const struct program programs[] = {
        {"server", server_main, "run a server: API, controllers, scheduler, and a node unless --disable-agent"},
        {"agent", agent_main, "run a node whose servers are elsewhere"},
        {"secrets-encrypt", secrets_encrypt_main,
                "Secrets at rest: status, enable, disable, prepare, rotate, reencrypt, rotate-keys"},
        {"token", token_main, "tokens by which agents and servers join: create, list, delete, generate, rotate"},
        {"certificate", certificate_main, "certificates: check, rotate, rotate-ca"},
        {"etcd-snapshot", etcd_snapshot_main, "snapshots: save, list, delete, prune; here and in S3 stores"},
        {"dns", dns_main, "the cluster's DNS server (a pod of kube-system)"},
        {"kubectl", kubectl_main, "run kubectl as the cluster's administrator"},
        {"crictl", crictl_main, "run crictl on this node's container runtime"},
        {"ctr", ctr_main, "run ctr on this node's containerd"},
        {"store", store_main, "run the datastore by itself (also as k3x-store)"},
        {"provisioner", provisioner_main, "make directories for claims: the add-on of the class local-path"},
        {"bench", bench_main, "measure a server"},
};

static const struct program *find(const char *name)
{
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		if (strcmp(programs[i].name, name) == 0)
			return &programs[i];
	return NULL;
}

static int usage(FILE *out)
{
	fprintf(out, "k3x %s (Kubernetes %s): a lightweight Kubernetes\n\nUsage: k3x COMMAND [flags]\n\n", K3X_VERSION,
	        K3X_KUBE_VERSION);
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		if (programs[i].help)
			fprintf(out, "  %-15s %s\n", programs[i].name, programs[i].help);
	fprintf(out, "\nk3x COMMAND --help lists the flags of a command.\n");
	return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	const char *base = strrchr(argv[0], '/');
	base = base ? base + 1 : argv[0];
	const struct program *p = strncmp(base, "k3x-", 4) == 0 ? find(base + 4) : NULL;
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
	p = find(argv[1]);
	if (p)
		return p->main(argc - 1, argv + 1);
	fprintf(stderr, "k3x: unknown command \"%s\"\n\n", argv[1]);
	return usage(stderr);
}

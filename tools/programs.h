/* The programs inside the one binary. Each takes its own argument vector, argv[0] being its name, and returns the exit
 * code. */
#ifndef K3X_TOOLS_PROGRAMS_H
#define K3X_TOOLS_PROGRAMS_H

#include <stddef.h>

struct k3x_program {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *help; /* NULL: not listed */
};

extern const struct k3x_program k3x_programs[];
extern const size_t k3x_programs_count;

int server_main(int argc, char **argv);
int agent_main(int argc, char **argv);
int secrets_encrypt_main(int argc, char **argv);
int token_main(int argc, char **argv);
int certificate_main(int argc, char **argv);
int import_k3s_main(int argc, char **argv);
int export_k3s_main(int argc, char **argv);
int etcd_snapshot_main(int argc, char **argv);
int dns_main(int argc, char **argv);
int ingress_main(int argc, char **argv);
int metrics_main(int argc, char **argv);
int wasm_zygote_main(int argc, char **argv);
int kubectl_main(int argc, char **argv);
int crictl_main(int argc, char **argv);
int ctr_main(int argc, char **argv);
int store_main(int argc, char **argv);
int store_serve_main(int argc, char **argv);
int provisioner_main(int argc, char **argv);
int check_config_main(int argc, char **argv);
int completion_main(int argc, char **argv);
int man_main(int argc, char **argv);
int killall_main(int argc, char **argv);
int k3s_main(int argc, char **argv);
int bench_main(int argc, char **argv);

/* A command of k3x-store that knows servers, so it lies above it (tools/moving/). */
int store_migrate(int argc, char **argv);

#endif

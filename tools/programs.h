/* The programs inside the one binary. Each takes its own argument vector, argv[0] being its name, and returns the exit
 * code. */
#ifndef K3X_TOOLS_PROGRAMS_H
#define K3X_TOOLS_PROGRAMS_H

int server_main(int argc, char **argv);
int agent_main(int argc, char **argv);
int secrets_encrypt_main(int argc, char **argv);
int token_main(int argc, char **argv);
int certificate_main(int argc, char **argv);
int etcd_snapshot_main(int argc, char **argv);
int dns_main(int argc, char **argv);
int kubectl_main(int argc, char **argv);
int crictl_main(int argc, char **argv);
int ctr_main(int argc, char **argv);
int store_main(int argc, char **argv);
int store_serve_main(int argc, char **argv);
int provisioner_main(int argc, char **argv);
int bench_main(int argc, char **argv);

#endif

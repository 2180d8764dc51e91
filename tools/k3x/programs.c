/* The table of the programs in the one binary. */
#include "tools/programs.h"

const struct k3x_program k3x_programs[] = {
        {"server", server_main, "run a server: API, controllers, scheduler, and a node unless --disable-agent"},
        {"agent", agent_main, "run a node whose servers are elsewhere"},
        {"secrets-encrypt", secrets_encrypt_main,
                "Secrets at rest: status, enable, disable, prepare, rotate, reencrypt, rotate-keys"},
        {"token", token_main, "tokens by which agents and servers join: create, list, delete, generate, rotate"},
        {"certificate", certificate_main, "certificates: check, rotate, rotate-ca"},
        {"etcd-snapshot", etcd_snapshot_main, "snapshots: save, list, delete, prune; here and in S3 stores"},
        {"import-k3s", import_k3s_main, "take over the cluster of a k3s server that is stopped"},
        {"export-k3s", export_k3s_main, "the way back: a cluster for a k3s server to go on with"},
        {"dns", dns_main, "the cluster's DNS server (a pod of kube-system)"},
        {"ingress", ingress_main, "route HTTP into the cluster by its Ingresses (a pod of kube-system)"},
        {"metrics", metrics_main, "what nodes and pods use, as metrics.k8s.io (a pod of kube-system)"},
        {"completion", completion_main, "print a completion script for bash, zsh or fish"},
        {"wasm-zygote", wasm_zygote_main, NULL},
        {"kubectl", kubectl_main, "run kubectl as the cluster's administrator"},
        {"crictl", crictl_main, "run crictl on this node's container runtime"},
        {"ctr", ctr_main, "run ctr on this node's containerd"},
        {"check-config", check_config_main, "has this machine what k3x needs, and if not, what to do"},
        {"killall", killall_main, "stop k3x here with all that it started: pods, containerd, mounts, links, rules"},
        {"store", store_main, "run the datastore by itself (also as k3x-store)"},
        {"provisioner", provisioner_main, "make directories for claims: the add-on of the class local-path"},
        {"bench", bench_main, "measure a server"}, {"k3s", k3s_main, NULL}, /* what docs/k3s.md is written with */
        {"man", man_main, NULL},                                            /* the manual page, for man(1) */
};
const size_t k3x_programs_count = sizeof k3x_programs / sizeof *k3x_programs;

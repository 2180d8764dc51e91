/* containerd under our care: its configuration, start, adoption, watch and restart. */
#ifndef K3X_NODE_RUNTIME_CONTAINERD_H
#define K3X_NODE_RUNTIME_CONTAINERD_H

#include "base/err.h"
#include "base/rt/loop.h"

struct containerd;

struct containerd_options {
	struct loop *loop;
	const char *root_dir;   /* images, snapshots: DATA/agent/containerd */
	const char *state_dir;  /* sockets and what does not outlive a boot: /run/k3x/containerd */
	const char *config_dir; /* DATA/agent/etc */
	const char *pause_image;
	const char *endpoint;     /* an own runtime: then nothing is started; NULL or "" else */
	void (*on_up)(void *arg); /* the socket answers: at the start, and after each restart */
	void *arg;
};

/* Writes the configuration and begins: adopts the containerd that the pid file names, or starts one. Strings are
 * copied. ERR_IO when the folders or files cannot be made, ERR_INVAL when the socket's path is longer than the kernel
 * takes. */
int containerd_new(const struct containerd_options *options, struct containerd **ret, struct err *err);
const char *containerd_socket(const struct containerd *c);
const char *containerd_cni_bin_dir(void);
/* The file that its output goes to; NULL: it is not ours. */
const char *containerd_log_file(const struct containerd *c);
bool containerd_is_up(const struct containerd *c);
/* Leaves it running. */
void containerd_close(struct containerd *c);

#endif

/* `k3x kubectl|crictl|ctr ...`: runs the program of that name, told where this machine's server and container runtime
 * are, and becomes it: its exit code is ours. None of them is part of k3x, and where there is none it is said how to
 * get one.
 *
 * kubectl gets KUBECONFIG, unless that is set (as k3s does) or --kubeconfig is among its arguments, which it obeys
 * itself. crictl and ctr get the socket, unless theirs is set. A k3x that is called kubectl by a link would find itself
 * in PATH: the program that is run is another file than this one. */
#include "tools/operate/operate_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KUBECONFIG_USUAL "/etc/k3x/k3x.yaml"
#define KUBECONFIG_DATA "/var/lib/k3x/server/cred/admin.kubeconfig"

static bool is_this_program(const char *path)
{
	struct stat a, b;
	return stat(path, &a) == 0 && stat("/proc/self/exe", &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* The first in PATH that can be run and is not this one; in the arena. NULL: there is none. */
static const char *find(struct arena *a, const char *name)
{
	const char *path = getenv("PATH");
	struct slice rest = slice_of(path ? path : "/usr/local/bin:/usr/bin:/bin");
	while (rest.len) {
		struct slice dir = slice_cut(&rest, ':');
		const char *file = arena_printf(a, "%.*s/%s", SLICE_FMT(dir), name);
		if (dir.len && access(file, X_OK) == 0 && !is_this_program(file))
			return file;
	}
	return NULL;
}

static int run(const char *name, const char *how_to_get, char **argv)
{
	struct arena a = ARENA_INIT;
	const char *file = find(&a, name);
	int code = 127; /* as a shell */
	if (!file) {
		fprintf(stderr, "k3x %s: there is no %s in PATH, and k3x has none of its own.\n%s", name, name,
		        how_to_get);
	} else {
		argv[0] = (char *)(uintptr_t)name;
		execv(file, argv);
		fprintf(stderr, "k3x %s: run %s: %s\n", name, file, strerror(errno));
		code = 126;
	}
	arena_release(&a);
	return code;
}

int kubectl_main(int argc, char **argv)
{
	const char *data_dir = getenv("K3X_DATA_DIR"), *set = getenv("KUBECONFIG");
	struct arena a = ARENA_INIT;
	const char *config =
	        data_dir ? arena_printf(&a, "%s/server/cred/admin.kubeconfig", data_dir) : KUBECONFIG_USUAL;
	if (!data_dir && access(config, R_OK) != 0)
		config = KUBECONFIG_DATA;
	if ((!set || !*set) && access(config, R_OK) == 0)
		setenv("KUBECONFIG", config, 1);
	else if ((!set || !*set) && errno == EACCES)
		fprintf(stderr, "k3x kubectl: %s can't be read by this user: run it as root, or set KUBECONFIG\n",
		        config);
	arena_release(&a);
	return run("kubectl",
	        "On Debian 13 and later: apt-get install kubectl. Elsewhere: "
	        "https://kubernetes.io/docs/tasks/tools/install-kubectl-linux\n",
	        argv);
}

/* The runtime that a server or an agent here uses: the first that is there. */
static const char *socket_path(void)
{
	static const char *const paths[] = {"/run/k3x/containerd/containerd.sock", "/run/containerd/containerd.sock"};
	for (size_t i = 0; i < COUNT_OF(paths); i++)
		if (access(paths[i], F_OK) == 0)
			return paths[i];
	return paths[0];
}

int crictl_main(int argc, char **argv)
{
	struct arena a = ARENA_INIT;
	const char *endpoint = arena_printf(&a, "unix://%s", socket_path());
	setenv("CONTAINER_RUNTIME_ENDPOINT", endpoint, 0);
	setenv("IMAGE_SERVICE_ENDPOINT", endpoint, 0);
	arena_release(&a);
	return run("crictl",
	        "Get it from "
	        "https://github.com/kubernetes-sigs/cri-tools/releases\n",
	        argv);
}

int ctr_main(int argc, char **argv)
{
	setenv("CONTAINERD_ADDRESS", socket_path(), 0);
	setenv("CONTAINERD_NAMESPACE", "k8s.io", 0); /* where the pods' containers are */
	return run("ctr", "It comes with containerd: apt-get install containerd\n", argv);
}

/* Keeps one containerd running for us.
 *
 *   start: pid file names a live process whose command line has our config --> adopt
 *          else start it (its output goes to ROOT/containerd.log), write the pid file
 *   then:  the socket is tried every 100 ms until it accepts --> on_up
 *   end:   our own child is reported by its pidfd; an adopted one is looked at by the pid file's process once in 5 s
 *          --> started again after 1 s, doubling to 30 s while it keeps dying within 60 s
 *
 * It is never stopped by us: containers live on in their shims either way, but a running containerd spares the next
 * start the wait. What can go wrong: no containerd in PATH, a broken configuration, a full disk: it ends at once, we
 * log the exit status and where its log is, and go on trying. */
#include "node/runtime/containerd.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"
#include "base/pki/pki.h"
#include "base/proc/process.h"
#include "base/rt/sm.h"
#include "node/ground/files.h"
#include "node/ground/machine.h"
#include "node/ground/retry.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROBE_MS = 100, WATCH_MS = 5000, STABLE_MS = 60000 };

static const struct retry_rule start_rule = {1000, 30000}, connect_rule = {PROBE_MS, 2000};

#define TTRPC_SUFFIX ".ttrpc"

enum containerd_state { CONTAINERD_WAITING, CONTAINERD_STARTING, CONTAINERD_UP };

static const struct sm_state states[] = {
        [CONTAINERD_WAITING] = {"waiting", SM_TO(CONTAINERD_STARTING) | SM_TO(CONTAINERD_WAITING)},
        [CONTAINERD_STARTING] = {"starting",
                SM_TO(CONTAINERD_STARTING) | SM_TO(CONTAINERD_UP) | SM_TO(CONTAINERD_WAITING)},
        [CONTAINERD_UP] = {"up", SM_TO(CONTAINERD_WAITING) | SM_TO(CONTAINERD_STARTING)},
};
static bool holds(const struct sm *m, int before);
static const struct sm_kind machine = SM_KIND("containerd", states, holds);

struct containerd {
	struct containerd_options o;
	struct arena arena;
	struct sm sm; /* enum containerd_state */
	struct retry starts, connects;
	const char *socket, *config_file, *pid_file, *log_file;
	struct process *child;
	pid_t adopted;
	uv_timer_t timer;
	uint64_t started_ms;
};

/* Only what we started ourselves, or took over, or were pointed to is up. */
static bool holds(const struct sm *m, int before)
{
	const struct containerd *c = CONTAINER_OF(m, struct containerd, sm);
	return sm_state(m) != CONTAINERD_UP || c->child || c->adopted || c->o.endpoint;
}

static void step(uv_timer_t *t);

static void schedule(struct containerd *c, enum containerd_state state, uint64_t ms)
{
	LOOP_CHECK_OWNER(c->o.loop);
	if (sm_state(&c->sm) != (int)state)
		sm_move(&c->sm, state);
	uv_timer_start(&c->timer, step, ms, 0);
}

const char *containerd_cni_bin_dir(void)
{
	return access("/opt/cni/bin/bridge", X_OK) == 0 || access("/usr/lib/cni/bridge", X_OK) != 0 ? "/opt/cni/bin"
	                                                                                            : "/usr/lib/cni";
}

static bool use_systemd_cgroup(void)
{
	return access("/run/systemd/system", F_OK) == 0 && access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
}

static int write_config(struct containerd *c, struct err *err)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "# Written by k3x at every start.\nversion = 2\nroot = \"%s\"\nstate = \"%s\"\n", c->o.root_dir,
	        c->o.state_dir);
	if (machine_may_lower_oom_score())
		strbuf_addf(&b, "oom_score = %d\n", PROCESS_OOM_SCORE_ADJ);
	strbuf_addf(
	        &b, "[grpc]\n  address = \"%s\"\n[ttrpc]\n  address = \"%s" TTRPC_SUFFIX "\"\n", c->socket, c->socket);
	strbuf_adds(&b, "[plugins.\"io.containerd.grpc.v1.cri\"]\n  stream_server_address = \"127.0.0.1\"\n  "
	                "stream_server_port = \"0\"\n"
	                "  enable_selinux = false\n  disable_apparmor = false\n  enable_unprivileged_ports = true\n  "
	                "enable_unprivileged_icmp = true\n");
	strbuf_addf(&b, "  restrict_oom_score_adj = %s\n", machine_may_lower_oom_score() ? "false" : "true");
	strbuf_addf(&b, "  sandbox_image = \"%s\"\n", c->o.pause_image);
	strbuf_adds(&b, "  [plugins.\"io.containerd.grpc.v1.cri\".containerd]\n    snapshotter = \"overlayfs\"\n    "
	                "disable_snapshot_annotations = true\n");
	strbuf_adds(&b, "    [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n      runtime_type = "
	                "\"io.containerd.runc.v2\"\n");
	strbuf_addf(&b,
	        "      [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\n        SystemdCgroup "
	        "= %s\n",
	        use_systemd_cgroup() ? "true" : "false");
	strbuf_addf(&b,
	        "  [plugins.\"io.containerd.grpc.v1.cri\".cni]\n    bin_dir = \"%s\"\n    conf_dir = "
	        "\"%s/cni/net.d\"\n",
	        containerd_cni_bin_dir(), c->o.config_dir);
	strbuf_addf(&b,
	        "  [plugins.\"io.containerd.grpc.v1.cri\".registry]\n    config_path = \"%s/containerd/certs.d\"\n",
	        c->o.config_dir);
	strbuf_addf(&b, "[plugins.\"io.containerd.internal.v1.opt\"]\n  path = \"%s/opt\"\n", c->o.root_dir);
	int rc = pki_file_write(c->config_file, strbuf_slice(&b), 0644, err);
	strbuf_release(&b);
	return rc;
}

/* The process the pid file names, when it is a containerd with our configuration; else 0. */
static pid_t find_running(struct containerd *c)
{
	char *text = NULL, path[64], command[4096];
	size_t len;
	pid_t pid = 0;
	if (pki_file_read(c->pid_file, &text, &len, NULL) == 0)
		pid = (pid_t)atoi(text);
	free(text);
	if (pid <= 1)
		return 0;
	snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(command, 1, sizeof command, f) : 0;
	if (f)
		fclose(f);
	return n && memmem(command, n, c->config_file, strlen(c->config_file)) ? pid : 0;
}

static void ended(struct process *p, int status, struct slice output, void *arg)
{
	CHECK(((struct containerd *)arg)->child == p);
	struct containerd *c = arg;
	c->child = NULL;
	unlink(c->pid_file);
	uint64_t now = loop_now_ms(c->o.loop);
	if (now - c->started_ms > STABLE_MS)
		retry_succeeded(&c->starts);
	if (retry_failed(&c->starts, &start_rule, now))
		log_error("node", "containerd ended", "status=%d log=%s failures=%u next_start_ms=%u", status,
		        c->log_file, c->starts.failures, c->starts.pause_ms);
	schedule(c, CONTAINERD_WAITING, c->starts.pause_ms);
}

static void start(struct containerd *c)
{
	CHECK(!c->child && !c->o.endpoint);
	const char *const argv[] = {"containerd", "--config", c->config_file, NULL};
	struct process_options o = {
	        .loop = c->o.loop, .argv = argv, .output_file = c->log_file, .on_exit = ended, .arg = c};
	struct err err = ERR_INIT;
	char text[32];
	c->started_ms = loop_now_ms(c->o.loop);
	if (process_start(&o, &c->child, &err) != 0) {
		if (retry_failed(&c->starts, &start_rule, c->started_ms))
			log_error("node", "containerd cannot be started", "failures=%u error=\"%s\"",
			        c->starts.failures, err.msg);
		schedule(c, CONTAINERD_WAITING, c->starts.pause_ms);
		return;
	}
	int n = snprintf(text, sizeof text, "%d\n", process_pid(c->child));
	if (pki_file_write(c->pid_file, (struct slice){text, (size_t)n}, 0644, &err) != 0)
		log_warn("node", "cannot write the pid file of containerd", "error=\"%s\"", err.msg);
	log_info("node", "containerd started", "pid=%d socket=%s", process_pid(c->child), c->socket);
	schedule(c, CONTAINERD_STARTING, PROBE_MS);
}

static bool socket_answers(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	CHECK(strlen(path) < sizeof a.sun_path);
	memcpy(a.sun_path, path, strlen(path) + 1);
	bool yes = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
	close(fd);
	return yes;
}

/* It is our child when we have begun anew in our place, and then nobody else waits for it. */
static bool runs(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) <= 0 && kill(pid, 0) == 0;
}

static bool is_alive(struct containerd *c)
{
	return c->child || c->o.endpoint || (c->adopted && runs(c->adopted));
}

static void step(uv_timer_t *t)
{
	struct containerd *c = t->data;
	if (!is_alive(c)) {
		c->adopted = find_running(c);
		if (c->adopted)
			log_info("node", "containerd adopted", "pid=%d socket=%s", c->adopted, c->socket);
		else {
			start(c);
			return;
		}
	}
	if (sm_state(&c->sm) == CONTAINERD_UP) {
		schedule(c, CONTAINERD_UP, WATCH_MS);
		return;
	}
	if (!socket_answers(c->socket)) {
		uint64_t now = loop_now_ms(c->o.loop);
		if (retry_failed(&c->connects, &connect_rule, now) && c->connects.failures > 1)
			log_warn("node", "the container runtime does not answer yet", "socket=%s tries=%u", c->socket,
			        c->connects.failures);
		schedule(c, CONTAINERD_STARTING, c->connects.pause_ms);
		return;
	}
	retry_succeeded(&c->connects);
	if (sm_state(&c->sm) == CONTAINERD_WAITING)
		sm_move(&c->sm, CONTAINERD_STARTING);
	schedule(c, CONTAINERD_UP, WATCH_MS);
	c->o.on_up(c->o.arg);
}

/* The kernel's limit; containerd makes a second socket with a longer name beside its own. */
static int check_socket(const struct containerd *c, struct err *err)
{
	size_t longest = sizeof((struct sockaddr_un *)NULL)->sun_path - 1 - (c->o.endpoint ? 0 : strlen(TTRPC_SUFFIX)),
	       len = strlen(c->socket);
	if (len > longest)
		return err_set(err, ERR_INVAL,
		        "the container runtime's socket %s has a path of %zu bytes, and %zu is the most: use a shorter "
		        "%s",
		        c->socket, len, longest, c->o.endpoint ? "--container-runtime-endpoint" : "--data-dir");
	if (!*c->socket)
		return err_set(err, ERR_INVAL, "--container-runtime-endpoint names no socket");
	return 0;
}

int containerd_new(const struct containerd_options *options, struct containerd **ret, struct err *err)
{
	struct containerd *c = xcalloc(1, sizeof *c);
	struct arena *a = &c->arena;
	arena_init(a);
	c->o = *options;
	c->o.root_dir = arena_strdup(a, options->root_dir);
	c->o.state_dir = arena_strdup(a, options->state_dir);
	c->o.config_dir = arena_strdup(a, options->config_dir);
	c->o.pause_image = arena_strdup(a, options->pause_image);
	c->o.endpoint = options->endpoint && *options->endpoint ? arena_strdup(a, options->endpoint) : NULL;
	c->socket = c->o.endpoint ? c->o.endpoint : arena_printf(a, "%s/containerd.sock", c->o.state_dir);
	if (strncmp(c->socket, "unix://", 7) == 0)
		c->socket += 7;
	if (check_socket(c, err) != 0) {
		arena_release(a);
		free(c);
		return err->code;
	}
	c->config_file = arena_printf(a, "%s/containerd/config.toml", c->o.config_dir);
	c->pid_file = arena_printf(a, "%s/containerd.pid", c->o.state_dir);
	c->log_file = arena_printf(a, "%s/containerd.log", c->o.root_dir);
	if (!c->o.endpoint &&
	        (file_make_dirs(c->o.root_dir, 0711, err) != 0 || file_make_dirs(c->o.state_dir, 0711, err) != 0 ||
	                file_make_dirs(arena_printf(a, "%s/containerd/certs.d", c->o.config_dir), 0755, err) != 0 ||
	                file_make_dirs(arena_printf(a, "%s/cni/net.d", c->o.config_dir), 0755, err) != 0 ||
	                write_config(c, err) != 0)) {
		arena_release(a);
		free(c);
		return err->code;
	}
	sm_init(&c->sm, &machine, CONTAINERD_WAITING, c->socket);
	uv_timer_init(loop_uv(c->o.loop), &c->timer);
	c->timer.data = c;
	schedule(c, CONTAINERD_STARTING, 0);
	*ret = c;
	return 0;
}

const char *containerd_socket(const struct containerd *c)
{
	return c->socket;
}

const char *containerd_log_file(const struct containerd *c)
{
	return c->o.endpoint ? NULL : c->log_file;
}

bool containerd_is_up(const struct containerd *c)
{
	LOOP_CHECK_OWNER(c->o.loop);
	return sm_state(&c->sm) == CONTAINERD_UP;
}

static void freed(uv_handle_t *h)
{
	struct containerd *c = h->data;
	arena_release(&c->arena);
	free(c);
}

void containerd_close(struct containerd *c)
{
	LOOP_CHECK_OWNER(c->o.loop);
	if (c->child)
		process_forget(c->child);
	uv_close((uv_handle_t *)&c->timer, freed);
}

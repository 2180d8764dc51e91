/* Three servers of one system, or one: started in a folder of their own on free ports of loopback, stopped by their
 * pids.
 *
 * Both systems get the same flags; fsync is on in both, timeouts are the defaults. Servers die with us too
 * (PR_SET_PDEATHSIG), so that an interrupted benchmark leaves no process behind; its folder stays then. */
#include "tools/bench/store/store.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_MS_MAX = 60000, STOP_MS_MAX = 20000, PROBE_US = 2000 };

#define QUOTA "17179869184"

const char *trio_name(enum trio_system system)
{
	return system == TRIO_K3X ? "k3x" : "etcd";
}

/* Held until all are known, so that no two are the same. */
static int free_ports(int *ports, int n, struct err *err)
{
	int fds[2 * TRIO_SERVERS], rc = 0, i;
	for (i = 0; i < n && rc == 0; i++) {
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t len = sizeof a;
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fds[i] < 0 || bind(fds[i], (struct sockaddr *)&a, sizeof a) != 0 ||
		        getsockname(fds[i], (struct sockaddr *)&a, &len) != 0)
			rc = err_errno(err, errno, "find a free port");
		ports[i] = ntohs(a.sin_port);
	}
	while (i-- > 0)
		if (fds[i] >= 0)
			close(fds[i]);
	return rc;
}

int trio_init(struct trio *t, enum trio_system system, int count, const char *dir, struct err *err)
{
	int ports[2 * TRIO_SERVERS];
	size_t used = 0;
	CHECK(count >= 1 && count <= TRIO_SERVERS);
	*t = (struct trio){.system = system, .count = count};
	snprintf(t->dir, sizeof t->dir, "%.150s/k3x-bench-%s-XXXXXX", dir, trio_name(system));
	if (!mkdtemp(t->dir)) {
		int rc = err_errno(err, errno, "make %s", t->dir);
		t->dir[0] = 0;
		return rc;
	}
	if (free_ports(ports, 2 * count, err) != 0)
		return err->code;
	for (int i = 0; i < count; i++) {
		struct trio_server *s = &t->servers[i];
		s->client_port = ports[2 * i];
		s->peer_port = ports[2 * i + 1];
		snprintf(s->name, sizeof s->name, "n%u", (unsigned)i % TRIO_SERVERS);
		snprintf(s->dir, sizeof s->dir, "%s/n%d", t->dir, i);
		snprintf(s->endpoint, sizeof s->endpoint, "http://127.0.0.1:%d", s->client_port);
		used += (size_t)snprintf(t->cluster + used, sizeof t->cluster - used, "%sn%d=http://127.0.0.1:%d",
		        i ? "," : "", i, s->peer_port);
		struct store_client_settings settings = {.timeout_s = 60};
		if (store_client_new(&settings, s->endpoint, &s->admin, err) != 0)
			return err->code;
	}
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void trio_release(struct trio *t)
{
	for (int i = 0; i < t->count; i++) {
		trio_stop(t, i);
		store_client_free(t->servers[i].admin);
	}
	if (t->dir[0])
		nftw(t->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	*t = (struct trio){0};
}

/* ---- processes ---- */

static void redirect(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0)
		return;
	dup2(fd, 1);
	dup2(fd, 2);
	close(fd);
}

static void exec_server(const struct trio *t, const struct trio_server *s)
{
	char peer[40], log[260];
	snprintf(peer, sizeof peer, "http://127.0.0.1:%d", s->peer_port);
	snprintf(log, sizeof log, "%s.log", s->dir);
	const char *argv[32] = {"k3x", "store", "serve"};
	size_t n = 3;
	if (t->system == TRIO_ETCD)
		argv[0] = "etcd", n = 1;
	const char *const flags[] = {"--name", s->name, "--data-dir", s->dir, "--listen-client-urls", s->endpoint,
	        "--advertise-client-urls", s->endpoint, "--listen-peer-urls", peer, "--initial-advertise-peer-urls",
	        peer, "--initial-cluster", t->cluster, "--initial-cluster-token", "bench", "--quota-backend-bytes",
	        QUOTA, "--log-level", "warn"};
	memcpy(argv + n, flags, sizeof flags);
	redirect(log);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (t->system == TRIO_ETCD)
		execvp("etcd", (char **)argv);
	else
		execv("/proc/self/exe", (char **)argv);
	_exit(127);
}

int trio_launch(struct trio *t, int i, struct err *err)
{
	struct trio_server *s = &t->servers[i];
	pid_t pid = fork();
	if (pid < 0)
		return err_errno(err, errno, "fork");
	if (pid == 0)
		exec_server(t, s);
	s->pid = pid;
	return 0;
}

static Etcdpb__StatusResponse *status_of(struct trio *t, int i, struct arena *a)
{
	Etcdpb__LeaseStatus r = ETCDPB__LEASE_STATUS__INIT; /* any message without content */
	struct err unused = ERR_INIT;
	if (!t->servers[i].pid)
		return NULL;
	return store_client_call(
	        t->servers[i].admin, "Maintenance/Status", &r.base, &etcdpb__status_response__descriptor, a, &unused);
}

int trio_wait_ready(struct trio *t, int i, struct err *err)
{
	struct trio_server *s = &t->servers[i];
	double began = bench_now_ms();
	bool is_ready = false;
	while (!is_ready && bench_now_ms() - began < READY_MS_MAX) {
		struct arena a = ARENA_INIT;
		if (waitpid(s->pid, NULL, WNOHANG) != 0) {
			s->pid = 0;
			break;
		}
		Etcdpb__StatusResponse *r = status_of(t, i, &a);
		is_ready = r && r->leader;
		arena_release(&a);
		if (!is_ready)
			usleep(PROBE_US);
	}
	return is_ready ? 0
	                : err_set(err, ERR_UNAVAILABLE, "%s server %s does not get ready: see %s.log",
	                          trio_name(t->system), s->name, s->dir);
}

int trio_start(struct trio *t, struct err *err)
{
	for (int i = 0; i < t->count; i++)
		if (trio_launch(t, i, err) != 0)
			return err->code;
	for (int i = 0; i < t->count; i++)
		if (trio_wait_ready(t, i, err) != 0)
			return err->code;
	return 0;
}

void trio_kill(struct trio *t, int i)
{
	struct trio_server *s = &t->servers[i];
	if (!s->pid)
		return;
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

void trio_stop(struct trio *t, int i)
{
	struct trio_server *s = &t->servers[i];
	if (!s->pid)
		return;
	kill(s->pid, SIGTERM);
	for (int ms = 0; ms < STOP_MS_MAX; ms++) {
		if (waitpid(s->pid, NULL, WNOHANG) != 0) {
			s->pid = 0;
			return;
		}
		usleep(1000);
	}
	fprintf(stderr, "k3x-bench: %s server %s did not stop within %d s, killing it\n", trio_name(t->system), s->name,
	        STOP_MS_MAX / 1000);
	trio_kill(t, i);
}

int trio_command(const char *const *argv)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		redirect("/dev/null");
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (strcmp(argv[0], "k3x") == 0)
			execv("/proc/self/exe", (char **)argv);
		else
			execvp(argv[0], (char **)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- what they say and use ---- */

int trio_leader(struct trio *t)
{
	int leader = -1;
	for (int i = 0; i < t->count && leader < 0; i++) {
		struct arena a = ARENA_INIT;
		Etcdpb__StatusResponse *r = status_of(t, i, &a);
		if (r && r->leader && r->leader == r->header->member_id)
			leader = i;
		arena_release(&a);
	}
	return leader;
}

int64_t trio_db_bytes(struct trio *t, int i)
{
	struct arena a = ARENA_INIT;
	Etcdpb__StatusResponse *r = status_of(t, i, &a);
	int64_t bytes = r ? r->dbsize : 0;
	arena_release(&a);
	return bytes;
}

/* The number behind `field` in /proc/PID/file, 0 when there is none. */
static double proc_number(pid_t pid, const char *file, const char *field)
{
	char path[64], line[256];
	double value = 0;
	size_t len = strlen(field);
	snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, file);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, field, len) == 0 && line[len] == ':')
			value = strtod(line + len + 1, NULL);
	if (f)
		fclose(f);
	return value;
}

static double cpu_seconds(pid_t pid)
{
	char path[64], text[512] = "";
	unsigned long user = 0, kernel = 0;
	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	FILE *f = fopen(path, "re");
	if (f && fgets(text, sizeof text, f)) {
		const char *p = strrchr(text, ')');
		if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
			user = kernel = 0;
	}
	if (f)
		fclose(f);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* What the disk below `dir` has taken since the machine started, once all that waits in memory is there; negative:
 * there is none to ask (tmpfs, overlays). What the kernel counts for a process does not do: after a restart that was
 * more than thirty times what went to the disk (docs/benchmarks.md). */
static double disk_written(const char *dir)
{
	char path[64];
	unsigned long long sectors = 0;
	double bytes = -1;
	struct stat st;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (syncfs(fd) == 0 && fstat(fd, &st) == 0) {
		snprintf(path, sizeof path, "/sys/dev/block/%u:%u/stat", major(st.st_dev), minor(st.st_dev));
		FILE *f = fopen(path, "re");
		if (f && fscanf(f, "%*u %*u %*u %*u %*u %*u %llu", &sectors) == 1)
			bytes = (double)sectors * 512;
		if (f)
			fclose(f);
	}
	close(fd);
	return bytes;
}

struct trio_usage trio_usage(const struct trio *t)
{
	struct trio_usage u = {.written_bytes = disk_written(t->dir)};
	bool is_disk_known = u.written_bytes >= 0;
	if (!is_disk_known)
		u.written_bytes = 0;
	for (int i = 0; i < t->count; i++) {
		pid_t pid = t->servers[i].pid;
		if (!pid)
			continue;
		double rss = proc_number(pid, "status", "VmRSS") / 1024;
		double anonymous = proc_number(pid, "status", "RssAnon") / 1024;
		u.cpu_s += cpu_seconds(pid);
		if (!is_disk_known)
			u.written_bytes += proc_number(pid, "io", "write_bytes");
		u.rss_mb += rss;
		u.anonymous_mb += anonymous;
		u.rss_mb_max = rss > u.rss_mb_max ? rss : u.rss_mb_max;
		u.anonymous_mb_max = anonymous > u.anonymous_mb_max ? anonymous : u.anonymous_mb_max;
	}
	return u;
}

void trio_settle(const struct trio *t, unsigned seconds)
{
	struct trio_usage before = trio_usage(t), now;
	for (unsigned i = 0; i < 2 * seconds; i++) {
		usleep(500000);
		now = trio_usage(t);
		if (now.cpu_s - before.cpu_s < 0.05 && now.written_bytes - before.written_bytes < 1e6)
			return;
		before = now;
	}
}

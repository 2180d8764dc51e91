/* A `k3x server` process that belongs to a benchmark: its own folder and port, stopped by its pid. It dies with us too
 * (PR_SET_PDEATHSIG), so that an interrupted benchmark leaves no process behind. */
#include "tools/bench/bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_MS_MAX = 30000, STOP_MS_MAX = 10000, FLAGS_MAX = 32 };

void bench_server_init(struct bench_server *s, const struct bench_settings *settings, int n)
{
	*s = (struct bench_server){.port = (int)settings->port + n};
	snprintf(s->dir, sizeof s->dir, "%s/k3x-bench-%ld-%d", settings->dir, (long)getpid(), n);
	snprintf(s->kubeconfig, sizeof s->kubeconfig, "%s/kubeconfig", s->dir);
}

static void exec_server(const struct bench_server *s, const char *const *more)
{
	char port[16], log[256];
	snprintf(port, sizeof port, "%d", s->port);
	snprintf(log, sizeof log, "%s/log", s->dir);
	const char *argv[FLAGS_MAX + 16] = {"k3x", "server", "--data-dir", s->dir, "--bind-address", "127.0.0.1",
	        "--advertise-address", "127.0.0.1", "--https-listen-port", port, "--write-kubeconfig", s->kubeconfig,
	        "--log", log, "--disable-agent"};
	size_t n = 15;
	for (; more && *more && n < FLAGS_MAX + 15; more++)
		argv[n++] = *more;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv("/proc/self/exe", (char **)argv);
	_exit(127);
}

/* ---- /readyz ---- */

struct probe {
	struct loop loop;
	struct http_client *client;
	struct tls_context *tls;
	int port;
	int status;
	uv_sem_t done;
};

static void probe_done(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct probe *p = arg;
	p->status = err ? 0 : answer->status;
	uv_sem_post(&p->done);
}

static void probe_begin(void *arg)
{
	struct probe *p = arg;
	if (!p->client)
		p->client = http_client_new(&(struct http_client_options){.loop = &p->loop,
		        .host = "127.0.0.1",
		        .port = p->port,
		        .tls = p->tls,
		        .protocol = HTTP_CLIENT_H1,
		        .connect_ms = 2000});
	http_client_call(p->client,
	        &(struct http_call_options){
	                .method = "GET", .target = "/readyz", .timeout_ms = 2000, .on_done = probe_done, .arg = p});
}

static void probe_stop(void *arg)
{
	struct probe *p = arg;
	if (p->client)
		http_client_close(p->client, NULL, NULL);
	loop_stop(&p->loop);
}

static int wait_ready(const struct bench_server *s, double began, double *ret_ms, struct err *err)
{
	struct probe p = {.port = s->port};
	struct tls_options tls = {.skip_verify = true, .http1_only = true};
	if (tls_context_new(&tls, &p.tls, err) != 0)
		return err->code;
	loop_init(&p.loop, "probe");
	uv_sem_init(&p.done, 0);
	loop_start_thread(&p.loop);
	int status = 0;
	while (bench_now_ms() - began < READY_MS_MAX && waitpid(s->pid, &status, WNOHANG) == 0) {
		loop_call(&p.loop, probe_begin, &p);
		uv_sem_wait(&p.done);
		if (p.status == 200)
			break;
		usleep(1000);
	}
	*ret_ms = bench_now_ms() - began;
	loop_call(&p.loop, probe_stop, &p);
	loop_join(&p.loop);
	loop_release(&p.loop);
	tls_context_unref(p.tls);
	uv_sem_destroy(&p.done);
	return p.status == 200 ? 0 : err_set(err, ERR_UNAVAILABLE, "the server does not get ready: see %s/log", s->dir);
}

int bench_server_start(struct bench_server *s, const char *const *more_flags, double *ret_ready_ms, struct err *err)
{
	double ms, began = bench_now_ms();
	if (mkdir(s->dir, 0700) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make %s", s->dir);
	s->pid = fork();
	if (s->pid < 0)
		return err_errno(err, errno, "fork");
	if (s->pid == 0)
		exec_server(s, more_flags);
	int rc = wait_ready(s, began, &ms, err);
	for (int i = 0; rc == 0 && i < 1000 && access(s->kubeconfig, R_OK) != 0; i++)
		usleep(1000); /* written just after */
	if (ret_ready_ms)
		*ret_ready_ms = ms;
	return rc;
}

void bench_server_stop(struct bench_server *s)
{
	if (s->pid <= 0)
		return;
	kill(s->pid, SIGTERM);
	for (int i = 0; i < STOP_MS_MAX; i++) {
		if (waitpid(s->pid, NULL, WNOHANG) != 0) {
			s->pid = 0;
			return;
		}
		usleep(1000);
	}
	fprintf(stderr, "k3x-bench: the server did not stop within %d s, killing it\n", STOP_MS_MAX / 1000);
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void bench_server_remove(struct bench_server *s)
{
	nftw(s->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* ---- /proc ---- */

double bench_server_rss_mb(const struct bench_server *s, const char *field)
{
	char path[64], line[256];
	long kib = 0;
	size_t len = strlen(field);
	snprintf(path, sizeof path, "/proc/%ld/status", (long)s->pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, field, len) == 0 && line[len] == ':')
			kib = strtol(line + len + 1, NULL, 10);
	if (f)
		fclose(f);
	return (double)kib / 1024;
}

double bench_server_cpu_ms(const struct bench_server *s)
{
	char path[320];
	double ns = 0;
	snprintf(path, sizeof path, "/proc/%ld/task", (long)s->pid);
	DIR *d = opendir(path);
	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		unsigned long long on_cpu;
		snprintf(path, sizeof path, "/proc/%ld/task/%.20s/schedstat", (long)s->pid, e->d_name);
		FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (f && fscanf(f, "%llu", &on_cpu) == 1)
			ns += (double)on_cpu;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return ns / 1e6;
}

/* What the benchmarks of k3x-bench share: a server of their own, connections to it, samples, and the report.
 *
 * The main thread tells what is to be done next; one loop thread plays all clients. */
#ifndef K3X_TOOLS_BENCH_BENCH_H
#define K3X_TOOLS_BENCH_BENCH_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"
#include "base/rt/loop.h"
#include "base/wire/http_client.h"
#include "base/wire/tls.h"

#include <sys/types.h>

/* ---- settings ---- */

struct bench_settings {
	struct arena arena;
	const char *kubeconfig; /* measure this server; NULL: start one */
	const char *dir;        /* data of servers we start goes below it */
	const char *out;        /* folder for NAME.json */
	const char *only;    /* api: "creations", "apply", "custom", "lists" or "watch"; store: part of a load's name;
	                        NULL: all */
	const char *system;  /* store: "k3x" or "etcd" alone; NULL: both */
	int64_t seconds;     /* store: of one run; 0: the benchmark's own number */
	int64_t connections; /* store: of all clients together; 0: 12 */
	int64_t puts;        /* store: of the large store; 0: 1,000,000 */
	bool leader;         /* store: all requests go to the leader */
	int64_t port;        /* first of the ports we use */
	int64_t rounds;      /* 0: the benchmark's own number */
	bool quick;
};

/* ---- samples and the report (bench_report.c) ---- */

struct bench_samples {
	double *values;
	size_t count, cap;
};

void bench_samples_add(struct bench_samples *s, double value);
void bench_samples_reset(struct bench_samples *s);
void bench_samples_release(struct bench_samples *s);
/* p in 0..100; sorts. 0 when there are none. */
double bench_samples_percentile(struct bench_samples *s, double p);
double bench_samples_sum(const struct bench_samples *s);

enum bench_better { BENCH_INFO, BENCH_HIGHER, BENCH_LOWER };

/* One figure: what we measured, what the peer had, what we aim at (in the same unit; 0: nothing to compare with). */
struct bench_row {
	const char *key; /* in the JSON file, unit last: "configmap_create_1_client_per_s" */
	const char *what;
	const char *unit;
	double ours;
	double peer;
	double aim;
	enum bench_better better;
};

struct bench_report {
	struct bench_row *rows;
	size_t count, cap;
};

void bench_report_add(struct bench_report *r, struct bench_row row);
/* Prints the table and writes OUT/NAME.json. */
void bench_report_end(struct bench_report *r, const struct bench_settings *s, const char *name, const char *method);

/* Figures have four decimals in files. */
double bench_rounded(double v);
/* Writes FOLDER/NAME.json, making the folder, and says so. */
struct json_t;
int bench_write_json(const char *folder, const char *name, const struct json_t *v, struct err *err);

double bench_now_ms(void);

/* ---- a server of our own (bench_server.c) ---- */

struct bench_server {
	pid_t pid;
	int port;
	char dir[200];
	char kubeconfig[256];
};

/* Starts `k3x server` on s->dir (made when absent) and waits until /readyz answers 200, at most 30 s. more_flags: NULL,
 * or a list that ends with NULL. *ret_ready_ms: from exec to the answer. */
int bench_server_start(struct bench_server *s, const char *const *more_flags, double *ret_ready_ms, struct err *err);
void bench_server_stop(struct bench_server *s);                              /* by its pid; twice is harmless */
void bench_server_remove(struct bench_server *s);                            /* its data folder */
double bench_server_rss_mb(const struct bench_server *s, const char *field); /* "VmRSS", "RssAnon"; MiB */
double bench_server_cpu_ms(const struct bench_server *s);                    /* of all its threads since the start */
/* Sets folder and port for the nth server of this run. */
void bench_server_init(struct bench_server *s, const struct bench_settings *settings, int n);

/* ---- clients (bench_client.c) ---- */

struct bench_target {
	struct loop loop; /* all clients; a thread of its own */
	struct tls_context *tls;
	char host[128];
	int port;
};

int bench_target_open(struct bench_target *t, const char *kubeconfig, struct err *err);
void bench_target_close(struct bench_target *t);

/* A load: `total` requests by `clients` clients, each with one connection and one request out. */
struct bench_load {
	struct bench_target *target;
	unsigned clients;
	unsigned total;
	/* Loop's thread: the nth request. */
	void (*make)(struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body);
	void *arg;
	const char *method;
	const char *content_type; /* NULL: application/json */
	/* results */
	struct bench_samples ms;
	unsigned failed;
	double seconds;
	char first_failure[256];
	/* private */
	struct bench_load_client *list;
	unsigned next, out;
	uv_sem_t finished;
};

/* Connects all clients, then runs the load; results are in *l. */
void bench_load_run(struct bench_load *l);
/* One request; the answer's status, 0 when none came. */
int bench_request(
        struct bench_target *t, const char *method, const char *path, struct slice body, struct strbuf *answer);

/* ---- the benchmarks ---- */

int bench_api(struct bench_settings *s);
int bench_rbac(struct bench_settings *s);
int bench_start(struct bench_settings *s);
int bench_store(struct bench_settings *s);
int bench_wear(struct bench_settings *s);
int bench_nodes(struct bench_settings *s);

/* ---- the objects (bench_objects.c) ---- */

/* Namespaces bench-0 .. bench-7 with their default ServiceAccounts. */
int bench_objects_prepare(struct bench_target *t, struct err *err);
/* `make` functions; arg: NULL, or a text that goes into the names. */
void bench_make_configmap(struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body);
void bench_make_pod(struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body); /* 3.7 KB */
void bench_make_big_pod(
        struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body); /* comes back as 9 KB */

/* Runs a load over n objects and reports failures on stderr; requests per second. */
double bench_create(struct bench_target *t, unsigned clients, unsigned n, const char *names,
        void (*make)(struct bench_load *, unsigned, struct strbuf *, struct strbuf *), struct bench_samples *ret_ms);

/* Server-side apply (apply.c), on a server of ours with the namespaces of bench_objects_prepare(). */
void bench_apply(struct bench_report *r, struct bench_target *t, struct bench_server *server, bool quick);
/* Custom resources (custom.c), on the same. */
void bench_custom(
        struct bench_report *r, struct bench_target *t, struct bench_server *server, bool quick, struct err *err);
/* 500 definitions, on any server. */
void bench_definitions(struct bench_target *t, struct err *err);
/* LIST and watch fan-out (bench_read.c); both add rows to the report. server may be NULL. */
void bench_lists(struct bench_report *r, struct bench_target *t, struct bench_server *server, bool quick);
void bench_fan_out(struct bench_report *r, struct bench_target *t, unsigned watchers, unsigned writes);

#endif

/* What the parts of `k3x-bench store` share: two systems of three servers each, loads, and what was measured.
 *
 * The main thread tells what is to be done next; one loop thread plays all clients of both systems, one load at a
 * time. */
#ifndef K3X_TOOLS_BENCH_STORE_STORE_H
#define K3X_TOOLS_BENCH_STORE_STORE_H

#include "tools/bench/bench.h"
#include "tools/store/client.h"

#include <stdatomic.h>

/* ---- a histogram (bench_store_histogram.c) ---- */

/* Buckets grow with the value, 64 to each power of two, so a percentile is at most 1.6% too high; the maximum is
 * exact. Any unit; we count nanoseconds. */
enum { HISTOGRAM_BITS = 6, HISTOGRAM_BUCKETS = (64 - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS };

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t total;
	uint64_t max;
};

void histogram_add(struct histogram *h, uint64_t value);
uint64_t histogram_percentile(const struct histogram *h, double p); /* p in 0..100; 0 when it is empty */

/* ---- three servers of one system, or one (store_trio.c) ---- */

enum { TRIO_SERVERS = 3 };
/* Those that have servers; a figure may have one more column, of a bare table in SQLite. */
enum trio_system { TRIO_K3X, TRIO_ETCD, TRIO_SYSTEMS, TRIO_TABLE = TRIO_SYSTEMS, TRIO_COLUMNS };

struct trio_server {
	pid_t pid; /* 0: not running */
	int client_port, peer_port;
	char name[8];
	char dir[240];
	char endpoint[40];
	struct store_client *admin;
};

struct trio {
	enum trio_system system;
	int count; /* of servers: TRIO_SERVERS, or fewer */
	char dir[200];
	char cluster[160]; /* n0=http://...,n1=... */
	struct trio_server servers[TRIO_SERVERS];
};

/* What all servers of a trio have used so far, or use now. */
struct trio_usage {
	double cpu_s;
	double written_bytes; /* to their disk, by anybody; where no disk is known, by them as the kernel counts it */
	double rss_mb, anonymous_mb;
	double rss_mb_max, anonymous_mb_max; /* of the largest server */
};

const char *trio_name(enum trio_system system);
/* Makes a folder below `dir`, picks free ports for `count` servers, 1 to TRIO_SERVERS; nothing runs yet. */
int trio_init(struct trio *t, enum trio_system system, int count, const char *dir, struct err *err);
void trio_release(struct trio *t); /* stops what runs, removes the folder */
int trio_launch(struct trio *t, int i, struct err *err);
/* Waits until server i answers and knows a leader, at most 60 s. */
int trio_wait_ready(struct trio *t, int i, struct err *err);
int trio_start(struct trio *t, struct err *err); /* all of them, and waits */
void trio_kill(struct trio *t, int i);           /* SIGKILL, and reaps it */
void trio_stop(struct trio *t, int i);           /* SIGTERM, and reaps it */
int trio_leader(struct trio *t);                 /* -1: nobody knows */
int64_t trio_db_bytes(struct trio *t, int i);    /* as Status tells */
struct trio_usage trio_usage(const struct trio *t);
/* Waits until the servers use less than a tenth of a core and write nothing, at most `seconds`. */
void trio_settle(const struct trio *t, unsigned seconds);
/* Runs a command to its end, its output thrown away; its exit code, -1 when it did not start. */
int trio_command(const char *const *argv);

/* ---- connections (bench_store_lines.c) ---- */

enum { LINES_MAX = 300 };

/* A fixed number of HTTP/2 connections, dealt out to the servers in turn. */
struct lines {
	struct loop loop;
	struct http_client *list[LINES_MAX];
	unsigned count;
	unsigned opening;
	uv_sem_t done;
};

/* target: -1 for all servers, else the only one. Every connection has answered once on return. */
void lines_open(struct lines *l, const struct trio *t, unsigned count, int target);
void lines_close(struct lines *l);

/* ---- loads (bench_store_load.c, bench_store_ops.c) ---- */

struct load_client;

struct load_kind {
	const char *name; /* in the JSON file */
	const char *what; /* for people */
	/* Writes the next request to c->message and returns its method. */
	const char *(*make)(struct load_client *c);
	/* Looks at an answer: false counts as a failure. */
	bool (*check)(struct load_client *c, struct slice message);
	bool is_stream;                              /* each client keeps one stream, for all its requests */
	const char *(*begin)(struct load_client *c); /* a first request, before the clock runs; may be NULL */
};

extern const struct load_kind load_put, load_fill, load_put_pod, load_fill_pod, load_range, load_stale_range, load_swap,
        load_mixed, load_keepalive;

struct load {
	const struct load_kind *kind;
	struct lines *lines;
	unsigned clients;
	size_t value_bytes;
	unsigned keys;     /* all clients together */
	double seconds;    /* after a warm-up of a fifth of it */
	uint64_t requests; /* instead of seconds, when not 0 */
	/* results */
	struct histogram ns;
	uint64_t done, failed, conflicts;
	double elapsed_s;
	double generator_cpu_s;
	char first_failure[200];
	/* private */
	struct load_client *list;
	uint64_t started;
	uint64_t from_ns, until_ns;
	unsigned out;
	uv_sem_t finished;
};

struct load_client {
	struct load *load;
	unsigned id;
	uint64_t turn;
	uint64_t began_ns;
	struct grpc_call *stream;
	char *buffer;
	size_t buffer_bytes;
	struct slice message;
	int64_t revision; /* of the one key of a client that swaps */
	int64_t lease;
	bool beginning, is_read, answered, is_good, ended;
	struct arena arena;
	char key[64];
};

void load_run(struct load *l);
uint64_t load_now_ns(void);
/* A text of LOAD_VALUE_MAX bytes that does not compress well, the same in every run. */
enum { LOAD_VALUE_MAX = 4 * 1024 * 1024 };
const char *load_value(void);
/* A part of it for the n-th value: another place for every n, so that values have nothing in common with their
 * neighbours either, next to which they lie in logs and databases that compress several at once. */
const char *load_value_at(uint64_t n, size_t bytes);
/* A Pod as a server stores it, 4.5 to 5.7 KB of JSON: what it is asked to be, and a status. What differs between two
 * updates of real ones (identities, addresses, times) differs with `turn`. Appends; at most LOAD_POD_MAX bytes. */
enum { LOAD_POD_MAX = 8 * 1024 };
void load_pod(struct strbuf *out, unsigned object, uint64_t turn);

/* Opens `watchers` watches over one prefix, ten to a stream, writes `puts` keys one at a time and waits for the last
 * watcher of each; then lets 16 clients write for `seconds`. */
struct fan_out {
	struct lines *lines;
	unsigned watchers;
	unsigned puts;
	double seconds;
	/* results */
	struct histogram ns;
	double events_per_s, puts_per_s;
	uint64_t lost;
	double generator_cpu_s;
	char first_failure[200];
};
void fan_out_run(struct fan_out *f);

/* ---- what was measured (bench_store_table.c) ---- */

/* One value of one run of one load. */
struct figure {
	const char *key, *what, *unit;
	enum bench_better better;
	double aim; /* the ratio we want, "ours over theirs" so that more is better; 0: none */
	struct bench_samples runs[TRIO_COLUMNS];
};

struct figures {
	struct figure *rows;
	size_t count, cap;
	struct arena arena;
};

/* Adds one run's value to the figure with this key, made on first use. */
void figures_add(struct figures *f, enum trio_system system, const char *key, const char *what, const char *unit,
        enum bench_better better, double aim, double value);
void figures_add_latency(struct figures *f, enum trio_system system, const char *key, const char *what,
        const struct histogram *ns, double p99_aim);
void figures_print(struct figures *f, const char *method);
int figures_write(struct figures *f, const char *folder, const char *name, const char *method, struct err *err);
void figures_release(struct figures *f);
double figure_ratio(struct figure *f); /* more is better; 0 when one side has nothing */

/* ---- the trials beside loads (bench_store_trials.c) ---- */

int trial_failover(struct trio *t, unsigned rounds, struct figures *f, struct err *err);
/* 1 M puts, memory, bytes written, start-up, snapshot save and restore. */
int trial_bulk(struct trio *t, uint64_t puts, size_t value_bytes, struct figures *f, struct err *err);
/* How long a put waits at most while that store is saved, compacted, emptied, defragmented: for `seconds` each. */
int trial_pauses(struct trio *t, double seconds, struct figures *f, struct err *err);

#endif

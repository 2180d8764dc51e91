/* `k3x-bench wear`: the bytes that reach the disk, k3x-store beside etcd, one server and three, each system on a disk
 * of its own whose device counts them (wear_disk.c).
 *
 * First all systems together, which hardly do anything: at rest, then with one small update of one key a second. Then
 * one system after the other under loads, as `store` has them. A figure ends with an orderly stop of the servers, so
 * that what they still hold in memory is counted for those who caused it, and it begins and ends when the device is
 * quiet.
 *
 * A bare table in SQLite (wear_table.c) is a third column where one client writes: what it does with more clients is
 * the same, one commit after the other. */
#include "tools/bench/store/store.h"
#include "tools/bench/wear/wear_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	KEYS = 10000,
	MANY_KEYS = 100000,
	LINES = 12,
	FILL_CLIENTS = 64,
	SMALL_BYTES = 300,
	STEADY_S = 600,
	STEADY_QUICK_S = 60,
	IDLE_S = 600,
	IDLE_QUICK_S = 30,
};

/* A system on its disk: servers, or the table. */
struct wear_system {
	int column; /* of the figures */
	int servers;
	struct wear_disk disk;
	struct trio trio;
	struct wear_table *table;
	double written; /* when the figure under way began */
};

struct wear_row {
	const struct load_kind *kind, *fill;
	const char *what;
	size_t value_bytes; /* of a Pod: the most it may have */
	unsigned keys, clients;
	bool is_quick;
	double aim[2]; /* one server, three servers */
};

static const struct wear_row rows[] = {
        {&load_put, &load_fill, "put of 1 KiB that does not compress", 1024, KEYS, 1, true, {1, 1}},
        {&load_put, &load_fill, "put of 1 KiB that does not compress", 1024, KEYS, 64, true, {1, 1}},
        {&load_put, &load_fill, "put of 1 KiB that does not compress", 1024, KEYS, 500, true, {1, 1}},
        {&load_put_pod, &load_fill_pod, "update of a Pod", LOAD_POD_MAX, KEYS, 1, true, {2, 2}},
        {&load_put_pod, &load_fill_pod, "update of a Pod", LOAD_POD_MAX, KEYS, 64, true, {2, 2}},
        {&load_put_pod, &load_fill_pod, "update of a Pod", LOAD_POD_MAX, KEYS, 500, true, {2, 2}},
        {&load_put, &load_fill, "put of 1 KiB, 100,000 keys", 1024, MANY_KEYS, 500, false, {1, 1}},
};

struct bench_wear {
	struct bench_settings *settings;
	struct figures figures;
	double seconds;
	unsigned rounds, idle_s, steady_s;
};

static const int server_counts[] = {1, TRIO_SERVERS};
static const char *const quiet_names[] = {"steady_one", "steady_three"}; /* keys begin so; for --only */

static const char *servers_text(int servers)
{
	return servers == 1 ? "one server" : "three servers";
}

static bool is_wanted(const struct bench_wear *w, const char *key)
{
	return !w->settings->only || strstr(key, w->settings->only);
}

static bool is_measured(const struct bench_wear *w, int column)
{
	return !w->settings->system || column == TRIO_TABLE || strcmp(w->settings->system, trio_name(column)) == 0;
}

/* ---- a system ---- */

static const char *system_name(const struct wear_system *s)
{
	return s->column == TRIO_TABLE ? "table" : trio_name((enum trio_system)s->column);
}

static int system_open(struct wear_system *s, int column, int servers, const char *images, struct err *err)
{
	char name[32];
	*s = (struct wear_system){.column = column, .servers = servers, .disk.fd = -1};
	snprintf(name, sizeof name, "%s-%d", system_name(s), servers);
	if (wear_disk_open(&s->disk, images, name, err) != 0)
		return err->code;
	if (column == TRIO_TABLE)
		return wear_table_open(s->disk.dir, &s->table, err);
	return trio_init(&s->trio, (enum trio_system)column, servers, s->disk.dir, err);
}

static void system_stop(struct wear_system *s)
{
	for (int i = 0; i < s->trio.count; i++)
		trio_stop(&s->trio, i);
}

static void system_close(struct wear_system *s)
{
	trio_release(&s->trio);
	wear_table_close(s->table);
	s->table = NULL;
	wear_disk_close(&s->disk);
}

static int written(struct wear_system *s, double *ret, struct err *err)
{
	bool is_settled = false;
	int rc = wear_disk_written(&s->disk, ret, &is_settled, err);
	if (rc == 0 && !is_settled)
		fprintf(stderr, "k3x-bench: %s, %s: its disk does not get quiet: the figure may be off\n",
		        system_name(s), servers_text(s->servers));
	return rc;
}

/* Servers run, their disk is quiet, and the figure begins. */
static int system_begin(struct wear_system *s, struct err *err)
{
	if (s->trio.count && !s->trio.servers[0].pid && trio_start(&s->trio, err) != 0)
		return err->code;
	return written(s, &s->written, err);
}

static int bytes_since(struct wear_system *s, double *ret_bytes, struct err *err)
{
	double now;
	int rc = written(s, &now, err);
	if (rc == 0)
		*ret_bytes = now - s->written;
	return rc;
}

/* ---- at rest, and one update a second ---- */

enum { QUIET_SYSTEMS = 2 * TRIO_SYSTEMS + 1 };

struct quiet {
	struct wear_system list[QUIET_SYSTEMS];
	int count;
};

static int quiet_open(struct quiet *q, const struct bench_wear *w, struct err *err)
{
	for (size_t i = 0; i < COUNT_OF(server_counts); i++)
		for (int column = 0; column < TRIO_COLUMNS; column++) {
			bool is_there = column != TRIO_TABLE || server_counts[i] == 1;
			if (!is_there || !is_measured(w, column) || !is_wanted(w, quiet_names[i]))
				continue;
			struct wear_system *s = &q->list[q->count++];
			if (system_open(s, column, server_counts[i], w->settings->dir, err) != 0)
				return err->code;
		}
	return 0;
}

static int put_once(struct wear_system *s, uint64_t turn, struct err *err)
{
	static const char key[] = "/registry/configmaps/default/one";
	const char *value = load_value_at(turn, SMALL_BYTES);
	if (s->table)
		return wear_table_put(s->table, slice_of(key), (struct slice){value, SMALL_BYTES}, err);
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	struct arena a = ARENA_INIT;
	r.key = (ProtobufCBinaryData){sizeof key - 1, (uint8_t *)key};
	r.value = (ProtobufCBinaryData){SMALL_BYTES, (uint8_t *)value};
	bool ok = store_client_call(s->trio.servers[0].admin, "KV/Put", &r.base, &etcdpb__put_response__descriptor, &a,
	                  err) != NULL;
	arena_release(&a);
	return ok ? 0 : err_wrap(err, system_name(s));
}

static void sleep_until(const struct timespec *t)
{
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, t, NULL) == EINTR)
		continue;
}

static int quiet_begin(struct quiet *q, struct err *err)
{
	for (int i = 0; i < q->count; i++)
		if (system_begin(&q->list[i], err) != 0)
			return err->code;
	return 0;
}

static void quiet_key(const struct wear_system *s, const char *name, char *out, size_t size)
{
	snprintf(out, size, "%s_%s", quiet_names[s->servers > 1], name);
}

/* An update before the rest begins: nobody is at rest who has never written. */
static int measure_rest(struct bench_wear *w, struct quiet *q, struct err *err)
{
	for (int i = 0; i < q->count; i++)
		if (system_begin(&q->list[i], err) != 0 || put_once(&q->list[i], 0, err) != 0)
			return err->code;
	if (quiet_begin(q, err) != 0)
		return err->code;
	double began = bench_now_ms();
	sleep(w->idle_s);
	for (int i = 0; i < q->count; i++) {
		struct wear_system *s = &q->list[i];
		char key[64], what[80];
		double bytes;
		if (bytes_since(s, &bytes, err) != 0)
			return err->code;
		quiet_key(s, "at_rest_bytes_per_hour", key, sizeof key);
		snprintf(what, sizeof what, "at rest, %s, an hour", servers_text(s->servers));
		figures_add(&w->figures, s->column, key, what, "B", BENCH_LOWER, 0,
		        bytes * 3600e3 / (bench_now_ms() - began));
	}
	return 0;
}

static int measure_steady(struct bench_wear *w, struct quiet *q, struct err *err)
{
	struct timespec t;
	if (quiet_begin(q, err) != 0)
		return err->code;
	clock_gettime(CLOCK_MONOTONIC, &t);
	for (unsigned n = 0; n < w->steady_s; n++, t.tv_sec++) {
		sleep_until(&t);
		for (int i = 0; i < q->count; i++)
			if (put_once(&q->list[i], n + 1, err) != 0)
				return err->code;
	}
	for (int i = 0; i < q->count; i++) {
		struct wear_system *s = &q->list[i];
		char key[64], what[80];
		double bytes;
		system_stop(s);
		if (bytes_since(s, &bytes, err) != 0)
			return err->code;
		quiet_key(s, "bytes_per_update", key, sizeof key);
		snprintf(what, sizeof what, "one update of 300 B a second, %s", servers_text(s->servers));
		figures_add(&w->figures, s->column, key, what, "B", BENCH_LOWER, s->servers == 1 ? 3.6 : 0,
		        bytes / w->steady_s);
		fprintf(stderr, "  %-5s %-45s %9.0f B each\n", system_name(s), what, bytes / w->steady_s);
	}
	return 0;
}

static int run_quiet(struct bench_wear *w, struct err *err)
{
	struct quiet q = {0};
	int rc = quiet_open(&q, w, err);
	if (rc == 0 && q.count)
		rc = measure_rest(w, &q, err);
	if (rc == 0 && q.count)
		rc = measure_steady(w, &q, err);
	for (int i = 0; i < q.count; i++)
		system_close(&q.list[i]);
	return rc;
}

/* ---- loads ---- */

/* Runs a load of one row; *ret_puts is what it put, within its time and without. */
static int put_many(
        struct wear_system *s, const struct wear_row *row, double seconds, double *ret_puts, struct err *err)
{
	struct lines lines;
	struct load l = {.kind = seconds > 0 ? row->kind : row->fill,
	        .lines = &lines,
	        .clients = seconds > 0 ? row->clients : FILL_CLIENTS,
	        .value_bytes = row->value_bytes,
	        .keys = row->keys,
	        .seconds = seconds,
	        .requests = seconds > 0 ? 0 : row->keys};
	lines_open(&lines, &s->trio, l.clients < LINES && l.clients > 1 ? l.clients : LINES, -1);
	load_run(&l);
	lines_close(&lines);
	if (l.failed)
		return err_set(err, ERR_UNAVAILABLE, "%s: %s: %llu of %llu failed: %s", system_name(s), row->what,
		        (unsigned long long)l.failed, (unsigned long long)l.started, l.first_failure);
	*ret_puts = (double)l.started;
	return 0;
}

static void table_value(const struct wear_row *row, uint64_t turn, struct strbuf *out)
{
	strbuf_reset(out);
	if (row->kind == &load_put_pod)
		load_pod(out, (unsigned)(turn % row->keys), turn * 1000);
	else
		strbuf_add(out, load_value_at(turn, row->value_bytes), row->value_bytes);
}

/* The table's part of a row: all keys once, or for some seconds. */
static int put_many_rows(
        struct wear_system *s, const struct wear_row *row, double seconds, double *ret_puts, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf value = STRBUF_INIT;
	double began = bench_now_ms();
	char key[80];
	uint64_t turn = 0;
	for (; seconds > 0 ? bench_now_ms() - began < seconds * 1e3 : turn < row->keys; turn++) {
		unsigned n = (unsigned)(turn * 7 % row->keys);
		snprintf(key, sizeof key, "/registry/pods-%zu/namespace-%02u/object-%06u", row->value_bytes, n % 64, n);
		table_value(row, turn, &value);
		if (wear_table_put(s->table, slice_of(key), (struct slice){value.data, value.len}, err) != 0)
			return err->code;
	}
	*ret_puts = (double)turn;
	return 0;
}

static int put_row(struct wear_system *s, const struct wear_row *row, double seconds, double *ret_puts, struct err *err)
{
	return s->table ? put_many_rows(s, row, seconds, ret_puts, err) : put_many(s, row, seconds, ret_puts, err);
}

static int measure_row(
        struct bench_wear *w, struct wear_system *s, const struct wear_row *row, const char *key, struct err *err)
{
	double puts, bytes;
	char what[100];
	if (system_begin(s, err) != 0 || put_row(s, row, w->seconds, &puts, err) != 0)
		return err->code;
	system_stop(s);
	if (bytes_since(s, &bytes, err) != 0)
		return err->code;
	snprintf(what, sizeof what, "%s, %s, %u client%s", row->what, s->servers == 1 ? "one" : "three", row->clients,
	        row->clients == 1 ? "" : "s");
	figures_add(&w->figures, s->column, key, what, "B", BENCH_LOWER, row->aim[s->servers > 1], bytes / puts);
	fprintf(stderr, "  %-5s %-58s %9.0f B each, %8.0f of them\n", system_name(s), what, bytes / puts, puts);
	return 0;
}

/* Whether this system has this row in this run; key: of its figure. */
static bool has_row(
        const struct bench_wear *w, int column, int servers, const struct wear_row *row, char *key, size_t size)
{
	bool is_there = column != TRIO_TABLE || (row->clients == 1 && servers == 1);
	snprintf(key, size, "%s_%u_keys_%u_clients_%s_bytes", row->kind->name, row->keys, row->clients,
	        servers == 1 ? "one" : "three");
	return is_there && is_measured(w, column) && is_wanted(w, key) && (row->is_quick || !w->settings->quick);
}

static bool has_rows(const struct bench_wear *w, int column, int servers)
{
	char key[100];
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (has_row(w, column, servers, &rows[i], key, sizeof key))
			return true;
	return false;
}

/* Keys are there before they are measured, so that puts are updates. */
static int run_rows(struct bench_wear *w, struct wear_system *s, struct err *err)
{
	const struct load_kind *filled = NULL;
	unsigned filled_keys = 0;
	char key[100];
	double puts;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct wear_row *row = &rows[i];
		if (!has_row(w, s->column, s->servers, row, key, sizeof key))
			continue;
		bool is_filled = filled == row->fill && filled_keys == row->keys;
		if (!is_filled && (system_begin(s, err) != 0 || put_row(s, row, 0, &puts, err) != 0))
			return err->code;
		filled = row->fill;
		filled_keys = row->keys;
		if (measure_row(w, s, row, key, err) != 0)
			return err->code;
	}
	return 0;
}

static int run_loads(struct bench_wear *w, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; i < COUNT_OF(server_counts); i++)
		for (int column = 0; column < TRIO_COLUMNS && rc == 0; column++) {
			struct wear_system s;
			if (!has_rows(w, column, server_counts[i]))
				continue;
			rc = system_open(&s, column, server_counts[i], w->settings->dir, err);
			if (rc == 0)
				rc = run_rows(w, &s, err);
			system_close(&s);
		}
	return rc;
}

/* ---- all of it ---- */

static void describe(const struct bench_wear *w, char *out, size_t size)
{
	snprintf(out, size,
	        "Method: k3x-store, the etcd in PATH and a bare table in SQLite (kine's columns, synchronous FULL), "
	        "each on ext4 on a loop device of its own; bytes are what the device took, of all servers together, "
	        "synced and quiet before and after; loads and updates up to an orderly stop of the servers. At rest %u "
	        "s, "
	        "one update a second %u s, loads %.1f s, %u round%s; medians. Nothing is compacted.",
	        w->idle_s, w->steady_s, w->seconds, w->rounds, w->rounds == 1 ? "" : "s");
}

static int run_all(struct bench_wear *w, struct err *err)
{
	int rc = wear_disks_begin(err);
	if (rc == 0)
		rc = run_quiet(w, err);
	for (unsigned i = 0; i < w->rounds && rc == 0; i++)
		rc = run_loads(w, err);
	return rc;
}

int bench_wear(struct bench_settings *s)
{
	bool quick = s->quick;
	struct bench_wear w = {.settings = s,
	        .rounds = s->rounds ? (unsigned)s->rounds
	                  : quick   ? 1
	                            : 3,
	        .seconds = s->seconds ? (double)s->seconds
	                   : quick    ? 3
	                              : 10,
	        .idle_s = quick ? IDLE_QUICK_S : IDLE_S,
	        .steady_s = quick ? STEADY_QUICK_S : STEADY_S};
	struct err err = ERR_INIT;
	char method[800];
	int rc = run_all(&w, &err);
	if (rc != 0)
		fprintf(stderr, "k3x-bench: %s\n", err.msg);
	describe(&w, method, sizeof method);
	if (w.figures.count)
		figures_print(&w.figures, method);
	err = ERR_INIT;
	if (w.figures.count && figures_write(&w.figures, s->out, "wear", method, &err) != 0) {
		fprintf(stderr, "k3x-bench: %s\n", err.msg);
		rc = err.code;
	}
	figures_release(&w.figures);
	return rc ? 1 : 0;
}

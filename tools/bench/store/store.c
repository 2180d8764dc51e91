/* `k3x-bench store`: k3x-store beside etcd, three servers each on this machine, under the same loads.
 *
 * Both systems run at the same time, the one that is not measured idle; each load runs for some seconds on one and then
 * on the other, round after round, so that what else the machine does meets both. The median of a load's runs counts.
 * The large store is a pair of systems of its own, one after the other. */
#include "tools/bench/store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEYS = 10000, LINES_DEFAULT = 12, PAUSE_SECONDS = 10 };

struct row {
	const struct load_kind *kind;
	unsigned clients;
	size_t value_bytes;
	bool is_quick; /* also when there is little time */
	double aim, p99_aim;
};

static const struct row rows[] = {
        {&load_put, 1, 256, true, 1, 1},
        {&load_put, 64, 256, true, 10, 3},
        {&load_put, 500, 256, true, 10, 3},
        {&load_put, 1, 1024, false, 1, 1},
        {&load_put, 64, 1024, false, 10, 3},
        {&load_put, 500, 1024, false, 10, 3},
        {&load_range, 1, 256, false, 1, 1},
        {&load_range, 64, 256, true, 5, 3},
        {&load_range, 500, 256, false, 5, 3},
        {&load_range, 64, 1024, false, 5, 3},
        {&load_stale_range, 1, 256, false, 1, 1},
        {&load_stale_range, 64, 256, true, 5, 3},
        {&load_stale_range, 500, 256, false, 5, 3},
        {&load_stale_range, 64, 1024, false, 5, 3},
        {&load_swap, 1, 256, false, 1, 1},
        {&load_swap, 64, 256, true, 10, 3},
        {&load_swap, 500, 256, false, 10, 3},
        {&load_swap, 64, 1024, false, 10, 3},
        {&load_mixed, 1, 256, false, 1, 1},
        {&load_mixed, 64, 256, true, 5, 3},
        {&load_mixed, 500, 256, false, 5, 3},
        {&load_mixed, 64, 1024, false, 5, 3},
        {&load_keepalive, 64, 256, true, 5, 3},
        {&load_keepalive, 500, 256, false, 5, 3},
};

struct bench_store {
	struct bench_settings *settings;
	struct figures figures;
	struct trio trios[TRIO_SYSTEMS];
	double seconds;
	unsigned rounds;
	double generator_share_max;
};

static bool is_wanted(const struct bench_store *b, const char *name)
{
	return !b->settings->only || strstr(name, b->settings->only);
}

static bool is_measured(const struct bench_store *b, int system)
{
	return !b->settings->system || strcmp(b->settings->system, trio_name(system)) == 0;
}

/* ---- loads ---- */

static void add_costs(struct bench_store *b, enum trio_system system, const char *key, const struct load *l,
        const struct trio_usage *before, const struct trio_usage *after)
{
	char name[100];
	double wall = l->elapsed_s * (l->requests ? 1 : 1.2); /* usage covers the warm-up too */
	double share = l->generator_cpu_s / l->elapsed_s;
	snprintf(name, sizeof name, "%s_servers_cores", key);
	figures_add(&b->figures, system, name, "  cores used by the three servers", "cores", BENCH_INFO, 0,
	        (after->cpu_s - before->cpu_s) / wall);
	snprintf(name, sizeof name, "%s_generator_cores", key);
	figures_add(&b->figures, system, name, "  cores used by the load generator", "cores", BENCH_INFO, 0, share);
	if (share > b->generator_share_max)
		b->generator_share_max = share;
}

static void run_row(struct bench_store *b, const struct row *row, enum trio_system system, const char *key)
{
	struct trio *t = &b->trios[system];
	struct lines lines;
	char what[100], name[100];
	unsigned wanted = b->settings->connections ? (unsigned)b->settings->connections : LINES_DEFAULT;
	struct load l = {.kind = row->kind,
	        .lines = &lines,
	        .clients = row->clients,
	        .value_bytes = row->value_bytes,
	        .keys = KEYS,
	        .seconds = b->seconds};
	unsigned count = row->clients < wanted ? row->clients : wanted;
	lines_open(&lines, t, count < TRIO_SERVERS ? TRIO_SERVERS : count, b->settings->leader ? trio_leader(t) : -1);
	struct trio_usage before = trio_usage(t);
	load_run(&l);
	struct trio_usage after = trio_usage(t);
	lines_close(&lines);
	snprintf(what, sizeof what, "%s, %zu B, %u client%s", row->kind->what, row->value_bytes, row->clients,
	        row->clients == 1 ? "" : "s");
	snprintf(name, sizeof name, "%s_per_s", key);
	figures_add(&b->figures, system, name, what, "/s", BENCH_HIGHER, row->aim, (double)l.done / l.elapsed_s);
	figures_add_latency(&b->figures, system, key, "", &l.ns, row->p99_aim);
	add_costs(b, system, key, &l, &before, &after);
	if (row->kind == &load_put) {
		snprintf(name, sizeof name, "%s_written_bytes", key);
		figures_add(&b->figures, system, name, "  written to disk per put, all three", "B", BENCH_LOWER, 2,
		        (after.written_bytes - before.written_bytes) / ((double)l.started));
	}
	if (l.failed || l.conflicts > l.started / 100 + row->clients)
		fprintf(stderr, "k3x-bench: %s: %s: %llu failed, %llu swaps lost: %s\n", trio_name(system), what,
		        (unsigned long long)l.failed, (unsigned long long)l.conflicts, l.first_failure);
	fprintf(stderr, "  %-5s %-45s %9.0f/s  p50 %8.2f ms  p99 %8.2f ms\n", trio_name(system), what,
	        (double)l.done / l.elapsed_s, (double)histogram_percentile(&l.ns, 50) / 1e6,
	        (double)histogram_percentile(&l.ns, 99) / 1e6);
}

static void row_key(const struct row *row, char *out, size_t size)
{
	snprintf(out, size, "%s_%zu_b_%u_clients", row->kind->name, row->value_bytes, row->clients);
}

static void run_rows(struct bench_store *b)
{
	char key[80];
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		row_key(&rows[i], key, sizeof key);
		if ((b->settings->quick && !rows[i].is_quick) || !is_wanted(b, key))
			continue;
		for (int s = 0; s < TRIO_SYSTEMS; s++) {
			if (!is_measured(b, s))
				continue;
			trio_settle(&b->trios[s], 3);
			run_row(b, &rows[i], s, key);
		}
	}
}

/* Every key that is read is there before. */
static int fill(struct bench_store *b, struct trio *t, size_t value_bytes, struct err *err)
{
	struct lines lines;
	struct load l = {.kind = &load_fill,
	        .lines = &lines,
	        .clients = 64,
	        .value_bytes = value_bytes,
	        .keys = KEYS,
	        .requests = KEYS};
	lines_open(&lines, t, LINES_DEFAULT, -1);
	load_run(&l);
	lines_close(&lines);
	if (l.failed)
		return err_set(err, ERR_UNAVAILABLE, "%s: fill: %s", trio_name(t->system), l.first_failure);
	return 0;
}

static void run_fan_out(struct bench_store *b, enum trio_system system)
{
	struct lines lines;
	bool quick = b->settings->quick;
	struct fan_out f = {.lines = &lines, .watchers = 1000, .puts = quick ? 30 : 200, .seconds = b->seconds};
	lines_open(&lines, &b->trios[system], LINES_DEFAULT, -1);
	fan_out_run(&f);
	lines_close(&lines);
	figures_add_latency(
	        &b->figures, system, "fan_out_1000_watchers", "put to the last of 1,000 watchers", &f.ns, 3);
	figures_add(&b->figures, system, "fan_out_1000_watchers_events_per_s",
	        "events to 1,000 watchers, 16 clients writing", "/s", BENCH_HIGHER, 5, f.events_per_s);
	figures_add(&b->figures, system, "fan_out_1000_watchers_puts_per_s", "  puts meanwhile", "/s", BENCH_HIGHER, 0,
	        f.puts_per_s);
	figures_add(&b->figures, system, "fan_out_1000_watchers_lost", "  events that did not come", "", BENCH_INFO, 0,
	        (double)f.lost);
	figures_add(&b->figures, system, "fan_out_1000_watchers_generator_cores", "  cores used by the load generator",
	        "cores", BENCH_INFO, 0, f.generator_cpu_s);
	if (f.first_failure[0])
		fprintf(stderr, "k3x-bench: %s: fan-out: %s\n", trio_name(system), f.first_failure);
	fprintf(stderr, "  %-5s %-45s %9.0f/s  p50 %8.2f ms\n", trio_name(system), "fan-out to 1,000 watchers, events",
	        f.events_per_s, (double)histogram_percentile(&f.ns, 50) / 1e6);
}

static int run_round(struct bench_store *b, struct err *err)
{
	run_rows(b);
	for (int s = 0; s < TRIO_SYSTEMS; s++)
		if (is_measured(b, s) && is_wanted(b, "fan_out"))
			run_fan_out(b, s);
	for (int s = 0; s < TRIO_SYSTEMS; s++)
		if (is_measured(b, s) && is_wanted(b, "failover") &&
		        trial_failover(&b->trios[s], b->settings->quick ? 1 : 3, &b->figures, err) != 0)
			return err->code;
	return 0;
}

static int run_loads(struct bench_store *b, struct err *err)
{
	int rc = 0;
	for (int s = 0; s < TRIO_SYSTEMS && rc == 0; s++) {
		if (!is_measured(b, s))
			continue;
		rc = trio_init(&b->trios[s], s, TRIO_SERVERS, b->settings->dir, err);
		if (rc == 0)
			rc = trio_start(&b->trios[s], err);
		if (rc == 0)
			rc = fill(b, &b->trios[s], 256, err);
		if (rc == 0 && !b->settings->quick)
			rc = fill(b, &b->trios[s], 1024, err);
	}
	for (unsigned i = 0; i < b->rounds && rc == 0; i++)
		rc = run_round(b, err);
	for (int s = 0; s < TRIO_SYSTEMS; s++)
		trio_release(&b->trios[s]);
	return rc;
}

/* ---- the large store ---- */

static int run_bulk(struct bench_store *b, struct err *err)
{
	uint64_t puts = b->settings->puts ? (uint64_t)b->settings->puts : 1000000;
	for (int s = 0; s < TRIO_SYSTEMS; s++) {
		struct trio t;
		if (!is_measured(b, s))
			continue;
		int rc = trio_init(&t, s, TRIO_SERVERS, b->settings->dir, err);
		if (rc == 0)
			rc = trio_start(&t, err);
		if (rc == 0)
			rc = trial_bulk(&t, puts, 1024, &b->figures, err);
		if (rc == 0)
			rc = trial_pauses(&t, PAUSE_SECONDS, &b->figures, err);
		trio_release(&t);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* What one fdatasync of 4 KiB costs here: the floor of a single client's put. */
static double disk_ms(const char *dir)
{
	char path[256], block[4096] = {1};
	struct bench_samples ms = {0};
	snprintf(path, sizeof path, "%s/k3x-bench-disk-%ld", dir, (long)getpid());
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; fd >= 0 && i < 100; i++) {
		double began = bench_now_ms();
		if (pwrite(fd, block, sizeof block, i * 4096) < 0 || fdatasync(fd) != 0)
			break;
		bench_samples_add(&ms, bench_now_ms() - began);
	}
	if (fd >= 0)
		close(fd);
	unlink(path);
	double median = bench_samples_percentile(&ms, 50);
	bench_samples_release(&ms);
	return median;
}

static void describe(const struct bench_store *b, char *out, size_t size)
{
	snprintf(out, size,
	        "Method: three servers each of k3x-store and of the etcd in PATH on this machine (%ld cores), plain "
	        "text on loopback, fsync on, default timeouts; %u runs of %.1f s of each load after a warm-up of a "
	        "fifth, k3x and etcd in turn; medians. Clients have one request out each, over %d connections to %s. "
	        "fdatasync of 4 KiB takes %.2f ms here. The generator used at most %.0f%% of a core.",
	        sysconf(_SC_NPROCESSORS_ONLN), b->rounds, b->seconds,
	        b->settings->connections ? (int)b->settings->connections : LINES_DEFAULT,
	        b->settings->leader ? "the leader" : "all servers", disk_ms(b->settings->dir),
	        b->generator_share_max * 100);
}

int bench_store(struct bench_settings *s)
{
	struct bench_store b = {.settings = s};
	struct err err = ERR_INIT;
	char method[800];
	b.rounds = s->rounds ? (unsigned)s->rounds : s->quick ? 1 : 3;
	b.seconds = s->seconds ? (double)s->seconds : s->quick ? 1 : 3;
	int rc = !s->only || strcmp(s->only, "large") != 0 ? run_loads(&b, &err) : 0;
	if (rc == 0 && !s->quick && is_wanted(&b, "large"))
		rc = run_bulk(&b, &err);
	if (rc != 0)
		fprintf(stderr, "k3x-bench: %s\n", err.msg);
	describe(&b, method, sizeof method);
	figures_print(&b.figures, method);
	err = ERR_INIT;
	if (figures_write(&b.figures, s->out, "store", method, &err) != 0) {
		fprintf(stderr, "k3x-bench: %s\n", err.msg);
		rc = err.code;
	}
	figures_release(&b.figures);
	return rc ? 1 : 0;
}

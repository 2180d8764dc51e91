/* What is measured once per round and not as a load: failover, and all that needs a large store: memory, bytes written
 * to disk, start-up, snapshot save and restore.
 *
 * Failover is seen as clients see it: eight of them write all the time, give up an attempt after 100 ms, and go on with
 * the next server. The clock runs from just before the leader is killed (its connections
 * close) or frozen (they do not: as when its machine is gone) to the first answer to a write that was sent when the
 * leader was dead for certain; what it acknowledged in its last moments does not count. */
#include "tools/bench/store/store.h"

#include "base/wire/grpc.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WRITERS = 8, ATTEMPT_MS = 100, PAUSE_MS = 5, ACKS_BEFORE = 200, FAILOVER_MS_MAX = 60000 };

struct failover {
	struct lines lines;
	atomic_ullong acks, dead_ns, back_ns;
	atomic_bool is_over;
	unsigned out;
	uv_sem_t finished;
};

struct failover_writer {
	struct failover *of;
	unsigned line;
	uint64_t sent_ns;
	uv_timer_t pause;
	char buffer[128];
};

static void writer_send(struct failover_writer *w);

static void writer_closed(uv_handle_t *h)
{
	struct failover_writer *w = h->data;
	if (--w->of->out == 0)
		uv_sem_post(&w->of->finished);
}

static void writer_paused(uv_timer_t *t)
{
	writer_send(t->data);
}

static void writer_done(struct grpc_call *call, int status, const struct err *err, void *arg)
{
	struct failover_writer *w = arg;
	struct failover *f = w->of;
	unsigned long long none = 0, dead = atomic_load(&f->dead_ns);
	if (err) {
		w->line = (w->line + 1) % f->lines.count;
	} else {
		atomic_fetch_add(&f->acks, 1);
		if (dead && w->sent_ns >= dead)
			atomic_compare_exchange_strong(&f->back_ns, &none, load_now_ns());
	}
	if (atomic_load(&f->is_over))
		uv_close((uv_handle_t *)&w->pause, writer_closed);
	else if (err)
		uv_timer_start(&w->pause, writer_paused, PAUSE_MS, 0); /* or a dead server makes a busy loop */
	else
		writer_send(w);
}

static void writer_send(struct failover_writer *w)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	r.key = (ProtobufCBinaryData){24, (uint8_t *)"/registry/leases/writers"};
	r.value = (ProtobufCBinaryData){64, (uint8_t *)load_value()};
	struct slice m = {w->buffer, protobuf_c_message_pack(&r.base, (uint8_t *)w->buffer)};
	w->sent_ns = load_now_ns();
	grpc_client_call(w->of->lines.list[w->line], &(struct grpc_call_options){.method = "/etcdserverpb.KV/Put",
	                                                     .timeout_ms = ATTEMPT_MS,
	                                                     .request = m,
	                                                     .on_done = writer_done,
	                                                     .arg = w});
}

struct failover_start {
	struct failover *f;
	struct failover_writer *writers;
};

static void start_writers(void *arg)
{
	struct failover_start *s = arg;
	s->f->out = WRITERS;
	for (unsigned i = 0; i < WRITERS; i++) {
		struct failover_writer *w = &s->writers[i];
		w->of = s->f;
		w->line = i % s->f->lines.count;
		uv_timer_init(loop_uv(&s->f->lines.loop), &w->pause);
		w->pause.data = w;
		writer_send(w);
	}
}

static bool wait_value(atomic_ullong *value, unsigned long long wanted)
{
	for (double began = bench_now_ms(); bench_now_ms() - began < FAILOVER_MS_MAX; usleep(1000))
		if (atomic_load(value) >= wanted)
			return true;
	return false;
}

/* Frozen: dead to everybody, but its machine does not say so. Or killed, which closes its connections. */
static void strike(struct trio *t, int i, bool freeze)
{
	int status;
	if (!freeze) {
		trio_kill(t, i);
		return;
	}
	kill(t->servers[i].pid, SIGSTOP);
	waitpid(t->servers[i].pid, &status, WUNTRACED);
}

static int kill_once(struct trio *t, bool freeze, double *ret_ms, struct err *err)
{
	struct failover f = {0};
	struct failover_writer writers[WRITERS] = {0};
	lines_open(&f.lines, t, (unsigned)t->count, -1);
	uv_sem_init(&f.finished, 0);
	loop_call(&f.lines.loop, start_writers, &(struct failover_start){&f, writers});
	bool writes = wait_value(&f.acks, ACKS_BEFORE);
	int leader = trio_leader(t);
	if (writes && leader >= 0) {
		uint64_t began = load_now_ns();
		strike(t, leader, freeze);
		atomic_store(&f.dead_ns, load_now_ns());
		if (wait_value(&f.back_ns, 1))
			*ret_ms = (double)(atomic_load(&f.back_ns) - began) / 1e6;
		else
			err_set(err, ERR_TIMEOUT, "%s: no write came through after the leader's death",
			        trio_name(t->system));
	} else {
		err_set(err, ERR_UNAVAILABLE, "%s: no leader that takes writes", trio_name(t->system));
	}
	if (leader >= 0)
		trio_kill(t, leader);
	atomic_store(&f.is_over, true);
	uv_sem_wait(&f.finished);
	lines_close(&f.lines);
	uv_sem_destroy(&f.finished);
	if (leader >= 0 && err->code == 0 && trio_launch(t, leader, err) == 0)
		trio_wait_ready(t, leader, err);
	return err->code;
}

int trial_failover(struct trio *t, unsigned rounds, struct figures *f, struct err *err)
{
	double ms = 0;
	for (unsigned i = 0; i < 2 * rounds; i++) {
		bool freeze = i % 2;
		if (kill_once(t, freeze, &ms, err) != 0)
			return err->code;
		figures_add(f, t->system, freeze ? "failover_frozen_ms" : "failover_killed_ms",
		        freeze ? "SIGSTOP of the leader to the next acknowledged write"
		               : "SIGKILL of the leader to the next acknowledged write",
		        "ms", BENCH_LOWER, 0, ms);
		trio_settle(t, 5);
	}
	return 0;
}

/* ---- a large store ---- */

/* A linearizable read that server i answers. */
static bool reads(struct trio *t, int i)
{
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	struct arena a = ARENA_INIT;
	struct err unused = ERR_INIT;
	r.key = (ProtobufCBinaryData){9, (uint8_t *)"/registry"};
	bool ok = store_client_call(t->servers[i].admin, "KV/Range", &r.base, &etcdpb__range_response__descriptor, &a,
	                  &unused) != NULL;
	arena_release(&a);
	return ok;
}

static int wait_reads(struct trio *t, int i, double began, double *ret_ms, struct err *err)
{
	while (!reads(t, i)) {
		if (bench_now_ms() - began > FAILOVER_MS_MAX)
			return err_set(err, ERR_TIMEOUT, "%s server %d does not serve reads after its start",
			        trio_name(t->system), i);
		usleep(2000);
	}
	*ret_ms = bench_now_ms() - began;
	return 0;
}

static int start_all(struct trio *t, struct figures *f, struct err *err)
{
	double ms = 0;
	for (int i = 0; i < t->count; i++)
		trio_stop(t, i);
	double began = bench_now_ms();
	for (int i = 0; i < t->count; i++)
		if (trio_launch(t, i, err) != 0)
			return err->code;
	if (wait_reads(t, 0, began, &ms, err) != 0)
		return err->code;
	figures_add(f, t->system, "large_start_all_ms", "large store: exec of all three to the first linearizable read",
	        "ms", BENCH_LOWER, 0, ms);
	for (int i = 0; i < t->count; i++)
		if (trio_wait_ready(t, i, err) != 0)
			return err->code;
	return 0;
}

static int start_one(struct trio *t, struct figures *f, struct err *err)
{
	double ms = 0;
	int i = (trio_leader(t) + 1) % t->count;
	trio_stop(t, i);
	double began = bench_now_ms();
	if (trio_launch(t, i, err) != 0 || wait_reads(t, i, began, &ms, err) != 0)
		return err->code;
	figures_add(f, t->system, "large_start_one_ms",
	        "large store: exec of one follower to its first linearizable read", "ms", BENCH_LOWER, 0, ms);
	return 0;
}

static int snapshots(struct trio *t, struct figures *f, struct err *err)
{
	char file[260], dir[260];
	struct stat st = {0};
	bool is_k3x = t->system == TRIO_K3X;
	snprintf(file, sizeof file, "%s/snapshot", t->dir);
	snprintf(dir, sizeof dir, "%s/restored", t->dir);
	const char *const save_k3x[] = {
	        "k3x", "store", "snapshot", "save", file, "--endpoints", t->servers[0].endpoint, NULL};
	const char *const save_etcd[] = {
	        "etcdctl", "snapshot", "save", file, "--endpoints", t->servers[0].endpoint, NULL};
	const char *const restore_k3x[] = {"k3x", "store", "snapshot", "restore", file, "--data-dir", dir, NULL};
	const char *const restore_etcd[] = {"etcdutl", "snapshot", "restore", file, "--data-dir", dir, NULL};
	double began = bench_now_ms();
	if (trio_command(is_k3x ? save_k3x : save_etcd) != 0 || stat(file, &st) != 0)
		return err_set(err, ERR_IO, "%s: snapshot save failed", trio_name(t->system));
	figures_add(f, t->system, "large_snapshot_save_ms", "large store: snapshot save", "ms", BENCH_LOWER, 0,
	        bench_now_ms() - began);
	figures_add(f, t->system, "large_snapshot_mb", "large store: size of the snapshot", "MB", BENCH_LOWER, 0,
	        (double)st.st_size / 1e6);
	began = bench_now_ms();
	if (trio_command(is_k3x ? restore_k3x : restore_etcd) != 0)
		return err_set(err, ERR_IO, "%s: snapshot restore failed", trio_name(t->system));
	figures_add(f, t->system, "large_snapshot_restore_ms", "large store: snapshot restore", "ms", BENCH_LOWER, 0,
	        bench_now_ms() - began);
	return 0;
}

static void memory(struct trio *t, struct figures *f, const char *when, const char *key)
{
	struct trio_usage u = trio_usage(t);
	char name[80], what[120];
	snprintf(name, sizeof name, "%s_rss_mb", key);
	snprintf(what, sizeof what, "%s: resident, all three", when);
	figures_add(f, t->system, name, what, "MiB", BENCH_LOWER, 8, u.rss_mb);
	snprintf(name, sizeof name, "%s_anonymous_mb", key);
	snprintf(what, sizeof what, "%s: of it anonymous", when);
	figures_add(f, t->system, name, what, "MiB", BENCH_LOWER, 0, u.anonymous_mb);
	snprintf(name, sizeof name, "%s_rss_max_mb", key);
	snprintf(what, sizeof what, "%s: resident, the largest server", when);
	figures_add(f, t->system, name, what, "MiB", BENCH_LOWER, 8, u.rss_mb_max);
}

int trial_bulk(struct trio *t, uint64_t puts, size_t value_bytes, struct figures *f, struct err *err)
{
	struct lines lines;
	struct load l = {.kind = &load_put,
	        .lines = &lines,
	        .clients = 500,
	        .value_bytes = value_bytes,
	        .keys = 100000,
	        .requests = puts};
	memory(t, f, "empty store", "empty");
	lines_open(&lines, t, 60, -1);
	struct trio_usage before = trio_usage(t);
	load_run(&l);
	memory(t, f, "large store, just filled", "large_filled");
	struct trio_usage after = trio_usage(t);
	lines_close(&lines);
	if (l.done < puts * 9 / 10)
		return err_set(err, ERR_UNAVAILABLE, "%s: %llu of %llu puts failed: %s", trio_name(t->system),
		        (unsigned long long)l.failed, (unsigned long long)puts, l.first_failure);
	figures_add(f, t->system, "large_put_per_s", "large store: puts while filling, 500 clients", "/s", BENCH_HIGHER,
	        10, (double)l.done / l.elapsed_s);
	figures_add_latency(f, t->system, "large_put", "filling", &l.ns, 3);
	figures_add(f, t->system, "large_written_per_put_bytes", "large store: written to disk per put, all three", "B",
	        BENCH_LOWER, 2, (after.written_bytes - before.written_bytes) / (double)l.done);
	trio_settle(t, 20);
	memory(t, f, "large store, idle again", "large_idle");
	figures_add(f, t->system, "large_db_mb", "large store: database of one server", "MB", BENCH_LOWER, 0,
	        (double)trio_db_bytes(t, 0) / 1e6);
	if (start_all(t, f, err) != 0 || start_one(t, f, err) != 0)
		return err->code;
	memory(t, f, "large store, restarted", "large_restarted");
	return snapshots(t, f, err);
}

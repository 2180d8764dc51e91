/* Benchmark of a store engine, without network: puts, reads, lists, watch fan-out, memory.
 *
 * Method: one loop plays all clients; each has one request out and submits the next from the completion of the last, so
 * "64" means 64 outstanding requests. Every client writes its own set of keys, in the shape of a registry's
 * (/registry/pods/NAMESPACE/NAME). A round lasts a fixed time after a short warm-up; latency is from submit to
 * completion. Each put is durable when it is answered. Fan-out: watchers on one loop all match every put; the time is
 * from the submit of the put until it is answered and the last watcher has read it. */
#include "base/limits.h"
#include "base/mem/arena.h"
#include "store/engine/raft_engine.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int bench_store_engine_main(int argc, char **argv);

enum { SAMPLES_MAX = 1024 * 1024, KEYS_PER_CLIENT = 64 };

struct bench {
	struct engine *engine;
	struct loop loop;
	uint32_t *samples_us;
	size_t n_samples;
	int64_t until_us, from_us;
	unsigned out;
	unsigned failed;
	uv_sem_t finished;
	char *value;
	size_t value_bytes;
};

struct client {
	struct store_request req;
	struct bench *bench;
	struct store_op (*op)(struct client *c);
	int64_t begun_us;
	unsigned id;
	unsigned turn;
	char key[96];
	char end[96];
};

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static long rss_kib(void)
{
	char line[256];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static void report(struct bench *b, const char *what, double seconds)
{
	size_t n = b->n_samples;
	if (n == 0) {
		printf("%-34s no result\n", what);
		return;
	}
	qsort(b->samples_us, n, sizeof *b->samples_us, compare_u32);
	printf("%-34s %9.0f/s  p50 %6.2f ms  p99 %6.2f ms  max %7.2f ms%s\n", what, (double)n / seconds,
	        b->samples_us[n / 2] / 1000.0, b->samples_us[n * 99 / 100] / 1000.0, b->samples_us[n - 1] / 1000.0,
	        b->failed ? "  (with failures)" : "");
	fflush(stdout);
}

enum { TEXT_BYTES = 1024 * 1024 };

/* Values have nothing in common with each other: neighbours are packed together. */
static void make_text(char *text)
{
	uint64_t x = 88172645463325252u;
	for (size_t i = 0; i < TEXT_BYTES; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		text[i] = (char)('0' + x % 64);
	}
}

static struct slice next_value(const struct client *c)
{
	uint64_t h = ((uint64_t)c->turn << 16 | (uint64_t)c->id) * UINT64_C(0x9e3779b97f4a7c15);
	return (struct slice){
	        c->bench->value + (h ^ h >> 29) % (TEXT_BYTES - c->bench->value_bytes), c->bench->value_bytes};
}

static struct store_op op_put(struct client *c)
{
	snprintf(c->key, sizeof c->key, "/registry/pods/namespace-%u/pod-%u", c->id, c->turn++ % KEYS_PER_CLIENT);
	return (struct store_op){.type = STORE_OP_PUT, .put = {.key = slice_of(c->key), .value = next_value(c)}};
}

static struct store_op op_get(struct client *c)
{
	snprintf(c->key, sizeof c->key, "/registry/pods/namespace-%u/pod-%u", c->id, c->turn++ % KEYS_PER_CLIENT);
	return (struct store_op){.type = STORE_OP_RANGE, .range = {.keys = {.key = slice_of(c->key)}}};
}

static struct store_op op_list(struct client *c)
{
	snprintf(c->key, sizeof c->key, "/registry/pods/");
	snprintf(c->end, sizeof c->end, "/registry/pods0");
	return (struct store_op){.type = STORE_OP_RANGE,
	        .range = {.keys = {.key = slice_of(c->key), .end = slice_of(c->end)}, .limit = 500}};
}

static void client_next(struct client *c)
{
	c->req.op = c->op(c);
	c->begun_us = now_us();
	store_submit(c->bench->engine, &c->req);
}

static void client_done(struct store_request *req)
{
	struct client *c = CONTAINER_OF(req, struct client, req);
	struct bench *b = c->bench;
	int64_t now = now_us();
	b->failed += req->err.code != 0;
	if (c->begun_us >= b->from_us && now < b->until_us && b->n_samples < SAMPLES_MAX)
		b->samples_us[b->n_samples++] = (uint32_t)(now - c->begun_us);
	store_request_release(req);
	if (now < b->until_us) {
		client_next(c);
		return;
	}
	if (--b->out == 0)
		uv_sem_post(&b->finished);
}

struct round {
	struct bench *bench;
	struct client *clients;
	unsigned n;
};

static void round_begin(void *arg)
{
	struct round *r = arg;
	for (unsigned i = 0; i < r->n; i++)
		client_next(&r->clients[i]);
}

static void run_round(
        struct bench *b, const char *what, unsigned n, double seconds, struct store_op (*op)(struct client *c))
{
	struct client *clients = xcalloc(n, sizeof *clients);
	char title[64];
	for (unsigned i = 0; i < n; i++)
		clients[i] = (struct client){.req = {.type = STORE_REQUEST_OP, .loop = &b->loop, .done = client_done},
		        .bench = b,
		        .op = op,
		        .id = i};
	b->n_samples = 0;
	b->failed = 0;
	b->out = n;
	b->from_us = now_us() + 300000;
	b->until_us = b->from_us + (int64_t)(seconds * 1e6);
	loop_call(&b->loop, round_begin, &(struct round){b, clients, n});
	uv_sem_wait(&b->finished);
	snprintf(title, sizeof title, "%s, %u out", what, n);
	report(b, title, seconds);
	free(clients);
}

/* ---- fan-out ---- */

struct fan {
	struct bench *bench;
	struct fan_watch *watches;
	unsigned n, left;
	struct client writer;
	unsigned puts, puts_max;
	int64_t answered_us;
	uint64_t events;
};

struct fan_watch {
	struct fan *fan;
	struct store_watch *watch;
	unsigned seen;
};

static void fan_maybe_next(struct fan *f)
{
	struct bench *b = f->bench;
	if (f->left || !f->answered_us)
		return;
	b->samples_us[b->n_samples++] = (uint32_t)(now_us() - f->writer.begun_us);
	if (++f->puts == f->puts_max) {
		uv_sem_post(&b->finished);
		return;
	}
	f->left = f->n;
	f->answered_us = 0;
	client_next(&f->writer);
}

static void fan_ready(void *arg)
{
	struct fan_watch *w = arg;
	struct store_watch_batch batch;
	struct err err;
	unsigned got = 0;
	do {
		if (store_watch_read(w->fan->bench->engine, w->watch, &batch, &err) != 0)
			break;
		got += (unsigned)batch.n_events;
	} while (batch.n_events);
	w->fan->events += got;
	w->fan->left -= got;
	if (got)
		fan_maybe_next(w->fan);
}

static void fan_put_done(struct store_request *req)
{
	struct fan *f = CONTAINER_OF(CONTAINER_OF(req, struct client, req), struct fan, writer);
	store_request_release(req);
	f->answered_us = now_us();
	fan_maybe_next(f);
}

static void fan_begin(void *arg)
{
	struct fan *f = arg;
	struct store_watch_options o = {.keys = {SLICE("/registry/pods/"), SLICE("/registry/pods0")}};
	for (unsigned i = 0; i < f->n; i++) {
		f->watches[i].fan = f;
		f->watches[i].watch =
		        store_watch_open(f->bench->engine, &o, &f->bench->loop, fan_ready, &f->watches[i]);
	}
	client_next(&f->writer);
}

static void fan_closed(void *arg)
{
	struct fan *f = arg;
	if (--f->left == 0)
		uv_sem_post(&f->bench->finished);
}

static void fan_end(void *arg)
{
	struct fan *f = arg;
	f->left = f->n;
	for (unsigned i = 0; i < f->n; i++)
		store_watch_close(f->bench->engine, f->watches[i].watch, fan_closed, f);
}

static void run_fan(struct bench *b, unsigned watchers, unsigned puts)
{
	struct fan f = {.bench = b, .n = watchers, .left = watchers, .puts_max = puts};
	char title[64];
	f.watches = xcalloc(watchers, sizeof *f.watches);
	f.writer = (struct client){
	        .req = {.type = STORE_REQUEST_OP, .loop = &b->loop, .done = fan_put_done}, .bench = b, .op = op_put};
	b->n_samples = 0;
	b->failed = 0;
	int64_t begun = now_us();
	loop_call(&b->loop, fan_begin, &f);
	uv_sem_wait(&b->finished);
	double seconds = (double)(now_us() - begun) / 1e6;
	snprintf(title, sizeof title, "put to last of %u watchers", watchers);
	report(b, title, seconds);
	printf("%-34s %9.0f/s\n", "  events delivered", (double)f.events / seconds);
	loop_call(&b->loop, fan_end, &f);
	uv_sem_wait(&b->finished);
	free(f.watches);
}

/* ---- puts while a compaction of everything runs ---- */

struct compaction {
	struct store_request req;
	uv_sem_t done;
};

static void compaction_done(struct store_request *req)
{
	uv_sem_post(&CONTAINER_OF(req, struct compaction, req)->done);
}

static void run_compaction(struct bench *b, double seconds)
{
	struct compaction c = {.req = {.type = STORE_REQUEST_COMPACT, .physical = true, .done = compaction_done}};
	c.req.revision_arg = store_revision(b->engine);
	uv_sem_init(&c.done, 0);
	int64_t begun = now_us();
	store_submit(b->engine, &c.req);
	run_round(b, "put while compacting", 1, seconds, op_put);
	uv_sem_wait(&c.done);
	printf("%-34s %9.0f revisions/s\n", "  compaction",
	        (double)c.req.revision_arg * 1e6 / (double)(now_us() - begun));
	uv_sem_destroy(&c.done);
	store_request_release(&c.req);
}

/* ---- the disk itself, to compare with ---- */

static void run_disk(struct bench *b, const char *dir, double seconds)
{
	char path[256];
	char block[4096] = {1};
	snprintf(path, sizeof path, "%s/bench.disk", dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	b->n_samples = 0;
	int64_t begun = now_us(), until = begun + (int64_t)(seconds * 1e6);
	for (int64_t t = begun; fd >= 0 && t < until;) {
		block[0]++;
		if (pwrite(fd, block, sizeof block, (off_t)(b->n_samples % 256) * 4096) < 0 || fdatasync(fd) != 0)
			break;
		int64_t now = now_us();
		b->samples_us[b->n_samples++] = (uint32_t)(now - t);
		t = now;
	}
	report(b, "write of 4 KiB and fdatasync", seconds);
	close(fd);
	unlink(path);
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static int open_engine(struct bench *b, const char *folder)
{
	struct err err = ERR_INIT;
	struct raft_engine_options o = {.data_dir = folder};
	if (raft_engine_open_alone(&o, &b->engine, &err) == 0)
		return 0;
	fprintf(stderr, "%s\n", err.msg);
	return err_exit_code(err.code);
}

static void run_all(struct bench *b, double seconds)
{
	static const size_t sizes[] = {338, 1024};
	static const unsigned outs[] = {1, 64, 500};
	char title[64];
	for (size_t s = 0; s < 2; s++) {
		b->value_bytes = sizes[s];
		for (size_t o = 0; o < 3; o++) {
			snprintf(title, sizeof title, "put of %zu B", sizes[s]);
			run_round(b, title, outs[o], seconds, op_put);
		}
	}
	run_round(b, "get", 1, seconds, op_get);
	run_round(b, "get", 64, seconds, op_get);
	run_round(b, "list of 500", 1, seconds, op_list);
	run_round(b, "list of 500", 8, seconds, op_list);
	b->value_bytes = 338;
	run_fan(b, 1000, 200);
	run_compaction(b, seconds);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int bench_store_engine_main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "/tmp";
	double seconds = argc > 2 ? atof(argv[2]) : 3;
	struct bench b = {.samples_us = xmalloc(SAMPLES_MAX * sizeof(uint32_t)), .value = xmalloc(TEXT_BYTES)};
	struct store_stats stats;
	char path[256];
	snprintf(path, sizeof path, "%s/bench-%ld", dir, (long)getpid());
	if (mkdir(path, 0700) != 0) {
		perror(path);
		return 1;
	}
	make_text(b.value);
	uv_sem_init(&b.finished, 0);
	run_disk(&b, dir, 1);
	int rc = open_engine(&b, path);
	if (rc != 0)
		return rc;
	loop_init(&b.loop, "bench");
	loop_start_thread(&b.loop);
	printf("RSS with an empty store %ld KiB\n", rss_kib());
	run_all(&b, seconds);
	store_stats(b.engine, &stats);
	printf("RSS %ld KiB, file %" PRId64 " KiB with log, %" PRId64 " keys, revision %" PRId64 "\n", rss_kib(),
	        stats.size_bytes / 1024, stats.keys, stats.revision);
	loop_call(&b.loop, stop_loop, &b.loop);
	loop_join(&b.loop);
	loop_release(&b.loop);
	store_close(b.engine);
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	uv_sem_destroy(&b.finished);
	free(b.samples_us);
	free(b.value);
	return 0;
}

/* How long a write waits at most while a large store is worked on: saved, compacted, emptied and given back to the
 * disk.
 *
 * Eight clients put small values through all servers without a pause; a thread of its own does the work meanwhile. The
 * longest wait of any of them counts, exactly, and the 99.9th percentile beside it. What is called "alone" is the same
 * load with nobody at work, and shows what the machine itself does to a write. */
#include "tools/bench/store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WRITERS = 8, PAUSE_KEYS = 100000, PAUSE_VALUE_BYTES = 256 };

struct work {
	const char *key, *what;
	int (*run)(struct trio *t, struct err *err);
	double seconds; /* the load goes on for so long at least */
};

struct worker {
	const struct work *work;
	struct trio *trio;
	double ms;
	struct err err;
};

/* Many messages hold nothing, or a header alone. */
static const Etcdpb__LeaseStatus no_fields = ETCDPB__LEASE_STATUS__INIT;

static int64_t revision(struct trio *t)
{
	struct arena a = ARENA_INIT;
	struct err unused = ERR_INIT;
	Etcdpb__StatusResponse *s = store_client_call(t->servers[0].admin, "Maintenance/Status", &no_fields.base,
	        &etcdpb__status_response__descriptor, &a, &unused);
	int64_t rev = s && s->header ? s->header->revision : 0;
	arena_release(&a);
	return rev;
}

static int nothing(struct trio *t, struct err *err)
{
	return 0;
}

static int save(struct trio *t, struct err *err)
{
	char file[260];
	snprintf(file, sizeof file, "%s/pause-snapshot", t->dir);
	const char *const k3x[] = {
	        "k3x", "store", "snapshot", "save", file, "--endpoints", t->servers[0].endpoint, NULL};
	const char *const etcd[] = {"etcdctl", "snapshot", "save", file, "--endpoints", t->servers[0].endpoint, NULL};
	int rc = trio_command(t->system == TRIO_K3X ? k3x : etcd);
	unlink(file);
	return rc == 0 ? 0 : err_set(err, ERR_IO, "%s: snapshot save failed", trio_name(t->system));
}

static int call(struct trio *t, int i, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, struct err *err)
{
	struct arena a = ARENA_INIT;
	bool ok = store_client_call(t->servers[i].admin, method, request, answer, &a, err) != NULL;
	arena_release(&a);
	return ok ? 0 : err->code;
}

static int compact(struct trio *t, struct err *err)
{
	Etcdpb__CompactionRequest r = ETCDPB__COMPACTION_REQUEST__INIT;
	r.revision = revision(t);
	r.physical = 1;
	return call(t, 0, "KV/Compact", &r.base, &etcdpb__header_response__descriptor, err);
}

/* Half of the large store's keys go, a namespace at a time, and then their history. */
static int empty(struct trio *t, struct err *err)
{
	char from[64], to[64];
	for (int i = 0; i < 32; i++) {
		Etcdpb__DeleteRangeRequest r = ETCDPB__DELETE_RANGE_REQUEST__INIT;
		int n = snprintf(from, sizeof from, "/registry/pods-1024/namespace-%02d/", i);
		int m = snprintf(to, sizeof to, "/registry/pods-1024/namespace-%02d0", i); /* '0' follows '/' */
		r.key = (ProtobufCBinaryData){(size_t)n, (uint8_t *)from};
		r.range_end = (ProtobufCBinaryData){(size_t)m, (uint8_t *)to};
		if (call(t, 0, "KV/DeleteRange", &r.base, &etcdpb__delete_range_response__descriptor, err) != 0)
			return err->code;
	}
	return compact(t, err);
}

static int defragment(struct trio *t, struct err *err)
{
	for (int i = 0; i < t->count; i++)
		if (call(t, i, "Maintenance/Defragment", &no_fields.base, &etcdpb__header_response__descriptor, err) !=
		        0)
			return err->code;
	return 0;
}

static void *work_thread(void *arg)
{
	struct worker *w = arg;
	usleep(500 * 1000); /* the load runs by then */
	double began = bench_now_ms();
	w->work->run(w->trio, &w->err);
	w->ms = bench_now_ms() - began;
	return NULL;
}

static int measure(struct trio *t, const struct work *work, struct figures *f, struct err *err)
{
	struct worker w = {.work = work, .trio = t, .err = ERR_INIT};
	struct lines lines;
	struct load l = {.kind = &load_put,
	        .lines = &lines,
	        .clients = WRITERS,
	        .value_bytes = PAUSE_VALUE_BYTES,
	        .keys = PAUSE_KEYS,
	        .seconds = work->seconds};
	pthread_t thread;
	char name[80], what[120];
	lines_open(&lines, t, WRITERS, -1);
	if (pthread_create(&thread, NULL, work_thread, &w) != 0)
		abort();
	load_run(&l);
	pthread_join(thread, NULL);
	lines_close(&lines);
	if (w.err.code)
		return err_set(err, w.err.code, "%s", w.err.msg);
	snprintf(name, sizeof name, "pause_%s_max_ms", work->key);
	snprintf(what, sizeof what, "longest wait of a put, %s", work->what);
	figures_add(f, t->system, name, what, "ms", BENCH_LOWER, 0, (double)l.ns.max / 1e6);
	snprintf(name, sizeof name, "pause_%s_p999_ms", work->key);
	figures_add(f, t->system, name, "  99.9th percentile", "ms", BENCH_LOWER, 0,
	        (double)histogram_percentile(&l.ns, 99.9) / 1e6);
	snprintf(name, sizeof name, "pause_%s_work_ms", work->key);
	figures_add(f, t->system, name, "  the work itself", "ms", BENCH_LOWER, 0, w.ms);
	snprintf(name, sizeof name, "pause_%s_failed", work->key);
	figures_add(f, t->system, name, "  puts that failed", "", BENCH_INFO, 0, (double)l.failed);
	fprintf(stderr, "  %-5s %-60s %9.1f ms, 99.9%% %8.1f ms, work %8.0f ms, %llu puts, %llu failed\n",
	        trio_name(t->system), what, (double)l.ns.max / 1e6, (double)histogram_percentile(&l.ns, 99.9) / 1e6,
	        w.ms, (unsigned long long)l.done, (unsigned long long)l.failed);
	return 0;
}

int trial_pauses(struct trio *t, double seconds, struct figures *f, struct err *err)
{
	const struct work works[] = {
	        {"alone", "nobody at work", nothing, seconds},
	        {"saved", "while it is saved", save, seconds},
	        {"compacted", "while it is compacted", compact, seconds},
	        {"emptied", "while half of it is deleted and compacted", empty, seconds},
	        {"defragmented", "while it is defragmented", defragment, seconds},
	};
	for (size_t i = 0; i < COUNT_OF(works); i++)
		if (measure(t, &works[i], f, err) != 0)
			return err->code;
	return 0;
}

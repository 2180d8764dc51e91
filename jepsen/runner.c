/* The run half of run.h: start a cluster, load it under faults, heal it, look once more, check.
 *
 *     open -> wait until it serves -> prepare -> LOAD (workers + nemesis) -> heal -> wait until it serves
 *          -> FINAL (last observations) -> join -> hashes, logs -> checkers -> folder
 *
 * Violations come from the checkers, and from here: a server that crashed, a healed cluster that does not come back in
 * time, replicas that differ. */
#include "jepsen/run.h"

#include "base/check.h"
#include "base/log.h"
#include "base/time/rfc3339.h"
#include "jepsen/check.h"
#include "jepsen/jail.h"
#include "jepsen/nemesis.h"
#include "jepsen/report.h"
#include "jepsen/workload.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { CALL_TIMEOUT_MS = 2000, TICK_MS = 100, LAST_MS_MAX = 20000, BOOT_MS_MAX = 30000, BROKEN_MS_MAX = 5000 };

#define NS_PER_S INT64_C(1000000000)

/* How long a healed cluster may take. Servers that are broken on purpose are not waited for: that they do not come back
 * is what is looked for. */
static int patience_ms(const struct run *r, int ms_max)
{
	return r->options->break_name && ms_max > BROKEN_MS_MAX ? BROKEN_MS_MAX : ms_max;
}

static void sleep_until(struct run *r, int64_t at_ns)
{
	int64_t left = at_ns - run_now_ns(r);
	struct timespec t = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
	if (left > 0)
		nanosleep(&t, NULL);
}

/* ---- workers ---- */

/* Requests come at random moments, at the run's rate all together. */
static void pace(struct worker *w)
{
	struct run *r = w->run;
	int64_t mean = NS_PER_S * r->worker_count / r->options->rate;
	w->next_ns += rng_between(&w->rng, 0, 2 * mean);
	if (w->next_ns < run_now_ns(r) - NS_PER_S)
		w->next_ns = run_now_ns(r); /* it was held up: what was missed is not made up for */
	sleep_until(r, w->next_ns);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct run *r = w->run;
	const struct workload *l = r->workload;
	while (!run_is_final(r)) {
		if (l->is_paced && !w->goes_on)
			pace(w);
		l->step(w);
		arena_reset(&w->arena);
	}
	int last_ms = patience_ms(r, LAST_MS_MAX);
	int64_t end = run_now_ns(r) + last_ms * INT64_C(1000000);
	bool is_done = !l->last;
	while (!is_done && run_now_ns(r) < end) {
		is_done = l->last(w);
		arena_reset(&w->arena);
		if (!is_done && !w->goes_on)
			pace(w);
	}
	if (!is_done)
		run_violation(r, "%s: client %u of n%u did not see the end within %d ms of healing", l->name, w->index,
		        w->node + 1, last_ms);
	return NULL;
}

static void start_workers(struct run *r)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (unsigned i = 0; i < r->worker_count; i++)
		CHECK(pthread_create(&r->workers[i].thread, NULL, worker_main, &r->workers[i]) == 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void make_workers(struct run *r)
{
	r->worker_count = (unsigned)r->options->clients;
	for (unsigned i = 0; i < r->worker_count; i++) {
		struct worker *w = &r->workers[i];
		w->run = r;
		w->index = i;
		w->node = i % r->cluster.count;
		w->process = (int32_t)i;
		rng_init(&w->rng, r->seed, 1000 + i);
		w->client = client_new(r->cluster.net.nodes[w->node].address, CLUSTER_CLIENT_PORT, CALL_TIMEOUT_MS);
	}
	r->next_process = (int32_t)r->worker_count;
}

static void end_workers(struct run *r)
{
	for (unsigned i = 0; i < r->worker_count; i++) {
		struct worker *w = &r->workers[i];
		if (r->workload->end)
			r->workload->end(w);
		client_free(w->client);
		arena_release(&w->arena);
		free(w->state);
	}
}

/* ---- watching the servers ---- */

/* A signal is a violation whatever was done to the server, except to its data: a broken invariant is not how a full or
 * failing disk is met. Nemeses start servers too, so this may be seen after they did. */
static void tell_crash(struct run *r, struct node *n)
{
	if (n->crash && !n->is_damaged)
		run_violation(r, "%s ended by signal %d by itself, see its log", n->name, n->crash);
	n->crash = 0;
}

/* A server that ended by itself is a violation unless its disk was hurt. */
static void watch_servers(struct run *r)
{
	for (unsigned i = 0; i < r->cluster.count; i++) {
		struct node *n = &r->cluster.nodes[i];
		struct err err = ERR_INIT;
		bool has_ended = node_poll(n), is_signal = n->crash;
		tell_crash(r, n);
		if (!has_ended)
			continue;
		if (n->excused || n->is_damaged || n->is_leaving || !n->is_member) {
			log_info("jepsen", "server ended", "node=%s status=%d excused=yes", n->name, n->last_status);
			continue;
		}
		if (!is_signal)
			run_violation(
			        r, "%s exited with %d by itself, see its log", n->name, WEXITSTATUS(n->last_status));
		cluster_start_node(&r->cluster, n, &err);
	}
}

static void look_for_crashes(struct run *r)
{
	char line[600];
	for (unsigned i = 0; i < r->cluster.count; i++)
		if (cluster_crash_words(&r->cluster, &r->cluster.nodes[i], line, sizeof line))
			run_violation(r, "%s crashed: %.400s", r->cluster.nodes[i].name, line);
}

/* ---- phases ---- */

static void load_under_faults(struct run *r, struct nemesis_schedule *s, int64_t seconds)
{
	int64_t end = run_now_ns(r) + seconds * NS_PER_S;
	while (run_now_ns(r) < end && !jail_should_stop()) {
		nemesis_schedule_tick(s);
		watch_servers(r);
		sleep_until(r, run_now_ns(r) + TICK_MS * INT64_C(1000000));
	}
}

static void heal(struct run *r, struct nemesis_schedule *s)
{
	struct err err = ERR_INIT;
	int64_t began = run_now_ns(r);
	if (nemesis_heal_all(s, &err) != 0)
		log_warn("jepsen", "a fault did not end in order", "error=\"%s\"", err.msg);
	err = ERR_INIT;
	if (cluster_wait_ready(&r->cluster, patience_ms(r, CLUSTER_READY_MS_MAX), &err) != 0)
		run_violation(r, "the healed cluster did not come back: %s", err.msg);
	log_info("jepsen", "healed", "took_ms=%" PRId64, (run_now_ns(r) - began) / 1000000);
}

static void final_phase(struct run *r)
{
	struct err err = ERR_INIT;
	atomic_store(&r->phase, RUN_FINAL);
	for (unsigned i = 0; i < r->worker_count; i++)
		pthread_join(r->workers[i].thread, NULL);
	watch_servers(r);
	if (cluster_compare_hashes(&r->cluster, &err) == ERR_CORRUPT)
		run_violation(r, "%s", err.msg);
	else if (err.code)
		log_warn("jepsen", "hashes not compared", "error=\"%s\"", err.msg);
	look_for_crashes(r);
}

/* ---- the folder ---- */

static void describe(struct run *r, int64_t seconds)
{
	const struct jepsen_options *o = r->options;
	struct history *h = &r->history;
	char text[64];
	history_set(h, "workload", r->workload->name);
	history_set(h, "target", o->target);
	history_set(h, "nemesis", o->nemesis);
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {{"seed", (int64_t)r->seed}, {"nodes", o->nodes}, {"clients", o->clients}, {"seconds", seconds},
	        {"rate", o->rate}};
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		snprintf(text, sizeof text, "%" PRId64, numbers[i].value);
		history_set(h, numbers[i].name, text);
	}
	history_set(h, "started", rfc3339_seconds(text, time(NULL)));
	if (o->datastore)
		history_set(h, "datastore", o->datastore);
	if (o->break_name)
		history_set(h, "break", o->break_name);
}

static int make_folder(struct run *r, struct err *err)
{
	struct tm tm;
	char stamp[32];
	time_t now = time(NULL);
	strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", gmtime_r(&now, &tm));
	if (mkdir(r->options->dir, 0755) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make folder %s", r->options->dir);
	snprintf(r->dir, sizeof r->dir, "%.120s/%s-%s-%s-%" PRIu64, r->options->dir, r->options->target,
	        r->workload->name, stamp, r->seed);
	if (mkdir(r->dir, 0755) != 0)
		return err_errno(err, errno, "make folder %s", r->dir);
	return 0;
}

static void print_findings(const struct check_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct check_result *c = &report->results[i];
		if (c->verdict == CHECK_UNKNOWN)
			printf("  %s: unknown: %s\n", c->checker, c->reason);
		for (const struct check_finding *f = c->findings; f; f = f->next)
			printf("  %s: %s: %s\n", c->checker, f->anomaly, f->text);
	}
}

static int judge(struct run *r, unsigned faults, struct run_result *ret, struct err *err)
{
	struct check_options options = CHECK_OPTIONS_DEFAULT;
	struct check_report report;
	char path[DISK_PATH_MAX + 64];
	snprintf(path, sizeof path, "%s/history.jsonl", r->dir);
	if (history_save(&r->history, path, err) != 0 || check_history(&r->history, &options, &report, err) != 0)
		return err_wrap(err, "%s", r->dir);
	*ret = (struct run_result){.operations = r->operations, .faults = faults, .violations = r->violation_count};
	for (size_t i = 0; i < report.count; i++)
		ret->violations += report.results[i].finding_count;
	print_findings(&report);
	snprintf(path, sizeof path, "%s/", r->dir);
	struct report_notes notes = {.texts = (const char *const *)r->violations,
	        .count = r->violation_count < VIOLATIONS_MAX ? r->violation_count : VIOLATIONS_MAX};
	int rc = report_save(&r->history, &report, &notes, path, err);
	printf("%-9s %-8s seed %" PRIu64 ": %" PRId64 " operations, %u faults, %s, %u violations, %s\n",
	        r->workload->name, r->options->target, r->seed, ret->operations, faults,
	        check_verdict_name(report.verdict), ret->violations, r->dir);
	fflush(stdout);
	check_report_release(&report);
	return rc;
}

static int run_phases(struct run *r, int64_t seconds, struct run_result *ret, struct err *err)
{
	struct nemesis_schedule s;
	if (cluster_open(&r->cluster, r->options, r->dir, err) != 0 ||
	        cluster_wait_ready(&r->cluster, BOOT_MS_MAX, err) != 0) {
		watch_servers(r); /* did one crash? */
		err_wrap(err, "start the cluster");
		return r->violation_count ? judge(r, 0, ret, err) : err->code;
	}
	cluster_probe(&r->cluster);
	r->start_ns = 0;
	r->start_ns = run_now_ns(r);
	make_workers(r);
	int rc = nemesis_schedule_init(&s, r, r->options->nemesis, err);
	if (rc == 0 && r->workload->prepare)
		rc = r->workload->prepare(r, err);
	if (rc == 0) {
		start_workers(r);
		load_under_faults(r, &s, seconds);
		heal(r, &s);
		final_phase(r);
	}
	end_workers(r);
	return rc ? rc : judge(r, s.faults, ret, err);
}

int run_one(const struct jepsen_options *o, const struct workload *workload, int64_t seconds, uint64_t seed,
        struct run_result *ret, struct err *err)
{
	struct run *r = xcalloc(1, sizeof *r);
	r->options = o;
	r->workload = workload;
	r->seed = seed;
	pthread_mutex_init(&r->lock, NULL);
	history_init(&r->history);
	describe(r, seconds);
	int rc = make_folder(r, err);
	if (rc == 0) {
		rc = run_phases(r, seconds, ret, err);
		cluster_close(&r->cluster);
	}
	free(r->state);
	history_release(&r->history);
	pthread_mutex_destroy(&r->lock);
	for (unsigned i = 0; i < r->violation_count && i < VIOLATIONS_MAX; i++)
		free(r->violations[i]);
	free(r);
	return rc;
}

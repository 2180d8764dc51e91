/* See nemesis.h: the list, the schedule, and what nemeses share. */
#include "jepsen/nemesis.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "jepsen/workload.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NEMESIS_ADDRESS(name) &nemesis_##name,
const struct nemesis *const nemeses[] = {NEMESIS_LIST(NEMESIS_ADDRESS)};
#undef NEMESIS_ADDRESS
const unsigned nemesis_count = COUNT_OF(nemeses);

#define MS INT64_C(1000000)

enum { QUIET_MS_MIN = 500, QUIET_MS_MAX = 3500, FAULT_MS_MIN = 1500, FAULT_MS_MAX = 6500 };
/* Brisk: faults outlast an election timeout, and there is just time to elect and to do some work in between. */
enum { BRISK_QUIET_MS_MAX = 1500, BRISK_FAULT_MS_MAX = 2500 };

const struct nemesis *nemesis_find(const char *name)
{
	for (unsigned i = 0; i < nemesis_count; i++)
		if (strcmp(nemeses[i]->name, name) == 0)
			return nemeses[i];
	return NULL;
}

unsigned nemesis_any_node(struct nemesis_fault *f)
{
	return rng_below(f->rng, f->run->cluster.count);
}

struct node *nemesis_victim(struct nemesis_fault *f, struct err *err)
{
	struct cluster *c = &f->run->cluster;
	struct node *n = &c->nodes[nemesis_any_node(f)];
	for (unsigned i = 0; i < c->count; i++)
		if (c->nodes[i].is_damaged)
			n = &c->nodes[i];
	for (unsigned i = 0; i < c->count; i++)
		if (&c->nodes[i] != n && !cluster_votes(c, i)) {
			err_set(err, ERR_UNAVAILABLE, "%s has no vote", c->nodes[i].name);
			return NULL;
		}
	return n;
}

unsigned nemesis_shuffle(struct nemesis_fault *f, unsigned out[NODES_MAX])
{
	unsigned n = f->run->cluster.count;
	for (unsigned i = 0; i < n; i++) {
		unsigned j = rng_below(f->rng, i + 1);
		out[i] = out[j];
		out[j] = i;
	}
	return n;
}

unsigned nemesis_some(struct nemesis_fault *f)
{
	unsigned n = f->run->cluster.count, minority = n > 2 ? (n - 1) / 2 : 1;
	return rng_chance(f->rng, 70) ? 1 + rng_below(f->rng, minority) : 1 + rng_below(f->rng, n);
}

void nemesis_tell(struct nemesis_fault *f, const char *fmt, ...)
{
	size_t len = strlen(f->detail);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(f->detail + len, sizeof f->detail - len, fmt, ap);
	va_end(ap);
}

/* ---- the schedule ---- */

static bool fits(const struct nemesis *n, const struct run *run)
{
	return run->cluster.count >= n->nodes_min && (!n->needs_shim || run->cluster.target->takes_shim) &&
	       (!n->needs_etcd || !run->cluster.target->serves_kube) &&
	       (!n->needs_datastore || run->cluster.datastore.kind) &&
	       (!n->needs_members || run->cluster.can_change_members);
}

static int choose(struct nemesis_schedule *s, const char *names, struct err *err)
{
	struct slice rest = slice_of(names);
	if (strcmp(names, "none") == 0)
		return 0;
	for (unsigned i = 0; i < nemesis_count && strcmp(names, "mixed") == 0; i++)
		if (fits(nemeses[i], s->run))
			s->choices[s->choice_count++] = nemeses[i];
	while (strcmp(names, "mixed") != 0 && rest.ptr) {
		char name[64];
		struct slice one = slice_cut(&rest, ',');
		snprintf(name, sizeof name, "%.*s", SLICE_FMT(one));
		const struct nemesis *n = nemesis_find(name);
		if (!n)
			return err_set(err, ERR_INVAL, "--nemesis: there is none called \"%s\"", name);
		if (!fits(n, s->run))
			return err_set(err, ERR_INVAL, "--nemesis: %s needs %s%s%s%s%u nodes", name,
			        n->needs_datastore ? "--datastore and " : "",
			        n->needs_etcd ? "a target that speaks etcd's API and " : "",
			        n->needs_shim ? "a target that takes the shim and " : "",
			        n->needs_members ? "members that can be changed and " : "", n->nodes_min);
		s->choices[s->choice_count++] = n;
	}
	return 0;
}

static int64_t after(struct nemesis_schedule *s, int64_t ms_min, int64_t ms_max)
{
	return run_now_ns(s->run) + rng_between(&s->rng, ms_min, ms_max) * MS;
}

static int64_t after_quiet(struct nemesis_schedule *s)
{
	return after(s, QUIET_MS_MIN, s->run->options->brisk ? BRISK_QUIET_MS_MAX : QUIET_MS_MAX);
}

static int64_t after_fault(struct nemesis_schedule *s)
{
	return after(s, FAULT_MS_MIN, s->run->options->brisk ? BRISK_FAULT_MS_MAX : FAULT_MS_MAX);
}

/* One seed, another schedule for each workload. */
static uint64_t stream_of(const char *name)
{
	return fnv1a64(name, strlen(name));
}

int nemesis_schedule_init(struct nemesis_schedule *s, struct run *run, const char *names, struct err *err)
{
	*s = (struct nemesis_schedule){.run = run, .lane_count = strcmp(names, "mixed") == 0 ? NEMESIS_LANES_MIXED : 1};
	if (run->options->lanes)
		s->lane_count = (unsigned)run->options->lanes;
	rng_init(&s->rng, run->seed, stream_of(run->workload->name));
	if (choose(s, names, err) != 0)
		return err->code;
	for (unsigned i = 0; i < s->lane_count; i++)
		s->lanes[i].due_ns = after_quiet(s);
	return 0;
}

static bool kind_is_free(const struct nemesis_schedule *s, const struct nemesis *n)
{
	for (unsigned i = 0; i < s->lane_count; i++) {
		const struct nemesis *other = s->lanes[i].active;
		/* Membership is changed by asking a cluster that can answer; a disk is hurt while its server runs. */
		bool both_own_processes =
		        other &&
		        (other->kind == NEMESIS_PROCESS || other->kind == NEMESIS_ADMIN ||
		                other->kind == NEMESIS_DISK) &&
		        (n->kind == NEMESIS_PROCESS || n->kind == NEMESIS_ADMIN || n->kind == NEMESIS_DISK);
		if (other && (other->kind == n->kind || both_own_processes))
			return false;
	}
	return true;
}

static void begin(struct nemesis_schedule *s, struct nemesis_lane *lane)
{
	const struct nemesis *n = s->choices[rng_below(&s->rng, s->choice_count)];
	struct err err = ERR_INIT;
	if (!kind_is_free(s, n)) {
		lane->due_ns = after(s, 0, QUIET_MS_MIN);
		return;
	}
	lane->fault = (struct nemesis_fault){.run = s->run, .rng = &s->rng};
	int64_t began = run_now_ns(s->run);
	if (n->begin(&lane->fault, &err) != 0) {
		log_info("jepsen", "fault not made", "nemesis=%s reason=\"%s\"", n->name, err.msg);
		lane->due_ns = after_quiet(s);
		return;
	}
	s->faults++;
	pthread_mutex_lock(&s->run->lock);
	lane->history_fault =
	        history_fault_begin(&s->run->history, began, n->name, lane->fault.nodes, lane->fault.detail);
	pthread_mutex_unlock(&s->run->lock);
	log_info("jepsen", "fault", "nemesis=%s nodes=%llx detail=\"%s\"", n->name,
	        (unsigned long long)lane->fault.nodes, lane->fault.detail);
	if (n->is_moment) {
		run_fault_end(s->run, lane->history_fault);
		lane->due_ns = after_quiet(s);
	} else {
		lane->active = n;
		lane->due_ns = after_fault(s);
	}
}

static int end(struct nemesis_schedule *s, struct nemesis_lane *lane, struct err *err)
{
	const struct nemesis *n = lane->active;
	lane->active = NULL;
	int rc = n->end(&lane->fault, err);
	run_fault_end(s->run, lane->history_fault);
	log_info("jepsen", "healed", "nemesis=%s%s%s", n->name, rc ? " error=" : "", rc ? err->msg : "");
	lane->due_ns = after_quiet(s);
	return rc;
}

void nemesis_schedule_tick(struct nemesis_schedule *s)
{
	for (unsigned i = 0; i < s->lane_count && s->choice_count; i++) {
		struct nemesis_lane *lane = &s->lanes[i];
		struct err err = ERR_INIT;
		bool is_due = run_now_ns(s->run) >= lane->due_ns;
		if (is_due && !lane->active)
			begin(s, lane);
		else if (is_due)
			end(s, lane, &err);
		else if (lane->active && lane->active->tick)
			lane->active->tick(&lane->fault);
	}
}

int nemesis_heal_all(struct nemesis_schedule *s, struct err *err)
{
	int rc = 0;
	for (unsigned i = 0; i < s->lane_count; i++)
		if (s->lanes[i].active && end(s, &s->lanes[i], err) != 0)
			rc = err->code;
	return rc;
}

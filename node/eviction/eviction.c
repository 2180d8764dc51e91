/* See eviction.h. A round:
 *
 *     IDLE --(every 10 s)--> OBSERVING --(nothing is short)----------------------------> IDLE
 *              OBSERVING --(disk is short)--> RECLAIMING --> OBSERVING AGAIN --(enough)-> IDLE
 *              OBSERVING, OBSERVING AGAIN --(short)--> MEASURING --> one pod is evicted --> WAITING
 *              WAITING --(it is down, or 30 s)--> OBSERVING
 *
 * One pod at a time: the next look says whether that was enough. Folders are measured on the pool, and only when a disk
 * is short. The runtime says where images lie (once) and what containers hold.
 *
 * What can go wrong: the runtime does not answer (then its pods are not measured, and go first, as upstream has it; and
 * the disk of images is not known until it does); nobody is left who may be evicted (it is logged once a minute, the
 * pressure stays); the pool is full (the round is given up, the next is in ten seconds). The node closes in the middle:
 * what is under way comes back, finds it closed, and ends the round. */
#include "node/eviction/eviction.h"

#include "base/check.h"
#include "base/log.h"
#include "base/rt/sm.h"
#include "node/config/kubelet_config.h"
#include "node/eviction/observe_int.h"
#include "node/eviction/survey_int.h"
#include "node/events/events.h"
#include "node/ground/errand.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/ground/retry.h"
#include "node/runtime/cri.h"
#include "node/worker/pod_worker.h"

#include <stdlib.h>

enum { FIRST_LOOK_MS = 1000, LOOK_MS = 10000, WAIT_LOOK_MS = 250, WAIT_MS_MAX = 30000, CALL_MS = 30000 };

enum state { EVICTION_IDLE, EVICTION_OBSERVING, EVICTION_RECLAIMING, EVICTION_MEASURING, EVICTION_WAITING };

static const struct sm_state states[] = {
        [EVICTION_IDLE] = {"idle", SM_TO(EVICTION_OBSERVING)},
        [EVICTION_OBSERVING] = {"observing",
                SM_TO(EVICTION_IDLE) | SM_TO(EVICTION_RECLAIMING) | SM_TO(EVICTION_MEASURING)},
        [EVICTION_RECLAIMING] = {"reclaiming", SM_TO(EVICTION_OBSERVING) | SM_TO(EVICTION_IDLE)},
        [EVICTION_MEASURING] = {"measuring", SM_TO(EVICTION_WAITING) | SM_TO(EVICTION_IDLE)},
        [EVICTION_WAITING] = {"waiting", SM_TO(EVICTION_OBSERVING) | SM_TO(EVICTION_IDLE)},
};
static bool holds(const struct sm *m, int before);
static const struct sm_kind machine = SM_KIND("eviction", states, holds);

static const struct retry_rule nobody_rule = {1, 1};
static const int64_t HARD_GRACE_S = 1;

struct eviction {
	struct node *n;
	const struct eviction_callbacks *callbacks;
	struct eviction_core core;
	int64_t max_grace_s;
	uv_timer_t timer;
	struct sm sm; /* enum state */
	bool closed, has_reclaimed;
	char *imagefs; /* NULL: not known */
	/* of the round */
	struct errand errand;
	char *nodefs;
	struct eviction_observation seen[SIGNALS_COUNT];
	bool is_one_fs;
	const struct eviction_threshold *reclaim;
	struct survey survey;
	char *waits_for; /* uid of the pod that was evicted; in WAITING alone */
	uint64_t waits_since_ms;
	struct retry nobody;
	unsigned long long evictions[SIGNALS_COUNT];
};

static bool holds(const struct sm *m, int before)
{
	const struct eviction *e = CONTAINER_OF(m, struct eviction, sm);
	return (sm_state(m) == EVICTION_WAITING) == (e->waits_for != NULL);
}

static void free_it(struct eviction *e)
{
	survey_release(&e->survey);
	free(e->nodefs);
	free(e->imagefs);
	free(e->waits_for);
	free(e);
}

static void round_end(struct eviction *e)
{
	survey_release(&e->survey);
	free(TAKE(e->waits_for));
	sm_move(&e->sm, EVICTION_IDLE);
	if (e->closed)
		free_it(e);
}

/* Whoever comes back after the node began to close ends the round. */
static bool is_over(struct eviction *e)
{
	LOOP_CHECK_OWNER(e->n->loop);
	if (!e->closed && !e->n->closing)
		return false;
	round_end(e);
	return true;
}

/* ---- pressures ---- */

static void tell_pressure(struct node *n, unsigned was, unsigned bit, const char *bad, const char *good)
{
	if ((n->pressures & bit) == (was & bit))
		return;
	const char *what = n->pressures & bit ? bad : good;
	log_info("node", "pressure has changed", "now=%s", what);
	node_event(n, false, what, "Node %s status is now: %s", n->o.node_name, what);
}

static void set_pressures(struct eviction *e, unsigned pressures)
{
	struct node *n = e->n;
	unsigned was = n->pressures;
	if (pressures == was)
		return;
	n->pressures = pressures;
	tell_pressure(n, was, NODE_PRESSURE_MEMORY, "NodeHasInsufficientMemory", "NodeHasSufficientMemory");
	tell_pressure(n, was, NODE_PRESSURE_DISK, "NodeHasDiskPressure", "NodeHasNoDiskPressure");
	tell_pressure(n, was, NODE_PRESSURE_PID, "NodeHasInsufficientPID", "NodeHasSufficientPID");
	e->callbacks->pressures_changed(n);
}

/* ---- the one that goes ---- */

static void wait_for_end(struct eviction *e, const struct pod *p)
{
	e->waits_for = xstrdup(p->uid);
	e->waits_since_ms = loop_now_ms(e->n->loop);
	sm_move(&e->sm, EVICTION_WAITING);
	uv_timer_set_repeat(&e->timer, WAIT_LOOK_MS);
	uv_timer_again(&e->timer);
}

/* A hard threshold leaves a second, a soft one what it is told, and never more than the pod asks for. */
static int64_t grace_of(const struct eviction *e, const struct pod *p)
{
	int64_t own = json_get_int(p->spec, "terminationGracePeriodSeconds", e->max_grace_s),
	        soft = own < e->max_grace_s ? own : e->max_grace_s;
	return e->reclaim->is_hard || soft < HARD_GRACE_S ? HARD_GRACE_S : soft;
}

static bool evict(struct eviction *e, const struct eviction_candidate *c)
{
	struct pod *p = node_pod(e->n, slice_of(c->uid));
	if (!p || pod_state(p) != POD_RUNNING || p->is_deleting || p->end_reason)
		return false;
	const struct eviction_threshold *t = e->reclaim;
	const char *why = eviction_message(&e->survey.arena, t, &e->seen[t->signal], c);
	log_info("node", "a pod is evicted", "pod=%s/%s signal=%s reason=\"%s\"", p->ns, p->name,
	        eviction_signal_name(t->signal), why);
	e->evictions[t->signal]++;
	wait_for_end(e, p);
	pod_evict(p, why, grace_of(e, p)); /* `p` may be gone after it, `why` lies with the survey */
	survey_release(&e->survey);
	return true;
}

static void surveyed(struct survey *s)
{
	struct eviction *e = CONTAINER_OF(s, struct eviction, survey);
	if (is_over(e))
		return;
	eviction_rank(s->signal, s->candidates, s->count);
	for (size_t i = 0; i < s->count; i++)
		if (evict(e, &s->candidates[i]))
			return;
	if (retry_failed(&e->nobody, &nobody_rule, loop_now_ms(e->n->loop)))
		log_warn("node", "there is no pod left to evict", "signal=%s", eviction_signal_name(s->signal));
	round_end(e);
}

/* ---- the steps ---- */

static bool observe_again(struct eviction *e);

static void reclaimed(void *arg)
{
	struct eviction *e = arg;
	if (is_over(e))
		return;
	e->has_reclaimed = true;
	if (!observe_again(e))
		round_end(e);
}

static bool is_disk(const struct eviction_threshold *t)
{
	return t->signal != SIGNAL_MEMORY_AVAILABLE && t->signal != SIGNAL_PID_AVAILABLE;
}

/* Images help their own disk. */
static bool reclaim_node(struct eviction *e)
{
	bool of_images =
	        e->reclaim->signal == SIGNAL_IMAGEFS_AVAILABLE || e->reclaim->signal == SIGNAL_IMAGEFS_INODES_FREE;
	if (e->has_reclaimed || !is_disk(e->reclaim) || (!of_images && !e->is_one_fs) ||
	        !e->callbacks->reclaim(e->n, reclaimed, e))
		return false;
	sm_move(&e->sm, EVICTION_RECLAIMING);
	return true;
}

static void begin_reclaim(struct eviction *e, const struct eviction_threshold *t)
{
	node_event(e->n, true, "EvictionThresholdMet", "Attempting to reclaim %s", eviction_resource(t->signal));
	log_warn("node", "an eviction threshold is met", "signal=%s available=%lld", eviction_signal_name(t->signal),
	        (long long)e->seen[t->signal].available);
}

static void decide(struct eviction *e)
{
	struct eviction_decision d = eviction_core_look(&e->core, e->seen, loop_now_ms(e->n->loop));
	set_pressures(e, d.pressures);
	e->reclaim = d.reclaim;
	/* After the images are gone it is enough to be above the thresholds; what else there is to gain the next round
	 * asks for. */
	bool is_enough = !d.reclaim || (e->has_reclaimed && !eviction_core_is_short(&e->core, e->seen));
	if (d.reclaim && !e->has_reclaimed)
		begin_reclaim(e, d.reclaim);
	if (is_enough || !e->n->cri) {
		round_end(e);
		return;
	}
	if (reclaim_node(e))
		return;
	sm_move(&e->sm, EVICTION_MEASURING);
	e->survey =
	        (struct survey){.n = e->n, .signal = d.reclaim->signal, .is_one_fs = e->is_one_fs, .done = surveyed};
	survey_start(&e->survey);
}

static void observe_on_pool(struct errand *errand)
{
	struct eviction *e = CONTAINER_OF(errand, struct eviction, errand);
	observe(&(struct observe_paths){e->nodefs, e->imagefs}, e->seen, &e->is_one_fs);
}

static void observed(struct errand *errand)
{
	struct eviction *e = CONTAINER_OF(errand, struct eviction, errand);
	if (!is_over(e))
		decide(e);
}

static bool observe_again(struct eviction *e)
{
	sm_move(&e->sm, EVICTION_OBSERVING);
	return errand_start(e->n, &e->errand, observe_on_pool, observed);
}

static void imagefs_told(void *arg, const void *answer, const struct err *err)
{
	struct eviction *e = arg;
	const CRI(ImageFsInfoResponse) *info = answer;
	const CRI(FilesystemUsage) *fs = info && info->n_image_filesystems ? info->image_filesystems[0] : NULL;
	if (is_over(e))
		return;
	if (fs && fs->fs_id && fs->fs_id->mountpoint[0] == '/')
		e->imagefs = xstrdup(fs->fs_id->mountpoint);
	if (!errand_start(e->n, &e->errand, observe_on_pool, observed))
		round_end(e);
}

static void look(struct eviction *e)
{
	CRI(Empty) nothing = RUNTIME__V1__EMPTY__INIT;
	e->has_reclaimed = false;
	if (e->imagefs || !e->n->cri) {
		if (!observe_again(e))
			round_end(e);
		return;
	}
	sm_move(&e->sm, EVICTION_OBSERVING);
	cri_call(e->n->cri, "ImageService/ImageFsInfo", &nothing.base, &runtime__v1__image_fs_info_response__descriptor,
	        CALL_MS, imagefs_told, e);
}

/* ---- the clock ---- */

static void look_whether_it_ended(struct eviction *e)
{
	const struct pod *p = node_pod(e->n, slice_of(e->waits_for));
	bool is_down = !p || (pod_state(p) >= POD_FINISHED);
	if (!is_down && loop_now_ms(e->n->loop) - e->waits_since_ms < WAIT_MS_MAX)
		return;
	uv_timer_set_repeat(&e->timer, LOOK_MS);
	uv_timer_again(&e->timer);
	free(TAKE(e->waits_for));
	sm_move(&e->sm, EVICTION_IDLE);
	look(e);
}

static void tick(uv_timer_t *t)
{
	struct eviction *e = t->data;
	LOOP_CHECK_OWNER(e->n->loop);
	if (e->n->closing)
		return;
	if (sm_state(&e->sm) == EVICTION_IDLE)
		look(e);
	else if (sm_state(&e->sm) == EVICTION_WAITING)
		look_whether_it_ended(e);
}

/* ---- life ---- */

struct eviction *eviction_new(struct node *n, const struct eviction_callbacks *callbacks)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(callbacks->pressures_changed && callbacks->reclaim);
	struct eviction *e = xcalloc(1, sizeof *e);
	struct eviction_thresholds thresholds;
	struct err err = ERR_INIT;
	CHECK(eviction_thresholds_read(n->config->tree, &thresholds, &err) == 0); /* it was read when it was loaded */
	e->n = n;
	e->callbacks = callbacks;
	e->nodefs = xstrdup(n->pods_dir);
	e->max_grace_s = kubelet_config_int(n->config, "evictionMaxPodGracePeriod");
	eviction_core_init(
	        &e->core, &thresholds, (uint64_t)kubelet_config_ms(n->config, "evictionPressureTransitionPeriod"));
	sm_init(&e->sm, &machine, EVICTION_IDLE, n->o.node_name);
	uv_timer_init(loop_uv(n->loop), &e->timer);
	e->timer.data = e;
	if (thresholds.count)
		uv_timer_start(&e->timer, tick, FIRST_LOOK_MS, LOOK_MS);
	return e;
}

static void timer_closed(uv_handle_t *h)
{
	struct eviction *e = h->data;
	e->closed = true;
	if (sm_state(&e->sm) == EVICTION_WAITING)
		round_end(e);
	else if (sm_state(&e->sm) == EVICTION_IDLE)
		free_it(e);
}

void eviction_close(struct eviction *e)
{
	LOOP_CHECK_OWNER(e->n->loop);
	e->n->eviction = NULL;
	uv_close((uv_handle_t *)&e->timer, timer_closed);
}

void eviction_metrics_write(const struct eviction *e, struct strbuf *out)
{
	strbuf_adds(out, "# HELP kubelet_evictions [ALPHA] Cumulative number of pod evictions by eviction signal\n"
	                 "# TYPE kubelet_evictions counter\n");
	for (size_t i = 0; i < SIGNALS_COUNT; i++)
		if (e->evictions[i])
			strbuf_addf(out, "kubelet_evictions{eviction_signal=\"%s\"} %llu\n",
			        eviction_signal_name((enum eviction_signal)i), e->evictions[i]);
}

/* Undoing: a use is unpublished and its record removed; when it was the volume's last the volume is unstaged, and its
 * record removed too.
 *
 *     WAITING --its turn--> UNPUBLISHING --> UNSTAGING --> OVER
 *                  \------------------------^
 *
 * Whoever asked is told when the use is gone; unstaging goes on behind that. A driver may be asked again for what it
 * has undone already, which it must bear: a record goes only after its answer.
 *
 * What can go wrong: the driver is away, hangs (CSI_CALL_MS), or fails; something is still mounted though it said that
 * it is not. The records stay, and it is tried again: by the pod's worker, or by reconcile(). */
#include "node/csi/csi_int.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/rt/sm.h"
#include "node/ground/node_record.h"

#include <stdlib.h>

#define NODE "/csi.v1.Node/"

static const struct retry_rule again_rule = {500, 120000};

enum release_state { RELEASE_WAITING, RELEASE_UNPUBLISHING, RELEASE_UNSTAGING, RELEASE_OVER };

static const struct sm_state states[] = {
        [RELEASE_WAITING] = {"waiting", SM_TO(RELEASE_UNPUBLISHING) | SM_TO(RELEASE_UNSTAGING)},
        [RELEASE_UNPUBLISHING] = {"unpublishing", SM_TO(RELEASE_UNSTAGING) | SM_TO(RELEASE_OVER)},
        [RELEASE_UNSTAGING] = {"unstaging", SM_TO(RELEASE_OVER)},
        [RELEASE_OVER] = {"over", 0},
};
static const struct sm_kind machine = SM_KIND("csi-release", states, NULL);

struct release {
	struct csi_turn turn;
	struct csi_volume *volume;
	char *uid, *name; /* of the use; NULL: the volume alone */
	struct sm sm;
	void (*done)(void *arg, const struct err *err);
	void *arg;
};

static void over(struct release *r)
{
	struct csi_volume *v = r->volume;
	CHECK(v->turn == &r->turn && !r->done); /* whoever asked has been told */
	sm_move(&r->sm, RELEASE_OVER);
	free(r->uid);
	free(r->name);
	free(r);
	csi_turn_give(v);
}

/* ---- the volume ---- */

static void unstage_failed(struct release *r, const struct err *err)
{
	struct csi_volume *v = r->volume;
	if (err->code != ERR_CANCELED && retry_failed(&v->unstage, &again_rule, loop_now_ms(v->csi->n->loop)))
		log_warn("node", "cannot unstage a volume", "driver=%s volume=%s failures=%u error=\"%s\"", v->driver,
		        v->name, v->unstage.failures, err->msg);
	over(r);
}

static void unstaged(void *arg, const void *answer, const struct err *err)
{
	struct release *r = arg;
	struct csi_volume *v = r->volume;
	struct csi_record record = csi_staged_record(v);
	struct err e = ERR_INIT;
	if (!err && record_remove(v->csi->root, &record, &e) != 0)
		err = &e;
	if (err) {
		unstage_failed(r, err);
		return;
	}
	v->may_be_staged = v->is_staged = false;
	retry_succeeded(&v->unstage);
	over(r);
}

static void unstage(struct release *r)
{
	struct csi_volume *v = r->volume;
	struct err err = ERR_INIT;
	CSI(NodeUnstageVolumeRequest) q = CSI__V1__NODE_UNSTAGE_VOLUME_REQUEST__INIT;
	sm_move(&r->sm, RELEASE_UNSTAGING);
	if (!list_empty(&v->uses) || !v->may_be_staged || v->csi->is_closing) {
		over(r);
		return;
	}
	struct csi_driver *driver = driver_find(v->csi->drivers, v->driver, &err);
	if (!driver) {
		unstage_failed(r, &err);
		return;
	}
	if (!(driver->capabilities & CSI_STAGES)) {
		unstaged(r, NULL, NULL);
		return;
	}
	struct arena a = ARENA_INIT;
	struct csi_record record = csi_staged_record(v);
	q.volume_id = v->handle;
	q.staging_target_path = (char *)record_staging_path(&a, v->csi->root, &record);
	rpc_call(driver->rpc, NODE "NodeUnstageVolume", &q.base, &csi__v1__empty__descriptor, CSI_CALL_MS, unstaged, r);
	arena_release(&a);
}

/* ---- the use ---- */

static void tell(struct release *r, const struct err *err)
{
	void (*done)(void *, const struct err *) = r->done;
	r->done = NULL;
	if (done)
		done(r->arg, err);
}

static void unpublish_failed(struct release *r, const struct err *err)
{
	struct csi_volume *v = r->volume;
	struct csi_use *u = csi_use_of(r->volume, r->uid, r->name);
	CHECK(u); /* nobody else frees it while this has the turn */
	if (err->code != ERR_CANCELED && retry_failed(&u->unpublish, &again_rule, loop_now_ms(v->csi->n->loop)))
		log_warn("node", "cannot unpublish a volume", "driver=%s volume=%s uid=%s failures=%u error=\"%s\"",
		        v->driver, v->name, r->uid, u->unpublish.failures, err->msg);
	tell(r, err);
	over(r);
}

static void unpublished(void *arg, const void *answer, const struct err *err)
{
	struct release *r = arg;
	struct csi_use *u = csi_use_of(r->volume, r->uid, r->name);
	CHECK(u);
	struct csi_record record = csi_use_record(u);
	struct err e = ERR_INIT;
	if (!err && u->may_be_published && record_remove(r->volume->csi->root, &record, &e) != 0)
		err = &e;
	if (err) {
		unpublish_failed(r, err);
		return;
	}
	csi_use_free(u);
	tell(r, NULL);
	unstage(r);
}

static void unpublish(struct release *r)
{
	struct csi_volume *v = r->volume;
	struct csi_use *u = csi_use_of(r->volume, r->uid, r->name);
	struct err err = ERR_INIT;
	CSI(NodeUnpublishVolumeRequest) q = CSI__V1__NODE_UNPUBLISH_VOLUME_REQUEST__INIT;
	sm_move(&r->sm, RELEASE_UNPUBLISHING);
	if (!u) { /* another release was before */
		tell(r, NULL);
		over(r);
		return;
	}
	if (!u->may_be_published) {
		unpublished(r, NULL, NULL);
		return;
	}
	struct csi_driver *driver = v->csi->is_closing ? NULL : driver_find(v->csi->drivers, v->driver, &err);
	if (v->csi->is_closing)
		err_set(&err, ERR_CANCELED, "the node closes");
	if (!driver) {
		unpublish_failed(r, &err);
		return;
	}
	struct arena a = ARENA_INIT;
	struct csi_record record = csi_use_record(u);
	u->is_published = false; /* from now on it may be anything */
	q.volume_id = v->handle;
	q.target_path = (char *)record_publish_path(&a, v->csi->root, &record);
	rpc_call(driver->rpc, NODE "NodeUnpublishVolume", &q.base, &csi__v1__empty__descriptor, CSI_CALL_MS,
	        unpublished, r);
	arena_release(&a);
}

/* ---- */

static void our_turn(struct csi_turn *t)
{
	struct release *r = CONTAINER_OF(t, struct release, turn);
	if (r->uid)
		unpublish(r);
	else
		unstage(r);
}

static void start(
        struct csi_volume *v, const struct csi_use *u, void (*done)(void *arg, const struct err *err), void *arg)
{
	struct release *r = xcalloc(1, sizeof *r);
	*r = (struct release){.volume = v, .done = done, .arg = arg};
	r->uid = u ? xstrdup(u->uid) : NULL;
	r->name = u ? xstrdup(u->name) : NULL;
	r->turn.run = our_turn;
	sm_init(&r->sm, &machine, RELEASE_WAITING, v->name);
	csi_turn_take(v, &r->turn);
}

void csi_release_use(struct csi_use *u, void (*done)(void *arg, const struct err *err), void *arg)
{
	LOOP_CHECK_OWNER(u->volume->csi->n->loop);
	start(u->volume, u, done, arg);
}

void csi_release_volume(struct csi_volume *v)
{
	LOOP_CHECK_OWNER(v->csi->n->loop);
	start(v, NULL, NULL, NULL);
}

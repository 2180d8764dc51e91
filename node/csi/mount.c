/* A pod's wish for a volume, step by step:
 *
 *     KIND (CSIDriver) -> ATTACHMENT -> secrets -> TOKENS -> TURN -> STAGING -> PUBLISHING -> GIVING (fsGroup)
 *          -> EXPANDING -> CLAIM (its new size) -> OVER
 *
 * Steps that are not needed are passed over; a volume that is published already, and need not be again, takes none. Any
 * error ends it; the pod's worker tries again later, and what was done is found by then. The use is made before
 * anything is done, and every record before its call, so that whatever happens is undone in the end (release.c).
 *
 * A refresh is the same beside a pod that has its volume, and nobody waits for it. Its pod may be taken down meanwhile:
 * it ends when its use is gone, which cannot be while it has its turn.
 *
 * What can go wrong: what the API does not have, or does not say in time; a driver that has not registered, fails, or
 * does not answer within CSI_CALL_MS: then it holds this volume alone.
 *
 * Upstream: pkg/volume/csi, pkg/volume/util/operationexecutor. */
#include "node/csi/csi_int.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "base/rt/sm.h"
#include "api/client/informer.h"
#include "node/events/events.h"
#include "node/ground/api_call.h"
#include "node/ground/errand.h"
#include "node/ground/group.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NODE "/csi.v1.Node/"
#define EMPTY &csi__v1__empty__descriptor

/* Upstream's kubelet says so after it has waited for this long (podAttachAndMountTimeout). */
enum { ATTACH_TOLD_MS = 123000 };

enum mount_state {
	MOUNT_BEGUN,
	MOUNT_KIND,
	MOUNT_ATTACHMENT,
	MOUNT_STAGE_SECRET,
	MOUNT_PUBLISH_SECRET,
	MOUNT_EXPAND_SECRET,
	MOUNT_TOKENS,
	MOUNT_TURN,
	MOUNT_STAGING,
	MOUNT_PUBLISHING,
	MOUNT_GIVING,
	MOUNT_EXPANDING,
	MOUNT_CLAIM,
	MOUNT_OVER
};

#define STEP(name, here, next) [here] = {name, SM_TO(next) | SM_TO(MOUNT_OVER)}
static const struct sm_state states[] = {
        STEP("begun", MOUNT_BEGUN, MOUNT_KIND),
        STEP("kind", MOUNT_KIND, MOUNT_ATTACHMENT),
        STEP("attachment", MOUNT_ATTACHMENT, MOUNT_STAGE_SECRET),
        STEP("stage-secret", MOUNT_STAGE_SECRET, MOUNT_PUBLISH_SECRET),
        STEP("publish-secret", MOUNT_PUBLISH_SECRET, MOUNT_EXPAND_SECRET),
        STEP("expand-secret", MOUNT_EXPAND_SECRET, MOUNT_TOKENS),
        [MOUNT_TOKENS] = {"tokens", SM_TO(MOUNT_TOKENS) | SM_TO(MOUNT_TURN) | SM_TO(MOUNT_OVER)},
        STEP("turn", MOUNT_TURN, MOUNT_STAGING),
        STEP("staging", MOUNT_STAGING, MOUNT_PUBLISHING),
        STEP("publishing", MOUNT_PUBLISHING, MOUNT_GIVING),
        STEP("giving", MOUNT_GIVING, MOUNT_EXPANDING),
        STEP("expanding", MOUNT_EXPANDING, MOUNT_CLAIM),
        STEP("claim", MOUNT_CLAIM, MOUNT_OVER),
        [MOUNT_OVER] = {"over", 0},
};
static const struct sm_kind machine = SM_KIND("csi-mount", states, NULL);

struct mounting {
	struct csi *csi;
	struct sm sm;
	struct loop_task task;
	struct csi_turn turn;
	struct errand errand;
	struct csi_wish wish;
	const char *pod_ns, *pod_name;
	struct arena arena;
	struct csi_record record; /* of the use */
	struct csi_facts facts;
	struct csi_volume *volume;
	bool is_refresh;
	bool has_turn, is_new; /* new: published by this */
	struct json *tokens;   /* answers, by audience */
	size_t tokens_count;
	int64_t gid;
	struct err err;
	void (*done)(void *arg, const struct err *err);
	void *arg;
};

static void tick(struct mounting *m);

static struct csi_use *use_of(const struct mounting *m)
{
	return m->volume ? csi_use_of(m->volume, m->record.uid, m->record.name) : NULL;
}

static void go(struct mounting *m, enum mount_state next)
{
	sm_move(&m->sm, next);
	tick(m);
}

static void end(struct mounting *m)
{
	DCHECK(sm_state(&m->sm) != MOUNT_OVER);
	go(m, MOUNT_OVER);
}

__attribute__((format(printf, 3, 4))) static void fail(struct mounting *m, int code, const char *fmt, ...)
{
	char text[sizeof m->err.msg];
	va_list args;
	CHECK(code && !m->err.code); /* the first failure ends it */
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	err_set(&m->err, code, "%s", text);
	end(m);
}

/* What of it failed, as upstream calls it: while a device or a file system is made ready for all, or for one pod. */
static const char *part_of(const struct mounting *m, bool is_for_all)
{
	if (m->record.is_block)
		return is_for_all ? "MapVolume.SetUpDevice" : "MapVolume.MapPodDevice";
	return is_for_all ? "MountVolume.MountDevice" : "MountVolume.SetUp";
}

static void fail_part(struct mounting *m, bool is_for_all, const struct err *err)
{
	fail(m, err->code == ERR_BUSY ? ERR_UNAVAILABLE : err->code, "%s failed for volume \"%s\" : %s",
	        part_of(m, is_for_all), m->record.name, err->msg);
}

/* It may be gone by now. */
__attribute__((format(printf, 4, 5))) static void tell_pod(
        struct mounting *m, bool is_warning, const char *reason, const char *fmt, ...)
{
	struct pod *p = node_pod(m->csi->n, slice_of(m->record.uid));
	char text[1024];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (p)
		pod_event(p, NULL, is_warning, reason, "%s", text);
}

/* ---- what the API says of the driver ---- */

static void got_kind(void *arg, int status, struct slice body, const struct err *err)
{
	struct mounting *m = arg;
	if (err && err->code != ERR_NOT_FOUND) {
		fail(m, err->code, "%s failed for volume \"%s\" : kubernetes.io/csi: cannot get CSIDriver %s: %s",
		        part_of(m, false), m->record.name, m->record.driver, err->msg);
		return;
	}
	if (!err)
		m->facts.kind = json_get(json_parse(&m->arena, body, NULL, NULL), "spec");
	const char *mode = m->record.is_inline ? "Ephemeral" : "Persistent";
	if (!csi_kind_has_mode(m->facts.kind, mode))
		fail(m, ERR_INVAL,
		        "%s failed for volume \"%s\" : kubernetes.io/csi: mounter.SetUpAt failed to check volume "
		        "lifecycle mode: volume mode \"%s\" not supported by driver %s%s",
		        part_of(m, false), m->record.name, mode, m->record.driver,
		        m->facts.kind ? "" : " (no CSIDriver object)");
	else
		go(m, MOUNT_ATTACHMENT);
}

static void ask_kind(struct mounting *m)
{
	api_send(m->csi->n, "GET", NULL, SLICE_NULL, got_kind, m, "/apis/storage.k8s.io/v1/csidrivers/%s",
	        m->record.driver);
}

/* ---- the attachment ---- */

static bool has_name(struct slice list, const char *name)
{
	struct arena a = ARENA_INIT;
	bool found = false;
	JSON_FOREACH (it, list.len ? json_parse(&a, list, NULL, NULL) : NULL)
		found = found || slice_is(it->type == JSON_OBJECT ? json_get_str(it, "name") : json_str(it), name);
	arena_release(&a);
	return found;
}

/* The Node says that the volume is attached, and knows that we use it: so it is not detached behind our back. */
static bool is_attached(const struct mounting *m)
{
	struct node *n = m->csi->n;
	struct informer_object *o = n->node_informer ? informer_get(n->node_informer, slice_of(n->o.node_name)) : NULL;
	struct arena a = ARENA_INIT;
	const char *name = arena_printf(&a, CSI_PLUGIN "/%s^%s", m->record.driver, m->record.handle);
	bool found = o && has_name(json_find(informer_text(o), "status", "volumesInUse", NULL), name) &&
	             has_name(json_find(informer_text(o), "status", "volumesAttached", NULL), name);
	arena_release(&a);
	return found;
}

/* In the first two minutes nothing is told but by the controller that attaches. */
static void wait_for_attachment(struct mounting *m)
{
	struct csi_use *u = use_of(m);
	CHECK(u);
	uint64_t now = loop_now_ms(m->csi->n->loop);
	if (!u->waits_since_ms)
		u->waits_since_ms = now;
	if (now - u->waits_since_ms < ATTACH_TOLD_MS)
		fail(m, ERR_BUSY, "volume %s is not attached yet", m->record.name);
	else
		fail(m, ERR_TIMEOUT,
		        "Unable to attach or mount volumes: unmounted volumes=[%.*s], unattached volumes=[%.*s], "
		        "failed to process volumes=[]: context deadline exceeded",
		        SLICE_FMT(m->wish.volume), SLICE_FMT(m->wish.volume));
}

static void got_attachment(void *arg, int status, struct slice body, const struct err *err)
{
	struct mounting *m = arg;
	struct json *o = err ? NULL : json_parse(&m->arena, body, NULL, NULL), *st = json_get(o, "status");
	if (!use_of(m))
		fail(m, ERR_CANCELED, "its pod is gone");
	else if (err && err->code != ERR_NOT_FOUND && err->code != ERR_FORBIDDEN)
		fail(m, err->code, "MountVolume.WaitForAttach failed for volume \"%s\" : %s", m->record.name, err->msg);
	else if (!json_get_bool(st, "attached", false) || json_path(o, "metadata", "deletionTimestamp", NULL))
		wait_for_attachment(m);
	else {
		use_of(m)->waits_since_ms = 0;
		m->facts.publish_context = json_get(st, "attachmentMetadata");
		go(m, MOUNT_STAGE_SECRET);
	}
}

static void set_attachment(struct mounting *m)
{
	struct csi *c = m->csi;
	const char *name = csi_attachment_name(&m->arena, m->record.handle, m->record.driver, c->n->o.node_name);
	m->record.attachment = name;
	CHECK(m->volume->attachment);
	if (strcmp(m->volume->attachment, name) == 0)
		return;
	free(m->volume->attachment);
	m->volume->attachment = xstrdup(name);
	c->callbacks->in_use_changed(c->n);
}

static void ask_attachment(struct mounting *m)
{
	if (m->record.is_inline || !csi_kind_attaches(m->facts.kind)) {
		go(m, MOUNT_STAGE_SECRET);
		return;
	}
	set_attachment(m);
	if (!use_of(m)->is_published && !is_attached(m))
		wait_for_attachment(m);
	else
		api_send(m->csi->n, "GET", NULL, SLICE_NULL, got_attachment, m,
		        "/apis/storage.k8s.io/v1/volumeattachments/%s", m->record.attachment);
}

/* ---- secrets ---- */

static const struct {
	const char *ref;
	enum mount_state next;
} secrets[] = {
        [MOUNT_STAGE_SECRET] = {"nodeStageSecretRef", MOUNT_PUBLISH_SECRET},
        [MOUNT_PUBLISH_SECRET] = {"nodePublishSecretRef", MOUNT_EXPAND_SECRET},
        [MOUNT_EXPAND_SECRET] = {"nodeExpandSecretRef", MOUNT_TOKENS},
};

static void got_secret(void *arg, int status, struct slice body, const struct err *err)
{
	struct mounting *m = arg;
	int state = sm_state(&m->sm);
	CHECK(state >= MOUNT_STAGE_SECRET && state <= MOUNT_EXPAND_SECRET);
	const struct json *secret = err ? NULL : json_parse(&m->arena, body, NULL, NULL);
	if (err) {
		fail(m, err->code, "%s failed for volume \"%s\" : fetching %s failed: %s",
		        part_of(m, state == MOUNT_STAGE_SECRET), m->record.name, secrets[state].ref, err->msg);
		return;
	}
	if (state == MOUNT_STAGE_SECRET)
		m->facts.stage_secret = secret;
	else if (state == MOUNT_PUBLISH_SECRET)
		m->facts.publish_secret = secret;
	else
		m->facts.expand_secret = secret;
	go(m, secrets[state].next);
}

static void ask_secret(struct mounting *m)
{
	const struct json *ref = json_get(m->wish.source, secrets[sm_state(&m->sm)].ref);
	const char *ns = json_cstr(&m->arena, json_get(ref, "namespace"));
	const char *name = json_cstr(&m->arena, json_get(ref, "name"));
	if (!*name)
		go(m, secrets[sm_state(&m->sm)].next);
	else
		api_send(m->csi->n, "GET", NULL, SLICE_NULL, got_secret, m, "/api/v1/namespaces/%s/secrets/%s",
		        m->record.is_inline ? m->pod_ns : ns, name);
}

/* ---- tokens ---- */

static void got_token(void *arg, int status, struct slice body, const struct err *err)
{
	struct mounting *m = arg;
	struct arena *a = &m->arena;
	if (err) {
		fail(m, err->code,
		        "MountVolume.SetUp failed for volume \"%s\" : mounter.SetUpAt failed to get service "
		        "account token attributes: %s",
		        m->record.name, err->msg);
		return;
	}
	struct json *st = json_get(json_parse(a, body, NULL, NULL), "status"), *o = json_new(a, JSON_OBJECT);
	struct json *request = json_at(json_get(m->facts.kind, "tokenRequests"), m->tokens_count++);
	json_set_str(a, o, "token", json_get_str(st, "token"));
	json_set_str(a, o, "expirationTimestamp", json_get_str(st, "expirationTimestamp"));
	json_set_slice(a, m->tokens, json_get_str(request, "audience"), o);
	go(m, MOUNT_TOKENS);
}

static void ask_token(struct mounting *m)
{
	struct arena *a = &m->arena;
	struct json *request = json_at(json_get(m->facts.kind, "tokenRequests"), m->tokens_count);
	if (!request) {
		struct strbuf b = STRBUF_INIT;
		if (m->tokens_count) {
			json_write(&b, m->tokens);
			m->facts.tokens = arena_strdup(a, strbuf_cstr(&b));
		}
		strbuf_release(&b);
		go(m, MOUNT_TURN);
		return;
	}
	struct json *body = json_new(a, JSON_OBJECT), *spec = json_need(a, body, "spec", JSON_OBJECT),
	            *bound = json_need(a, spec, "boundObjectRef", JSON_OBJECT),
	            *audiences = json_need(a, spec, "audiences", JSON_ARRAY);
	json_set_cstr(a, body, "apiVersion", "authentication.k8s.io/v1");
	json_set_cstr(a, body, "kind", "TokenRequest");
	if (json_get(request, "expirationSeconds"))
		json_set_int(a, spec, "expirationSeconds", json_get_int(request, "expirationSeconds", 3600));
	if (json_get_str(request, "audience").len)
		json_append(audiences, json_new_str(a, json_get_str(request, "audience")));
	json_set_cstr(a, bound, "apiVersion", "v1");
	json_set_cstr(a, bound, "kind", "Pod");
	json_set_cstr(a, bound, "name", m->pod_name);
	json_set_cstr(a, bound, "uid", m->record.uid);
	api_send_json(m->csi->n, "POST", NULL, body, got_token, m, "/api/v1/namespaces/%s/serviceaccounts/%s/token",
	        m->pod_ns, json_cstr(a, json_path(m->facts.pod, "spec", "serviceAccountName", NULL)));
}

/* ---- the driver ---- */

/* NULL: it has failed. */
static struct csi_driver *need_driver(struct mounting *m, bool is_for_all)
{
	struct err err = ERR_INIT;
	struct csi_driver *d = m->csi->is_closing ? NULL : driver_find(m->csi->drivers, m->record.driver, &err);
	DCHECK(m->record.driver && m->volume);
	if (m->csi->is_closing)
		fail(m, ERR_CANCELED, "the node closes");
	else if (!d)
		fail(m, err.code, "%s failed for volume \"%s\" : kubernetes.io/csi: %s: %s", part_of(m, is_for_all),
		        m->record.name,
		        is_for_all ? "attacher.MountDevice failed to create newCsiDriverClient"
		                   : "mounter.SetUpAt failed to get CSI client",
		        err.msg);
	return d;
}

static bool stages(const struct mounting *m, const struct csi_driver *d)
{
	return !m->record.is_inline && (d->capabilities & CSI_STAGES);
}

static void staged(void *arg, const void *answer, const struct err *err)
{
	struct mounting *m = arg;
	if (err) {
		fail_part(m, true, err);
		return;
	}
	CHECK(m->has_turn && m->volume->may_be_staged);
	m->volume->is_staged = true;
	go(m, MOUNT_PUBLISHING);
}

static void stage(struct mounting *m)
{
	struct csi_volume *v = m->volume;
	struct csi_driver *d = need_driver(m, !m->record.is_inline);
	if (!d)
		return;
	m->facts.capabilities = d->capabilities;
	if (use_of(m)->is_published || (!stages(m, d) && !m->record.is_block) || v->is_staged) {
		go(m, MOUNT_PUBLISHING);
		return;
	}
	struct err err = ERR_INIT;
	struct csi_record record = csi_staged_record(v);
	if (record_write(m->csi->root, &record, &err) != 0) {
		fail_part(m, true, &err);
		return;
	}
	v->may_be_staged = true;
	if (!stages(m, d))
		go(m, MOUNT_PUBLISHING);
	else
		rpc_call(d->rpc, NODE "NodeStageVolume", &csi_stage_request(&m->arena, &m->facts)->base, EMPTY,
		        CSI_CALL_MS, staged, m);
}

static void published(void *arg, const void *answer, const struct err *err)
{
	struct mounting *m = arg;
	struct csi_use *u = use_of(m);
	if (err) {
		fail_part(m, false, err);
		return;
	}
	m->is_new = !u->is_published;
	u->is_published = true;
	if (m->is_new)
		csi_stats_ask(u);
	go(m, MOUNT_GIVING);
}

static void publish(struct mounting *m)
{
	struct csi_use *u = use_of(m);
	struct csi_driver *d = need_driver(m, false);
	struct err err = ERR_INIT;
	if (!d)
		return;
	u->is_known = true;
	u->republishes = csi_kind_republishes(m->facts.kind);
	if (u->is_published && !u->republishes) {
		go(m, MOUNT_GIVING);
		return;
	}
	if (record_write(m->csi->root, &m->record, &err) != 0) {
		fail_part(m, false, &err);
		return;
	}
	u->may_be_published = true;
	rpc_call(d->rpc, NODE "NodePublishVolume", &csi_publish_request(&m->arena, &m->facts)->base, EMPTY, CSI_CALL_MS,
	        published, m);
}

/* ---- fsGroup ---- */

static void give(struct errand *e)
{
	struct mounting *m = CONTAINER_OF(e, struct mounting, errand);
	bool on_mismatch =
	        slice_is(json_str(json_path(m->facts.pod, "spec", "securityContext", "fsGroupChangePolicy", NULL)),
	                "OnRootMismatch");
	volume_give_to_group(m->facts.publish_path, m->gid, on_mismatch, &m->err);
}

static void given(struct errand *e)
{
	struct mounting *m = CONTAINER_OF(e, struct mounting, errand);
	struct err err = m->err;
	if (err.code) {
		use_of(m)->is_published = false; /* so that it is done again */
		fail(m, err.code, "MountVolume.SetUp failed for volume \"%s\" : applyFSGroup failed for vol %s: %s",
		        m->record.name, m->record.handle, err.msg);
	} else {
		go(m, MOUNT_EXPANDING);
	}
}

static void give_to_group(struct mounting *m)
{
	m->gid = m->is_new ? csi_group_to_give(&m->facts) : -1;
	if (m->gid < 0)
		go(m, MOUNT_EXPANDING);
	else if (!errand_start(m->csi->n, &m->errand, give, given)) {
		use_of(m)->is_published = false;
		fail(m, ERR_BUSY, "too much blocking work is queued");
	}
}

/* ---- growth ---- */

static struct slice new_size(const struct csi_wish *w)
{
	return json_str(json_path(w->pv, "spec", "capacity", "storage", NULL));
}

/* The volume is larger than the claim says, and somebody waits for its file system. */
static bool wants_growth(const struct csi_wish *w)
{
	const struct json *st = json_get(w->claim, "status");
	bool is_pending = false;
	JSON_FOREACH (it, json_get(st, "conditions"))
		is_pending = is_pending || (slice_is(json_get_str(it, "type"), "FileSystemResizePending") &&
		                                   slice_is(json_get_str(it, "status"), "True"));
	return is_pending &&
	       quantity_text_value(new_size(w)) > quantity_json_value(json_path(st, "capacity", "storage", NULL));
}

static void claim_written(void *arg, int status, struct slice body, const struct err *err)
{
	struct mounting *m = arg;
	if (err)
		fail(m, err->code, "NodeExpandVolume.MarkVolumeAsResized failed for volume \"%s\" : %s", m->record.name,
		        err->msg);
	else
		end(m);
}

static void write_claim(struct mounting *m)
{
	struct arena *a = &m->arena;
	struct json *body = json_new(a, JSON_OBJECT), *st = json_need(a, body, "status", JSON_OBJECT),
	            *list = json_need(a, st, "conditions", JSON_ARRAY);
	json_set_str(a, json_need(a, st, "capacity", JSON_OBJECT), "storage", new_size(&m->wish));
	json_set(a, st, "allocatedResourceStatuses", json_new(a, JSON_NULL));
	JSON_FOREACH (it, json_path(m->wish.claim, "status", "conditions", NULL))
		if (!slice_is(json_get_str(it, "type"), "FileSystemResizePending") &&
		        !slice_is(json_get_str(it, "type"), "Resizing"))
			json_append(list, json_copy(a, it));
	api_send_json(m->csi->n, "PATCH", API_MERGE_PATCH, body, claim_written, m,
	        "/api/v1/namespaces/%s/persistentvolumeclaims/%s/status", m->pod_ns,
	        json_cstr(a, json_path(m->wish.claim, "metadata", "name", NULL)));
}

static void expanded(void *arg, const void *answer, const struct err *err)
{
	struct mounting *m = arg;
	if (err) {
		tell_pod(m, true, "VolumeResizeFailed",
		        "NodeExpandVolume.NodeExpandVolume failed for volume \"%s\" : %s", m->record.name, err->msg);
		end(m); /* the pod can do with what it has */
		return;
	}
	tell_pod(m, false, "FileSystemResizeSuccessful", "MountVolume.NodeExpandVolume succeeded for volume \"%s\" %s",
	        m->record.name, m->csi->n->o.node_name);
	go(m, MOUNT_CLAIM);
}

static void expand(struct mounting *m)
{
	struct csi_driver *d = need_driver(m, false);
	if (!d)
		return;
	if (m->record.is_inline || !(d->capabilities & CSI_EXPANDS) || !wants_growth(&m->wish))
		end(m);
	else
		rpc_call(d->rpc, NODE "NodeExpandVolume",
		        &csi_expand_request(&m->arena, &m->facts, quantity_text_value(new_size(&m->wish)))->base,
		        &csi__v1__node_expand_volume_response__descriptor, CSI_CALL_MS, expanded, m);
}

/* ---- the machine ---- */

static void our_turn(struct csi_turn *t)
{
	struct mounting *m = CONTAINER_OF(t, struct mounting, turn);
	m->has_turn = true;
	go(m, MOUNT_STAGING);
}

static void refreshed(struct mounting *m)
{
	struct csi_use *u = use_of(m);
	if (u)
		u->is_refreshing = false;
	if (m->err.code && m->err.code != ERR_CANCELED && m->err.code != ERR_BUSY)
		tell_pod(m, true, m->record.is_block ? "FailedMapVolume" : "FailedMount", "%s", m->err.msg);
}

static void over(struct mounting *m)
{
	struct csi_volume *v = m->volume;
	bool had_turn = m->has_turn;
	struct node *n = m->csi->n;
	if (m->is_refresh)
		refreshed(m);
	else
		m->done(m->arg, m->err.code ? &m->err : NULL);
	arena_release(&m->arena);
	free(m);
	if (v)
		v->holds--;
	if (had_turn)
		csi_turn_give(v);
	else if (v)
		csi_volume_settle(v);
	closing_part_done(&n->parts);
}

static void tick(struct mounting *m)
{
	LOOP_CHECK_OWNER(m->csi->n->loop);
	if (sm_state(&m->sm) != MOUNT_OVER && !use_of(m)) {
		fail(m, ERR_CANCELED, "its pod is gone");
		return;
	}
	switch ((enum mount_state)sm_state(&m->sm)) {
	case MOUNT_BEGUN:
		break;
	case MOUNT_KIND:
		ask_kind(m);
		break;
	case MOUNT_ATTACHMENT:
		ask_attachment(m);
		break;
	case MOUNT_STAGE_SECRET:
	case MOUNT_PUBLISH_SECRET:
	case MOUNT_EXPAND_SECRET:
		ask_secret(m);
		break;
	case MOUNT_TOKENS:
		ask_token(m);
		break;
	case MOUNT_TURN:
		csi_turn_take(m->volume, &m->turn);
		break;
	case MOUNT_STAGING:
		stage(m);
		break;
	case MOUNT_PUBLISHING:
		publish(m);
		break;
	case MOUNT_GIVING:
		give_to_group(m);
		break;
	case MOUNT_EXPANDING:
		expand(m);
		break;
	case MOUNT_CLAIM:
		write_claim(m);
		break;
	case MOUNT_OVER:
		over(m);
		break;
	}
}

/* ---- the door ---- */

static void fill_record(struct csi *c, const struct csi_wish *w, struct arena *a, struct csi_record *r)
{
	*r = (struct csi_record){.uid = w->pod->uid,
	        .node = c->n->o.node_name,
	        .driver = json_cstr(a, json_get(w->source, "driver")),
	        .is_inline = !w->pv,
	        .is_block = w->is_block};
	r->handle = w->pv ? json_cstr(a, json_get(w->source, "volumeHandle"))
	                  : csi_inline_handle(a, w->pod->uid, w->volume);
	r->name = w->pv ? json_cstr(a, json_path(w->pv, "metadata", "name", NULL))
	                : arena_memdup(a, w->volume.ptr, w->volume.len);
}

const char *csi_mount_path(struct csi *c, const struct csi_wish *wish, struct arena *a)
{
	struct csi_record r;
	fill_record(c, wish, a, &r);
	return record_publish_path(a, c->root, &r);
}

/* A name that is no name of a folder: the API lets no such thing in. */
static bool is_right(const struct csi_record *r)
{
	return *r->driver && r->driver[0] != '.' && !strchr(r->driver, '/') && *r->handle && *r->name &&
	       r->name[0] != '.' && !strchr(r->name, '/');
}

static void begin(struct loop_task *t)
{
	struct mounting *m = CONTAINER_OF(t, struct mounting, task);
	struct csi *c = m->csi;
	if (c->is_closing || !is_right(&m->record)) {
		fail(m, c->is_closing ? ERR_CANCELED : ERR_INVAL, "%s failed for volume \"%s\" : %s", part_of(m, false),
		        m->record.name, c->is_closing ? "the node closes" : "its driver, handle or name is no name");
		return;
	}
	m->volume =
	        m->is_refresh ? csi_volume_find(c, m->record.driver, m->record.handle) : csi_volume_need(c, &m->record);
	if (m->volume)
		m->volume->holds++;
	struct csi_use *u = m->is_refresh ? use_of(m) : csi_use_need(m->volume, m->record.uid, m->record.name);
	if (!u) {
		fail(m, ERR_CANCELED, "its pod is gone");
		return;
	}
	struct csi_record staged = csi_staged_record(m->volume);
	m->facts.staging_path = record_staging_path(&m->arena, c->root, &staged);
	if (!u->alias)
		u->alias = xmemdup(m->wish.volume.ptr, m->wish.volume.len);
	if (m->wish.claim && !u->claim) {
		struct slice claim = json_str(json_path(m->wish.claim, "metadata", "name", NULL));
		u->claim_ns = xstrdup(m->pod_ns);
		u->claim = xmemdup(claim.ptr ? claim.ptr : "", claim.len);
	}
	if (u->is_published && !m->is_refresh)
		end(m); /* the refresh sees to the rest */
	else
		go(m, MOUNT_KIND);
}

static struct mounting *new_mounting(struct csi *c, const struct csi_wish *wish)
{
	struct mounting *m = xcalloc(1, sizeof *m);
	*m = (struct mounting){.csi = c, .wish = *wish, .gid = -1};
	m->turn.run = our_turn;
	fill_record(c, wish, &m->arena, &m->record);
	m->record.uid = arena_strdup(&m->arena, wish->pod->uid);
	m->pod_ns = arena_strdup(&m->arena, wish->pod->ns);
	m->pod_name = arena_strdup(&m->arena, wish->pod->name);
	m->tokens = json_new(&m->arena, JSON_OBJECT);
	m->facts = (struct csi_facts){.driver = m->record.driver,
	        .handle = m->record.handle,
	        .source = wish->source,
	        .pv_spec = json_get(wish->pv, "spec"),
	        .pod = wish->pod->object,
	        .is_block = wish->is_block,
	        .is_read_only = wish->is_read_only,
	        .publish_path = record_publish_path(&m->arena, c->root, &m->record)};
	sm_init(&m->sm, &machine, MOUNT_BEGUN, m->record.name);
	m->task.run = begin;
	closing_hold(&c->n->parts);
	loop_post(c->n->loop, &m->task);
	return m;
}

void csi_mount(struct csi *c, const struct csi_wish *wish, void (*done)(void *arg, const struct err *err), void *arg)
{
	LOOP_CHECK_OWNER(c->n->loop);
	CHECK(done && wish->source);
	struct mounting *m = new_mounting(c, wish);
	m->done = done;
	m->arg = arg;
}

/* What the wish points to may be gone before it ends. */
static void keep(struct mounting *m)
{
	struct arena *a = &m->arena;
	struct csi_wish *w = &m->wish;
	w->pod = NULL;
	w->volume = slice_of(arena_memdup(a, w->volume.ptr, w->volume.len));
	w->pv = w->pv ? json_copy(a, w->pv) : NULL;
	w->claim = w->claim ? json_copy(a, w->claim) : NULL;
	w->source = w->pv ? json_path(w->pv, "spec", "csi", NULL) : json_copy(a, w->source);
	m->facts.pod = json_copy(a, m->facts.pod);
	m->facts.source = w->source;
	m->facts.pv_spec = json_get(w->pv, "spec");
}

void csi_refresh(struct csi *c, const struct csi_wish *wish)
{
	LOOP_CHECK_OWNER(c->n->loop);
	struct arena a = ARENA_INIT;
	struct csi_record r;
	fill_record(c, wish, &a, &r);
	struct csi_volume *v = csi_volume_find(c, r.driver, r.handle);
	struct csi_use *u = v ? csi_use_of(v, r.uid, r.name) : NULL;
	DCHECK(wish->pod && wish->source);
	bool is_due = u && !u->is_refreshing && (!u->is_known || u->republishes || wants_growth(wish));
	arena_release(&a);
	if (!is_due || c->is_closing)
		return;
	struct mounting *m = new_mounting(c, wish);
	m->is_refresh = u->is_refreshing = true;
	keep(m);
}

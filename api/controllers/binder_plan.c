/* See binder_plan.h. Binding is four writes, and any of them may be the last before a crash:
 *
 *     1  volume.spec.claimRef         the volume is the claim's: from here on no other claim gets it
 *     2  volume.status.phase          Bound
 *     3  claim.spec.volumeName        and the annotation bind-completed: from here on the claim is never bound anew
 *     4  claim.status                 Bound, with access modes and capacity
 *
 * A plan looks at both objects as they are and names the first write that is missing, so whoever continues ends in the
 * same place. All writes carry the version that was read: of two binders, or of two claims that want one volume, one
 * wins, and the other looks again.
 *
 *     claim:   Pending --bound--> Bound --volume gone, or another's--> Lost (for good)
 *     volume:  Pending --> Available <--> Bound --claim gone--> Released --> (deleted by its provisioner), or Failed
 *
 * A claim that was bound once and whose volume is no more is Lost, and never bound to another: what it stood for, the
 * data, is gone. A volume that was bound once is never given to another claim but by an administrator.
 *
 * Upstream: pkg/controller/volume/persistentvolume/pv_controller.go; events and their words are its. */
#include "api/controllers/binder_plan.h"

#include "api/machinery/codec/quantity.h"
#include "base/json/scan.h"

static struct json *tree(struct arena *a, struct slice text)
{
	struct json *object = json_parse(a, text, NULL, NULL);
	return object ? object : json_new(a, JSON_OBJECT);
}

static struct json *annotations(struct arena *a, struct json *object)
{
	return json_need(a, json_need(a, object, "metadata", JSON_OBJECT), "annotations", JSON_OBJECT);
}

static void tell(struct binder_step *s, bool about_volume, bool is_warning, const char *reason, const char *message)
{
	s->events[s->n_events++] = (struct binder_event){about_volume, is_warning, reason, message};
}

static struct binder_step write(enum binder_step_kind kind, struct json *object)
{
	return (struct binder_step){.kind = kind, .object = object};
}

static struct binder_step done(void)
{
	return (struct binder_step){.kind = BINDER_DONE};
}

/* ---- statuses ---- */

static struct binder_step volume_phase(
        struct arena *a, const struct volume_view *v, const char *phase, const char *message, const char *now)
{
	if (slice_is(v->phase, phase))
		return done();
	struct json *object = tree(a, v->text), *status = json_need(a, object, "status", JSON_OBJECT);
	json_set_cstr(a, status, "phase", phase);
	json_del(status, "message");
	if (message)
		json_set_cstr(a, status, "message", message);
	json_set_cstr(a, status, "lastPhaseTransitionTime", now);
	return write(BINDER_VOLUME_STATUS, object);
}

static struct binder_step volume_failed(
        struct arena *a, const struct volume_view *v, const char *reason, const char *message, const char *now)
{
	struct binder_step s = volume_phase(a, v, "Failed", message, now);
	if (s.kind != BINDER_DONE)
		tell(&s, true, true, reason, message);
	return s;
}

/* Phase, and what goes with it: of a bound claim the volume's access modes and size, of another neither. */
static struct binder_step claim_phase(
        struct arena *a, const struct claim_view *c, const char *phase, const struct volume_view *v)
{
	struct json *object = tree(a, c->text), *status = json_need(a, object, "status", JSON_OBJECT);
	bool is_new = !slice_is(c->phase, phase), changed = is_new;
	if (is_new)
		json_set_cstr(a, status, "phase", phase);
	if (!v) {
		changed |= json_del(status, "accessModes");
		changed |= json_del(status, "capacity");
		return changed ? write(BINDER_CLAIM_STATUS, object) : done();
	}
	struct json *spec = json_get(tree(a, v->text), "spec"), *modes = json_get(spec, "accessModes");
	if (!json_equal(json_get(status, "accessModes"), modes)) {
		json_set(a, status, "accessModes", json_copy(a, modes));
		changed = true;
	}
	/* Later the two may differ: a file system that has not grown with its device yet. */
	struct json *capacity = json_get(spec, "capacity");
	if (is_new && capacity && !json_equal(json_get(status, "capacity"), capacity))
		json_set(a, status, "capacity", json_copy(a, capacity));
	return changed ? write(BINDER_CLAIM_STATUS, object) : done();
}

static struct binder_step claim_lost(
        struct arena *a, const struct claim_view *c, const char *reason, const char *message)
{
	if (slice_is(c->phase, "Lost"))
		return done();
	struct binder_step s = claim_phase(a, c, "Lost", NULL);
	tell(&s, false, true, reason, message);
	return s;
}

/* ---- the four writes ---- */

static struct binder_step point_to_volume(struct arena *a, const struct claim_view *c, const struct volume_view *v)
{
	struct json *object = tree(a, c->text), *marks = annotations(a, object);
	if (!slice_eq(c->volume, v->name)) {
		json_set_str(a, json_need(a, object, "spec", JSON_OBJECT), "volumeName", v->name);
		if (!c->by_controller)
			json_set_cstr(a, marks, VOLUME_BOUND_BY_CONTROLLER, "yes");
	}
	json_set_cstr(a, marks, VOLUME_BIND_COMPLETED, "yes");
	return write(BINDER_CLAIM, object);
}

static struct binder_step bind(
        struct arena *a, const struct volume_view *v, const struct claim_view *c, const char *now)
{
	if (!volume_is_for(v, c) || !slice_eq(v->claim_uid, c->uid))
		return write(BINDER_VOLUME, volume_point_to_claim(a, v, c));
	struct binder_step s = volume_phase(a, v, "Bound", NULL, now);
	if (s.kind != BINDER_DONE)
		return s;
	if (!slice_eq(c->volume, v->name) || !c->was_bound)
		return point_to_volume(a, c, v);
	return claim_phase(a, c, "Bound", v);
}

/* ---- claims ---- */

static struct binder_step claim_pending(struct arena *a, const struct claim_view *c, struct binder_event event)
{
	struct binder_step s = claim_phase(a, c, "Pending", NULL);
	if (event.reason)
		s.events[s.n_events++] = event;
	return s;
}

static struct binder_event waiting(const struct binder_world *w, struct arena *a, const struct claim_view *c)
{
	size_t count;
	const char *pods = w->waiting_pods(w->arg, a, c, &count);
	if (!count)
		return (struct binder_event){.reason = "WaitForFirstConsumer",
		        .message = "waiting for first consumer to be created before binding"};
	return (struct binder_event){.reason = "WaitForPodScheduled",
	        .message = arena_printf(a, "waiting for pod%s %s to be scheduled", count > 1 ? "s" : "", pods)};
}

/* Whoever makes the volume is not us: the annotation is for him, the event for the user. */
static struct binder_step provision(const struct binder_world *w, struct arena *a, const struct claim_view *c)
{
	struct binder_step s = done();
	struct slice class = w->storage_class(w->arg, c->class), by = json_find(class, "provisioner", NULL);
	if (!class.ptr) {
		tell(&s, false, true, "ProvisioningFailed",
		        arena_printf(a, "storageclass.storage.k8s.io \"%.*s\" not found", SLICE_FMT(c->class)));
		return s;
	}
	if (slice_starts(by, "kubernetes.io/")) {
		tell(&s, false, true, "ProvisioningFailed",
		        arena_printf(a, "no volume plugin matched name: %.*s", SLICE_FMT(by)));
		return s;
	}
	if (!slice_eq(json_find(c->annotations, VOLUME_STORAGE_PROVISIONER, NULL), by)) {
		struct json *object = tree(a, c->text), *marks = annotations(a, object);
		json_set_str(a, marks, VOLUME_BETA_STORAGE_PROVISIONER, by);
		json_set_str(a, marks, VOLUME_STORAGE_PROVISIONER, by);
		return write(BINDER_CLAIM, object);
	}
	tell(&s, false, false, "ExternalProvisioning",
	        arena_printf(a,
	                "Waiting for a volume to be created either by the external provisioner '%.*s' or manually by "
	                "the system administrator. If volume creation is delayed, please verify that the provisioner "
	                "is running and correctly registered.",
	                SLICE_FMT(by)));
	return s;
}

static struct binder_step find_volume(
        const struct binder_world *w, struct arena *a, const struct claim_view *c, const char *now)
{
	bool waits = c->class.len && storage_class_waits(w->storage_class(w->arg, c->class));
	struct volume_search search = {.claim = c, .waits_for_consumer = waits};
	volume_search_start(&search, a);
	w->offer(w->arg, &search);
	const struct volume_view *best = volume_search_end(&search);
	if (best)
		return bind(a, best, c, now);
	struct slice fallback = c->has_class ? SLICE_NULL : w->default_class(w->arg);
	if (fallback.len) {
		struct json *object = tree(a, c->text);
		json_set_str(a, json_need(a, object, "spec", JSON_OBJECT), "storageClassName", fallback);
		return write(BINDER_CLAIM, object);
	}
	if (waits && !c->selected_node.len)
		return claim_pending(a, c, waiting(w, a, c));
	if (c->class.len)
		return provision(w, a, c);
	return claim_pending(a, c,
	        (struct binder_event){.reason = "FailedBinding",
	                .message = "no persistent volumes available for this claim and no storage class is set"});
}

/* The claim names its volume. */
static struct binder_step take_volume(
        const struct binder_world *w, struct arena *a, const struct claim_view *c, const char *now)
{
	struct slice text = w->volume(w->arg, c->volume);
	struct volume_view v;
	if (!text.ptr)
		return claim_pending(a, c, (struct binder_event){0}); /* it may come */
	volume_view_read(text, &v);
	if (volume_is_for(&v, c))
		return bind(a, &v, c, now);
	if (!v.has_claim) {
		const char *mismatch = volume_mismatch(&v, c);
		if (!mismatch)
			return bind(a, &v, c, now);
		return claim_pending(a, c,
		        (struct binder_event){.is_warning = true,
		                .reason = "VolumeMismatch",
		                .message = arena_printf(a, "Cannot bind to requested volume \"%.*s\": %s",
		                        SLICE_FMT(v.name), mismatch)});
	}
	return claim_pending(a, c,
	        (struct binder_event){.is_warning = true,
	                .reason = "FailedBinding",
	                .message = arena_printf(
	                        a, "volume \"%.*s\" already bound to a different claim.", SLICE_FMT(v.name))});
}

static struct binder_step keep_volume(
        const struct binder_world *w, struct arena *a, const struct claim_view *c, const char *now)
{
	struct slice text = w->volume(w->arg, c->volume);
	struct volume_view v;
	if (!c->volume.len)
		return claim_lost(a, c, "ClaimLost",
		        "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!");
	if (!text.ptr)
		return claim_lost(
		        a, c, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
	volume_view_read(text, &v);
	if (v.has_claim && !slice_eq(v.claim_uid, c->uid))
		return claim_lost(a, c, "ClaimMisbound",
		        "Two claims are bound to the same volume, this one is bound incorrectly");
	return bind(a, &v, c, now);
}

struct binder_step binder_plan_claim(
        const struct binder_world *w, struct arena *a, const struct claim_view *c, const char *now)
{
	if (c->was_bound)
		return keep_volume(w, a, c, now);
	return c->volume.len ? take_volume(w, a, c, now) : find_volume(w, a, c, now);
}

/* ---- volumes ---- */

/* What was ours is taken back; what a user reserved stays reserved. */
static struct binder_step unbind(struct arena *a, const struct volume_view *v)
{
	struct json *object = tree(a, v->text), *spec = json_need(a, object, "spec", JSON_OBJECT);
	if (json_del(annotations(a, object), VOLUME_BOUND_BY_CONTROLLER))
		json_del(spec, "claimRef");
	else
		json_del(json_need(a, spec, "claimRef", JSON_OBJECT), "uid");
	return write(BINDER_VOLUME, object);
}

/* Delete is its provisioner's to do. One that nobody provisioned has nobody who deletes it. */
static struct binder_step delete_volume(struct arena *a, const struct volume_view *v, const char *now)
{
	struct slice host_path = json_find(v->text, "spec", "hostPath", "path", NULL);
	if (v->is_dying || json_find(v->annotations, VOLUME_PROVISIONED_BY, NULL).len)
		return done();
	return volume_failed(a, v, "VolumeFailedDelete",
	        host_path.len ? arena_printf(a, "host_path deleter only supports /tmp/.+ but received provided %.*s",
	                                SLICE_FMT(host_path))
	                      : arena_printf(a,
	                                "error getting deleter volume plugin for volume \"%.*s\": no deletable volume "
	                                "plugin matched",
	                                SLICE_FMT(v->name)),
	        now);
}

static struct binder_step reclaim(struct arena *a, const struct volume_view *v, const char *now)
{
	struct slice policy = json_find(v->text, "spec", "persistentVolumeReclaimPolicy", NULL);
	if (!slice_is(v->phase, "Released") && !slice_is(v->phase, "Failed"))
		return volume_phase(a, v, "Released", NULL, now);
	if (slice_is(policy, "Delete"))
		return delete_volume(a, v, now);
	if (slice_is(policy, "Recycle"))
		return volume_failed(a, v, "VolumeFailedRecycle", "No recycler plugin found for the volume!", now);
	return done();
}

static struct binder_step refuse_mode(struct arena *a, const struct volume_view *v, const struct claim_view *c)
{
	struct binder_step s = done();
	tell(&s, true, true, "VolumeMismatch",
	        arena_printf(a,
	                "Cannot bind PersistentVolume to requested PersistentVolumeClaim \"%.*s\" due to incompatible "
	                "volumeMode.",
	                SLICE_FMT(c->name)));
	tell(&s, false, true, "VolumeMismatch",
	        arena_printf(a,
	                "Cannot bind PersistentVolume \"%.*s\" to requested PersistentVolumeClaim due to incompatible "
	                "volumeMode.",
	                SLICE_FMT(v->name)));
	return s;
}

struct binder_step binder_plan_volume(
        const struct binder_world *w, struct arena *a, const struct volume_view *v, bool claim_is_gone, const char *now)
{
	struct claim_view c;
	if (!v->has_claim || !v->claim_uid.len)
		return volume_phase(a, v, "Available", NULL, now);
	struct slice text = w->claim(w->arg, v->claim_ns, v->claim_name);
	bool settled = slice_is(v->phase, "Released") || slice_is(v->phase, "Failed");
	if (text.ptr)
		claim_view_read(text, &c);
	if (!text.ptr || !slice_eq(c.uid, v->claim_uid))
		return claim_is_gone || settled ? reclaim(a, v, now) : (struct binder_step){.kind = BINDER_ASK_CLAIM};
	if (!c.volume.len)
		return v->is_block != c.is_block ? refuse_mode(a, v, &c)
		                                 : (struct binder_step){.kind = BINDER_WAKE_CLAIM};
	if (slice_eq(c.volume, v->name))
		return volume_phase(a, v, "Bound", NULL, now);
	if (json_find(v->annotations, VOLUME_PROVISIONED_BY, NULL).len &&
	        slice_is(json_find(v->text, "spec", "persistentVolumeReclaimPolicy", NULL), "Delete"))
		return reclaim(a, v, now);
	return unbind(a, v);
}

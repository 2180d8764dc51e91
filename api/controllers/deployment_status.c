/* The status of a deployment: counts, the conditions Available, Progressing and ReplicaFailure, and the revision in its
 * annotations, written in one patch and only when something differs. Upstream: pkg/controller/deployment/progress.go.
 */
#include "api/controllers/deployment_int.h"

#include <inttypes.h>

struct counts {
	int64_t observed, replicas, updated, ready, available, unavailable, collisions;
};

/* ---- counts ---- */

static struct counts count(struct rollout *y)
{
	struct counts k = {.observed = y->meta.generation, .collisions = y->collisions};
	int64_t wanted = 0;
	for (size_t i = 0; i < y->count; i++) {
		k.replicas += y->sets[i].status_replicas;
		k.ready += y->sets[i].ready;
		k.available += y->sets[i].available;
		wanted += y->sets[i].replicas;
	}
	k.updated = y->fresh ? y->fresh->status_replicas : 0;
	k.unavailable = wanted > k.available ? wanted - k.available : 0;
	return k;
}

static struct counts counts_of(const struct json *status)
{
	return (struct counts){
	        .observed = json_get_int(status, "observedGeneration", 0),
	        .replicas = json_get_int(status, "replicas", 0),
	        .updated = json_get_int(status, "updatedReplicas", 0),
	        .ready = json_get_int(status, "readyReplicas", 0),
	        .available = json_get_int(status, "availableReplicas", 0),
	        .unavailable = json_get_int(status, "unavailableReplicas", 0),
	        .collisions = json_get_int(status, "collisionCount", 0),
	};
}

static bool is_complete(struct rollout *y, const struct counts *k)
{
	return k->updated == y->replicas && k->replicas == y->replicas && k->available == y->replicas &&
	       k->observed >= y->meta.generation;
}

bool deployment_is_complete(struct rollout *y)
{
	struct counts k = count(y);
	return is_complete(y, &k);
}

static bool has_progressed(const struct counts *now, const struct counts *before)
{
	return now->updated > before->updated || now->replicas - now->updated < before->replicas - before->updated ||
	       now->ready > before->ready || now->available > before->available;
}

/* ---- conditions ---- */

static int64_t deadline_s(struct rollout *y)
{
	int64_t s = json_get_int(y->spec, "progressDeadlineSeconds", INT32_MAX);
	return s == INT32_MAX ? 0 : s;
}

static const char *set_name(struct rollout *y, const char *what)
{
	struct arena *a = &y->work->arena;
	return y->fresh ? arena_printf(a, "ReplicaSet \"%.*s\" %s", SLICE_FMT(y->fresh->meta.name), what)
	                : arena_printf(a, "Deployment \"%.*s\" %s", SLICE_FMT(y->meta.name), what);
}

/* That it is complete, but of a set that is no longer the new one: whoever made the new set did not come to say so. */
static bool tells_of_another(struct rollout *y, const struct json *condition)
{
	return y->fresh && slice_is(json_get_str(condition, "reason"), "NewReplicaSetAvailable") &&
	       !slice_is(json_get_str(condition, "message"), set_name(y, "has successfully progressed."));
}

static bool progressing_set(
        struct rollout *y, struct json *list, const char *status, const char *reason, const char *message)
{
	struct json *now = condition_find(list, "Progressing");
	if (now && slice_is(json_get_str(now, "status"), status) && slice_is(json_get_str(now, "reason"), reason) &&
	        !tells_of_another(y, now))
		return false;
	return condition_set(&y->work->arena, list, "Progressing", status, reason, message, "lastUpdateTime");
}

/* Progress was made: the clock of the deadline starts again, whatever the condition said. */
static bool progressing_renew(struct rollout *y, struct json *list)
{
	struct arena *a = &y->work->arena;
	struct json *c = condition_find(list, "Progressing");
	condition_set(
	        a, list, "Progressing", "True", "ReplicaSetUpdated", set_name(y, "is progressing."), "lastUpdateTime");
	c = condition_find(list, "Progressing");
	json_set_cstr(a, c, "lastUpdateTime", kube_time_text(a, 0));
	return true;
}

static bool is_timed_out(struct rollout *y, const struct json *condition)
{
	if (!condition || slice_is(json_get_str(condition, "reason"), "NewReplicaSetAvailable"))
		return false;
	if (slice_is(json_get_str(condition, "reason"), "ProgressDeadlineExceeded"))
		return true;
	return kube_time_now_s() > kube_time_parse(json_get_str(condition, "lastUpdateTime")) + deadline_s(y);
}

static bool judge_progress(struct rollout *y, struct json *list, const struct counts *now, const struct counts *before)
{
	struct json *condition = condition_find(list, "Progressing");
	if (!deadline_s(y))
		return condition_drop(list, "Progressing");
	bool is_outdated = condition && tells_of_another(y, condition);
	if ((!condition || is_outdated) && y->fresh && !y->progress_reason)
		progressing_set(y, list, "True", "FoundNewReplicaSet",
		        arena_printf(
		                &y->work->arena, "Found new replica set \"%.*s\"", SLICE_FMT(y->fresh->meta.name)));
	if (now->replicas == now->updated && condition && !is_outdated &&
	        slice_is(json_get_str(condition, "reason"), "NewReplicaSetAvailable"))
		return false;
	if (is_complete(y, now))
		return progressing_set(
		        y, list, "True", "NewReplicaSetAvailable", set_name(y, "has successfully progressed."));
	if (has_progressed(now, before))
		return progressing_renew(y, list);
	if (is_timed_out(y, condition))
		return progressing_set(
		        y, list, "False", "ProgressDeadlineExceeded", set_name(y, "has timed out progressing."));
	return false;
}

static bool judge_availability(struct rollout *y, struct json *list, const struct counts *k)
{
	int64_t most_missing = y->is_recreate ? 0 : (y->unavailable < y->replicas ? y->unavailable : y->replicas);
	bool enough = k->available >= y->replicas - most_missing;
	return condition_set(&y->work->arena, list, "Available", enough ? "True" : "False",
	        enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
	        enough ? "Deployment has minimum availability." : "Deployment does not have minimum availability.",
	        "lastUpdateTime");
}

static bool judge_failures(struct rollout *y, struct json *list)
{
	struct json *failure =
	        y->fresh ? condition_find(json_path(y->fresh->tree, "status", "conditions", NULL), "ReplicaFailure")
	                 : NULL;
	for (size_t i = 0; i < y->count && !failure; i++)
		failure = condition_find(json_path(y->sets[i].tree, "status", "conditions", NULL), "ReplicaFailure");
	if (!failure)
		return condition_drop(list, "ReplicaFailure");
	struct arena *a = &y->work->arena;
	return condition_set(a, list, "ReplicaFailure", json_cstr(a, json_get(failure, "status")),
	        json_cstr(a, json_get(failure, "reason")), json_cstr(a, json_get(failure, "message")),
	        "lastUpdateTime");
}

/* A rollout that does not move has to be looked at when its deadline is over. */
static void watch_deadline(struct rollout *y, const struct json *list, const struct counts *k)
{
	struct json *c = condition_find(list, "Progressing");
	struct slice reason = json_get_str(c, "reason");
	if (!c || !deadline_s(y) || is_complete(y, k) || slice_is(reason, "ProgressDeadlineExceeded") ||
	        slice_is(reason, "NewReplicaSetAvailable"))
		return;
	int64_t left = kube_time_parse(json_get_str(c, "lastUpdateTime")) + deadline_s(y) - kube_time_now_s();
	work_again(y->work, (left < 0 ? 0 : left + 1) * 1000);
}

/* ---- writing ---- */

static void write_counts(struct arena *a, struct json *status, const struct counts *k)
{
	json_set_int(a, status, "observedGeneration", k->observed);
	json_set_int(a, status, "replicas", k->replicas);
	json_set_int(a, status, "updatedReplicas", k->updated);
	json_set_int(a, status, "readyReplicas", k->ready);
	json_set_int(a, status, "availableReplicas", k->available);
	json_set_int(a, status, "unavailableReplicas", k->unavailable);
	if (k->collisions)
		json_set_int(a, status, "collisionCount", k->collisions);
}

static bool write_revision(struct rollout *y, struct json *patch)
{
	struct arena *a = &y->work->arena;
	int64_t revision = y->fresh ? y->fresh->revision : 0;
	if (!revision || !y->judge_progress || deployment_annotation_int(y->object, REVISION) == revision)
		return false;
	struct json *annotations = json_need(a, json_get(patch, "metadata"), "annotations", JSON_OBJECT);
	json_set_cstr(a, annotations, REVISION, arena_printf(a, "%" PRId64, revision));
	return true;
}

static void send_status(struct rollout *y, struct json *patch)
{
	work_patch(y->work, kube_path(&y->work->arena, "apps/v1", "deployments", y->meta.ns, y->meta.name, "status"),
	        merge_patch, patch, work_done_ignore_missing);
}

void deployment_write_status(struct rollout *y)
{
	struct arena *a = &y->work->arena;
	struct json *old = json_get(y->object, "status"), *old_list = json_get(old, "conditions");
	struct json *list = old_list ? json_copy(a, old_list) : json_new(a, JSON_ARRAY);
	struct counts now = count(y), before = counts_of(old);
	bool changed = memcmp(&now, &before, sizeof now) != 0;
	changed |= judge_availability(y, list, &now);
	if (y->judge_progress) {
		if (y->progress_reason && deadline_s(y))
			changed |=
			        progressing_set(y, list, y->progress_status, y->progress_reason, y->progress_message);
		changed |= judge_progress(y, list, &now, &before);
		changed |= judge_failures(y, list);
	}
	if (y->judge_progress)
		watch_deadline(y, list, &now);
	struct json *patch = patch_new(a, y->meta.resource_version),
	            *status = json_need(a, patch, "status", JSON_OBJECT);
	changed |= write_revision(y, patch);
	if (!changed && !(list->first && !old_list))
		return;
	write_counts(a, status, &now);
	json_set(a, status, "conditions", list);
	send_status(y, patch);
}

bool deployment_note_pause(struct rollout *y)
{
	struct arena *a = &y->work->arena;
	struct json *old = json_path(y->object, "status", "conditions", NULL);
	struct json *list = old ? json_copy(a, old) : json_new(a, JSON_ARRAY);
	struct json *condition = condition_find(list, "Progressing");
	struct slice reason = json_get_str(condition, "reason");
	bool paused = json_get_bool(y->spec, "paused", false), noted = slice_is(reason, "DeploymentPaused");
	if (!deadline_s(y) || slice_is(reason, "ProgressDeadlineExceeded") || paused == noted)
		return false;
	if (paused)
		condition_set(a, list, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused",
		        "lastUpdateTime");
	else
		condition_set(a, list, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed",
		        "lastUpdateTime");
	struct json *patch = patch_new(a, y->meta.resource_version);
	json_set(a, json_need(a, patch, "status", JSON_OBJECT), "conditions", list);
	send_status(y, patch);
	return true;
}

/* See attach_plan.h. The order is what keeps data whole. A kubelet mounts a volume when one and the same Node object
 * says that it is attached (told by us) and in use (told by the kubelet). So a volume is first untold, and deleted at a
 * later look, at an object that has it untold: if the kubelet was quicker, that object has it in use too, and nothing
 * is deleted.
 *
 * Upstream: pkg/controller/volume/attachdetach/reconciler. */
#include "api/controllers/attach_plan.h"

#include "base/pki/pki.h"

static enum attach_step wanted_next(const struct attach_facts *f)
{
	bool is_ready = f->is_there && f->is_attached && !f->is_leaving;
	if (f->is_told != is_ready)
		return is_ready ? ATTACH_TELL : ATTACH_UNTELL;
	if (f->is_there || f->node_is_gone)
		return ATTACH_REST;
	return f->is_elsewhere && f->is_exclusive ? ATTACH_BLOCKED : ATTACH_MAKE;
}

static bool may_detach(const struct attach_facts *f)
{
	return !f->is_in_use || f->node_is_gone || f->node_is_out_of_service ||
	       (!f->node_is_healthy && f->unwanted_ms >= ATTACH_FORCE_MS);
}

enum attach_step attach_next(const struct attach_facts *f, uint64_t *wait_ms)
{
	*wait_ms = 0;
	if (f->is_wanted)
		return wanted_next(f);
	if (!f->is_there)
		return f->is_told && !f->node_is_gone ? ATTACH_UNTELL : ATTACH_REST;
	if (!may_detach(f)) {
		if (f->unwanted_ms < ATTACH_FORCE_MS)
			*wait_ms = ATTACH_FORCE_MS - f->unwanted_ms;
		return ATTACH_REST;
	}
	if (f->is_told && !f->node_is_gone)
		return ATTACH_UNTELL;
	return f->is_leaving ? ATTACH_REST : ATTACH_REMOVE;
}

const char *attach_name(struct arena *a, struct slice handle, struct slice driver, struct slice node)
{
	char hex[65];
	const char *text = arena_printf(a, "%.*s%.*s%.*s", SLICE_FMT(handle), SLICE_FMT(driver), SLICE_FMT(node));
	pki_sha256_hex(text, strlen(text), hex);
	return arena_printf(a, "csi-%s", hex);
}

const char *attach_unique_name(struct arena *a, struct slice driver, struct slice handle)
{
	return arena_printf(a, "kubernetes.io/csi/%.*s^%.*s", SLICE_FMT(driver), SLICE_FMT(handle));
}

bool attach_is_exclusive(const struct json *access_modes)
{
	JSON_FOREACH (it, access_modes)
		if (slice_is(json_str(it), "ReadWriteMany") || slice_is(json_str(it), "ReadOnlyMany"))
			return false;
	return access_modes && access_modes->count;
}

bool attach_pod_is_over(const struct json *pod)
{
	const struct json *st = json_get(pod, "status");
	struct slice phase = json_get_str(st, "phase");
	if (slice_is(phase, "Succeeded") || slice_is(phase, "Failed"))
		return true;
	if (!json_path(pod, "metadata", "deletionTimestamp", NULL))
		return false;
	JSON_FOREACH (it, json_get(st, "containerStatuses"))
		if (!json_path(it, "state", "terminated", NULL) && !json_path(it, "state", "waiting", NULL))
			return false;
	return true;
}

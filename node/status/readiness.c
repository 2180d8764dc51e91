/* Whether a node is Ready, and why not.
 *
 * A kubelet that was started anew, for an upgrade say, finds its pods running: their processes belong to the runtime's
 * shims, not to us. Until the runtime answers and its images are in it knows no better than before, and a NotReady said
 * then would have the node lifecycle controller mark every pod of it, so that all their services lose their endpoints
 * for the time of a start. So what was said before the start holds until the runtime has had its time. Not over a boot
 * of the machine: nothing runs then. And not for what this process has seen fall. */
#include "node/status/readiness_int.h"

#include "api/client/meta.h"

/* As long as upstream's kubelet takes a runtime that isn't there yet to be starting. */
enum { COMING_BACK_MS = 120000 };

static bool is_coming_back(const struct readiness_facts *f)
{
	const struct json *c = condition_find(json_path(f->old, "status", "conditions", NULL), "Ready");
	struct slice boot = json_str(json_path(f->old, "status", "nodeInfo", "bootID", NULL));
	return !f->was_ready && f->age_ms < COMING_BACK_MS && slice_is(boot, f->boot_id) && boot.len &&
	       slice_is(json_get_str(c, "status"), "True");
}

struct readiness readiness_judge(const struct readiness_facts *f)
{
	static const struct readiness is_ready = {true, "KubeletReady", "kubelet is posting ready status"};
	if (f->is_shutting_down)
		return (struct readiness){false, "KubeletNotReady", "node is shutting down"};
	if ((f->runtime_ready && f->network_ready) || is_coming_back(f))
		return is_ready;
	return (struct readiness){false, "KubeletNotReady",
	        !f->runtime_ready ? "container runtime is not ready"
	                          : "container runtime network not ready: NetworkReady=false "
	                            "reason:NetworkPluginNotReady message:cni config uninitialized"};
}

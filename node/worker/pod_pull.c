/* See pod_pull_int.h. A pull is the one long step of a start: it is what a deletion gives up. */
#include "node/worker/pod_pull_int.h"

#include "base/check.h"
#include "base/log.h"
#include "node/events/events.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/ground/refs.h"
#include "node/runtime/image.h"
#include "node/runtime/pull_secrets.h"

#include <stdlib.h>

enum { PULL_ERROR_SHOWN_MS = 3000 };

const struct retry_rule pod_pull_rule = {10000, 300000};

void slot_wait_with(
        struct pod *p, struct slot *slot, const char *reason, const char *message, const struct retry_rule *rule)
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(*reason);
	slot->waiting_reason = reason;
	free(slot->waiting_message);
	slot->waiting_message = xstrdup(message);
	if (retry_failed(&slot->start, rule, loop_now_ms(p->n->loop)))
		log_warn("node", "cannot start a container",
		        "pod=%s/%s container=%s reason=%s failures=%u error=\"%s\"", p->ns, p->name, slot->name, reason,
		        slot->start.failures, message);
}

void slot_clear_waiting(struct slot *slot)
{
	slot->waiting_reason = NULL;
	free(slot->waiting_message);
	slot->waiting_message = NULL;
	retry_succeeded(&slot->start);
}

static void tell_failure(struct pod_pull *pull, const struct image_result *result, const struct err *err)
{
	struct slot *slot = pull->slot;
	struct pod *p = pull->pod;
	slot_wait_with(p, slot, result->reason, err->msg, &pod_pull_rule);
	slot->show_until_ms = loop_now_ms(p->n->loop) + PULL_ERROR_SHOWN_MS;
	pod_event(p, slot->name, true, "Failed", "Failed to pull image \"%s\": %s", pull->image, err->msg);
	pod_event(p, slot->name, true, "Failed", "Error: %s", result->reason);
}

static void tell_success(struct pod_pull *pull)
{
	struct pod *p = pull->pod;
	if (pull->has_begun)
		pod_event(p, pull->slot->name, false, "Pulled", "Successfully pulled image \"%s\" in %llums",
		        pull->image, (unsigned long long)(loop_now_ms(p->n->loop) - pull->began_ms));
	else if (!pull->is_early)
		pod_event(p, pull->slot->name, false, "Pulled", "Container image \"%s\" already present on machine",
		        pull->image);
}

static void image_there(void *arg, const struct image_result *result, const struct err *err)
{
	struct pod_pull *pull = arg;
	pull->request = NULL;
	if (!err)
		tell_success(pull);
	else if (err->code != ERR_CANCELED)
		tell_failure(pull, result, err);
	pull->done(pull, result, err);
}

static void pull_begins(void *arg)
{
	struct pod_pull *pull = arg;
	pull->has_begun = true;
	pull->began_ms = loop_now_ms(pull->pod->n->loop);
	pod_event(pull->pod, pull->slot->name, false, "Pulling", "Pulling image \"%s\"", pull->image);
}

/* A secret that is not there keeps nobody from trying. */
static struct pull_keyring keyring_of(struct pod *p, struct arena *a)
{
	struct pull_keyring ring;
	struct strbuf missing = STRBUF_INIT;
	pull_keyring_init(&ring, a);
	JSON_FOREACH (it, json_get(p->spec, "imagePullSecrets")) {
		struct slice name = json_get_str(it, "name");
		if (name.len && !pull_keyring_add(&ring, refs_get(p, "secrets", name)))
			strbuf_addf(&missing, "%s%.*s", missing.len ? ", " : "", SLICE_FMT(name));
	}
	if (missing.len)
		pod_event(p, NULL, true, "FailedToRetrieveImagePullSecret",
		        "Unable to retrieve some image pull secrets (%s); attempting to pull the image may not "
		        "succeed.",
		        strbuf_cstr(&missing));
	strbuf_release(&missing);
	return ring;
}

void pod_pull_begin(struct pod_pull *pull, struct pod *p, struct slot *slot, struct arena *a)
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(!pull->request && pull->done);
	struct json *spec = pod_container_spec(p, slot->name);
	struct pull_keyring ring = keyring_of(p, a);
	size_t count;
	pull->pod = p;
	pull->slot = slot;
	pull->has_begun = false;
	pull->image = json_cstr(a, json_get(spec, "image"));
	struct image_credential *credentials = pull_keyring_find(&ring, pull->image, &count);
	const char *policy = json_cstr(a, json_get(spec, "imagePullPolicy"));
	if (pull->is_early && strcmp(policy, "Always") == 0)
		policy = "IfNotPresent";
	pull->request = image_ensure(p->n, pull->image, policy, credentials, count, pull_begins, image_there, pull);
}

bool pod_pull_cancel(struct pod_pull *pull)
{
	if (!pull->request)
		return false;
	LOOP_CHECK_OWNER(pull->pod->n->loop);
	image_forget(TAKE(pull->request));
	return true;
}

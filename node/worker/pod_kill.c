/* Ending things: a container (its preStop hook first, then the runtime's stop with what is left of the grace), a
 * sandbox, their records, and at last the API object. Each is one open operation of the pod. */
#include "node/worker/pod_kill_int.h"

#include "base/check.h"
#include "base/log.h"
#include "node/events/events.h"
#include "node/ground/api_call.h"
#include "node/ground/errand.h"
#include "node/ground/mount_pins.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/probe/probe.h"
#include "node/runtime/cri.h"
#include "node/worker/operation.h"

#include <stdlib.h>
#include <unistd.h>

/* A grace may be any number: what is longer than eleven days is not waited for in one call. */
enum { CALL_MS = 120000, MIN_GRACE_S = 2, GRACE_S_MAX = 1000000 };
_Static_assert((int64_t)GRACE_S_MAX * 1000 + CALL_MS < UINT32_MAX, "milliseconds fit the calls' timeouts");

struct kill {
	struct pod *pod;
	char *id; /* the container's */
	uint64_t deadline_ms;
	/* when it failed */
	struct errand errand;
	const char *what;
	char path[256];
	struct strbuf pins;
	struct err err;
};

static void kill_free(struct kill *k)
{
	LOOP_CHECK_OWNER(k->pod->n->loop);
	struct pod *p = k->pod;
	strbuf_release(&k->pins);
	free(k->id);
	free(k);
	pod_end(p);
}

static void find_pins(struct errand *e)
{
	struct kill *k = CONTAINER_OF(e, struct kill, errand);
	mount_pins(k->path, &k->pins);
}

static void pins_found(struct errand *e)
{
	struct kill *k = CONTAINER_OF(e, struct kill, errand);
	struct pod *p = k->pod;
	log_warn("node", "cannot end a container or sandbox",
	        "pod=%s/%s step=%s failures=%u pinned_by=\"%s\" error=\"%s\"", p->ns, p->name, k->what,
	        p->take_down.failures, strbuf_cstr(&k->pins), k->err.msg);
	kill_free(k);
}

/* Names what pins the mount that the runtime could not undo, if it speaks of one. */
static void tell(struct kill *k, const struct err *err)
{
	struct pod *p = k->pod;
	k->err = *err;
	if (mount_path_in(err->msg, k->path, sizeof k->path) && errand_start(p->n, &k->errand, find_pins, pins_found))
		return;
	log_warn("node", "cannot end a container or sandbox", "pod=%s/%s step=%s failures=%u error=\"%s\"", p->ns,
	        p->name, k->what, p->take_down.failures, err->msg);
	kill_free(k);
}

static void kill_end(struct kill *k, const struct err *err, const char *what)
{
	struct pod *p = k->pod;
	bool absent = err && err->code == ERR_NOT_FOUND, failed = err && !absent && err->code != ERR_CANCELED;
	k->what = what;
	if (absent)
		pod_take_down_failed(p); /* the next look may still list it: not again at once */
	if (failed && pod_take_down_failed(p)) {
		tell(k, err);
		return;
	}
	if (!err && !retry_wait_ms(&p->take_down, loop_now_ms(p->n->loop)))
		retry_succeeded(&p->take_down);
	kill_free(k);
}

static struct kill *kill_new(struct pod *p, const char *id)
{
	CHECK(*id);
	struct kill *k = xcalloc(1, sizeof *k);
	k->pod = p;
	k->id = xstrdup(id);
	pod_begin(p);
	return k;
}

static void stopped(void *arg, const void *answer, const struct err *err)
{
	struct kill *k = arg;
	struct container *c = pod_container_by_id(k->pod, k->id);
	if (err && c)
		c->is_stopping = false; /* to be tried again */
	kill_end(k, err, "StopContainer");
}

static void stop_now(struct kill *k)
{
	LOOP_CHECK_OWNER(k->pod->n->loop);
	struct node *n = k->pod->n;
	uint64_t now = loop_now_ms(n->loop);
	CRI(ContainerRequest) r = RUNTIME__V1__CONTAINER_REQUEST__INIT;
	r.container_id = k->id;
	r.timeout = k->deadline_ms > now ? (int64_t)((k->deadline_ms - now + 999) / 1000) : 0;
	cri_call(n->cri, "RuntimeService/StopContainer", &r.base, &runtime__v1__empty__descriptor,
	        (unsigned)r.timeout * 1000 + CALL_MS, stopped, k);
}

static void pre_stop_done(void *arg, const struct err *err)
{
	struct kill *k = arg;
	struct container *c = pod_container_by_id(k->pod, k->id);
	if (err && c)
		pod_event(k->pod, c->name, true, "FailedPreStopHook", "PreStopHook failed: %s", err->msg);
	uint64_t now = loop_now_ms(k->pod->n->loop);
	if (k->deadline_ms < now + MIN_GRACE_S * 1000)
		k->deadline_ms = now + MIN_GRACE_S * 1000;
	stop_now(k);
}

void pod_stop_container(struct pod *p, struct container *c, int64_t grace_s)
{
	LOOP_CHECK_OWNER(p->n->loop);
	grace_s = grace_s < 0 ? 0 : grace_s > GRACE_S_MAX ? GRACE_S_MAX : grace_s;
	struct json *hook = json_path(pod_container_spec(p, c->name), "lifecycle", "preStop", NULL);
	struct kill *k = kill_new(p, c->id);
	k->deadline_ms = loop_now_ms(p->n->loop) + (uint64_t)grace_s * 1000;
	c->is_stopping = true;
	probes_stop(c);
	if (hook && grace_s > 0 && c->state == CONTAINER_RUNNING && !c->pre_stop_begun) {
		c->pre_stop_begun = true;
		hook_run(p, c, hook, (unsigned)grace_s * 1000, pre_stop_done, k);
	} else {
		stop_now(k);
	}
}

static void removed(void *arg, const void *answer, const struct err *err)
{
	kill_end(arg, err, "RemoveContainer");
}

/* The log and the termination message of a container whose record goes. */
static void remove_files(struct pod *p, struct container *c)
{
	struct arena a = ARENA_INIT;
	const char *log = arena_printf(&a, "%s/%s/%u.log", pod_log_dir(p, &a), c->name, c->attempt);
	unlink(log);
	for (int i = 1; i < 5; i++)
		unlink(arena_printf(&a, "%s.%d", log, i));
	unlink(arena_printf(&a, "%s/containers/%s/%u.log", pod_dir(p, &a), c->name, c->attempt));
	arena_release(&a);
}

void pod_remove_container(struct pod *p, struct container *c)
{
	CHECK(!p->start);
	remove_files(p, c);
	CRI(ContainerRequest) r = RUNTIME__V1__CONTAINER_REQUEST__INIT;
	r.container_id = c->id;
	cri_call(p->n->cri, "RuntimeService/RemoveContainer", &r.base, &runtime__v1__empty__descriptor, CALL_MS,
	        removed, kill_new(p, c->id));
}

static void sandbox_stopped(void *arg, const void *answer, const struct err *err)
{
	kill_end(arg, err, "StopPodSandbox");
}

void pod_stop_sandbox(struct pod *p, struct sandbox *s)
{
	CHECK(pod_state(p) != POD_RUNNING);
	CRI(PodSandboxRequest) r = RUNTIME__V1__POD_SANDBOX_REQUEST__INIT;
	r.pod_sandbox_id = s->id;
	cri_call(p->n->cri, "RuntimeService/StopPodSandbox", &r.base, &runtime__v1__empty__descriptor, CALL_MS,
	        sandbox_stopped, kill_new(p, s->id));
}

static void sandbox_removed(void *arg, const void *answer, const struct err *err)
{
	kill_end(arg, err, "RemovePodSandbox");
}

void pod_remove_sandbox(struct pod *p, struct sandbox *s)
{
	CHECK(!p->start);
	CRI(PodSandboxRequest) r = RUNTIME__V1__POD_SANDBOX_REQUEST__INIT;
	r.pod_sandbox_id = s->id;
	cri_call(p->n->cri, "RuntimeService/RemovePodSandbox", &r.base, &runtime__v1__empty__descriptor, CALL_MS,
	        sandbox_removed, kill_new(p, s->id));
}

static void deleted(void *arg, int status, struct slice body, const struct err *err)
{
	LOOP_CHECK_OWNER(((struct pod *)arg)->n->loop);
	static const struct retry_rule rule = {2000, 60000};
	struct pod *p = arg;
	if (!err || err->code == ERR_NOT_FOUND || err->code == ERR_CONFLICT)
		p->in_api = false; /* gone, or another pod of the same name */
	else if (err->code != ERR_CANCELED && retry_failed(&p->api_delete, &rule, loop_now_ms(p->n->loop)))
		log_warn("node", "cannot delete a pod that has ended", "pod=%s/%s failures=%u error=\"%s\"", p->ns,
		        p->name, p->api_delete.failures, err->msg);
	pod_end(p);
}

void pod_delete_from_api(struct pod *p)
{
	CHECK(pod_state(p) == POD_CLEANING && p->in_api && !p->is_static);
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b,
	        "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":"
	        "\"%s\"}}",
	        p->uid);
	pod_begin(p);
	api_send(p->n, "DELETE", NULL, strbuf_slice(&b), deleted, p, "/api/v1/namespaces/%s/pods/%s", p->ns, p->name);
	strbuf_release(&b);
}

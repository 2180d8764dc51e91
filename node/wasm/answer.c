/* What the kubelet is told about our sandboxes and containers: the messages of the CRI, made of the requests that they
 * came from. They point into those; they live in an arena for the length of an answer. */
#include "node/wasm/wasm_int.h"

#include "base/check.h"

#include "node/ground/node_record.h"

static CRI(PodSandbox) * sandbox_item(const struct box *b, struct arena *a)
{
	CRI(PodSandbox) *s = ARENA_NEW(a, CRI(PodSandbox));
	const CRI(PodSandboxConfig) *c = b->request->config;
	runtime__v1__pod_sandbox__init(s);
	s->id = b->id;
	s->metadata = c->metadata;
	s->state = b->is_ready ? RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY
	                       : RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_NOTREADY;
	s->created_at = b->created_ns;
	s->labels = c->labels;
	s->n_labels = c->n_labels;
	return s;
}

static const void *join_sandboxes(struct wasm *w, const CRI(ListPodSandboxResponse) * from, struct arena *a)
{
	CRI(ListPodSandboxResponse) *all = ARENA_NEW(a, CRI(ListPodSandboxResponse));
	*all = *from;
	all->items = ARENA_ARRAY(a, CRI(PodSandbox) *, from->n_items + w->boxes.count + 1);
	memcpy(all->items, from->items, from->n_items * sizeof *from->items);
	MAP_FOREACH (it, &w->boxes)
		if (!((struct box *)it->value)->running && !((struct box *)it->value)->is_beside)
			all->items[all->n_items++] = sandbox_item(it->value, a);
	return all;
}

static CRI(ContainerState) state_of(const struct wasm_container *c)
{
	return c->state == IS_CREATED   ? RUNTIME__V1__CONTAINER_STATE__CONTAINER_CREATED
	       : c->state == IS_RUNNING ? RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING
	                                : RUNTIME__V1__CONTAINER_STATE__CONTAINER_EXITED;
}

static CRI(Container) * container_item(const struct wasm_container *c, struct arena *a)
{
	CRI(Container) *m = ARENA_NEW(a, CRI(Container));
	const CRI(ContainerConfig) *config = c->request->config;
	runtime__v1__container__init(m);
	m->id = c->id;
	m->pod_sandbox_id = c->box->id;
	m->metadata = config->metadata;
	m->image = config->image;
	m->image_ref = config->image->image;
	m->state = state_of(c);
	m->created_at = c->created_ns;
	m->labels = config->labels;
	m->n_labels = config->n_labels;
	m->annotations = config->annotations;
	m->n_annotations = config->n_annotations;
	return m;
}

static const void *join_containers(struct wasm *w, const CRI(ListContainersResponse) * from, struct arena *a)
{
	CRI(ListContainersResponse) *all = ARENA_NEW(a, CRI(ListContainersResponse));
	*all = *from;
	all->containers = ARENA_ARRAY(a, CRI(Container) *, from->n_containers + w->containers.count + 1);
	memcpy(all->containers, from->containers, from->n_containers * sizeof *from->containers);
	MAP_FOREACH (it, &w->containers)
		all->containers[all->n_containers++] = container_item(it->value, a);
	return all;
}

const void *wasm_join(void *arg, const ProtobufCMessage *answer, struct arena *a)
{
	struct wasm *w = arg;
	if (answer->descriptor == &runtime__v1__list_pod_sandbox_response__descriptor)
		beside_forget_gone(w, (const CRI(ListPodSandboxResponse) *)answer);
	if (answer->descriptor == &runtime__v1__list_pod_sandbox_response__descriptor)
		return join_sandboxes(w, (const CRI(ListPodSandboxResponse) *)answer, a);
	if (answer->descriptor == &runtime__v1__list_containers_response__descriptor)
		return join_containers(w, (const CRI(ListContainersResponse) *)answer, a);
	return answer;
}

void box_status(struct wasm *w, struct call *call)
{
	LOOP_CHECK_OWNER(w->n->loop);
	const struct box *b = box_find(w, ((CRI(PodSandboxRequest) *)call->request)->pod_sandbox_id);
	CRI(PodSandboxStatusResponse) r = RUNTIME__V1__POD_SANDBOX_STATUS_RESPONSE__INIT;
	CRI(PodSandboxStatus) s = RUNTIME__V1__POD_SANDBOX_STATUS__INIT;
	CRI(PodSandboxNetworkStatus) network = RUNTIME__V1__POD_SANDBOX_NETWORK_STATUS__INIT;
	if (!b) {
		wasm_call_refuse(call, ERR_NOT_FOUND, "there is no such sandbox");
		return;
	}
	r.status = &s;
	s.id = b->id;
	s.metadata = b->request->config->metadata;
	s.state = b->is_ready ? RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY
	                      : RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_NOTREADY;
	s.created_at = b->created_ns;
	s.network = &network;
	network.ip = b->ip;
	s.labels = b->request->config->labels;
	s.n_labels = b->request->config->n_labels;
	wasm_call_answer(call, &r);
}

void container_status(struct wasm *w, struct call *call)
{
	LOOP_CHECK_OWNER(w->n->loop);
	const struct wasm_container *c = container_find(w, ((CRI(ContainerRequest) *)call->request)->container_id);
	CRI(ContainerStatusResponse) r = RUNTIME__V1__CONTAINER_STATUS_RESPONSE__INIT;
	CRI(ContainerStatus) s = RUNTIME__V1__CONTAINER_STATUS__INIT;
	if (!c) {
		wasm_call_refuse(call, ERR_NOT_FOUND, "there is no such container");
		return;
	}
	const CRI(ContainerConfig) *config = c->request->config;
	r.status = &s;
	s.id = c->id;
	s.metadata = config->metadata;
	s.state = state_of(c);
	s.created_at = c->created_ns;
	s.started_at = c->started_ns;
	s.finished_at = c->finished_ns;
	s.exit_code = c->exit_code;
	s.image = config->image;
	s.image_ref = config->image->image;
	s.reason = c->reason;
	s.message = c->message;
	s.labels = config->labels;
	s.n_labels = config->n_labels;
	s.annotations = config->annotations;
	s.n_annotations = config->n_annotations;
	wasm_call_answer(call, &r);
}

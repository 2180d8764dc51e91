/* Nominees: pods for which others were sent away. See scheduler_int.h.
 *
 * Until its victims are gone such a pod waits in the queue, and the room that they leave is kept for it: a pod of no
 * higher priority is only put on the node if there is room for both (filters_pass_beside). The node stands in the pod's
 * status (nominatedNodeName), so that another scheduler goes on with it; the informer's word counts, and our own from
 * the moment that it is sent. Upstream: pkg/scheduler/backend/queue/nominator.go. */
#include "api/scheduler/scheduler_int.h"

struct nominee {
	struct pod_info pod; /* in no node's list but for a moment */
	struct list_link on_node;
	bool is_shown;
};

static struct nominee *of_link(struct list_link *l)
{
	return CONTAINER_OF(l, struct nominee, on_node);
}

static void nominee_free(struct scheduler *s, struct nominee *x)
{
	struct node_info *n = x->pod.node;
	CHECK(!x->is_shown);
	list_del(&x->on_node);
	cache_node_unneeded(&s->cache, n);
	rcbuf_unref(x->pod.json);
	arena_release(&x->pod.arena);
	free(x);
}

void nominee_remove(struct scheduler *s, struct slice key)
{
	struct nominee *x = map_del(&s->nominees, key);
	if (x)
		nominee_free(s, x);
}

void nominee_forget(struct scheduler *s, struct slice key, struct slice placed_on)
{
	struct nominee *x = map_del(&s->nominees, key);
	if (!x)
		return;
	if (!slice_eq(x->pod.node->name, placed_on))
		scheduler_tell(s, &(struct cluster_event){.kind = EVENT_POD_GONE, .pod = &x->pod});
	nominee_free(s, x);
}

void nominees_retry(struct scheduler *s, struct node_info *n)
{
	LIST_FOREACH (it, &n->nominees)
		queue_retry(&s->queue, of_link(it)->pod.key, scheduler_now_ms(s));
	scheduler_wake(s);
}

void nominee_set(struct scheduler *s, struct slice key, struct slice node, struct rcbuf *json)
{
	struct slice text = {json->data, json->len};
	struct arena scratch = ARENA_INIT;
	nominee_remove(s, key);
	struct nominee *x = xcalloc(1, sizeof *x);
	x->pod.json = rcbuf_ref(json);
	pod_read_labels(&x->pod);
	x->pod.key = (struct slice){arena_memdup(&x->pod.arena, key.ptr, key.len), key.len};
	pod_read_demands(&s->cache, json_parse(&scratch, text, NULL, NULL), &x->pod, &x->pod.arena);
	arena_release(&scratch);
	x->pod.node = cache_node_need(&s->cache, node);
	list_push_back(&x->pod.node->nominees, &x->on_node);
	map_put(&s->nominees, x->pod.key, x);
}

struct slice nominee_node(const struct scheduler *s, struct slice key)
{
	const struct nominee *x = map_get(&s->nominees, key);
	return x ? x->pod.node->name : SLICE_NULL;
}

bool nominees_show(struct scheduler *s, struct candidate *p, struct node_info *n)
{
	bool any = false;
	LIST_FOREACH (it, &n->nominees) {
		struct nominee *x = of_link(it);
		if (x->pod.priority < p->demands.priority || slice_eq(x->pod.key, p->key))
			continue;
		cache_pod_show(&s->cache, &x->pod);
		placement_count(s, p, &x->pod, 1);
		x->is_shown = any = true;
	}
	return any;
}

void nominees_hide(struct scheduler *s, struct candidate *p, struct node_info *n)
{
	LIST_FOREACH (it, &n->nominees) {
		struct nominee *x = of_link(it);
		if (!x->is_shown)
			continue;
		cache_pod_hide(&s->cache, &x->pod);
		placement_count(s, p, &x->pod, -1);
		x->is_shown = false;
	}
}

void nominees_displace(struct scheduler *s, int32_t priority, struct node_info *n)
{
	LIST_FOREACH (it, &n->nominees) {
		struct nominee *x = of_link(it);
		if (x->pod.priority >= priority)
			continue;
		bind_drop_nomination(s, x->pod.json);
		queue_retry(&s->queue, x->pod.key, scheduler_now_ms(s));
		nominee_remove(s, x->pod.key);
	}
}

void nominees_release(struct scheduler *s)
{
	MAP_FOREACH (slot, &s->nominees)
		nominee_free(s, slot->value);
	map_release(&s->nominees);
}

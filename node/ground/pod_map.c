/* See pod_map.h. */
#include "node/ground/pod_map.h"

#include "api/client/informer.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"

struct pod *node_pod(struct node *n, struct slice uid)
{
	LOOP_CHECK_OWNER(n->loop);
	return map_get(&n->pods, uid);
}

struct pod *node_pod_named(struct node *n, struct slice ns, struct slice name)
{
	LOOP_CHECK_OWNER(n->loop);
	MAP_FOREACH (it, &n->pods) {
		struct pod *p = it->value;
		if (slice_is(ns, p->ns) && slice_is(name, p->name) && p->object)
			return p;
	}
	return NULL;
}

struct pod **node_pods(struct node *n, size_t *ret_count)
{
	LOOP_CHECK_OWNER(n->loop);
	size_t count = 0;
	struct pod **pods = xcalloc(n->pods.count + 1, sizeof(struct pod *));
	MAP_FOREACH (it, &n->pods)
		pods[count++] = it->value;
	*ret_count = count;
	return pods;
}

bool node_is_server_known(const struct node *n)
{
	return n->pod_informer && informer_is_synced(n->pod_informer);
}

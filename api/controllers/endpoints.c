/* The Endpoints object of a service: what slices replaced, but `kubectl describe service` and older clients still read.
 * Pods with the same ports share a subset; ready and not ready addresses apart. At most a thousand addresses, as
 * upstream. */
#include "api/controllers/endpoints_int.h"

enum { ADDRESSES_MAX = 1000 };

struct subset {
	struct subset *next;
	struct json *ports, *ready, *not_ready; /* arrays */
};

static struct json *address_of(struct publish *y, const struct backend *b, struct slice ip)
{
	struct arena *a = &y->work->arena;
	struct json *o = json_new(a, JSON_OBJECT), *ref = json_new(a, JSON_OBJECT);
	struct slice hostname = json_str(json_path(b->pod, "spec", "hostname", NULL));
	json_set_str(a, o, "ip", ip);
	if (hostname.len && slice_eq(json_str(json_path(b->pod, "spec", "subdomain", NULL)), y->meta.name))
		json_set_str(a, o, "hostname", hostname);
	if (b->node.len)
		json_set_str(a, o, "nodeName", b->node);
	json_set_cstr(a, ref, "kind", "Pod");
	json_set_str(a, ref, "namespace", b->meta.ns);
	json_set_str(a, ref, "name", b->meta.name);
	json_set_str(a, ref, "uid", b->meta.uid);
	json_set(a, o, "targetRef", ref);
	return o;
}

static struct subset *subset_need(struct arena *a, struct subset **list, struct json *ports)
{
	for (struct subset *s = *list; s; s = s->next)
		if (json_equal(s->ports, ports))
			return s;
	struct subset *s = ARENA_NEW(a, struct subset);
	*s = (struct subset){*list, ports, json_new(a, JSON_ARRAY), json_new(a, JSON_ARRAY)};
	*list = s;
	return s;
}

/* Ports without a name have no "name" here, unlike in slices. */
static struct json *plain_ports(struct json *ports)
{
	JSON_FOREACH (it, ports)
		if (!json_get_str(it, "name").len)
			json_del(it, "name");
	return ports;
}

static struct json *wanted_subsets(struct publish *y)
{
	struct arena *a = &y->work->arena;
	struct subset *list = NULL;
	struct slice family = json_str(json_at(json_get(y->spec, "ipFamilies"), 0));
	for (size_t i = 0; i < y->count && i < ADDRESSES_MAX; i++) {
		const struct backend *b = &y->backends[i];
		struct slice ip = endpoints_pod_ip(b->pod, slice_is(family, "IPv6") ? "IPv6" : "IPv4");
		if (!ip.len || (b->is_dying && !y->publishes_not_ready))
			continue;
		struct json *ports = plain_ports(endpoints_ports(y, b->pod));
		if (!ports->first && !y->is_headless)
			continue;
		struct subset *s = subset_need(a, &list, ports);
		json_append(b->is_ready || y->publishes_not_ready ? s->ready : s->not_ready, address_of(y, b, ip));
	}
	struct json *subsets = json_new(a, JSON_ARRAY);
	for (struct subset *s = list; s; s = s->next) {
		struct json *o = json_new(a, JSON_OBJECT);
		if (s->ready->first)
			json_set(a, o, "addresses", s->ready);
		if (s->not_ready->first)
			json_set(a, o, "notReadyAddresses", s->not_ready);
		if (s->ports->first)
			json_set(a, o, "ports", s->ports);
		json_append(subsets, o);
	}
	return subsets;
}

static struct json *wanted_labels(struct publish *y)
{
	struct arena *a = &y->work->arena;
	struct json *own = json_path(y->service, "metadata", "labels", NULL),
	            *labels = own ? json_copy(a, own) : json_new(a, JSON_OBJECT);
	json_del(labels, "service.kubernetes.io/headless");
	if (y->is_headless)
		json_set_cstr(a, labels, "service.kubernetes.io/headless", "");
	json_set_cstr(a, labels, "endpoints.kubernetes.io/managed-by", "endpoint-controller");
	return labels;
}

static void created(struct work_call *call)
{
	int code = call->request.err.code;
	if (code && code != ERR_EXISTS && code != ERR_TERMINATING)
		work_fail(call->work, &call->request.err);
}

static bool same_list(const struct json *x, const struct json *y)
{
	bool no_x = !x || !x->first, no_y = !y || !y->first;
	return no_x || no_y ? no_x == no_y : json_equal(x, y);
}

void endpoints_write(struct publish *y)
{
	struct arena *a = &y->work->arena;
	struct informer_object *have = informer_get(shared_informer_base(y->s->endpoints), y->work->key);
	struct json *o = have ? informer_parse(a, have) : json_new(a, JSON_OBJECT),
	            *meta = json_need(a, o, "metadata", JSON_OBJECT);
	struct json *subsets = wanted_subsets(y), *labels = wanted_labels(y);
	if (have && same_list(json_get(o, "subsets"), subsets) && json_equal(json_get(meta, "labels"), labels))
		return;
	json_set(a, meta, "labels", labels);
	json_set(a, o, "subsets", subsets);
	if (have) {
		work_send(y->work, "PUT", kube_path(a, "v1", "endpoints", y->meta.ns, y->meta.name, NULL), o,
		        work_done_ignore_missing);
		return;
	}
	json_set_str(a, meta, "name", y->meta.name);
	work_send(y->work, "POST", kube_path(a, "v1", "endpoints", y->meta.ns, SLICE_NULL, NULL), o, created);
}

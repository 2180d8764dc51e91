/* Slices of Endpoints that people write themselves: of services without a selector, whose Endpoints no controller of
 * ours makes. Whoever reads slices (the service proxy does) finds those services too.
 *
 *     an event of the Endpoints, its service, or one of our slices --> its key, after a moment --> run: what its
 * subsets say is planned as slices (slices.h), and what differs is sent
 *
 * Not mirrored: Endpoints of a service with a selector, of no service, with the label skip-mirror, or that hold the
 * lock of a leader election. What was mirrored of such goes. Ready addresses and others; a thousand of a subset, as
 * upstream. Names of slices are made up by the server; they are owned by the Endpoints.
 *
 * What can go wrong: the informer of slices is behind our own creations (expectations).
 * Upstream: pkg/controller/endpointslicemirroring. */
#include "api/controllers/controllers_int.h"
#include "api/controllers/slices.h"

#define SLICES "/apis/discovery.k8s.io/v1/endpointslices"
#define ENDPOINTS "/api/v1/endpoints"
#define MANAGED_BY "endpointslice.kubernetes.io/managed-by"
#define SERVICE_NAME "kubernetes.io/service-name"

enum { GATHER_MS = 20, ADDRESSES_MAX = 1000 };

static const char managed_by[] = "endpointslicemirroring-controller.k8s.io";

struct mirrors {
	struct controllers *c;
	struct shared_informer *services, *endpoints, *slices;
	struct informer_index *slices_by_owner;
	struct work_queue *queue;
	struct recorder *recorder;
	struct expectations expectations;
};

struct mirror {
	struct mirrors *s;
	struct work *work;
	struct meta meta; /* of the Endpoints */
	struct json *endpoints;
	size_t left_out;
};

/* ---- events ---- */

static void wake(struct mirrors *s, struct slice key)
{
	work_queue_add_after(s->queue, key, GATHER_MS);
}

static void changed(void *arg, struct informer_object *o)
{
	wake(arg, o->key);
}

static void updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	wake(arg, o->key);
}

static void endpoints_deleted(void *arg, struct informer_object *o)
{
	struct mirrors *s = arg;
	expectations_forget(&s->expectations, o->key);
	wake(s, o->key);
}

/* "NAMESPACE/SERVICE" of a slice that is ours. */
static void index_mirrored(struct slice object, struct strbuf *out)
{
	struct meta m;
	meta_read(object, &m);
	if (!m.labels.len || !slice_is(json_find(m.labels, MANAGED_BY, NULL), managed_by))
		return;
	struct slice name = json_find(m.labels, SERVICE_NAME, NULL);
	if (name.len)
		strbuf_addf(out, "%.*s/%.*s", SLICE_FMT(m.ns), SLICE_FMT(name));
}

static void slice_changed(struct mirrors *s, struct informer_object *o, bool is_new)
{
	struct strbuf key = STRBUF_INIT;
	index_mirrored(informer_text(o), &key);
	if (key.len && is_new)
		expectations_create_seen(&s->expectations, strbuf_slice(&key));
	if (key.len)
		wake(s, strbuf_slice(&key));
	strbuf_release(&key);
}

static void slice_added(void *arg, struct informer_object *o)
{
	slice_changed(arg, o, true);
}

static void slice_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	slice_changed(arg, o, false);
}

static void slice_deleted(void *arg, struct informer_object *o)
{
	slice_changed(arg, o, false);
}

/* ---- what it looks like ---- */

static bool is_mirrored(struct mirrors *s, const struct informer_object *endpoints)
{
	struct informer_object *service = informer_get(shared_informer_base(s->services), endpoints->key);
	struct meta m;
	meta_read(informer_text(endpoints), &m);
	if (!service || m.deletion_timestamp.len ||
	        (m.labels.len &&
	                slice_is(json_find(m.labels, "endpointslice.kubernetes.io/skip-mirror", NULL), "true")) ||
	        (m.annotations.len && json_find(m.annotations, "control-plane.alpha.kubernetes.io/leader", NULL).ptr))
		return false;
	return json_find(informer_text(service), "spec", "selector", NULL).len <= strlen("{}");
}

static struct json *wanted_labels(struct mirror *y)
{
	struct arena *a = &y->work->arena;
	struct json *own = json_path(y->endpoints, "metadata", "labels", NULL),
	            *labels = own ? json_copy(a, own) : json_new(a, JSON_OBJECT);
	json_set_str(a, labels, SERVICE_NAME, y->meta.name);
	json_set_cstr(a, labels, MANAGED_BY, managed_by);
	return labels;
}

static struct json *wanted_annotations(struct mirror *y)
{
	struct json *own = json_path(y->endpoints, "metadata", "annotations", NULL);
	struct json *copy = own ? json_copy(&y->work->arena, own) : NULL;
	json_del(copy, "endpoints.kubernetes.io/last-change-trigger-time");
	json_del(copy, "kubectl.kubernetes.io/last-applied-configuration");
	return copy && copy->first ? copy : NULL;
}

static struct json *ports_of(struct arena *a, const struct json *subset)
{
	struct json *list = json_new(a, JSON_ARRAY);
	JSON_FOREACH (it, json_get(subset, "ports")) {
		struct json *p = json_new(a, JSON_OBJECT);
		struct slice protocol = json_get_str(it, "protocol"), app = json_get_str(it, "appProtocol");
		json_set_str(a, p, "name", json_get_str(it, "name"));
		json_set_int(a, p, "port", json_get_int(it, "port", 0));
		json_set_str(a, p, "protocol", protocol.len ? protocol : SLICE("TCP"));
		if (app.len)
			json_set_str(a, p, "appProtocol", app);
		json_append(list, p);
	}
	return list;
}

static struct json *endpoint_of(struct arena *a, const struct json *address, bool is_ready)
{
	static const char *const kept[] = {"hostname", "targetRef", "nodeName"};
	struct json *e = json_new(a, JSON_OBJECT);
	json_append(json_need(a, e, "addresses", JSON_ARRAY), json_new_str(a, json_get_str(address, "ip")));
	json_set_bool(a, json_need(a, e, "conditions", JSON_OBJECT), "ready", is_ready);
	for (size_t i = 0; i < COUNT_OF(kept); i++)
		if (json_get(address, kept[i]))
			json_set(a, e, kept[i], json_copy(a, json_get(address, kept[i])));
	return e;
}

static bool is_of(struct slice ip, const char *family)
{
	return ip.len && (memchr(ip.ptr, ':', ip.len) != NULL) == (strcmp(family, "IPv6") == 0);
}

static void add_subset(struct mirror *y, const struct json *subset, const char *family, struct slice_group **groups)
{
	static const char *const lists[] = {"addresses", "notReadyAddresses"};
	struct arena *a = &y->work->arena;
	size_t n = 0;
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (it, json_get(subset, lists[i])) {
			if (!is_of(json_get_str(it, "ip"), family))
				continue;
			if (n++ < ADDRESSES_MAX)
				slice_group_add(a, slice_group_need(a, groups, ports_of(a, subset)),
				        endpoint_of(a, it, i == 0));
			else
				y->left_out++;
		}
}

/* ---- writing ---- */

static void created(struct work_call *call)
{
	struct mirror *y = call->arg;
	if (!call->request.err.code)
		return;
	expectations_create_seen(&y->s->expectations, y->work->key);
	if (call->request.err.code != ERR_TERMINATING)
		work_fail(y->work, &call->request.err);
}

static void set_what_is_ours(struct mirror *y, struct json *o, const struct slice_plan *p)
{
	struct arena *a = &y->work->arena;
	struct json *meta = json_need(a, o, "metadata", JSON_OBJECT), *annotations = wanted_annotations(y);
	json_set(a, meta, "labels", wanted_labels(y));
	json_del(meta, "annotations");
	if (annotations)
		json_set(a, meta, "annotations", annotations);
	json_set(a, o, "endpoints", p->endpoints);
	json_set(a, o, "ports", p->ports ? json_copy(a, p->ports) : json_new(a, JSON_ARRAY));
}

static void create_slice(struct mirror *y, const struct slice_plan *p, const char *family)
{
	struct arena *a = &y->work->arena;
	struct json *o = json_new(a, JSON_OBJECT), *meta = json_need(a, o, "metadata", JSON_OBJECT);
	set_what_is_ours(y, o, p);
	json_set_cstr(a, meta, "generateName", arena_printf(a, "%.*s-", SLICE_FMT(y->meta.name)));
	json_append(json_need(a, meta, "ownerReferences", JSON_ARRAY),
	        owner_ref_new(a, "v1", "Endpoints", y->meta.name, y->meta.uid));
	json_set_cstr(a, o, "addressType", family);
	expectations_raise_creates(&y->s->expectations, y->work->key, 1, controllers_now_ms(y->s->c));
	work_send(y->work, "POST", kube_path(a, "discovery.k8s.io/v1", "endpointslices", y->meta.ns, SLICE_NULL, NULL),
	        o, created)
	        ->arg = y;
}

static void delete_slice(struct work *w, struct slice name)
{
	work_send(w, "DELETE", kube_path(&w->arena, "discovery.k8s.io/v1", "endpointslices", w->ns, name, NULL), NULL,
	        work_done_ignore_missing);
}

static bool is_dressed_so(struct mirror *y, const struct json *existing)
{
	struct json *have = json_path(existing, "metadata", "annotations", NULL), *want = wanted_annotations(y);
	return json_equal(json_path(existing, "metadata", "labels", NULL), wanted_labels(y)) &&
	       (have && have->first ? want && json_equal(have, want) : !want);
}

/* One that holds nothing is nobody's placeholder here. */
static void carry_out(struct mirror *y, const struct slice_plan *p, const char *family)
{
	struct arena *a = &y->work->arena;
	struct slice name = json_str(json_path(p->existing, "metadata", "name", NULL));
	if (!p->endpoints->first || p->action == SLICE_DELETE) {
		if (p->existing)
			delete_slice(y->work, name);
	} else if (p->action == SLICE_CREATE) {
		create_slice(y, p, family);
	} else if (p->action == SLICE_UPDATE || !is_dressed_so(y, p->existing)) {
		struct json *o = json_copy(a, p->existing);
		set_what_is_ours(y, o, p);
		work_send(y->work, "PUT", kube_path(a, "discovery.k8s.io/v1", "endpointslices", y->meta.ns, name, NULL),
		        o, work_done_ignore_missing);
	}
}

static void write_family(struct mirror *y, const char *family)
{
	struct arena *a = &y->work->arena;
	struct slice_group *groups = NULL;
	const struct informer_group *own = informer_index_group(y->s->slices_by_owner, y->work->key);
	const struct json **existing = ARENA_ARRAY(a, const struct json *, informer_group_count(own) + 1);
	size_t n = 0;
	JSON_FOREACH (it, json_get(y->endpoints, "subsets"))
		add_subset(y, it, family, &groups);
	INFORMER_GROUP_FOREACH(o, own)
	if (slice_is(json_find(informer_text(o), "addressType", NULL), family) &&
	        !json_find(informer_text(o), "metadata", "deletionTimestamp", NULL).len)
		existing[n++] = informer_parse(a, o);
	for (struct slice_plan *p = slices_plan(a, groups, existing, n); p; p = p->next)
		carry_out(y, p, family);
}

static void drop_all(struct mirrors *s, struct work *w)
{
	INFORMER_GROUP_FOREACH(o, informer_index_group(s->slices_by_owner, w->key))
	{
		struct meta m;
		rcbuf_unref_with(&w->arena, rcbuf_ref(o->json));
		meta_read(informer_text(o), &m);
		if (!m.deletion_timestamp.len)
			delete_slice(w, m.name);
	}
}

static void run(struct work *w)
{
	struct mirrors *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->endpoints), w->key);
	int64_t wait_ms;
	if (!o || !is_mirrored(s, o)) {
		drop_all(s, w);
		return;
	}
	if (!expectations_fulfilled(&s->expectations, w->key, controllers_now_ms(s->c), &wait_ms)) {
		work_again(w, wait_ms); /* or the slices' events bring us back */
		return;
	}
	struct mirror *y = ARENA_NEW(&w->arena, struct mirror);
	*y = (struct mirror){.s = s, .work = w, .endpoints = informer_parse(&w->arena, o)};
	rcbuf_unref_with(&w->arena, rcbuf_ref(o->json));
	meta_read(informer_text(o), &y->meta);
	write_family(y, "IPv4");
	write_family(y, "IPv6");
	if (!y->left_out)
		return;
	struct recorder_subject about = recorder_about("v1", "Endpoints", &y->meta);
	recorder_event(s->recorder, &about, "Warning", "TooManyAddressesToMirror",
	        "A max of %d addresses can be mirrored to EndpointSlices per Endpoints subset. %zu addresses were "
	        "skipped",
	        ADDRESSES_MAX, y->left_out);
}

/* ---- life ---- */

void *endpoint_slice_mirroring_start(struct controllers *c)
{
	struct mirrors *s = xcalloc(1, sizeof *s);
	s->c = c;
	expectations_init(&s->expectations);
	s->recorder = controllers_recorder(c, "endpoint-slice-mirroring-controller");
	s->queue = controllers_queue(c, "endpointslicemirroring", 5, run, s);
	s->services = controllers_listen(c, SERVICES,
	        &(struct informer_handler){.added = changed, .updated = updated, .deleted = changed, .arg = s});
	s->endpoints = controllers_listen(c, ENDPOINTS,
	        &(struct informer_handler){
	                .added = changed, .updated = updated, .deleted = endpoints_deleted, .arg = s});
	s->slices = controllers_listen(c, SLICES,
	        &(struct informer_handler){
	                .added = slice_added, .updated = slice_updated, .deleted = slice_deleted, .arg = s});
	s->slices_by_owner = informer_index_get(s->slices, "mirrored", index_mirrored);
	return s;
}

void endpoint_slice_mirroring_release(void *state)
{
	struct mirrors *s = state;
	expectations_release(&s->expectations);
	free(s);
}

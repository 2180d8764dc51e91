/* See volume_binding.h. The order of the rules is upstream's (FindMatchingVolume), for it decides what a user sees: a
 * volume that is reserved for the claim wins whatever its class; among the others a smaller set of access modes is
 * tried before a larger, and within a set the smallest volume wins. */
#include "api/machinery/rules/volume_binding.h"

#include "api/machinery/codec/quantity.h"
#include "api/machinery/schema/node_selector.h"
#include "api/machinery/schema/selector.h"
#include "base/json/scan.h"

static unsigned read_access(struct slice list)
{
	static const char *const names[] = {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"};
	struct json_scan s;
	unsigned set = 0;
	json_scan_init(&s, list);
	if (json_scan_next(&s) != JSON_TOKEN_ARRAY)
		return 0;
	while (json_scan_element(&s) && json_scan_next(&s) == JSON_TOKEN_STRING)
		for (unsigned i = 0; i < 4; i++)
			if (slice_is(s.text, names[i]))
				set |= 1u << i;
	return set;
}

static struct slice class_of(struct slice spec, struct slice annotations, bool *ret_said)
{
	struct slice old = json_find(annotations, VOLUME_BETA_CLASS, NULL);
	struct slice class = old.ptr ? old : json_find(spec, "storageClassName", NULL);
	*ret_said = class.ptr != NULL;
	return class;
}

void volume_view_read(struct slice object, struct volume_view *out)
{
	struct slice meta = json_find(object, "metadata", NULL), spec = json_find(object, "spec", NULL),
	             ref = json_find(spec, "claimRef", NULL);
	bool said;
	*out = (struct volume_view){.text = object,
	        .name = json_find(meta, "name", NULL),
	        .uid = json_find(meta, "uid", NULL),
	        .labels = json_find(meta, "labels", NULL),
	        .annotations = json_find(meta, "annotations", NULL),
	        .is_dying = json_find(meta, "deletionTimestamp", NULL).len > 0,
	        .phase = json_find(object, "status", "phase", NULL),
	        .affinity = json_find(spec, "nodeAffinity", "required", "nodeSelectorTerms", NULL),
	        .size = quantity_text_value(json_find(spec, "capacity", "storage", NULL)),
	        .access = read_access(json_find(spec, "accessModes", NULL)),
	        .is_block = slice_is(json_find(spec, "volumeMode", NULL), "Block"),
	        .has_claim = ref.len > 0,
	        .claim_ns = json_find(ref, "namespace", NULL),
	        .claim_name = json_find(ref, "name", NULL),
	        .claim_uid = json_find(ref, "uid", NULL)};
	out->class = class_of(spec, out->annotations, &said);
}

void claim_view_read(struct slice object, struct claim_view *out)
{
	struct slice meta = json_find(object, "metadata", NULL), spec = json_find(object, "spec", NULL);
	*out = (struct claim_view){.text = object,
	        .ns = json_find(meta, "namespace", NULL),
	        .name = json_find(meta, "name", NULL),
	        .uid = json_find(meta, "uid", NULL),
	        .annotations = json_find(meta, "annotations", NULL),
	        .is_dying = json_find(meta, "deletionTimestamp", NULL).len > 0,
	        .phase = json_find(object, "status", "phase", NULL),
	        .volume = json_find(spec, "volumeName", NULL),
	        .selector = json_find(spec, "selector", NULL),
	        .size = quantity_text_value(json_find(spec, "resources", "requests", "storage", NULL)),
	        .access = read_access(json_find(spec, "accessModes", NULL)),
	        .is_block = slice_is(json_find(spec, "volumeMode", NULL), "Block")};
	out->class = class_of(spec, out->annotations, &out->has_class);
	out->was_bound = json_find(out->annotations, VOLUME_BIND_COMPLETED, NULL).ptr != NULL;
	out->by_controller = json_find(out->annotations, VOLUME_BOUND_BY_CONTROLLER, NULL).ptr != NULL;
	out->selected_node = json_find(out->annotations, VOLUME_SELECTED_NODE, NULL);
}

bool volume_is_for(const struct volume_view *v, const struct claim_view *c)
{
	return v->has_claim && slice_eq(v->claim_name, c->name) && slice_eq(v->claim_ns, c->ns) &&
	       (!v->claim_uid.len || slice_eq(v->claim_uid, c->uid));
}

struct json *volume_point_to_claim(struct arena *a, const struct volume_view *v, const struct claim_view *c)
{
	struct json *object = json_parse(a, v->text, NULL, NULL), *spec = json_need(a, object, "spec", JSON_OBJECT);
	struct json *meta = json_need(a, object, "metadata", JSON_OBJECT);
	if (!volume_is_for(v, c))
		json_set_cstr(a, json_need(a, meta, "annotations", JSON_OBJECT), VOLUME_BOUND_BY_CONTROLLER, "yes");
	struct json *ref = json_set(a, spec, "claimRef", json_new(a, JSON_OBJECT));
	json_set_cstr(a, ref, "kind", "PersistentVolumeClaim");
	json_set_str(a, ref, "namespace", c->ns);
	json_set_str(a, ref, "name", c->name);
	json_set_str(a, ref, "uid", c->uid);
	json_set_cstr(a, ref, "apiVersion", "v1");
	json_set_str(a, ref, "resourceVersion", json_find(c->text, "metadata", "resourceVersion", NULL));
	return object;
}

static bool has_access(const struct volume_view *v, const struct claim_view *c)
{
	return (c->access & ~v->access) == 0;
}

const char *volume_mismatch(const struct volume_view *v, const struct claim_view *c)
{
	if (v->is_dying)
		return "the volume is marked for deletion";
	if (v->size < c->size)
		return "requested PV is too small";
	if (!slice_eq(v->class, c->class))
		return "storageClassName does not match";
	if (v->is_block != c->is_block)
		return "incompatible volumeMode";
	return has_access(v, c) ? NULL : "incompatible accessMode";
}

bool volume_reaches_node(const struct volume_view *v, struct slice node, struct slice labels)
{
	struct arena a = ARENA_INIT;
	if (!v->affinity.len)
		return true;
	bool reaches = node_selector_terms_match(json_parse(&a, v->affinity, NULL, NULL), node, labels);
	arena_release(&a);
	return reaches;
}

void volume_search_start(struct volume_search *s, struct arena *a)
{
	s->arena = a;
	s->selector = s->claim->selector.len ? json_parse(a, s->claim->selector, NULL, NULL) : NULL;
}

static bool selector_admits(struct volume_search *s, const struct volume_view *v)
{
	struct label_selector selector;
	bool nothing;
	return !s->selector || (label_selector_from_json(s->arena, s->selector, &selector, &nothing, NULL) == 0 &&
	                               !nothing && label_selector_matches(&selector, v->labels));
}

/* Fewer modes, then fewer bytes. */
static bool is_better(const struct volume_view *v, const struct volume_view *than)
{
	int modes = __builtin_popcount(v->access), of_best = __builtin_popcount(than->access);
	return modes != of_best ? modes < of_best : v->size < than->size;
}

void volume_search_offer(struct volume_search *s, const struct volume_view *v)
{
	const struct claim_view *c = s->claim;
	if (s->is_reserved || (v->has_claim && !volume_is_for(v, c)) || v->size < c->size || v->is_dying ||
	        v->is_block != c->is_block || !has_access(v, c))
		return;
	if (volume_is_for(v, c)) {
		/* Reserved for it: this one or none, also when the node is out of its reach. */
		s->is_reserved = true;
		s->is_refused = s->on_node && !volume_reaches_node(v, s->node, s->labels);
		s->best = *v;
		s->found = true;
		return;
	}
	if (!s->on_node && s->waits_for_consumer)
		return;
	if (!slice_is(v->phase, "Available") || !slice_eq(v->class, c->class) || !selector_admits(s, v) ||
	        (s->found && !is_better(v, &s->best)))
		return;
	if (s->on_node && !volume_reaches_node(v, s->node, s->labels))
		return;
	s->best = *v;
	s->found = true;
}

const struct volume_view *volume_search_end(const struct volume_search *s)
{
	return s->found && !s->is_refused ? &s->best : NULL;
}

void volume_index_free(struct slice object, struct strbuf *out)
{
	struct volume_view v;
	volume_view_read(object, &v);
	if (!v.has_claim) {
		strbuf_addc(out, '/');
		strbuf_add_slice(out, v.class);
	}
}

void volume_index_pointing(struct slice object, struct strbuf *out)
{
	struct slice ref = json_find(object, "spec", "claimRef", NULL);
	if (!ref.len)
		return;
	strbuf_add_slice(out, json_find(ref, "namespace", NULL));
	strbuf_addc(out, '/');
	strbuf_add_slice(out, json_find(ref, "name", NULL));
}

bool storage_class_waits(struct slice storage_class)
{
	return slice_is(json_find(storage_class, "volumeBindingMode", NULL), "WaitForFirstConsumer");
}

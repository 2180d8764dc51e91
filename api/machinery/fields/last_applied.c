/* See last_applied.h. What client-side apply owned is what its annotation names and the live object still has so; what
 * was changed since by somebody else is in conflict as ever. */
#include "api/machinery/fields/last_applied.h"

#include "api/machinery/codec/decode.h"

static const char annotation[] = "kubectl.kubernetes.io/last-applied-configuration";

/* What all annotations of an object may take (apimachinery's TotalAnnotationSizeLimitB). */
enum { ANNOTATIONS_BYTES_MAX = 256 * 1024 };

bool last_applied_is_for(struct slice manager)
{
	return slice_is(manager, "kubectl");
}

static struct json *annotations_of(const struct json *object)
{
	return json_path(object, "metadata", "annotations", NULL);
}

/* The object of the annotation; NULL: none that could be read. */
static struct json *last_applied(struct arena *a, const struct resource *r, const struct json *live)
{
	struct slice text = json_get_str(annotations_of(live), annotation);
	struct decode_problems problems;
	struct json *v = text.len ? json_parse(a, text, NULL, NULL) : NULL;
	decode_problems_init(&problems, a);
	if (!json_is(v, JSON_OBJECT) ||
	        (r->type && decode_object(a, v, r->type, DECODE_KEEP_SHAPE, &problems, NULL) != 0))
		return NULL;
	return v;
}

struct paths {
	struct map map;
	struct arena *a;
};

static void add_path(void *arg, const char *path)
{
	struct paths *p = arg;
	struct slice key = slice_of(arena_strdup(p->a, path));
	map_put(&p->map, key, p);
}

bool last_applied_allows(
        struct arena *a, const struct resource *r, const struct json *live, struct manager_conflicts *conflicts)
{
	struct json *applied = last_applied(a, r, live);
	struct field_set named, *same;
	struct comparison c;
	struct paths allowed = {.a = a};
	size_t left = 0;
	if (!applied || fields_of_object(a, r->type, applied, &named, NULL) != 0)
		return false;
	compare_objects(a, r->type, applied, live, &c);
	same = field_set_difference(a, &named, &c.modified);
	same = field_set_difference(a, same, &c.added);
	same = field_set_difference(a, same, &c.removed);
	field_set_each(same, add_path, &allowed);
	for (size_t i = 0; i < conflicts->count; i++)
		if (!map_get(&allowed.map, slice_of(conflicts->items[i].path)))
			conflicts->items[left++] = conflicts->items[i];
	conflicts->count = left;
	map_release(&allowed.map);
	return left == 0;
}

static size_t bytes_of(const struct json *annotations)
{
	size_t n = 0;
	JSON_FOREACH (it, annotations)
		n += it->key.len + it->text.len;
	return n;
}

void last_applied_set(struct arena *a, struct json *object, const struct json *config)
{
	struct json *annotations = annotations_of(object), *old = json_get(annotations, annotation);
	if (!json_is(old, JSON_STRING))
		return;
	struct json *copy = json_copy(a, config);
	struct strbuf text = STRBUF_INIT;
	if (annotations_of(copy))
		json_del(annotations_of(copy), annotation);
	json_write(&text, copy);
	strbuf_addc(&text, '\n');
	bool fits = bytes_of(annotations) - old->text.len + text.len <= ANNOTATIONS_BYTES_MAX;
	json_set_str(a, annotations, annotation, fits ? strbuf_slice(&text) : SLICE(""));
	strbuf_release(&text);
}

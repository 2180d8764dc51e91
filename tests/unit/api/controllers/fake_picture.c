/* What is there at the end of a play, as a user sees it: see fake_api_picture(). One object a line, members by their
 * names, without what differs between two plays that are the same. */
#include "tests/unit/api/controllers/fake_api.h"

#include "base/json/scan.h"

#include <stdlib.h>
#include <string.h>

/* Names that were made up, with what stands for them. */
struct picture {
	struct arena arena;
	struct map names;
	const char **lines;
	size_t n, cap;
};

static bool is_passing(struct slice key)
{
	static const char *const keys[] = {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp",
	        "generation", "observedGeneration", "controller-uid", "batch.kubernetes.io/controller-uid", "revision",
	        "podIP", "podIPs", "batch.kubernetes.io/cronjob-scheduled-timestamp",
	        "endpoints.kubernetes.io/last-change-trigger-time", "deployment.kubernetes.io/desired-replicas",
	        "deployment.kubernetes.io/max-replicas", "timeAdded"};
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (slice_is(key, keys[i]))
			return true;
	return slice_ends(key, "Time") || slice_ends(key, "Timestamp");
}

/* Members by their names: a patch adds them in the order in which it came. */
static void sort(struct json *v)
{
	for (size_t left = v->count; left; left--) {
		struct json *least = v->first, *it = v->first;
		for (size_t i = 0; i < left; i++, it = it->next)
			least = slice_cmp(it->key, least->key) < 0 ? it : least;
		json_remove(v, least);
		json_append(v, least);
	}
}

static void simplify(struct picture *p, struct json *v)
{
	for (struct json *next, *it = v->first; it; it = next) {
		next = it->next;
		if (v->type == JSON_OBJECT && is_passing(it->key)) {
			json_remove(v, it);
			continue;
		}
		const char *stands = it->type == JSON_STRING ? map_get(&p->names, it->text) : NULL;
		if (stands)
			it->text = slice_of(stands);
		else if (it->type == JSON_STRING && slice_starts(it->text, "10.99."))
			it->text = SLICE("IP");
		simplify(p, it);
		if ((it->type == JSON_OBJECT || it->type == JSON_ARRAY) && !it->first)
			json_remove(v, it);
	}
	if (v->type == JSON_OBJECT)
		sort(v);
}

static void learn_name(void *arg, const struct resource *r, struct slice text)
{
	struct picture *p = arg;
	struct arena *a = &p->arena;
	struct slice prefix = json_find(text, "metadata", "generateName", NULL),
	             name = json_find(text, "metadata", "name", NULL);
	p->cap++;
	if (prefix.len)
		map_put(&p->names, slice_of(arena_printf(a, "%.*s", SLICE_FMT(name))),
		        arena_printf(a, "%.*s*", SLICE_FMT(prefix)));
}

/* Whether the controllers have caught up with the spec stays, as one word. */
static void note_observed(struct arena *a, struct json *object)
{
	int64_t seen = json_int(json_path(object, "status", "observedGeneration", NULL), -1);
	if (seen >= 0)
		json_set_bool(
		        a, object, "isObserved", seen == json_get_int(json_get(object, "metadata"), "generation", 0));
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void add_line(void *arg, const struct resource *r, struct slice text)
{
	struct picture *p = arg;
	struct strbuf out = STRBUF_INIT;
	if (strcmp(r->plural, "events") == 0)
		return;
	struct json *object = json_parse(&p->arena, text, NULL, NULL);
	note_observed(&p->arena, object);
	simplify(p, object);
	json_write(&out, object);
	p->lines[p->n++] = arena_strdup(&p->arena, strbuf_cstr(&out));
	strbuf_release(&out);
}

void fake_api_picture(struct fake_api *f, struct strbuf *out)
{
	struct picture p = {0};
	fake_api_texts(f, learn_name, &p);
	p.lines = ARENA_ARRAY(&p.arena, const char *, p.cap + 1);
	fake_api_texts(f, add_line, &p);
	qsort(p.lines, p.n, sizeof *p.lines, by_text);
	for (size_t i = 0; i < p.n; i++)
		strbuf_addf(out, "%s\n", p.lines[i]);
	map_release(&p.names);
	arena_release(&p.arena);
}

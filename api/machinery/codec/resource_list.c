/* See resource_list.h. Lists are short (a pod names a handful of resources), so they are walked. */
#include "api/machinery/codec/resource_list.h"

#include "base/check.h"

#include <stdlib.h>

struct resource_list resource_list_read(struct arena *a, const struct json *map)
{
	struct resource_list out = {.arena = a};
	JSON_FOREACH (it, map) {
		struct quantity q;
		struct err unused = ERR_INIT;
		if (quantity_parse(it->text, &q, &unused) == 0)
			resource_list_set(&out, it->key, &q);
	}
	return out;
}

struct quantity *resource_list_get(const struct resource_list *a, struct slice name)
{
	for (size_t i = 0; i < a->n; i++)
		if (slice_eq(a->list[i].name, name))
			return &a->list[i].q;
	return NULL;
}

void resource_list_set(struct resource_list *a, struct slice name, const struct quantity *q)
{
	struct quantity *there = resource_list_get(a, name);
	CHECK(a->arena != NULL);
	if (there) {
		*there = *q;
		return;
	}
	if (a->n == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 8;
		struct named_quantity *list = ARENA_ARRAY(a->arena, struct named_quantity, cap);
		if (a->n)
			memcpy(list, a->list, a->n * sizeof *list);
		a->list = list;
		a->cap = cap;
	}
	a->list[a->n++] = (struct named_quantity){name, *q};
}

void resource_list_add(struct resource_list *a, const struct resource_list *more)
{
	for (size_t i = 0; i < more->n; i++) {
		struct quantity *there = resource_list_get(a, more->list[i].name);
		if (there)
			quantity_add(there, &more->list[i].q);
		else
			resource_list_set(a, more->list[i].name, &more->list[i].q);
	}
}

void resource_list_sub(struct resource_list *a, const struct resource_list *less)
{
	for (size_t i = 0; i < less->n; i++) {
		struct quantity *there = resource_list_get(a, less->list[i].name);
		struct quantity none = {.format = less->list[i].q.format};
		if (!there) {
			resource_list_set(a, less->list[i].name, &none);
			there = resource_list_get(a, less->list[i].name);
		}
		quantity_sub(there, &less->list[i].q);
	}
}

void resource_list_raise(struct resource_list *a, const struct resource_list *other)
{
	for (size_t i = 0; i < other->n; i++) {
		const struct quantity *there = resource_list_get(a, other->list[i].name);
		if (!there || quantity_cmp(there, &other->list[i].q) < 0)
			resource_list_set(a, other->list[i].name, &other->list[i].q);
	}
}

static struct slice text_of(struct arena *a, const struct quantity *q)
{
	char text[QUANTITY_TEXT_MAX];
	size_t n = quantity_format(q, text);
	return (struct slice){arena_memdup(a, text, n), n};
}

struct json *resource_list_json(const struct resource_list *a)
{
	struct json *map = json_new(a->arena, JSON_OBJECT);
	for (size_t i = 0; i < a->n; i++)
		json_set_slice(
		        a->arena, map, a->list[i].name, json_new_str(a->arena, text_of(a->arena, &a->list[i].q)));
	return map;
}

static int compare_names(const void *x, const void *y)
{
	return slice_cmp(((const struct named_quantity *)x)->name, ((const struct named_quantity *)y)->name);
}

static const struct named_quantity *in_order(const struct resource_list *a, struct arena *arena)
{
	struct named_quantity *sorted = ARENA_ARRAY(arena, struct named_quantity, a->n + 1);
	if (a->n)
		memcpy(sorted, a->list, a->n * sizeof *sorted);
	if (a->n > 1)
		qsort(sorted, a->n, sizeof *sorted, compare_names);
	return sorted;
}

const char *resource_list_text(const struct resource_list *a, struct arena *arena)
{
	const struct named_quantity *sorted = in_order(a, arena);
	const char *text = "";
	for (size_t i = 0; i < a->n; i++)
		text = arena_printf(arena, "%s%s%.*s=%.*s", text, i ? "," : "", SLICE_FMT(sorted[i].name),
		        SLICE_FMT(text_of(arena, &sorted[i].q)));
	return text;
}

const char *resource_list_names(const struct resource_list *a, struct arena *arena)
{
	const struct named_quantity *sorted = in_order(a, arena);
	const char *text = "";
	for (size_t i = 0; i < a->n; i++)
		text = arena_printf(arena, "%s%s%.*s", text, i ? "," : "", SLICE_FMT(sorted[i].name));
	return text;
}

/* ---- pods ---- */

static bool stays(const struct json *init_container)
{
	return slice_is(json_get_str(init_container, "restartPolicy"), "Always");
}

struct resource_list resource_list_of_pod(struct arena *a, const struct json *spec, const char *which)
{
	struct resource_list sum = {.arena = a}, staying = {.arena = a}, most = {.arena = a};
	JSON_FOREACH (c, json_get(spec, "containers")) {
		struct resource_list x = resource_list_read(a, json_path(c, "resources", which, NULL));
		resource_list_add(&sum, &x);
	}
	JSON_FOREACH (c, json_get(spec, "initContainers")) {
		struct resource_list x = resource_list_read(a, json_path(c, "resources", which, NULL));
		if (stays(c)) {
			resource_list_add(&sum, &x);
			resource_list_add(&staying, &x);
			resource_list_raise(&most, &staying);
		} else {
			resource_list_add(&x, &staying);
			resource_list_raise(&most, &x);
		}
	}
	resource_list_raise(&sum, &most);
	return sum;
}

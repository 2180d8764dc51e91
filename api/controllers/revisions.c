/* See revisions.h. Upstream: pkg/controller/history, pkg/controller/daemon/update.go. */
#include "api/controllers/revisions.h"

#include <stdlib.h>

struct json *revisions_data(struct arena *a, const struct json *template)
{
	struct json *data = json_new(a, JSON_OBJECT), *spec = json_need(a, data, "spec", JSON_OBJECT);
	struct json *copy = json_set(a, spec, "template", json_copy(a, template));
	json_set_cstr(a, copy, "$patch", "replace");
	return data;
}

struct json *revisions_template(struct arena *a, const struct json *data)
{
	struct json *template = json_path(data, "spec", "template", NULL);
	if (!template)
		return NULL;
	struct json *copy = json_copy(a, template);
	json_del(copy, "$patch");
	return copy;
}

static int by_number(const void *x, const void *y)
{
	const struct revision *a = x, *b = y;
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	int64_t made_a = kube_time_parse(a->meta.creation_timestamp),
	        made_b = kube_time_parse(b->meta.creation_timestamp);
	if (made_a != made_b)
		return made_a < made_b ? -1 : 1;
	return slice_cmp(a->meta.name, b->meta.name);
}

void revisions_sort(struct revision *list, size_t n)
{
	qsort(list, n, sizeof *list, by_number);
}

struct revision *revisions_find(struct revision *list, size_t n, const struct json *data)
{
	while (n--)
		if (list[n].data && json_equal(list[n].data, data))
			return &list[n];
	return NULL;
}

int64_t revisions_next(const struct revision *list, size_t n)
{
	int64_t highest = 0;
	for (size_t i = 0; i < n; i++)
		if (list[i].number > highest)
			highest = list[i].number;
	return highest + 1;
}

size_t revisions_excess(struct revision *list, size_t n, const struct revision *fresh, int64_t limit)
{
	int64_t old = 0;
	size_t marks = 0;
	for (size_t i = 0; i < n; i++)
		old += !list[i].is_live && &list[i] != fresh;
	for (size_t i = 0; i < n && old > limit; i++) {
		if (list[i].is_live || &list[i] == fresh)
			continue;
		list[i].is_doomed = true;
		marks++;
		old--;
	}
	return marks;
}

/* See keyed_list_int.h. The order is that of apimachinery's normalizeElementOrder and mergeSortedSlice. */
#include "api/machinery/patch/keyed_list_int.h"

#include <stdlib.h>

static struct slice tagged(struct arena *a, char tag, struct slice text)
{
	char *out = arena_alloc(a, text.len + 1);
	out[0] = tag;
	if (text.len)
		memcpy(out + 1, text.ptr, text.len);
	return (struct slice){out, text.len + 1};
}

/* Equal values have equal texts: 80 and 80.0 are one number, "80" is none. */
static struct slice text_of(struct arena *a, const struct json *v)
{
	if (!v)
		return SLICE_NULL;
	if (v->type == JSON_STRING)
		return tagged(a, 's', v->text);
	int64_t n = json_int(v, INT64_MIN);
	if (n != INT64_MIN)
		return slice_of(arena_printf(a, "n%lld", (long long)n));
	struct strbuf b = STRBUF_INIT;
	json_write(&b, v);
	struct slice out = tagged(a, 'j', strbuf_slice(&b));
	strbuf_release(&b);
	return out;
}

struct slice keyed_list_key(const struct keyed_list *k, const struct json *element)
{
	bool by_member = k->merge_key && json_is(element, JSON_OBJECT);
	return text_of(k->a, by_member ? json_get(element, k->merge_key) : element);
}

static void add(struct keyed_list *k, struct json *value, size_t place)
{
	if (k->count == k->cap) {
		k->cap = k->cap ? k->cap * 2 : 16;
		k->items = xrealloc(k->items, k->cap * sizeof(struct keyed_item *));
	}
	struct keyed_item *item = ARENA_NEW(k->a, struct keyed_item), *first;
	*item = (struct keyed_item){.value = value, .key = keyed_list_key(k, value), .place = place};
	k->items[k->count++] = item;
	if (!item->key.ptr)
		return;
	first = map_get(&k->by_key, item->key);
	if (first) {
		item->same = first->same;
		first->same = item;
	} else {
		map_put(&k->by_key, item->key, item);
	}
}

void keyed_list_open(struct keyed_list *k, struct arena *a, struct json *list, const char *merge_key)
{
	*k = (struct keyed_list){.a = a, .list = list, .merge_key = merge_key};
	for (struct json *it = list->first; it; it = list->first) {
		json_remove(list, it);
		add(k, it, k->count);
	}
	k->had = k->count;
}

struct json *keyed_list_find(const struct keyed_list *k, struct slice key)
{
	const struct keyed_item *it = key.ptr ? map_get(&k->by_key, key) : NULL;
	while (it && !it->value)
		it = it->same;
	return it ? it->value : NULL;
}

void keyed_list_add(struct keyed_list *k, struct json *value)
{
	add(k, value, SIZE_MAX);
}

void keyed_list_delete(struct keyed_list *k, struct slice key)
{
	for (struct keyed_item *it = map_get(&k->by_key, key); it; it = it->same) {
		k->deleted += it->value && it->place != SIZE_MAX;
		it->value = NULL;
	}
}

void keyed_list_fill_places(struct keyed_list *k)
{
	for (size_t i = k->had; i < k->count && i < k->had + k->deleted; i++)
		k->items[i]->place = i;
}

/* ---- closing ---- */

static int by_order(const void *a, const void *b)
{
	const struct keyed_item *x = *(struct keyed_item *const *)a, *y = *(struct keyed_item *const *)b;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

/* Those that `order` names come to the front, in its order; returns how many. */
static size_t sort_named(struct keyed_list *k, const struct json *order)
{
	size_t named = 0, live = 0, position = 0;
	for (size_t i = 0; i < k->count; i++)
		k->items[i]->order = SIZE_MAX;
	JSON_FOREACH (it, order) {
		struct slice key = keyed_list_key(k, it);
		struct keyed_item *item = key.ptr ? map_get(&k->by_key, key) : NULL;
		position++;
		for (bool is_first = item && item->order == SIZE_MAX; is_first && item; item = item->same)
			item->order = position;
	}
	for (size_t i = 0; i < k->count; i++)
		if (k->items[i]->value) {
			named += k->items[i]->order != SIZE_MAX;
			k->items[live++] = k->items[i];
		}
	k->count = live;
	if (live)
		qsort(k->items, live, sizeof(struct keyed_item *), by_order);
	return named;
}

/* Where an element's key stood first in the list as it was. */
static size_t place_of(const struct keyed_list *k, const struct keyed_item *item)
{
	const struct keyed_item *first = item->key.ptr ? map_get(&k->by_key, item->key) : NULL;
	return first ? first->place : item->place;
}

void keyed_list_close(struct keyed_list *k, const struct json *order)
{
	size_t named = sort_named(k, order), i = 0, j = named;
	while (i < named || j < k->count) {
		bool take_other = i == named;
		if (i < named && j < k->count) {
			size_t mine = place_of(k, k->items[i]), other = place_of(k, k->items[j]);
			take_other = mine != SIZE_MAX && other != SIZE_MAX && other < mine;
		}
		json_append(k->list, k->items[take_other ? j++ : i++]->value);
	}
	map_release(&k->by_key);
	free(k->items);
}

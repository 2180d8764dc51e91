/* A list while it is merged: its elements by their merge key (or by themselves, when they are scalars), hashed, so that
 * lists as long as a client cares to send cost linear time.
 *
 *     keyed_list_open(&k, arena, list, merge_key);     the list is empty from here on
 *     keyed_list_find(), _add(), _delete()
 *     keyed_list_close(&k, order);                     linked again, in upstream's order */
#ifndef K3X_API_MACHINERY_PATCH_KEYED_LIST_INT_H
#define K3X_API_MACHINERY_PATCH_KEYED_LIST_INT_H

#include "base/json/json.h"

struct keyed_item {
	struct json *value;      /* NULL: deleted */
	struct keyed_item *same; /* the next one with this key */
	struct slice key;        /* SLICE_NULL: it has none */
	size_t place;            /* in the list as it was; SIZE_MAX: new */
	size_t order;            /* while the list is closed */
};

struct keyed_list {
	struct arena *a;
	struct json *list;
	const char *merge_key; /* NULL: scalars */
	struct keyed_item **items;
	size_t count, cap;
	size_t had, deleted;
	struct map by_key; /* the first item of each key */
};

void keyed_list_open(struct keyed_list *k, struct arena *a, struct json *list, const char *merge_key);
/* The text by which an element is known: its merge key, or itself. SLICE_NULL when it has no such member. */
struct slice keyed_list_key(const struct keyed_list *k, const struct json *element);
/* The first element of a key; NULL when there is none (any more). */
struct json *keyed_list_find(const struct keyed_list *k, struct slice key);
void keyed_list_add(struct keyed_list *k, struct json *value);
void keyed_list_delete(struct keyed_list *k, struct slice key); /* all of that key */

/* Upstream's lists share their memory while $setElementOrder is carried out, so that elements that are new take the
 * places of as many deleted ones, behind what the list had. Say so before closing to get its order. */
void keyed_list_fill_places(struct keyed_list *k);

/* Links what is left: elements that `order` names (by key, or as elements that have one; NULL: none) in its order,
 * woven with the others in theirs: one of the others goes before a named one that stood behind it in the list as it
 * was. */
void keyed_list_close(struct keyed_list *k, const struct json *order);

#endif

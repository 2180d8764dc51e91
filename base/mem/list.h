/* Intrusive doubly linked list: the link lives in the element, so adding and removing never allocate.
 *
 *     struct pod { struct list_link in_queue; ... };
 *     LIST_FOREACH(it, &queue) { struct pod *p = CONTAINER_OF(it, struct pod, in_queue); ... }
 *
 * A link that is in no list points to itself after list_link_init() and list_del(). LIST_FOREACH allows removal of the
 * element it stands on. */
#ifndef K3X_BASE_MEM_LIST_H
#define K3X_BASE_MEM_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_link {
	struct list_link *next;
	struct list_link *prev;
};

static inline void list_init(struct list_link *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list_link *head)
{
	return head->next == head;
}

static inline bool list_linked(const struct list_link *l)
{
	return l->next != l;
}

static inline void list_add_before(struct list_link *at, struct list_link *l)
{
	l->next = at;
	l->prev = at->prev;
	at->prev->next = l;
	at->prev = l;
}

static inline void list_push_back(struct list_link *head, struct list_link *l)
{
	list_add_before(head, l);
}

static inline void list_push_front(struct list_link *head, struct list_link *l)
{
	list_add_before(head->next, l);
}

static inline void list_del(struct list_link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

/* Takes the first element out, NULL when the list is empty. */
static inline struct list_link *list_pop_front(struct list_link *head)
{
	struct list_link *l = head->next;
	if (l == head)
		return NULL;
	head->next = l->next;
	l->next->prev = head;
	list_init(l);
	return l;
}

#define LIST_FOREACH(it, head) \
	for (struct list_link *it = (head)->next, *it##_next = it->next; it != (head); \
	        it = it##_next, it##_next = it->next)

#endif

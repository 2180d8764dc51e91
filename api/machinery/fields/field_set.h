/* Sets of fields of an object: what a manager owns, what an update has changed, what a patch names.
 *
 * A set is a tree shaped like the object. Each node is one step of a path and says whether the path that ends there is
 * in the set; steps are those of FieldsV1, the form in which managedFields tell them:
 *
 *     f:NAME    a member of a struct or map            v:VALUE   an element of a list of distinct scalars
 *     k:{...}   an element of a list with keys         i:NUMBER  an element by its place, where nothing else names it
 *
 * Siblings are in order of kind, then name in byte order, so that all operations on sets are one walk over both. Nodes
 * live in an arena, borrow their names from whoever made them, and are not changed once their set is made: results of
 * operations are new trees that share with their operands what both have. Only who has just made a set by a walk drops
 * parts of it. A node on the caller's stack is a fine root. Any thread. */
#ifndef K3X_API_MACHINERY_FIELDS_FIELD_SET_H
#define K3X_API_MACHINERY_FIELDS_FIELD_SET_H

#include "base/mem/arena.h"
#include "base/mem/map.h"
#include "base/mem/str.h"

struct field_set {
	struct field_set *next;  /* sibling */
	struct field_set *first; /* children, in order */
	struct slice name;       /* without the letter; keys and values as canonical JSON */
	char kind;               /* 'f', 'k', 'v', 'i'; 0: a root */
	bool is_member;          /* the path that ends here is in the set */
};

static inline bool field_set_is_empty(const struct field_set *s)
{
	return !s || (!s->is_member && !s->first);
}

/* Puts a copy of `child` before the other children, unless it is empty. Who has added all calls field_set_sort(). */
void field_set_push(struct arena *a, struct field_set *parent, const struct field_set *child);
/* Brings the children (not theirs) into order. False when two are the same. */
bool field_set_sort(struct field_set *parent);

/* Both may be NULL (empty); the answers never are. */
struct field_set *field_set_union(struct arena *a, const struct field_set *x, const struct field_set *y);
struct field_set *field_set_intersection(struct arena *a, const struct field_set *x, const struct field_set *y);
/* The paths of x that are not in y. What lies below a path of y stays. */
struct field_set *field_set_difference(struct arena *a, const struct field_set *x, const struct field_set *y);
bool field_set_equal(const struct field_set *x, const struct field_set *y);

/* One child, NULL when there is none: a walk, for roots and the like. */
struct field_set *field_set_child(const struct field_set *s, char kind, struct slice name);
/* Takes out a child with all below it, of a set that shares nothing. */
void field_set_drop(struct field_set *s, char kind, struct slice name);

/* Children by name, for sets that may be large: hashed from the 25th on. */
struct field_index {
	const struct field_set *set;
	struct map map;
};
void field_index_init(struct field_index *x, const struct field_set *set); /* NULL: no children */
void field_index_release(struct field_index *x);
const struct field_set *field_index_get(const struct field_index *x, char kind, struct slice name);

/* Calls fn for every path of the set, as upstream spells it: .spec.containers[name="web"].image; parents first. */
void field_set_each(const struct field_set *s, void (*fn)(void *arg, const char *path), void *arg);

#endif

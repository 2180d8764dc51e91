/* How a value is owned: as a whole, or field by field, as its schema says (Kubernetes API reference, "Merge strategy").
 *
 * This is all that the room knows of schemas, built-in or made from a CustomResourceDefinition. Any thread. */
#ifndef K3X_API_MACHINERY_FIELDS_SHAPE_H
#define K3X_API_MACHINERY_FIELDS_SHAPE_H

#include "api/machinery/schema/schema.h"
#include "base/json/json.h"

enum shape_kind {
	SHAPE_OF_ATOM,    /* scalars, atomic lists and maps, and what tells nothing of itself: one owner */
	SHAPE_OF_STRUCT,  /* members by their names, which the type knows */
	SHAPE_OF_MAP,     /* members by any name, alike */
	SHAPE_OF_SET,     /* a list of scalars, each once */
	SHAPE_OF_KEYED,   /* a list of objects that some of their members name */
	SHAPE_OF_UNTYPED, /* maps are granular, all else is atomic */
};

struct shape {
	enum shape_kind kind;
	const struct schema_type *type;   /* of a STRUCT */
	const struct schema_field *field; /* of MAP, SET, KEYED: elements are its elements */
};

/* Of whole objects; NULL: nothing is known of them. */
struct shape shape_of_type(const struct schema_type *type);
struct shape shape_of_field(const struct schema_field *field);
/* Of the elements of a MAP, SET or KEYED. */
struct shape shape_of_element(const struct shape *s);
/* Of a member of a STRUCT, MAP or UNTYPED. *ret_is_named: by its type (a member of a map is not). */
struct shape shape_of_member(const struct shape *s, struct slice name, bool *ret_is_named);

static inline bool shape_is_list(const struct shape *s)
{
	return s->kind == SHAPE_OF_SET || s->kind == SHAPE_OF_KEYED;
}

static inline bool shape_has_members(const struct shape *s)
{
	return s->kind == SHAPE_OF_STRUCT || s->kind == SHAPE_OF_MAP || s->kind == SHAPE_OF_UNTYPED;
}

/* What names the elements of a SET or KEYED list. */
enum { SHAPE_KEYS_MAX = 8 };
struct shape_keys {
	bool is_set;
	size_t count;
	struct slice names[SHAPE_KEYS_MAX];   /* in byte order */
	const char *defaults[SHAPE_KEYS_MAX]; /* as JSON; NULL: none */
};
void shape_keys(const struct shape *list, struct shape_keys *out);
/* The step of an element: *ret_kind 'k' or 'v', and its name in the arena. False when it lacks a key that has no
 * default, or is of another type: *ret_missing is the key, SLICE_NULL in a set. */
bool shape_step(struct arena *a, const struct shape_keys *keys, const struct json *element, char *ret_kind,
        struct slice *ret_name, struct slice *ret_missing);

#endif

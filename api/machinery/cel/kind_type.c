/* See kind_type.h. Each type is made once; one that holds itself (schemas of definitions) is any value there. */
#include "api/machinery/cel/kind_type.h"

#include <stdlib.h>

struct maker {
	struct arena *arena;
	struct map made; /* by schema_type */
};

static const struct cel_type *make(struct maker *m, const struct schema_type *t);

static const struct cel_type *scalar(enum schema_kind kind)
{
	switch (kind) {
	case SCHEMA_STRING:
	case SCHEMA_DURATION:
		return &cel_type_string;
	case SCHEMA_BOOL:
		return &cel_type_bool;
	case SCHEMA_INT32:
	case SCHEMA_INT64:
		return &cel_type_int;
	case SCHEMA_DOUBLE:
		return &cel_type_double;
	case SCHEMA_BYTES:
		return &cel_type_bytes;
	case SCHEMA_TIME:
	case SCHEMA_MICRO_TIME:
		return &cel_type_timestamp;
	default:
		return &cel_type_dyn;
	}
}

static const struct cel_type *field_type(struct maker *m, const struct schema_field *f)
{
	const struct cel_type *t = f->kind == SCHEMA_REF ? make(m, f->ref) : scalar(f->kind);
	if (f->flags & SCHEMA_EMBEDDED_OBJECT)
		t = &cel_type_dyn;
	if (f->container == SCHEMA_LIST)
		return cel_type_list(m->arena, t);
	return f->container == SCHEMA_MAP ? cel_type_map(m->arena, &cel_type_string, t) : t;
}

static int by_name(const void *a, const void *b)
{
	const struct cel_field *x = a, *y = b;
	return slice_cmp(x->name, y->name);
}

static const struct cel_type *make(struct maker *m, const struct schema_type *t)
{
	struct slice key = {arena_memdup(m->arena, &t, sizeof t), sizeof t};
	const struct cel_type *known = map_get(&m->made, key);
	if (known)
		return known;
	/* lists of text, values of two shapes, and what keeps members that nobody declared: any */
	if (t->flags &
	        (SCHEMA_TYPE_LIST_WRAPPER | SCHEMA_TYPE_UNION | SCHEMA_TYPE_PRESERVE_UNKNOWN | SCHEMA_TYPE_INNER))
		return &cel_type_dyn;
	map_put(&m->made, key, (void *)&cel_type_dyn);
	struct cel_type *out = ARENA_NEW(m->arena, struct cel_type);
	struct cel_field *fields = ARENA_ARRAY(m->arena, struct cel_field, t->field_count + 1);
	*out = (struct cel_type){
	        .kind = CEL_OBJECT, .name = t->go_name, .fields = fields, .size_max = CEL_SIZE_UNBOUND};
	for (size_t i = 0; i < t->field_count; i++) {
		struct slice member = slice_of(t->fields[i].name);
		struct slice name = cel_escape(m->arena, member);
		if (slice_is(member, "namespace"))
			name = member; /* as upstream has it of built-in kinds, where it is no word by itself */
		if (name.ptr)
			fields[out->field_count++] = (struct cel_field){name, member, field_type(m, &t->fields[i])};
	}
	qsort(fields, out->field_count, sizeof *fields, by_name);
	map_put(&m->made, key, out);
	return out;
}

const struct cel_type *kind_cel_type(struct arena *a, const struct schema_type *type)
{
	struct maker m = {.arena = a};
	const struct cel_type *t = type ? make(&m, type) : &cel_type_dyn;
	map_release(&m.made);
	return t;
}

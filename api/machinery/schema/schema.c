/* Lookups in the schema tables, and the docs.
 *
 * The tables are sorted by the generator, so every lookup is a binary search over constant memory. The docs are
 * unpacked by the first who opens them and freed by the last who closes them: only OpenAPI documents need them. */
#include "api/machinery/schema/schema.h"
#include "api/machinery/schema/schema_int.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <lz4.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct schema_docs {
	unsigned refs;
	char text[];
};

static pthread_mutex_t docs_lock = PTHREAD_MUTEX_INITIALIZER;
static struct schema_docs *docs_open;

size_t schema_type_count(void)
{
	return schema_type_count_;
}

const struct schema_type *schema_type_at(size_t index)
{
	CHECK(index < schema_type_count_);
	return &schema_types_[index];
}

const struct schema_type *schema_type_find(struct slice name)
{
	size_t low = 0;
	size_t high = schema_type_count_;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = slice_cmp(name, slice_of(schema_types_[mid].name));
		if (order == 0)
			return &schema_types_[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* Most names differ in their first bytes: how long they are is not asked for. */
static int name_order(struct slice name, const char *field)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char x = (unsigned char)name.ptr[i], y = (unsigned char)field[i];
		if (!y || x != y)
			return !y || x > y ? 1 : -1;
	}
	return field[name.len] ? -1 : 0;
}

const struct schema_field *schema_field_find(const struct schema_type *type, struct slice name)
{
	size_t low = 0;
	size_t high = type ? type->field_count : 0;
	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct schema_field *f = &type->fields[type->sorted[mid]];
		int order = name_order(name, f->name);
		if (order == 0)
			return f;
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

const struct schema_wire *schema_wire_find(const struct schema_type *type, uint32_t number)
{
	size_t low = 0;
	size_t high = type ? type->wire_count : 0;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (type->wire[mid].number == number)
			return &type->wire[mid];
		if (number < type->wire[mid].number)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

const struct schema_field *schema_field_path(const struct schema_type *type, const char *dotted)
{
	struct slice rest = slice_of(dotted);
	const struct schema_field *f = NULL;
	while (rest.ptr && type) {
		f = schema_field_find(type, slice_cut(&rest, '.'));
		if (!f)
			return NULL;
		type = f->ref;
	}
	return rest.ptr ? NULL : f;
}

static struct schema_docs *docs_unpack(void)
{
	struct schema_docs *d = xmalloc(sizeof(*d) + schema_docs_size_);
	int n = LZ4_decompress_safe(
	        (const char *)schema_docs_packed_, d->text, (int)schema_docs_packed_size_, (int)schema_docs_size_);
	CHECK(n == (int)schema_docs_size_);
	d->refs = 0;
	return d;
}

struct schema_docs *schema_docs_open(void)
{
	pthread_mutex_lock(&docs_lock);
	if (!docs_open)
		docs_open = docs_unpack();
	docs_open->refs++;
	struct schema_docs *d = docs_open;
	pthread_mutex_unlock(&docs_lock);
	return d;
}

void schema_docs_close(struct schema_docs *docs)
{
	pthread_mutex_lock(&docs_lock);
	CHECK(docs == docs_open && docs->refs > 0);
	if (--docs->refs == 0) {
		free(docs);
		docs_open = NULL;
	}
	pthread_mutex_unlock(&docs_lock);
}

const char *schema_docs_text(const struct schema_docs *docs, uint32_t doc)
{
	CHECK(doc < schema_docs_size_);
	return docs->text + doc;
}

void schema_fingerprint(char out[SCHEMA_FINGERPRINT_MAX])
{
	snprintf(out, SCHEMA_FINGERPRINT_MAX, "%u.%u", schema_docs_size_, schema_docs_packed_size_);
}

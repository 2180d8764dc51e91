/* managedFields as clients send them: reading answers with entries or an error; what is read is written and read back
 * the same, in one canonical text; sets obey the laws of sets; paths can be told. */
#include "api/machinery/fields/managers.h"
#include "api/machinery/fields/pack.h"
#include "base/check.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *arg, const char *path)
{
	CHECK(path && arg);
}

static void obeys_the_laws(struct arena *a, const struct field_set *x, const struct field_set *y)
{
	struct field_set *both = field_set_union(a, x, y), *common = field_set_intersection(a, x, y),
	                 *rest = field_set_difference(a, x, y);
	CHECK(field_set_equal(both, field_set_union(a, y, x)));
	CHECK(field_set_equal(common, field_set_intersection(a, y, x)));
	CHECK(field_set_equal(x, field_set_union(a, rest, common)));
	CHECK(field_set_is_empty(field_set_intersection(a, rest, y)));
	CHECK(field_set_is_empty(field_set_difference(a, x, both)));
	field_set_each(both, ignore, a);
}

static void packs(struct slice text)
{
	char *packed = malloc(fields_pack_bound(text.len)), *again = malloc(text.len + 1);
	CHECK(packed && again);
	struct slice p = {packed, fields_pack(text, packed)};
	CHECK(fields_packed_text_len(p) == text.len);
	fields_unpack(p, again);
	CHECK(memcmp(again, text.ptr, text.len) == 0);
	free(packed);
	free(again);
}

static void comes_back(struct arena *a, const struct managers *m, bool is_own)
{
	struct strbuf text = STRBUF_INIT, again = STRBUF_INIT;
	struct managers other;
	struct err err = ERR_INIT;
	managers_write(&text, m);
	CHECK(managers_read(a, strbuf_slice(&text), is_own, &other, &err) == 0);
	managers_write(&again, &other);
	CHECK(slice_eq(strbuf_slice(&text), strbuf_slice(&again)));
	packs(strbuf_slice(&text));
	strbuf_release(&text);
	strbuf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct managers m;
	struct err err = ERR_INIT;
	if (managers_read(&a, (struct slice){(const char *)data, size}, false, &m, &err) != 0) {
		CHECK(err.code == ERR_INVAL && err.msg[0]);
	} else {
		comes_back(&a, &m, false);
		comes_back(&a, &m, true);
		for (struct manager *it = m.first; it && it->next; it = it->next)
			obeys_the_laws(&a, it->fields, it->next->fields);
	}
	arena_release(&a);
	return 0;
}

/* Manifests: whatever a file holds, it is objects with a kind and a name, or an error that says why not; and what is
 * read of an annotation of kinds is written as it is read. */
#include "api/controllers/manifest.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_objects(struct arena *a, const struct manifest *m)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct manifest_object *o = &m->objects[i];
		CHECK(o->api_version.len && o->kind.len && o->name.len);
		CHECK(i == 0 || m->objects[i - 1].rank <= o->rank);
		struct strbuf text = STRBUF_INIT;
		manifest_mark(a, o->json, SLICE("web"));
		json_write(&text, o->json);
		CHECK(manifest_is_of(strbuf_slice(&text), SLICE("web")));
		strbuf_release(&text);
	}
}

static void check_kinds(struct arena *a, struct slice text)
{
	struct manifest_kinds k = {0}, again = {0};
	manifest_kinds_read(a, &k, text);
	manifest_kinds_read(a, &again, slice_of(manifest_kinds_text(a, &k)));
	CHECK(memchr(text.ptr ? text.ptr : "", 0, text.len) || k.count == again.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct slice text = {(const char *)data, size};
	struct err err = ERR_INIT;
	struct manifest m;
	if (manifest_parse(&a, text, &m, &err) == 0)
		check_objects(&a, &m);
	else
		CHECK(err.code && err.msg[0]);
	check_kinds(&a, text);
	manifest_name(text);
	manifest_is_one(text);
	arena_release(&a);
	return 0;
}

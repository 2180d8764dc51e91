/* Which manifest of an index is for WebAssembly, and how names are made whole. */
#include "tests/unit/unit.h"

#include "node/runtime/image_name.h"
#include "node/runtime/image_wasi.h"

#define MANIFEST(os, architecture, digest) \
	"{\"mediaType\":\"m\",\"digest\":\"" digest "\",\"size\":7,\"platform\":{\"os\":\"" os \
	"\",\"architecture\":\"" architecture "\"}}"

static int read_text(struct arena *a, const char *text, struct wasi_manifest *ret)
{
	struct err err = ERR_INIT;
	return image_wasi_manifest(a, slice_of(text), ret, &err);
}

static void the_one_for_webassembly_is_taken(void **state)
{
	struct arena a = ARENA_INIT;
	struct wasi_manifest m;
	assert_int_equal(read_text(&a,
	                         "{\"manifests\":[" MANIFEST("unknown", "unknown", "sha256:1") "," MANIFEST(
	                                 "wasi", "wasm", "sha256:2") "]}",
	                         &m),
	        0);
	assert_string_equal(m.digest, "sha256:2");
	assert_string_equal(m.media_type, "m");
	assert_int_equal(m.size, 7);
	assert_int_equal(read_text(&a, "{\"manifests\":[" MANIFEST("wasip1", "wasm", "sha256:3") "]}", &m), 0);
	assert_string_equal(m.digest, "sha256:3");
	arena_release(&a);
}

static void an_index_without_one_is_refused(void **state)
{
	struct arena a = ARENA_INIT;
	struct wasi_manifest m;
	assert_int_equal(
	        read_text(&a, "{\"manifests\":[" MANIFEST("linux", "arm64", "sha256:1") "]}", &m), ERR_NOT_FOUND);
	assert_int_equal(read_text(&a, "{\"manifests\":[" MANIFEST("wasi", "wasm", "md5:1") "]}", &m), ERR_NOT_FOUND);
	assert_int_equal(read_text(&a, "{}", &m), ERR_NOT_FOUND);
	assert_int_not_equal(read_text(&a, "x", &m), 0);
	arena_release(&a);
}

static void names_are_made_whole(void **state)
{
	struct arena a = ARENA_INIT;
	assert_string_equal(image_whole_name(&a, "busybox"), "docker.io/library/busybox:latest");
	assert_string_equal(image_whole_name(&a, "team/app:1"), "docker.io/team/app:1");
	assert_string_equal(image_whole_name(&a, "localhost/app:1"), "localhost/app:1");
	assert_string_equal(image_whole_name(&a, "127.0.0.1:5000/app"), "127.0.0.1:5000/app:latest");
	assert_string_equal(image_whole_name(&a, "ghcr.io/a/b@sha256:00"), "ghcr.io/a/b@sha256:00");
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_one_for_webassembly_is_taken),
	        cmocka_unit_test(an_index_without_one_is_refused),
	        cmocka_unit_test(names_are_made_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

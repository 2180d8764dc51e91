/* node/runtime/image_import: which files are archives, and what ctr says of what it has imported. */
#include "tests/unit/unit.h"

#include "node/runtime/image_import.h"

static void archives_are_known_by_their_ends(void **state)
{
	static const char *const bad[] = {"a", "a.tar.bz2", "tar", "a.tar.part", "list.txt", "a.zst", ".imported"};
	assert_string_equal(image_import_unpacker(slice_of("a.tar")), "");
	assert_string_equal(image_import_unpacker(slice_of("k3x-airgap-images-amd64.tar.zst")), "zstd");
	assert_string_equal(image_import_unpacker(slice_of("a.tzst")), "zstd");
	assert_string_equal(image_import_unpacker(slice_of("a.b.tar.gz")), "gzip");
	assert_string_equal(image_import_unpacker(slice_of("a.tgz")), "gzip");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_null(image_import_unpacker(slice_of(bad[i])));
}

static void names_are_found_in_what_ctr_says(void **state)
{
	struct arena a = ARENA_INIT;
	const char **names;
	assert_int_equal(image_import_names(&a,
	                         slice_of("unpacking docker.io/library/busybox:local (sha256:0a1b)...done\n"
	                                  "unpacking registry.test:5000/team/app@sha256:77 (sha256:77)...\ndone\n"
	                                  "unpacking  (sha256:77)...done\nctr: something else\nunpacking x\n"),
	                         &names),
	        2);
	assert_string_equal(names[0], "docker.io/library/busybox:local");
	assert_string_equal(names[1], "registry.test:5000/team/app@sha256:77");
	assert_int_equal(image_import_names(&a, slice_of(""), &names), 0);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(archives_are_known_by_their_ends),
	        cmocka_unit_test(names_are_found_in_what_ctr_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The cache of modules: what is whole, and what goes. */
#include "tests/unit/unit.h"

#include "node/ground/files.h"
#include "node/wasm/module/module_cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/k3x-unit-cache-XXXXXX";
static struct arena arena;

static int make_folder(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	file_remove_tree(folder);
	arena_release(&arena);
	return 0;
}

static const char *path(const char *file)
{
	return arena_printf(&arena, "%s/%s", folder, file);
}

static void write_text(const char *file, const char *text)
{
	struct err err = ERR_INIT;
	assert_int_equal(file_write(path(file), slice_of(text), 0600, &err), 0);
}

static bool keep(const char *base, const char *module, const char *image)
{
	bool needs_compiler = false;
	struct err err = ERR_INIT;
	assert_int_equal(module_cache_keep(path(base), slice_of(module), image, &needs_compiler, &err), 0);
	return needs_compiler;
}

static void compile(const char *base, const char *library)
{
	struct err err = ERR_INIT;
	write_text("made.new.so", library);
	assert_int_equal(module_cache_take(path(base), path("made.new.so"), &err), 0);
}

static void a_module_is_compiled_once(void **state)
{
	assert_true(keep("once", "module", "sha256:1"));
	compile("once", "library");
	assert_false(keep("once", "module", "sha256:2"));
}

static void a_library_that_is_not_whole_is_made_again(void **state)
{
	keep("torn", "module", "sha256:1");
	compile("torn", "library");
	write_text("torn.so", "libra");
	assert_true(keep("torn", "module", "sha256:1"));
	assert_int_not_equal(access(path("torn.so"), F_OK), 0);
	/* Ended between the two renames: a sum without its library. */
	write_text("torn.sum", "0000000000000000000000000000000000000000000000000000000000000000");
	assert_true(keep("torn", "module", "sha256:1"));
	/* Of a version that wrote no sums. */
	write_text("torn.so", "library");
	assert_true(keep("torn", "module", "sha256:1"));
}

static void a_module_that_is_not_whole_is_written_again(void **state)
{
	size_t len = 0;
	keep("rot", "module", "sha256:1");
	write_text("rot.wasm", "modulo");
	keep("rot", "module", "sha256:1");
	char *text = file_read(path("rot.wasm"), 100, false, &len);
	assert_string_equal(text, "module");
	free(text);
}

static void one_that_is_interpreted_needs_no_compiler(void **state)
{
	write_text("plain.plain", "why");
	assert_false(keep("plain", "module", "sha256:1"));
}

static void files_are_listed_by_module(void **state)
{
	size_t count;
	bool has_module = false, has_left_over = false;
	keep("listed", "module", "sha256:7");
	compile("listed", "library");
	write_text("listed.new.so", "half");
	struct cached_module *list = module_cache_list(&arena, folder, &count);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].name, "listed") == 0) {
			assert_string_equal(list[i].image, "sha256:7");
			assert_int_equal(list[i].bytes, 6 + 7 + 64 + 8);
			assert_true(list[i].is_module && list[i].used_s > 0);
			module_cache_remove(folder, &list[i]);
			has_module = true;
		}
		if (strcmp(list[i].name, "listed.new.so") == 0) {
			assert_false(list[i].is_module);
			has_left_over = true;
		}
	}
	assert_true(has_module && has_left_over);
	assert_int_not_equal(access(path("listed.wasm"), F_OK), 0);
	assert_int_not_equal(access(path("listed.so"), F_OK), 0);
	assert_int_equal(access(path("listed.new.so"), F_OK), 0);
}

/* ---- what goes ---- */

enum { NOW_S = 1000000, LONG_AGO_S = NOW_S - 100000 };

static bool is_even(void *arg, const char *image)
{
	return (*image - '0') % 2 == 0;
}

static bool goes(const struct cached_module *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return list[i].goes;
	fail();
	return false;
}

static void what_no_image_has_goes(void **state)
{
	struct cached_module list[] = {
	        {.name = "kept", .image = "2", .used_s = LONG_AGO_S, .is_module = true},
	        {.name = "orphan", .image = "1", .used_s = LONG_AGO_S, .is_module = true},
	        {.name = "runs", .image = "1", .used_s = LONG_AGO_S, .is_module = true, .is_in_use = true},
	        {.name = "fresh", .image = "1", .used_s = NOW_S - 60, .is_module = true},
	        {.name = "left", .image = "", .used_s = LONG_AGO_S},
	        {.name = "compiling", .image = "", .used_s = NOW_S - 1000},
	};
	module_cache_choose(list, 6, is_even, NULL, 1000, NOW_S);
	assert_false(goes(list, 6, "kept"));
	assert_true(goes(list, 6, "orphan"));
	assert_false(goes(list, 6, "runs"));
	assert_false(goes(list, 6, "fresh"));
	assert_true(goes(list, 6, "left"));
	assert_false(goes(list, 6, "compiling"));
	module_cache_choose(list, 6, NULL, NULL, 1000, NOW_S);
	assert_false(goes(list, 6, "orphan"));
}

static void beyond_the_bound_the_longest_unused_goes(void **state)
{
	struct cached_module list[] = {
	        {.name = "oldest", .image = "2", .used_s = LONG_AGO_S, .bytes = 40, .is_module = true},
	        {.name = "newest", .image = "2", .used_s = LONG_AGO_S + 2, .bytes = 40, .is_module = true},
	        {.name = "middle", .image = "2", .used_s = LONG_AGO_S + 1, .bytes = 40, .is_module = true},
	};
	module_cache_choose(list, 3, is_even, NULL, 100, NOW_S);
	assert_true(goes(list, 3, "oldest"));
	assert_false(goes(list, 3, "middle"));
	assert_false(goes(list, 3, "newest"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_module_is_compiled_once),
	        cmocka_unit_test(a_library_that_is_not_whole_is_made_again),
	        cmocka_unit_test(a_module_that_is_not_whole_is_written_again),
	        cmocka_unit_test(one_that_is_interpreted_needs_no_compiler),
	        cmocka_unit_test(files_are_listed_by_module),
	        cmocka_unit_test(what_no_image_has_goes),
	        cmocka_unit_test(beyond_the_bound_the_longest_unused_goes),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

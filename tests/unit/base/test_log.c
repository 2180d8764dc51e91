/* base/log: lines of text, and the same as JSON objects. */
#include "tests/unit/unit.h"

#include "base/json_lib.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *file;
static char line[8192];

static int setup(void **state)
{
	file = tmpfile();
	log_set_fd(fileno(file));
	return 0;
}

static int teardown(void **state)
{
	log_set_json(false);
	log_set_fd(STDERR_FILENO);
	return fclose(file);
}

static const char *written(void)
{
	ssize_t n = pread(fileno(file), line, sizeof line - 1, 0);
	assert_true(n > 0 && line[n - 1] == '\n');
	line[n] = 0;
	return line;
}

static const char *field(json_t *v, const char *name)
{
	const char *text = json_string_value(json_object_get(v, name));
	return text ? text : "(none)";
}

static void a_line_has_its_pairs(void **state)
{
	log_info("store", "opened", "path=%s revision=%d", "/x", 42);
	assert_non_null(strstr(written(), " INFO  store: opened path=/x revision=42\n"));
}

static void json_has_them_as_members(void **state)
{
	log_set_json(true);
	log_warn("store", "failed", "path=%s error=\"open \"%s\": it's = not there\" tries=%d mend=\"a b\"", "/x=y",
	        "q", 3);
	json_auto_t *v = json_lib_parse(slice_of(written()), NULL);
	assert_non_null(v);
	assert_string_equal(field(v, "level"), "warn");
	assert_string_equal(field(v, "logger"), "store");
	assert_string_equal(field(v, "msg"), "failed");
	assert_string_equal(field(v, "path"), "/x=y");
	assert_string_equal(field(v, "error"), "open \"q\": it's = not there");
	assert_string_equal(field(v, "tries"), "3");
	assert_string_equal(field(v, "mend"), "a b");
}

static void whatever_comes_is_an_object(void **state)
{
	static const char *const texts[] = {"", "=", "a=", "a=\"", "a=\"x", "plain words", "a=\"x\"b=\"y\"",
	        "k=\xff\xc3", "k=\"\x01\n\\\"", "  x=1  y=2 "};
	log_set_json(true);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_int_equal(ftruncate(fileno(file), 0), 0);
		assert_int_equal(lseek(fileno(file), 0, SEEK_SET), 0);
		log_info("c", "e", "%s", texts[i]);
		json_auto_t *v = json_lib_parse(slice_of(written()), NULL);
		if (!v)
			fail_msg("%s is no JSON", line);
	}
}

static void a_long_line_is_cut_and_still_an_object(void **state)
{
	char *text = malloc(5000);
	memset(text, '"', 4999);
	text[4999] = 0;
	log_set_json(true);
	log_info("c", "e", "k=%s", text);
	json_auto_t *v = json_lib_parse(slice_of(written()), NULL);
	assert_non_null(v);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(a_line_has_its_pairs, setup, teardown),
	        cmocka_unit_test_setup_teardown(json_has_them_as_members, setup, teardown),
	        cmocka_unit_test_setup_teardown(whatever_comes_is_an_object, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_long_line_is_cut_and_still_an_object, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

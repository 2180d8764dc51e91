/* Add-ons: what --disable means, what their variables become, and which files are laid out. */
#include "tests/unit/unit_json.h"

#include "base/yaml.h"
#include "tools/k3x/addons.h"

#include <sys/stat.h>

static const char web[] = "image: %{SYSTEM_IMAGE}%\ndns: %{CLUSTER_DNS}%.%{CLUSTER_DOMAIN}%\n";
static const struct addon_file files[] = {
        {"coredns", web, web + sizeof web - 1}, {"own", web, web + sizeof web - 1}, {0}};
static struct server_settings s;
static const char *off[4];
static char dir[64];

static int begin(void **state)
{
	s = (struct server_settings){.data_dir = dir, .cluster_dns = "10.43.0.10", .cluster_domain = "cluster.local"};
	snprintf(dir, sizeof dir, "/tmp/k3x-addons-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	mkdir(server_file(&s, "server"), 0700);
	return mkdir(server_file(&s, "server/manifests"), 0700);
}

static int end(void **state)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", dir);
	arena_release(&s.arena);
	arena_release(&a);
	return system(command);
}

static void disable(const char *one, const char *other)
{
	off[0] = one;
	off[1] = other;
	s.disable = (struct flag_list){off, other ? 2 : 1};
}

static const char *text_of(const char *name)
{
	static char text[512];
	FILE *f = fopen(server_file(&s, "server/manifests/%s", name), "re");
	if (!f)
		return NULL;
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	return text;
}

static void lay_out(void)
{
	struct err err = ERR_INIT;
	if (addons_choose(&s, files, &err) != 0 || addons_lay_out(&s, files, &err) != 0)
		fail_msg("%s", err.msg);
}

static void they_are_laid_out_with_their_variables(void **state)
{
	lay_out();
	assert_string_equal(text_of("coredns.yaml"),
	        "image: docker.io/k3x/system:" K3X_VERSION "\ndns: 10.43.0.10.cluster.local\n");
	assert_non_null(text_of("own.yaml"));
}

static void what_is_as_it_should_be_is_not_written(void **state)
{
	struct stat before, after;
	lay_out();
	assert_int_equal(stat(server_file(&s, "server/manifests/own.yaml"), &before), 0);
	lay_out();
	assert_int_equal(stat(server_file(&s, "server/manifests/own.yaml"), &after), 0);
	assert_true(before.st_ino == after.st_ino);
	FILE *f = fopen(server_file(&s, "server/manifests/own.yaml"), "ae");
	fputs("changed: by hand\n", f);
	fclose(f);
	lay_out();
	assert_null(strstr(text_of("own.yaml"), "by hand"));
}

static void what_is_disabled_goes_by_either_name(void **state)
{
	lay_out();
	disable("dns", "coredns");
	lay_out();
	assert_null(text_of("coredns.yaml"));
	assert_non_null(text_of("own.yaml"));
	assert_int_equal(s.addons_off.count, 1);
	assert_string_equal(s.addons_off.items[0], "coredns");
	disable("own", NULL);
	lay_out();
	assert_null(text_of("own.yaml"));
	assert_non_null(text_of("coredns.yaml"));
}

static void what_is_not_built_yet_takes_nobodys_file(void **state)
{
	FILE *f = fopen(server_file(&s, "server/manifests/traefik.yaml"), "we");
	fputs("mine: yes\n", f);
	fclose(f);
	disable("ingress", NULL);
	lay_out();
	assert_int_equal(s.addons_off.count, 0);
	assert_non_null(text_of("traefik.yaml"));
}

static void unknown_names_are_refused_with_those_there_are(void **state)
{
	struct err err = ERR_INIT;
	disable("cordns", NULL);
	assert_int_equal(addons_choose(&s, files, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "--disable=cordns"));
	assert_non_null(strstr(err.msg, "metrics-server"));
	assert_non_null(strstr(err.msg, ", own"));
}

static void a_skip_file_keeps_it_from_being_written(void **state)
{
	fclose(fopen(server_file(&s, "server/manifests/own.yaml.skip"), "we"));
	lay_out();
	assert_null(text_of("own.yaml"));
}

static void unknown_variables_are_named(void **state)
{
	struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;
	assert_int_equal(addons_fill_in(&s, SLICE("a: %{NO_SUCH}%"), &out, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "%{NO_SUCH}%"));
	strbuf_reset(&out);
	assert_int_equal(addons_fill_in(&s, SLICE("100% {} %{ x"), &out, &err), 0);
	assert_string_equal(strbuf_cstr(&out), "100% {} %{ x");
	strbuf_reset(&out);
	assert_int_equal(addons_fill_in(&s, SLICE("# %{...}% and %{%{CLUSTER_DNS}%"), &out, &err), 0);
	assert_string_equal(strbuf_cstr(&out), "# %{...}% and %{10.43.0.10");
	strbuf_release(&out);
}

/* Those that come with us: no variable is left, and what they are then is YAML. */
static void all_that_are_in_the_binary_can_be_laid_out(void **state)
{
	for (const struct addon_file *f = addon_files; f->name; f++) {
		struct strbuf out = STRBUF_INIT;
		struct err err = ERR_INIT;
		if (addons_fill_in(&s, (struct slice){f->text, (size_t)(f->end - f->text)}, &out, &err) != 0 ||
		        !yaml_parse_all(&a, strbuf_slice(&out), NULL, &err))
			fail_msg("%s: %s", f->name, err.msg);
		strbuf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(they_are_laid_out_with_their_variables, begin, end),
	        cmocka_unit_test_setup_teardown(what_is_as_it_should_be_is_not_written, begin, end),
	        cmocka_unit_test_setup_teardown(what_is_disabled_goes_by_either_name, begin, end),
	        cmocka_unit_test_setup_teardown(what_is_not_built_yet_takes_nobodys_file, begin, end),
	        cmocka_unit_test_setup_teardown(unknown_names_are_refused_with_those_there_are, begin, end),
	        cmocka_unit_test_setup_teardown(a_skip_file_keeps_it_from_being_written, begin, end),
	        cmocka_unit_test_setup_teardown(unknown_variables_are_named, begin, end),
	        cmocka_unit_test_setup_teardown(all_that_are_in_the_binary_can_be_laid_out, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* registries.yaml: what containerd is told, and what is refused with which words. */
#include "tests/unit/unit.h"

#include "tools/k3x/registries/registries.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena a;
static struct registry_hosts *hosts;
static size_t n;
static struct err err;

static int teardown(void **state)
{
	arena_release(&a);
	a = ARENA_INIT;
	return 0;
}

static int parse(const char *text, bool without_default)
{
	err = ERR_INIT;
	return registries_parse(&a, slice_of(text), without_default, NULL, &hosts, &n, &err);
}

#define HEAD "# Written by k3x from registries.yaml at every start.\n"

static void mirrors_come_before_the_registry_itself(void **state)
{
	assert_int_equal(parse("mirrors:\n  docker.io:\n    endpoint:\n    - https://one.test:5000\n    - "
	                       "http://two.test/v2/cache/\n",
	                         false),
	        0);
	assert_int_equal(n, 1);
	assert_string_equal(hosts[0].folder, "docker.io");
	assert_string_equal(hosts[0].text,
	        HEAD "server = \"https://registry-1.docker.io\"\n[host.\"https://one.test:5000\"]\n  capabilities = "
	             "[\"pull\", \"resolve\"]\n"
	             "[host.\"http://two.test/v2/cache\"]\n  capabilities = [\"pull\", \"resolve\"]\n  override_path = "
	             "true\n");
}

static void without_the_registry_itself_the_last_mirror_is_the_last(void **state)
{
	assert_int_equal(parse("mirrors: {docker.io: {endpoint: [\"https://one.test\"]}, quay.io: {}}", true), 0);
	assert_non_null(strstr(hosts[0].text, "server = \"https://one.test\"\n"));
	assert_null(strstr(hosts[0].text, "docker.io"));
	assert_non_null(strstr(hosts[1].text, "server = \"https://quay.io\"\n"));
}

static void all_others_are_a_registry_of_their_own(void **state)
{
	assert_int_equal(parse("mirrors: {\"*\": {endpoint: \"https://one.test\"}}", false), 0);
	assert_string_equal(hosts[0].folder, "_default");
	assert_string_equal(
	        hosts[0].text, HEAD "[host.\"https://one.test\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
}

static void what_is_said_of_a_host_goes_where_it_is_asked(void **state)
{
	assert_int_equal(
	        parse("mirrors: {docker.io: {endpoint: [\"https://one.test:5000\"]}}\n"
	              "configs:\n  one.test:5000:\n    auth: {username: u, password: \"p\\\"q\"}\n"
	              "    tls: {ca_file: /ca.pem, cert_file: /c.pem, key_file: /k.pem, insecure_skip_verify: true}\n",
	                false),
	        0);
	assert_int_equal(n, 2);
	assert_string_equal(hosts[0].text,
	        HEAD "server = \"https://registry-1.docker.io\"\n[host.\"https://one.test:5000\"]\n  capabilities = "
	             "[\"pull\", \"resolve\"]\n"
	             "  ca = \"/ca.pem\"\n  client = [[\"/c.pem\", \"/k.pem\"]]\n  skip_verify = true\n"
	             "  [host.\"https://one.test:5000\".header]\n    Authorization = \"Basic dTpwInE=\"\n");
	assert_string_equal(hosts[1].folder, "one.test:5000");
	assert_string_equal(hosts[1].text, HEAD "server = \"https://one.test:5000\"\n  ca = \"/ca.pem\"\n  client = "
	                                        "[[\"/c.pem\", \"/k.pem\"]]\n  skip_verify = true\n"
	                                        "  [header]\n    Authorization = \"Basic dTpwInE=\"\n");
}

static void an_empty_file_says_nothing(void **state)
{
	assert_int_equal(parse("", false), 0);
	assert_int_equal(n, 0);
	assert_int_equal(parse("mirrors:\nconfigs:\n", false), 0);
	assert_int_equal(n, 0);
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
	        {"mirror: {}", "\"mirror\": is nothing that registries.yaml may have here"},
	        {"mirrors: {docker.io: {endpoints: []}}", "mirrors: docker.io: \"endpoints\""},
	        {"mirrors: {docker.io: {endpoint: [one.test]}}", "\"one.test\": is no endpoint like"},
	        {"mirrors: {docker.io: {endpoint: [\"https://one.test/?a=b\"]}}", "is no endpoint"},
	        {"mirrors: {docker.io: {endpoint: {}}}", "endpoint is a list"},
	        {"mirrors: {docker.io: {endpoint: [], rewrite: {a: b}}}", "\"rewrite\": containerd can't change names"},
	        {"mirrors: {\"../../etc\": {}}", "\"../../etc\": is no registry"},
	        {"mirrors: {\"..\": {}}", "\"..\": is no registry"},
	        {"mirrors: []", "is a map with mirrors and configs"},
	        {"- a", "is a map with mirrors and configs"},
	        {"configs: {one.test: {auth: {identity_token: x}}}", "use a pull secret"},
	        {"configs: {docker.io: {auth: {username: u, password: p}}}", "use a pull secret"},
	        {"configs: {registry-1.docker.io: {auth: {username: u, password: p}}}", "use a pull secret"},
	        {"configs: {one.test: {tls: {cert_file: /c}}}", "belong together"},
	        {"configs: {one.test: {tls: {insecure_skip_verify: maybe}}}", "is not true or false"},
	        {"configs: {one.test: {tls: {ca_file: \"a\\nb\"}}}", "control characters"},
	        {"configs: {one.test: 7}", "is a map with auth and tls"},
	        {"mirrors: {a: {", "line"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(parse(rows[i].text, false), ERR_INVAL);
		if (!strstr(err.msg, rows[i].said))
			fail_msg("%s: %s", rows[i].text, err.msg);
	}
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void files_come_and_go_with_the_text_and_others_stay(void **state)
{
	char folder[] = "/tmp/k3x-registries-XXXXXX", file[128], hosts_file[128], others[128], command[128];
	struct stat st;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof file, "%s/registries.yaml", folder);
	snprintf(hosts_file, sizeof hosts_file, "%s/certs.d/docker.io/hosts.toml", folder);
	snprintf(others, sizeof others, "%s/certs.d/own.test", folder);
	snprintf(command, sizeof command, "%s/certs.d", folder);
	put(file, "mirrors: {docker.io: {endpoint: [\"https://one.test\"]}}\n");
	err = ERR_INIT;
	assert_int_equal(registries_write(file, true, false, NULL, command, &err), 0);
	assert_int_equal(stat(hosts_file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(mkdir(others, 0755), 0);
	snprintf(others, sizeof others, "%s/certs.d/own.test/hosts.toml", folder);
	put(others, "server = \"https://own.test\"\n");
	put(file, "mirrors: {quay.io: {endpoint: [\"https://one.test\"]}}\n");
	assert_int_equal(registries_write(file, true, false, NULL, command, &err), 0);
	assert_int_not_equal(stat(hosts_file, &st), 0);
	assert_int_equal(stat(others, &st), 0);
	put(file, "mirrors: {own.test: {endpoint: [\"https://one.test\"]}}\n");
	assert_int_equal(registries_write(file, true, false, NULL, command, &err), ERR_EXISTS);
	assert_int_equal(unlink(file), 0);
	err = ERR_INIT;
	assert_int_equal(registries_write(file, false, false, NULL, command, &err), 0);
	snprintf(hosts_file, sizeof hosts_file, "%s/certs.d/quay.io", folder);
	assert_int_not_equal(stat(hosts_file, &st), 0);
	assert_int_not_equal(registries_write(file, true, false, NULL, command, &err), 0);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

static void other_nodes_are_asked_first_where_a_registry_is_listed(void **state)
{
	static const struct registry_peers peers = {"https://127.0.0.1:10250", "/ca", "/crt", "/key"};
	struct arena own = ARENA_INIT;
	struct registry_hosts *list;
	size_t count;
	struct err e = ERR_INIT;
	struct slice text =
	        SLICE("mirrors:\n  docker.io:\n  r.test: {endpoint: ['https://m.test']}\nconfigs:\n  c.test: {}\n");
	assert_int_equal(registries_parse(&own, text, false, &peers, &list, &count, &e), 0);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++) {
		const char *at = strstr(list[i].text, "[host.\"https://127.0.0.1:10250\"]"),
		           *mirror = strstr(list[i].text, "m.test");
		assert_true(!at == (strcmp(list[i].folder, "c.test") == 0)); /* it is listed for its settings alone */
		assert_true(!at || strstr(at, "client = [[\"/crt\", \"/key\"]]"));
		assert_true(!at || !mirror || at < mirror);
	}
	assert_int_equal(registries_parse(&own, text, true, &peers, &list, &count, &e), 0);
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].folder, "docker.io") == 0)
			assert_non_null(strstr(list[i].text, "server = \"https://127.0.0.1:10250\"\nca = \"/ca\"\n"));
	arena_release(&own);
}

#define TEST(fn) cmocka_unit_test_teardown(fn, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(mirrors_come_before_the_registry_itself),
	        TEST(without_the_registry_itself_the_last_mirror_is_the_last),
	        TEST(all_others_are_a_registry_of_their_own),
	        TEST(what_is_said_of_a_host_goes_where_it_is_asked),
	        TEST(an_empty_file_says_nothing),
	        TEST(mistakes_are_named),
	        TEST(files_come_and_go_with_the_text_and_others_stay),
	        TEST(other_nodes_are_asked_first_where_a_registry_is_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

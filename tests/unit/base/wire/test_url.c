/* URLs of servers. */
#include "base/wire/url.h"

#include "base/check.h"

#include "tests/unit/unit.h"

static void good_ones_come_apart(void **state)
{
	static const struct {
		const char *text;
		bool is_tls;
		const char *host;
		int port;
	} good[] = {
	        {"http://127.0.0.1:2379", false, "127.0.0.1", 2379},
	        {"https://node-1.example:2380/", true, "node-1.example", 2380},
	        {"http://[::1]:80", false, "::1", 80},
	        {"http://[fd00::2]", false, "fd00::2", 99},
	        {"http://host", false, "host", 99},
	};
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct url u;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(url_parse(&a, good[i].text, 99, &u, &err), 0);
		assert_int_equal(u.is_tls, good[i].is_tls);
		assert_string_equal(u.host, good[i].host);
		assert_int_equal(u.port, good[i].port);
	}
	arena_release(&a);
}

static void bad_ones_are_refused(void **state)
{
	static const char *const bad[] = {"", "host:1", "ftp://host:1", "http://", "http://:1",
	        "http://host:", "http://host:x", "http://host:65536", "http://host:-1", "http://host/path:1",
	        "http://[::1", "http://[::1]x:1", "http://host"};
	struct arena a = ARENA_INIT;
	struct url u;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct err err = ERR_INIT;
		assert_int_equal(url_parse(&a, bad[i], 0, &u, &err), ERR_INVAL);
	}
	arena_release(&a);
}

static void a_host_and_its_port_stand_as_in_a_url(void **state)
{
	struct arena a = ARENA_INIT;
	assert_string_equal(url_authority(&a, "10.0.0.1", 6443), "10.0.0.1:6443");
	assert_string_equal(url_authority(&a, "fd00::1", 6443), "[fd00::1]:6443");
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_host_and_its_port_stand_as_in_a_url),
	        cmocka_unit_test(good_ones_come_apart), cmocka_unit_test(bad_ones_are_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

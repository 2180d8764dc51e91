/* Names of datastores. */
#include "store/engine/sql/dsn.h"
#include "base/check.h"
#include "tests/unit/unit.h"

static struct arena a;

static struct dsn parse(const char *text)
{
	struct dsn d;
	struct err err = ERR_INIT;
	if (dsn_parse(&a, text, &d, &err) != 0)
		fail_msg("%s: %s", text, err.msg);
	return d;
}

static void refused(const char *text, const char *why)
{
	struct dsn d;
	struct err err = ERR_INIT;
	assert_int_equal(dsn_parse(&a, text, &d, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, why));
	assert_null(strstr(err.msg, "secret"));
}

static void test_a_mysql_name_is_taken_apart(void **state)
{
	struct dsn d = parse("mysql://user:pa%2Fss@tcp(db.example:3307)/k3x?tls=true");
	assert_int_equal(d.kind, DSN_MYSQL);
	assert_string_equal(d.user, "user");
	assert_string_equal(d.password, "pa/ss");
	assert_string_equal(d.host, "db.example");
	assert_int_equal(d.port, 3307);
	assert_string_equal(d.database, "k3x");
	assert_int_equal(d.n_parameters, 1);
	assert_string_equal(d.parameters[0].name, "tls");
	assert_string_equal(d.parameters[0].value, "true");
}

static void test_a_password_may_hold_what_ends_it(void **state)
{
	struct dsn d = parse("mysql://user:se:cr/et@@unix(/run/my sql/s.sock)/k3x");
	assert_string_equal(d.password, "se:cr/et@");
	assert_string_equal(d.socket, "/run/my sql/s.sock");
	assert_string_equal(d.database, "k3x");
}

static void test_addresses_are_names_or_numbers(void **state)
{
	assert_string_equal(parse("mysql://u@[fe80::1]:33/d").host, "fe80::1");
	assert_int_equal(parse("mysql://u@[fe80::1]:33/d").port, 33);
	assert_int_equal(parse("mysql://u@h/d").port, 0);
	assert_string_equal(parse("mysql://u@/d").host, "");
}

static void test_endpoints_of_an_etcd_are_a_list(void **state)
{
	struct dsn d = parse("https://a:2379, https://b");
	assert_int_equal(d.kind, DSN_ETCD);
	assert_int_equal(d.n_endpoints, 2);
	assert_string_equal(d.endpoints[1], "https://b");
}

static void test_what_is_no_name_is_told_without_the_password(void **state)
{
	refused("oracle://u:secret@h/d", "begins with none of");
	refused("mysql://u:secret@h", "names no database");
	refused("mysql://u:secret@tcp(h:99999)/d", "port");
	refused("mysql://u:secret@tcp(h:1/d", "bracket");
	refused("mysql://u:secret@unix()/d", "socket");
	refused("mysql://u:secret@[::1/d", "bracket");
	refused("mysql://u:secret@h/d?=x", "parameter");
	refused("mysql://u:secret%00@h/d", "zero byte");
	refused("https://a,http://b", "some are https");
}

static void test_logs_have_no_password(void **state)
{
	static const char *const names[][2] = {
	        {"postgres://u:secret@h:1/d?sslmode=require", "postgres://u:***@h:1/d?sslmode=require"},
	        {"postgres://u@h/d?password=secret", "postgres://u@h/d?password=***"},
	        {"mysql://u:se@cret@tcp(h:1)/d", "mysql://u:***@tcp(h:1)/d"},
	        {"mysql://u:abcpassword=def@h/d", "mysql://u:***@h/d"}, {"postgres://h/d", "postgres://h/d"},
	        {"https://a:1,https://b:1", "https://a:1,https://b:1"}};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		assert_string_equal(dsn_redact(&a, names[i][0]), names[i][1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_mysql_name_is_taken_apart),
	        cmocka_unit_test(test_a_password_may_hold_what_ends_it),
	        cmocka_unit_test(test_addresses_are_names_or_numbers),
	        cmocka_unit_test(test_endpoints_of_an_etcd_are_a_list),
	        cmocka_unit_test(test_what_is_no_name_is_told_without_the_password),
	        cmocka_unit_test(test_logs_have_no_password),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&a);
	return rc;
}

/* Clients: their addresses, how often they may ask, and their passwords. */
#include "tests/unit/unit.h"

#include "base/limits.h"
#include "net/ingress/route/source.h"
#include "net/ingress/serve/htpasswd.h"
#include "net/ingress/serve/rate.h"

static bool is_in(const char *nets, const char *address)
{
	struct arena a = ARENA_INIT;
	struct source_nets n;
	struct err err = ERR_INIT;
	unsigned char it[16];
	assert_int_equal(source_nets_parse(&a, slice_of(nets), &n, &err), 0);
	bool in = source_parse(slice_of(address), it) && source_nets_have(&n, it);
	arena_release(&a);
	return in;
}

static void addresses_are_in_networks(void **state)
{
	assert_true(is_in("10.0.0.0/8", "10.1.2.3:4567"));
	assert_true(is_in("10.0.0.0/8", "[::ffff:10.1.2.3]:4567"));
	assert_false(is_in("10.0.0.0/8", "11.1.2.3:4567"));
	assert_true(is_in("192.0.2.129/25", "192.0.2.200"));
	assert_false(is_in("192.0.2.128/25", "192.0.2.1"));
	assert_true(is_in("192.0.2.1, 2001:db8::/33", "[2001:db8:7fff::1]:80"));
	assert_false(is_in("2001:db8::/33", "[2001:db8:8000::1]:80"));
	assert_true(is_in("0.0.0.0/0", "1.2.3.4"));
	assert_false(is_in("0.0.0.0/0", "@"));
}

static void what_is_no_network_is_named(void **state)
{
	static const char *const rows[] = {"10.0.0.0/33", "::/129", "10.0.0", "x", "10.0.0.1:80", "10.0.0.0/8/8", "/8"};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena a = ARENA_INIT;
		struct source_nets n;
		struct err err = ERR_INIT;
		assert_int_equal(source_nets_parse(&a, slice_of(rows[i]), &n, &err), ERR_INVAL);
		assert_non_null(strstr(err.msg, rows[i]));
		arena_release(&a);
	}
}

static void a_bucket_fills_with_time(void **state)
{
	struct rates *r = rates_new();
	const unsigned char one[16] = {1}, other[16] = {2};
	for (int i = 0; i < 5; i++)
		assert_true(rates_allow(r, SLICE("x"), one, 60, 5, 1000));
	assert_false(rates_allow(r, SLICE("x"), one, 60, 5, 1000));
	assert_true(rates_allow(r, SLICE("x"), other, 60, 5, 1000));
	assert_true(rates_allow(r, SLICE("y"), one, 60, 5, 1000));
	assert_false(rates_allow(r, SLICE("x"), one, 60, 5, 1900));
	assert_true(rates_allow(r, SLICE("x"), one, 60, 5, 2000));
	assert_false(rates_allow(r, SLICE("x"), one, 60, 5, 2000));
	rates_free(r);
}

/* Who was quiet longest is forgotten, and only that one. */
static void what_is_known_of_clients_is_bounded(void **state)
{
	struct rates *r = rates_new();
	unsigned char client[16] = {0};
	for (uint32_t i = 0; i <= INGRESS_RATE_CLIENTS_MAX; i++) {
		memcpy(client, &i, sizeof i);
		assert_true(rates_allow(r, SLICE("x"), client, 60, 1, 1000));
	}
	memset(client, 0, sizeof client);
	assert_true(rates_allow(r, SLICE("x"), client, 60, 1, 1000));
	client[0] = 5;
	assert_false(rates_allow(r, SLICE("x"), client, 60, 1, 1000));
	rates_free(r);
}

static void a_password_fits_its_hash(void **state)
{
	static const char file[] = "# users\nbob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nplain:secret\n"
	                           "ann:$6$saltsalt$0EKaHeIsbKBXo4F5TtyMyjJVyy0yx4EnCImuR9.gx9sYy/"
	                           "MgKZZNCRqMqj9pRVcMERkkQBKzLbjUGnWmJp4OU.\n";
	struct slice hash = htpasswd_find(slice_of(file), SLICE("ann"));
	assert_true(slice_starts(hash, "$6$saltsalt$"));
	assert_false(htpasswd_find(slice_of(file), SLICE("an")).len);
	assert_false(htpasswd_find(slice_of(file), SLICE("# users")).len);
	assert_false(htpasswd_check(SLICE("wrong"), hash));
	assert_false(htpasswd_check(SLICE("secret"), htpasswd_find(slice_of(file), SLICE("plain"))));
	assert_false(htpasswd_check(SLICE("password"), htpasswd_find(slice_of(file), SLICE("bob"))));
	assert_true(
	        htpasswd_check(SLICE("U*U"), SLICE("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")));
}

static void headers_of_basic_authentication(void **state)
{
	struct arena a = ARENA_INIT;
	struct slice user, password;
	assert_true(basic_credentials(&a, SLICE("Basic YW5uOnNlOmNyZXQ="), &user, &password));
	assert_true(slice_is(user, "ann") && slice_is(password, "se:cret"));
	static const char *const rows[] = {"", "Basic", "Basic !", "Bearer YW5uOnNlOmNyZXQ=", "Basic YW5u",
	        "Basic OnNlY3JldA==", "Basic YW4AOnM="};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_false(basic_credentials(&a, slice_of(rows[i]), &user, &password));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(addresses_are_in_networks),
	        cmocka_unit_test(what_is_no_network_is_named),
	        cmocka_unit_test(a_bucket_fills_with_time),
	        cmocka_unit_test(what_is_known_of_clients_is_bounded),
	        cmocka_unit_test(a_password_fits_its_hash),
	        cmocka_unit_test(headers_of_basic_authentication),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

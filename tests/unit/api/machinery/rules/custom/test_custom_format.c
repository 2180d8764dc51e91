/* The formats of strings. */
#include "api/machinery/rules/custom/custom_format.h"

#include "base/check.h"
#include "tests/unit/unit.h"

static void formats_fit_what_they_name(void **state)
{
	static const struct {
		const char *format, *text;
		bool fits;
	} rows[] = {
	        {"date-time", "2024-02-29T10:00:00Z", true},
	        {"date-time", "2024-02-29", false},
	        {"date", "2024-02-29", true},
	        {"date", "2023-02-29", false},
	        {"duration", "1h30m", true},
	        {"duration", "1 week", true},
	        {"duration", "2 Hours and 5 minutes", true},
	        {"duration", "22 ns", true},
	        {"duration", "7d", true},
	        {"duration", "5 parsecs", false},
	        {"duration", "99999999999999999999 s", false},
	        {"duration", "7", false},
	        {"duration", "", false},
	        {"duration", "soon", false},
	        {"ipv4", "10.0.0.1", true},
	        {"ipv4", "::1", false},
	        {"ipv6", "::1", true},
	        {"cidr", "10.0.0.0/8", true},
	        {"cidr", "10.0.0.0/33", false},
	        {"cidr", "fd00::/64", true},
	        {"uuid", "d4ba6388-5e45-4fc4-9365-57caa70bdb39", true},
	        {"uuid4", "d4ba6388-5e45-4fc4-9365-57caa70bdb39", true},
	        {"uuid3", "d4ba6388-5e45-4fc4-9365-57caa70bdb39", false},
	        {"byte", "aGk=", true},
	        {"byte", "a!", false},
	        {"email", "a@b.c", true},
	        {"email", "a", false},
	        {"hostname", "a.b-c.d", true},
	        {"hostname", "-a", false},
	        {"uri", "https://a/b?c", true},
	        {"uri", "a b", false},
	        {"mac", "01:23:45:67:89:ab", true},
	        {"mac", "01:23", false},
	        {"hexcolor", "#fFf", true},
	        {"hexcolor", "fff", false},
	        {"password", "", true},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (custom_format_find(slice_of(rows[i].format))->fits(slice_of(rows[i].text)) != rows[i].fits)
			fail_msg("%s: \"%s\"", rows[i].format, rows[i].text);
	assert_null(custom_format_find(SLICE("int64")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(formats_fit_what_they_name)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

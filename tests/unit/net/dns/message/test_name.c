/* Domain names: text, wire form, comparisons, reverse names. */
#include "tests/unit/unit.h"

#include "net/dns/message/name.h"

static struct dns_name name(const char *text)
{
	struct dns_name n;
	struct err err = ERR_INIT;
	assert_int_equal(dns_name_parse(&n, slice_of(text), &err), 0);
	return n;
}

static void text_is(const char *in, const char *out)
{
	struct dns_name n = name(in);
	struct strbuf b = STRBUF_INIT;
	dns_name_text(&b, n.wire, false);
	assert_string_equal(strbuf_cstr(&b), out);
	assert_int_equal(n.len, dns_name_len(n.wire));
	strbuf_release(&b);
}

static void names_are_read_and_written(void **state)
{
	text_is("example.org", "example.org.");
	text_is("Example.ORG.", "Example.ORG.");
	text_is(".", ".");
	text_is("", ".");
	text_is("a\\.b.c", "a\\.b.c.");
	text_is("\\000\\255x", "\\000\\255x.");
}

static void what_is_no_name_is_refused(void **state)
{
	struct dns_name n;
	struct err err = ERR_INIT;
	char longest[300];
	assert_int_equal(dns_name_parse(&n, SLICE("a..b"), &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "empty label"));
	assert_int_equal(dns_name_parse(&n, SLICE(".a"), &err), ERR_INVAL);
	assert_int_equal(dns_name_parse(&n, SLICE("a\\25"), &err), ERR_INVAL);
	assert_int_equal(dns_name_parse(&n, SLICE("a\\999"), &err), ERR_INVAL);
	memset(longest, 'a', sizeof longest);
	assert_int_equal(dns_name_parse(&n, (struct slice){longest, 63}, &err), 0);
	assert_int_equal(dns_name_parse(&n, (struct slice){longest, 64}, &err), ERR_INVAL);
	for (size_t i = 1; i < sizeof longest; i += 2)
		longest[i] = '.';
	assert_int_equal(dns_name_parse(&n, (struct slice){longest, 253}, &err), 0);
	assert_int_equal(n.len, 255);
	assert_int_equal(dns_name_parse(&n, (struct slice){longest, 254}, &err), 0); /* its last dot */
	assert_int_equal(dns_name_parse(&n, (struct slice){longest, 255}, &err), ERR_INVAL);
}

static void case_does_not_count_and_zones_contain(void **state)
{
	struct dns_name a = name("WWW.Example.org"), b = name("www.example.ORG"), zone = name("example.org");
	struct dns_name other = name("notexample.org");
	assert_true(dns_name_eq(a.wire, b.wire));
	assert_true(dns_name_is_in(a.wire, zone.wire));
	assert_true(dns_name_is_in(zone.wire, zone.wire));
	assert_false(dns_name_is_in(other.wire, zone.wire));
	assert_false(dns_name_is_in(zone.wire, a.wire));
	assert_true(dns_name_is_in(a.wire, name(".").wire));
}

static void labels_go_before(void **state)
{
	struct dns_name n = name("example.org");
	assert_true(dns_name_prepend(&n, SLICE("www")));
	assert_true(dns_name_eq(n.wire, name("www.example.org").wire));
	char big[63];
	memset(big, 'x', sizeof big);
	while (n.len + 64 <= 255)
		assert_true(dns_name_prepend(&n, (struct slice){big, 63}));
	assert_false(dns_name_prepend(&n, (struct slice){big, 63}));
}

static void addresses_are_read_from_reverse_names(void **state)
{
	uint8_t ip[16];
	assert_int_equal(dns_name_reverse(name("1.0.43.10.in-addr.arpa").wire, ip), 4);
	assert_memory_equal(ip, "\12\53\0\1", 4);
	assert_int_equal(dns_name_reverse(name("256.0.43.10.in-addr.arpa").wire, ip), 0);
	assert_int_equal(dns_name_reverse(name("0.43.10.in-addr.arpa").wire, ip), 0);
	assert_int_equal(
	        dns_name_reverse(
	                name("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.F.ip6.arpa").wire, ip),
	        16);
	assert_int_equal(ip[0], 0xfd);
	assert_int_equal(ip[15], 1);
	assert_true(dns_name_is_reverse(name("10.in-addr.arpa").wire));
	assert_false(dns_name_is_reverse(name("arpa").wire));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_are_read_and_written),
	        cmocka_unit_test(what_is_no_name_is_refused),
	        cmocka_unit_test(case_does_not_count_and_zones_contain),
	        cmocka_unit_test(labels_go_before),
	        cmocka_unit_test(addresses_are_read_from_reverse_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* DNS messages: what is written reads back, names are packed, what does not fit is told, hostile bytes are errors. */
#include "tests/unit/unit.h"

#include "net/dns/message/message.h"

static struct arena arena;
static uint8_t wire[DNS_MESSAGE_BYTES_MAX];

static const uint8_t *name(const char *text)
{
	struct dns_name *n = arena_alloc(&arena, sizeof *n);
	assert_int_equal(dns_name_parse(n, slice_of(text), NULL), 0);
	return n->wire;
}

static struct dns_message question(const char *text, uint16_t type)
{
	struct dns_message m = {.id = 77, .type = type, .klass = DNS_CLASS_IN, .udp_bytes = 512};
	dns_name_set(&m.name, name(text));
	return m;
}

static struct dns_message back(size_t len)
{
	struct dns_message m;
	struct err err = ERR_INIT;
	if (dns_message_parse(&arena, &m, wire, len, &err) != 0)
		fail_msg("%s", err.msg);
	return m;
}

static void add_a(struct dns_message *m, enum dns_section s, const char *owner, uint8_t last)
{
	const uint8_t ip[] = {10, 0, 0, last};
	dns_message_add_copy(&arena, m, s, name(owner), DNS_A, 5, ip, 4);
}

static void a_message_reads_back(void **state)
{
	struct dns_message m = question("Www.example.org", DNS_A);
	m.flags = DNS_FLAG_QR | DNS_FLAG_AA | DNS_FLAG_RD;
	m.rcode = DNS_NXDOMAIN;
	add_a(&m, DNS_ANSWER, "www.example.org", 1);
	add_a(&m, DNS_ADDITIONAL, "other.example.org", 2);
	size_t len = dns_message_write(&m, wire, 512);
	struct dns_message r = back(len);
	assert_int_equal(r.id, 77);
	assert_int_equal(r.flags, DNS_FLAG_QR | DNS_FLAG_AA | DNS_FLAG_RD);
	assert_int_equal(r.rcode, DNS_NXDOMAIN);
	assert_memory_equal(r.name.wire, m.name.wire, m.name.len); /* case kept */
	assert_int_equal(r.sections[DNS_ANSWER].n, 1);
	assert_memory_equal(r.sections[DNS_ANSWER].list[0].data, "\12\0\0\1", 4);
	assert_true(dns_name_eq(r.sections[DNS_ADDITIONAL].list[0].owner, name("other.example.org")));
	assert_int_equal(r.sections[DNS_ADDITIONAL].list[0].ttl, 5);
}

static void names_are_packed(void **state)
{
	struct dns_message m = question("www.example.org", DNS_A);
	for (unsigned i = 0; i < 10; i++)
		add_a(&m, DNS_ANSWER, "www.example.org", (uint8_t)i);
	/* header, question, and for each record a pointer of 2 bytes, 10 bytes and the address */
	assert_int_equal(dns_message_write(&m, wire, 512), 12 + 17 + 4 + 10 * (2 + 10 + 4));
}

static void names_in_data_are_whole_after_reading(void **state)
{
	struct dns_message m = question("example.org", DNS_SOA);
	struct dns_name ns, mail;
	dns_name_set(&ns, name("ns.dns.example.org"));
	dns_name_set(&mail, name("hostmaster.example.org"));
	uint8_t data[600];
	memcpy(data, ns.wire, ns.len);
	memcpy(data + ns.len, mail.wire, mail.len);
	memset(data + ns.len + mail.len, 7, 20);
	size_t len = ns.len + mail.len + 20u;
	dns_message_add_copy(&arena, &m, DNS_AUTHORITY, name("example.org"), DNS_SOA, 5, data, len);
	size_t n = dns_message_write(&m, wire, 512);
	struct dns_message r = back(n);
	assert_true(n < 12 + 17 + 12 + len); /* it was packed */
	assert_int_equal(r.sections[DNS_AUTHORITY].list[0].data_len, len);
	assert_memory_equal(r.sections[DNS_AUTHORITY].list[0].data, data, len);
}

static void what_does_not_fit_sets_tc_but_for_additions(void **state)
{
	struct dns_message m = question("www.example.org", DNS_A);
	for (unsigned i = 0; i < 100; i++)
		add_a(&m, DNS_ANSWER, "www.example.org", (uint8_t)i);
	m.has_edns = true;
	size_t len = dns_message_write(&m, wire, 512);
	struct dns_message r = back(len);
	assert_true(len <= 512);
	assert_true(r.flags & DNS_FLAG_TC);
	assert_true(r.has_edns);
	assert_true(r.sections[DNS_ANSWER].n > 25 && r.sections[DNS_ANSWER].n < 100);
	m = question("www.example.org", DNS_A);
	for (unsigned i = 0; i < 100; i++)
		add_a(&m, DNS_ADDITIONAL, "www.example.org", (uint8_t)i);
	r = back(dns_message_write(&m, wire, 512));
	assert_false(r.flags & DNS_FLAG_TC);
}

static void edns_carries_size_version_and_the_upper_rcode(void **state)
{
	struct dns_message m = question("example.org", DNS_A);
	m.has_edns = m.is_dnssec_ok = true;
	m.udp_bytes = 1232;
	m.rcode = DNS_BADVERS;
	struct dns_message r = back(dns_message_write(&m, wire, 512));
	assert_true(r.has_edns && r.is_dnssec_ok);
	assert_int_equal(r.udp_bytes, 1232);
	assert_int_equal(r.rcode, DNS_BADVERS);
	assert_int_equal(r.edns_version, 0);
}

/* Header of one question, then `bytes`. */
static int parse_tail(unsigned answers, const char *bytes, size_t len, struct err *err)
{
	struct dns_message m;
	uint8_t data[600] = {0, 1, 0x80, 0, 0, 1, 0, (uint8_t)answers};
	memcpy(data + 12, bytes, len);
	return dns_message_parse(&arena, &m, data, 12 + len, err);
}

static void hostile_names_are_errors(void **state)
{
	struct err err = ERR_INIT;
	assert_int_equal(parse_tail(0, "\xc0\x0c\0\1\0\1", 6, &err), ERR_PROTOCOL); /* to itself */
	assert_non_null(strstr(err.msg, "backwards"));
	assert_int_equal(parse_tail(0, "\1a\xc0\x0c\0\1\0\1", 8, &err), ERR_PROTOCOL); /* a loop through a label */
	assert_int_equal(parse_tail(0,
	                         "\x45"
	                         "a\0\0\1\0\1",
	                         7, &err),
	        ERR_PROTOCOL);
	assert_int_equal(parse_tail(0, "\5a", 2, &err), ERR_PROTOCOL);
	assert_int_equal(parse_tail(0, "\xc0", 1, &err), ERR_PROTOCOL);
	assert_int_equal(parse_tail(0, "\0\0\1", 3, &err), ERR_PROTOCOL);
	char longest[300];
	for (unsigned i = 0; i < sizeof longest; i += 2) {
		longest[i] = 1;
		longest[i + 1] = 'a';
	}
	assert_int_equal(parse_tail(0, longest, sizeof longest, &err), ERR_PROTOCOL);
	assert_non_null(strstr(err.msg, "255"));
}

static void hostile_records_are_errors(void **state)
{
	struct err err = ERR_INIT;
	static const char cut_off[] = "\0\0\1\0\1"
	                              "\0\0\1\0\1\0\0\0\5\0\5abc";
	static const char mx_short[] = "\0\0\1\0\1"
	                               "\0\0\17\0\1\0\0\0\5\0\1a";
	static const char cname_beyond[] = "\0\0\1\0\1"
	                                   "\0\0\5\0\1\0\0\0\5\0\1\3abc\0";
	assert_int_equal(parse_tail(1, cut_off, sizeof cut_off - 1, &err), ERR_PROTOCOL);
	assert_int_equal(parse_tail(1, mx_short, sizeof mx_short - 1, &err), ERR_PROTOCOL);
	assert_int_equal(parse_tail(1, cname_beyond, sizeof cname_beyond - 1, &err), ERR_PROTOCOL);
	assert_int_equal(parse_tail(2, "\0\0\1\0\1", 5, &err), ERR_PROTOCOL);
}

static void the_head_is_told_of_what_is_no_message(void **state)
{
	struct dns_message m;
	struct err err = ERR_INIT;
	uint8_t data[12] = {0x12, 0x34, 0x29, 0, 0, 2};
	assert_int_equal(dns_message_parse(&arena, &m, data, 12, &err), ERR_PROTOCOL);
	assert_int_equal(m.id, 0x1234);
	assert_int_equal(m.opcode, 5);
	assert_true(m.flags & DNS_FLAG_RD);
	assert_int_equal(dns_message_parse(&arena, &m, data, 11, &err), ERR_PROTOCOL);
}

static int teardown(void **state)
{
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_message_reads_back),
	        cmocka_unit_test(names_are_packed),
	        cmocka_unit_test(names_in_data_are_whole_after_reading),
	        cmocka_unit_test(what_does_not_fit_sets_tc_but_for_additions),
	        cmocka_unit_test(edns_carries_size_version_and_the_upper_rcode),
	        cmocka_unit_test(hostile_names_are_errors),
	        cmocka_unit_test(hostile_records_are_errors),
	        cmocka_unit_test(the_head_is_told_of_what_is_no_message),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}

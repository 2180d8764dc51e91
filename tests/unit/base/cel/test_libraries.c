/* Libraries: strings, their format, lists, sets, regular expressions, URLs, addresses and networks. */
#include "tests/unit/base/cel/cel_rows.h"

#define ROWS(...) \
	static const struct row rows[] = {__VA_ARGS__}; \
	expect_rows(rows, COUNT_OF(rows), NULL, NULL)

static void strings(void **state)
{
	ROWS({"'h\u00e9llo'.charAt(1)", "\u00e9"}, {"'abc'.charAt(3)", ""},
	        {"'abc'.charAt(4)", "error: index out of range: 4"}, {"'h\u00e9llo'.indexOf('l')", "2"},
	        {"'hello'.indexOf('l', 3)", "3"}, {"'hello'.indexOf('z')", "-1"}, {"'hello'.indexOf('')", "0"},
	        {"'hello'.indexOf('l', 9)", "-1"}, {"'hello'.indexOf('l', -1)", "error: index out of range: -1"},
	        {"'hello'.lastIndexOf('l', 9)", "-1"}, {"'hello'.lastIndexOf('l', 2)", "2"},
	        {"'hello'.lastIndexOf('')", "5"}, {"'TacoCat\u00c9'.lowerAscii()", "tacocat\u00c9"},
	        {"'abc'.upperAscii()", "ABC"}, {"'aaa'.replace('a', 'b')", "bbb"},
	        {"'aaa'.replace('a', 'b', 2)", "bba"}, {"'ab'.replace('', '_')", "_a_b_"},
	        {"'a,b,c'.split(',')", "[a, b, c]"}, {"'a,b,c'.split(',', 2)", "[a, b,c]"},
	        {"'a,b'.split(',', 0)", "[]"}, {"'abc'.split('')", "[a, b, c]"}, {"['a', 'b'].join()", "ab"},
	        {"['a', 'b'].join('-')", "a-b"}, {"[].join('-')", ""}, {"'tacocat'.substring(4)", "cat"},
	        {"'tacocat'.substring(0, 4)", "taco"},
	        {"'abc'.substring(2, 1)", "error: invalid substring range. start: 2, end: 1"},
	        {"'abc'.substring(4)", "error: index out of range"}, {"' \\t a b\\n\u00a0'.trim()", "a b"},
	        {"strings.quote('a\"\\n')", "\"a\\\"\\n\""},
	        {"'a'.reverse()", "compile: undeclared reference to 'reverse'"});
}

static void formats(void **state)
{
	ROWS({"'%s is %d'.format(['x', 3])", "x is 3"}, {"'%%'.format([])", "%"},
	        {"'%.2f %e'.format([1.256, 1.5])", "1.26 1.500000 \u00d7 10\u2070\u2070"},
	        {"'%b %o %x %X'.format([5, 8, 255, 255])", "101 10 ff FF"}, {"'%x'.format(['ab'])", "6162"},
	        {"'%d'.format([-3])", "-3"}, {"'%s'.format([[1, 2]])", "[1, 2]"},
	        {"'%s'.format([{'b': [1.5, b'x'], 'a': timestamp(0)}])",
	                "{\"a\":timestamp(\"1970-01-01T00:00:00Z\"), \"b\":[1.500000, b\"x\"]}"},
	        {"'%.1f %f'.format([1234567.0, double('Infinity')])", "1,234,567.0 \u221e"},
	        {"'%e'.format([0.0015])", "1.500000 \u00d7 10\u207b\u2070\u00b3"},
	        {"'%f'.format([1])", "error: can't be used on int"}, {"'%s %s'.format([true, null])", "true null"},
	        {"'%s'.format([timestamp(0)])", "1970-01-01T00:00:00Z"},
	        {"'%s'.format([])", "error: index 0 out of range"},
	        {"'%q'.format([1])", "error: unrecognized formatting clause"},
	        {"'%d'.format(['a'])", "error: decimal clause can't be used on string"},
	        {"'a%'.format([])", "error: unexpected end"}, {"'%.101f'.format([1.0])", "error: precision"});
}

static void lists_and_sets(void **state)
{
	ROWS({"[1, 2, 2].isSorted()", "true"}, {"[2, 1].isSorted()", "false"}, {"['a', 'b'].isSorted()", "true"},
	        {"[].isSorted()", "true"}, {"[1, 2].sum()", "3"}, {"[1.5, 2.0].sum()", "3.5"},
	        {"[duration('1s'), duration('2s')].sum()", "3s"},
	        {"[9223372036854775807, 1].sum()", "error: integer overflow"}, {"[3, 1, 2].min()", "1"},
	        {"['b', 'c'].max()", "c"}, {"[1].filter(x, x > 1).max()", "error: max called on empty list"},
	        {"[1, 2, 1].indexOf(1)", "0"}, {"[1, 2, 1].lastIndexOf(1)", "2"}, {"[1].indexOf(5)", "-1"},
	        {"['a'].sum()", "compile: no matching overload"}, {"sets.contains([1, 2], [2])", "true"},
	        {"sets.contains([1], [2])", "false"}, {"sets.equivalent([1, 2], [2, 1, 1])", "true"},
	        {"sets.intersects([1], [2])", "false"}, {"sets.intersects([1, 2], [2])", "true"},
	        {"sets.contains([], [])", "true"});
}

static void patterns(void **state)
{
	ROWS({"'abc 123'.find('[0-9]+')", "123"}, {"'abc'.find('[0-9]+')", ""},
	        {"'123 abc 456'.findAll('[0-9]+')", "[123, 456]"}, {"'1 2 3'.findAll('[0-9]', 2)", "[1, 2]"},
	        {"'aaa'.findAll('a*?')", "[, , , ]"}, {"'baac'.findAll('a*')", "[, aa, ]"},
	        {"'foobar'.find('foo|foobar')", "foo"}, {"'<a><b>'.find('<.+?>')", "<a>"},
	        {"'<a><b>'.find('<.+>')", "<a><b>"}, {"'ab'.find('$')", ""},
	        {"'one two'.findAll('\\\\bt\\\\w*')", "[two]"}, {"'a\\nb'.findAll('(?m)^.')", "[a, b]"},
	        {"'a'.find('(')", "error: Illegal regex"}, {"'xx'.matches(['x$', '^y'][0])", "true"});
}

static void urls(void **state)
{
	ROWS({"url('https://u:p@example.com:8080/a%20b/c?x=1&x=2&y=a+b').getHost()", "example.com:8080"},
	        {"url('https://example.com:8080/').getHostname()", "example.com"},
	        {"url('https://[::1]:80/').getHostname()", "::1"}, {"url('https://[::1]:80/').getPort()", "80"},
	        {"url('https://e.com').getPort()", ""}, {"url('HTTPS://e.com').getScheme()", "https"},
	        {"url('https://e.com/a b').getEscapedPath()", "/a%20b"},
	        {"url('/p?x=1&x=2&y=a+b').getQuery()", "{x: [1, 2], y: [a b]}"}, {"isURL('/path')", "true"},
	        {"isURL('../path')", "false"}, {"isURL('https://a:b/')", "false"}, {"isURL('https://a/%zz')", "false"},
	        {"isURL('')", "false"}, {"url(':x')", "error: URL parse error"}, {"url('/a') == url('/a')", "true"},
	        {"url('/a') == url('/b')", "false"});
}

static void addresses(void **state)
{
	ROWS({"ip('192.168.0.1').family()", "4"}, {"ip('::1').isLoopback()", "true"},
	        {"ip('1.2.3')", "error: unable to parse IP"}, {"ip('::ffff:1.2.3.4')", "error: not allowed"},
	        {"ip('fe80::1%eth0')", "error: zone"}, {"isIP('01.2.3.4')", "false"}, {"isIP('2001:db8::1')", "true"},
	        {"ip.isCanonical('2001:db8::0:1')", "false"}, {"ip.isCanonical('2001:db8::1')", "true"},
	        {"ip('127.0.0.1').isGlobalUnicast()", "false"}, {"ip('0.0.0.0').isUnspecified()", "true"},
	        {"ip('224.0.0.1').isLinkLocalMulticast()", "true"}, {"ip('169.254.1.1').isLinkLocalUnicast()", "true"},
	        {"string(ip('2001:DB8::0001'))", "2001:db8::1"}, {"string(ip('1:0:0:2:0:0:0:3'))", "1:0:0:2::3"},
	        {"string(ip('::'))", "::"}, {"string(ip('1::'))", "1::"}, {"ip('::1') == ip('0::1')", "true"},
	        {"type(ip('::1')) == net.IP && type(1) != net.IP", "true"},
	        {"cidr('10.0.0.0/8').containsIP('10.1.2.3')", "true"},
	        {"cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))", "false"},
	        {"cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", "true"},
	        {"cidr('10.0.0.0/16').containsCIDR(cidr('10.0.0.0/8'))", "false"},
	        {"string(cidr('10.1.2.3/8').masked())", "10.0.0.0/8"}, {"cidr('10.1.2.3/8').prefixLength()", "8"},
	        {"cidr('10.1.2.3/8').ip() == ip('10.1.2.3')", "true"}, {"isCIDR('10.0.0.0/33')", "false"},
	        {"isCIDR('10.0.0.0/08')", "false"}, {"isCIDR('10.0.0.0')", "false"},
	        {"cidr('::/0').containsIP('fe80::1')", "true"}, {"cidr('x/8')", "error: network address parse error"});
}

static const char object[] =
        "{\"name\":\"web\",\"replicas\":3,\"ratio\":1,\"when\":\"2024-01-01T00:00:00Z\",\"bad\":\"never\","
        "\"ports\":[{\"name\":\"a\",\"port\":80},{\"name\":\"b\",\"port\":443}],\"labels\":{\"x-y\":\"1\"},"
        "\"in\":true,\"tags\":[\"p\",\"q\"],\"either\":\"50%\",\"unknown\":1}";

/* What a schema would give. */
static const struct cel_type *type_of_object(struct arena *a)
{
	static const struct slice keys[] = {{"name", 4}};
	static const struct cel_field port_fields[] = {
	        {{"name", 4}, {"name", 4}, &cel_type_string}, {{"port", 4}, {"port", 4}, &cel_type_int}};
	struct cel_type *port = ARENA_NEW(a, struct cel_type), *self = ARENA_NEW(a, struct cel_type);
	struct cel_type *ports = ARENA_NEW(a, struct cel_type), *tags = ARENA_NEW(a, struct cel_type);
	*port = (struct cel_type){.kind = CEL_OBJECT, .fields = port_fields, .field_count = 2};
	*ports = (struct cel_type){.kind = CEL_LIST,
	        .elem = port,
	        .list_type = CEL_LIST_KEYED,
	        .keys = keys,
	        .key_count = 1,
	        .size_max = 10};
	*tags = (struct cel_type){
	        .kind = CEL_LIST, .elem = &cel_type_string, .list_type = CEL_LIST_SET, .size_max = 10};
	struct cel_field *f = ARENA_ARRAY(a, struct cel_field, 10);
	size_t n = 0;
	f[n++] = (struct cel_field){SLICE("__in__"), SLICE("in"), &cel_type_bool};
	f[n++] = (struct cel_field){SLICE("bad"), SLICE("bad"), &cel_type_timestamp};
	f[n++] = (struct cel_field){SLICE("either"), SLICE("either"), &cel_type_dyn};
	f[n++] = (struct cel_field){
	        SLICE("labels"), SLICE("labels"), cel_type_map(a, &cel_type_string, &cel_type_string)};
	f[n++] = (struct cel_field){SLICE("name"), SLICE("name"), &cel_type_string};
	f[n++] = (struct cel_field){SLICE("ports"), SLICE("ports"), ports};
	f[n++] = (struct cel_field){SLICE("ratio"), SLICE("ratio"), &cel_type_double};
	f[n++] = (struct cel_field){SLICE("replicas"), SLICE("replicas"), &cel_type_int};
	f[n++] = (struct cel_field){SLICE("tags"), SLICE("tags"), tags};
	f[n++] = (struct cel_field){SLICE("when"), SLICE("when"), &cel_type_timestamp};
	*self = (struct cel_type){.kind = CEL_OBJECT, .fields = f, .field_count = n};
	return self;
}

static void typed_objects(void **state)
{
	static const struct row rows[] = {{"self.replicas > 2 && self.name == 'web'", "true"},
	        {"self.ratio < 1.5", "true"}, {"self.ratio == 1.0", "true"},
	        {"self.when < timestamp('2025-01-01T00:00:00Z')", "true"},
	        {"self.bad == self.when", "error: could not parse 'never' as a time"}, {"self.__in__", "true"},
	        {"has(self.name)", "true"}, {"self.nope", "compile: undefined field 'nope'"},
	        {"self.unknown", "compile: undefined field 'unknown'"},
	        {"self.name.nope", "compile: type 'string' does not support field selection"},
	        {"self.labels['x-y']", "1"}, {"self.labels.all(k, self.labels[k] == '1')", "true"},
	        {"self.ports.all(p, p.port < 500)", "true"}, {"self.ports.map(p, p.name)", "[a, b]"},
	        {"self.ports[1].port", "443"}, {"self.ports[5].port", "error: index out of bounds: 5"},
	        {"type(self.either) == string ? self.either.endsWith('%') : self.either < 5", "true"},
	        {"self.either > 5", "error: no such overload"}, {"self.tags == ['q', 'p']", "false"},
	        {"self.tags == self.tags", "true"}, {"self.tags + self.tags", "[p, q]"},
	        {"self.replicas == 'x'", "compile: no matching overload for '_==_' applied to '(int, string)'"},
	        {"self.?name.orValue('none')", "web"}, {"self.replicas + 1 == 4", "true"}};
	struct arena a = ARENA_INIT;
	expect_rows(rows, COUNT_OF(rows), object, type_of_object(&a));
	arena_release(&a);
}

static void names_are_escaped(void **state)
{
	static const char *const rows[][2] = {{"plain", "plain"}, {"x-y", "x__dash__y"},
	        {"a.b/c", "a__dot__b__slash__c"}, {"namespace", "__namespace__"}, {"a__b", "a__underscores__b"},
	        {"in", "__in__"}, {"1a", NULL}, {"a$", NULL}, {"", NULL}, {"_x", "_x"}};
	struct arena a = ARENA_INIT;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice got = cel_escape(&a, slice_of(rows[i][0]));
		assert_true(rows[i][1] ? slice_is(got, rows[i][1]) : !got.ptr);
	}
	arena_release(&a);
}

static void costs_follow_the_sizes_of_types(void **state)
{
	struct arena a = ARENA_INIT;
	const struct cel_env *env = cel_env_new(&a, NULL, 0);
	const struct cel_variable vars[] = {{"self", type_of_object(&a)}};
	static const struct {
		const char *text;
		uint64_t cost;
	} rows[] = {{"self.replicas > 1", 3}, {"self.ports.all(p, p.port > 1)", 2 + 1 + 10 * (3 + 3)},
	        {"self.tags.all(t, t == 'abc')", 2 + 1 + 10 * (1 + 1 + 3)}, {"true && self.__in__", 2},
	        {"has(self.name)", 1}, {"ip('1.1.1.1') == ip('1.1.1.2')", 1 + 1 + 1},
	        {"cidr('10.0.0.0/8') != cidr('10.0.0.0/8').masked()", 1 + 1 + 1 + 1},
	        {"cidr('10.0.0.0/8').containsIP(ip('10.0.0.1'))", 1 + 1 + 4},
	        {"cidr('10.0.0.0/8').containsIP('10.0.0.1')", 1 + 4 + 1},
	        {"cidr('10.0.0.0/8').containsCIDR(cidr('10.1.0.0/16'))", 1 + 2 + 7},
	        {"[1, 2].map(x, x)", 10 + 10 + 1 + 2 * 13}};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct cel_program *p = cel_compile(&a, env, vars, 1, slice_of(rows[i].text), NULL);
		assert_non_null(p);
		if (cel_program_cost(p) != rows[i].cost)
			fail_msg("%s costs %llu", rows[i].text, (unsigned long long)cel_program_cost(p));
	}
	const struct cel_program *p =
	        cel_compile(&a, env, vars, 1, SLICE("self.labels.all(k, self.labels.all(j, j == k))"), NULL);
	assert_true(cel_program_cost(p) == UINT64_MAX);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(strings),
	        cmocka_unit_test(formats),
	        cmocka_unit_test(lists_and_sets),
	        cmocka_unit_test(patterns),
	        cmocka_unit_test(urls),
	        cmocka_unit_test(addresses),
	        cmocka_unit_test(typed_objects),
	        cmocka_unit_test(names_are_escaped),
	        cmocka_unit_test(costs_follow_the_sizes_of_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

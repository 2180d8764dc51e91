/* The cache: what is kept, for how long, how much of it, and what is served when it is too old. */
#include "tests/unit/unit.h"

#include "net/dns/resolve/cache.h"

static struct arena arena;
static struct conf_cache conf;
static struct dns_cache *cache;
static uint64_t evicted[2];

static int setup(void **state)
{
	conf = (struct conf_cache){.success = {3, 3600, 5, false}, .denial = {2, 1800, 5, false}, .servfail_s = 5};
	cache = dns_cache_new(&conf);
	evicted[0] = evicted[1] = 0;
	return 0;
}

static int teardown(void **state)
{
	dns_cache_free(cache);
	arena_release(&arena);
	return 0;
}

static struct dns_name name(const char *text)
{
	struct dns_name n;
	assert_int_equal(dns_name_parse(&n, slice_of(text), NULL), 0);
	return n;
}

static struct dns_message address(const struct dns_name *n, uint32_t ttl_s)
{
	struct dns_message m = {.name = *n, .type = DNS_A, .klass = DNS_CLASS_IN};
	dns_message_add_copy(&arena, &m, DNS_ANSWER, n->wire, DNS_A, ttl_s, "\1\2\3\4", 4);
	return m;
}

static struct dns_message denial(const struct dns_name *n, uint32_t minimum_s)
{
	struct dns_message m = {.name = *n, .type = DNS_A, .klass = DNS_CLASS_IN, .rcode = DNS_NXDOMAIN};
	uint8_t soa[22] = {0};
	soa[20] = (uint8_t)(minimum_s >> 8);
	soa[21] = (uint8_t)minimum_s;
	dns_message_add_copy(&arena, &m, DNS_AUTHORITY, (const uint8_t *)"", DNS_SOA, 900, soa, 22);
	return m;
}

static void store(const char *text, const struct dns_message *m, uint64_t now_ms)
{
	struct dns_name n = name(text);
	struct dns_cache_question q = {&n, DNS_A, false, false};
	dns_cache_store(cache, &q, now_ms, m, evicted);
}

static enum dns_cache_outcome look(const char *text, uint64_t now_ms, bool stale, struct dns_message *m)
{
	struct dns_name n = name(text);
	struct dns_cache_question q = {&n, DNS_A, false, false};
	*m = (struct dns_message){0};
	return dns_cache_find(cache, &q, now_ms, stale, &arena, m);
}

static void answers_live_as_long_as_their_records_say(void **state)
{
	struct dns_name n = name("a.org");
	struct dns_message m = address(&n, 60), r;
	assert_int_equal(look("a.org", 0, false, &r), CACHE_MISS);
	store("a.org", &m, 1000);
	assert_int_equal(look("a.org", 21000, false, &r), CACHE_HIT);
	assert_int_equal(r.sections[DNS_ANSWER].list[0].ttl, 40);
	assert_int_equal(look("a.org", 60999, false, &r), CACHE_HIT);
	assert_int_equal(look("a.org", 61000, false, &r), CACHE_MISS);
	assert_int_equal(look("a.org", 21000, false, &r), CACHE_MISS); /* it is gone */
}

static void lifetimes_have_limits(void **state)
{
	struct dns_name n = name("a.org");
	struct dns_message m = address(&n, 1000000), r;
	store("a.org", &m, 0);
	assert_int_equal(look("a.org", 1000, false, &r), CACHE_HIT);
	assert_int_equal(r.sections[DNS_ANSWER].list[0].ttl, 3599);
	m = address(&n, 0);
	store("a.org", &m, 0);
	assert_int_equal(look("a.org", 4000, false, &r), CACHE_HIT); /* at least so long */
	assert_int_equal(look("a.org", 5000, false, &r), CACHE_MISS);
}

static void denials_live_as_long_as_the_soa_says(void **state)
{
	struct dns_name n = name("a.org");
	struct dns_message m = denial(&n, 30), r;
	store("a.org", &m, 0);
	assert_int_equal(look("a.org", 29000, false, &r), CACHE_HIT_DENIAL);
	assert_int_equal(r.rcode, DNS_NXDOMAIN);
	assert_int_equal(look("a.org", 30000, false, &r), CACHE_MISS);
	m.sections[DNS_AUTHORITY].n = 0; /* without a SOA nobody knows */
	store("a.org", &m, 0);
	assert_int_equal(look("a.org", 0, false, &r), CACHE_MISS);
	m.rcode = DNS_REFUSED;
	store("a.org", &m, 0);
	assert_int_equal(look("a.org", 0, false, &r), CACHE_MISS);
}

static void what_was_used_longest_ago_makes_room(void **state)
{
	struct dns_message r;
	const char *names[] = {"a.org", "b.org", "c.org", "d.org"};
	for (unsigned i = 0; i < 4; i++) {
		struct dns_name n = name(names[i]);
		struct dns_message m = address(&n, 60);
		store(names[i], &m, i);
		assert_int_equal(look("a.org", i, false, &r), CACHE_HIT);
	}
	assert_int_equal(dns_cache_count(cache, false), 3);
	assert_int_equal(evicted[0], 1);
	assert_int_equal(look("b.org", 5, false, &r), CACHE_MISS);
}

static void a_new_answer_takes_the_place_of_the_old_one(void **state)
{
	struct dns_name n = name("a.org");
	struct dns_message yes = address(&n, 60), no = denial(&n, 60), r;
	store("a.org", &yes, 0);
	store("a.org", &no, 0);
	assert_int_equal(look("a.org", 1, false, &r), CACHE_HIT_DENIAL);
	store("a.org", &yes, 0);
	assert_int_equal(look("a.org", 1, false, &r), CACHE_HIT);
	assert_int_equal(dns_cache_count(cache, true), 0);
}

static void stale_answers_are_served_for_a_while_when_allowed(void **state)
{
	struct dns_name n = name("a.org");
	struct dns_message m = address(&n, 60), failure = {.rcode = DNS_SERVFAIL}, r;
	conf.stale = CONF_STALE_VERIFY;
	conf.stale_ms = 100000;
	store("a.org", &m, 0);
	assert_int_equal(look("a.org", 70000, false, &r), CACHE_MISS);
	store("a.org", &failure, 70000); /* which does not take its place */
	assert_int_equal(look("a.org", 70000, true, &r), CACHE_STALE);
	assert_int_equal(r.sections[DNS_ANSWER].list[0].ttl, 0);
	assert_int_equal(look("a.org", 160000, true, &r), CACHE_MISS);
}

static void questions_with_other_flags_are_others(void **state)
{
	struct dns_name n = name("a.org");
	struct dns_message m = address(&n, 60), r = {0};
	struct dns_cache_question q = {&n, DNS_A, true, false};
	store("a.org", &m, 0);
	assert_int_equal(dns_cache_find(cache, &q, 1, false, &arena, &r), CACHE_MISS);
	q = (struct dns_cache_question){&n, DNS_AAAA, false, false};
	assert_int_equal(dns_cache_find(cache, &q, 1, false, &arena, &r), CACHE_MISS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(answers_live_as_long_as_their_records_say),
	        TEST(lifetimes_have_limits),
	        TEST(denials_live_as_long_as_the_soa_says),
	        TEST(what_was_used_longest_ago_makes_room),
	        TEST(a_new_answer_takes_the_place_of_the_old_one),
	        TEST(stale_answers_are_served_for_a_while_when_allowed),
	        TEST(questions_with_other_flags_are_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

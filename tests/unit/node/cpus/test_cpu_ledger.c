/* Who has which CPUs: taken whole or not at all, given on and back, and read again after a start. */
#include "tests/unit/unit_json.h"

#include "base/check.h"
#include "node/cpus/cpu_ledger_int.h"

static struct cpu_topology t;
static struct cpu_ledger l;

static void begin(void)
{
	struct cpu_set reserved;
	t = (struct cpu_topology){.count = 4};
	for (unsigned i = 0; i < 4; i++)
		t.list[i] = (struct cpu_place){i, i, 0};
	assert_true(cpu_set_parse(SLICE("0"), &reserved));
	cpu_ledger_release(&l);
	cpu_ledger_init(&l, &t, &reserved);
}

static int end(void **state)
{
	cpu_ledger_release(&l);
	return release(state);
}

#define ASKS(name, cpu) \
	"{\"name\":\"" name "\",\"resources\":{\"requests\":{\"cpu\":\"" cpu \
	"\",\"memory\":\"1\"},\"limits\":{\"cpu\":\"" cpu "\",\"memory\":\"1\"}}}"
#define POD(...) "{\"containers\":[" __VA_ARGS__ "]}"

static const char *take_near(const char *uid, const char *text, const char *near)
{
	static const char *const lists[] = {"initContainers", "containers"};
	static struct err err;
	const struct json *spec = parse(text);
	struct cpu_set set;
	err = (struct err)ERR_INIT;
	assert_true(cpu_set_parse(slice_of(near), &set));
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (c, json_get(spec, lists[i]))
			if (cpu_ledger_take(&l, uid, spec, c, &set, &err) != 0)
				return err.msg;
	return "";
}

static const char *take(const char *uid, const char *spec)
{
	return take_near(uid, spec, "");
}

static const char *of(const char *uid, const char *container)
{
	const struct cpu_set *s = cpu_ledger_of(&l, uid, container);
	return s ? cpu_set_text(s, &a) : "shared";
}

static void whole_cpus_of_guaranteed_pods_are_their_own(void **state)
{
	begin();
	assert_string_equal(take("u", POD(ASKS("c", "2") "," ASKS("d", "500m"))), "");
	assert_string_equal(of("u", "c"), "1-2");
	assert_string_equal(of("u", "d"), "shared");
	assert_string_equal(cpu_set_text(&l.shared, &a), "0,3");
	assert_string_equal(
	        take("v", "{\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"1\"}}}]}"), "");
	assert_string_equal(of("v", "c"), "shared");
	assert_true(cpu_ledger_give_back(&l, "u"));
	assert_false(cpu_ledger_give_back(&l, "u"));
	assert_string_equal(cpu_set_text(&l.shared, &a), "0-3");
}

static void of_the_near_ones_first(void **state)
{
	begin();
	assert_string_equal(take_near("u", POD(ASKS("c", "2")), "2-3"), "");
	assert_string_equal(of("u", "c"), "2-3");
	assert_string_equal(
	        take_near("v", POD(ASKS("c", "1")), "2-3"), ""); /* what is not near is better than nothing */
	assert_string_equal(of("v", "c"), "1");
	assert_true(cpu_ledger_give_back(&l, "u"));
	assert_string_equal(
	        take_near("w", "{\"initContainers\":[" ASKS("i", "1") "],\"containers\":[" ASKS("c", "2") "]}", "3"),
	        "");
	assert_string_equal(of("w", "i"), "3");
	assert_string_equal(of("w", "c"), "2-3");
}

static void too_few_are_told(void **state)
{
	begin();
	assert_string_equal(take("u", POD(ASKS("c", "2") "," ASKS("d", "2"))),
	        "Allocate failed due to not enough cpus available to satisfy request: requested=2, available=1, which "
	        "is "
	        "unexpected");
	assert_string_equal(of("u", "c"), "1-2"); /* its pod is refused, and gives it back */
	assert_true(cpu_ledger_give_back(&l, "u"));
	assert_string_equal(cpu_set_text(&l.shared, &a), "0-3");
}

static void init_containers_give_on_what_they_had(void **state)
{
	begin();
	assert_string_equal(take("u", "{\"initContainers\":[" ASKS("i", "3") "],\"containers\":[" ASKS(
	                                      "c", "2") "," ASKS("d", "1") "]}"),
	        "");
	assert_string_equal(of("u", "i"), "1-3");
	assert_string_equal(of("u", "c"), "1-2");
	assert_string_equal(of("u", "d"), "3");
	cpu_ledger_give_back(&l, "u");
	assert_string_equal(cpu_set_text(&l.shared, &a), "0-3");
}

static void the_state_is_read_again(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	begin();
	take("u", "{\"initContainers\":[" ASKS("i", "1") "],\"containers\":[" ASKS("c", "2") "]}");
	take("v", POD(ASKS("c", "1")));
	cpu_ledger_write(&l, &b);
	begin();
	assert_int_equal(cpu_ledger_read(&l, strbuf_slice(&b), &err), 0);
	assert_string_equal(of("u", "c"), "1-2");
	assert_string_equal(of("v", "c"), "3");
	assert_string_equal(cpu_set_text(&l.shared, &a), "0");
	strbuf_release(&b);
}

static void a_state_that_is_not_ours_is_told(void **state)
{
	static const char *const broken[] = {"", "{}", "{\"policyName\":\"none\"}",
	        "{\"policyName\":\"static\",\"defaultCpuSet\":\"0-7\"}",
	        "{\"policyName\":\"static\",\"defaultCpuSet\":\"0-1\",\"entries\":{\"u\":{\"c\":\"2\"},\"v\":{\"c\":"
	        "\"2\"}}}",
	        "{\"policyName\":\"static\",\"defaultCpuSet\":\"0-3\",\"entries\":{\"u\":{\"c\":\"9\"}}}",
	        "{\"policyName\":\"static\",\"defaultCpuSet\":\"0-3\",\"entries\":{\"u\":{\"c\":\"x\"}}}"};
	for (size_t i = 0; i < COUNT_OF(broken); i++) {
		struct err err = ERR_INIT;
		begin();
		assert_int_not_equal(cpu_ledger_read(&l, slice_of(broken[i]), &err), 0);
		assert_true(err.msg[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(whole_cpus_of_guaranteed_pods_are_their_own, end),
	        cmocka_unit_test_teardown(too_few_are_told, end),
	        cmocka_unit_test_teardown(of_the_near_ones_first, end),
	        cmocka_unit_test_teardown(init_containers_give_on_what_they_had, end),
	        cmocka_unit_test_teardown(the_state_is_read_again, end),
	        cmocka_unit_test_teardown(a_state_that_is_not_ours_is_told, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

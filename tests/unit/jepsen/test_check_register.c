/* jepsen/check_register: the search agrees with brute force on small histories, and decides large ones. */
#include "tests/unit/jepsen/histories.h"

/* ---- by hand ---- */

static void a_read_of_the_last_write_is_linearizable(void **state)
{
	begin("register");
	R(0, INVOKE, READ, o.key = "x");
	R(0, OK, READ);
	R(0, INVOKE, WRITE, o.key = "x", o.value = 1);
	R(1, INVOKE, READ, o.key = "x");
	R(0, OK, WRITE);
	R(1, OK, READ);
	R(1, INVOKE, CAS, o.key = "x", o.expect = 1, o.value = 2);
	R(1, OK, CAS);
	R(0, INVOKE, READ, o.key = "x");
	R(0, OK, READ, o.value = 2);
	expect_valid("register");
}

static void a_stale_read_is_not(void **state)
{
	begin("register");
	R(0, INVOKE, WRITE, o.key = "x", o.value = 1);
	R(0, OK, WRITE);
	R(0, INVOKE, WRITE, o.key = "x", o.value = 2);
	R(0, OK, WRITE);
	R(1, INVOKE, READ, o.key = "x");
	R(1, OK, READ, o.value = 1);
	expect_invalid("register", "not linearizable");
}

static void keys_are_judged_apart(void **state)
{
	begin("register");
	R(0, INVOKE, WRITE, o.key = "x", o.value = 1);
	R(0, OK, WRITE);
	R(1, INVOKE, READ, o.key = "y");
	R(1, OK, READ);
	expect_valid("register");
}

static void an_unknown_write_may_happen_late_or_never(void **state)
{
	begin("register");
	R(0, INVOKE, WRITE, o.key = "x", o.value = 1);
	R(0, OK, WRITE);
	R(1, INVOKE, WRITE, o.key = "x", o.value = 7);
	R(1, INFO, WRITE);
	R(0, INVOKE, READ, o.key = "x");
	R(0, OK, READ, o.value = 1);
	R(0, INVOKE, READ, o.key = "x");
	R(0, OK, READ, o.value = 7);
	expect_valid("register");
}

static void an_unknown_write_happens_once(void **state)
{
	begin("register");
	R(1, INVOKE, WRITE, o.key = "x", o.value = 7);
	R(1, INFO, WRITE);
	R(0, INVOKE, READ, o.key = "x");
	R(0, OK, READ, o.value = 7);
	R(0, INVOKE, WRITE, o.key = "x", o.value = 1);
	R(0, OK, WRITE);
	R(0, INVOKE, READ, o.key = "x");
	R(0, OK, READ, o.value = 7);
	expect_invalid("register", "not linearizable");
}

static void a_failed_write_never_happened(void **state)
{
	begin("register");
	R(1, INVOKE, WRITE, o.key = "x", o.value = 7);
	R(1, FAIL, WRITE);
	R(0, INVOKE, READ, o.key = "x");
	R(0, OK, READ, o.value = 7);
	expect_invalid("register", "not linearizable");
}

static void two_swaps_from_one_value_cannot_both_happen(void **state)
{
	begin("register");
	R(0, INVOKE, WRITE, o.key = "x", o.value = 1);
	R(0, OK, WRITE);
	R(0, INVOKE, CAS, o.key = "x", o.expect = 1, o.value = 2);
	R(1, INVOKE, CAS, o.key = "x", o.expect = 1, o.value = 3);
	R(0, OK, CAS);
	R(1, OK, CAS);
	expect_invalid("register", "not linearizable");
}

/* ---- brute force ---- */

enum { BRUTE_MAX = 10 };

static bool brute(const struct history_record *const *in, const struct history_record *const *out,
        const uint32_t *begins, const uint32_t *ends, int n, unsigned done, int64_t value)
{
	unsigned must = 0;
	for (int i = 0; i < n; i++)
		must |= out[i] ? 1u << i : 0;
	if ((done & must) == must)
		return true;
	for (int i = 0; i < n; i++) {
		bool may = !(done >> i & 1);
		for (int k = 0; may && k < n; k++) /* nothing undone may have ended before it began */
			may = (done >> k & 1) || ends[k] > begins[i];
		if (!may)
			continue;
		if (in[i]->f == HISTORY_READ && out[i] && out[i]->value == value &&
		        brute(in, out, begins, ends, n, done | 1u << i, value))
			return true;
		if (in[i]->f == HISTORY_WRITE && brute(in, out, begins, ends, n, done | 1u << i, in[i]->value))
			return true;
		if (in[i]->f == HISTORY_CAS && in[i]->expect == value &&
		        brute(in, out, begins, ends, n, done | 1u << i, in[i]->value))
			return true;
	}
	return false;
}

static bool brute_says(void)
{
	const struct history_record *in[BRUTE_MAX], *out[BRUTE_MAX];
	uint32_t begins[BRUTE_MAX], ends[BRUTE_MAX];
	struct arena a = ARENA_INIT;
	struct history_ops ops;
	struct err err = ERR_INIT;
	int n = 0;
	assert_int_equal(history_pair(&h, &a, &ops, &err), 0);
	for (size_t i = 0; i < ops.count; i++) {
		const struct history_op *op = &ops.ops[i];
		if (op->type == HISTORY_FAIL || (h.records[op->invoke].f == HISTORY_READ && op->type != HISTORY_OK))
			continue;
		assert_true(n < BRUTE_MAX);
		in[n] = &h.records[op->invoke];
		out[n] = op->type == HISTORY_OK ? &h.records[op->complete] : NULL;
		begins[n] = op->invoke;
		ends[n++] = op->type == HISTORY_OK ? op->complete : UINT32_MAX;
	}
	bool says = brute(in, out, begins, ends, n, 0, HISTORY_NIL);
	arena_release(&a);
	return says;
}

/* ---- generated ---- */

static uint64_t seed;

static unsigned roll(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

struct client {
	int32_t process;
	int phase; /* 0 idle, 1 asked, 2 took effect */
	bool happens;
	bool matched;
	struct history_record r;
};

static void ask(struct client *c, const char *key, unsigned values)
{
	static const uint8_t kinds[] = {HISTORY_READ, HISTORY_READ, HISTORY_WRITE, HISTORY_CAS};
	c->r = HISTORY_RECORD_INIT;
	c->r.time_ns = ++now_s;
	c->r.process = c->process;
	c->r.f = kinds[roll(4)];
	c->r.key = key;
	c->r.value = c->r.f == HISTORY_READ ? HISTORY_NIL : (int64_t)roll(values);
	c->r.expect = c->r.f == HISTORY_CAS ? (int64_t)roll(values) : HISTORY_NIL;
	history_append(&h, &c->r);
	c->phase = 1;
}

static void take_effect(struct client *c, int64_t *reg)
{
	c->matched = true;
	if (c->r.f == HISTORY_READ)
		c->r.value = *reg;
	else if (c->r.f == HISTORY_WRITE)
		*reg = c->r.value;
	else if (*reg == c->r.expect)
		*reg = c->r.value;
	else
		c->matched = false;
	c->phase = 2;
}

static void answer(struct client *c, int32_t *next_process, bool may_be_unknown)
{
	c->r.time_ns = ++now_s;
	c->r.type = c->matched ? HISTORY_OK : HISTORY_FAIL;
	if (may_be_unknown && c->r.f != HISTORY_READ && roll(10) == 0) {
		c->r.type = HISTORY_INFO;
		c->process = (*next_process)++;
	}
	history_append(&h, &c->r);
	c->phase = 0;
}

/* A register with random moments of effect: linearizable by construction. */
static void simulate(int clients, size_t operations, unsigned values, bool unknowns)
{
	struct client c[32] = {{0}};
	int32_t next_process = clients;
	int64_t reg = HISTORY_NIL;
	for (int i = 0; i < clients; i++)
		c[i].process = i;
	for (size_t asked = 0; asked < operations;) {
		struct client *k = &c[roll((unsigned)clients)];
		if (k->phase == 0) {
			ask(k, "x", values);
			asked++;
		} else if (k->phase == 1) {
			/* An unknown one may be answered before it takes effect, or without ever. */
			if (unknowns && k->r.f != HISTORY_READ && roll(20) == 0) {
				k->r.time_ns = ++now_s;
				k->r.type = HISTORY_INFO;
				history_append(&h, &k->r);
				k->process = next_process++;
				k->phase = 0;
			} else {
				take_effect(k, &reg);
			}
		} else {
			answer(k, &next_process, unknowns);
		}
	}
}

static void agrees_with_brute_force(void **state)
{
	int refused = 0;
	for (uint64_t s = 1; s <= 4000; s++) {
		seed = s * 977;
		begin("register");
		simulate(3, 8, 3, true);
		bool mutated = false;
		for (size_t i = 0; s % 2 && i < h.count && !mutated; i++)
			if (h.records[i].f == HISTORY_READ && h.records[i].type == HISTORY_OK && roll(3) == 0) {
				h.records[i].value = roll(4) ? (int64_t)roll(3) : HISTORY_NIL;
				mutated = true;
			}
		bool is_linearizable = brute_says();
		assert_true(is_linearizable || mutated);
		refused += !is_linearizable;
		expect_verdict("register", is_linearizable ? CHECK_VALID : CHECK_INVALID, NULL);
	}
	assert_true(refused > 300);
}

static void accepts_many_clients_on_one_key(void **state)
{
	for (unsigned clients = 2; clients <= 20; clients += 6) {
		seed = clients;
		begin("register");
		simulate((int)clients, 30000, 1000000, true);
		expect_valid("register");
	}
}

static void decides_a_hundred_thousand_operations(void **state)
{
	seed = 5;
	begin("register");
	simulate(8, 120000, 5, true);
	expect_valid("register");
}

static void refuses_one_wrong_read_in_fifty_thousand(void **state)
{
	seed = 6;
	begin("register");
	simulate(6, 50000, 1000000, true);
	for (size_t i = h.count * 9 / 10; i < h.count; i++)
		if (h.records[i].f == HISTORY_READ && h.records[i].type == HISTORY_OK) {
			h.records[i].value = 2000000;
			break;
		}
	expect_invalid("register", "not linearizable");
}

/* With so little memory that it goes level by level. */
static void decides_in_little_memory(void **state)
{
	for (int wrong = 0; wrong < 2; wrong++) {
		seed = 9;
		begin("register");
		simulate(6, 30000, 1000000, true);
		for (size_t i = h.count * 9 / 10; wrong && i < h.count; i++)
			if (h.records[i].f == HISTORY_READ && h.records[i].type == HISTORY_OK) {
				h.records[i].value = 2000000;
				break;
			}
		struct check_report report;
		struct check_options options = {.time_ms_max = 60000, .memory_bytes_max = 2 << 20, .findings_max = 4};
		struct err err = ERR_INIT;
		assert_int_equal(check_history(&h, &options, &report, &err), 0);
		assert_int_equal(report.results[0].verdict, wrong ? CHECK_INVALID : CHECK_VALID);
		check_report_release(&report);
		history_release(&h);
	}
}

static void a_spent_budget_is_an_unknown_verdict(void **state)
{
	seed = 7;
	begin("register");
	simulate(6, 20000, 5, true);
	struct check_report report;
	struct check_options options = {.time_ms_max = 60000, .memory_bytes_max = 4096, .findings_max = 4};
	struct err err = ERR_INIT;
	assert_int_equal(check_history(&h, &options, &report, &err), 0);
	assert_int_equal(report.verdict, CHECK_UNKNOWN);
	check_report_release(&report);
	history_release(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_read_of_the_last_write_is_linearizable),
	        cmocka_unit_test(a_stale_read_is_not),
	        cmocka_unit_test(keys_are_judged_apart),
	        cmocka_unit_test(an_unknown_write_may_happen_late_or_never),
	        cmocka_unit_test(an_unknown_write_happens_once),
	        cmocka_unit_test(a_failed_write_never_happened),
	        cmocka_unit_test(two_swaps_from_one_value_cannot_both_happen),
	        cmocka_unit_test(agrees_with_brute_force),
	        cmocka_unit_test(accepts_many_clients_on_one_key),
	        cmocka_unit_test(decides_a_hundred_thousand_operations),
	        cmocka_unit_test(refuses_one_wrong_read_in_fifty_thousand),
	        cmocka_unit_test(decides_in_little_memory),
	        cmocka_unit_test(a_spent_budget_is_an_unknown_verdict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The table of what comes along, changes and is left out. */
#include "tools/moving/k3s_table.h"

#include "base/mem/arena.h"
#include "tests/unit/unit.h"

static void rows_are_kinds_sorted_by_fate(void **state)
{
	struct k3s_table *t = xcalloc(1, sizeof *t);
	char *text = NULL;
	size_t len = 0;
	k3s_table_count(t, SLICE("/registry/events/default/x"), K3S_LEFT, "they run out");
	k3s_table_count(t, SLICE("/registry/secrets/default/x"), K3S_CHANGED, "plain");
	k3s_table_count(t, SLICE("/registry/pods/default/x"), K3S_TAKEN, NULL);
	k3s_table_count(t, SLICE("/registry/example.com/boats/default/x"), K3S_TAKEN, NULL);
	k3s_table_count(t, SLICE("/registry/pods/default/y"), K3S_TAKEN, NULL);
	k3s_table_add(t, "server/token", K3S_TAKEN, NULL);
	FILE *f = open_memstream(&text, &len);
	k3s_table_print(t, f);
	fclose(f);
	assert_string_equal(text, "taken           1 example.com/boats\n"
	                          "taken           2 pods\n"
	                          "taken           1 server/token\n"
	                          "changed         1 secrets (plain)\n"
	                          "left out        1 events (they run out)\n");
	assert_int_equal(t->objects[K3S_TAKEN], 3);
	free(text);
	free(t);
}

static void more_kinds_than_rows_are_counted_together(void **state)
{
	struct k3s_table *t = xcalloc(1, sizeof *t);
	for (int i = 0; i < 2 * K3S_TABLE_ROWS_MAX; i++) {
		char key[64];
		int n = snprintf(key, sizeof key, "/registry/kind%d/x", i);
		k3s_table_count(t, (struct slice){key, (size_t)n}, K3S_TAKEN, NULL);
	}
	int64_t sum = 0;
	assert_true(t->n <= K3S_TABLE_ROWS_MAX);
	for (size_t i = 0; i < t->n; i++)
		sum += t->rows[i].n;
	assert_int_equal(sum, 2 * K3S_TABLE_ROWS_MAX);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(rows_are_kinds_sorted_by_fate),
	        cmocka_unit_test(more_kinds_than_rows_are_counted_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

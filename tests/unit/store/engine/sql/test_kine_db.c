/* The database that k3s takes when its datastore's name has none. Reading is shown by datastore_k3s_test.py. */
#include "store/engine/sql/kine_db.h"

#include "tests/unit/unit.h"

static void k3s_takes_kubernetes_when_no_database_is_named(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
	        {"postgres://u:p@h:5432/x", "postgres://u:p@h:5432/x"},
	        {"postgres://u:p@h:5432/", "postgres://u:p@h:5432/kubernetes"},
	        {"postgres://u:p@h:5432", "postgres://u:p@h:5432/kubernetes"},
	        {"postgres://u:p/?@h?sslmode=disable", "postgres://u:p/?@h/kubernetes?sslmode=disable"},
	        {"postgres://h/x?sslmode=disable", "postgres://h/x?sslmode=disable"},
	        {"mysql://u:p@tcp(h:3306)/", "mysql://u:p@tcp(h:3306)/kubernetes"},
	        {"mysql://u:p@unix(/run/my.sock)", "mysql://u:p@unix(/run/my.sock)/kubernetes"},
	        {"mysql://u:p@unix(/run/my.sock)/x?tls=true", "mysql://u:p@unix(/run/my.sock)/x?tls=true"},
	        {"nothing", "nothing"},
	};
	struct arena a = ARENA_INIT;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_string_equal(kine_db_name(&a, rows[i].name), rows[i].want);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(k3s_takes_kubernetes_when_no_database_is_named)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

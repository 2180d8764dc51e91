/* jepsen/options: defaults, lists of names, what is refused. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "jepsen/options.h"

static int load(struct jepsen_options *o, const char *words, struct err *err)
{
	static struct arena a;
	char *argv[16] = {"jepsen"}, *rest = arena_strdup(&a, words), *word;
	int argc = 1;
	*err = ERR_INIT;
	while ((word = strsep(&rest, " ")) != NULL)
		if (*word)
			argv[argc++] = word;
	return jepsen_options_load(o, &a, argc, argv, err);
}

static void defaults_make_sense(void **state)
{
	struct jepsen_options o;
	struct err err;
	assert_int_equal(load(&o, "", &err), 0);
	assert_string_equal(o.target, "k3x");
	assert_string_equal(o.workload, "all");
	assert_int_equal(o.nodes, 3);
	assert_true(o.seed != 0);
	assert_int_equal(load(&o, "--target etcd --seed 7 --nodes 5 -w set,bank", &err), 0);
	assert_int_equal(o.seed, 7);
	assert_int_equal(o.nodes, 5);
}

static void what_cannot_be_is_refused(void **state)
{
	static const char *const wrong[] = {"--target zookeeper", "--nodes 0", "--nodes 8", "--clients 2",
	        "--seconds 0", "--rate 0", "--lanes 5", "--nonsense"};
	struct jepsen_options o;
	struct err err;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		assert_int_equal(load(&o, wrong[i], &err), ERR_INVAL);
		assert_true(err.msg[0] != 0);
	}
}

static void names_are_whole_words(void **state)
{
	assert_true(jepsen_names_have("set,bank", "bank"));
	assert_true(jepsen_names_have("set", "set"));
	assert_false(jepsen_names_have("set,bank", "ban"));
	assert_false(jepsen_names_have("", "set"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(defaults_make_sense),
	        cmocka_unit_test(what_cannot_be_is_refused), cmocka_unit_test(names_are_whole_words)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

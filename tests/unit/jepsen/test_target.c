/* jepsen/target: the flags that servers are started with. */
#include "tests/unit/unit.h"

#include "jepsen/cluster.h"

static void make(struct cluster *c, unsigned count)
{
	*c = (struct cluster){.count = count};
	for (unsigned i = 0; i < count; i++) {
		struct node *n = &c->nodes[i];
		n->net = &c->net.nodes[i];
		n->is_member = true;
		snprintf(n->name, sizeof n->name, "n%u", i + 1);
		snprintf(n->net->address, sizeof n->net->address, "10.77.0.%u", 10 + i);
		snprintf(n->data_dir, sizeof n->data_dir, "/disk/n%u", i + 1);
	}
}

static const char *value_of(const char *const *argv, const char *flag)
{
	for (; *argv; argv++)
		if (strcmp(*argv, flag) == 0)
			return argv[1];
	return NULL;
}

static void both_targets_take_etcds_flags(void **state)
{
	struct cluster c;
	struct arena a = ARENA_INIT;
	make(&c, 3);
	for (unsigned t = 0; t < 2; t++) {
		const struct target *target = target_find(t ? "etcd" : "k3x");
		const char *const *argv = target->argv(&c, &c.nodes[1], &a);
		assert_string_equal(value_of(argv, "--name"), "n2");
		assert_string_equal(value_of(argv, "--data-dir"), "/disk/n2");
		assert_string_equal(value_of(argv, "--listen-peer-urls"), "http://10.77.0.11:2380");
		assert_string_equal(value_of(argv, "--initial-cluster"),
		        "n1=http://10.77.0.10:2380,n2=http://10.77.0.11:2380,n3=http://10.77.0.12:2380");
		assert_string_equal(value_of(argv, "--initial-cluster-state"), "new");
	}
	arena_release(&a);
}

static void a_node_that_joins_names_the_members_there_are(void **state)
{
	struct cluster c;
	struct arena a = ARENA_INIT;
	make(&c, 3);
	c.nodes[0].is_member = false;
	c.nodes[2].was_joined = true;
	const char *const *argv = target_find("etcd")->argv(&c, &c.nodes[2], &a);
	assert_string_equal(value_of(argv, "--initial-cluster"), "n2=http://10.77.0.11:2380,n3=http://10.77.0.12:2380");
	assert_string_equal(value_of(argv, "--initial-cluster-state"), "existing");
	arena_release(&a);
}

static void unknown_names_are_nobody(void **state)
{
	assert_null(target_find("zookeeper"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(both_targets_take_etcds_flags),
	        cmocka_unit_test(a_node_that_joins_names_the_members_there_are),
	        cmocka_unit_test(unknown_names_are_nobody)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* jepsen/target: the flags that servers are started with. */
#include "tests/unit/unit.h"

#include "jepsen/cluster.h"

#include <stdio.h>
#include <unistd.h>

static void make(struct cluster *c, unsigned count)
{
	*c = (struct cluster){.count = count};
	for (unsigned i = 0; i < count; i++) {
		struct node *n = &c->nodes[i];
		n->index = i;
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

static void servers_begin_a_cluster_or_join_it(void **state)
{
	struct cluster c;
	struct arena a = ARENA_INIT;
	const struct target *target = target_find("k3x-server");
	make(&c, 3);
	c.token = "K10abc::server:secret";
	const char *const *first = target->argv(&c, &c.nodes[0], &a), *const *third = target->argv(&c, &c.nodes[2], &a);
	assert_string_equal(value_of(third, "--node-name"), "n3");
	assert_string_equal(value_of(third, "--node-ip"), "10.77.0.12");
	assert_string_equal(value_of(third, "--data-dir"), "/disk/n3");
	assert_string_equal(value_of(third, "--server"), "https://10.77.0.10:6443");
	assert_string_equal(value_of(third, "--token"), "K10abc::server:secret");
	assert_null(value_of(first, "--server"));
	while (*first && strcmp(*first, "--cluster-init") != 0)
		first++;
	assert_non_null(*first);
	arena_release(&a);
}

static FILE *log_of(struct node *n)
{
	snprintf(n->log_path, sizeof n->log_path, "/tmp/test_target-%d-%u.log", (int)getpid(), n->index);
	return fopen(n->log_path, "we");
}

static void who_leads_stands_in_the_logs(void **state)
{
	static const char *const logs[] = {
	        "store: opened path=x\nserver: this server leads term=2\nserver: another server leads\n",
	        "store: opened path=x\nserver: this server leads term=3\n",
	        "store: opened path=x\nserver: this server leads term=9\nstore: opened path=x\n"};
	struct cluster c;
	make(&c, 3);
	c.target = target_find("k3x-server");
	for (unsigned i = 0; i < 3; i++) {
		FILE *f = log_of(&c.nodes[i]);
		assert_true(fputs(logs[i], f) >= 0);
		fclose(f);
		c.nodes[i].state = NODE_UP;
	}
	assert_int_equal(cluster_leader(&c), 1);
	c.nodes[1].state = NODE_DOWN;
	assert_int_equal(cluster_leader(&c), -1);
	for (unsigned i = 0; i < 3; i++)
		unlink(c.nodes[i].log_path);
}

static void unknown_names_are_nobody(void **state)
{
	assert_null(target_find("zookeeper"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(both_targets_take_etcds_flags),
	        cmocka_unit_test(a_node_that_joins_names_the_members_there_are),
	        cmocka_unit_test(servers_begin_a_cluster_or_join_it), cmocka_unit_test(who_leads_stands_in_the_logs),
	        cmocka_unit_test(unknown_names_are_nobody)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

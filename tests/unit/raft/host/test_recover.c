/* Work on the disk of a server that is down. */
#include "raft/host/host_int.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

static struct disk *disk;
static char folder[64];

static int setup(void **state)
{
	struct err err = ERR_INIT;
	snprintf(folder, sizeof folder, "/tmp/k3x-recover-XXXXXX");
	assert_non_null(mkdtemp(folder));
	return disk_posix_new(folder, &disk, &err);
}

static int teardown(void **state)
{
	char command[128];
	disk->v->free(disk);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void note(void *arg, uint64_t index, const struct log_entry *e)
{
	struct log_entry *last = arg;
	last->term = e->term;
	last->kind = e->kind;
}

static void an_empty_disk_has_nothing_to_recover(void **state)
{
	struct raft_host_server self = {3, "http://c:2380", RAFT_HOST_VOTER};
	struct err err = ERR_INIT;
	uint64_t last, term;
	assert_int_equal(raft_host_recover(disk, &self, &last, &term, &err), ERR_NOT_FOUND);
}

static void recovery_adds_a_configuration_of_one_behind_everything(void **state)
{
	struct raft_host_server all[] = {{1, "http://a:2380", RAFT_HOST_VOTER}, {2, "http://b:2380", RAFT_HOST_VOTER},
	        {3, "http://c:2380", RAFT_HOST_VOTER}};
	struct err err = ERR_INIT;
	struct raft_log *log;
	struct log_entry newest = {0}, e = {4, RAFT_COMMAND, SLICE("x")};
	uint64_t last, term;
	assert_int_equal(raft_host_bootstrap_state(disk, all, 3, SLICE("12345678"), &err), 0);
	assert_int_equal(raft_host_bootstrap_state(disk, all, 3, SLICE("12345678"), &err), ERR_EXISTS);
	assert_int_equal(log_open(disk, 0, 0, NULL, NULL, &log, &err), 0);
	assert_int_equal(log_last_index(log), RAFT_STATE_INDEX);
	assert_int_equal(log_append(log, RAFT_STATE_INDEX + 1, &e, 1, &err), 0);
	log_close(log);
	assert_int_equal(raft_host_recover(disk, &all[2], &last, &term, &err), 0);
	assert_int_equal(last, RAFT_STATE_INDEX + 1);
	assert_int_equal(term, 4);
	assert_int_equal(log_open(disk, 0, 0, note, &newest, &log, &err), 0);
	assert_int_equal(log_last_index(log), RAFT_STATE_INDEX + 2);
	assert_int_equal(newest.kind, RAFT_CHANGE);
	assert_int_equal(newest.term, 4);
	log_close(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(an_empty_disk_has_nothing_to_recover, setup, teardown),
	        cmocka_unit_test_setup_teardown(
	                recovery_adds_a_configuration_of_one_behind_everything, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

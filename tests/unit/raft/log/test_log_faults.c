/* The log on a disk whose calls fail, each in turn: an error, nothing left open, and all that was acknowledged is there
 * at the next start. */
#include "tests/unit/faults.h"

#include "raft/host/host_int.h"
#include "raft/log/log_int.h"

#include <errno.h>
#include <unistd.h>

enum { ENTRIES = 120, PER_BATCH = 4, SEGMENT = 4096 };

static char folder[64];
static uint64_t acknowledged;

static int setup(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-log-faults-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void empty_folder(void)
{
	char command[128];
	snprintf(command, sizeof command, "rm -f %s/*", folder);
	assert_int_equal(system(command), 0);
	acknowledged = 0;
}

static int read_all(struct raft_log *l, struct err *err)
{
	for (uint64_t index = 1; index <= ENTRIES;) {
		struct arena a = ARENA_INIT;
		struct log_entry *e;
		size_t n = 0;
		int rc = log_read(l, index, &a, &e, &n, err);
		for (size_t i = 0; rc == 0 && i < n; i++)
			assert_int_equal(e[i].data.len, 100 + (index + i) % 7);
		arena_release(&a);
		if (rc != 0)
			return rc;
		index += n;
	}
	return 0;
}

static int append_rest(struct raft_log *l, struct err *err)
{
	static const char data[128];
	assert_true(log_last_index(l) >= acknowledged);
	while (log_last_index(l) < ENTRIES) {
		struct log_entry e[PER_BATCH];
		uint64_t index = log_last_index(l) + 1;
		size_t n = ENTRIES + 1 - index < PER_BATCH ? ENTRIES + 1 - index : PER_BATCH;
		for (size_t i = 0; i < n; i++)
			e[i] = (struct log_entry){1, RAFT_COMMAND, {data, 100 + (index + i) % 7}};
		int rc = log_append(l, index, e, n, err);
		if (rc != 0)
			return rc;
		acknowledged = log_last_index(l);
	}
	return 0;
}

/* Opens the log, writes what is missing of it over several segments, and reads all of it. */
static int write_and_read(struct err *err)
{
	struct disk *d;
	struct raft_log *l;
	int rc = disk_posix_new(folder, &d, err);
	if (rc != 0)
		return rc;
	rc = log_open(d, SEGMENT, 0, NULL, NULL, &l, err);
	if (rc == 0) {
		rc = append_rest(l, err);
		if (rc == 0)
			rc = read_all(l, err);
		log_close(l);
	}
	d->v->free(d);
	return rc;
}

static void every_call_of_the_log_may_fail(void **state)
{
	struct fault_plan p = {.kinds = FAULT_OPEN | FAULT_READ | FAULT_WRITE | FAULT_SYNC,
	        .error = EIO,
	        .run = write_and_read,
	        .reset = empty_folder};
	assert_true(faults_try_all(&p) > 100);
}

static void there_may_be_no_descriptors_left(void **state)
{
	struct fault_plan p = {.kinds = FAULT_OPEN, .error = EMFILE, .run = write_and_read, .reset = empty_folder};
	assert_true(faults_try_all(&p) >= ENTRIES * 100 / SEGMENT);
}

static void there_may_be_no_room(void **state)
{
	struct fault_plan p = {.kinds = FAULT_WRITE, .error = ENOSPC, .run = write_and_read, .reset = empty_folder};
	assert_true(faults_try_all(&p) > ENTRIES / PER_BATCH);
}

static int term_and_vote(struct err *err)
{
	struct disk *d;
	struct raft_meta *m;
	int rc = disk_posix_new(folder, &d, err);
	if (rc != 0)
		return rc;
	rc = meta_open(d, &m, err);
	if (rc == 0) {
		if (meta_term(m) < 5)
			rc = meta_set_term(m, 5, err);
		if (rc == 0)
			rc = meta_set_vote(m, 3, err);
		meta_close(m);
	}
	d->v->free(d);
	return rc;
}

static void every_call_for_term_and_vote_may_fail(void **state)
{
	struct fault_plan p = {.kinds = FAULT_OPEN | FAULT_READ | FAULT_WRITE | FAULT_SYNC,
	        .error = EIO,
	        .run = term_and_vote,
	        .reset = empty_folder};
	assert_true(faults_try_all(&p) > 8);
}

/* What can't be read counts as damaged. */
static void note_damage(void *arg, bool is_damage, const char *text)
{
	if (is_damage)
		err_set(arg, ERR_IO, "%s", text);
}

/* A disk that begins at a snapshot, as a restored member's does, looked at as `k3x-store check` does. */
static int begin_at_snapshot(struct err *err)
{
	static const struct raft_host_server self = {1, "http://a:2380", RAFT_HOST_VOTER};
	struct raft_host_checked checked;
	struct arena a = ARENA_INIT;
	struct disk *d;
	int rc = disk_posix_new(folder, &d, err);
	if (rc != 0)
		return rc;
	rc = raft_host_bootstrap_state(d, &self, 1, SLICE("12345678"), err);
	if (rc == 0)
		rc = raft_host_check(d, note_damage, err, &a, &checked, err);
	if (rc == 0)
		rc = err->code;
	if (rc == 0)
		assert_int_equal(checked.snapshot_index, RAFT_STATE_INDEX);
	arena_release(&a);
	d->v->free(d);
	return rc;
}

/* What was begun and not ended is taken away and begun anew, as store_restore() does. */
static int begin_anew(struct err *err)
{
	empty_folder();
	return begin_at_snapshot(err);
}

static void every_call_that_makes_a_snapshot_may_fail(void **state)
{
	/* not its reads: a segment is of thousands, and the log above shows them */
	struct fault_plan p = {.kinds = FAULT_OPEN | FAULT_WRITE | FAULT_SYNC | FAULT_NAME,
	        .error = EIO,
	        .run = begin_at_snapshot,
	        .reset = empty_folder,
	        .retry = begin_anew};
	assert_true(faults_try_all(&p) > 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(every_call_of_the_log_may_fail),
	        TEST(there_may_be_no_descriptors_left),
	        TEST(there_may_be_no_room),
	        TEST(every_call_for_term_and_vote_may_fail),
	        TEST(every_call_that_makes_a_snapshot_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

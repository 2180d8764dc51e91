/* raft/meta: a term and a vote that were acknowledged are there after a crash at any byte of the next write. */
#include "tests/unit/unit.h"

#include "raft/log/meta.h"

#include <fcntl.h>
#include <unistd.h>

static char folder[64];

static int setup(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-meta-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static int open_meta(struct disk **d, struct raft_meta **m, struct err *err)
{
	*err = ERR_INIT;
	assert_int_equal(disk_posix_new(folder, d, err), 0);
	int rc = meta_open(*d, m, err);
	if (rc != 0)
		(*d)->v->free(*d);
	return rc;
}

static void close_meta(struct disk *d, struct raft_meta *m)
{
	meta_close(m);
	d->v->free(d);
}

static size_t slurp(int i, char out[64], const char *put)
{
	char path[128];
	snprintf(path, sizeof path, "%s/meta-%d", folder, i);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	ssize_t n = put ? pwrite(fd, put, 40, 0) : pread(fd, out, 40, 0);
	close(fd);
	return (size_t)n;
}

static void a_new_term_clears_the_vote_and_the_same_term_keeps_it(void **state)
{
	struct disk *d;
	struct raft_meta *m;
	struct err err;
	assert_int_equal(open_meta(&d, &m, &err), 0);
	assert_int_equal(meta_term(m), 0);
	assert_int_equal(meta_set_term(m, 3, &err), 0);
	assert_int_equal(meta_set_vote(m, 7, &err), 0);
	assert_int_equal(meta_set_term(m, 3, &err), 0);
	assert_int_equal(meta_vote(m), 7);
	close_meta(d, m);
	assert_int_equal(open_meta(&d, &m, &err), 0);
	assert_int_equal(meta_term(m), 3);
	assert_int_equal(meta_vote(m), 7);
	assert_int_equal(meta_set_term(m, 4, &err), 0);
	assert_int_equal(meta_vote(m), 0);
	close_meta(d, m);
}

static void a_torn_write_leaves_what_was_acknowledged(void **state)
{
	struct disk *d;
	struct raft_meta *m;
	struct err err;
	char before[2][64], after[2][64], mixed[64];
	assert_int_equal(open_meta(&d, &m, &err), 0);
	assert_int_equal(meta_set_term(m, 5, &err), 0);
	assert_int_equal(meta_set_vote(m, 2, &err), 0);
	slurp(0, before[0], NULL);
	slurp(1, before[1], NULL);
	assert_int_equal(meta_set_term(m, 6, &err), 0);
	close_meta(d, m);
	slurp(0, after[0], NULL);
	slurp(1, after[1], NULL);
	int changed = memcmp(before[0], after[0], 40) != 0 ? 0 : 1;
	assert_memory_equal(before[!changed], after[!changed], 40);
	for (size_t cut = 0; cut <= 40; cut++) {
		memcpy(mixed, before[changed], 40);
		memcpy(mixed, after[changed], cut);
		slurp(changed, NULL, mixed);
		assert_int_equal(open_meta(&d, &m, &err), 0);
		if (memcmp(mixed, after[changed], 40) == 0) {
			assert_int_equal(meta_term(m), 6);
		} else {
			assert_int_equal(meta_term(m), 5);
			assert_int_equal(meta_vote(m), 2);
		}
		close_meta(d, m);
	}
}

static void two_damaged_files_are_refused(void **state)
{
	struct disk *d;
	struct raft_meta *m;
	struct err err;
	char bytes[64];
	assert_int_equal(open_meta(&d, &m, &err), 0);
	assert_int_equal(meta_set_term(m, 5, &err), 0);
	close_meta(d, m);
	for (int i = 0; i < 2; i++) {
		slurp(i, bytes, NULL);
		bytes[20] ^= 1;
		slurp(i, NULL, bytes);
	}
	assert_int_equal(open_meta(&d, &m, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "join it again"));
}

static void a_newer_form_is_refused_and_left_alone(void **state)
{
	struct disk *d;
	struct raft_meta *m;
	struct err err;
	char bytes[64], now[64];
	assert_int_equal(open_meta(&d, &m, &err), 0);
	assert_int_equal(meta_set_term(m, 5, &err), 0);
	close_meta(d, m);
	slurp(0, bytes, NULL);
	bytes[6] = '2'; /* "3KXETA2" */
	slurp(0, NULL, bytes);
	assert_int_equal(open_meta(&d, &m, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "of a newer program"));
	slurp(0, now, NULL);
	assert_memory_equal(now, bytes, 40);
}

static void a_creation_that_was_cut_short_starts_again(void **state)
{
	struct disk *d;
	struct raft_meta *m;
	struct err err;
	char whole[64], torn[64], zeros[64] = {0};
	assert_int_equal(open_meta(&d, &m, &err), 0);
	close_meta(d, m);
	slurp(1, whole, NULL);
	for (size_t cut = 0; cut <= 40; cut++) {
		memset(torn, 0, sizeof torn);
		memcpy(torn, whole, cut);
		slurp(1, NULL, torn);
		slurp(0, NULL, zeros);
		assert_int_equal(open_meta(&d, &m, &err), 0);
		assert_int_equal(meta_term(m), 0);
		assert_int_equal(meta_set_term(m, 1, &err), 0);
		close_meta(d, m);
		assert_int_equal(open_meta(&d, &m, &err), 0);
		assert_int_equal(meta_term(m), 1);
		close_meta(d, m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(a_new_term_clears_the_vote_and_the_same_term_keeps_it, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_torn_write_leaves_what_was_acknowledged, setup, teardown),
	        cmocka_unit_test_setup_teardown(two_damaged_files_are_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_newer_form_is_refused_and_left_alone, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_creation_that_was_cut_short_starts_again, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Looking at a disk: what is sound, what is damage, what is a remark, and that nothing is written. */
#include "raft/host/host_int.h"

#include "base/crc32c.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static struct disk *disk;
static char folder[64];

struct said {
	char text[4096];
	size_t damages, remarks;
};

static const struct raft_host_server all[] = {{1, "http://a:2380", RAFT_HOST_VOTER},
        {2, "http://b:2380", RAFT_HOST_VOTER}, {3, "http://c:2380", RAFT_HOST_STANDBY}};

static void report(void *arg, bool is_damage, const char *text)
{
	struct said *s = arg;
	size_t len = strlen(s->text);
	snprintf(s->text + len, sizeof s->text - len, "%s\n", text);
	*(is_damage ? &s->damages : &s->remarks) += 1;
}

static int setup(void **state)
{
	struct err err = ERR_INIT;
	snprintf(folder, sizeof folder, "/tmp/k3x-check-XXXXXX");
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

/* A log of n entries of term 1 behind a snapshot. */
static void fill(int n)
{
	struct err err = ERR_INIT;
	struct raft_log *log;
	struct log_entry e = {1, RAFT_COMMAND, SLICE("command")};
	assert_int_equal(raft_host_bootstrap_state(disk, all, 3, SLICE("12345678"), &err), 0);
	assert_int_equal(log_open(disk, 0, 0, NULL, NULL, &log, &err), 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(log_append(log, (uint64_t)(RAFT_STATE_INDEX + 1 + i), &e, 1, &err), 0);
	log_close(log);
}

static struct raft_host_checked look(struct said *s, struct arena *a)
{
	struct raft_host_checked out;
	struct err err = ERR_INIT;
	*s = (struct said){.damages = 0};
	assert_int_equal(raft_host_check(disk, report, s, a, &out, &err), 0);
	assert_int_equal(out.n_damages, s->damages);
	return out;
}

static int file_at(const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	return fd;
}

/* The bytes of all files, hashed: checking must not change them. */
static void fingerprint(char text[65])
{
	char command[160];
	snprintf(command, sizeof command, "cd %s && cat * | sha256sum", folder);
	FILE *f = popen(command, "r");
	assert_int_equal(fscanf(f, "%64s", text), 1);
	pclose(f);
}

/* Where batch number i of the log lies: each takes the same room. */
enum { SEGMENT_HEAD = 32, BATCH = 32 + 16 + 8 };

static void an_empty_folder_is_that(void **state)
{
	struct said s;
	struct arena a = ARENA_INIT;
	assert_true(look(&s, &a).is_empty);
	assert_int_equal(s.damages, 0);
}

static void a_sound_disk_says_where_it_is(void **state)
{
	struct said s;
	struct arena a = ARENA_INIT;
	char before[65], after[65];
	fill(5);
	fingerprint(before);
	struct raft_host_checked c = look(&s, &a);
	fingerprint(after);
	assert_string_equal(before, after);
	assert_string_equal(s.text, "");
	assert_int_equal(c.first_index, 3);
	assert_int_equal(c.last_index, 7);
	assert_int_equal(c.last_term, 1);
	assert_int_equal(c.snapshot_index, 2);
	assert_int_equal(c.n_servers, 3);
	assert_string_equal(c.servers[1].address, "http://b:2380");
	assert_int_equal(c.servers[2].role, RAFT_HOST_STANDBY);
	arena_release(&a);
}

static void a_torn_end_is_a_remark_and_stays(void **state)
{
	struct said s;
	struct arena a = ARENA_INIT;
	char before[65], after[65];
	fill(3);
	int fd = file_at("log-0000000000000001");
	assert_true(pwrite(fd, "\x01\x02\x03", 3, SEGMENT_HEAD + 2 * BATCH + 40) == 3);
	close(fd);
	fingerprint(before);
	struct raft_host_checked c = look(&s, &a);
	fingerprint(after);
	assert_string_equal(before, after);
	assert_int_equal(s.damages, 0);
	assert_int_equal(s.remarks, 1);
	assert_non_null(strstr(s.text, "torn"));
	assert_int_equal(c.last_index, 4);
	arena_release(&a);
}

static void a_broken_middle_is_damage(void **state)
{
	struct said s;
	struct arena a = ARENA_INIT;
	fill(3);
	int fd = file_at("log-0000000000000001");
	assert_true(pwrite(fd, "\x01\x02\x03", 3, SEGMENT_HEAD + 40) == 3);
	close(fd);
	look(&s, &a);
	assert_int_equal(s.damages, 1);
	assert_non_null(strstr(s.text, "sound ones behind it"));
	arena_release(&a);
}

static void a_broken_snapshot_record_and_vote_are_damage(void **state)
{
	struct said s;
	struct arena a = ARENA_INIT;
	fill(3);
	int fd = file_at("snapshot");
	assert_true(pwrite(fd, "\xff", 1, 60) == 1);
	close(fd);
	for (int i = 0; i < 2; i++) {
		fd = file_at(i ? "meta-1" : "meta-0");
		assert_true(pwrite(fd, "\xff", 1, 12) == 1);
		close(fd);
	}
	look(&s, &a);
	assert_non_null(strstr(s.text, "\"snapshot\" is damaged"));
	assert_non_null(strstr(s.text, "both damaged"));
	assert_true(s.damages >= 2);
	arena_release(&a);
}

/* Its index, its checksum fitting: the log would have begun anew at 0. */
static void a_snapshot_of_an_index_that_no_log_reaches_is_damage(void **state)
{
	enum { INDEX_AT = 8, CRC_AT = 52, HEAD = 56 };
	struct said s;
	struct arena a = ARENA_INIT;
	char bytes[4096];
	uint64_t index = UINT64_MAX;
	fill(3);
	int fd = file_at("snapshot");
	ssize_t n = pread(fd, bytes, sizeof bytes, 0);
	assert_true(n > HEAD);
	memcpy(bytes + INDEX_AT, &index, sizeof index);
	uint32_t crc = crc32c(crc32c(0, bytes, CRC_AT), bytes + HEAD, (size_t)n - HEAD);
	memcpy(bytes + CRC_AT, &crc, sizeof crc);
	assert_true(pwrite(fd, bytes, (size_t)n, 0) == n);
	close(fd);
	look(&s, &a);
	assert_non_null(strstr(s.text, "holds what no server writes"));
	arena_release(&a);
}

static void entries_that_are_missing_are_damage(void **state)
{
	struct said s;
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct raft_log *log;
	struct log_entry e = {1, RAFT_COMMAND, SLICE("command")};
	fill(3);
	assert_int_equal(log_open(disk, 0, 0, NULL, NULL, &log, &err), 0);
	assert_int_equal(log_restart(log, 9, &err), 0);
	assert_int_equal(log_append(log, 9, &e, 1, &err), 0);
	log_close(log);
	look(&s, &a);
	assert_non_null(strstr(s.text, "entries 3 to 8 are missing"));
	arena_release(&a);
}

static void a_term_that_nobody_promised_is_damage(void **state)
{
	struct said s;
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct raft_log *log;
	struct log_entry e = {7, RAFT_COMMAND, SLICE("command")};
	fill(1);
	assert_int_equal(log_open(disk, 0, 0, NULL, NULL, &log, &err), 0);
	assert_int_equal(log_append(log, 3, &e, 1, &err), 0);
	e.term = 3;
	assert_int_equal(log_append(log, 4, &e, 1, &err), 0);
	log_close(log);
	look(&s, &a);
	assert_non_null(strstr(s.text, "entry 4 is of term 3, the one before of 7"));
	assert_non_null(strstr(s.text, "know only term 1"));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(an_empty_folder_is_that, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_sound_disk_says_where_it_is, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_torn_end_is_a_remark_and_stays, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_broken_middle_is_damage, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_broken_snapshot_record_and_vote_are_damage, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_snapshot_of_an_index_that_no_log_reaches_is_damage, setup, teardown),
	        cmocka_unit_test_setup_teardown(entries_that_are_missing_are_damage, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_term_that_nobody_promised_is_damage, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

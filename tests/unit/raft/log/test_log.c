/* raft/log: what was appended is there after a restart, whatever byte a crash stopped at; damage is refused, not
 * skipped. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "raft/log/log_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int setup(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-log-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

struct seen {
	uint64_t first, next;
	uint64_t sum; /* over terms and data, to compare contents */
	bool ordered;
};

static void see(void *arg, uint64_t index, const struct log_entry *e)
{
	struct seen *s = arg;
	if (!s->first)
		s->first = s->next = index;
	s->ordered = index == s->next && (s->first == index || s->ordered);
	s->next = index + 1;
	for (size_t i = 0; i < e->data.len; i++)
		s->sum = s->sum * 31 + (unsigned char)e->data.ptr[i];
	s->sum = s->sum * 31 + e->term;
}

static struct raft_log *open_log(struct disk **d, struct seen *s, struct err *err)
{
	struct raft_log *l = NULL;
	*s = (struct seen){.ordered = true};
	*err = ERR_INIT;
	assert_int_equal(disk_posix_new(folder, d, err), 0);
	if (log_open(*d, 4096, 0, see, s, &l, err) != 0)
		(*d)->v->free(*d);
	return l;
}

static void close_log(struct disk *d, struct raft_log *l)
{
	log_close(l);
	d->v->free(d);
}

static void append(struct raft_log *l, uint64_t index, uint64_t term, int n, size_t size)
{
	struct log_entry entries[16];
	static char data[3000];
	struct err err = ERR_INIT;
	memset(data, 'a' + (int)(index % 26), sizeof data);
	for (int i = 0; i < n; i++)
		entries[i] = (struct log_entry){term, 1, {data, size + (size_t)i}};
	if (log_append(l, index, entries, (size_t)n, &err) != 0)
		fail_msg("%s", err.msg);
}

static void entries_are_there_after_a_restart(void **state)
{
	struct disk *d;
	struct seen s;
	struct err err;
	struct raft_log *l = open_log(&d, &s, &err);
	assert_int_equal(log_last_index(l), 0);
	for (uint64_t i = 1; i < 200; i += 4)
		append(l, i, 1, 4, 100);
	assert_int_equal(log_last_index(l), 200);
	assert_true(l->n_segments > 3);
	close_log(d, l);
	l = open_log(&d, &s, &err);
	assert_int_equal(s.first, 1);
	assert_int_equal(s.next, 201);
	assert_true(s.ordered);
	struct arena a = ARENA_INIT;
	struct log_entry *e;
	size_t n;
	assert_int_equal(log_read(l, 7, &a, &e, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(e[0].data.len, 102);
	assert_int_equal(log_read(l, 201, &a, &e, &n, &err), ERR_NOT_FOUND);
	arena_release(&a);
	close_log(d, l);
}

static void only_what_is_asked_for_is_told(void **state)
{
	struct disk *d;
	struct seen s;
	struct err err = ERR_INIT;
	struct raft_log *l = open_log(&d, &s, &err);
	for (uint64_t i = 1; i < 200; i += 4)
		append(l, i, 1, 4, 100);
	log_close(l);
	s = (struct seen){.ordered = true};
	assert_int_equal(log_open(d, 4096, 150, see, &s, &l, &err), 0); /* in the middle of a batch */
	assert_int_equal(s.first, 150);
	assert_int_equal(s.next, 201);
	assert_int_equal(log_first_index(l), 1);
	log_close(l);
	s = (struct seen){.ordered = true};
	assert_int_equal(log_open(d, 4096, 300, see, &s, &l, &err), 0);
	assert_int_equal(s.first, 0);
	assert_int_equal(log_last_index(l), 200);
	close_log(d, l);
}

static void a_conflicting_tail_is_replaced_and_stays_so(void **state)
{
	struct disk *d;
	struct seen s;
	struct err err;
	struct raft_log *l = open_log(&d, &s, &err);
	for (uint64_t i = 1; i <= 60; i += 4)
		append(l, i, 1, 4, 200);
	append(l, 30, 2, 1, 50); /* in the middle of a batch, segments back */
	assert_int_equal(log_last_index(l), 30);
	append(l, 31, 2, 2, 50);
	assert_int_equal(log_append(l, 32, NULL, 0, &err), 0); /* a truncation alone */
	assert_int_equal(log_last_index(l), 31);
	close_log(d, l);
	l = open_log(&d, &s, &err);
	assert_int_equal(s.next, 32);
	assert_true(s.ordered);
	struct arena a = ARENA_INIT;
	struct log_entry *e;
	size_t n;
	assert_int_equal(log_read(l, 29, &a, &e, &n, &err), 0);
	assert_int_equal(e[0].term, 1);
	assert_int_equal(n, 1);
	assert_int_equal(log_read(l, 30, &a, &e, &n, &err), 0);
	assert_int_equal(e[0].term, 2);
	arena_release(&a);
	close_log(d, l);
}

static void old_segments_can_be_dropped(void **state)
{
	struct disk *d;
	struct seen s;
	struct err err;
	struct raft_log *l = open_log(&d, &s, &err);
	for (uint64_t i = 1; i <= 200; i += 4)
		append(l, i, 1, 4, 100);
	size_t before = l->n_segments;
	assert_int_equal(log_drop_before(l, 150, &err), 0);
	assert_true(l->n_segments < before);
	assert_true(log_first_index(l) > 1 && log_first_index(l) <= 150);
	uint64_t first = log_first_index(l);
	close_log(d, l);
	l = open_log(&d, &s, &err);
	assert_int_equal(s.first, first);
	assert_int_equal(s.next, 201);
	append(l, 201, 2, 1, 10);
	close_log(d, l);
}

static void a_restarted_log_begins_where_it_was_told(void **state)
{
	struct disk *d;
	struct seen s;
	struct err err;
	struct raft_log *l = open_log(&d, &s, &err);
	for (uint64_t i = 1; i <= 40; i += 4)
		append(l, i, 1, 4, 100);
	assert_int_equal(log_restart(l, 1000, &err), 0);
	assert_int_equal(log_last_index(l), 999);
	append(l, 1000, 5, 2, 10);
	close_log(d, l);
	l = open_log(&d, &s, &err);
	assert_int_equal(s.first, 1000);
	assert_int_equal(s.next, 1002);
	close_log(d, l);
}

static void last_segment(char *path, size_t size)
{
	struct dirent **list;
	int n = scandir(folder, &list, NULL, alphasort);
	snprintf(path, size, "%s/%s", folder, list[n - 1]->d_name);
	while (n--)
		free(list[n]);
	free(list);
}

static void patch_file(const char *path, off_t at, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), (ssize_t)n);
	close(fd);
}

/* The last batch stops at every byte in turn: what came before it is always there, and the log can go on. */
static void a_write_torn_at_any_byte_is_cut_off(void **state)
{
	struct disk *d;
	struct seen s, whole;
	struct err err;
	struct raft_log *l = open_log(&d, &s, &err);
	append(l, 1, 1, 3, 40);
	uint64_t start = l->segments[0].used;
	append(l, 4, 1, 2, 60);
	uint64_t end = l->segments[0].used;
	close_log(d, l);
	char path[512], original[4096], zeros[4096] = {0};
	last_segment(path, sizeof path);
	int fd = open(path, O_RDONLY);
	struct stat before, after;
	assert_int_equal(pread(fd, original, sizeof original, 0), sizeof original);
	assert_int_equal(fstat(fd, &before), 0);
	close(fd);
	for (uint64_t cut = start; cut <= end; cut++) {
		patch_file(path, 0, original, sizeof original);
		patch_file(path, (off_t)cut, zeros, (size_t)(end - cut));
		l = open_log(&d, &s, &err);
		if (!l)
			fail_msg("cut at %d: %s", (int)cut, err.msg);
		assert_int_equal(stat(path, &after), 0);
		assert_true(after.st_blocks >= before.st_blocks); /* what is appended next needs no room */
		/* The last bytes of a batch may be padding: then nothing is missing. */
		bool all = s.next == 6;
		assert_true(all || s.next == 4);
		assert_true(all ? cut > start + 32 : cut < end);
		append(l, s.next, 2, 1, 20);
		close_log(d, l);
		l = open_log(&d, &whole, &err);
		assert_non_null(l);
		assert_int_equal(whole.next, s.next + 1);
		close_log(d, l);
	}
}

/* What a newer program wrote looks like a torn end to this one: it is refused, and nothing of it is cut off. */
static void what_a_newer_program_wrote_is_refused_and_left_alone(void **state)
{
	static const struct {
		bool is_batch;
		char known, newer;
		off_t at; /* of the version in its magic */
	} rows[] = {{false, '1', '2', 4}, {true, 'B', 'C', 3}};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct disk *d;
		struct seen s;
		struct err err;
		struct raft_log *l = open_log(&d, &s, &err);
		append(l, l->next, 1, 3, 40);
		off_t at = rows[i].at + (rows[i].is_batch ? (off_t)l->segments[0].used : 0);
		append(l, l->next, 1, 2, 60);
		uint64_t next = l->next;
		close_log(d, l);
		char path[512];
		struct stat before, after;
		last_segment(path, sizeof path);
		assert_int_equal(stat(path, &before), 0);
		patch_file(path, at, &rows[i].newer, 1);
		assert_null(open_log(&d, &s, &err));
		assert_int_equal(err.code, ERR_CORRUPT);
		assert_non_null(strstr(err.msg, "of a newer program"));
		assert_int_equal(stat(path, &after), 0);
		assert_int_equal(before.st_size, after.st_size);
		patch_file(path, at, &rows[i].known, 1);
		l = open_log(&d, &s, &err); /* as the newer program finds it */
		assert_non_null(l);
		assert_int_equal(s.next, next);
		close_log(d, l);
	}
}

static void a_flipped_bit_before_sound_batches_is_refused(void **state)
{
	struct disk *d;
	struct seen s;
	struct err err;
	struct raft_log *l = open_log(&d, &s, &err);
	append(l, 1, 1, 1, 64);
	append(l, 2, 1, 1, 64);
	uint64_t second = l->batches[1].offset;
	close_log(d, l);
	char path[512], original[4096];
	last_segment(path, sizeof path);
	int fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, original, sizeof original, 0), sizeof original);
	close(fd);
	for (uint64_t at = sizeof(struct segment_header); at < second; at++) {
		char flipped = (char)(original[at] ^ 4);
		patch_file(path, (off_t)at, &flipped, 1);
		l = open_log(&d, &s, &err);
		if (l)
			fail_msg("bit at %d was not noticed", (int)at);
		assert_int_equal(err.code, ERR_CORRUPT);
		assert_non_null(strstr(err.msg, "Replace this member"));
		patch_file(path, (off_t)at, &original[at], 1);
	}
}

static void a_missing_segment_is_refused(void **state)
{
	struct disk *d;
	struct seen s;
	struct err err;
	struct raft_log *l = open_log(&d, &s, &err);
	for (uint64_t i = 1; i <= 200; i += 4)
		append(l, i, 1, 4, 100);
	close_log(d, l);
	char path[512];
	snprintf(path, sizeof path, "%s/log-0000000000000002", folder);
	assert_int_equal(unlink(path), 0);
	assert_null(open_log(&d, &s, &err));
	assert_int_equal(err.code, ERR_CORRUPT);
}

/* The next one would have begun anew at 0, before all others. */
static void a_segment_numbered_beyond_any_log_is_refused(void **state)
{
	struct disk *d;
	struct seen s;
	struct err err;
	char from[512], to[512];
	struct raft_log *l = open_log(&d, &s, &err);
	append(l, 1, 1, 1, 64);
	close_log(d, l);
	last_segment(from, sizeof from);
	snprintf(to, sizeof to, "%s/log-ffffffffffffffff", folder);
	assert_int_equal(rename(from, to), 0);
	assert_null(open_log(&d, &s, &err));
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "log-ffffffffffffffff"));
}

/* A disk that gives an older batch of the same index for a newer one, which had more entries. */
static void a_batch_that_has_become_another_is_refused(void **state)
{
	struct disk *d;
	struct seen s;
	struct err err;
	struct arena a = ARENA_INIT;
	struct log_entry *e;
	size_t n;
	char path[512], bytes[512];
	struct raft_log *l = open_log(&d, &s, &err);
	append(l, 1, 1, 1, 64);
	off_t older = (off_t)l->batches[0].offset;
	append(l, 1, 1, 4, 64);
	last_segment(path, sizeof path);
	int fd = open(path, O_RDONLY);
	assert_true(pread(fd, bytes, sizeof bytes, older) > 0);
	close(fd);
	patch_file(path, (off_t)l->batches[0].offset, bytes, (size_t)((off_t)l->batches[0].offset - older));
	assert_int_equal(log_read(l, 1, &a, &e, &n, &err), ERR_CORRUPT);
	arena_release(&a);
	close_log(d, l);
}

/* What a peer sends in one message may be more than one write takes. */
static void more_than_a_batch_goes_in_several(void **state)
{
	enum { SIZE = 12 * 1024 * 1024, N = 4 };
	struct disk *d;
	struct seen s;
	struct err err;
	struct log_entry entries[N];
	char *data = malloc(SIZE);
	memset(data, 'x', SIZE);
	struct raft_log *l = open_log(&d, &s, &err);
	for (int i = 0; i < N; i++)
		entries[i] = (struct log_entry){1, 1, {data, SIZE}};
	assert_int_equal(log_append(l, 1, entries, N, &err), 0);
	close_log(d, l);
	l = open_log(&d, &s, &err);
	assert_int_equal(s.next, N + 1);
	assert_true(s.ordered);
	close_log(d, l);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(more_than_a_batch_goes_in_several, setup, teardown),
	        cmocka_unit_test_setup_teardown(entries_are_there_after_a_restart, setup, teardown),
	        cmocka_unit_test_setup_teardown(only_what_is_asked_for_is_told, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_conflicting_tail_is_replaced_and_stays_so, setup, teardown),
	        cmocka_unit_test_setup_teardown(old_segments_can_be_dropped, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_restarted_log_begins_where_it_was_told, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_write_torn_at_any_byte_is_cut_off, setup, teardown),
	        cmocka_unit_test_setup_teardown(what_a_newer_program_wrote_is_refused_and_left_alone, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_flipped_bit_before_sound_batches_is_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_missing_segment_is_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_segment_numbered_beyond_any_log_is_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_batch_that_has_become_another_is_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

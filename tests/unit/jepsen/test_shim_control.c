/* jepsen/shim_control and jepsen/shim: what a power cut may take, and what it must leave. The shim is linked in, so
 * that this program's own calls go through it; it starts itself again with the shim's settings in the environment. */
#include "store/engine/raft_engine.h"

#include "tests/unit/store/engine/engine_suite.h"

#include "jepsen/shim_control.h"

#include "base/rt/cond.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "jepsen/shim.c" /* NOLINT: its symbols must be this program's */

static char folder[64], data[80], control[80];

static const char *in_data(const char *name)
{
	static char path[4][128];
	static int turn;
	char *p = path[turn++ % 4];
	snprintf(p, 128, "%s/%s", data, name);
	return p;
}

static const char *content(const char *name)
{
	static char text[256];
	int fd = open(in_data(name), O_RDONLY);
	if (fd < 0)
		return NULL;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	return text;
}

/* In a child, which then dies as if killed. */
static void in_child(void (*what)(void))
{
	pid_t pid = fork();
	int status;
	if (pid == 0) {
		go_on_behind(); /* as a process that starts does */
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Cuts the power with seeds until one takes everything that can be taken: seed 1 upward loses all in four of ten. */
static struct shim_loss cut(uint64_t seed)
{
	struct rng r;
	struct err err = ERR_INIT;
	struct shim_loss loss;
	rng_init(&r, seed, 0);
	assert_int_equal(shim_power_cut(control, &r, &loss, &err), 0);
	return loss;
}

static void put(const char *name, const char *text, bool sync)
{
	int fd = open(in_data(name), O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || (sync && fsync(fd) != 0))
		_exit(1);
	close(fd);
}

static void write_synced_and_not(void)
{
	put("synced", "kept", true);
	put("unsynced", "lost", false);
}

static void what_was_synced_stays(void **state)
{
	unsigned lost = 0;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		in_child(write_synced_and_not);
		cut(seed);
		assert_string_equal(content("synced"), "kept");
		lost += !content("unsynced") || strcmp(content("unsynced"), "lost") != 0;
		unlink(in_data("unsynced"));
		struct err err = ERR_INIT;
		assert_int_equal(shim_control_forget(control, &err), 0);
	}
	assert_true(lost > 5);
}

static void overwrite(void)
{
	int fd = open(in_data("file"), O_RDWR);
	if (pwrite(fd, "NEW", 3, 2) != 3 || ftruncate(fd, 5) != 0)
		_exit(1);
}

static void make_file(void)
{
	put("file", "0123456789", true);
}

/* Whatever is lost, what comes back is what was there: some of old and new, never anything else. */
static void bytes_come_back(void **state)
{
	bool seen_old = false;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		in_child(make_file);
		in_child(overwrite);
		cut(seed);
		const char *now = content("file");
		assert_true(!strcmp(now, "0123456789") || !strcmp(now, "01NEW") || !strcmp(now, "01NEW56789") ||
		            !strcmp(now, "01234"));
		seen_old |= strcmp(now, "0123456789") == 0;
	}
	assert_true(seen_old);
}

static void replace_file(void)
{
	put("next", "new", true);
	if (rename(in_data("next"), in_data("file")) != 0)
		_exit(1);
}

static void replace_file_and_sync(void)
{
	replace_file();
	int fd = open(data, O_RDONLY | O_DIRECTORY);
	if (fd < 0 || fsync(fd) != 0)
		_exit(1);
}

static void a_rename_needs_its_folder_synced(void **state)
{
	bool seen_old = false;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		in_child(make_file);
		in_child(replace_file);
		cut(seed);
		assert_true(!strcmp(content("file"), "new") || !strcmp(content("file"), "0123456789"));
		seen_old |= strcmp(content("file"), "0123456789") == 0;
		in_child(make_file);
		in_child(replace_file_and_sync);
		cut(seed);
		assert_string_equal(content("file"), "new");
	}
	assert_true(seen_old);
}

static void overwrite_and_replace(void)
{
	overwrite();
	replace_file_and_sync();
}

static void what_took_a_name_keeps_its_bytes(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		in_child(make_file);
		in_child(overwrite_and_replace);
		cut(seed);
		assert_string_equal(content("file"), "new");
	}
}

static void rename_without_sync(void)
{
	int fd = open(data, O_RDONLY | O_DIRECTORY);
	put("next", "new", false);
	if (rename(in_data("next"), in_data("file")) != 0 || fd < 0 || fsync(fd) != 0)
		_exit(1);
}

static void a_new_name_does_not_keep_bytes(void **state)
{
	bool seen_empty = false;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		in_child(make_file);
		in_child(rename_without_sync);
		cut(seed);
		assert_true(!strcmp(content("file"), "new") || !*content("file"));
		seen_empty |= !*content("file");
	}
	assert_true(seen_empty);
}

static void remove_file(void)
{
	if (unlink(in_data("file")) != 0)
		_exit(1);
}

static void what_was_removed_can_return_whole(void **state)
{
	bool seen_again = false;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		in_child(make_file);
		in_child(remove_file);
		cut(seed);
		if (content("file"))
			assert_string_equal(content("file"), "0123456789");
		seen_again |= content("file") != NULL;
	}
	assert_true(seen_again);
}

/* Journals come from processes that were killed at any moment: whatever is in one must not harm. */
static void broken_journals_are_read(void **state)
{
	char path[128];
	struct rng r;
	rng_init(&r, 1, 2);
	snprintf(path, sizeof path, "%s/journal", control);
	for (unsigned round = 0; round < 50; round++) {
		in_child(make_file);
		in_child(overwrite);
		int fd = open(path, O_RDWR);
		off_t size = lseek(fd, 0, SEEK_END);
		unsigned char byte = (unsigned char)rng_next(&r);
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)rng_below(&r, (uint32_t)size)), 1);
		assert_int_equal(ftruncate(fd, (off_t)rng_below(&r, (uint32_t)size)), 0);
		close(fd);
		cut(round);
	}
}

static int64_t wall_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void clocks_jump_and_never_go_back_alone(void **state)
{
	struct err err = ERR_INIT;
	struct shim_control *s = shim_control_map(control, &err);
	struct timespec before, after;
	assert_non_null(s);
	int64_t now = wall_ms();
	shim_control_set_clock(s, INT64_C(3600) * 1000000000, 0);
	assert_true(wall_ms() - now > 3500 * 1000);
	shim_control_set_clock(s, 0, 0);
	assert_true(wall_ms() - now < 60 * 1000);
	clock_gettime(CLOCK_MONOTONIC, &before);
	shim_control_set_clock(s, 0, 1000000000); /* a thousand times as fast */
	clock_gettime(CLOCK_MONOTONIC, &after);
	while (after.tv_sec - before.tv_sec < 2)
		clock_gettime(CLOCK_MONOTONIC, &after);
	shim_control_set_clock(s, 0, 0);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_true(before.tv_sec >= after.tv_sec);
	shim_control_unmap(s);
}

/* A clock at half its speed: the wait lasts as long as that clock says, in one sleep. */
static void a_timed_wait_follows_the_clock(void **state)
{
	struct err err = ERR_INIT;
	struct shim_control *s = shim_control_map(control, &err);
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
	struct timespec now;
	assert_non_null(s);
	shim_control_set_clock(s, 0, -500000);
	struct timespec limit = cond_limit(20);
	unsigned times = 0;
	pthread_mutex_lock(&lock);
	while (cond_wait_until(&wake, &lock, &limit))
		times++;
	pthread_mutex_unlock(&lock);
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_true(to_ns(&now) >= to_ns(&limit) - 1000000);
	assert_true(times < 10);
	shim_control_set_clock(s, 0, 0);
	shim_control_unmap(s);
}

static void disks_fail_when_told(void **state)
{
	struct err err = ERR_INIT;
	struct shim_control *s = shim_control_map(control, &err);
	int fd = open(in_data("failing"), O_RDWR | O_CREAT, 0600);
	s->write_error_ppm = 1000000;
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EIO);
	s->write_error_ppm = 0;
	assert_int_equal(write(fd, "x", 1), 1);
	s->sync_error_ppm = 1000000;
	assert_int_equal(fdatasync(fd), -1);
	s->sync_error_ppm = 0;
	assert_int_equal(fdatasync(fd), 0);
	close(fd);
	shim_control_unmap(s);
}

/* A put into a store of the kind, on a disk of which every write (or sync) fails from then on. Exits with the code that
 * the store stops with; with 0 when it goes on. */
static void put_on_a_bad_disk(bool only_syncs)
{
	struct err err = ERR_INIT;
	struct engine *e = NULL;
	struct shim_control *s = shim_control_map(control, &err);
	struct raft_engine_options o = {.data_dir = data};
	if (!s || raft_engine_open_alone(&o, &e, &err) != 0)
		_exit(100);
	s->write_error_ppm = only_syncs ? 0 : 1000000;
	s->sync_error_ppm = 1000000;
	suite_put(e, "k", "v");
	_exit(0);
}

/* What was written is known to nobody then. A signal would look like a broken invariant, and fill disks with cores. */
static void a_store_stops_in_order_on_a_bad_disk(void **state)
{
	struct err err = ERR_INIT;
	struct shim_control *s = shim_control_map(control, &err);
	for (int only_syncs = 0; only_syncs < 2; only_syncs++) {
		int status;
		pid_t pid = fork();
		if (pid == 0)
			put_on_a_bad_disk(only_syncs);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		s->write_error_ppm = s->sync_error_ppm = 0;
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), err_exit_code(ERR_IO));
	}
	shim_control_unmap(s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_synced_stays), cmocka_unit_test(bytes_come_back),
	        cmocka_unit_test(a_rename_needs_its_folder_synced), cmocka_unit_test(what_took_a_name_keeps_its_bytes),
	        cmocka_unit_test(a_new_name_does_not_keep_bytes), cmocka_unit_test(what_was_removed_can_return_whole),
	        cmocka_unit_test(broken_journals_are_read), cmocka_unit_test(clocks_jump_and_never_go_back_alone),
	        cmocka_unit_test(a_timed_wait_follows_the_clock), cmocka_unit_test(disks_fail_when_told),
	        cmocka_unit_test(a_store_stops_in_order_on_a_bad_disk)};
	struct err err = ERR_INIT;
	if (!getenv("JEPSEN_SHIM")) {
		snprintf(folder, sizeof folder, "/tmp/k3x-shim-XXXXXX");
		if (!mkdtemp(folder))
			return 1;
		snprintf(data, sizeof data, "%s/data", folder);
		snprintf(control, sizeof control, "%s/control", folder);
		if (mkdir(data, 0700) != 0 || shim_control_make(control, data, &err) != 0)
			return 1;
		setenv("JEPSEN_SHIM", control, 1);
		setenv("JEPSEN_SHIM_DATA", data, 1);
		execv("/proc/self/exe", argv);
		return 1;
	}
	snprintf(control, sizeof control, "%s", getenv("JEPSEN_SHIM"));
	snprintf(data, sizeof data, "%s", getenv("JEPSEN_SHIM_DATA"));
	snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(data, '/') - data), data);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) != 0 ? 1 : failed;
}

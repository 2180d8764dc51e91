/* Tests of the disk of one's own: what is written to it is counted, and nothing of it is left by a process that was
 * killed. Needs root, loop devices and mkfs.ext4. */
#include "tests/unit/unit.h"
#include "tools/bench/wear/wear_int.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILE_BYTES = 1024 * 1024, GONE_TRIES = 1000 };

struct seen {
	bool is_there, is_settled, is_settled_again;
	double empty, filled, again;
	char device[32];
};

static bool fill(const char *dir)
{
	static char bytes[FILE_BYTES];
	char path[100];
	snprintf(path, sizeof path, "%s/file", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write(fd, memset(bytes, 'x', sizeof bytes), sizeof bytes) == FILE_BYTES;
	if (fd >= 0)
		close(fd);
	return ok;
}

static struct seen look(void)
{
	struct seen s = {0};
	struct wear_disk d;
	struct err err = ERR_INIT;
	if (wear_disks_begin(&err) != 0 || wear_disk_open(&d, "/tmp", "test", &err) != 0)
		return s;
	snprintf(s.device, sizeof s.device, "%s", d.device);
	s.is_there = wear_disk_written(&d, &s.empty, &s.is_settled, &err) == 0 && fill(d.dir) &&
	             wear_disk_written(&d, &s.filled, &s.is_settled, &err) == 0 &&
	             wear_disk_written(&d, &s.again, &s.is_settled_again, &err) == 0;
	return s;
}

/* In a process of its own, for it changes what is mounted; it then waits to be killed. */
static pid_t look_and_stay(struct seen *ret)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct seen s = look();
		if (write(ends[1], &s, sizeof s) == sizeof s)
			pause();
		_exit(1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], ret, sizeof *ret), sizeof *ret);
	close(ends[0]);
	return pid;
}

static bool backing(const char *device, char *out, size_t size)
{
	char path[100];
	snprintf(path, sizeof path, "/sys/block/%s/loop/backing_file", device + strlen("/dev/"));
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(out, (int)size, f);
	if (f)
		fclose(f);
	return ok;
}

static void test_writes_are_counted_and_a_killed_process_leaves_nothing(void **state)
{
	struct seen s;
	char before[300] = "", now[300] = "";
	pid_t pid = look_and_stay(&s);
	bool was_backed = s.device[0] && backing(s.device, before, sizeof before);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (!s.device[0]) /* no root, no loop devices or no mkfs.ext4 here */
		skip();
	assert_true(s.is_there && s.is_settled && s.is_settled_again);
	assert_true(s.filled - s.empty >= FILE_BYTES);
	assert_true(s.filled - s.empty < 2 * FILE_BYTES);
	assert_float_equal(s.again, s.filled, 0);
	assert_true(was_backed);
	bool is_gone = false;
	for (int i = 0; i < GONE_TRIES && !is_gone; i++) {
		is_gone = !backing(s.device, now, sizeof now) || strcmp(now, before) != 0;
		usleep(is_gone ? 0 : 10000);
	}
	assert_true(is_gone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_writes_are_counted_and_a_killed_process_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

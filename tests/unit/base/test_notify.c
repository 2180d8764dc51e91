/* base/notify: what a service manager hears. */
#include "tests/unit/unit.h"

#include "base/notify.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64], path[96];

/* A manager's socket, at `path` or, with an '@' before it, in the abstract namespace. */
static int listen_at(const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(a.sun_path, name, strlen(name));
	socklen_t len = sizeof a;
	if (*name == '@') {
		a.sun_path[0] = 0;
		len = (socklen_t)(sizeof a.sun_family + strlen(name));
	}
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static int setup(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-notify-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/socket", folder);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return rmdir(folder);
}

static void hears(const char *name)
{
	char got[64];
	int fd = listen_at(name);
	assert_true(notify_send("READY=1\nSTATUS=it runs"));
	ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	got[n] = 0;
	assert_string_equal(got, "READY=1\nSTATUS=it runs");
	close(fd);
}

static void the_manager_hears_it(void **state)
{
	char abstract[128];
	hears(path);
	snprintf(abstract, sizeof abstract, "@%s", path);
	hears(abstract);
}

static void without_a_manager_nothing_happens(void **state)
{
	static const char *const bad[] = {"", "@", "relative", "/nowhere/there/is/a/socket"};
	unsetenv("NOTIFY_SOCKET");
	assert_false(notify_send("READY=1"));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		setenv("NOTIFY_SOCKET", bad[i], 1);
		assert_false(notify_send("READY=1"));
	}
}

/* Its queue is full, and nobody waits for it. */
static void a_manager_that_does_not_listen_holds_nothing_up(void **state)
{
	int fd = listen_at(path);
	bool heard = true;
	for (int i = 0; heard && i < 100000; i++)
		heard = notify_send("WATCHDOG=1");
	assert_false(heard);
	close(fd);
}

static void the_watchdog_is_for_the_process_that_it_names(void **state)
{
	char pid[16];
	assert_int_equal(notify_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "3000000", 1);
	assert_int_equal(notify_watchdog_ms(), 3000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_watchdog_ms(), 0);
	snprintf(pid, sizeof pid, "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_watchdog_ms(), 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(the_manager_hears_it, setup, teardown),
	        cmocka_unit_test_setup_teardown(without_a_manager_nothing_happens, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_manager_that_does_not_listen_holds_nothing_up, setup, teardown),
	        cmocka_unit_test_setup_teardown(the_watchdog_is_for_the_process_that_it_names, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

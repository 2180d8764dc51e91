/* WireGuard by a program: one that is made up stands in for wireguard-go. It is started once, found again by who comes
 * later, started again when it has ended, and let be when it ends at once. */
#include "net/fabric/wireguard/tunnel.h"

#include "base/rt/loop.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/stat.h>

static char folder[64], program[96], log_file[96], pid_file[96], device[16], socket_file[64];
static struct loop loop;
static struct wireguard_writer *writer;
static int changes;

static void changed(void *arg)
{
	changes++;
}

/* A file that can be run; `text` stands behind the interpreter's line. */
static void write_program(const char *text)
{
	FILE *f = fopen(program, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(program, 0755), 0);
}

/* Answers whatever it is asked, and takes as its link the one that every machine has. */
static const char answers[] = "#!/usr/bin/python3\n"
                              "import os, socket, sys, threading\n"
                              "path = '/var/run/wireguard/%s.sock' % sys.argv[2]\n"
                              "os.makedirs(os.path.dirname(path), exist_ok=True)\n"
                              "if os.path.exists(path): os.unlink(path)\n"
                              "s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen()\n"
                              "def serve(c):\n"
                              "    while c.recv(65536): c.sendall(b'listen_port=7\\nerrno=0\\n\\n')\n"
                              "while True:\n"
                              "    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()\n";

static void open_one(void)
{
	writer = wireguard_by_program.open(&(struct wireguard_writer_options){.loop = &loop,
	        .link = device,
	        .port = 51820,
	        .pid_file = pid_file,
	        .log_file = log_file,
	        .changed = changed});
}

static void was_closed(void *arg)
{
	*(bool *)arg = true;
}

static void close_one(void)
{
	bool is_closed = false;
	writer->kind->close(writer, was_closed, &is_closed);
	while (!is_closed)
		loop_turn(&loop);
}

static pid_t running(void)
{
	int pid = 0;
	FILE *f = fopen(pid_file, "r");
	if (!f || fscanf(f, "%d", &pid) != 1)
		pid = 0;
	if (f)
		fclose(f);
	return pid;
}

static int setup(void **state)
{
	char path[256];
	snprintf(folder, sizeof folder, "/tmp/k3x-unit-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(program, sizeof program, "%s/wireguard-go", folder);
	snprintf(log_file, sizeof log_file, "%s/log", folder);
	snprintf(pid_file, sizeof pid_file, "%s/pid", folder);
	snprintf(device, sizeof device, "k3xt%d", (int)getpid() % 1000000);
	snprintf(socket_file, sizeof socket_file, "/var/run/wireguard/%s.sock", device);
	snprintf(path, sizeof path, "%s:%s", folder, getenv("PATH"));
	setenv("PATH", path, 1);
	changes = 0;
	loop_init(&loop, "test");
	loop_own(&loop);
	open_one();
	return 0;
}

static int teardown(void **state)
{
	close_one();
	loop_stop(&loop);
	loop_run(&loop);
	loop_release(&loop);
	if (running())
		kill(running(), SIGKILL);
	unlink(socket_file);
	unlink(program);
	unlink(log_file);
	unlink(pid_file);
	return rmdir(folder);
}

static void turn_until_changes(int n)
{
	while (changes < n)
		loop_turn(&loop);
}

/* The link of the made up program is not there: that is the last thing to be looked at. */
static int find(void)
{
	struct err err = ERR_INIT;
	int index;
	int rc = writer->kind->link(writer, &index, &err);
	assert_int_equal(index, 0);
	return rc;
}

static void it_is_started_and_found_again(void **state)
{
	struct wireguard_device d = {0};
	struct err err = ERR_INIT;
	write_program(answers);
	assert_true(wireguard_program_is_there());
	assert_int_equal(find(), 0);
	turn_until_changes(1);
	pid_t first = running();
	assert_true(first > 0);
	assert_int_equal(writer->kind->get(writer, &d, &err), 0);
	assert_int_equal(d.port, 7);
	assert_int_equal(find(), ERR_EXISTS); /* of another network, as it seems */
	close_one();
	open_one();
	unlink(pid_file);
	assert_int_equal(find(), ERR_EXISTS);
	assert_int_equal(running(), first);
	/* Its end is noticed without a child's. */
	kill(first, SIGKILL);
	turn_until_changes(2);
	assert_int_equal(find(), 0);
	turn_until_changes(3);
	assert_true(running() > 0 && running() != first);
	wireguard_device_release(&d);
}

static void one_that_ends_at_once_is_let_be_for_a_while(void **state)
{
	struct err err = ERR_INIT;
	int index;
	write_program("#!/bin/sh\nexit 3\n");
	assert_int_equal(find(), 0);
	turn_until_changes(1);
	assert_int_equal(writer->kind->link(writer, &index, &err), ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "status 3"));
	assert_non_null(strstr(err.msg, log_file));
}

static void what_can_not_be_started_is_an_error(void **state)
{
	write_program("");
	unlink(program);
	setenv("PATH", folder, 1);
	assert_false(wireguard_program_is_there());
	assert_int_equal(find(), ERR_NOT_FOUND);
}

int main(void)
{
	if (getuid() != 0) {
		printf("SKIP: /var/run/wireguard is root's\n");
		return 0;
	}
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(it_is_started_and_found_again),
	        TEST(one_that_ends_at_once_is_let_be_for_a_while),
	        TEST(what_can_not_be_started_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

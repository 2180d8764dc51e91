/* Files, settings and children when the system's calls fail, each in turn. */
#include "tests/unit/faults.h"

#include "base/flags.h"
#include "base/pki/pki.h"
#include "base/proc/process.h"
#include "node/ground/files.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static struct arena arena;

static const char *in(const char *name)
{
	return arena_printf(&arena, "%s/%s", folder, name);
}

static void write_text(const char *name, const char *text)
{
	FILE *f = fopen(in(name), "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	arena = ARENA_INIT;
	snprintf(folder, sizeof folder, "/tmp/k3x-file-faults-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	int rc = system(arena_printf(&arena, "rm -rf %s", folder));
	arena_release(&arena);
	return rc;
}

/* ---- keys and certificates ---- */

static struct pki_pair ca;

static int save_and_load(struct err *err)
{
	struct pki_pair again = PKI_PAIR_INIT;
	int rc = pki_pair_save(&ca, in("ca.crt"), in("ca.key"), err);
	if (rc == 0)
		rc = pki_pair_load(in("ca.crt"), in("ca.key"), &again, err);
	if (rc != 0)
		return rc;
	assert_string_equal(again.certificate_pem, ca.certificate_pem);
	assert_string_equal(again.key_pem, ca.key_pem);
	pki_pair_release(&again);
	return 0;
}

static void every_call_that_keeps_a_key_may_fail(void **state)
{
	struct err err = ERR_INIT;
	struct fault_plan p = {.kinds = FAULT_OPEN | FAULT_READ | FAULT_WRITE | FAULT_SYNC | FAULT_NAME,
	        .error = EIO,
	        .run = save_and_load};
	assert_int_equal(pki_ca_new("ca", &ca, &err), 0);
	assert_true(faults_try_all(&p) >= 10);
	/* nothing half-made lies about */
	assert_int_equal(system(arena_printf(&arena, "test $(ls %s | wc -l) = 2", folder)), 0);
	pki_pair_release(&ca);
}

static void a_folder_is_no_key(void **state)
{
	struct err err = ERR_INIT;
	char *data;
	assert_int_not_equal(pki_file_read(folder, &data, NULL, &err), 0);
	assert_non_null(strstr(err.msg, folder));
}

/* ---- a node's files ---- */

static int write_and_read(struct err *err)
{
	size_t len = 0;
	static char data[20000];
	memset(data, 'x', sizeof data);
	if (file_write(in("file"), (struct slice){data, sizeof data}, 0600, err) != 0)
		return err->code;
	char *text = file_read(in("file"), 1 << 20, false, &len);
	if (!text)
		return err_errno(err, errno, "read %s", in("file"));
	assert_int_equal(len, sizeof data);
	free(text);
	return 0;
}

static void every_call_for_a_nodes_file_may_fail(void **state)
{
	struct fault_plan p = {.kinds = FAULT_OPEN | FAULT_READ | FAULT_WRITE | FAULT_SYNC | FAULT_NAME,
	        .error = EIO,
	        .run = write_and_read};
	assert_true(faults_try_all(&p) >= 5);
}

/* ---- settings ---- */

static int load_settings(struct err *err)
{
	const char *config = in("config.yaml"), *name = "";
	struct flag_list list = {0};
	const struct flag table[] = {
	        {.name = "config", .type = FLAG_STRING, .value = &config, .help = "x"},
	        {.name = "name", .type = FLAG_STRING, .value = &name, .help = "x"},
	        {.name = "list", .type = FLAG_LIST, .value = &list, .help = "x"},
	};
	struct flags f = {.program = "test", .summary = "x", .table = table, .count = 3, .config_flag = "config"};
	struct arena a = ARENA_INIT;
	char *argv[] = {"test", NULL};
	int rc = flags_load(&f, &a, 1, argv, err);
	if (rc == 0) {
		assert_string_equal(name, "one");
		assert_int_equal(list.count, 2);
	}
	arena_release(&a);
	return rc;
}

/* Settings that are left out are worse than a server that does not start. */
static void every_call_that_loads_settings_may_fail(void **state)
{
	struct fault_plan p = {.kinds = FAULT_OPEN, .error = EMFILE, .run = load_settings};
	write_text("config.yaml", "name: one\nlist: [a]\n");
	assert_int_equal(mkdir(in("config.yaml.d"), 0700), 0);
	write_text("config.yaml.d/10.yaml", "list+: [b]\n");
	assert_true(faults_try_all(&p) >= 3);
}

static void a_folder_is_no_config_file(void **state)
{
	struct err err = ERR_INIT;
	assert_int_equal(mkdir(in("config.yaml"), 0700), 0);
	assert_int_not_equal(load_settings(&err), 0);
	assert_non_null(strstr(err.msg, "config.yaml"));
}

/* ---- children ---- */

static struct loop loop;
static int exit_status;
static char exit_output[16];

static void exited(struct process *p, int status, struct slice output, void *arg)
{
	exit_status = status;
	snprintf(exit_output, sizeof exit_output, "%.*s", SLICE_FMT(output));
}

static bool has_child(void)
{
	return waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD;
}

static int run_a_child(struct err *err)
{
	static const char *const argv[] = {"sh", "-c", "echo hello; exit 3", NULL};
	struct process_options o = {.loop = &loop, .argv = argv, .on_exit = exited};
	struct process *p;
	exit_status = -1;
	int rc = process_start(&o, &p, err);
	while (rc == 0 && exit_status < 0)
		uv_run(loop_uv(&loop), UV_RUN_ONCE);
	for (int turns = 0; turns < 3; turns++) /* its handles close */
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	assert_false(has_child());
	if (rc == 0) {
		assert_int_equal(exit_status, 3);
		assert_string_equal(exit_output, "hello\n");
	}
	return rc;
}

static int run_a_child_into_a_file(struct err *err)
{
	static const char *const argv[] = {"true", NULL};
	struct process_options o = {.loop = &loop, .argv = argv, .output_file = in("output"), .on_exit = exited};
	struct process *p;
	exit_status = -1;
	int rc = process_start(&o, &p, err);
	while (rc == 0 && exit_status < 0)
		uv_run(loop_uv(&loop), UV_RUN_ONCE);
	for (int turns = 0; turns < 3; turns++)
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	assert_false(has_child());
	return rc;
}

static void every_call_that_starts_a_child_may_fail(void **state)
{
	struct fault_plan memory = {.kinds = FAULT_OPEN | FAULT_PROCESS, .error = EAGAIN, .run = run_a_child};
	struct fault_plan file = {.kinds = FAULT_OPEN | FAULT_PROCESS, .error = EMFILE, .run = run_a_child_into_a_file};
	struct err err = ERR_INIT;
	loop_init(&loop, "test");
	loop.owner = pthread_self();
	atomic_store(&loop.owned, true);
	assert_int_equal(run_a_child(&err), 0); /* what is made once is made */
	assert_int_equal(faults_try_all(&memory), 3);
	assert_int_equal(faults_try_all(&file), 3);
	loop_stop(&loop);
	uv_run(loop_uv(&loop), UV_RUN_DEFAULT);
	loop_release(&loop);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(every_call_that_keeps_a_key_may_fail),
	        TEST(a_folder_is_no_key),
	        TEST(every_call_for_a_nodes_file_may_fail),
	        TEST(every_call_that_loads_settings_may_fail),
	        TEST(a_folder_is_no_config_file),
	        TEST(every_call_that_starts_a_child_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

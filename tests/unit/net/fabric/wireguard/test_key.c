/* The key file, and keys as text. */
#include "net/fabric/wireguard/key.h"

#include "base/pki/pki.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], file[96];

static int setup(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-unit-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof file, "%s/wireguard.key", folder);
	return 0;
}

static int teardown(void **state)
{
	unlink(file);
	return rmdir(folder);
}

static void write_file(const char *text)
{
	struct err err = ERR_INIT;
	assert_int_equal(pki_file_write(file, slice_of(text), 0600, &err), 0);
}

static void a_key_that_was_made_is_kept(void **state)
{
	struct wireguard_keys first, again;
	struct err err = ERR_INIT;
	struct stat st;
	assert_int_equal(wireguard_keys_load(file, &first, &err), 0);
	assert_int_equal(err.code, 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 45);
	assert_int_equal(wireguard_keys_load(file, &again, &err), 0);
	assert_memory_equal(&first, &again, sizeof first);
	assert_false(wireguard_key_equal(&first.private_key, &first.public_key));
}

/* The key pair of RFC 7748, as wg(8) would write it. */
static void a_file_of_wg_is_read(void **state)
{
	struct wireguard_keys k;
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	write_file("dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n");
	assert_int_equal(wireguard_keys_load(file, &k, &err), 0);
	assert_string_equal(wireguard_key_text(&a, &k.public_key).ptr, "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=");
	arena_release(&a);
}

static void a_file_without_a_key_is_left_alone(void **state)
{
	struct wireguard_keys k;
	struct err err = ERR_INIT;
	char *text;
	size_t len;
	write_file("somebody's\n");
	assert_int_equal(wireguard_keys_load(file, &k, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, file));
	assert_non_null(strstr(err.msg, "remove it"));
	assert_int_equal(pki_file_read(file, &text, &len, &err), 0);
	assert_string_equal(text, "somebody's\n");
	free(text);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
	struct wireguard_keys k;
	struct err err = ERR_INIT;
	assert_int_not_equal(wireguard_keys_load("/nowhere/at/all/key", &k, &err), 0);
}

static void keys_are_read_with_care(void **state)
{
	static const char *const bad[] = {"", "AAAA",
	        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo",
	        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmoA", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTm!="};
	struct wireguard_key k;
	assert_true(wireguard_key_parse(SLICE("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="), &k));
	assert_int_equal(k.bytes[0], 0x85);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(wireguard_key_parse(slice_of(bad[i]), &k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(a_key_that_was_made_is_kept, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_file_of_wg_is_read, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_file_without_a_key_is_left_alone, setup, teardown),
	        cmocka_unit_test(a_folder_that_is_not_there_is_an_error),
	        cmocka_unit_test(keys_are_read_with_care),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

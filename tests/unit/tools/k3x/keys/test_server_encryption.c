/* The stages of a change of keys: what each makes of the configuration, and when it is refused. */
#include "tools/k3x/keys/server_encryption.h"

#include "tests/unit/unit.h"

static struct arena a;
static struct encryption_texts texts;

static int setup(void **state)
{
	struct err err = ERR_INIT;
	a = ARENA_INIT;
	return encryption_new(&a, "aescbc", 1767225600, &texts, &err);
}

static int teardown(void **state)
{
	arena_release(&a);
	return 0;
}

static int act(const char *what, const char *provider, bool is_forced, struct err *err)
{
	struct encryption_texts then;
	int rc = encryption_change(&a, &texts, what, provider, is_forced, 1767225601, &then, err);
	if (rc == 0)
		texts = then;
	return rc;
}

static void does(const char *what, const char *provider)
{
	struct err err = ERR_INIT;
	if (act(what, provider, false, &err) != 0)
		fail_msg("%s: %s", what, err.msg);
}

static void refused(const char *what, const char *why)
{
	struct err err = ERR_INIT;
	assert_int_equal(act(what, NULL, false, &err), ERR_CONFLICT);
	if (!strstr(err.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
}

static struct encryption_view view(void)
{
	struct encryption_view v;
	struct err err = ERR_INIT;
	assert_int_equal(encryption_describe(&a, &texts, &v, &err), 0);
	return v;
}

static void a_new_one_has_one_key_and_reads_plain_text(void **state)
{
	struct encryption_view v = view();
	assert_true(v.is_there && v.is_enabled);
	assert_int_equal(v.n_keys, 1);
	assert_string_equal(v.keys[0].name, "aescbckey");
	assert_string_equal(v.stage, "start");
	assert_true(slice_ends(texts.config, ",{\"identity\":{}}]}]}"));
}

static void a_key_is_changed_in_three_steps(void **state)
{
	does("prepare", NULL);
	assert_string_equal(view().stage, "prepare");
	assert_string_equal(view().keys[0].name, "aescbckey");
	assert_string_equal(view().keys[1].name, "aescbckey-2026-01-01T00-00-01Z");
	does("rotate", NULL);
	assert_string_equal(view().keys[0].name, "aescbckey-2026-01-01T00-00-01Z");
	assert_int_equal(view().n_keys, 2);
	does("finish", NULL);
	assert_int_equal(view().n_keys, 1);
	assert_string_equal(view().keys[0].name, "aescbckey-2026-01-01T00-00-01Z");
	assert_string_equal(view().stage, "reencrypt_finished");
	does("prepare", NULL);
}

static void another_cipher_comes_in_as_another_provider(void **state)
{
	does("prepare", "secretbox");
	assert_string_equal(view().keys[0].type, "AES-CBC");
	does("rotate", NULL);
	assert_string_equal(view().keys[0].type, "XSalsa20-POLY1305");
	assert_string_equal(view().keys[1].type, "AES-CBC");
	does("finish", NULL);
	assert_int_equal(view().n_keys, 1);
	assert_string_equal(view().keys[0].type, "XSalsa20-POLY1305");
	assert_true(slice_ends(texts.config, ",{\"identity\":{}}]}]}"));
}

static void what_is_out_of_order_is_refused(void **state)
{
	refused("rotate", "rotate follows stage prepare, and the cluster is at start");
	refused("finish", "reencrypt follows stage rotate");
	does("prepare", NULL);
	refused("prepare", "prepare follows stage reencrypt_finished");
	refused("enable", "enable follows stage");
	does("rotate", NULL);
	refused("rotate", "is at rotate");
}

static void force_goes_on_all_the_same(void **state)
{
	struct err err = ERR_INIT;
	assert_int_equal(act("prepare", NULL, true, &err), 0);
	assert_int_equal(act("finish", NULL, true, &err), 0);
	assert_int_equal(view().n_keys, 1);
	assert_int_equal(act("rotate", NULL, true, &err), ERR_CONFLICT);
}

static void disabled_it_writes_plain_text_and_reads_as_before(void **state)
{
	does("disable", NULL);
	assert_false(view().is_enabled);
	assert_int_equal(view().n_keys, 1);
	refused("prepare", "enable comes first");
	does("enable", NULL);
	assert_true(view().is_enabled);
}

static void what_is_not_there_can_only_be_enabled(void **state)
{
	texts = (struct encryption_texts){0};
	assert_false(view().is_there);
	assert_string_equal(view().hash, "");
	refused("prepare", "enable makes one");
	does("enable", "secretbox");
	assert_string_equal(view().keys[0].name, "secretboxkey");
}

static void the_hash_tells_stages_and_keys_apart(void **state)
{
	const char *before = view().hash;
	assert_true(slice_starts(slice_of(before), "start-"));
	does("prepare", NULL);
	assert_string_not_equal(strchr(before, '-'), strchr(view().hash, '-'));
}

static void what_is_no_configuration_of_ours_is_refused(void **state)
{
	struct err err = ERR_INIT;
	texts.config = SLICE("{}");
	assert_int_equal(act("prepare", NULL, false, &err), ERR_INVAL);
	assert_int_equal(encryption_new(&a, "kms", 0, &texts, &err), ERR_INVAL);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {T(a_new_one_has_one_key_and_reads_plain_text),
	        T(a_key_is_changed_in_three_steps), T(another_cipher_comes_in_as_another_provider),
	        T(what_is_out_of_order_is_refused), T(force_goes_on_all_the_same),
	        T(disabled_it_writes_plain_text_and_reads_as_before), T(what_is_not_there_can_only_be_enabled),
	        T(the_hash_tells_stages_and_keys_apart), T(what_is_no_configuration_of_ours_is_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

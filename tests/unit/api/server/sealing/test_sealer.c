/* The sealer: what the first provider writes the others read, by its prefix; and what none reads is an error. */
#include "api/server/sealing/sealer.h"
#include "base/pki/pki.h"

#include "tests/unit/unit.h"

#include <unistd.h>

#define HEAD \
	"apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n " \
	" providers:\n"
#define GCM(name) "  - aesgcm: {keys: [{name: " name ", secret: MDEyMzQ1Njc4OWFiY2RlZg==}]}\n"
#define BOX(name) "  - secretbox: {keys: [{name: " name ", secret: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}]}\n"
#define PLAIN "  - identity: {}\n"

static const struct slice key = {"/registry/secrets/ns/x", sizeof "/registry/secrets/ns/x" - 1};
static char path[64];
static struct arena a;
static struct sealer *sealer;
static struct strbuf scratch;

static const struct resource *row(const char *plural)
{
	return resource_find_preferred(SLICE(""), slice_of(plural));
}

static void configure(const char *providers)
{
	struct err err = ERR_INIT;
	struct strbuf text = STRBUF_INIT;
	bool changed = false;
	strbuf_addf(&text, HEAD "%s", providers);
	assert_int_equal(pki_file_write(path, strbuf_slice(&text), 0600, &err), 0);
	strbuf_release(&text);
	if (!sealer)
		assert_int_equal(sealer_new(path, false, &sealer, &err), 0);
	else
		assert_int_equal(sealer_reload(sealer, &changed, &err), 0);
}

static int setup(void **state)
{
	a = ARENA_INIT;
	snprintf(path, sizeof path, "/tmp/k3x-sealer-XXXXXX");
	close(mkstemp(path));
	return 0;
}

static int teardown(void **state)
{
	sealer_free(sealer);
	sealer = NULL;
	strbuf_release(&scratch);
	arena_release(&a);
	unlink(path);
	return 0;
}

static uint32_t opens(struct slice stored, const char *want)
{
	struct err err = ERR_INIT;
	struct slice got;
	uint32_t seal = 77;
	if (sealer_open(sealer, row("secrets"), key, stored, &scratch, &got, &seal, &err) != 0)
		fail_msg("%s", err.msg);
	assert_true(slice_is(got, want));
	return seal;
}

static void refuses(struct slice stored, const char *why)
{
	struct err err = ERR_INIT;
	struct slice got;
	uint32_t seal;
	assert_int_equal(sealer_open(sealer, row("secrets"), key, stored, &scratch, &got, &seal, &err), ERR_CORRUPT);
	if (!strstr(err.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
}

static void the_first_writes_and_all_read(void **state)
{
	configure(GCM("one") PLAIN);
	struct slice by_one = sealer_seal(sealer, &a, row("secrets"), key, SLICE("{}"));
	assert_true(slice_starts(by_one, "k8s:enc:aesgcm:v1:one:"));
	assert_int_equal(opens(by_one, "{}"), sealer_seal_of(sealer, row("secrets")));
	configure(BOX("two") GCM("one") PLAIN);
	struct slice by_two = sealer_seal(sealer, &a, row("secrets"), key, SLICE("{}"));
	assert_true(slice_starts(by_two, "k8s:enc:secretbox:v1:two:"));
	assert_int_equal(opens(by_two, "{}"), sealer_seal_of(sealer, row("secrets")));
	assert_true(opens(by_one, "{}") != sealer_seal_of(sealer, row("secrets")));
	assert_int_equal(opens(SLICE("{\"plain\":1}"), "{\"plain\":1}"), 0);
}

static void what_no_rule_names_is_plain(void **state)
{
	configure(GCM("one"));
	assert_true(slice_is(sealer_seal(sealer, &a, row("configmaps"), key, SLICE("{}")), "{}"));
	assert_int_equal(sealer_seal_of(sealer, row("configmaps")), 0);
}

static void a_key_that_is_gone_is_named(void **state)
{
	configure(GCM("one"));
	struct slice stored = sealer_seal(sealer, &a, row("secrets"), key, SLICE("{}"));
	configure(GCM("other") PLAIN);
	refuses(stored, "/registry/secrets/ns/x is stored encrypted (k8s:enc:aesgcm:v1:one:)");
}

static void a_value_that_was_moved_or_changed_is_refused(void **state)
{
	struct err err = ERR_INIT;
	struct slice got;
	uint32_t seal;
	configure(GCM("one"));
	struct slice stored = sealer_seal(sealer, &a, row("secrets"), key, SLICE("{}"));
	assert_int_equal(sealer_open(sealer, row("secrets"), SLICE("/registry/secrets/ns/y"), stored, &scratch, &got,
	                         &seal, &err),
	        ERR_CORRUPT);
	refuses((struct slice){stored.ptr, stored.len - 1}, "changed since");
}

/* A name may be the beginning of another's, where names have colons. */
static void names_with_colons_are_told_apart(void **state)
{
	configure(GCM("'a:b'"));
	struct slice stored = sealer_seal(sealer, &a, row("secrets"), key, SLICE("{}"));
	configure(GCM("a") GCM("'a:b'"));
	opens(stored, "{}");
}

static void without_a_configuration_nothing_is_taken_for_plain_that_is_not(void **state)
{
	struct err err = ERR_INIT;
	assert_int_equal(sealer_new(NULL, true, &sealer, &err), 0);
	assert_true(slice_is(sealer_seal(sealer, &a, row("secrets"), key, SLICE("{}")), "{}"));
	assert_int_equal(opens(SLICE("{}"), "{}"), 0);
	refuses(SLICE("k8s:enc:aescbc:v1:key1:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), "(k8s:enc:aescbc:v1:key1:)");
	assert_string_equal(sealer_hash(sealer), "");
}

static void a_reload_tells_of_a_change_and_survives_a_broken_file(void **state)
{
	struct err err = ERR_INIT;
	bool changed = true;
	configure(GCM("one"));
	assert_false(sealer_file_changed(sealer));
	assert_int_equal(sealer_reload(sealer, &changed, &err), 0);
	assert_false(changed);
	struct slice stored = sealer_seal(sealer, &a, row("secrets"), key, SLICE("{}"));
	assert_int_equal(pki_file_write(path, SLICE("broken: ["), 0600, &err), 0);
	assert_true(sealer_file_changed(sealer));
	assert_true(sealer_reload(sealer, &changed, &err) < 0);
	assert_false(sealer_file_changed(sealer));
	opens(stored, "{}");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {T(the_first_writes_and_all_read), T(what_no_rule_names_is_plain),
	        T(a_key_that_is_gone_is_named), T(a_value_that_was_moved_or_changed_is_refused),
	        T(names_with_colons_are_told_apart), T(without_a_configuration_nothing_is_taken_for_plain_that_is_not),
	        T(a_reload_tells_of_a_change_and_survives_a_broken_file)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Pull secrets: which of their users is for which image. */
#include "tests/unit/unit_json.h"

#include "base/base64.h"
#include "base/check.h"
#include "node/runtime/pull_secrets.h"

static struct pull_keyring ring;

static bool add(const char *key, const char *config)
{
	struct slice text = base64_encode(&a, slice_of(config));
	return pull_keyring_add(&ring, parse(arena_printf(&a, "{\"data\":{\"%s\":\"%.*s\"}}", key, SLICE_FMT(text))));
}

static bool add_auths(const char *auths)
{
	return add(".dockerconfigjson", arena_printf(&a, "{\"auths\":{%s}}", auths));
}

/* The users for an image, in order, with a comma between them. */
static const char *users(const char *image)
{
	size_t count;
	struct image_credential *c = pull_keyring_find(&ring, image, &count);
	const char *text = "";
	for (size_t i = 0; i < count; i++)
		text = arena_printf(&a, "%s%s%s", text, i ? "," : "", c[i].user);
	return text;
}

#define USER(key, name) "\"" key "\":{\"username\":\"" name "\",\"password\":\"x\"}"

static int setup(void **state)
{
	pull_keyring_init(&ring, &a);
	return 0;
}

static void a_key_is_for_its_registry(void **state)
{
	static const char *const cases[][2] = {{"registry.test/a:1", "plain"}, {"registry.test:5000/a", "port"},
	        {"other.test/a", ""}, {"registry.test.evil/a", ""}, {"sub.registry.test/a", ""},
	        {"x.wild.test/a", "wild"}, {"x.y.wild.test/a", ""}, {"wild.test/a", ""}, {"deep.test/team/a:1", "team"},
	        {"deep.test/other/a", ""}, {"busybox", "hub"}, {"library/busybox:1", "hub"}, {"docker.io/a/b", "hub"},
	        {"index.docker.io/a/b", "hub"}, {"localhost/a", ""}};
	assert_true(add_auths(USER("registry.test", "plain") "," USER(
	        "https://registry.test:5000/v2/", "port") "," USER("*.wild.test",
	        "wild") "," USER("http://deep.test/team", "team") "," USER("https://index.docker.io/v1/", "hub")));
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (strcmp(users(cases[i][0]), cases[i][1]) != 0)
			fail_msg("%s: users '%s', want '%s'", cases[i][0], users(cases[i][0]), cases[i][1]);
}

static void the_more_particular_goes_first_and_all_are_tried(void **state)
{
	assert_true(add_auths(USER("r.test", "any") "," USER("r.test/team", "team")));
	assert_true(add_auths(USER("r.test", "second")));
	assert_string_equal(users("r.test/team/a"), "team,any,second");
	assert_string_equal(users("r.test/a"), "any,second");
}

static void both_types_of_secret_are_read(void **state)
{
	size_t count;
	assert_true(add(".dockercfg", "{" USER("old.test", "old") "}"));
	assert_string_equal(users("old.test/a"), "old");
	assert_true(add_auths("\"new.test\":{\"username\":\"no\",\"auth\":\"dTpwOnc=\"}")); /* u:p:w */
	struct image_credential *c = pull_keyring_find(&ring, "new.test/a", &count);
	assert_int_equal(count, 1);
	assert_string_equal(c->user, "u");
	assert_string_equal(c->password, "p:w");
}

static void what_is_no_pull_secret_is_told(void **state)
{
	assert_false(pull_keyring_add(&ring, parse("{\"data\":{\"password\":\"eA==\"}}")));
	assert_false(pull_keyring_add(&ring, parse("{\"data\":{\".dockerconfigjson\":\"%%\"}}")));
	assert_false(add(".dockerconfigjson", "{\"auths\":[]}"));
	assert_false(add(".dockerconfigjson", "no json"));
	assert_true(add_auths("\"a.test\":{},\"b.test\":{\"auth\":\"!\"},\"c.test\":{\"auth\":\"eA==\"},\"d.test\":1"));
	assert_string_equal(users("a.test/x"), "");
	assert_string_equal(users("b.test/x"), "");
	assert_string_equal(users("c.test/x"), "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_key_is_for_its_registry),
	        T(the_more_particular_goes_first_and_all_are_tried),
	        T(both_types_of_secret_are_read),
	        T(what_is_no_pull_secret_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

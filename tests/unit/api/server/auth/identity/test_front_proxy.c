/* Proxies that say for whom they ask. */
#include "api/server/auth/identity/front_proxy.h"

#include "base/check.h"
#include "base/wire/http.h"
#include "tests/unit/unit.h"

static struct err err;
static const char *names[] = {"front"}, *users[] = {"X-Remote-User", "X-User"}, *groups[] = {"X-Remote-Group"},
                  *extras[] = {"X-Remote-Extra-"};

static struct api_front_proxy_arguments args(void)
{
	return (struct api_front_proxy_arguments){.ca_file = "/x",
	        .allowed_names = {names, 1},
	        .username_headers = {users, 2},
	        .group_headers = {groups, 1},
	        .extra_prefixes = {extras, 1}};
}

static struct user *ask(bool is_proxy, const char *name, struct http_header *h, size_t n)
{
	struct api_front_proxy_arguments o = args();
	struct http_peer peer = {.is_proxy = is_proxy, .verified = true, .common_name = slice_of(name)};
	struct http_request r = {.headers = h, .headers_count = n, .peer = &peer};
	struct user *u = NULL;
	err = ERR_INIT;
	front_proxy_user(&o, &r, &u, &err);
	return u;
}

#define H(name, value) \
	{ \
		{name, sizeof name - 1}, \
		{ \
			value, sizeof value - 1 \
		} \
	}

static void only_a_proxy_of_an_allowed_name_is_believed(void **state)
{
	struct http_header h[] = {H("x-remote-user", "jane"), H("x-remote-group", "a"), H("x-remote-group", "b"),
	        H("x-remote-extra-example.com%2fscope", "v")};
	assert_null(ask(false, "front", h, COUNT_OF(h)));
	assert_null(ask(true, "back", h, COUNT_OF(h)));
	struct user *u = ask(true, "front", h, COUNT_OF(h));
	assert_true(slice_is(u->name, "jane") && user_is_in(u, "a") && user_is_in(u, "b"));
	assert_true(user_is_in(u, "system:authenticated"));
	assert_true(slice_is(u->extras->key, "example.com/scope") && slice_is(u->extras->value, "v"));
	user_unref(u);
}

static void the_first_header_that_says_something_counts(void **state)
{
	struct http_header h[] = {H("x-user", "second"), H("x-remote-user", "")}, none[] = {H("x-other", "y")};
	struct user *u = ask(true, "front", h, COUNT_OF(h));
	assert_true(slice_is(u->name, "second"));
	user_unref(u);
	assert_null(ask(true, "front", none, COUNT_OF(none)));
	assert_int_equal(err.code, 0);
}

static void a_broken_extra_is_refused(void **state)
{
	struct http_header h[] = {H("x-remote-user", "jane"), H("x-remote-extra-%zz", "v")};
	assert_null(ask(true, "front", h, COUNT_OF(h)));
	assert_int_equal(err.code, ERR_UNAUTHENTICATED);
}

static void who_is_a_proxy_must_be_said(void **state)
{
	struct api_front_proxy_arguments o = args(), nothing = {0};
	err = ERR_INIT;
	assert_int_equal(front_proxy_check(&nothing, "/x", &err), 0);
	o.ca_file = NULL;
	assert_int_equal(front_proxy_check(&o, "/x", &err), ERR_INVAL);
	o = args();
	o.username_headers.count = 0;
	assert_int_equal(front_proxy_check(&o, "/x", &err), ERR_INVAL);
	o = args();
	o.ca_file = "/etc/hostname";
	err = ERR_INIT;
	assert_int_equal(front_proxy_check(&o, "/etc/hostname", &err), 0);
	o.allowed_names.count = 0;
	assert_int_equal(front_proxy_check(&o, "/etc/hostname", &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "could all be anybody"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(only_a_proxy_of_an_allowed_name_is_believed),
	        cmocka_unit_test(the_first_header_that_says_something_counts),
	        cmocka_unit_test(a_broken_extra_is_refused),
	        cmocka_unit_test(who_is_a_proxy_must_be_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

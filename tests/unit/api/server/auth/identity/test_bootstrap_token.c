/* Bootstrap tokens: their form, and what a Secret says of one. */
#include "api/server/auth/identity/bootstrap_token.h"

#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW 1800000000 /* 2027-01-15T08:00:00Z */
static struct err err;
static struct arena arena;

struct secret {
	const char *type, *id, *secret, *expiration, *usage, *groups, *meta;
};

static const struct secret good = {.type = "bootstrap.kubernetes.io/token",
        .id = "abcdef",
        .secret = "0123456789abcdef",
        .expiration = "2027-01-15T08:00:01Z",
        .usage = "true"};

static void add(struct strbuf *out, const char *name, const char *value)
{
	struct slice text = value ? base64_encode(&arena, slice_of(value)) : SLICE_NULL;
	if (value)
		strbuf_addf(out, "\"%s\":\"%.*s\",", name, SLICE_FMT(text));
}

static struct user *judge(const struct secret *s, const char *token)
{
	struct strbuf text = STRBUF_INIT;
	struct bootstrap_token t;
	struct user *u = NULL;
	assert_true(bootstrap_token_parse(slice_of(token), &t));
	strbuf_addf(
	        &text, "{\"metadata\":{\"name\":\"x\"%s},\"type\":\"%s\",\"data\":{", s->meta ? s->meta : "", s->type);
	add(&text, "token-id", s->id);
	add(&text, "token-secret", s->secret);
	add(&text, "expiration", s->expiration);
	add(&text, "usage-bootstrap-authentication", s->usage);
	add(&text, "auth-extra-groups", s->groups);
	strbuf_adds(&text, "\"description\":\"eA==\"}}");
	err = ERR_INIT;
	bootstrap_token_judge(&t, strbuf_slice(&text), NOW, &u, &err);
	strbuf_release(&text);
	arena_release(&arena);
	assert_true((u == NULL) == (err.code == ERR_UNAUTHENTICATED));
	assert_null(strstr(err.msg, "0123456789abcdef"));
	return u;
}

static void only_its_form_is_one(void **state)
{
	static const char *const bad[] = {"", ".", "abcdef.0123456789abcde", "abcde.0123456789abcdef",
	        "abcdef.0123456789abcdeff", "Abcdef.0123456789abcdef", "abcdef:0123456789abcdef",
	        "abcdef.0123456789abcd.f", "abcdef.0123456789abcdeF", "abc ef.0123456789abcdef"};
	struct bootstrap_token t;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(bootstrap_token_parse(slice_of(bad[i]), &t));
	assert_true(bootstrap_token_parse(SLICE("abcdef.0123456789abcdef"), &t));
	assert_true(slice_is(t.id, "abcdef") && slice_is(t.secret, "0123456789abcdef"));
}

static void a_good_one_is_a_user_of_its_own(void **state)
{
	struct secret s = good;
	struct user *u = judge(&s, "abcdef.0123456789abcdef");
	assert_non_null(u);
	assert_true(slice_is(u->name, "system:bootstrap:abcdef"));
	assert_true(user_is_in(u, "system:bootstrappers") && user_is_in(u, "system:authenticated"));
	assert_int_equal(u->n_groups, 2);
	user_unref(u);
	s.expiration = NULL;
	s.groups = "system:bootstrappers:a,system:bootstrappers:k3x:default-node-token";
	u = judge(&s, "abcdef.0123456789abcdef");
	assert_non_null(u);
	assert_true(user_is_in(u, "system:bootstrappers:k3x:default-node-token"));
	assert_int_equal(u->n_groups, 4);
	user_unref(u);
}

#define REFUSED(member, value) \
	do { \
		struct secret s = good; \
		s.member = value; \
		assert_null(judge(&s, "abcdef.0123456789abcdef")); \
	} while (0)

static void what_does_not_fit_is_refused(void **state)
{
	assert_null(judge(&good, "abcdef.0123456789abcdee"));
	REFUSED(type, "Opaque");
	REFUSED(id, "abcdeg");
	REFUSED(secret, NULL);
	REFUSED(usage, NULL);
	REFUSED(usage, "True");
	REFUSED(expiration, "2027-01-15T08:00:00Z");
	REFUSED(expiration, "tomorrow");
	REFUSED(meta, ",\"deletionTimestamp\":\"2027-01-15T08:00:00Z\"");
}

static void no_token_is_in_a_group_of_others(void **state)
{
	static const char *const bad[] = {"system:masters", "system:bootstrappers:a,system:masters",
	        "system:bootstrappers", "system:bootstrappers:", "system:bootstrappers:A", "system:bootstrappers:a-",
	        "system:bootstrappers:a ", ",system:bootstrappers:a"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		REFUSED(groups, bad[i]);
	assert_true(bootstrap_token_is_group(SLICE("system:bootstrappers:a-b:c9")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(only_its_form_is_one),
	        cmocka_unit_test(a_good_one_is_a_user_of_its_own),
	        cmocka_unit_test(what_does_not_fit_is_refused),
	        cmocka_unit_test(no_token_is_in_a_group_of_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Reviews of tokens and of access, asked of an API server that is made up. */
#include "tests/unit/unit.h"

#include "api/client/access.h"
#include "base/limits.h"

struct fake {
	struct client base;
	struct loop loop;
	struct access *access;
	int code; /* of every request; 0: the answers below */
	const char *identity, *verdict;
	int identities, verdicts, answered;
	struct err err;
	char last_body[4096];
};

static struct fake f;

static void answer(struct loop_task *t)
{
	struct client_request *req = CONTAINER_OF(t, struct client_request, task);
	const char *text = strstr(req->path, "tokenreviews") ? f.identity : f.verdict;
	if (f.code)
		err_set(&req->err, f.code, "made up");
	else
		req->response = rcbuf_copy(text, strlen(text));
	req->done(req);
}

static void fake_send(struct client *c, struct client_request *req)
{
	*(strstr(req->path, "tokenreviews") ? &f.identities : &f.verdicts) += 1;
	snprintf(f.last_body, sizeof f.last_body, "%.*s", SLICE_FMT(req->body));
	req->task.run = answer;
	loop_post(&f.loop, &req->task);
}

static const struct client_vtable vtable = {.send = fake_send};
static const char eve[] = "{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"eve\",\"uid\":\"7\","
                          "\"groups\":[\"g\"],\"extra\":{\"k\":[\"v\"]}}}}";
static const char yes[] = "{\"status\":{\"allowed\":true}}",
                  no[] = "{\"status\":{\"allowed\":false,\"reason\":\"why\"}}";

static int setup(void **state)
{
	f = (struct fake){.base = {&vtable, &f.loop}, .identity = eve, .verdict = yes};
	loop_init(&f.loop, "test");
	loop_own(&f.loop);
	f.access = access_new(&(struct access_options){&f.base, 60000, 60000, 60000});
	return 0;
}

static int teardown(void **state)
{
	access_free(f.access);
	loop_stop(&f.loop);
	loop_run(&f.loop);
	loop_release(&f.loop);
	return 0;
}

static void done(void *arg, const struct err *err)
{
	f.answered++;
	f.err = err ? *err : ERR_INIT;
}

static struct access_question *begin(const char *token, const struct json *user, const char *name)
{
	return access_ask(f.access, &(struct access_request){.token = slice_of(token),
	                                    .user = user,
	                                    .deed = {.verb = "get",
	                                            .version = SLICE("v1"),
	                                            .resource = SLICE("nodes"),
	                                            .subresource = SLICE("metrics"),
	                                            .name = slice_of(name)},
	                                    .done = done});
}

static int ask(const char *token, const struct json *user, const char *name)
{
	int before = f.answered;
	begin(token, user, name);
	assert_int_equal(f.answered, before); /* never inside */
	while (f.answered == before)
		loop_turn(&f.loop);
	return f.err.code;
}

static void a_token_is_whose_the_api_says(void **state)
{
	assert_int_equal(ask("secret", NULL, "n"), 0);
	assert_string_equal(f.last_body,
	        "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\",\"spec\":{\"user\":"
	        "\"eve\",\"uid\":\"7\",\"groups\":[\"g\"],\"extra\":{\"k\":[\"v\"]},\"resourceAttributes\":{\"verb\":"
	        "\"get\",\"version\":\"v1\",\"resource\":\"nodes\",\"subresource\":\"metrics\",\"name\":\"n\"}}}");
	assert_int_equal(ask("secret", NULL, "n"), 0);
	assert_int_equal(f.identities + f.verdicts, 2); /* both are remembered */
	assert_int_equal(ask("secret", NULL, "m"), 0);
	assert_int_equal(f.identities, 1);
	assert_int_equal(f.verdicts, 2); /* another deed */
}

static void nobodys_token_is_refused_and_remembered(void **state)
{
	f.identity = "{\"status\":{\"authenticated\":false}}";
	assert_int_equal(ask("bad", NULL, "n"), ERR_UNAUTHENTICATED);
	assert_int_equal(ask("bad", NULL, "n"), ERR_UNAUTHENTICATED);
	assert_int_equal(f.identities, 1);
	assert_int_equal(f.verdicts, 0);
	char *huge = xcalloc(1, ACCESS_TOKEN_BYTES_MAX + 2);
	memset(huge, 'x', ACCESS_TOKEN_BYTES_MAX + 1);
	assert_int_equal(ask(huge, NULL, "n"), ERR_UNAUTHENTICATED);
	assert_int_equal(f.identities, 1);
	free(huge);
}

static void what_may_not_be_done_is_told_with_the_reason(void **state)
{
	f.verdict = no;
	assert_int_equal(ask("secret", NULL, "n"), ERR_FORBIDDEN);
	assert_string_equal(f.err.msg, "User \"eve\" may not get this: why");
	assert_int_equal(ask("secret", NULL, "n"), ERR_FORBIDDEN);
	assert_string_equal(f.err.msg, "User \"eve\" may not get this: why");
	assert_int_equal(f.verdicts, 1);
}

static void who_is_known_needs_no_token(void **state)
{
	struct arena a = ARENA_INIT;
	const struct slice groups[] = {SLICE("x"), SLICE("y")};
	assert_int_equal(ask("", access_user(&a, SLICE("amy"), groups, 2), "n"), 0);
	assert_int_equal(f.identities, 0);
	assert_non_null(strstr(f.last_body, "\"groups\":[\"x\",\"y\"],\"user\":\"amy\""));
	arena_release(&a);
}

static void trouble_is_no_verdict_and_is_not_remembered(void **state)
{
	f.code = ERR_FORBIDDEN; /* we may not ask */
	assert_int_equal(ask("secret", NULL, "n"), ERR_INTERNAL);
	f.code = ERR_UNAVAILABLE;
	assert_int_equal(ask("secret", NULL, "n"), ERR_UNAVAILABLE);
	f.code = 0;
	f.identity = "{}";
	assert_int_equal(ask("secret", NULL, "n"), ERR_PROTOCOL);
	f.identity = eve;
	assert_int_equal(ask("secret", NULL, "n"), 0);
}

static void answers_grow_old(void **state)
{
	access_free(f.access);
	f.access = access_new(&(struct access_options){&f.base, 0, 0, 0});
	assert_int_equal(ask("secret", NULL, "n"), 0);
	f.verdict = no;
	assert_int_equal(ask("secret", NULL, "n"), ERR_FORBIDDEN);
	assert_int_equal(f.identities, 2);
}

static void what_is_remembered_is_bounded(void **state)
{
	struct arena a = ARENA_INIT;
	const struct json *amy = access_user(&a, SLICE("amy"), NULL, 0);
	for (unsigned i = 0; i < ACCESS_ANSWERS_MAX + 5; i++)
		assert_int_equal(ask("", amy, arena_printf(&a, "n%u", i)), 0);
	assert_int_equal(f.verdicts, ACCESS_ANSWERS_MAX + 5);
	assert_int_equal(ask("", amy, "n0"), 0);
	assert_int_equal(f.verdicts, ACCESS_ANSWERS_MAX + 6); /* all went when it was full */
	arena_release(&a);
}

static void who_is_forgotten_hears_nothing(void **state)
{
	access_forget(begin("secret", NULL, "n"));
	assert_int_equal(ask("other", NULL, "n"), 0);
	assert_int_equal(f.answered, 1);
	begin("third", NULL, "n");
	access_free(f.access);
	f.access = NULL;
	loop_turn(&f.loop);
	assert_int_equal(f.answered, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(a_token_is_whose_the_api_says),
	        TEST(nobodys_token_is_refused_and_remembered),
	        TEST(what_may_not_be_done_is_told_with_the_reason),
	        TEST(who_is_known_needs_no_token),
	        TEST(trouble_is_no_verdict_and_is_not_remembered),
	        TEST(answers_grow_old),
	        TEST(what_is_remembered_is_bounded),
	        TEST(who_is_forgotten_hears_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What another server's answer says of its own paths, as it is said here. */
#include "tests/unit/unit.h"

#include "api/server/passing/links.h"

static const struct links_place place = {"/p", "10.0.0.7:80", {"api:6443", 8}};

static void expect_url(const char *url, const char *want)
{
	struct arena a = ARENA_INIT;
	assert_string_equal(links_here(&a, &place, slice_of(url)), want);
	arena_release(&a);
}

/* In pieces of every size. */
static void expect_text(const char *text, const char *want)
{
	size_t n = strlen(text);
	for (size_t step = 1; step <= n; step++) {
		struct links *l = links_new(&place);
		struct strbuf out = STRBUF_INIT;
		for (size_t i = 0; i < n; i += step)
			links_rewrite(l, (struct slice){text + i, n - i < step ? n - i : step}, false, &out);
		links_rewrite(l, SLICE_NULL, true, &out);
		assert_string_equal(strbuf_cstr(&out), want);
		strbuf_release(&out);
		links_free(l);
	}
}

static void urls_of_the_other_side_are_ours(void **state)
{
	expect_url("/x", "/p/x");
	expect_url("/", "/p/");
	expect_url("/px", "/p/px");
	expect_url("/p/x", "/p/x");
	expect_url("/p", "/p");
	expect_url("http://10.0.0.7:80/x?q#f", "/p/x?q#f");
	expect_url("//api:6443/x", "/p/x");
	expect_url("https://api:6443/", "/p/");
}

static void others_are_left_alone(void **state)
{
	expect_url("x/y", "x/y");
	expect_url("", "");
	expect_url("#top", "#top");
	expect_url("http://example.org/x", "http://example.org/x");
	expect_url("//example.org/x", "//example.org/x");
	expect_url("http://10.0.0.7:80", "http://10.0.0.7:80");
	expect_url("mailto:/x", "mailto:/x");
}

static void links_in_html_are_found(void **state)
{
	expect_text("<a href=\"/rewriteme\">test</a>", "<a href=\"/p/rewriteme\">test</a>");
	expect_text("<A id=1 HREF = /x>", "<A id=1 HREF = /p/x>");
	expect_text("<img src='/a' alt='/b' longdesc='/c'/>", "<img src='/p/a' alt='/b' longdesc='/p/c'/>");
	expect_text("<a title=it's href='/x'>", "<a title=it's href='/p/x'>");
	expect_text("<a title='>' href='/x'>", "<a title='>' href='/p/x'>");
	expect_text("<form action=/go method=post>", "<form action=/p/go method=post>");
}

static void what_is_no_link_stays(void **state)
{
	expect_text("1 < 2 <b>/x</b> <", "1 < 2 <b>/x</b> <");
	expect_text("<p href=\"/x\">", "<p href=\"/x\">");
	expect_text("<!-- <a href='/x'> -->", "<!-- <a href='/x'> -->");
	expect_text(
	        "<script>'<a href=\"/x\">'</script><a href='/y'>", "<script>'<a href=\"/x\">'</script><a href='/p/y'>");
	expect_text("<a href=\"/x", "<a href=\"/x");
	expect_text("<a =x href>", "<a =x href>");
}

static void a_tag_without_an_end_is_not_kept(void **state)
{
	struct links *l = links_new(&place);
	struct strbuf out = STRBUF_INIT;
	size_t sent = 0;
	links_rewrite(l, SLICE("<a href='"), false, &out);
	for (size_t i = 0; i < 10; i++, sent += 4096) {
		static const char zeros[4096];
		links_rewrite(l, (struct slice){zeros, sizeof zeros}, false, &out);
	}
	assert_true(out.len + LINKS_TAG_BYTES_MAX > sent);
	strbuf_release(&out);
	links_free(l);
}

static void only_plain_html_has_links(void **state)
{
	assert_true(links_are_in(SLICE("text/html; charset=utf-8"), SLICE_NULL));
	assert_false(links_are_in(SLICE("text/html"), SLICE("gzip")));
	assert_false(links_are_in(SLICE("application/json"), SLICE_NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(urls_of_the_other_side_are_ours),
	        cmocka_unit_test(others_are_left_alone),
	        cmocka_unit_test(links_in_html_are_found),
	        cmocka_unit_test(what_is_no_link_stays),
	        cmocka_unit_test(a_tag_without_an_end_is_not_kept),
	        cmocka_unit_test(only_plain_html_has_links),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Names rewritten by rules, as a Corefile has them. */
#include "tests/unit/unit.h"

#include "net/dns/resolve/rewrite.h"

static const char *rules;

static int find(void *arg, struct arena *a, const char *pattern, const char ***ret, size_t *ret_n, struct err *e)
{
	*ret_n = 0;
	return 0;
}

static int read_file(void *arg, struct arena *a, const char *path, struct slice *ret, struct err *e)
{
	*ret = slice_of(rules);
	return 0;
}

static void becomes(const char *text, const char *from, const char *to)
{
	const struct corefile_source source = {find, read_file, NULL};
	struct conf *c = NULL;
	struct err err = ERR_INIT;
	struct dns_name n;
	struct strbuf all = STRBUF_INIT, out = STRBUF_INIT;
	strbuf_addf(&all, ". {\n%s\n}\n", text);
	rules = strbuf_cstr(&all);
	if (conf_read(&source, "Corefile", &c, &err) != 0)
		fail_msg("%s", err.msg);
	assert_int_equal(dns_name_parse(&n, slice_of(from), NULL), 0);
	bool changed = rewrite_name(c->blocks[0].rewrites, c->blocks[0].n_rewrites, &n);
	dns_name_text(&out, n.wire, false);
	assert_string_equal(strbuf_cstr(&out), to);
	assert_int_equal(changed, strcmp(from, to) != 0);
	strbuf_release(&all);
	strbuf_release(&out);
	conf_free(c);
}

static void each_kind_rewrites_its_part(void **state)
{
	becomes("rewrite name a.org B.org", "a.org.", "b.org.");
	becomes("rewrite name a.org b.org", "x.a.org.", "x.a.org.");
	becomes("rewrite name exact a.org b.org", "a.org.", "b.org.");
	becomes("rewrite name prefix web. www.", "web.org.", "www.org.");
	becomes("rewrite name suffix .old.org .default.svc.cluster.local", "web.old.org.",
	        "web.default.svc.cluster.local.");
	becomes("rewrite name suffix .old.org. .new.org.", "web.old.org.", "web.new.org.");
	becomes("rewrite name substring old new", "x-old-y.org.", "x-new-y.org.");
	becomes("rewrite name regex (.*)\\.in\\.(.*)\\.org {2}.{1}.com answer auto", "a.in.b.org.", "b.a.com.");
	becomes("rewrite stop {\n name regex ^x(y*)\\. z{1}. answer auto\n}", "xyy.org.", "zyy.");
}

static void the_first_rule_that_fits_ends_it_unless_it_says_so(void **state)
{
	becomes("rewrite name a.org b.org\nrewrite name b.org c.org", "a.org.", "b.org.");
	becomes("rewrite continue name a.org b.org\nrewrite name b.org c.org", "a.org.", "c.org.");
	becomes("rewrite stop name b.org c.org\nrewrite name a.org b.org", "a.org.", "b.org.");
}

static void what_would_be_no_name_is_left(void **state)
{
	becomes("rewrite name substring a ..", "xay.org.", "xay.org.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(each_kind_rewrites_its_part),
	        cmocka_unit_test(the_first_rule_that_fits_ends_it_unless_it_says_so),
	        cmocka_unit_test(what_would_be_no_name_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

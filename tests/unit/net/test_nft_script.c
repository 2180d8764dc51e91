/* Elements of a set come together, and everything stays where it must (net/nft_script.h). */
#include "tests/unit/unit.h"

#include "net/nft_script.h"

static void groups_to(const char *script, const char *want)
{
	struct nft_script s = NFT_SCRIPT_INIT;
	nft_script_add(&s, slice_of(script));
	struct strbuf out = nft_script_text(&s);
	assert_string_equal(strbuf_cstr(&out), want);
	strbuf_release(&out);
}

static void elements_of_a_set_come_together(void **state)
{
	groups_to("add element ip t a { 1 }\nadd element ip t b { 2 : goto x }\nadd element ip t a { 3, 4 }\n",
	        "add element ip t a { 1,\n3, 4 }\nadd element ip t b { 2 : goto x }\n");
}

static void deletions_come_first_and_additions_last(void **state)
{
	groups_to("add chain ip t c\nadd element ip t a { 1 : goto c }\nadd rule ip t c accept\n"
	          "delete element ip t a { 1 }\nflush chain ip t d\ndelete element ip t a { 2 }\n",
	        "delete element ip t a { 1,\n2 }\nadd chain ip t c\nadd rule ip t c accept\nflush chain ip t d\n"
	        "add element ip t a { 1 : goto c }\n");
}

static void other_lines_stay_as_they_are(void **state)
{
	static const char frame[] = "table ip t {\n\tchain c { comment \"add element ip t a { 1 }\"; }\n\n"
	                            "\tset s { elements = { 1 } }\n}\n";
	groups_to(frame, frame);
	groups_to("", "");
	groups_to("add element ip t a {}\n", "add element ip t a {}\n"); /* nft says what is wrong with it */
	groups_to("add element ip t a { }\n", "add element ip t a { }\n");
}

static void many_sets_are_kept_apart(void **state)
{
	struct strbuf script = STRBUF_INIT, want = STRBUF_INIT;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 100; i++)
			strbuf_addf(&script, "add element ip t s%d { %d }\n", i, round);
	for (int i = 0; i < 100; i++)
		strbuf_addf(&want, "add element ip t s%d { 0,\n1 }\n", i);
	groups_to(strbuf_cstr(&script), strbuf_cstr(&want));
	strbuf_release(&script);
	strbuf_release(&want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(elements_of_a_set_come_together),
	        cmocka_unit_test(deletions_come_first_and_additions_last),
	        cmocka_unit_test(other_lines_stay_as_they_are),
	        cmocka_unit_test(many_sets_are_kept_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

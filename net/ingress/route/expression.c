/* See expression.h. */
#include "net/ingress/route/expression.h"

#include <ctype.h>
#include <string.h>

enum { CHARS_MAX = 1024, DEPTH_MAX = 16 };

static void free_regex(void *arg)
{
	regfree(arg);
}

static bool repeats(struct slice p, size_t i)
{
	return i < p.len && (p.ptr[i] == '*' || p.ptr[i] == '+' || p.ptr[i] == '?');
}

/* Behind a '[': the index of the ']' that ends it. */
static size_t bracket_end(struct slice p, size_t i)
{
	i += i < p.len && p.ptr[i] == '^';
	for (size_t begin = i; i < p.len; i++) {
		bool is_class = p.ptr[i] == '[' && i + 1 < p.len && memchr(":.=", p.ptr[i + 1], 3);
		if (is_class)
			i += 2;
		else if (p.ptr[i] == ']' && i > begin)
			return i;
	}
	return p.len;
}

/* Back references make matching exponential, and so do repetitions of what is repeated where groups are filled in;
 * counted repetitions make the expression as large as their product. NULL: it has none of them. */
static const char *too_costly(struct slice p)
{
	bool has_repetition[DEPTH_MAX + 1] = {false};
	size_t depth = 0;
	for (size_t i = 0; i < p.len; i++) {
		char c = p.ptr[i];
		if (c == '{')
			return "repetitions in braces";
		if (c == '\\') {
			if (i + 1 < p.len && isdigit((unsigned char)p.ptr[i + 1]))
				return "back references";
			i++;
		} else if (c == '[') {
			i = bracket_end(p, i + 1);
		} else if (c == '(') {
			if (++depth > DEPTH_MAX)
				return "groups as deep as this";
			has_repetition[depth] = false;
		} else if (c == ')' && depth) {
			if (has_repetition[depth] && repeats(p, i + 1) && p.ptr[i + 1] != '?')
				return "repetitions of a group with repetitions in it";
			has_repetition[depth - 1] |= has_repetition[depth] || repeats(p, i + 1);
			depth--;
		} else if (repeats(p, i)) {
			has_repetition[depth] = true;
		}
	}
	return NULL;
}

int expression_compile(struct arena *a, struct slice text, enum expression_end end, int flags, const char *what,
        regex_t **ret, struct err *err)
{
	char why[128];
	if (too_costly(text))
		return err_set(err, ERR_INVAL, "%s %.*s: %s are not served", what, SLICE_FMT(text), too_costly(text));
	if (text.len > CHARS_MAX)
		return err_set(err, ERR_TOO_BIG, "a %s's expression has at most %d characters", what, CHARS_MAX);
	regex_t *r = ARENA_NEW(a, regex_t);
	const char *form = end == EXPRESSION_WHOLE ? "^(%.*s)$" : "^(%.*s)";
	int rc = regcomp(r, arena_printf(a, form, SLICE_FMT(text)), REG_EXTENDED | flags);
	if (rc != 0) {
		regerror(rc, r, why, sizeof why);
		return err_set(err, ERR_INVAL, "%s %.*s: %s", what, SLICE_FMT(text), why);
	}
	arena_on_release(a, free_regex, r);
	*ret = r;
	return 0;
}

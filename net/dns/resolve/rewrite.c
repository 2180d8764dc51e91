/* See rewrite.h. Rules see names as text with its last dot, as CoreDNS's do; {0} to {9} of what a pattern becomes are
 * its groups. */
#include "net/dns/resolve/rewrite.h"

#include <regex.h>

enum { GROUPS = 10, TEXT_BYTES_MAX = 4 * DNS_NAME_BYTES_MAX };

static void replace(struct strbuf *out, const char *text, size_t at, size_t len, const char *with)
{
	strbuf_add(out, text, at);
	strbuf_adds(out, with);
	strbuf_adds(out, text + at + len);
}

static bool by_regex(const struct conf_rewrite *w, const char *text, struct strbuf *out)
{
	regmatch_t m[GROUPS];
	if (regexec(w->regex, text, GROUPS, m, 0) != 0)
		return false;
	for (const char *p = w->to; *p; p++) {
		if (p[0] != '{' || p[1] < '0' || p[1] > '9' || p[2] != '}') {
			strbuf_addc(out, *p);
			continue;
		}
		const regmatch_t *g = &m[p[1] - '0'];
		if (g->rm_so >= 0)
			strbuf_add(out, text + g->rm_so, (size_t)(g->rm_eo - g->rm_so));
		p += 2;
	}
	return true;
}

/* True: the rule fits, and `out` is what it makes of the text. */
static bool apply(const struct conf_rewrite *w, const char *text, struct strbuf *out)
{
	size_t len = strlen(text), from = strlen(w->from);
	const char *at;
	switch (w->kind) {
	case CONF_EXACT:
		if (strcmp(text, w->from) != 0)
			return false;
		strbuf_adds(out, w->to);
		return true;
	case CONF_PREFIX:
		if (strncmp(text, w->from, from) != 0)
			return false;
		replace(out, text, 0, from, w->to);
		return true;
	case CONF_SUFFIX: {
		bool dot = w->from[from - 1] == '.'; /* rules may leave the last dot out */
		size_t end = dot ? len : len - 1;
		if (end < from || memcmp(text + end - from, w->from, from) != 0)
			return false;
		replace(out, text, end - from, from, w->to);
		return true;
	}
	case CONF_SUBSTRING:
		at = strstr(text, w->from);
		if (!at)
			return false;
		replace(out, text, (size_t)(at - text), from, w->to);
		return true;
	case CONF_REGEX:
		return by_regex(w, text, out);
	}
	return false;
}

bool rewrite_name(const struct conf_rewrite *rules, size_t n, struct dns_name *name)
{
	struct strbuf text = STRBUF_INIT, out = STRBUF_INIT;
	struct dns_name new;
	bool changed = false;
	for (size_t i = 0; i < n; i++) {
		strbuf_reset(&text);
		strbuf_reset(&out);
		dns_name_text(&text, name->wire, true);
		if (!apply(&rules[i], strbuf_cstr(&text), &out))
			continue;
		if (out.len <= TEXT_BYTES_MAX && dns_name_parse(&new, strbuf_slice(&out), NULL) == 0) {
			dns_name_lower(new.wire, new.len);
			changed |= !dns_name_eq(new.wire, name->wire);
			*name = new;
		}
		if (!rules[i].goes_on)
			break;
	}
	strbuf_release(&text);
	strbuf_release(&out);
	return changed;
}

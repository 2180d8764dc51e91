/* See links.h. The text is copied until a tag begins; the tag is gathered until it ends, outside of quotes; then its
 * attributes are looked at, and it is copied with the links among them changed. Values are compared and lengthened at
 * their beginning alone, so that character references in them need not be read. */
#include "api/server/passing/links.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- one URL ---- */

static void drop(struct slice *s, size_t n)
{
	*s = (struct slice){s->ptr + n, s->len - n};
}

/* Cuts "http://HOST" or "//HOST" off when it is this place's; false: another host's. */
static bool cut_host(const struct links_place *p, struct slice *url)
{
	struct slice rest = *url;
	if (slice_starts(rest, "http://"))
		drop(&rest, 5);
	else if (slice_starts(rest, "https://"))
		drop(&rest, 6);
	if (!slice_starts(rest, "//"))
		return rest.len == url->len;
	drop(&rest, 2);
	size_t n = 0;
	while (n < rest.len && !strchr("/?#", rest.ptr[n]))
		n++;
	struct slice host = {rest.ptr, n};
	if (!slice_is(host, p->there) && !slice_eq(host, p->here))
		return false;
	*url = (struct slice){rest.ptr + n, rest.len - n};
	return true;
}

/* What follows the prefix; false: the URL stays as it is. */
static bool is_ours(const struct links_place *p, struct slice url, struct slice *ret)
{
	*ret = url;
	if (!cut_host(p, ret) || !ret->len || ret->ptr[0] != '/')
		return false;
	if (!slice_starts(*ret, p->prefix))
		return true;
	struct slice rest = *ret; /* "/prefix/x" says already where it is; "/prefixes" does not */
	drop(&rest, strlen(p->prefix));
	return rest.len && rest.ptr[0] != '/';
}

const char *links_here(struct arena *a, const struct links_place *p, struct slice url)
{
	struct slice path;
	return is_ours(p, url, &path) ? arena_printf(a, "%s%.*s", p->prefix, SLICE_FMT(path))
	                              : arena_printf(a, "%.*s", SLICE_FMT(url));
}

bool links_are_in(struct slice content_type, struct slice content_encoding)
{
	struct slice type = slice_trim(slice_cut(&content_type, ';'));
	return slice_is(type, "text/html") && !content_encoding.len;
}

/* ---- HTML ---- */

struct links {
	const struct links_place *place;
	enum { IN_TEXT, IN_TAG, IN_COMMENT, IN_SCRIPT } state;
	char quote;        /* inside a tag: the one that is open; 0: none */
	bool is_at_value;  /* only there a quote opens one */
	bool is_too_long;  /* the tag: what came of it is said already */
	struct strbuf tag; /* from '<' on */
	char script[16];   /* the element whose text is no HTML; its end is waited for */
	unsigned n_seen;   /* bytes that match that end, or a comment's */
};

struct links *links_new(const struct links_place *p)
{
	struct links *l = xcalloc(1, sizeof *l);
	l->place = p;
	return l;
}

void links_free(struct links *l)
{
	if (l)
		strbuf_release(&l->tag);
	free(l);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_word(struct slice s, const char *word, size_t n)
{
	for (size_t i = 0; i < s.len && i < n; i++)
		if (lower(s.ptr[i]) != word[i])
			return false;
	return s.len == n;
}

/* Of a list with spaces between. */
static bool has_word(const char *list, struct slice s)
{
	for (const char *at = list; *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");
		if (is_word(s, at, n))
			return true;
		at += n;
	}
	return false;
}

static bool is_link(struct slice tag, struct slice attribute)
{
	static const char *const rows[][2] = {{"a area base link", "href"}, {"applet object", "codebase"},
	        {"audio embed iframe img input script source video frame", "src"}, {"blockquote q del ins", "cite"},
	        {"body", "background"}, {"button input", "formaction"}, {"command", "icon"}, {"form", "action"},
	        {"frame iframe img", "longdesc"}, {"head", "profile"}, {"html", "manifest"},
	        {"img input object", "usemap"}, {"object", "classid data"}, {"video", "poster"}};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (has_word(rows[i][0], tag) && has_word(rows[i][1], attribute))
			return true;
	return false;
}

static size_t skip_space(struct slice t, size_t i)
{
	while (i < t.len && (is_space(t.ptr[i]) || t.ptr[i] == '/'))
		i++;
	return i;
}

static size_t skip_name(struct slice t, size_t i)
{
	while (i < t.len && !is_space(t.ptr[i]) && !strchr("=/>", t.ptr[i]))
		i++;
	return i;
}

/* From the first byte of a value to behind its last one, quotes left out of *ret. */
static size_t skip_value(struct slice t, size_t i, struct slice *ret)
{
	char quote = i < t.len && (t.ptr[i] == '"' || t.ptr[i] == '\'') ? t.ptr[i] : 0;
	size_t start = i + (quote != 0);
	i = start;
	while (i < t.len && (quote ? t.ptr[i] != quote : !is_space(t.ptr[i]) && t.ptr[i] != '>'))
		i++;
	*ret = (struct slice){t.ptr + start, i - start};
	return i + (quote && i < t.len);
}

static void add_value(struct links *l, struct slice value, struct strbuf *out)
{
	struct slice path;
	if (is_ours(l->place, slice_trim(value), &path)) {
		strbuf_adds(out, l->place->prefix);
		strbuf_add_slice(out, path);
	} else {
		strbuf_add_slice(out, value);
	}
}

/* The tag is whole, "<...>". */
static void say_tag(struct links *l, struct strbuf *out)
{
	struct slice t = strbuf_slice(&l->tag);
	size_t said = 0, i = skip_name(t, 1);
	struct slice name = {t.ptr + 1, i - 1};
	while ((i = skip_space(t, i)) < t.len && t.ptr[i] != '>') {
		size_t start = i;
		i = skip_name(t, i);
		struct slice attribute = {t.ptr + start, i - start}, value;
		size_t equals = i;
		while (equals < t.len && is_space(t.ptr[equals]))
			equals++;
		if (equals >= t.len || t.ptr[equals] != '=') {
			i += i == start; /* an odd byte */
			continue;
		}
		for (i = equals + 1; i < t.len && is_space(t.ptr[i]); i++)
			;
		i = skip_value(t, i, &value);
		if (!is_link(name, attribute))
			continue;
		strbuf_add_slice(out, (struct slice){t.ptr + said, (size_t)(value.ptr - t.ptr) - said});
		add_value(l, value, out);
		said = (size_t)(value.ptr - t.ptr) + value.len;
	}
	strbuf_add_slice(out, (struct slice){t.ptr + said, t.len - said});
}

/* The text of these is not HTML until their end. */
static void enter_script(struct links *l)
{
	static const char *const names[] = {"script", "style", "textarea", "title"};
	struct slice t = strbuf_slice(&l->tag), name = {t.ptr + 1, skip_name(t, 1) - 1};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (is_word(name, names[i], strlen(names[i]))) {
			snprintf(l->script, sizeof l->script, "</%s", names[i]);
			l->state = IN_SCRIPT;
		}
}

static void end_tag(struct links *l, struct strbuf *out)
{
	l->state = IN_TEXT;
	l->n_seen = 0;
	if (l->is_too_long) {
		strbuf_add_slice(out, strbuf_slice(&l->tag));
	} else {
		say_tag(l, out);
		enter_script(l);
	}
	l->is_too_long = false;
	strbuf_reset(&l->tag);
}

static void take_in_tag(struct links *l, char c, struct strbuf *out)
{
	strbuf_addc(&l->tag, c);
	if (l->tag.len == 2 && !l->is_too_long && !(lower(c) >= 'a' && lower(c) <= 'z') && !strchr("/!?", c)) {
		strbuf_add_slice(out, strbuf_slice(&l->tag)); /* "<" was text */
		strbuf_reset(&l->tag);
		l->state = IN_TEXT;
	} else if (l->tag.len == 4 && !l->is_too_long && memcmp(l->tag.data, "<!--", 4) == 0) {
		strbuf_add_slice(out, strbuf_slice(&l->tag));
		strbuf_reset(&l->tag);
		l->state = IN_COMMENT;
		l->n_seen = 0;
	} else if (l->quote) {
		l->quote = c == l->quote ? 0 : l->quote;
	} else if (c == '>') {
		end_tag(l, out);
		return;
	} else if (l->is_at_value && (c == '"' || c == '\'')) {
		l->quote = c;
	}
	l->is_at_value = c == '=' || (l->is_at_value && is_space(c));
	if (l->tag.len >= LINKS_TAG_BYTES_MAX) {
		strbuf_add_slice(out, strbuf_slice(&l->tag));
		strbuf_reset(&l->tag);
		l->is_too_long = true;
	}
}

static void take_in_comment(struct links *l, char c, struct strbuf *out)
{
	strbuf_addc(out, c);
	if (c == '>' && l->n_seen >= 2)
		l->state = IN_TEXT;
	l->n_seen = c == '-' ? l->n_seen + 1 : 0;
}

static void take_in_script(struct links *l, char c, struct strbuf *out)
{
	strbuf_addc(out, c);
	l->n_seen = lower(c) == l->script[l->n_seen] ? l->n_seen + 1 : c == '<';
	if (!l->script[l->n_seen])
		l->state = IN_TEXT; /* what is left of the tag is text that has no links */
}

static void take(struct links *l, char c, struct strbuf *out)
{
	switch (l->state) {
	case IN_TEXT:
		if (c != '<') {
			strbuf_addc(out, c);
			return;
		}
		l->state = IN_TAG;
		l->quote = 0;
		l->is_at_value = false;
		strbuf_addc(&l->tag, c);
		return;
	case IN_TAG:
		take_in_tag(l, c, out);
		return;
	case IN_COMMENT:
		take_in_comment(l, c, out);
		return;
	case IN_SCRIPT:
		take_in_script(l, c, out);
		return;
	}
}

void links_rewrite(struct links *l, struct slice piece, bool is_end, struct strbuf *out)
{
	for (size_t i = 0; i < piece.len; i++)
		take(l, piece.ptr[i], out);
	if (is_end) {
		strbuf_add_slice(out, strbuf_slice(&l->tag));
		strbuf_reset(&l->tag);
	}
}

/* See exposition.h. A line is
 *
 *     name [ "{" label "=" '"' value '"' { "," ... } [","] "}" ] value [ timestamp ]
 *
 * with blanks and tabs between its parts. What can go wrong: any byte may stand anywhere, for a kubelet may be taken
 * over or be something else; a line is read to its end and never beyond the text, and the first that is none ends it
 * all, since half of a scrape would be taken for the whole. */
#include "net/metrics/exposition.h"

#include <stdlib.h>

enum { NUMBER_MAX = 64 };

void exposition_init(struct exposition *e, struct slice text)
{
	*e = (struct exposition){.pos = text.ptr, .end = text.ptr + text.len};
}

static bool bad(struct exposition *e, struct err *err, const char *what)
{
	e->pos = e->end;
	err_set(err, ERR_INVAL, "line %zu: %s", e->line, what);
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct exposition *e, const char *eol)
{
	while (e->pos < eol && is_blank(*e->pos))
		e->pos++;
}

static bool is_name_char(char c, bool is_first)
{
	bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
	return is_letter || (!is_first && c >= '0' && c <= '9');
}

/* Empty: there is none. */
static struct slice take_name(struct exposition *e, const char *eol)
{
	const char *begin = e->pos;
	while (e->pos < eol && is_name_char(*e->pos, e->pos == begin))
		e->pos++;
	return (struct slice){begin, (size_t)(e->pos - begin)};
}

/* Behind the opening quote; false: it does not end on this line. */
static bool take_quoted(struct exposition *e, const char *eol, struct slice *ret)
{
	const char *begin = e->pos;
	while (e->pos < eol && *e->pos != '"')
		e->pos += *e->pos == '\\' && e->pos + 1 < eol ? 2 : 1;
	if (e->pos >= eol)
		return false;
	*ret = (struct slice){begin, (size_t)(e->pos - begin)};
	e->pos++;
	return true;
}

static bool take_char(struct exposition *e, const char *eol, char c)
{
	skip_blanks(e, eol);
	if (e->pos >= eol || *e->pos != c)
		return false;
	e->pos++;
	skip_blanks(e, eol);
	return true;
}

static bool take_labels(struct exposition *e, const char *eol, struct err *err)
{
	bool goes_on = true;
	while (!take_char(e, eol, '}')) {
		struct exposition_label l = {0};
		if (!goes_on)
			return bad(e, err, "no comma and no brace behind a label");
		l.name = take_name(e, eol);
		if (!l.name.len)
			return bad(e, err, "a label has no name");
		if (!take_char(e, eol, '=') || e->pos >= eol || *e->pos != '"')
			return bad(e, err, "a label's value is not in quotes");
		e->pos++;
		if (!take_quoted(e, eol, &l.value))
			return bad(e, err, "a label's value does not end");
		if (e->n_labels == METRICS_LABELS_MAX)
			return bad(e, err, "too many labels");
		e->labels[e->n_labels++] = l;
		goes_on = take_char(e, eol, ',');
	}
	return true;
}

static struct slice take_word(struct exposition *e, const char *eol)
{
	const char *begin;
	skip_blanks(e, eol);
	begin = e->pos;
	while (e->pos < eol && !is_blank(*e->pos))
		e->pos++;
	return (struct slice){begin, (size_t)(e->pos - begin)};
}

/* As Go writes them: digits with a point and an exponent, NaN, +Inf, -Inf. */
static bool read_value(struct slice word, double *ret)
{
	char text[NUMBER_MAX], *end;
	if (!word.len || word.len >= sizeof text)
		return false;
	memcpy(text, word.ptr, word.len);
	text[word.len] = 0;
	bool is_word =
	        slice_is(word, "NaN") || slice_is(word, "+Inf") || slice_is(word, "-Inf") || slice_is(word, "Inf");
	if (!is_word && strspn(text, "0123456789+-.eE") != word.len)
		return false;
	*ret = strtod(text, &end);
	return end == text + word.len;
}

static bool take_sample(struct exposition *e, const char *eol, struct err *err)
{
	struct slice word;
	e->n_labels = 0;
	e->timestamp_ms = 0;
	e->has_timestamp = false;
	e->name = take_name(e, eol);
	if (!e->name.len)
		return bad(e, err, "a metric has no name");
	if (take_char(e, eol, '{') && !take_labels(e, eol, err))
		return false;
	if (!read_value(take_word(e, eol), &e->value))
		return bad(e, err, "a metric's value is no number");
	word = take_word(e, eol);
	e->has_timestamp = word.len > 0;
	if (word.len && !slice_to_i64(word, &e->timestamp_ms))
		return bad(e, err, "a timestamp is no number of milliseconds");
	if (take_word(e, eol).len)
		return bad(e, err, "something stands behind the timestamp");
	return true;
}

bool exposition_next(struct exposition *e, struct err *err)
{
	while (e->pos < e->end) {
		const char *newline = memchr(e->pos, '\n', (size_t)(e->end - e->pos));
		const char *eol = newline ? newline : e->end, *next = newline ? newline + 1 : e->end;
		e->line++;
		if (eol > e->pos && eol[-1] == '\r')
			eol--;
		skip_blanks(e, eol);
		bool is_empty = e->pos >= eol || *e->pos == '#';
		if (!is_empty && !take_sample(e, eol, err))
			return false;
		e->pos = next;
		if (!is_empty)
			return true;
	}
	return false;
}

struct slice exposition_label(const struct exposition *e, const char *name)
{
	for (size_t i = 0; i < e->n_labels; i++)
		if (slice_is(e->labels[i].name, name))
			return e->labels[i].value;
	return SLICE_NULL;
}

/* Tokens of an expression (cel-spec, "Syntax"), and how faults are told.
 *
 * A token is a span of the text; what a literal means is read by literal.c. What can go wrong: a string without an end,
 * a character that begins nothing. The lexer then tells it and answers TOKEN_BAD, after which nobody goes on. */
#include "base/cel/program_int.h"

#include "base/check.h"
#include "base/mem/utf8.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- faults ---- */

static size_t step(struct slice s, size_t at)
{
	size_t n = utf8_len((const unsigned char *)s.ptr + at, s.len - at);
	return n ? n : 1;
}

/* The line with the fault, and below it a mark; wide characters have wide dots. */
static void show_place(struct cel_issues *i, size_t begin, size_t offset)
{
	const char *nl = memchr(i->text.ptr + begin, '\n', i->text.len - begin);
	size_t end = nl ? (size_t)(nl - i->text.ptr) : i->text.len;
	strbuf_adds(i->words, "\n | ");
	for (size_t k = begin; k < end; k++)
		strbuf_addc(i->words, i->text.ptr[k] == '\t' ? ' ' : i->text.ptr[k]);
	strbuf_adds(i->words, "\n | ");
	for (size_t k = begin; k < offset && k < end;) {
		size_t n = step(i->text, k);
		strbuf_adds(i->words, n > 1 ? "\uff0e" : ".");
		k += n;
	}
	strbuf_adds(i->words, offset < end && step(i->text, offset) > 1 ? "\uff3e" : "^");
}

void cel_issue(struct cel_issues *i, size_t offset, const char *fmt, ...)
{
	size_t line = 1, begin = 0, column = 1;
	va_list ap;
	char text[512];
	if (i->count++ >= CEL_ISSUES_MAX || !i->words)
		return;
	for (size_t k = 0; k < offset && k < i->text.len; k++) {
		if (i->text.ptr[k] == '\n') {
			line++;
			begin = k + 1;
		}
	}
	for (size_t k = begin; k < offset && k < i->text.len; k += step(i->text, k))
		column++;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	strbuf_addf(i->words, "%sERROR: <input>:%zu:%zu: %s", i->words->len ? "\n" : "", line, column, text);
	show_place(i, begin, offset);
}

/* ---- tokens ---- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static char peek(const struct lexer *l, size_t ahead)
{
	size_t at = l->at + ahead;
	return at < l->issues->text.len ? l->issues->text.ptr[at] : '\0';
}

static struct token token(const struct lexer *l, enum token_kind kind, size_t from)
{
	return (struct token){.kind = kind, .offset = from, .text = {l->issues->text.ptr + from, l->at - from}};
}

static struct token bad(const struct lexer *l, size_t offset, const char *what)
{
	cel_issue(l->issues, offset, "Syntax error: %s", what);
	return (struct token){.kind = TOKEN_BAD, .offset = offset};
}

static void skip_blanks(struct lexer *l)
{
	while (l->at < l->issues->text.len) {
		char c = peek(l, 0);
		if (c == '/' && peek(l, 1) == '/')
			while (l->at < l->issues->text.len && peek(l, 0) != '\n')
				l->at++;
		else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f')
			l->at++;
		else
			return;
	}
}

static struct token read_number(struct lexer *l)
{
	size_t from = l->at;
	enum token_kind kind = TOKEN_INT;
	if (peek(l, 0) == '0' && (peek(l, 1) == 'x' || peek(l, 1) == 'X') && is_hex(peek(l, 2))) {
		for (l->at += 2; is_hex(peek(l, 0));)
			l->at++;
	} else {
		while (is_digit(peek(l, 0)))
			l->at++;
		if (peek(l, 0) == '.' && is_digit(peek(l, 1))) {
			kind = TOKEN_DOUBLE;
			for (l->at++; is_digit(peek(l, 0));)
				l->at++;
		}
		size_t sign = peek(l, 1) == '+' || peek(l, 1) == '-' ? 2 : 1;
		if ((peek(l, 0) == 'e' || peek(l, 0) == 'E') && is_digit(peek(l, sign))) {
			kind = TOKEN_DOUBLE;
			for (l->at += sign; is_digit(peek(l, 0));)
				l->at++;
		}
	}
	if (kind == TOKEN_INT && (peek(l, 0) == 'u' || peek(l, 0) == 'U')) {
		struct token t = token(l, TOKEN_UINT, from);
		l->at++;
		return t;
	}
	if (is_letter(peek(l, 0)))
		return bad(l, l->at, "a number ends in a letter");
	return token(l, kind, from);
}

/* At a quote; the prefix was read. */
static struct token read_string(struct lexer *l, size_t from, bool is_raw, bool is_bytes)
{
	char quote = peek(l, 0);
	bool triple = peek(l, 1) == quote && peek(l, 2) == quote;
	size_t width = triple ? 3 : 1, begin = l->at + width;
	for (l->at = begin; l->at < l->issues->text.len; l->at++) {
		char c = peek(l, 0);
		if (c == '\\' && !is_raw) {
			l->at++;
		} else if (!triple && (c == '\n' || c == '\r')) {
			break;
		} else if (c == quote && (!triple || (peek(l, 1) == quote && peek(l, 2) == quote))) {
			struct token t = {.kind = is_bytes ? TOKEN_BYTES : TOKEN_STRING,
			        .offset = from,
			        .is_raw = is_raw,
			        .text = {l->issues->text.ptr + begin, l->at - begin}};
			l->at += width;
			return t;
		}
	}
	return bad(l, from, "a string has no closing quote");
}

/* A name, or a string's prefix. */
static struct token read_word(struct lexer *l)
{
	size_t from = l->at;
	bool is_raw = false, is_bytes = false;
	for (size_t n = 0; n < 3; n++) {
		char c = peek(l, n);
		if (c == '"' || c == '\'') {
			l->at += n;
			return read_string(l, from, is_raw, is_bytes);
		}
		if ((c == 'r' || c == 'R') && !is_raw)
			is_raw = true;
		else if ((c == 'b' || c == 'B') && !is_bytes)
			is_bytes = true;
		else
			break;
	}
	while (is_letter(peek(l, 0)) || is_digit(peek(l, 0)))
		l->at++;
	return token(l, TOKEN_NAME, from);
}

static struct token read_mark(struct lexer *l)
{
	static const char *const pairs[] = {"&&", "||", "==", "!=", "<=", ">="};
	size_t from = l->at;
	for (size_t i = 0; i < COUNT_OF(pairs); i++) {
		if (peek(l, 0) == pairs[i][0] && peek(l, 1) == pairs[i][1]) {
			l->at += 2;
			return token(l, TOKEN_MARK, from);
		}
	}
	if (!peek(l, 0) || !strchr("()[]{}.,:?+-*/%!<>", peek(l, 0)))
		return bad(l, from,
		        arena_printf(l->issues->arena, "token recognition error at: '%.*s'",
		                (int)step(l->issues->text, from), l->issues->text.ptr + from));
	l->at++;
	return token(l, TOKEN_MARK, from);
}

struct token cel_lexer_next(struct lexer *l)
{
	skip_blanks(l);
	if (l->at >= l->issues->text.len)
		return (struct token){.kind = TOKEN_END, .offset = l->at};
	char c = peek(l, 0);
	if (is_digit(c) || (c == '.' && is_digit(peek(l, 1))))
		return read_number(l);
	if (c == '"' || c == '\'')
		return read_string(l, l->at, false, false);
	return is_letter(c) ? read_word(l) : read_mark(l);
}

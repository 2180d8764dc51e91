/* See corefile.h. A text becomes words, each with its file and line; an import's file goes on in its place. Words
 * become lines by their line numbers, and by the braces at the ends of lines.
 *
 * What can go wrong is the file's: a brace too few or too many, a quote that does not end, an import that is not there
 * or goes in circles. All is told with its place. */
#include "net/dns/conf/corefile.h"

#include "base/check.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct word {
	const char *text;
	const char *file;
	unsigned line;
	unsigned row;   /* counts lines over all files: words of one are on one line */
	bool is_quoted; /* a brace in quotes is none */
};

struct snippet {
	struct snippet *next;
	const char *name;
	const struct word *words;
	size_t n;
};

struct lexer {
	struct arena *arena;
	const struct corefile_source *source;
	struct word *words;
	size_t n, cap;
	unsigned row, imports, depth;
	struct snippet *snippets;
};

enum { DEPTH_MAX = 8 };

static int at(struct err *err, const char *file, unsigned line, const char *what)
{
	return err_set(err, ERR_INVAL, "%s:%u: %s", file, line, what);
}

int corefile_error(struct err *err, const struct corefile_line *l, const char *fmt, ...)
{
	char what[ERR_MSG_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(what, sizeof what, fmt, args);
	va_end(args);
	return at(err, l->file, l->line, what);
}

/* ---- files ---- */

static bool is_pattern(const char *text)
{
	return strpbrk(text, "*?[") != NULL;
}

static int disk_find(void *arg, struct arena *a, const char *pattern, const char ***ret, size_t *ret_n, struct err *err)
{
	glob_t g = {0};
	int rc = glob(pattern, 0, NULL, &g);
	*ret_n = 0;
	*ret = NULL;
	if (rc == GLOB_NOMATCH)
		return is_pattern(pattern) ? 0 : err_set(err, ERR_NOT_FOUND, "%s is not there", pattern);
	if (rc != 0)
		return err_set(err, ERR_IO, "%s can't be searched for", pattern);
	*ret = ARENA_ARRAY(a, const char *, g.gl_pathc);
	for (size_t i = 0; i < g.gl_pathc; i++)
		(*ret)[(*ret_n)++] = arena_strdup(a, g.gl_pathv[i]);
	globfree(&g);
	return 0;
}

static int disk_read(void *arg, struct arena *a, const char *path, struct slice *ret, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	struct strbuf data = STRBUF_INIT;
	char part[4096];
	ssize_t n = 0;
	while (data.len <= DNS_CONF_BYTES_MAX && (n = read(fd, part, sizeof part)) > 0)
		strbuf_add(&data, part, (size_t)n);
	int failed = n < 0 ? errno : 0;
	bool large = data.len > DNS_CONF_BYTES_MAX;
	*ret = (struct slice){arena_memdup(a, strbuf_cstr(&data), data.len), data.len};
	strbuf_release(&data);
	close(fd);
	if (failed)
		return err_errno(err, failed, "read %s", path);
	return large ? err_set(err, ERR_TOO_BIG, "%s is larger than 1 MiB", path) : 0;
}

const struct corefile_source corefile_disk = {disk_find, disk_read, NULL};

/* ---- words ---- */

static int add_word(struct lexer *x, const char *text, const char *file, unsigned line, bool quoted, struct err *err)
{
	if (x->n >= DNS_CONF_WORDS_MAX)
		return at(err, file, line, "more than 100000 words, with imports");
	if (x->n == x->cap) {
		size_t cap = x->cap ? x->cap * 2 : 64;
		struct word *words = arena_alloc(x->arena, cap * sizeof *words);
		if (x->n)
			memcpy(words, x->words, x->n * sizeof *words);
		x->words = words;
		x->cap = cap;
	}
	x->words[x->n++] = (struct word){text, file, line, x->row, quoted};
	return 0;
}

/* {$NAME} and {%NAME%} become the variable's value, "" when there is none. */
static const char *with_variables(struct arena *a, const char *text)
{
	struct strbuf out = STRBUF_INIT;
	for (const char *p = text; *p;) {
		bool dollar = p[0] == '{' && p[1] == '$', percent = p[0] == '{' && p[1] == '%';
		const char *end = dollar ? strchr(p, '}') : percent ? strstr(p + 2, "%}") : NULL;
		if (!end) {
			strbuf_addc(&out, *p++);
			continue;
		}
		const char *name = arena_memdup(a, p + 2, (size_t)(end - p - 2)), *value = getenv(name);
		strbuf_adds(&out, value ? value : "");
		p = end + (percent ? 2 : 1);
	}
	const char *ret = arena_strdup(a, strbuf_cstr(&out));
	strbuf_release(&out);
	return ret;
}

static int take_text(struct lexer *x, const char *file, struct slice text, struct err *err);

static int import_file(struct lexer *x, const struct word *w, const char *path, struct err *err)
{
	struct slice text = SLICE_NULL;
	if (++x->imports > DNS_CONF_IMPORTS_MAX || x->depth >= DEPTH_MAX)
		return at(err, w->file, w->line, "imports go in a circle, or there are more than 256");
	if (x->source->read(x->source->arg, x->arena, path, &text, err) != 0)
		return err_wrap(err, "%s:%u: import", w->file, w->line);
	x->depth++;
	int rc = take_text(x, path, text, err);
	x->depth--;
	x->row++;
	return rc;
}

static int import_snippet(struct lexer *x, const struct snippet *s, struct err *err)
{
	unsigned last = 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct word *w = &s->words[i];
		if (w->row != last)
			x->row++;
		last = w->row;
		if (add_word(x, w->text, w->file, w->line, w->is_quoted, err) != 0)
			return err->code;
	}
	x->row++;
	return 0;
}

/* The words of an import, which stand at the end, are taken away and what they name is put there. */
static int import(struct lexer *x, size_t first, struct err *err)
{
	struct word w = x->words[first], what = x->n == first + 2 ? x->words[first + 1] : (struct word){0};
	if (!what.text)
		return at(err, w.file, w.line, "import takes one pattern of files, or the name of a snippet");
	x->n = first;
	for (const struct snippet *s = x->snippets; s; s = s->next)
		if (strcmp(s->name, what.text) == 0)
			return import_snippet(x, s, err);
	const char *slash = strrchr(w.file, '/'), **paths, *pattern = what.text;
	size_t n;
	if (pattern[0] != '/' && slash)
		pattern = arena_printf(x->arena, "%.*s/%s", (int)(slash - w.file), w.file, pattern);
	if (x->source->find(x->source->arg, x->arena, pattern, &paths, &n, err) != 0)
		return err_wrap(err, "%s:%u: import", w.file, w.line);
	for (size_t i = 0; i < n; i++)
		if (import_file(x, &what, paths[i], err) != 0)
			return err->code;
	return 0;
}

/* At the end of "(name) { ... }" its words become a snippet. */
static void end_snippet(struct lexer *x, size_t first)
{
	struct word *w = &x->words[first];
	size_t len = strlen(w->text);
	if (len < 3 || w->text[0] != '(' || w->text[len - 1] != ')' || x->n < first + 3)
		return;
	struct snippet *s = ARENA_NEW(x->arena, struct snippet);
	s->name = arena_memdup(x->arena, w->text + 1, len - 2);
	s->n = x->n - first - 3;
	s->words = s->n ? (struct word *)arena_memdup(x->arena, w + 2, s->n * sizeof *w) : NULL;
	s->next = x->snippets;
	x->snippets = s;
	x->n = first;
}

/* Reads one word from *p on: quoted, with \" in it, or up to white space. */
static int next_word(struct lexer *x, struct slice text, size_t *p, const char *file, unsigned *line, struct err *err)
{
	struct strbuf word = STRBUF_INIT;
	bool quoted = text.ptr[*p] == '"';
	unsigned begun = *line;
	bool ended = !quoted;
	for (*p += quoted; *p < text.len && !(quoted && ended); (*p)++) {
		char c = text.ptr[*p];
		if (!quoted && strchr(" \t\r\n", c))
			break;
		if (c == '\n')
			(*line)++;
		if (quoted && c == '"')
			ended = true;
		else if (quoted && c == '\\' && *p + 1 < text.len && text.ptr[*p + 1] == '"')
			strbuf_addc(&word, text.ptr[++*p]);
		else
			strbuf_addc(&word, c);
	}
	const char *s = arena_strdup(x->arena, strbuf_cstr(&word));
	strbuf_release(&word);
	if (!ended)
		return at(err, file, begun, "a quote does not end");
	return add_word(x, quoted ? s : with_variables(x->arena, s), file, begun, quoted, err);
}

static bool is_brace(const struct word *w, const char *brace)
{
	return !w->is_quoted && strcmp(w->text, brace) == 0;
}

/* At the end of a line that began with the word `first`. */
static int end_line(struct lexer *x, size_t first, size_t *open, unsigned *depth, struct err *err)
{
	x->row++;
	if (first < x->n && !x->words[first].is_quoted && strcmp(x->words[first].text, "import") == 0)
		return import(x, first, err);
	if (*depth == 0 && first < x->n)
		*open = first;
	for (size_t i = first; i < x->n; i++) {
		*depth += is_brace(&x->words[i], "{");
		if (is_brace(&x->words[i], "}") && *depth > 0 && --*depth == 0)
			end_snippet(x, *open);
	}
	return 0;
}

static int take_text(struct lexer *x, const char *file, struct slice text, struct err *err)
{
	size_t first = x->n, p = 0, open = x->n;
	unsigned line = 1, depth = 0;
	if (memchr(text.ptr ? text.ptr : "", 0, text.len))
		return at(err, file, 1, "a zero byte is in it: it is no text");
	while (p < text.len) {
		char c = text.ptr[p];
		if (c == '\n') {
			if (end_line(x, first, &open, &depth, err) != 0)
				return err->code;
			first = x->n;
			line++;
			p++;
		} else if (strchr(" \t\r", c)) {
			p++;
		} else if (c == '#') {
			while (p < text.len && text.ptr[p] != '\n')
				p++;
		} else if (next_word(x, text, &p, file, &line, err) != 0) {
			return err->code;
		}
	}
	return end_line(x, first, &open, &depth, err);
}

/* ---- lines ---- */

struct parser {
	struct arena *arena;
	const struct word *words;
	size_t n, at;
};

struct lines {
	struct corefile_line *list;
	size_t n, cap;
};

static struct corefile_line *add_line(struct arena *a, struct lines *l)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 8;
		struct corefile_line *list = arena_alloc(a, cap * sizeof *list);
		if (l->n)
			memcpy(list, l->list, l->n * sizeof *list);
		l->list = list;
		l->cap = cap;
	}
	l->list[l->n] = (struct corefile_line){0};
	return &l->list[l->n++];
}

static int read_lines(struct parser *p, unsigned depth, struct lines *out, struct err *err);

/* The words of one line; keys of a server block may go on over lines that end in a comma. */
static int read_line(struct parser *p, unsigned depth, struct corefile_line *l, struct err *err)
{
	const struct word *first = &p->words[p->at];
	size_t end = p->at;
	while (end < p->n && p->words[end].row == first->row && !is_brace(&p->words[end], "{"))
		end++;
	l->file = first->file;
	l->line = first->line;
	l->n_words = end - p->at;
	l->words = ARENA_ARRAY(p->arena, const char *, l->n_words + 1);
	for (size_t i = 0; i < l->n_words; i++) {
		if (is_brace(&p->words[p->at + i], "}"))
			return at(err, first->file, first->line, "a closing brace stands on a line of its own");
		l->words[i] = p->words[p->at + i].text;
	}
	p->at = end;
	if (end == p->n || p->words[end].row != first->row)
		return 0;
	if (l->n_words == 0)
		return at(err, first->file, first->line, "a brace opens without a word before it");
	p->at++;
	l->has_block = true;
	if (p->at < p->n && p->words[p->at].row == first->row && !is_brace(&p->words[p->at], "}"))
		return at(err, first->file, first->line, "what is in braces begins on the next line");
	struct lines block = {0};
	if (depth >= DEPTH_MAX)
		return at(err, first->file, first->line, "braces nest too deep");
	if (read_lines(p, depth + 1, &block, err) != 0)
		return err->code;
	if (p->at == p->n)
		return at(err, first->file, first->line, "this brace is never closed");
	p->at++;
	l->block = block.list;
	l->n_block = block.n;
	return 0;
}

/* Up to the end, or to a closing brace, which is left. */
static int read_lines(struct parser *p, unsigned depth, struct lines *out, struct err *err)
{
	while (p->at < p->n) {
		const struct word *w = &p->words[p->at];
		if (is_brace(w, "}")) {
			if (depth)
				return 0;
			return at(err, w->file, w->line, "a closing brace without one that opens");
		}
		struct corefile_line l = {0};
		if (read_line(p, depth, &l, err) != 0)
			return err->code;
		*add_line(p->arena, out) = l;
	}
	return 0;
}

int corefile_read(struct arena *a, const struct corefile_source *source, const char *path, struct corefile_line **ret,
        size_t *ret_n, struct err *err)
{
	struct lexer x = {.arena = a, .source = source, .row = 1};
	struct slice text = SLICE_NULL;
	struct lines blocks = {0};
	if (source->read(source->arg, a, path, &text, err) != 0 || take_text(&x, path, text, err) != 0)
		return err->code;
	struct parser p = {.arena = a, .words = x.words, .n = x.n};
	if (read_lines(&p, 0, &blocks, err) != 0)
		return err->code;
	*ret = blocks.list;
	*ret_n = blocks.n;
	return 0;
}

/* See token_file.h. CSV as RFC 4180 has it. Tokens are looked up by their hash, so that the time that takes tells
 * nobody how much of a guess was right. */
#include "api/server/auth/identity/token_file.h"

#include "base/check.h"
#include "base/mem/map.h"
#include "base/pki/pki.h"

#include <stdlib.h>

enum { COLUMNS_MAX = 8 };

struct token_file {
	struct arena arena;
	struct map users; /* hash of the token in hex -> struct user */
};

struct reader {
	struct arena *a;
	struct slice rest;
	unsigned line;
	struct err *err;
};

static int bad(struct reader *r, const char *why)
{
	return err_set(r->err, ERR_INVAL, "line %u: %s", r->line, why);
}

static bool at_end_of_line(const struct reader *r)
{
	return !r->rest.len || *r->rest.ptr == '\n' || *r->rest.ptr == '\r';
}

static void step(struct reader *r)
{
	r->rest = (struct slice){r->rest.ptr + 1, r->rest.len - 1};
}

/* One field, and the comma behind it when there is one (*is_last false). */
static int field(struct reader *r, struct slice *ret, bool *is_last)
{
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	bool is_quoted = r->rest.len && *r->rest.ptr == '"';
	if (is_quoted)
		step(r);
	for (;; step(r)) {
		if (is_quoted && !r->rest.len)
			return bad(r, "a quote has no end");
		if (is_quoted && *r->rest.ptr == '"') {
			step(r);
			if (!r->rest.len || *r->rest.ptr != '"')
				break;
		} else if (!is_quoted && (at_end_of_line(r) || *r->rest.ptr == ',')) {
			break;
		}
		if (*r->rest.ptr == '\n')
			return bad(r, "a quote has no end");
		strbuf_addc(&b, *r->rest.ptr);
	}
	*is_last = at_end_of_line(r);
	if (!*is_last && *r->rest.ptr != ',')
		return bad(r, "something stands behind a quote");
	if (!*is_last)
		step(r);
	struct slice text = slice_trim(strbuf_slice(&b));
	*ret = (struct slice){arena_memdup(r->a, text.len ? text.ptr : "", text.len), text.len};
	return 0;
}

static int add(struct token_file *f, struct reader *r, const struct slice *columns, size_t n)
{
	char hash[65];
	struct slice groups = n > 3 ? columns[3] : SLICE_NULL;
	if (n < 3)
		return bad(r, "it is not token,user,uid or token,user,uid,\"group,group\"");
	if (!columns[0].len || !columns[1].len)
		return bad(r, "token and user must not be empty");
	pki_sha256_hex(columns[0].ptr, columns[0].len, hash);
	struct user *u = user_new(columns[1], columns[2]), *before;
	while (groups.ptr) {
		struct slice group = slice_trim(slice_cut(&groups, ','));
		if (group.len && !user_add_group(u, group)) {
			user_unref(u);
			return bad(r, "too many groups");
		}
	}
	if (!user_add_group(u, SLICE("system:authenticated"))) {
		user_unref(u);
		return bad(r, "too many groups");
	}
	before = map_put(&f->users, slice_of(arena_strdup(&f->arena, hash)), u);
	user_unref(before);
	return before ? bad(r, "its token was there before") : 0;
}

static int read_line(struct token_file *f, struct reader *r)
{
	struct slice columns[COLUMNS_MAX];
	size_t n = 0;
	bool is_last = at_end_of_line(r), is_empty = is_last;
	while (!is_empty && !is_last) {
		if (n == COLUMNS_MAX)
			return bad(r, "too many columns");
		if (field(r, &columns[n++], &is_last) != 0)
			return r->err->code;
	}
	int rc = is_empty ? 0 : add(f, r, columns, n);
	if (r->rest.len && *r->rest.ptr == '\r')
		step(r);
	if (rc == 0 && r->rest.len && *r->rest.ptr != '\n')
		return bad(r, "a carriage return in the middle");
	if (r->rest.len)
		step(r);
	return rc;
}

int token_file_parse(struct slice text, struct token_file **ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct reader r = {&a, text, 0, err};
	struct token_file *f = xcalloc(1, sizeof *f);
	int rc = 0;
	while (rc == 0 && r.rest.len) {
		r.line++;
		rc = read_line(f, &r);
	}
	arena_release(&a);
	if (rc != 0) {
		token_file_free(f);
		return rc;
	}
	*ret = f;
	return 0;
}

int token_file_load(const char *path, struct token_file **ret, struct err *err)
{
	char *text;
	size_t len;
	if (pki_file_read(path, &text, &len, err) != 0)
		return err->code;
	int rc = token_file_parse((struct slice){text, len}, ret, err);
	free(text);
	return rc == 0 ? 0 : err_wrap(err, "%s", path);
}

void token_file_free(struct token_file *f)
{
	if (!f)
		return;
	MAP_FOREACH (it, &f->users)
		user_unref(it->value);
	map_release(&f->users);
	arena_release(&f->arena);
	free(f);
}

struct user *token_file_user(const struct token_file *f, struct slice token)
{
	char hash[65];
	pki_sha256_hex(token.ptr, token.len, hash);
	struct user *u = map_get(&f->users, slice_of(hash));
	return u ? user_ref(u) : NULL;
}

/* Text: slices (borrowed bytes with a length) and strbuf (a growing buffer).
 *
 * A slice owns nothing and need not be terminated; whoever made it says how long the bytes live. A strbuf owns its
 * memory and always keeps a zero byte after its content. One thread at a time. */
#ifndef K3X_BASE_MEM_STR_H
#define K3X_BASE_MEM_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena;

struct slice {
	const char *ptr;
	size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_NULL ((struct slice){NULL, 0})
/* For "%.*s". */
#define SLICE_FMT(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static inline struct slice slice_of(const char *text)
{
	return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
	return slice_eq(a, slice_of(text));
}

bool slice_is_any(struct slice s, const char *const *list, size_t count);
/* Two lower-case digits a byte, and a zero byte: 2 * len + 1 in all. */
void hex_write(const void *raw, size_t len, char *ret);
int slice_cmp(struct slice a, struct slice b); /* byte order, shorter first */
bool slice_starts(struct slice s, const char *prefix);
bool slice_ends(struct slice s, const char *suffix);
bool slice_caseis(struct slice s, const char *text); /* ASCII case ignored */
struct slice slice_trim(struct slice s);             /* spaces, tabs, CR, LF at both ends */
/* A copy in the arena with ASCII letters in lower case, and a zero byte behind it. */
struct slice slice_lower(struct arena *a, struct slice s);

/* What a hexadecimal digit is worth; -1: it is none. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Cuts s at the first `sep`: returns what is before it and leaves what is behind it in *s. Without a sep the whole is
 * returned and *s becomes SLICE_NULL. */
struct slice slice_cut(struct slice *s, char sep);

/* Decimal integers, whole slice, no sign for u64: false when it is not one or does not fit. */
bool slice_to_u64(struct slice s, uint64_t *out);
bool slice_to_i64(struct slice s, int64_t *out);

struct strbuf {
	char *data; /* NULL only before the first append */
	size_t len;
	size_t cap;
};

#define STRBUF_INIT ((struct strbuf){0})

void strbuf_init(struct strbuf *b);
void strbuf_release(struct strbuf *b);
void strbuf_reset(struct strbuf *b); /* empty, memory kept */
void strbuf_reserve(struct strbuf *b, size_t extra);
void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_adds(struct strbuf *b, const char *text);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_add_slice(struct strbuf *b, struct slice s);
__attribute__((format(printf, 2, 3))) void strbuf_addf(struct strbuf *b, const char *fmt, ...);
void strbuf_add_u64(struct strbuf *b, uint64_t v);
void strbuf_add_i64(struct strbuf *b, int64_t v);
const char *strbuf_cstr(const struct strbuf *b); /* "" when empty; valid until the next append */
struct slice strbuf_slice(const struct strbuf *b);
/* Gives the memory (terminated, from malloc, never NULL) to the caller and empties the buffer. */
char *strbuf_detach(struct strbuf *b);
void cleanup_strbuf(struct strbuf *b);

#endif

/* JSON: a validating scanner that allocates nothing, a tree for what must be changed, and a writer.
 *
 * Three ways to work, cheapest first:
 *   scan    walk the bytes (base/json/scan.h): selectors, tables, controllers' reads. No memory, one pass.
 *   tree    json_parse() into an arena: request bodies, patches, configuration. Freed with the arena.
 *   write   strbuf appends for what we compose ourselves.
 * There is one tokenizer under both, so that two parsers can never disagree about one text (RFC 8259).
 *
 * The tree keeps members in the order they came, numbers as the text they were (so 1.0 and 64-bit integers survive a
 * round trip), and strings unescaped as UTF-8. It is made of arena memory and borrows from it: values must not outlive
 * their arena, and may be linked into another tree of the same or an older arena. One thread at a time. */
#ifndef K3X_BASE_JSON_JSON_H
#define K3X_BASE_JSON_JSON_H

#include "base/err.h"
#include "base/limits.h"
#include "base/mem/arena.h"
#include "base/mem/map.h"
#include "base/mem/str.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	struct json *next, *prev; /* siblings */
	struct slice key;         /* member name, inside an object */
	enum json_type type;
	bool boolean;
	uint32_t count;     /* children */
	uint32_t offset;    /* of a member that was parsed: its place in the text, right behind its name; else 0 */
	struct slice text;  /* string bytes (may hold zero bytes) or number text */
	struct json *first; /* children in order */
	struct json *last;
};

#define JSON_FOREACH(it, parent) for (struct json *it = (parent) ? (parent)->first : NULL; it; it = it->next)

enum { JSON_DEPTH_MAX = API_TREE_DEPTH_MAX };

/* on_duplicate is called for every member name that is repeated in one object: `path` like "spec.containers[0].image",
 * `offset` where the repetition stands in the text. The last value wins, as in Go, at the place of the first. NULL
 * callback: duplicates are errors. */
struct json_parse_options {
	void (*on_duplicate)(void *arg, const char *path, size_t offset);
	void *arg;
};

/* Parses one value with nothing but white space around it. Returns NULL with ERR_INVAL and "offset N: what" when the
 * text is not JSON, is not UTF-8 or nests deeper than JSON_DEPTH_MAX, and with the budget's error when the arena's is
 * used up. The text is copied: it may be freed after.
 * `opts` NULL: duplicate names are an error. */
struct json *json_parse(struct arena *a, struct slice text, const struct json_parse_options *opts, struct err *err);
/* A text of the program's own, which is right. */
struct json *json_literal(struct arena *a, const char *text);

/* ---- reading: all accept NULL and the wrong type and then answer "absent" ---- */
struct json *json_get(const struct json *obj, const char *key);
struct json *json_get_slice(const struct json *obj, struct slice key);
/* Walks member names, the last argument is NULL: json_path(pod, "spec", "nodeName", NULL). */
__attribute__((sentinel)) struct json *json_path(const struct json *v, ...);
struct json *json_at(const struct json *array, size_t index);
struct slice json_str(const struct json *v); /* SLICE_NULL unless a string */
struct slice json_get_str(const struct json *obj, const char *key);
/* A terminated copy in the arena, "" when absent. */
const char *json_cstr(struct arena *a, const struct json *v);
int64_t json_int(const struct json *v, int64_t fallback); /* also accepts 3.0 and 3e2 */
int64_t json_get_int(const struct json *obj, const char *key, int64_t fallback);
bool json_bool(const struct json *v, bool fallback);
bool json_get_bool(const struct json *obj, const char *key, bool fallback);
static inline bool json_is(const struct json *v, enum json_type t)
{
	return v && v->type == t;
}
/* Member order ignored, numbers by value. (The linker's name: jansson, in the same program, has a json_equal too.) */
bool json_equal(const struct json *a, const struct json *b) __asm__("k3x_json_equal");
const char *json_type_name(enum json_type t); /* "string", "object", ... */

/* ---- making and changing: text arguments are copied into the arena unless the name says borrow ---- */
struct json *json_new(struct arena *a, enum json_type type);
struct json *json_new_str(struct arena *a, struct slice s);
struct json *json_new_cstr(struct arena *a, const char *s);
struct json *json_new_int(struct arena *a, int64_t v);
struct json *json_new_bool(struct arena *a, bool v);
struct json *json_new_number(struct arena *a, struct slice text);                       /* text must be a JSON number */
struct json *json_copy(struct arena *a, const struct json *v) __asm__("k3x_json_copy"); /* deep */
/* The same in one piece, as small as it can be: for trees that are kept for long. */
struct json *json_copy_packed(struct arena *a, const struct json *v);

/* Sets a member: replaces in place or appends. `value` must not be linked anywhere else. Returns value. */
struct json *json_set(struct arena *a, struct json *obj, const char *key, struct json *value);
struct json *json_set_slice(struct arena *a, struct json *obj, struct slice key, struct json *value);
void json_set_str(struct arena *a, struct json *obj, const char *key, struct slice s);
void json_set_cstr(struct arena *a, struct json *obj, const char *key, const char *s);
void json_set_int(struct arena *a, struct json *obj, const char *key, int64_t v);
void json_set_bool(struct arena *a, struct json *obj, const char *key, bool v);
/* Returns the member, made as an empty object or array when it is absent or of another type. */
struct json *json_need(struct arena *a, struct json *obj, const char *key, enum json_type type);
bool json_del(struct json *obj, const char *key);
bool json_del_slice(struct json *obj, struct slice key);
void json_append(struct json *array, struct json *value);
void json_insert(struct json *array, size_t index, struct json *value); /* index <= count */
void json_remove(struct json *parent, struct json *child);              /* unlinks; child must be there */

/* ---- members of objects that may be large ---- */
/* json_get() and json_set() walk the members, which is right for the few that kinds have. Who looks up or sets as many
 * members as a client cares to send does it through an index: hashed from the 25th member on.
 * The object must not be changed but through it. */
struct json_index {
	struct json *object;
	struct map map;
};
void json_index_init(struct json_index *x, struct json *object); /* NULL and other types: no members */
void json_index_release(struct json_index *x);
struct json *json_index_get(struct json_index *x, struct slice key);
/* Replaces in place or appends. The key's bytes are borrowed: they live as long as the object. */
void json_index_set(struct json_index *x, struct slice key, struct json *value);
void json_index_del(struct json_index *x, struct slice key);

/* ---- writing ---- */
void json_write(struct strbuf *out, const struct json *v);        /* compact */
void json_write_pretty(struct strbuf *out, const struct json *v); /* two spaces */
/* A quoted, escaped string. Invalid UTF-8 becomes U+FFFD, so that what we write always parses. */
void json_write_str(struct strbuf *out, struct slice s);

#endif

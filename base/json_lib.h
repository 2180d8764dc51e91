/* jansson, as we use it: the JSON of all that is no API object. Results, exports, claims and configuration are small or
 * come a line at a time, so a tree of counted values is cheap enough for them; objects of the API have base/json.
 *
 * This is the one place that includes <jansson.h>. Its names cannot meet those of base/json/json.h in one file (both
 * have a JSON_OBJECT), and need not: who holds an API object hands over texts and numbers.
 *
 *     json_auto_t *v = json_lib_parse(text, err);        freed when v leaves its scope
 *     json_lib_set_int(v, "revision", 7);                 members keep the order in which they were set
 *     json_lib_write(&out, v);
 *
 * Memory comes from xmalloc(), so making a value never fails. Any thread, a tree in one at a time. */
#ifndef K3X_BASE_JSON_LIB_H
#define K3X_BASE_JSON_LIB_H

#include "base/err.h"
#include "base/mem/str.h"

#include <jansson.h>
#include <stdio.h>

/* Parses one value, of any type, with nothing but white space around it; the caller owns it. NULL with ERR_INVAL and
 * "offset N: what" for text that is not JSON or UTF-8, repeats a member's name, nests deeper than API_TREE_DEPTH_MAX,
 * has a zero byte in a string, or a whole number of more than 64 bits. */
json_t *json_lib_parse(struct slice text, struct err *err);

/* ---- reading: NULL and the wrong type answer "absent" ---- */
struct slice json_lib_str(const json_t *v); /* SLICE_NULL unless a string; lives as long as v */
struct slice json_lib_get_str(const json_t *object, const char *name);
/* A whole number, also when it is written as 3.0 or 3e2. */
int64_t json_lib_get_int(const json_t *object, const char *name, int64_t fallback);
bool json_lib_get_bool(const json_t *object, const char *name, bool fallback);

/* ---- making ---- */
/* Bytes that are not UTF-8 become U+FFFD, so that what we write always parses. */
json_t *json_lib_new_str(struct slice s);
/* Sets or replaces a member, and takes the value over. */
void json_lib_set(json_t *object, const char *name, json_t *value);
void json_lib_set_str(json_t *object, const char *name, struct slice s);
void json_lib_set_cstr(json_t *object, const char *name, const char *text);
__attribute__((format(printf, 3, 4))) void json_lib_set_fmt(json_t *object, const char *name, const char *fmt, ...);
void json_lib_set_int(json_t *object, const char *name, int64_t v);
void json_lib_set_real(json_t *object, const char *name, double v); /* what is no number becomes null */
void json_lib_set_bool(json_t *object, const char *name, bool v);

/* ---- writing: fractions with at most 15 digits, which are those that a double keeps ---- */
void json_lib_write(struct strbuf *out, const json_t *v);        /* compact */
void json_lib_write_pretty(struct strbuf *out, const json_t *v); /* two spaces */
/* A compact line, flushed; frees the value. */
void json_lib_print(FILE *to, json_t *v);

#endif

/* The scanner: walks validated or unvalidated JSON text without memory of its own.
 *
 *     struct json_scan s;
 *     json_scan_init(&s, text);
 *     if (json_scan_next(&s) == JSON_TOKEN_OBJECT)
 *             while (json_scan_member(&s)) {
 *                     if (slice_is(s.key, "metadata")) ... else json_scan_skip(&s);
 *             }
 *     if (s.error) ...
 *
 * After json_scan_member()/json_scan_element() returns true the value lies ahead: read it with json_scan_next(), or
 * step over it with json_scan_skip(). Spans point into the text. Keys and strings are raw, that is still escaped;
 * s.escaped says whether json_unescape() is needed. Errors stick: every later call answers END or false. */
#ifndef K3X_BASE_JSON_SCAN_H
#define K3X_BASE_JSON_SCAN_H

#include "base/mem/str.h"

enum json_token {
	JSON_TOKEN_END, /* nothing left, or an error */
	JSON_TOKEN_NULL,
	JSON_TOKEN_TRUE,
	JSON_TOKEN_FALSE,
	JSON_TOKEN_NUMBER,
	JSON_TOKEN_STRING,
	JSON_TOKEN_ARRAY,
	JSON_TOKEN_OBJECT,
};

struct json_scan {
	const char *begin;
	const char *pos;
	const char *end;
	struct slice key;  /* of the member last stepped to, raw, without quotes */
	struct slice text; /* of the string (without quotes) or number last read */
	bool key_escaped;
	bool escaped;
	bool first;        /* no element of the innermost container was read yet */
	const char *error; /* static text, NULL while all is well */
	int depth;
};

void json_scan_init(struct json_scan *s, struct slice text);
enum json_token json_scan_next(struct json_scan *s); /* reads one scalar, or steps into a container */
bool json_scan_member(struct json_scan *s);          /* inside an object: true and key set, or false at '}' */
bool json_scan_element(struct json_scan *s);         /* inside an array: true, or false at ']' */
bool json_scan_skip(struct json_scan *s);            /* steps over one value; text becomes its raw span */
bool json_scan_at_end(struct json_scan *s);          /* only white space is left; sets error otherwise */
size_t json_scan_offset(const struct json_scan *s);  /* of the error or the next byte */

/* Unescapes raw string text into dst (at least raw.len bytes); returns the length. The text must have been scanned. */
size_t json_unescape(char *dst, struct slice raw);

/* The raw span of the value at a path of member names ("metadata", "name", NULL): strings without their quotes, no
 * unescaping. SLICE_NULL when absent or null. */
__attribute__((sentinel)) struct slice json_find(struct slice text, ...);

#endif

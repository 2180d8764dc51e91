/* See s3_xml.h. S3's answers are flat: an element of a name is looked for in a span of text, and what is between its
 * tags is its value. Attributes and comments do not come in what is read here; where they would, the value is what it
 * is, and no key of ours. */
#include "tools/snapshots/s3_xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEY_BYTES_MAX = 1024 };

/* The next <name>...</name> in *rest, which then stands behind it. SLICE_NULL: there is none. */
static struct slice element(struct slice *rest, const char *name)
{
	char open[64], close[64];
	size_t n = (size_t)snprintf(open, sizeof open, "<%s>", name),
	       m = (size_t)snprintf(close, sizeof close, "</%s>", name);
	const char *from = rest->len ? memmem(rest->ptr, rest->len, open, n) : NULL;
	if (!from)
		return SLICE_NULL;
	from += n;
	size_t left = rest->len - (size_t)(from - rest->ptr);
	const char *to = memmem(from, left, close, m);
	if (!to)
		return SLICE_NULL;
	*rest = (struct slice){to + m, left - (size_t)(to - from) - m};
	return (struct slice){from, (size_t)(to - from)};
}

static struct slice first(struct slice in, const char *name)
{
	return element(&in, name);
}

/* The five names and numbers below 128: no key of ours has others. */
static const char *unescape(struct arena *a, struct slice s)
{
	if (slice_starts(s, "<![CDATA[") && slice_ends(s, "]]>")) /* as it is */
		return arena_memdup(a, s.ptr + 9, s.len < 12 ? 0 : s.len - 12);
	static const struct {
		const char *name;
		char c;
	} names[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
	char *out = arena_memdup(a, s.ptr ? s.ptr : "", s.len), *to = out;
	for (size_t i = 0; i < s.len;) {
		struct slice at = {s.ptr + i, s.len - i};
		size_t k = 0;
		while (k < 5 && !slice_starts(at, names[k].name))
			k++;
		*to++ = k < 5 ? names[k].c : s.ptr[i];
		i += k < 5 ? strlen(names[k].name) : 1;
	}
	*to = 0;
	return out;
}

/* "2026-11-28T20:06:56.000Z"; 0: it is none. */
static int64_t parse_time(struct arena *a, struct slice s)
{
	struct tm tm = {0};
	const char *end = strptime(unescape(a, s), "%Y-%m-%dT%H:%M:%S", &tm);
	return end ? (int64_t)timegm(&tm) : 0;
}

int s3_xml_list(struct arena *a, struct slice xml, void (*object)(void *arg, const struct s3_object *o), void *arg,
        const char **ret_next, struct err *err)
{
	struct slice rest = xml;
	if (!xml.len || !memmem(xml.ptr, xml.len, "ListBucketResult", 16))
		return err_set(err, ERR_PROTOCOL, "the answer is no list of objects: is that an S3 server?");
	for (struct slice one; (one = element(&rest, "Contents")).ptr;) {
		struct slice key = first(one, "Key");
		struct s3_object o = {.modified_s = parse_time(a, first(one, "LastModified"))};
		if (!key.len || key.len > KEY_BYTES_MAX || memchr(key.ptr, 0, key.len) ||
		        !slice_to_i64(first(one, "Size"), &o.size) || o.size < 0)
			return err_set(err, ERR_PROTOCOL, "the list of objects has one without a key or size");
		o.key = unescape(a, key);
		object(arg, &o);
	}
	struct slice next = first(xml, "NextContinuationToken");
	*ret_next = slice_is(first(xml, "IsTruncated"), "true") && next.len ? unescape(a, next) : NULL;
	return 0;
}

const char *s3_xml_error(struct arena *a, struct slice xml)
{
	struct slice code = first(xml, "Code"), message = first(xml, "Message");
	if (!code.len)
		return "";
	return arena_printf(a, "%s%s%s", unescape(a, code), message.len ? ": " : "", unescape(a, message));
}

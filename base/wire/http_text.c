/* Small texts of HTTP: status lines, percent escapes, queries. See http.h. */
#include "base/wire/http.h"

#include <string.h>

const char *http_status_text(int status)
{
	switch (status) {
#define STATUS(code, text) \
	case code: \
		return text;
		STATUS(100, "Continue")
		STATUS(101, "Switching Protocols")
		STATUS(200, "OK")
		STATUS(201, "Created")
		STATUS(202, "Accepted")
		STATUS(204, "No Content")
		STATUS(206, "Partial Content")
		STATUS(301, "Moved Permanently")
		STATUS(302, "Found")
		STATUS(304, "Not Modified")
		STATUS(307, "Temporary Redirect")
		STATUS(308, "Permanent Redirect")
		STATUS(400, "Bad Request")
		STATUS(401, "Unauthorized")
		STATUS(403, "Forbidden")
		STATUS(404, "Not Found")
		STATUS(405, "Method Not Allowed")
		STATUS(406, "Not Acceptable")
		STATUS(408, "Request Timeout")
		STATUS(409, "Conflict")
		STATUS(410, "Gone")
		STATUS(411, "Length Required")
		STATUS(412, "Precondition Failed")
		STATUS(413, "Request Entity Too Large")
		STATUS(415, "Unsupported Media Type")
		STATUS(422, "Unprocessable Entity")
		STATUS(426, "Upgrade Required")
		STATUS(429, "Too Many Requests")
		STATUS(431, "Request Header Fields Too Large")
		STATUS(500, "Internal Server Error")
		STATUS(501, "Not Implemented")
		STATUS(502, "Bad Gateway")
		STATUS(503, "Service Unavailable")
		STATUS(504, "Gateway Timeout")
		STATUS(505, "HTTP Version Not Supported")
		STATUS(507, "Insufficient Storage")
#undef STATUS
	default:
		return "";
	}
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-_.~", c));
}

void http_encode(struct strbuf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		strbuf_addf(out, is_unreserved(c) ? "%c" : "%%%02X", c);
	}
}

bool http_decode(struct arena *a, struct slice s, bool is_query, struct slice *ret)
{
	char *out = arena_alloc(a, s.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (c == '%') {
			int hi = i + 2 < s.len ? hex_digit(s.ptr[i + 1]) : -1;
			int lo = hi >= 0 ? hex_digit(s.ptr[i + 2]) : -1;
			if (lo < 0)
				return false;
			c = (char)(hi << 4 | lo);
			i += 2;
		} else if (c == '+' && is_query) {
			c = ' ';
		}
		if (c == 0)
			return false;
		out[n++] = c;
	}
	out[n] = 0;
	*ret = (struct slice){out, n};
	return true;
}

bool http_query_next(struct arena *a, struct slice *rest, struct slice *name, struct slice *value)
{
	while (rest->len) {
		struct slice v = slice_cut(rest, '&');
		struct slice k = slice_cut(&v, '=');
		if (k.len && http_decode(a, k, true, name) && http_decode(a, v, true, value))
			return true;
	}
	return false;
}

static bool is_named(struct slice connection, struct slice name)
{
	while (connection.len) {
		struct slice it = slice_trim(slice_cut(&connection, ','));
		if (it.len == name.len && strncasecmp(it.ptr, name.ptr, name.len) == 0)
			return true;
	}
	return false;
}

bool http_is_of_connection(struct slice name, struct slice connection)
{
	static const char *const names[] = {"connection", "keep-alive", "proxy-connection", "proxy-authenticate",
	        "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "content-length"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (slice_is(name, names[i]))
			return true;
	return is_named(connection, name);
}

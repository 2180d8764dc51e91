/* See url.h. */
#include "base/wire/url.h"

#include "base/mem/str.h"

#include <sys/un.h>

static int bad(const char *text, struct err *err)
{
	return err_set(err, ERR_INVAL, "URL \"%s\" is not like http://127.0.0.1:2379 or https://[::1]:2379", text);
}

int url_parse(struct arena *a, const char *text, int default_port, struct url *ret, struct err *err)
{
	struct slice rest = slice_of(text), host;
	int64_t port = default_port;
	bool is_tls = slice_starts(rest, "https://");
	if (!is_tls && !slice_starts(rest, "http://"))
		return err_set(err, ERR_INVAL, "URL \"%s\" must begin with http:// or https://", text);
	rest.ptr += is_tls ? 8 : 7;
	rest.len -= is_tls ? 8 : 7;
	if (slice_ends(rest, "/"))
		rest.len--;
	if (rest.len && rest.ptr[0] == '[') {
		rest.ptr++;
		rest.len--;
		host = slice_cut(&rest, ']');
		if (!rest.ptr || (rest.len && rest.ptr[0] != ':'))
			return bad(text, err);
		rest = rest.len ? (struct slice){rest.ptr + 1, rest.len - 1} : SLICE_NULL;
	} else {
		host = slice_cut(&rest, ':');
	}
	if (!host.len || memchr(host.ptr, '/', host.len) ||
	        (rest.ptr ? !slice_to_i64(rest, &port) : default_port == 0) || port < 0 || port > 65535)
		return bad(text, err);
	*ret = (struct url){is_tls, arena_printf(a, "%.*s", SLICE_FMT(host)), (int)port, NULL};
	return 0;
}

int url_parse_any(struct arena *a, const char *text, int default_port, struct url *ret, struct err *err)
{
	struct slice rest = slice_of(text);
	bool is_tls = slice_starts(rest, "unixs://");
	if (!is_tls && !slice_starts(rest, "unix://"))
		return url_parse(a, text, default_port, ret, err);
	const char *path = text + (is_tls ? 8 : 7);
	if (!*path || strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
		return err_set(err, ERR_INVAL, "URL \"%s\": the path of a socket has 1 to %zu bytes", text,
		        sizeof((struct sockaddr_un *)0)->sun_path - 1);
	*ret = (struct url){is_tls, "localhost", 0, arena_strdup(a, path)};
	return 0;
}

const char *url_authority(struct arena *a, const char *host, int port)
{
	return arena_printf(a, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
}

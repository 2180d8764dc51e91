/* Names of datastores, as k3s takes them:
 *
 *     postgres://user:password@host:port/database?sslmode=verify-full     (postgresql:// too; libpq reads it, with all
 *                                                                          it knows: several hosts, sockets, services)
 *     mysql://user:password@tcp(host:port)/database?tls=true              (or @unix(/path/of.sock)/, or @host:port/)
 *     https://host:2379,https://host:2379                                 (an etcd; http:// too, all of them the same)
 *
 * A password may hold what it likes: the last @ before the host ends it, and %XX stands for a byte. A message never
 * repeats the text, for it has the password in it. */
#include "store/engine/sql/dsn.h"

#include <stdlib.h>

static bool cut_prefix(struct slice *s, const char *prefix)
{
	if (!slice_starts(*s, prefix))
		return false;
	s->ptr += strlen(prefix);
	s->len -= strlen(prefix);
	return true;
}

/* The last `c`; s->len when there is none. */
static size_t last_of(struct slice s, char c)
{
	for (size_t i = s.len; i > 0; i--)
		if (s.ptr[i - 1] == c)
			return i - 1;
	return s.len;
}

/* NULL: a zero byte would come out. */
static const char *decode(struct arena *a, struct slice s)
{
	char *out = arena_alloc(a, s.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		bool is_code = s.ptr[i] == '%' && i + 2 < s.len && hex_digit(s.ptr[i + 1]) >= 0 &&
		               hex_digit(s.ptr[i + 2]) >= 0;
		out[n] = is_code ? (char)(hex_digit(s.ptr[i + 1]) * 16 + hex_digit(s.ptr[i + 2])) : s.ptr[i];
		i += is_code ? 2 : 0;
		if (!out[n++])
			return NULL;
	}
	out[n] = 0;
	return out;
}

static int bad(struct err *err, const char *what)
{
	return err_set(err, ERR_INVAL, "the datastore's name %s", what);
}

/* ---- MySQL ---- */

static int take_port(struct slice text, int *ret, struct err *err)
{
	uint64_t port;
	if (!slice_to_u64(text, &port) || port < 1 || port > 65535)
		return bad(err, "has a port that is none");
	*ret = (int)port;
	return 0;
}

static int take_host(struct arena *a, struct slice s, struct dsn *d, struct err *err)
{
	struct slice port = SLICE_NULL;
	if (s.len && s.ptr[0] == '[') {
		size_t end = last_of(s, ']');
		if (end == s.len)
			return bad(err, "has an address whose bracket is not closed");
		port = (struct slice){s.ptr + end + 1, s.len - end - 1};
		s = (struct slice){s.ptr + 1, end - 1};
		if (port.len && !cut_prefix(&port, ":"))
			return bad(err, "has something behind its address");
	} else if (last_of(s, ':') != s.len) {
		size_t colon = last_of(s, ':');
		port = (struct slice){s.ptr + colon + 1, s.len - colon - 1};
		s.len = colon;
		if (!port.len)
			return bad(err, "has a port that is none");
	}
	d->host = decode(a, s);
	if (!d->host)
		return bad(err, "has a zero byte in it");
	return port.len ? take_port(port, &d->port, err) : 0;
}

/* tcp(host:port), unix(/path), host:port */
static int take_address(struct arena *a, struct slice s, struct dsn *d, struct err *err)
{
	bool is_unix = cut_prefix(&s, "unix(");
	if (is_unix || cut_prefix(&s, "tcp(")) {
		if (!slice_ends(s, ")"))
			return bad(err, "has an address whose bracket is not closed");
		s.len--;
	}
	if (!is_unix)
		return take_host(a, s, d, err);
	d->socket = decode(a, s);
	return d->socket && d->socket[0] ? 0 : bad(err, "has a socket without a path");
}

static int take_parameters(struct arena *a, struct slice s, struct dsn *d, struct err *err)
{
	size_t cap = 1;
	for (size_t i = 0; i < s.len; i++)
		cap += s.ptr[i] == '&';
	d->parameters = arena_alloc(a, cap * sizeof *d->parameters);
	while (s.len) {
		struct slice pair = slice_cut(&s, '&');
		struct slice name = slice_cut(&pair, '=');
		struct dsn_parameter p = {decode(a, name), decode(a, pair)};
		if (!p.name || !p.value || !p.name[0])
			return bad(err, "has a parameter that is none");
		d->parameters[d->n_parameters++] = p;
	}
	return 0;
}

static int take_user(struct arena *a, struct slice s, struct dsn *d, struct err *err)
{
	struct slice user = slice_cut(&s, ':');
	d->user = decode(a, user);
	d->password = decode(a, s);
	return d->user && d->password ? 0 : bad(err, "has a zero byte in it");
}

static int parse_mysql(struct arena *a, struct slice s, struct dsn *d, struct err *err)
{
	/* the path of a socket has slashes: the database is behind the bracket, or behind the last slash */
	size_t query = last_of(s, '?');
	struct slice parameters = SLICE_NULL;
	if (query != s.len) {
		parameters = (struct slice){s.ptr + query + 1, s.len - query - 1};
		s.len = query;
	}
	size_t at = last_of(s, '@');
	struct slice address = at == s.len ? s : (struct slice){s.ptr + at + 1, s.len - at - 1};
	if (at != s.len && take_user(a, (struct slice){s.ptr, at}, d, err) != 0)
		return err->code;
	size_t slash = last_of(address, '/');
	if (slash == address.len || (slash > 0 && slice_ends(address, ")")))
		return bad(err, "names no database: put /DATABASE behind the address");
	d->database = decode(a, (struct slice){address.ptr + slash + 1, address.len - slash - 1});
	if (!d->database || !d->database[0])
		return bad(err, "names no database: put /DATABASE behind the address");
	address.len = slash;
	if (take_address(a, address, d, err) != 0)
		return err->code;
	return take_parameters(a, parameters, d, err);
}

/* ---- etcd ---- */

static int parse_etcd(struct arena *a, struct slice s, struct dsn *d, struct err *err)
{
	bool is_tls = slice_starts(s, "https://");
	size_t cap = 1;
	for (size_t i = 0; i < s.len; i++)
		cap += s.ptr[i] == ',';
	d->endpoints = arena_alloc(a, cap * sizeof *d->endpoints);
	while (s.len) {
		struct slice one = slice_trim(slice_cut(&s, ','));
		if (slice_starts(one, "https://") != is_tls || !(is_tls || slice_starts(one, "http://")))
			return bad(err, "lists servers of which some are https:// and some are not");
		d->endpoints[d->n_endpoints++] = arena_printf(a, "%.*s", SLICE_FMT(one));
	}
	return 0;
}

/* ---- */

int dsn_parse(struct arena *a, const char *text, struct dsn *ret, struct err *err)
{
	struct slice s = slice_of(text);
	*ret = (struct dsn){.text = arena_printf(a, "%s", text),
	        .user = "",
	        .password = "",
	        .host = "",
	        .socket = "",
	        .database = ""};
	if (slice_starts(s, "postgres://") || slice_starts(s, "postgresql://")) {
		ret->kind = DSN_POSTGRES;
		return 0;
	}
	if (cut_prefix(&s, "mysql://")) {
		ret->kind = DSN_MYSQL;
		return parse_mysql(a, s, ret, err);
	}
	if (slice_starts(s, "http://") || slice_starts(s, "https://")) {
		ret->kind = DSN_ETCD;
		return parse_etcd(a, s, ret, err);
	}
	return bad(err, "begins with none of postgres://, mysql://, https:// and http://");
}

const char *dsn_redact(struct arena *a, const char *text)
{
	struct slice s = slice_of(text);
	const char *scheme = strstr(text, "://");
	size_t at = last_of(s, '@');
	size_t from = scheme ? (size_t)(scheme - text) + 3 : 0;
	const char *parameter =
	        strstr(text + (at < s.len ? at : 0), "password="); /* before it, it is of the password */
	if (parameter)
		s.len = (size_t)(parameter - text);
	if (at < s.len && at > from) {
		const char *colon = memchr(text + from, ':', at - from);
		size_t shown = colon ? (size_t)(colon - text) : at;
		return arena_printf(a, "%.*s%s%.*s%s", (int)shown, text, colon ? ":***" : "", (int)(s.len - at),
		        text + at, parameter ? "password=***" : "");
	}
	return arena_printf(a, "%.*s%s", SLICE_FMT(s), parameter ? "password=***" : "");
}

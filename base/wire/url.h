/* URLs of servers: http://host:port and https://host:port, nothing behind the port but a slash; and unix:///path and
 * unixs:///path, a socket. No state, any thread. */
#ifndef K3X_BASE_WIRE_URL_H
#define K3X_BASE_WIRE_URL_H

#include "base/err.h"
#include "base/mem/arena.h"

#include <stdbool.h>

struct url {
	bool is_tls;
	const char *host; /* in the arena; an IPv6 address without its brackets */
	int port;
	const char *unix_path; /* NULL: TCP; else host is "localhost" and port 0 */
};

/* Takes a URL apart; default_port is for those that name none, 0: they must. ERR_INVAL says what is wrong with it. */
int url_parse(struct arena *a, const char *text, int default_port, struct url *ret, struct err *err);

/* The same, or a socket's: unix://PATH, with TLS unixs://PATH. A path that does not begin with a slash is of the
 * working directory, as with etcd. */
int url_parse_any(struct arena *a, const char *text, int default_port, struct url *ret, struct err *err);

/* "10.0.0.1:6443", "[fd00::1]:6443", in the arena: a host and a port as they stand in a URL. */
const char *url_authority(struct arena *a, const char *host, int port);

#endif

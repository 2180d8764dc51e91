/* Who is at the other end of a connection. */
#ifndef K3X_BASE_WIRE_PEER_H
#define K3X_BASE_WIRE_PEER_H

#include "base/mem/str.h"

#include <stdbool.h>
#include <stddef.h>

/* What TLS proved about the peer. Lives as long as the connection. */
struct conn_peer {
	const char *address; /* "10.0.0.7:41234", "[::1]:80"; "@" for unix sockets and pairs */
	bool verified;       /* the peer's certificate was verified against the CA */
	bool is_proxy; /* it was, against the CA of proxies (tls_options.proxy_ca_file); names are filled for it too */
	struct slice common_name;
	const struct slice *organizations;
	size_t organizations_count;
	struct slice certificate_sha256; /* hex of the leaf; empty when none came */
};

#endif

/* One HTTPS call to a server, waited for: of a server or an agent that joins, before it has a loop to do it on, or of
 * an operator's command. */
#ifndef K3X_TOOLS_K3X_JOIN_JOIN_HTTP_H
#define K3X_TOOLS_K3X_JOIN_JOIN_HTTP_H

#include "base/err.h"
#include "base/wire/http.h"

enum { JOIN_HTTP_HEADERS_MAX = 4 };

struct join_http {
	const char *url;     /* "https://10.0.0.1:6443" */
	const char *ca_pem;  /* who vouches for the server; NULL: whoever it is (nothing secret may be sent) */
	const char *user;    /* "server" or "node": what it joins as */
	struct slice secret; /* of the token; empty: shows none */
	const char *cert_file, *key_file;  /* a certificate instead; NULL: shows none */
	const struct http_header *headers; /* beside those that are made here */
	size_t n_headers;
	/* Or by what else the caller proves who he is: NULL where not. */
	const char *bearer, *certificate_pem, *key_pem;
	const char *method, *path;
	struct slice body;
	unsigned timeout_ms; /* 0: 20 s */
	/* the answer */
	int64_t date_s; /* the server's clock, Unix time; 0: it did not say */
};

/* The body of a good answer is appended; else err is what the server's Status says, by its code, or why there was no
 * answer. Blocks, at most timeout_ms. Any thread that has no loop. */
int join_http_call(struct join_http *h, struct strbuf *answer, struct err *err);

#endif

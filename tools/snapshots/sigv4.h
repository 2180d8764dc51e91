/* Signatures of requests to S3 (AWS Signature Version 4, for the service "s3"). libcurl 7.88 has them too, but leaves
 * the port out of the host that it signs. Pure, any thread. */
#ifndef K3X_TOOLS_SNAPSHOTS_SIGV4_H
#define K3X_TOOLS_SNAPSHOTS_SIGV4_H

#include "base/mem/str.h"

#include <stdint.h>

struct sigv4_request {
	const char *method;
	const char *host;           /* as the Host header says it: with the port, when it is not the scheme's */
	const char *path;           /* escaped, begins with a slash */
	const char *query;          /* escaped, sorted; "" */
	const char *payload_sha256; /* hex */
	const char *region, *access_key, *secret_key;
	const char *session_token; /* NULL: none */
	const char *more_headers;  /* "range:bytes=0-9\n" and "range", for tests; NULL: none */
	const char *more_names;
	int64_t now_s;
};

/* "20130524T000000Z": what x-amz-date says. */
void sigv4_date(int64_t now_s, char ret[17]);

/* Appends the value of the Authorization header. The request must have host, x-amz-content-sha256 and x-amz-date, and
 * x-amz-security-token with a session token. */
void sigv4_authorize(const struct sigv4_request *r, struct strbuf *out);

/* Appends text with all but letters, digits, '-', '_', '.', '~' escaped, and '/' too unless it is a path. */
void sigv4_escape(struct strbuf *out, struct slice text, bool is_path);

#endif

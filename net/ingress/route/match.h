/* What a rule of an HTTPRoute asks of a request beside its path: its method, headers, parameters of the query. Pure. */
#ifndef K3X_NET_INGRESS_ROUTE_MATCH_H
#define K3X_NET_INGRESS_ROUTE_MATCH_H

#include "base/err.h"
#include "base/json/json.h"

#include <regex.h>

/* A request as the matcher sees it. */
struct match_asked {
	struct slice method, query;                          /* the query as it came, not decoded */
	struct slice (*header)(void *arg, const char *name); /* lower case; SLICE_NULL: there is none */
	void *arg;
};

struct match_term {
	const char *name;   /* of a header: lower case */
	struct slice value; /* exactly this; of a term with `regex` unused */
	regex_t *regex;
};

struct request_match {
	struct slice method; /* empty: any */
	struct match_term *headers, *queries;
	size_t n_headers, n_queries;
};

/* An entry of spec.rules[].matches; its path is not looked at. All lives in the arena. ERR_INVAL: a type that is not
 * known, or an expression that is none. */
int request_match_read(struct arena *a, const struct json *match, struct request_match *ret, struct err *err);
bool request_match_holds(const struct request_match *m, const struct match_asked *asked);

#endif

/* What a rule of an HTTPRoute does to requests and answers: its filters. Pure; all lives in the arena. */
#ifndef K3X_NET_INGRESS_ROUTE_FILTERS_H
#define K3X_NET_INGRESS_ROUTE_FILTERS_H

#include "base/err.h"
#include "base/json/json.h"
#include "net/ingress/route/path.h"

enum header_op { HEADER_SET, HEADER_ADD, HEADER_REMOVE };

struct header_edit {
	enum header_op op;
	const char *name; /* lower case */
	struct slice value;
};

struct header_edits {
	struct header_edit *items;
	size_t count;
};

/* What becomes of a URL; what is NULL or 0 stays. */
struct url_change {
	const char *scheme, *host;
	unsigned port, status; /* of redirects */
	enum { URL_PATH_KEPT, URL_PATH_WHOLE, URL_PATH_PREFIX } path_change;
	struct slice path; /* what the path, or the part that the rule has matched, becomes */
};

struct route_filters {
	struct header_edits request, response;
	struct url_change *redirect; /* NULL: it is served */
	struct url_change *rewrite;  /* NULL: as it came */
};

/* spec.rules[].filters, NULL for none. ERR_INVAL names a filter that is not served. */
int route_filters_read(struct arena *a, const struct json *filters, struct route_filters *ret, struct err *err);
struct slice url_change_path(
        struct arena *a, const struct url_change *c, const struct path_rule *rule, struct slice path);

#endif

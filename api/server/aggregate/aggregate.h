/* Aggregated API servers. API loop. */
#ifndef K3X_API_SERVER_AGGREGATE_AGGREGATE_H
#define K3X_API_SERVER_AGGREGATE_AGGREGATE_H

#include "api/machinery/openapi/discovery.h"
#include "api/server/call.h"

struct aggregator;

struct aggregator *aggregator_new(struct api_server *s);
/* The cache is loaded: begins to ask. */
void aggregator_start(struct aggregator *g);
/* Every second. */
void aggregator_tick(struct aggregator *g);
/* Certificate files may have changed. */
void aggregator_reload(struct aggregator *g);
/* Nothing is asked or written any more; closed(arg) when nothing is under way. */
void aggregator_close(struct aggregator *g, void (*closed)(void *arg), void *arg);
/* Before the cache closes. */
void aggregator_stop(struct aggregator *g);
void aggregator_free(struct aggregator *g); /* NULL is allowed */

/* Is the path one of another server's resources, "/apis/GROUP/VERSION/..."? Then the call's route says what is asked,
 * of a row that lives as long as the call and is no row of the registry (resource.is_remote). ERR_METHOD. */
bool aggregate_route(struct aggregator *g, struct call *c, struct err *err);
/* Passes it on. The caller may do what he asks. */
void aggregate_pass(struct call *c);
/* The OpenAPI document of another server's version ("apis/GROUP/VERSION"), from there. False: it is none of theirs. */
bool aggregate_openapi(struct call *c, struct slice path);

/* What discovery tells of them; valid until the loop's turn ends. */
struct discovery_extras aggregate_discovery(struct aggregator *g);
/* It is another server's, and is not to be had: ERR_UNAVAILABLE; else 0. */
int aggregate_check(struct aggregator *g, struct slice group, struct slice version, struct err *err);

#endif

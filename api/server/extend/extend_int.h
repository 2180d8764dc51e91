/* What the files of the room share. */
#ifndef K3X_API_SERVER_EXTEND_EXTEND_INT_H
#define K3X_API_SERVER_EXTEND_EXTEND_INT_H

#include "api/client/client.h"
#include "api/machinery/rules/custom/custom_kind.h"
#include "api/server/cache/follower.h"
#include "api/server/extend/naming.h"
#include "api/server/state.h"

struct definition {
	struct slice name; /* key */
	struct definitions *all;
	struct list_link dirty; /* to be looked at */
	/* serving */
	struct custom_resources *set; /* NULL: not served */
	struct cache_kind kind;
	bool is_loading, is_added; /* its rows are in the registry */
	int64_t generation;        /* of the spec that the rows are of */
	/* establishing */
	struct arena arena; /* of its names */
	struct definition_names names;
	struct {
		struct client_request request;
		struct arena arena;
		bool is_out;
	} write;
	bool is_emptied; /* a deletion of all instances has been asked for, and came back */
	bool retries;    /* at the next tick */
};

struct definitions {
	struct api_server *server;
	struct cache_follower follower;
	struct map by_name;
	struct list_link dirty;
	struct loop_defer look;
	struct client *client;
	size_t loading;
	bool is_started, is_closing, leads;
	void (*ready)(struct api_server *s);
};

void definition_touch(struct definition *d);
const struct resource *definition_storage(const struct definition *d);
struct object *definition_object(const struct definition *d); /* borrowed; NULL: it is gone */

/* Takes the next step of what the leader does for a definition (establish.c); `crd` is its tree. */
void definition_establish(struct definition *d, struct arena *a, struct json *crd);
/* Whose names are not accepted may try again. */
void definitions_retry_names(struct definitions *all, struct slice group);

#endif

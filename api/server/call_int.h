/* A call: one API request, whatever transport it came by.
 *
 * A call has an arena of its own and is reference-counted, because work for it may be under way in the store when its
 * client goes away: the transport holds one reference, every asynchronous step one more. Steps that come back look at
 * call->gone first. A call is answered exactly once, by one of call_respond_*() or by call_stream_begin() ... _end().
 *
 * All on the API loop. */
#ifndef K3X_API_SERVER_CALL_INT_H
#define K3X_API_SERVER_CALL_INT_H

#include "api/machinery/schema/resources.h"
#include "api/machinery/rules/validate.h"
#include "api/server/object_int.h"
#include "base/wire/http.h"

struct api_server;
struct call;

struct user {
	struct slice name;
	struct slice *groups;
	size_t n_groups;
	struct slice uid;
	bool is_master; /* member of system:masters */
};

/* What the path says. */
struct route {
	bool is_resource;
	const struct resource *resource;
	const struct resource_sub *sub; /* NULL: the object itself */
	struct slice ns;                /* empty for cluster scope and lists over all namespaces */
	struct slice name;              /* empty: the collection */
	struct slice tail;              /* what follows a subresource that proxies: "/a/b" */
	enum resource_verb verb;
};

enum call_format { FORMAT_JSON, FORMAT_YAML, FORMAT_PROTOBUF };
enum call_shape { SHAPE_OBJECT, SHAPE_TABLE, SHAPE_PARTIAL };

struct call_transport {
	/* Takes over the references in bufs; the array lives as long as the call. */
	void (*respond)(struct call *c, int status, const char *content_type, struct http_buf *bufs, size_t count);
	void (*begin)(struct call *c, int status, const char *content_type);
	bool (*write)(struct call *c, struct http_buf piece); /* false: wait for on_writable */
	void (*end)(struct call *c);
	/* A watch event whose object needs no encoding; takes over the reference. NULL: the transport wants bytes. */
	bool (*event)(struct call *c, const char *type, struct rcbuf *object);
};

struct param {
	struct slice name;
	struct slice value;
};

struct call {
	struct api_server *server;
	struct arena arena;
	unsigned refs;
	bool gone; /* the client went away: nobody waits for an answer */
	bool answered;
	bool stored; /* a write of this call succeeded */
	const struct call_transport *transport;
	void *transport_data;
	/* request */
	struct slice method;
	struct slice path;
	struct slice query; /* raw */
	struct slice accept;
	struct slice content_type;
	struct slice body;
	struct param *params;
	size_t n_params;
	struct user user;
	struct route route;
	/* answer */
	enum call_format format;
	enum call_shape shape;
	struct slice table_include; /* "Metadata" (or empty), "Object", "None" */
	const char **warnings;      /* for Warning headers */
	size_t n_warnings;
	struct http_exchange *exchange; /* for what only HTTP can do (upgrades, ETags); NULL in-process */
	/* streams */
	void (*on_writable)(struct call *c);
	void (*on_gone)(struct call *c);
	void *handler_data;
	uint64_t started_ns;
};

struct call *call_new(struct api_server *s, const struct call_transport *t, void *transport_data);
struct call *call_ref(struct call *c);
void call_unref(struct call *c);

/* Transports say this when the client went away; drops their reference too. */
void call_set_gone(struct call *c);

/* Parses path, query and Accept; method, path, query, accept are set. */
void call_parse_query(struct call *c);
int call_negotiate(struct call *c, struct err *err);
struct slice call_param(const struct call *c, const char *name); /* SLICE_NULL when absent */
bool call_param_bool(const struct call *c, const char *name);    /* "true", "1" */
void call_warn(struct call *c, const char *text);                /* text lives as long as the arena */

/* ---- answers ---- */

/* A body in JSON that is not one of the kinds with conversions (discovery, health). */
void call_respond_text(struct call *c, int status, const char *content_type, struct slice body);
void call_respond_strbuf(struct call *c, int status, const char *content_type, struct strbuf *body);
/* One object in the call's format and shape. `text` is in the form of `from` (the storage row) and becomes that of the
 * route's row. Takes over the reference. */
void call_respond_object(struct call *c, int status, struct rcbuf *text, const struct resource *from);
/* An object of a kind that has no row (Scale, Status, TokenRequest, ...), as a tree. */
void call_respond_tree(struct call *c, int status, const struct json *tree);
void call_respond_err(struct call *c, const struct err *err);
void call_respond_invalid(
        struct call *c, const struct resource *r, struct slice name, const struct field_errors *errors);
/* Status Success, as deletions of some kinds answer. */
void call_respond_success(struct call *c, const struct resource *r, struct slice name, struct slice uid);

void call_stream_begin(struct call *c, int status, const char *content_type);
bool call_stream_write(struct call *c, struct http_buf piece);
bool call_stream_copy(struct call *c, struct slice bytes);
void call_stream_end(struct call *c);

/* ---- Status objects (status.c) ---- */
struct json *status_new(struct arena *a, int code, const char *reason, const char *message);
struct json *status_from_err(struct arena *a, const struct err *err, const struct route *route);
/* The errors of objects as upstream words them. */
int status_not_found(struct err *err, const struct resource *r, struct slice name);
int status_exists(struct err *err, const struct resource *r, struct slice name);
int status_conflict(struct err *err, const struct resource *r, struct slice name);

/* ---- shapes (shape.c) ---- */
/* Appends an object as PartialObjectMetadata. */
void shape_partial(struct strbuf *out, struct slice object_text);
/* Appends {"cells":...,"object":...} of one object. */
void shape_table_row(struct strbuf *out, const struct resource *r, struct slice object_text, struct slice include);
/* Appends the head of a Table up to `"rows":[`. */
void shape_table_head(struct strbuf *out, const struct resource *r, struct slice list_metadata, bool with_columns);
/* The text in the form of another row with the same storage; the same text when they are one. New reference. */
struct rcbuf *shape_convert(
        struct rcbuf *text, const struct resource *from, const struct resource *to, struct err *err);
/* JSON text in the call's format (YAML, protobuf); JSON is moved as it is. *text is emptied. */
int shape_encode(struct call *c, struct strbuf *text, struct strbuf *out, struct err *err);
const char *shape_content_type(enum call_format f);

/* ---- routing (route.c) ---- */
/* Fills c->route; ERR_NOT_FOUND, ERR_METHOD. is_resource false: not under /api/V or /apis/G/V. */
int route_parse(struct call *c, struct err *err);

#endif

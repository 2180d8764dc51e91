/* Answering a call, exactly once: a whole body by one of call_respond_*(), or a stream from call_stream_begin() to
 * call_stream_end(). What is written for a call whose client has gone is dropped. API loop. */
#ifndef K3X_API_SERVER_ANSWER_H
#define K3X_API_SERVER_ANSWER_H

#include "api/machinery/rules/validate.h"
#include "api/server/cache/object.h"
#include "api/server/call.h"

/* Books the bytes that an answer is about to be built of, until the call is over: the server builds only so many for
 * all calls together (API_BUILT_ANSWER_BYTES_MAX). ERR_BUSY when there is no room. */
int call_charge(struct call *c, size_t bytes, struct err *err);

/* The object's text as this client is to see it, in the stored form: with managedFields for those who read them. A new
 * reference. */
struct rcbuf *call_object_text(const struct call *c, const struct object *o);
/* Not in the rows of a table, unless it asks for whole objects: nobody would see them. */
bool call_shows_managed(const struct call *c);

/* Pieces by reference, as struct call_transport's respond. */
void call_respond_bufs(struct call *c, int status, const char *content_type, struct http_buf *bufs, size_t count);
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

/* The connection has become something else (http_upgrade()): there is no call any more. */
void call_upgraded(struct call *c);

void call_stream_begin(struct call *c, int status, const char *content_type);
bool call_stream_write(struct call *c, struct http_buf piece);
bool call_stream_copy(struct call *c, struct slice bytes);
void call_stream_end(struct call *c);

#endif

/* The table of methods: by which paths they are called, what handles them, and who may call. It stands in ../methods.c,
 * above all handlers. */
#ifndef K3X_STORE_ETCD_SERVE_METHOD_H
#define K3X_STORE_ETCD_SERVE_METHOD_H

#include "base/mem/str.h"

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>

struct etcd_call;
struct etcd_stream;

typedef void etcd_handler(struct etcd_call *c, struct slice message);
typedef void etcd_opener(struct etcd_stream *x);

/* Who may call, once authentication is on. */
enum etcd_access {
	ETCD_ACCESS_OPEN,  /* anybody, and no token is looked at */
	ETCD_ACCESS_KNOWN, /* the same, but the handler must know users and roles */
	ETCD_ACCESS_TOKEN, /* a token that comes must be good; what the request touches is checked when it is submitted
	                    */
	ETCD_ACCESS_ADMIN, /* who has the role root */
};

struct etcd_method {
	const char *path;      /* "/etcdserverpb.KV/Range" */
	const char *json_path; /* "/v3/kv/range"; NULL: not in the JSON gateway */
	etcd_handler *handler; /* unary; or */
	etcd_opener *open;     /* a stream */
	const ProtobufCMessageDescriptor *request;
	enum etcd_access access;
	bool is_data;   /* writes: refused while the alarm CORRUPT stands */
	bool is_recipe; /* made of other calls: its errors have etcd's words, and no code but UNKNOWN */
	bool is_feed;   /* a stream on which the client sends one message only */
};

/* By either path, NULL when there is none. */
const struct etcd_method *etcd_method_find(struct slice path);
const struct etcd_method *etcd_method_find_json(struct slice path);
/* All of them, for tests. */
const struct etcd_method *etcd_methods(size_t *ret_n);

#endif

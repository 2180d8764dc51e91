/* See known.h. */
#include "net/metrics/known.h"

#include "base/check.h"
#include "base/json/scan.h"
#include "base/rt/closing.h"

#include <stdlib.h>

enum { KUBELET_PORT = 10250 };

struct known {
	struct known_options o;
	struct informer *nodes, *pods;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- what is kept ---- */

static void add_member(struct strbuf *b, const char *name, struct slice raw, bool is_text)
{
	if (raw.ptr)
		strbuf_addf(b, "%s\"%s\":%s%.*s%s", b->data[b->len - 1] == '{' ? "" : ",", name, is_text ? "\"" : "",
		        SLICE_FMT(raw), is_text ? "\"" : "");
}

static void begin(struct strbuf *b, struct slice object)
{
	strbuf_adds(b, "{\"metadata\":{");
	add_member(b, "name", json_find(object, "metadata", "name", NULL), true);
	add_member(b, "namespace", json_find(object, "metadata", "namespace", NULL), true);
	add_member(b, "labels", json_find(object, "metadata", "labels", NULL), false);
	strbuf_adds(b, "}");
}

static struct rcbuf *end(struct strbuf *b)
{
	strbuf_adds(b, "}");
	struct rcbuf *r = rcbuf_copy(b->data, b->len);
	strbuf_release(b);
	return r;
}

struct rcbuf *known_digest_node(struct slice object)
{
	struct strbuf b = STRBUF_INIT;
	begin(&b, object);
	add_member(&b, "addresses", json_find(object, "status", "addresses", NULL), false);
	add_member(&b, "port", json_find(object, "status", "daemonEndpoints", "kubeletEndpoint", "Port", NULL), false);
	return end(&b);
}

struct rcbuf *known_digest_pod(struct slice object)
{
	struct strbuf b = STRBUF_INIT;
	begin(&b, object);
	add_member(&b, "phase", json_find(object, "status", "phase", NULL), true);
	return end(&b);
}

void known_address(
        struct arena *a, const struct informer_object *node, const char *types, const char **ret_host, int *ret_port)
{
	const struct json *tree = informer_parse(a, node);
	struct slice rest = slice_of(types);
	*ret_host = NULL;
	*ret_port = (int)json_get_int(tree, "port", KUBELET_PORT);
	while (rest.len && !*ret_host) {
		struct slice type = slice_trim(slice_cut(&rest, ','));
		JSON_FOREACH (it, json_get(tree, "addresses"))
			if (!*ret_host && slice_eq(json_get_str(it, "type"), type))
				*ret_host = json_cstr(a, json_get(it, "address"));
	}
	if (*ret_port <= 0 || *ret_port > 65535)
		*ret_port = KUBELET_PORT;
}

/* ---- following ---- */

static void node_added(void *arg, struct informer_object *o)
{
	struct known *k = arg;
	k->o.node_changed(k->o.arg, o->key);
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	if (before->len != o->json->len || memcmp(before->data, o->json->data, before->len) != 0)
		node_added(arg, o);
}

static void node_deleted(void *arg, struct informer_object *o)
{
	struct known *k = arg;
	k->o.node_gone(k->o.arg, o->key);
}

struct known *known_new(const struct known_options *options)
{
	struct known *k = xcalloc(1, sizeof *k);
	k->o = *options;
	k->nodes = informer_new(&(struct informer_options){.client = options->client,
	        .path = "/api/v1/nodes",
	        .digest = known_digest_node,
	        .added = node_added,
	        .updated = node_updated,
	        .deleted = node_deleted,
	        .arg = k});
	k->pods = informer_new(&(struct informer_options){
	        .client = options->client, .path = "/api/v1/pods", .digest = known_digest_pod});
	return k;
}

static void all_closed(struct closing *x)
{
	struct known *k = CONTAINER_OF(x, struct known, closing);
	void (*closed)(void *) = k->closed;
	void *arg = k->closed_arg;
	free(k);
	closed(arg);
}

void known_close(struct known *k, void (*closed)(void *arg), void *arg)
{
	k->closed = closed;
	k->closed_arg = arg;
	k->closing.all_closed = all_closed;
	closing_hold(&k->closing);
	closing_hold(&k->closing), informer_close(k->nodes, closing_part_done, &k->closing);
	closing_hold(&k->closing), informer_close(k->pods, closing_part_done, &k->closing);
	closing_part_done(&k->closing);
}

bool known_is_synced(const struct known *k)
{
	return informer_is_synced(k->nodes) && informer_is_synced(k->pods);
}

struct informer_object *known_node(const struct known *k, struct slice name)
{
	return informer_get(k->nodes, name);
}

struct informer_object *known_pod(const struct known *k, struct slice key)
{
	return informer_get(k->pods, key);
}

const struct informer *known_nodes(const struct known *k)
{
	return k->nodes;
}

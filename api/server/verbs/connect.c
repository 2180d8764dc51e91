/* pods/log, exec, attach and port-forward: streams that the API server passes on to the pod's kubelet.
 *
 * A log is an ordinary answer without an end: chunks go through as they come, the kubelet is held back while the client
 * does not read. The others are upgrades: the client's handshake headers go to the kubelet as they are, its answer
 * comes back, and from then on bytes are carried both ways between two connections until either side ends (so the
 * subprotocol, v5.channel.k8s.io or whatever follows, is between kubectl and the kubelet alone). What a node's proxy is
 * asked is passed on as it is, see node_proxy.c; proxies to pods and services are not built yet and say so. */
#include "api/server/verbs/kubelet_int.h"
#include "api/server/verbs/node_proxy_int.h"
#include "api/server/verbs/verbs.h"

#include "api/server/answer.h"
#include "api/server/cache/fresh.h"
#include "api/server/state.h"
#include "api/server/status.h"

#include "base/check.h"
#include "base/wire/conn_join.h"

#include <stdlib.h>

/* An upgrade that is under way, from one end to the other. */
struct session {
	struct api_server *server;
	struct list_link link;
	struct conn_join *join;
	struct http_client *client;
	struct call *call; /* a reference: what is audited of it ends with the session */
};

struct connection {
	struct call *call;
	struct kubelet kubelet;
	struct http_client *client;
	struct http_call *upstream; /* NULL before and after */
	bool begun;                 /* a stream answer was begun */
	struct strbuf refusal;      /* what the kubelet said instead of a log */
	const char *protocol;       /* of an upgrade */
};

enum { REFUSAL_BYTES_MAX = 300 };

/* ---- finding the kubelet ---- */

struct target {
	struct kubelet kubelet;
	struct slice ns, pod, container;
};

static struct json *find_container(const struct json *spec, struct slice name)
{
	static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
	for (size_t i = 0; i < 3; i++)
		JSON_FOREACH (it, json_get(spec, lists[i]))
			if (slice_eq(json_get_str(it, "name"), name))
				return it;
	return NULL;
}

static int choose_container(struct call *c, const struct json *pod, struct target *t, struct err *err)
{
	struct json *spec = json_get(pod, "spec"), *containers = json_get(spec, "containers");
	t->container = call_param(c, "container");
	if (!t->container.len && containers && containers->count == 1)
		t->container = json_get_str(containers->first, "name");
	if (!t->container.len) {
		struct strbuf names = STRBUF_INIT;
		JSON_FOREACH (it, containers)
			strbuf_addf(&names, "%s%.*s", names.len ? " " : "", SLICE_FMT(json_get_str(it, "name")));
		err_set(err, ERR_INVAL, "a container name must be specified for pod %.*s, choose one of: [%s]",
		        SLICE_FMT(t->pod), strbuf_cstr(&names));
		strbuf_release(&names);
		return err->code;
	}
	if (!find_container(spec, t->container))
		return err_set(err, ERR_INVAL, "container %.*s is not valid for pod %.*s", SLICE_FMT(t->container),
		        SLICE_FMT(t->pod));
	return 0;
}

static int find_target(struct call *c, struct target *t, struct err *err)
{
	const struct resource *r = c->route.resource;
	struct object *o = fresh_route_object(c);
	*t = (struct target){.ns = c->route.ns, .pod = c->route.name};
	if (!o)
		return status_not_found(err, r, c->route.name);
	struct json *pod = json_parse(&c->arena, object_text(o), NULL, err);
	struct slice node = json_str(json_path(pod, "spec", "nodeName", NULL));
	bool any = strcmp(c->route.sub->name, "portforward") == 0; /* ports are the pod's, not a container's */
	if (!pod || (!any && choose_container(c, pod, t, err) != 0))
		return err->code;
	if (!node.len)
		return err_set(err, ERR_INVAL, "pod %.*s does not have a host assigned", SLICE_FMT(t->pod));
	return kubelet_find(c, node, &t->kubelet, err);
}

/* ---- the request to the kubelet ---- */

static void add_query(struct strbuf *out, const char *name, struct slice value, char *sep)
{
	strbuf_addf(out, "%c%s=", *sep, name);
	*sep = '&';
	http_encode(out, value);
}

/* The kubelet's names for the API's parameters. */
static const char *kubelet_param(struct slice name)
{
	static const char *const map[][2] = {{"stdin", "input"}, {"stdout", "output"}, {"stderr", "error"},
	        {"tty", "tty"}, {"command", "command"}, {"follow", "follow"}, {"previous", "previous"},
	        {"sinceSeconds", "sinceSeconds"}, {"sinceTime", "sinceTime"}, {"timestamps", "timestamps"},
	        {"tailLines", "tailLines"}, {"limitBytes", "limitBytes"}, {"ports", "port"}};
	for (size_t i = 0; i < COUNT_OF(map); i++)
		if (slice_is(name, map[i][0]))
			return map[i][1];
	return NULL;
}

static const char *kubelet_path(struct call *c, const struct target *t)
{
	const char *sub = c->route.sub->name;
	struct strbuf path = STRBUF_INIT;
	char sep = '?';
	if (strcmp(sub, "log") == 0)
		strbuf_addf(&path, "/containerLogs/%.*s/%.*s/%.*s", SLICE_FMT(t->ns), SLICE_FMT(t->pod),
		        SLICE_FMT(t->container));
	else if (strcmp(sub, "portforward") == 0)
		strbuf_addf(&path, "/portForward/%.*s/%.*s", SLICE_FMT(t->ns), SLICE_FMT(t->pod));
	else
		strbuf_addf(
		        &path, "/%s/%.*s/%.*s/%.*s", sub, SLICE_FMT(t->ns), SLICE_FMT(t->pod), SLICE_FMT(t->container));
	for (size_t i = 0; i < c->n_params; i++) {
		const char *name = kubelet_param(c->params[i].name);
		struct slice value = c->params[i].value;
		if (!name)
			continue;
		if (strcmp(name, "command") != 0 && slice_is(value, "true"))
			value = strcmp(sub, "log") == 0 ? value : SLICE("1");
		add_query(&path, name, value, &sep);
	}
	const char *text = arena_strdup(&c->arena, strbuf_cstr(&path));
	strbuf_release(&path);
	return text;
}

/* ---- logs ---- */

static void release(struct connection *k)
{
	struct call *c = k->call;
	c->on_gone = NULL;
	c->on_writable = NULL;
	strbuf_release(&k->refusal);
	http_client_close(k->client, NULL, NULL);
	k->client = NULL;
	call_unref(c);
}

static void log_head(struct http_call *call, const struct http_answer *answer, void *arg)
{
	struct connection *k = arg;
	if (answer->status != 200)
		return;
	k->begun = true;
	call_stream_begin(k->call, 200, "text/plain");
}

static void log_data(struct http_call *call, struct slice data, void *arg)
{
	struct connection *k = arg;
	if (k->begun && !call_stream_copy(k->call, data))
		http_call_pause(call);
	if (!k->begun && k->refusal.len < REFUSAL_BYTES_MAX)
		strbuf_add_slice(&k->refusal, data);
}

static void log_writable(struct call *c)
{
	struct connection *k = c->handler_data;
	if (k->upstream)
		http_call_resume(k->upstream);
}

/* The kubelet's own words, with the status it gave them. */
static void refused(struct err *err, int status, struct slice text)
{
	int code = status == 404   ? ERR_NOT_FOUND
	           : status == 400 ? ERR_INVAL
	           : status == 501 ? ERR_UNIMPLEMENTED
	                           : ERR_INTERNAL;
	text = slice_trim(text);
	if (text.len > REFUSAL_BYTES_MAX)
		text.len = REFUSAL_BYTES_MAX;
	if (text.len)
		err_set(err, code, "%.*s", SLICE_FMT(text));
	else
		err_set(err, code, "the kubelet answered %d", status);
}

static void log_done(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct connection *k = arg;
	struct call *c = k->call;
	struct err e = ERR_INIT;
	k->upstream = NULL;
	if (k->begun) {
		call_stream_end(c);
	} else {
		if (err)
			kubelet_unreached(c, &k->kubelet, err, &e);
		else
			refused(&e, answer->status, strbuf_slice(&k->refusal));
		call_respond_err(c, &e);
	}
	release(k);
}

static void log_gone(struct call *c)
{
	struct connection *k = c->handler_data;
	http_call_cancel(k->upstream);
	k->upstream = NULL;
	release(k);
}

static void start_log(struct call *c, const struct target *t)
{
	struct connection *k = ARENA_NEW(&c->arena, struct connection);
	struct http_call_options o = {.method = "GET",
	        .target = kubelet_path(c, t),
	        .on_head = log_head,
	        .on_data = log_data,
	        .on_done = log_done,
	        .arg = k};
	k->call = call_ref(c);
	k->kubelet = t->kubelet;
	k->client = kubelet_connect(c, &t->kubelet);
	c->handler_data = k;
	c->on_gone = log_gone;
	c->on_writable = log_writable;
	k->upstream = http_client_call(k->client, &o);
}

/* ---- upgrades: bytes both ways ---- */

/* After the hand-over the call is over; the session lives by itself, and ends with the server. */
static void session_done(void *arg)
{
	struct session *z = arg;
	struct api_server *s = z->server;
	list_del(&z->link);
	http_client_close(z->client, NULL, NULL);
	call_unref(z->call);
	free(z);
	if (s->closing && list_empty(&s->sessions) && s->sessions_closed)
		s->sessions_closed(s->sessions_arg);
}

void api_sessions_close(struct api_server *s, void (*closed)(void *arg), void *arg)
{
	s->sessions_closed = closed;
	s->sessions_arg = arg;
	if (list_empty(&s->sessions))
		closed(arg);
	LIST_FOREACH (it, &s->sessions)
		conn_join_cut(CONTAINER_OF(it, struct session, link)->join);
}

static void begin_session(struct connection *k, struct conn *near, struct conn *far)
{
	struct session *z = xcalloc(1, sizeof *z);
	struct api_server *s = k->call->server;
	z->server = s;
	z->call = call_ref(k->call);
	z->client = TAKE(k->client);
	list_push_back(&s->sessions, &z->link);
	z->join = conn_join(near, far, CONN_JOIN_WHOLE, session_done, z);
}

static void nothing_read(struct conn *c, const char *data, size_t len, void *arg)
{
}

static void nothing_ended(struct conn *c, const struct err *err, void *arg)
{
}

static void drop(struct conn *c)
{
	static const struct conn_callbacks unwanted = {.on_read = nothing_read, .on_end = nothing_ended};
	conn_start(c, &unwanted, NULL);
	conn_close(c, 0);
}

static void upgraded(struct http_call *call, const struct http_answer *answer, struct conn *far, void *arg)
{
	static const char *const passed[] = {
	        "sec-websocket-accept", "sec-websocket-protocol", "x-stream-protocol-version"};
	struct connection *k = arg;
	struct call *c = k->call;
	struct http_exchange *x = c->exchange;
	struct conn *near = NULL;
	struct err err = ERR_INIT;
	k->upstream = NULL;
	for (size_t i = 0; i < COUNT_OF(passed); i++) {
		struct slice v = http_answer_header(answer, passed[i]);
		if (v.len)
			http_set_header(x, passed[i], v);
	}
	c->on_gone = NULL;
	if (http_upgrade(x, k->protocol, &near, &err) != 0) {
		drop(far);
		call_respond_err(c, &err);
		release(k);
		return;
	}
	begin_session(k, near, far);
	call_upgraded(c);
	call_unref(c); /* ours */
}

static void upgrade_refused(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct connection *k = arg;
	struct call *c = k->call;
	struct err e = ERR_INIT;
	k->upstream = NULL;
	if (err)
		kubelet_unreached(c, &k->kubelet, err, &e);
	else
		err_set(&e,
		        answer->status == 404   ? ERR_NOT_FOUND
		        : answer->status == 501 ? ERR_UNIMPLEMENTED
		                                : ERR_INVAL,
		        "unable to upgrade connection: %.*s", SLICE_FMT(answer->body));
	call_respond_err(c, &e);
	release(k);
}

static void upgrade_gone(struct call *c)
{
	struct connection *k = c->handler_data;
	http_call_cancel(k->upstream);
	release(k);
}

static void start_upgrade(struct call *c, const struct target *t)
{
	static const char *const passed[] = {
	        "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol", "x-stream-protocol-version"};
	struct err err = ERR_INIT;
	struct http_exchange *x = c->exchange;
	struct http_header *headers = ARENA_ARRAY(&c->arena, struct http_header, COUNT_OF(passed));
	size_t n = 0;
	bool spdy = x && http_wants_upgrade(x, "SPDY/3.1");
	if (!x || (!spdy && !http_wants_upgrade(x, "websocket"))) {
		err_set(&err, ERR_INVAL, "%s needs a connection upgrade: send Upgrade: websocket over HTTP/1.1",
		        c->route.sub->name);
		call_respond_err(c, &err);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(passed); i++) {
		struct slice v = http_header(x, passed[i]);
		if (v.len)
			headers[n++] = (struct http_header){slice_of(passed[i]), v};
	}
	struct connection *k = ARENA_NEW(&c->arena, struct connection);
	k->protocol = spdy ? "SPDY/3.1" : "websocket";
	struct http_call_options o = {.method = "GET",
	        .target = kubelet_path(c, t),
	        .headers = headers,
	        .headers_count = n,
	        .upgrade = k->protocol,
	        .on_done = upgrade_refused,
	        .on_upgraded = upgraded,
	        .arg = k};
	k->call = call_ref(c);
	k->kubelet = t->kubelet;
	k->client = kubelet_connect(c, &t->kubelet);
	c->handler_data = k;
	c->on_gone = upgrade_gone;
	k->upstream = http_client_call(k->client, &o);
}

/* ---- */

static void connect_now(struct call *c)
{
	struct target t;
	struct err err = ERR_INIT;
	if (find_target(c, &t, &err) != 0)
		call_respond_err(c, &err);
	else if (strcmp(c->route.sub->name, "log") == 0)
		start_log(c, &t);
	else
		start_upgrade(c, &t);
}

void api_connect(struct call *c)
{
	struct err err = ERR_INIT;
	bool is_pod = strcmp(c->route.resource->plural, "pods") == 0;
	LOOP_CHECK_OWNER(c->loop);
	if (strcmp(c->route.resource->plural, "nodes") == 0) {
		fresh_wait(c, true, node_proxy);
		return;
	}
	if (!is_pod || strcmp(c->route.sub->name, "proxy") == 0) {
		err_set(&err, ERR_UNIMPLEMENTED, "%s/%s is not built yet", c->route.resource->plural,
		        c->route.sub->name);
		call_respond_err(c, &err);
		return;
	}
	fresh_wait(c, true, connect_now);
}

/* See registration_int.h. One method, Register. What can go wrong: another version of the API, a name that is no
 * extended resource (it would take the place of cpu or memory), an endpoint that is a path: the plugin is told. */
#include "node/devices/registration_int.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/wire/grpc.h"
#include "node/runtime/proto/device_plugin.pb-c.h"

#include <stdlib.h>

enum { REQUEST_BYTES_MAX = 65536, NAME_BYTES_MAX = 253 + 1 + 63 };

struct registration {
	struct http_server *http;
	int (*on_register)(void *arg, const struct registration_request *r, struct err *err);
	void *arg;
	void (*closed)(void *arg);
	void *closed_arg;
};

static bool is_extended(const char *name)
{
	const char *slash = strchr(name, '/');
	if (!slash || slash == name || !slash[1] || strchr(slash + 1, '/') || strlen(name) > NAME_BYTES_MAX)
		return false;
	struct slice domain = {name, (size_t)(slash - name)};
	for (const char *c = name; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
		            strchr("-._/", *c)))
			return false;
	return !slice_is(domain, "kubernetes.io") && !slice_ends(domain, ".kubernetes.io");
}

int registration_check(const char *version, const char *endpoint, const char *resource, struct err *err)
{
	if (strcmp(version, "v1beta1") != 0)
		return err_set(err, ERR_INVAL,
		        "requested API version \"%.40s\" is not supported by kubelet. Supported version is \"v1beta1\"",
		        version);
	if (!is_extended(resource))
		return err_set(err, ERR_INVAL,
		        "the ResourceName \"%.80s\" is invalid: it must be a name like example.com/gpu", resource);
	if (!*endpoint || strchr(endpoint, '/') || *endpoint == '.')
		return err_set(
		        err, ERR_INVAL, "the endpoint \"%.80s\" must be the name of a socket in this folder", endpoint);
	return 0;
}

static void take(struct grpc_stream *s, struct slice message, void *arg)
{
	struct registration *g = arg;
	struct err err = ERR_INIT;
	V1beta1__RegisterRequest *q =
	        v1beta1__register_request__unpack(NULL, message.len, (const uint8_t *)message.ptr);
	if (!q) {
		grpc_finish(s, GRPC_INVALID_ARGUMENT, "the request cannot be read");
		return;
	}
	struct registration_request r = {.endpoint = q->endpoint,
	        .resource = q->resource_name,
	        .has_preferred = q->options && q->options->get_preferred_allocation_available,
	        .needs_pre_start = q->options && q->options->pre_start_required};
	if (registration_check(q->version, q->endpoint, q->resource_name, &err) == 0)
		g->on_register(g->arg, &r, &err);
	if (err.code) {
		log_warn(
		        "node", "a device plugin is refused", "resource=%.80s error=\"%s\"", q->resource_name, err.msg);
		grpc_finish(s, GRPC_UNKNOWN, err.msg);
	} else {
		grpc_send(s, (struct slice){"", 0});
		grpc_finish(s, GRPC_OK, NULL);
	}
	v1beta1__register_request__free_unpacked(q, NULL);
}

static void handle(struct http_exchange *x, void *arg)
{
	static const struct grpc_stream_callbacks callbacks = {.on_message = take};
	if (!grpc_is_request(x))
		http_abort(x);
	else if (!slice_is(http_request(x)->path, "/v1beta1.Registration/Register"))
		grpc_refuse(x, GRPC_UNIMPLEMENTED, "there is Register alone");
	else
		grpc_accept(x, REQUEST_BYTES_MAX, &callbacks, arg);
}

int registration_new(struct loop *loop, const char *socket,
        int (*on_register)(void *arg, const struct registration_request *r, struct err *err), void *arg,
        struct registration **ret, struct err *err)
{
	CHECK(on_register);
	struct registration *g = xcalloc(1, sizeof *g);
	struct http_server_options o = {.loop = loop, .handler = handle, .arg = g};
	g->on_register = on_register;
	g->arg = arg;
	if (http_server_new(&o, &g->http, err) != 0) {
		free(g);
		return err->code;
	}
	if (http_server_listen_unix(g->http, socket, 0600, err) != 0) {
		http_server_close(g->http, 0, NULL, NULL);
		free(g);
		return err->code;
	}
	*ret = g;
	return 0;
}

static void http_closed(void *arg)
{
	struct registration *g = arg;
	void (*closed)(void *) = g->closed;
	void *closed_arg = g->closed_arg;
	free(g);
	closed(closed_arg);
}

void registration_close(struct registration *g, void (*closed)(void *arg), void *arg)
{
	CHECK(closed && !g->closed);
	g->closed = closed;
	g->closed_arg = arg;
	http_server_close(g->http, 0, http_closed, g);
}

/* Is an aggregated API server there? Each server asks each of them what it serves (GET /apis/GROUP/VERSION at one of
 * the Service's endpoints, as upstream's availability controller does): often while it does not answer, seldom when it
 * does. The answer is what discovery tells of it; the server that leads writes the condition Available. Reasons and
 * messages are upstream's. */
#include "api/server/aggregate/aggregate_int.h"

#include "api/server/passing/backend.h"
#include "api/server/strategy.h"
#include "base/check.h"
#include "base/log.h"

#include <stdarg.h>

enum { ASK_MS = 5000, AGAIN_OK_MS = 30000, AGAIN_FAILED_MS = 1000, ANSWER_BYTES_MAX = 1 << 20, RESOURCES_MAX = 4096 };

bool api_service_is_busy(const struct api_service *v)
{
	return v->ask.call || v->write.is_out;
}

static void end_asking(struct api_service *v)
{
	v->ask.call = NULL;
	if (v->ask.client)
		http_client_close(TAKE(v->ask.client), NULL, NULL);
	arena_reset(&v->ask.arena);
}

void api_service_give_up(struct api_service *v)
{
	if (v->ask.call)
		http_call_cancel(v->ask.call);
	end_asking(v);
}

/* ---- what came of it ---- */

__attribute__((format(printf, 4, 5))) static void conclude(
        struct api_service *v, bool is_available, const char *reason, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(v->message, sizeof v->message, fmt, ap);
	va_end(ap);
	snprintf(v->reason, sizeof v->reason, "%s", reason);
	if (v->is_available != is_available || !v->was_asked)
		log_info("aggregate", is_available ? "an API server is available" : "an API server is not available",
		        "name=%.*s reason=%s message=\"%s\"", SLICE_FMT(v->name), v->reason, v->message);
	if (v->is_available != is_available)
		v->all->is_sorted = false;
	v->is_available = is_available;
	v->was_asked = true;
	v->ask.due_ms = loop_now_ms(v->all->server->loop) + (is_available ? AGAIN_OK_MS : AGAIN_FAILED_MS);
}

/* The list of resources, written anew. */
static int take_answer(struct api_service *v, struct slice body, struct err *err)
{
	struct arena *a = &v->ask.arena;
	const struct json *tree = json_parse(a, body, NULL, err), *list = json_get(tree, "resources");
	struct strbuf text = STRBUF_INIT;
	if (!tree)
		return err->code;
	if (!json_is(list, JSON_ARRAY) || list->count > RESOURCES_MAX)
		return err_set(err, ERR_INVAL, "it is no APIResourceList of at most %d resources", RESOURCES_MAX);
	JSON_FOREACH (it, list)
		if (!json_get_str(it, "name").len || !json_is(json_get(it, "verbs"), JSON_ARRAY))
			return err_set(err, ERR_INVAL, "a resource of its list has no name, or no verbs");
	json_write(&text, list);
	if (!slice_eq(strbuf_slice(&text), strbuf_slice(&v->resources)))
		v->all->is_sorted = false;
	strbuf_release(&v->resources);
	v->resources = text;
	return 0;
}

static void answered(struct http_call *call, const struct http_answer *answer, const struct err *why, void *arg)
{
	struct api_service *v = arg;
	struct err err = ERR_INIT;
	const char *url = arena_printf(&v->ask.arena, "https://%s:%d/apis/%.*s/%.*s", v->server_name, v->port,
	        SLICE_FMT(v->group), SLICE_FMT(v->version));
	if (why)
		conclude(v, false, "FailedDiscoveryCheck", "failing or missing response from %s: %s", url, why->msg);
	else if (answer->status < 200 || answer->status > 299)
		conclude(v, false, "FailedDiscoveryCheck",
		        "failing or missing response from %s: bad status from %s: %d", url, url, answer->status);
	else if (take_answer(v, answer->body, &err) != 0)
		conclude(v, false, "FailedDiscoveryCheck", "failing or missing response from %s: %s", url, err.msg);
	else
		conclude(v, true, "Passed", "all checks passed");
	end_asking(v);
	api_service_touch(v);
}

/* ---- asking ---- */

/* 1: its service is there and has the port; 0: concluded. */
static int check_service(struct api_service *v)
{
	struct arena *a = &v->ask.arena;
	const struct resource *r = resource_find_preferred(SLICE(""), SLICE("services"));
	struct object *o = cache_get(cache_resource(v->all->server->cache, r),
	        slice_of(arena_printf(a, "%.*s/%.*s", SLICE_FMT(v->service_ns), SLICE_FMT(v->service))));
	if (!o) {
		conclude(v, false, "ServiceNotFound", "service/%.*s in \"%.*s\" is not present", SLICE_FMT(v->service),
		        SLICE_FMT(v->service_ns));
		return 0;
	}
	const struct json *tree = json_parse(a, object_text(o), NULL, NULL);
	JSON_FOREACH (it, json_path(tree, "spec", "ports", NULL))
		if (json_get_int(it, "port", 0) == v->port)
			return 1;
	conclude(v, false, "ServicePortError", "service/%.*s in \"%.*s\" is not listening on port %d",
	        SLICE_FMT(v->service), SLICE_FMT(v->service_ns), v->port);
	return 0;
}

static void ask(struct api_service *v)
{
	static const struct http_header headers[] = {{{"accept", 6}, {"application/json", 16}},
	        {{"x-remote-user", 13}, {"system:kube-aggregator", 22}},
	        {{"x-remote-group", 14}, {"system:masters", 14}}};
	struct err err = ERR_INIT;
	struct http_call_options o = {.method = "GET",
	        .headers = headers,
	        .headers_count = COUNT_OF(headers),
	        .timeout_ms = ASK_MS,
	        .body_bytes_max = ANSWER_BYTES_MAX,
	        .on_done = answered,
	        .arg = v};
	arena_reset(&v->ask.arena);
	if (!check_service(v))
		return;
	if (api_service_connect(v, &v->ask.arena, &v->ask.client, &err) != 0) {
		if (err.code == ERR_UNAVAILABLE)
			conclude(v, false, "MissingEndpoints",
			        "endpoints for service/%.*s in \"%.*s\" have no addresses", SLICE_FMT(v->service),
			        SLICE_FMT(v->service_ns));
		else
			conclude(v, false, "FailedDiscoveryCheck", "%s", err.msg);
		return;
	}
	o.target = arena_printf(&v->ask.arena, "/apis/%.*s/%.*s", SLICE_FMT(v->group), SLICE_FMT(v->version));
	v->ask.call = http_client_call(v->ask.client, &o);
}

/* ---- the condition ---- */

static void written(struct client_request *req)
{
	struct api_service *v = CONTAINER_OF(req, struct api_service, write.request);
	if (req->err.code && req->err.code != ERR_CANCELED && req->err.code != ERR_NOT_FOUND)
		log_warn("aggregate", "a condition could not be written, it is tried again", "name=%.*s error=\"%s\"",
		        SLICE_FMT(v->name), req->err.msg);
	client_request_release(req);
	arena_reset(&v->write.arena);
	v->write.is_out = false;
	if (!v->all->is_closing)
		api_service_touch(v);
}

/* NULL: it says so already. */
static struct json *new_conditions(struct api_service *v, struct arena *a, const struct json *tree)
{
	const char *status = v->is_available ? "True" : "False", *since = strategy_time(a, 0);
	struct json *list = json_new(a, JSON_ARRAY), *c = json_new(a, JSON_OBJECT);
	JSON_FOREACH (it, json_path(tree, "status", "conditions", NULL)) {
		if (!slice_is(json_get_str(it, "type"), "Available")) {
			json_append(list, json_copy(a, it));
			continue;
		}
		if (!slice_is(json_get_str(it, "status"), status))
			continue;
		if (slice_is(json_get_str(it, "reason"), v->reason) &&
		        slice_is(json_get_str(it, "message"), v->message))
			return NULL;
		since = json_cstr(a, json_get(it, "lastTransitionTime"));
	}
	json_set_cstr(a, c, "type", "Available");
	json_set_cstr(a, c, "status", status);
	json_set_cstr(a, c, "lastTransitionTime", since);
	json_set_cstr(a, c, "reason", v->reason);
	json_set_cstr(a, c, "message", v->message);
	json_append(list, c);
	return list;
}

static void write_condition(struct api_service *v)
{
	struct arena *a = &v->write.arena;
	struct object *o = api_service_object(v);
	const struct json *tree = json_parse(a, object_text(o), NULL, NULL);
	struct json *conditions = new_conditions(v, a, tree), *patch = json_new(a, JSON_OBJECT);
	struct strbuf text = STRBUF_INIT;
	if (!conditions) {
		arena_reset(a);
		return;
	}
	json_set_cstr(a, json_need(a, patch, "metadata", JSON_OBJECT), "resourceVersion",
	        arena_printf(a, "%lld", (long long)o->revision));
	json_set(a, json_need(a, patch, "status", JSON_OBJECT), "conditions", conditions);
	json_write(&text, patch);
	v->write.is_out = true;
	v->write.request = (struct client_request){.method = "PATCH",
	        .path = arena_printf(a, "/apis/apiregistration.k8s.io/v1/apiservices/%.*s/status", SLICE_FMT(v->name)),
	        .body = {arena_memdup(a, text.data, text.len), text.len},
	        .content_type = "application/merge-patch+json",
	        .done = written};
	strbuf_release(&text);
	client_send(v->all->client, &v->write.request);
}

void api_service_look(struct api_service *v)
{
	struct api_server *s = v->all->server;
	if (!v->is_remote) { /* who serves it is this server */
		snprintf(v->reason, sizeof v->reason, "Local");
		snprintf(v->message, sizeof v->message, "Local APIServices are always available");
		v->is_available = v->was_asked = true;
	} else if (!v->ask.call && v->ask.due_ms <= loop_now_ms(s->loop)) {
		ask(v);
	}
	if (v->was_asked && !v->write.is_out && store_leads(s->store))
		write_condition(v);
}

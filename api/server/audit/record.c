/* A call's record: what the steps of its way add, and when events are made of it.
 *
 *     begin -> RequestReceived -> (ResponseStarted, of streams and connections) -> ResponseComplete
 *
 * The end comes with the answer; of a stream with its last byte; of a connection that became something else, and of a
 * client that went away, with the last reference to the call. So no call that was chosen goes without its last event.
 */
#include "api/server/audit/audit_int.h"

#include "api/machinery/codec/transcode.h"
#include "api/server/audit/audit_sinks.h"
#include "api/server/auth/identity/token_question.h"
#include "api/server/state.h"
#include "api/server/strategy.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/yaml.h"

enum { ID_BYTES_MAX = 64, AGENT_BYTES_MAX = 1024 };

static void emit(struct call *c, enum audit_stage stage)
{
	struct audit_record *r = c->audit;
	if (c->server->audit && !(r->decision.omitted & 1u << stage))
		audit_emit(c->server->audit, r, stage, clock_wall_ns());
}

/* ---- the request ---- */

static struct slice keep(struct call *c, struct slice s)
{
	return s.len ? (struct slice){arena_memdup(&c->arena, s.ptr, s.len), s.len} : SLICE_NULL;
}

static struct slice header(const struct call *c, const char *name)
{
	return c->exchange ? slice_trim(http_header(c->exchange, name)) : SLICE_NULL;
}

/* The client's, or one of our making. */
static struct slice choose_id(struct call *c)
{
	struct slice given = header(c, "audit-id");
	if (given.len > ID_BYTES_MAX)
		given.len = ID_BYTES_MAX;
	if (given.len)
		return keep(c, given);
	return slice_of(strategy_uid(&c->arena));
}

static bool is_address(struct slice s)
{
	char text[64];
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	if (!s.len || s.len >= sizeof text)
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = 0;
	return uv_ip4_addr(text, 0, &in) == 0 || uv_ip6_addr(text, 0, &in6) == 0;
}

static bool has_address(const struct audit_record *r, struct slice ip)
{
	for (size_t i = 0; i < r->n_ips; i++)
		if (slice_eq(r->ips[i], ip))
			return true;
	return false;
}

/* "10.0.0.7:41234", "[::1]:80" without the port. */
static struct slice host_of(struct slice address)
{
	const char *colon = address.len ? memrchr(address.ptr, ':', address.len) : NULL;
	if (colon)
		address.len = (size_t)(colon - address.ptr);
	if (address.len > 2 && address.ptr[0] == '[')
		return (struct slice){address.ptr + 1, address.len - 2};
	return address;
}

/* Proxies say where a request came from; who has sent it to us stands last, for that alone is sure. The last place is
 * kept for it. */
static void take_addresses(struct call *c, struct audit_record *r)
{
	struct slice chain = header(c, "x-forwarded-for"), real = header(c, "x-real-ip");
	struct slice peer =
	        c->exchange ? host_of(slice_of(http_request(c->exchange)->peer->address)) : SLICE("127.0.0.1");
	while (chain.ptr && chain.len && r->n_ips < AUDIT_IPS_MAX - 2) {
		struct slice ip = slice_trim(slice_cut(&chain, ','));
		if (is_address(ip))
			r->ips[r->n_ips++] = keep(c, ip);
	}
	if (is_address(real) && !has_address(r, real))
		r->ips[r->n_ips++] = keep(c, real);
	if (is_address(peer) && !(r->n_ips && slice_eq(r->ips[r->n_ips - 1], peer)))
		r->ips[r->n_ips++] = keep(c, peer);
}

static void take_ref(struct audit_record *r, const struct attributes *a)
{
	r->has_ref = a->is_resource;
	if (!a->is_resource)
		return;
	r->ref = (struct audit_ref){.resource = a->resource,
	        .ns = a->ns,
	        .name = a->name,
	        .group = a->group,
	        .version = a->version,
	        .sub = a->subresource};
}

/* Upstream's long-running requests: watches, and subresources that are streams. */
static bool is_long(const struct attributes *a)
{
	static const char *const subs[] = {"attach", "exec", "proxy", "log", "portforward"};
	for (size_t i = 0; i < COUNT_OF(subs); i++)
		if (slice_is(a->subresource, subs[i]))
			return true;
	return a->is_resource && slice_is(a->verb, "watch");
}

static void unref_users(void *arg)
{
	struct audit_record *r = arg;
	user_unref(r->user);
	user_unref(r->as);
}

static struct audit_record *open_record(struct call *c, const struct attributes *a)
{
	const struct audit_policy *policy = audit_policy(c->server->audit);
	struct audit_decision d = audit_policy_judge(policy, a);
	CHECK(!c->audit && c->user);
	audit_count_level(c->server->audit, d.level);
	if (d.level == AUDIT_NONE)
		return NULL;
	struct audit_record *r = ARENA_NEW(&c->arena, struct audit_record);
	*r = (struct audit_record){.decision = d,
	        .id = choose_id(c),
	        .uri = c->path,
	        .verb = a->verb,
	        .user_agent = c->user_agent,
	        .user = user_ref(c->user),
	        .received_ns = clock_wall_ns(),
	        .is_long = is_long(a)};
	if (c->query.len)
		r->uri = slice_of(arena_printf(&c->arena, "%.*s?%.*s", SLICE_FMT(c->path), SLICE_FMT(c->query)));
	if (r->user_agent.len > AGENT_BYTES_MAX)
		r->user_agent =
		        slice_of(arena_printf(&c->arena, "%.*s...TRUNCATED", AGENT_BYTES_MAX, c->user_agent.ptr));
	arena_on_release(&c->arena, unref_users, r);
	take_addresses(c, r);
	take_ref(r, a);
	c->audit = r;
	for (size_t i = 0; i < c->n_notes; i++)
		audit_annotate(c, c->notes[i].key, c->notes[i].value);
	return r;
}

void audit_begin(struct call *c, const struct attributes *a)
{
	if (c->server->audit && open_record(c, a))
		emit(c, AUDIT_RECEIVED);
}

void audit_begin_refused(struct call *c, const struct attributes *a, const char *why)
{
	struct audit_record *r = c->server->audit ? open_record(c, a) : NULL;
	if (!r)
		return;
	r->is_refused = true;
	r->message = arena_strdup(&c->arena, why);
}

void audit_impersonated(struct call *c)
{
	if (c->audit && !c->audit->as)
		c->audit->as = user_ref(c->user);
}

/* ---- objects ---- */

static void drop_managed(struct json *object)
{
	struct json *meta = json_get(object, "metadata");
	if (json_is(meta, JSON_OBJECT))
		json_del(meta, "managedFields");
}

/* Of lists, too. */
static void drop_all_managed(struct json *object)
{
	drop_managed(object);
	JSON_FOREACH (it, json_is(json_get(object, "items"), JSON_ARRAY) ? json_get(object, "items") : NULL)
		drop_managed(it);
}

/* In one line, in the call's arena; empty when it is no JSON. */
static struct slice text_of(struct call *c, struct slice json, bool is_ours)
{
	struct arena a = ARENA_INIT;
	struct strbuf out = STRBUF_INIT;
	struct slice text = SLICE_NULL;
	bool is_parsed = !is_ours || c->audit->decision.omits_managed;
	if (json.len > (is_parsed ? AUDIT_PARSED_BYTES_MAX : AUDIT_EVENT_BYTES_MAX)) {
		c->audit->is_cut = true;
		return SLICE_NULL;
	}
	if (!is_parsed)
		return keep(c, slice_trim(json));
	struct json *tree = json_parse(&a, json, NULL, NULL);
	if (tree && c->audit->decision.omits_managed)
		drop_all_managed(tree);
	if (tree) {
		json_write(&out, tree);
		text = keep(c, strbuf_slice(&out));
	}
	strbuf_release(&out);
	arena_release(&a);
	return text;
}

static void complete_ref(struct call *c, const struct json *object)
{
	struct audit_ref *ref = &c->audit->ref;
	const struct json *meta = json_get(object, "metadata");
	if (!ref->ns.len)
		ref->ns = json_get_str(meta, "namespace");
	if (!ref->name.len)
		ref->name = json_get_str(meta, "name");
	if (!ref->uid.len)
		ref->uid = json_get_str(meta, "uid");
	if (!ref->resource_version.len)
		ref->resource_version = json_get_str(meta, "resourceVersion");
	*ref = (struct audit_ref){ref->resource, keep(c, ref->ns), keep(c, ref->name), keep(c, ref->uid), ref->group,
	        ref->version, keep(c, ref->resource_version), ref->sub};
}

void audit_request_object(struct call *c, const struct json *object)
{
	struct audit_record *r = c->audit;
	if (!r || r->request_object.len || !r->has_ref)
		return;
	complete_ref(c, object);
	if (r->decision.level < AUDIT_REQUEST)
		return;
	struct strbuf text = STRBUF_INIT;
	json_write(&text, object);
	r->request_object = text_of(c, strbuf_slice(&text), true);
	strbuf_release(&text);
}

static bool is_yaml(const struct call *c)
{
	struct slice rest = c->content_type;
	return slice_ends(slice_trim(slice_cut(&rest, ';')), "yaml");
}

void audit_request_patch(struct call *c)
{
	struct audit_record *r = c->audit;
	struct strbuf text = STRBUF_INIT;
	struct arena a = ARENA_INIT;
	if (!r || r->decision.level < AUDIT_REQUEST || r->request_object.len)
		return;
	struct json *tree = is_yaml(c) ? yaml_parse(&a, c->body, NULL, NULL) : json_parse(&a, c->body, NULL, NULL);
	if (tree) {
		json_write(&text, tree);
		r->request_object = text_of(c, strbuf_slice(&text), true);
	}
	strbuf_release(&text);
	arena_release(&a);
}

void audit_annotate(struct call *c, const char *key, struct slice value)
{
	struct audit_record *r = c->audit;
	struct audit_annotation **at = r ? &r->annotations : NULL;
	if (!r)
		return;
	while (*at && strcmp((*at)->key, key) < 0)
		at = &(*at)->next;
	if (*at && strcmp((*at)->key, key) == 0)
		return;
	struct audit_annotation *x = ARENA_NEW(&c->arena, struct audit_annotation);
	*x = (struct audit_annotation){*at, arena_strdup(&c->arena, key), keep(c, value)};
	*at = x;
}

/* ---- the answer ---- */

static bool wants_response(const struct call *c)
{
	const struct audit_record *r = c->audit;
	return r && r->has_ref && r->decision.level == AUDIT_REQUEST_RESPONSE && !r->is_long && !r->response_object.len;
}

void audit_response_status(struct call *c, const struct json *status)
{
	if (c->audit && slice_is(json_get_str(status, "kind"), "Status"))
		c->audit->status = status;
}

void audit_response_text(struct call *c, struct slice json)
{
	if (wants_response(c))
		c->audit->response_object = text_of(c, json, true);
}

/* More than an event may have is not even put together. */
static void take_pieces(struct call *c, struct http_buf *bufs, size_t count)
{
	struct strbuf all = STRBUF_INIT;
	for (size_t i = 0; i < count && all.len <= AUDIT_EVENT_BYTES_MAX; i++) {
		http_buf_make(&bufs[i]);
		strbuf_add_slice(&all, bufs[i].data);
	}
	c->audit->response_object = text_of(c, strbuf_slice(&all), true);
	strbuf_release(&all);
}

void audit_response(struct call *c, int status, const char *content_type, struct http_buf *bufs, size_t count)
{
	struct audit_record *r = c->audit;
	if (!r)
		return;
	r->code = status;
	if (wants_response(c) && strcmp(content_type, "application/json") == 0)
		take_pieces(c, bufs, count);
	if (r->is_long && !r->is_started)
		audit_started(c, status);
	audit_complete(c);
}

void audit_started(struct call *c, int status)
{
	struct audit_record *r = c->audit;
	if (!r || r->is_started || r->is_complete)
		return;
	r->code = status;
	r->is_started = true;
	if (r->is_long)
		emit(c, AUDIT_STARTED);
}

void audit_complete(struct call *c)
{
	struct audit_record *r = c->audit;
	if (!r || r->is_complete)
		return;
	if (!r->code) { /* the client went away before there was one: upstream's words */
		r->message = "Connection closed early";
		audit_started(c, 200);
	}
	r->is_complete = true;
	emit(c, r->is_refused ? AUDIT_STARTED : AUDIT_COMPLETE);
}

struct slice audit_id(const struct call *c)
{
	return c->audit ? c->audit->id : SLICE_NULL;
}

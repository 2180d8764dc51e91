/* The table of paths, and what is answered at once. See join.h.
 *
 * A caller has checked /cacerts against the hash in his token before he shows the token, so it is public, and nothing
 * else of it is. What can go wrong: a method or path that is not in the table (405, 404); no room for another call that
 * needs work (429). */
#include "api/server/join/join_int.h"

#include "api/server/answer.h"
#include "api/server/state.h"
#include "api/server/tunnel/tunnel.h"
#include "base/check.h"
#include "store/engine/raft_engine.h"

#include <stdlib.h>

enum { POOL_THREADS = 1, POOL_QUEUE = 16 };

/* ---- at once ---- */

static void text(struct call *c, const char *type, struct slice body)
{
	call_respond_text(c, 200, type, body);
}

static void ping(struct join *j, struct call *c)
{
	text(c, "text/plain; charset=utf-8", SLICE("pong"));
}

static void ready(struct join *j, struct call *c)
{
	text(c, "text/plain; charset=utf-8", SLICE("ok"));
}

static void server_ca(struct join *j, struct call *c)
{
	text(c, "application/x-pem-file", slice_of(j->cas->server.certificate_pem));
}

static void client_ca(struct join *j, struct call *c)
{
	text(c, "application/x-pem-file", slice_of(j->cas->client.certificate_pem));
}

static void config(struct join *j, struct call *c)
{
	struct strbuf out = STRBUF_INIT;
	join_settings_write(&j->options.settings, &out);
	call_respond_strbuf(c, 200, "application/json", &out);
}

static void tunnel(struct join *j, struct call *c)
{
	tunnel_accept(j->server->tunnels, c);
}

/* ---- the table ---- */

static const struct row {
	const char *path, *method;
	void (*handle)(struct join *j, struct call *c);
} rows[] = {
        {"/cacerts", "GET", server_ca},
        {"/ping", "GET", ping},
        {"/v1-k3x/config", "GET", config},
        {"/v1-k3x/readyz", "GET", ready},
        {"/v1-k3x/server-ca.crt", "GET", server_ca},
        {"/v1-k3x/client-ca.crt", "GET", client_ca},
        {"/v1-k3x/client-kubelet.crt", "POST", join_client_kubelet},
        {"/v1-k3x/serving-kubelet.crt", "POST", join_serving_kubelet},
        {"/v1-k3x/client-kube-proxy.crt", "POST", join_client_proxy},
        {TUNNEL_PATH, "GET", tunnel},
        {"/v1-k3x/server-bootstrap", "GET", join_bootstrap},
        {"/v1-k3x/server-join", "POST", join_member},
};

#define OPERATE "/v1-k3x/server-operate/"

bool join_is_path(struct slice path)
{
	return slice_is(path, "/cacerts") || slice_is(path, "/ping") || slice_starts(path, "/v1-k3x/");
}

static const struct row *find(struct slice path)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_is(path, rows[i].path))
			return &rows[i];
	return NULL;
}

/* The one path with a name in it. */
static bool names_operation(struct slice path, struct slice *ret_name)
{
	size_t n = sizeof OPERATE - 1;
	if (!slice_starts(path, OPERATE) || path.len == n)
		return false;
	*ret_name = (struct slice){path.ptr + n, path.len - n};
	return true;
}

void join_handle(struct call *c)
{
	struct err err = ERR_INIT;
	const struct row *r = find(c->path);
	struct join *j = c->server->join;
	struct slice name;
	LOOP_CHECK_OWNER(c->loop);
	if (j && names_operation(c->path, &name) && slice_is(c->method, "POST")) {
		join_operate(j, c, name);
		return;
	}
	if (!r || !j)
		err_set(&err, ERR_NOT_FOUND, "the server could not find the requested resource");
	else if (!slice_is(c->method, r->method))
		err_set(&err, ERR_METHOD, "%s takes %s alone", r->path, r->method);
	if (err.code)
		call_respond_err(c, &err);
	else
		r->handle(j, c);
}

/* ---- calls that wait ---- */

static void leave(struct join *j)
{
	CHECK(j->out > 0);
	if (--j->out == 0 && j->closed)
		j->closed(j->closed_arg);
}

void join_begin(struct join *j, struct call *c)
{
	j->out++;
	call_ref(c);
}

void join_end(struct join *j, struct call *c, const struct err *err)
{
	if (err->code)
		call_respond_err(c, err);
	call_unref(c);
	leave(j);
}

/* ---- life ---- */

void join_cas_unref(struct join_cas *c)
{
	if (!c || --c->refs)
		return;
	pki_pair_release(&c->server);
	pki_pair_release(&c->client);
	free(c);
}

int join_reload(struct join *j, struct err *err)
{
	const struct api_join_options *o = &j->options;
	struct join_cas *c = xcalloc(1, sizeof *c);
	c->refs = 1;
	if (pki_pair_load(o->server_ca_file, o->server_ca_key_file, &c->server, err) != 0 ||
	        pki_pair_load(o->client_ca_file, o->client_ca_key_file, &c->client, err) != 0) {
		join_cas_unref(c);
		return err_wrap(err, "what signs for those who join");
	}
	join_cas_unref(j->cas);
	j->cas = c;
	return 0;
}

int join_new(struct api_server *s, const struct api_join_options *o, struct join **ret, struct err *err)
{
	struct join *j = xcalloc(1, sizeof *j);
	j->server = s;
	j->raft = raft_engine_of(s->store);
	j->options = *o;
	if (join_reload(j, err) != 0) {
		join_free(j);
		return err->code;
	}
	j->pool = pool_new("join", POOL_THREADS, POOL_QUEUE);
	*ret = j;
	return 0;
}

void join_close(struct join *j, void (*closed)(void *arg), void *arg)
{
	j->closed = closed;
	j->closed_arg = arg;
	if (!j->out)
		closed(arg);
}

void join_free(struct join *j)
{
	if (!j)
		return;
	if (j->pool)
		pool_free(j->pool);
	if (j->operating)
		pool_free(j->operating);
	join_cas_unref(j->cas);
	free(j);
}

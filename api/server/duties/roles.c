/* The roles and bindings of auth/policy.h: made when they are absent, and given what they lack when they are there, by
 * the server that leads, before it answers anybody. Without them neither controllers nor kubelets may do anything.
 *
 * The tables are compared with the watch cache; what must be written goes out some at a time, so that the writes share
 * their syncs. Who writes is the server itself, system:apiserver in system:masters, as upstream's: there is nobody yet
 * who could have given it a role. */
#include "api/server/duties/duty_int.h"

#include "api/server/duties/roles_reconcile.h"
#include "api/server/inproc.h"
#include "base/check.h"

#include <stdlib.h>

enum { AT_ONCE = 32 };

struct row {
	const char *plural;
	bool is_role;
	struct json *wanted;
	struct row *next;
};

struct roles {
	struct duty_run *run;
	struct client *client;
	struct arena arena;
	struct row *rows, **end; /* yet to be looked at */
	unsigned out;
	bool is_closing;
	struct err err;
};

struct sending {
	struct client_request request;
	struct roles *roles;
	struct arena arena;
};

/* ---- what is wanted ---- */

static void add(struct roles *r, const char *plural, bool is_role, struct json *wanted)
{
	struct row *row = ARENA_NEW(&r->arena, struct row);
	*row = (struct row){plural, is_role, wanted, NULL};
	*r->end = row;
	r->end = &row->next;
}

static void add_controller(struct roles *r, const struct policy_role *p)
{
	struct arena *a = &r->arena;
	const char *name = arena_printf(a, "system:controller:%s", p->name);
	struct policy_binding b = {name, NULL, name, arena_printf(a, "ServiceAccount:kube-system/%s", p->name)};
	add(r, "clusterroles", true, role_object(a, p, name));
	add(r, "clusterrolebindings", false, binding_object(a, &b));
}

static void add_all(struct roles *r)
{
	struct arena *a = &r->arena;
	for (const struct policy_role *p = policy_cluster_roles; p->name; p++)
		add(r, "clusterroles", true, role_object(a, p, NULL));
	for (const struct policy_role *p = policy_controllers; p->name; p++)
		add_controller(r, p);
	for (const struct policy_binding *b = policy_cluster_bindings; b->name; b++)
		add(r, "clusterrolebindings", false, binding_object(a, b));
	for (const struct policy_role *p = policy_roles; p->name; p++)
		add(r, "roles", true, role_object(a, p, NULL));
	for (const struct policy_binding *b = policy_bindings; b->name; b++)
		add(r, "rolebindings", false, binding_object(a, b));
}

/* ---- writing ---- */

static void step(struct roles *r);

static void sent(struct client_request *req)
{
	struct sending *x = CONTAINER_OF(req, struct sending, request);
	struct roles *r = x->roles;
	int code = req->err.code;
	if (code && code != ERR_EXISTS && code != ERR_CONFLICT && !r->err.code) {
		r->err = req->err;
		err_wrap(&r->err, "%s %s", req->method, req->path);
	}
	client_request_release(req);
	arena_release(&x->arena);
	free(x);
	r->out--;
	step(r);
}

static void send_row(
        struct roles *r, const char *method, const struct row *row, struct slice name, const struct json *body)
{
	struct sending *x = xcalloc(1, sizeof *x);
	struct strbuf path = STRBUF_INIT, text = STRBUF_INIT;
	struct slice ns = json_str(json_path(row->wanted, "metadata", "namespace", NULL));
	strbuf_adds(&path, "/apis/rbac.authorization.k8s.io/v1");
	if (ns.len)
		strbuf_addf(&path, "/namespaces/%.*s", SLICE_FMT(ns));
	strbuf_addf(&path, "/%s%s%.*s", row->plural, name.len ? "/" : "", SLICE_FMT(name));
	if (body)
		json_write(&text, body);
	x->roles = r;
	x->request = (struct client_request){.method = method,
	        .path = arena_strdup(&x->arena, strbuf_cstr(&path)),
	        .body = {arena_memdup(&x->arena, text.data, text.len), text.len},
	        .done = sent};
	strbuf_release(&path);
	strbuf_release(&text);
	r->out++;
	client_send(r->client, &x->request);
}

static struct object *stored(struct roles *r, const struct row *row, struct slice name)
{
	struct slice ns = json_str(json_path(row->wanted, "metadata", "namespace", NULL));
	const char *key = arena_printf(&r->arena, "%.*s%s%.*s", SLICE_FMT(ns), ns.len ? "/" : "", SLICE_FMT(name));
	const struct resource *resource =
	        resource_find_preferred(SLICE("rbac.authorization.k8s.io"), slice_of(row->plural));
	return cache_get(cache_resource(r->run->server->cache, resource), slice_of(key));
}

static void look_at(struct roles *r, const struct row *row)
{
	struct slice name = json_str(json_path(row->wanted, "metadata", "name", NULL));
	struct object *o = stored(r, row, name);
	bool is_other = false;
	if (!o) {
		send_row(r, "POST", row, SLICE_NULL, row->wanted);
		return;
	}
	struct json *tree = json_parse(&r->arena, object_text(o), NULL, &r->err);
	if (!tree || !(row->is_role ? role_reconcile(&r->arena, tree, row->wanted)
	                            : binding_reconcile(&r->arena, tree, row->wanted, &is_other)))
		return;
	if (!is_other) {
		send_row(r, "PUT", row, name, tree);
		return;
	}
	send_row(r, "DELETE", row, name, NULL); /* the next run makes it anew */
	err_set(&r->err, ERR_CONFLICT, "%s \"%.*s\" bound another role", row->plural, SLICE_FMT(name));
}

static void client_closed(void *arg)
{
	struct roles *r = arg;
	struct duty_run *run = r->run;
	struct err err = r->err;
	arena_release(&r->arena);
	free(r);
	duty_done(run, &err);
}

static void step(struct roles *r)
{
	while (r->rows && r->out < AT_ONCE) {
		struct row *row = r->rows;
		r->rows = row->next;
		look_at(r, row);
	}
	if (r->rows || r->out || r->is_closing)
		return;
	r->is_closing = true;
	client_close(r->client, client_closed, r);
}

void roles_run(struct duty_run *run)
{
	struct roles *r = xcalloc(1, sizeof *r);
	r->run = run;
	r->end = &r->rows;
	r->client = api_server_client(run->server, run->server->loop, "system:apiserver", "system:masters");
	add_all(r);
	step(r);
}

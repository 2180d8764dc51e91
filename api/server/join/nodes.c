/* Certificates of nodes, from requests of their own: the node's keys never leave it.
 *
 *     POST /v1-k3x/client-kubelet.crt     system:node:NAME in system:nodes
 *     POST /v1-k3x/serving-kubelet.crt    NAME, its addresses (k3x-node-ip, -external-ip), localhost
 *     POST /v1-k3x/client-kube-proxy.crt  system:kube-proxy in system:node-proxier
 *
 * with the headers k3x-node-name and k3x-node-password (and k3x-node-ip, k3x-node-external-ip: one address or one of
 * each family). Whoever has the agents' token may bring in nodes, but not take over one that is there: the first
 * password that is shown for a name is kept, hashed, in the Secret kube-system/NAME.node-password.k3x, and must be
 * shown ever after. A node that was wiped has lost it; who deletes the Secret (or the node for good) lets it in again.
 *
 *     look for the Secret -> check or make the hash, sign (pool) -> [ create the Secret ] -> answer
 *
 * What can go wrong: a name, password, address or request that is none (400), another password (403), two of a name at
 * once (the Secret is there when it is to be made: 503, and right the next time). */
#include "api/server/join/join_int.h"

#include "api/client/client.h"
#include "api/machinery/rules/validate.h"
#include "api/server/answer.h"
#include "api/server/inproc.h"
#include "api/server/state.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/ip.h"
#include "base/json/json.h"
#include "base/log.h"

#include <stdlib.h>

enum { PASSWORD_BYTES_MIN = 16, PASSWORD_COST = 8 };
#define SECRETS "/api/v1/namespaces/kube-system/secrets"

enum node_certificate { CLIENT_KUBELET, SERVING_KUBELET, CLIENT_PROXY };

struct node_ask {
	struct join *join;
	struct join_cas *cas; /* a reference */
	struct call *call;
	struct arena arena;
	enum node_certificate kind;
	const char *name, *secret;
	const char *ips[2 * IP_FAMILIES]; /* its own and the external ones, as far as they were told */
	size_t n_ips;
	struct slice password, csr;
	struct slice known; /* hash in the Secret; empty: there is none */
	struct strbuf hash; /* of a new one */
	char *certificate_pem;
	struct pool_work work;
	struct client *client;
	struct client_request write;
	struct strbuf body;
	struct err err;
};

static void finish(struct node_ask *n)
{
	if (n->err.code)
		log_warn("join", "a node was turned away", "name=%s error=\"%s\"", n->name ? n->name : "", n->err.msg);
	else
		call_respond_text(n->call, 200, "application/x-pem-file", slice_of(n->certificate_pem));
	join_end(n->join, n->call, &n->err);
	join_cas_unref(n->cas);
	strbuf_release(&n->hash);
	strbuf_release(&n->body);
	free(n->certificate_pem);
	arena_release(&n->arena);
	free(n);
}

/* ---- the Secret of one that is new ---- */

static void client_closed(void *arg)
{
	finish(arg);
}

static void secret_written(struct client_request *req)
{
	struct node_ask *n = CONTAINER_OF(req, struct node_ask, write);
	if (req->err.code == ERR_EXISTS)
		err_set(&n->err, ERR_UNAVAILABLE, "another node of the name %s came at the same moment: try again",
		        n->name);
	else
		n->err = req->err;
	client_request_release(req);
	client_close(n->client, client_closed, n);
}

static void write_secret(struct node_ask *n)
{
	struct slice hash = base64_encode(&n->arena, strbuf_slice(&n->hash));
	strbuf_addf(&n->body,
	        "{\"metadata\":{\"name\":\"%s\"},\"type\":\"k3x.io/node-password\",\"data\":{\"hash\":\"%.*s\"}}",
	        n->secret, SLICE_FMT(hash));
	n->client = api_server_client(n->join->server, n->join->server->loop, "system:k3x", "system:masters");
	n->write = (struct client_request){
	        .method = "POST", .path = SECRETS, .body = strbuf_slice(&n->body), .done = secret_written};
	client_send(n->client, &n->write);
}

/* ---- password and signature, on the pool ---- */

static int sign(struct node_ask *n)
{
	static const char *const nodes[] = {"system:nodes"}, *const proxies[] = {"system:node-proxier"};
	const char *names[3 + 2 * IP_FAMILIES] = {n->name, "localhost", "127.0.0.1"};
	size_t n_names = 3;
	for (size_t i = 0; i < n->n_ips; i++)
		names[n_names++] = n->ips[i];
	struct pki_request r = {.organizations_count = 1, .is_client = true};
	if (n->kind == SERVING_KUBELET)
		r = (struct pki_request){
		        .common_name = n->name, .names = names, .names_count = n_names, .is_server = true};
	else if (n->kind == CLIENT_KUBELET)
		r.common_name = arena_printf(&n->arena, "system:node:%s", n->name), r.organizations = nodes;
	else
		r.common_name = "system:kube-proxy", r.organizations = proxies;
	const struct pki_pair *ca = n->kind == SERVING_KUBELET ? &n->cas->server : &n->cas->client;
	return pki_issue_csr(ca, n->csr, &r, &n->certificate_pem, &n->err);
}

static void work(struct pool_work *w)
{
	struct node_ask *n = CONTAINER_OF(w, struct node_ask, work);
	if (n->known.len && !pki_password_check(n->password, n->known))
		err_set(&n->err, ERR_FORBIDDEN,
		        "a node of the name %s is in the cluster, with another password: give this one another "
		        "--node-name, or delete the Secret kube-system/%s when it takes the place of that one",
		        n->name, n->secret);
	else if (sign(n) == 0 && !n->known.len)
		pki_password_hash(n->password, PASSWORD_COST, &n->hash, &n->err);
}

static void worked(struct pool_work *w)
{
	struct node_ask *n = CONTAINER_OF(w, struct node_ask, work);
	if (n->err.code || n->known.len)
		finish(n);
	else
		write_secret(n);
}

/* ---- what was asked ---- */

static int read_known(struct node_ask *n)
{
	struct cache_resource *secrets =
	        cache_resource(n->join->server->cache, resource_find(SLICE(""), SLICE("v1"), SLICE("secrets")));
	struct cache_resource *nodes =
	        cache_resource(n->join->server->cache, resource_find(SLICE(""), SLICE("v1"), SLICE("nodes")));
	struct object *o = cache_get(secrets, slice_of(arena_printf(&n->arena, "kube-system/%s", n->secret)));
	struct json *v = o ? json_parse(&n->arena, object_text(o), NULL, &n->err) : NULL;
	if (!o && cache_get(nodes, slice_of(n->name)))
		return err_set(&n->err, ERR_FORBIDDEN,
		        "a node of the name %s is in the cluster and did not come by a token (a server's own): give "
		        "this "
		        "one another --node-name",
		        n->name);
	if (!o)
		return 0;
	if (!v || !base64_decode(&n->arena, json_str(json_path(v, "data", "hash", NULL)), &n->known) || !n->known.len)
		return err_set(&n->err, ERR_CORRUPT, "the Secret kube-system/%s holds no hash of a password: delete it",
		        n->secret);
	return 0;
}

/* One, or one of each family with a comma between. */
static int take_addresses(struct node_ask *n, const char *header)
{
	struct slice text = http_header(n->call->exchange, header);
	struct ip_list list;
	char ip[IP_TEXT_MAX];
	if (!text.len)
		return 0;
	if (ip_list_parse(arena_printf(&n->arena, "%.*s", SLICE_FMT(text)), &list, &n->err) != 0)
		return err_wrap(&n->err, "the header %s", header);
	for (size_t i = 0; i < list.count; i++)
		n->ips[n->n_ips++] = arena_strdup(&n->arena, ip_write(&list.items[i], ip));
	return 0;
}

static int take(struct node_ask *n)
{
	struct http_exchange *x = n->call->exchange;
	if (!x)
		return err_set(&n->err, ERR_UNIMPLEMENTED, "certificates of nodes are asked for over HTTPS");
	struct slice name = http_header(x, "k3x-node-name"), password = http_header(x, "k3x-node-password");
	if (!name.len || validate_dns1123_subdomain(name))
		return err_set(&n->err, ERR_INVAL, "the header k3x-node-name is not a node's name");
	if (password.len < PASSWORD_BYTES_MIN || password.len > PKI_PASSWORD_BYTES_MAX)
		return err_set(&n->err, ERR_INVAL, "the header k3x-node-password has not %d to %d bytes",
		        PASSWORD_BYTES_MIN, PKI_PASSWORD_BYTES_MAX);
	n->name = arena_printf(&n->arena, "%.*s", SLICE_FMT(name));
	const struct user *u = n->call->user;
	if (user_is_in(u, "system:nodes") && !slice_is(u->name, arena_printf(&n->arena, "system:node:%s", n->name)))
		return err_set(&n->err, ERR_FORBIDDEN,
		        "%.*s may not ask for certificates of the node %s: show a token to bring in another node",
		        SLICE_FMT(u->name), n->name);
	n->secret = arena_printf(&n->arena, "%s.node-password.k3x", n->name);
	n->password = (struct slice){arena_memdup(&n->arena, password.ptr, password.len), password.len};
	n->csr = (struct slice){arena_memdup(&n->arena, n->call->body.ptr, n->call->body.len), n->call->body.len};
	if (take_addresses(n, "k3x-node-ip") != 0 || take_addresses(n, "k3x-node-external-ip") != 0)
		return n->err.code;
	return read_known(n);
}

static void ask(struct join *j, struct call *c, enum node_certificate kind)
{
	struct node_ask *n = xcalloc(1, sizeof *n);
	n->join = j;
	n->call = c;
	n->kind = kind;
	n->cas = j->cas;
	n->cas->refs++;
	join_begin(j, c);
	if (take(n) != 0) {
		finish(n);
	} else if (!pool_submit(j->pool, &n->work, j->server->loop, work, worked)) { /* else it is the pool's now */
		err_set(&n->err, ERR_BUSY, "too many servers and agents join at this moment: try again");
		finish(n);
	}
}

void join_client_kubelet(struct join *j, struct call *c)
{
	ask(j, c, CLIENT_KUBELET);
}

void join_serving_kubelet(struct join *j, struct call *c)
{
	ask(j, c, SERVING_KUBELET);
}

void join_client_proxy(struct join *j, struct call *c)
{
	ask(j, c, CLIENT_PROXY);
}

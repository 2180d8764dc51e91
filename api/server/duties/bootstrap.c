/* Objects that a cluster has from its first moment: the system namespaces, the priority classes, and the `kubernetes`
 * service. They are made by the server that leads, through the same path as a client's requests; what exists stays. */
#include "api/server/duties/duty_int.h"

#include "api/server/admission/plugins/service_addresses.h"
#include "api/server/inproc.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/wire/http.h"

#include <stdlib.h>

struct step {
	const char *path;
	const char *body; /* %s: the service's address */
};

static const struct step steps[] = {
        {"/api/v1/namespaces", "{\"metadata\":{\"name\":\"default\"}}"},
        {"/api/v1/namespaces", "{\"metadata\":{\"name\":\"kube-system\"}}"},
        {"/api/v1/namespaces", "{\"metadata\":{\"name\":\"kube-public\"}}"},
        {"/api/v1/namespaces", "{\"metadata\":{\"name\":\"kube-node-lease\"}}"},
        {"/apis/scheduling.k8s.io/v1/priorityclasses",
                "{\"metadata\":{\"name\":\"system-cluster-critical\"},\"value\":2000000000,\"preemptionPolicy\":"
                "\"PreemptLowerPriority\","
                "\"description\":\"Used for system critical pods that must run in the cluster, but can be moved to "
                "another node if necessary.\"}"},
        {"/apis/scheduling.k8s.io/v1/priorityclasses",
                "{\"metadata\":{\"name\":\"system-node-critical\"},\"value\":2000001000,\"preemptionPolicy\":"
                "\"PreemptLowerPriority\","
                "\"description\":\"Used for system critical pods that must not be moved from their current node.\"}"},
        {"/api/v1/namespaces/default/services",
                "{\"metadata\":{\"name\":\"kubernetes\",\"labels\":{\"component\":\"apiserver\",\"provider\":"
                "\"kubernetes\"}},\"spec\":{\"type\":\"ClusterIP\","
                "\"clusterIP\":\"%s\",\"ports\":[{\"name\":\"https\",\"port\":443,\"protocol\":\"TCP\",\"targetPort\":%"
                "d}]}}"},
};

struct bootstrap {
	struct duty_run *run;
	struct client *client;
	struct client_request request;
	size_t at;
	char *body;
	struct err err;
};

static void next(struct bootstrap *b);

/* The one template takes an address and a port, in this order. */
static char *text_of(struct bootstrap *b, const struct step *s)
{
	struct api_server *server = b->run->server;
	const char *ip = strstr(s->body, "%s"), *port = strstr(s->body, "%d");
	struct strbuf out = STRBUF_INIT;
	struct arena a = ARENA_INIT;
	if (!ip)
		return xstrdup(s->body);
	strbuf_add(&out, s->body, (size_t)(ip - s->body));
	strbuf_add_slice(&out, service_first_ip(server->services, &a));
	strbuf_add(&out, ip + 2, (size_t)(port - ip - 2));
	strbuf_addf(&out, "%d", http_server_port(server->http));
	strbuf_adds(&out, port + 2);
	arena_release(&a);
	return strbuf_detach(&out);
}

static void client_closed(void *arg)
{
	struct bootstrap *b = arg;
	struct duty_run *r = b->run;
	struct err err = b->err;
	free(b);
	duty_done(r, &err);
}

static void request_done(struct client_request *req)
{
	struct bootstrap *b = CONTAINER_OF(req, struct bootstrap, request);
	if (req->err.code && req->err.code != ERR_EXISTS) {
		b->err = req->err;
		err_wrap(&b->err, "create %s", steps[b->at].path);
	}
	client_request_release(req);
	free(TAKE(b->body));
	b->at++;
	if (b->err.code || b->at == COUNT_OF(steps))
		client_close(b->client, client_closed, b);
	else
		next(b);
}

static void next(struct bootstrap *b)
{
	const struct step *s = &steps[b->at];
	b->body = text_of(b, s);
	b->request = (struct client_request){
	        .method = "POST", .path = s->path, .body = slice_of(b->body), .done = request_done};
	client_send(b->client, &b->request);
}

void bootstrap_run(struct duty_run *r)
{
	struct bootstrap *b = xcalloc(1, sizeof *b);
	b->run = r;
	b->client = api_server_client(r->server, r->server->loop, "system:apiserver", "system:masters");
	next(b);
}

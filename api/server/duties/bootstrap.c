/* Objects that a cluster has from its first moment: the system namespaces, the priority classes, and the `kubernetes`
 * service with the addresses of the API server. They are made at every start, through the same path as a client's
 * requests; what exists already stays, but the service's endpoints are brought up to date. */
#include "api/server/duties/bootstrap.h"

#include "api/server/admission/service_addresses.h"
#include "api/server/inproc.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/wire/http.h"

#include <stdlib.h>

struct step {
	const char *method;
	const char *path;
	const char *body; /* %s: see text_of() */
};

static const struct step steps[] = {
        {"POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"default\"}}"},
        {"POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"kube-system\"}}"},
        {"POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"kube-public\"}}"},
        {"POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"kube-node-lease\"}}"},
        {"POST", "/apis/scheduling.k8s.io/v1/priorityclasses",
                "{\"metadata\":{\"name\":\"system-cluster-critical\"},\"value\":2000000000,\"preemptionPolicy\":"
                "\"PreemptLowerPriority\","
                "\"description\":\"Used for system critical pods that must run in the cluster, but can be moved to "
                "another node if necessary.\"}"},
        {"POST", "/apis/scheduling.k8s.io/v1/priorityclasses",
                "{\"metadata\":{\"name\":\"system-node-critical\"},\"value\":2000001000,\"preemptionPolicy\":"
                "\"PreemptLowerPriority\","
                "\"description\":\"Used for system critical pods that must not be moved from their current node.\"}"},
        {"POST", "/api/v1/namespaces/default/services",
                "{\"metadata\":{\"name\":\"kubernetes\",\"labels\":{\"component\":\"apiserver\",\"provider\":"
                "\"kubernetes\"}},\"spec\":{\"type\":\"ClusterIP\","
                "\"clusterIP\":\"%s\",\"ports\":[{\"name\":\"https\",\"port\":443,\"protocol\":\"TCP\",\"targetPort\":%"
                "d}]}}"},
        {"PUT", "/api/v1/namespaces/default/endpoints",
                "{\"metadata\":{\"name\":\"kubernetes\",\"labels\":{\"endpointslice.kubernetes.io/"
                "skip-mirror\":\"true\"}},"
                "\"subsets\":[{\"addresses\":[{\"ip\":\"%s\"}],\"ports\":[{\"name\":\"https\",\"port\":%d,\"protocol\":"
                "\"TCP\"}]}]}"},
        {"PUT", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
                "{\"metadata\":{\"name\":\"kubernetes\",\"labels\":{\"kubernetes.io/"
                "service-name\":\"kubernetes\"}},\"addressType\":\"IPv4\","
                "\"endpoints\":[{\"addresses\":[\"%s\"],\"conditions\":{\"ready\":true}}],\"ports\":[{\"name\":"
                "\"https\",\"port\":%d,\"protocol\":\"TCP\"}]}"},
};

struct bootstrap {
	struct api_server *server;
	struct client *client;
	struct client_request request;
	size_t at;
	bool creating; /* a PUT found nothing: POST instead */
	char *path, *body;
	void (*done)(void *arg, const struct err *err);
	void *arg;
	struct err err;
};

static void next(struct bootstrap *b);

static char *text_of(struct bootstrap *b, const struct step *s)
{
	bool is_service = strstr(s->path, "/services") != NULL;
	if (!strstr(s->body, "%s"))
		return xstrdup(s->body);
	struct arena a = ARENA_INIT;
	struct slice address =
	        is_service ? service_first_ip(b->server->services, &a) : slice_of(b->server->options.advertise_address);
	/* Both templates take an address and a port, in this order. */
	struct strbuf out = STRBUF_INIT;
	const char *at_ip = strstr(s->body, "%s"), *at_port = strstr(s->body, "%d");
	strbuf_add(&out, s->body, (size_t)(at_ip - s->body));
	strbuf_add_slice(&out, address);
	arena_release(&a);
	strbuf_add(&out, at_ip + 2, (size_t)(at_port - at_ip - 2));
	strbuf_addf(&out, "%d", http_server_port(b->server->http));
	strbuf_adds(&out, at_port + 2);
	return strbuf_detach(&out);
}

static void client_closed(void *arg)
{
	struct bootstrap *b = arg;
	b->done(b->arg, &b->err);
	free(b);
}

static void finish(struct bootstrap *b)
{
	client_close(b->client, client_closed, b);
}

static void request_done(struct client_request *req)
{
	struct bootstrap *b = CONTAINER_OF(req, struct bootstrap, request);
	const struct step *s = &steps[b->at];
	bool missing = strcmp(s->method, "PUT") == 0 && !b->creating && req->err.code == ERR_NOT_FOUND;
	if (req->err.code && req->err.code != ERR_EXISTS && !missing) {
		b->err = req->err;
		err_wrap(&b->err, "create %s", b->path);
	}
	client_request_release(req);
	free(TAKE(b->path));
	free(TAKE(b->body));
	b->creating = missing;
	if (!missing)
		b->at++;
	if (b->err.code || b->at == COUNT_OF(steps))
		finish(b);
	else
		next(b);
}

static void next(struct bootstrap *b)
{
	const struct step *s = &steps[b->at];
	bool put = strcmp(s->method, "PUT") == 0 && !b->creating;
	b->path = put ? xprintf("%s/kubernetes", s->path) : xstrdup(s->path);
	b->body = text_of(b, s);
	b->request = (struct client_request){
	        .method = put ? "PUT" : "POST", .path = b->path, .body = slice_of(b->body), .done = request_done};
	client_send(b->client, &b->request);
}

void bootstrap_run(struct api_server *s, void (*done)(void *arg, const struct err *err), void *arg)
{
	struct bootstrap *b = xcalloc(1, sizeof *b);
	b->server = s;
	b->client = api_server_client(s, s->loop, "system:apiserver", "system:masters");
	b->done = done;
	b->arg = arg;
	next(b);
}

/* etcd's HTTP paths beside gRPC: /health, /livez and /readyz with their checks one by one, /version, /metrics,
 * /debug/vars.
 *
 * A probe runs its checks in order, each answered from what is known (alarms, role, leader) or by a request to the
 * store: a serializable read shows that this server answers at all, a linearizable one that it is part of a majority. A
 * client that goes away meanwhile leaves a probe that frees itself. */
#include "store/etcd/http_int.h"

#include "base/check.h"
#include "base/log.h"
#include "store/etcd/serve/alarm.h"
#include "store/etcd/serve/call.h"
#include "store/etcd/serve/quota.h"
#include "store/etcd/serve/service.h"

#include <stdlib.h>

enum check { CHECK_CORRUPTION, CHECK_SERIALIZABLE, CHECK_LINEARIZABLE, CHECK_NON_LEARNER, CHECKS };

static const char *const check_names[CHECKS] = {
        "data_corruption", "serializable_read", "linearizable_read", "non_learner"};

struct probe {
	struct etcd_service *service;
	struct http_exchange *exchange; /* NULL: the client went away */
	struct store_request req;
	const char *kind;   /* "livez", "readyz"; NULL: /health */
	unsigned wanted;    /* bits by enum check */
	enum check current; /* is out */
	bool is_verbose, failed;
	struct strbuf lines;
	char reason[160];
};

/* ---- answers ---- */

static void answer_health(struct probe *p)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "{\"health\":\"%s\",\"reason\":\"%s\"}", p->failed ? "false" : "true", p->reason);
	http_set_content_type(p->exchange, "application/json");
	http_respond_strbuf(p->exchange, p->failed ? 503 : 200, &b);
}

static void answer_checks(struct probe *p)
{
	struct strbuf b = STRBUF_INIT;
	if (p->failed || p->is_verbose)
		strbuf_add_slice(&b, strbuf_slice(&p->lines));
	if (!p->failed)
		strbuf_adds(&b, "ok\n");
	else
		strbuf_addf(&b, "%s check failed\n", p->kind);
	http_set_content_type(p->exchange, "text/plain; charset=utf-8");
	http_respond_strbuf(p->exchange, p->failed ? 503 : 200, &b);
}

static void finish(struct probe *p)
{
	if (p->failed)
		p->service->counters.health_failures++;
	else
		p->service->counters.health_successes++;
	if (p->exchange && p->failed)
		log_warn("store", "not healthy", "probe=%s reason=\"%s\"", p->kind ? p->kind : "health", p->reason);
	if (p->exchange && p->kind)
		answer_checks(p);
	else if (p->exchange)
		answer_health(p);
	CHECK(p->service->calls > 0);
	p->service->calls--;
	store_request_release(&p->req);
	strbuf_release(&p->lines);
	free(p);
}

/* ---- checks ---- */

static void note(struct probe *p, enum check c, const char *why)
{
	if (why)
		strbuf_addf(&p->lines, "[-]%s failed: %s\n", check_names[c], why);
	else
		strbuf_addf(&p->lines, "[+]%s ok\n", check_names[c]);
	if (why && !p->failed)
		snprintf(p->reason, sizeof p->reason, "%s%s", c == CHECK_LINEARIZABLE ? "QGET ERROR:" : "", why);
	p->failed |= why != NULL;
}

static void run_from(struct probe *p, unsigned first);

static void read_done(struct store_request *req)
{
	struct probe *p = CONTAINER_OF(req, struct probe, req);
	enum check c = p->current;
	int grpc;
	note(p, c, req->err.code ? etcd_error_text(req, &grpc) : NULL);
	store_request_release(req);
	run_from(p, c + 1);
}

static void read_store(struct probe *p, enum check c)
{
	CHECK(c == CHECK_SERIALIZABLE || c == CHECK_LINEARIZABLE);
	p->current = c;
	p->req = (struct store_request){.type = STORE_REQUEST_BARRIER, .loop = p->service->loop, .done = read_done};
	if (c == CHECK_SERIALIZABLE) {
		p->req.type = STORE_REQUEST_OP;
		p->req.op = (struct store_op){.type = STORE_OP_RANGE,
		        .range = {.keys.key = SLICE("health"), .limit = 1, .serializable = true}};
	}
	store_submit(p->service->store, &p->req);
}

static bool is_learner(struct etcd_service *s)
{
	struct raft_node_status r;
	raft_engine_status(s->raft, &r);
	for (size_t i = 0; i < r.n_members; i++)
		if (r.members[i].id == r.id)
			return r.members[i].role != RAFT_HOST_VOTER;
	return true;
}

static void run_from(struct probe *p, unsigned first)
{
	for (unsigned c = first; c < CHECKS; c++) {
		if (!(p->wanted & (1u << c)))
			continue;
		if (c == CHECK_CORRUPTION) {
			note(p, c, etcd_has_alarm(p->service, ETCD_ALARM_CORRUPT) ? "alarm CORRUPT" : NULL);
		} else if (c == CHECK_NON_LEARNER) {
			note(p, c, is_learner(p->service) ? "this member is a learner" : NULL);
		} else {
			read_store(p, (enum check)c);
			return;
		}
	}
	finish(p);
}

/* ---- requests ---- */

static void on_abort(struct http_exchange *x, void *arg)
{
	((struct probe *)arg)->exchange = NULL;
}

static struct probe *probe_new(struct etcd_service *s, struct http_exchange *x, const char *kind)
{
	LOOP_CHECK_OWNER(s->loop);
	struct probe *p = xcalloc(1, sizeof *p);
	p->service = s;
	p->exchange = x;
	p->kind = kind;
	s->calls++;
	http_on_abort(x, on_abort, p);
	return p;
}

/* Is "name=value" (or "name" alone, with value NULL) in the query? */
static bool query_has(struct http_exchange *x, const char *name, const char *value)
{
	struct slice rest = http_request(x)->query;
	while (rest.len) {
		struct slice v = slice_cut(&rest, '&'), n = slice_cut(&v, '=');
		if (slice_is(n, name) && (!value || slice_caseis(v, value)))
			return true;
	}
	return false;
}

static void health(struct etcd_service *s, struct http_exchange *x)
{
	static const struct {
		enum etcd_alarm alarm;
		const char *name;
	} alarms[] = {{ETCD_ALARM_NOSPACE, "NOSPACE"}, {ETCD_ALARM_CORRUPT, "CORRUPT"}};
	struct probe *p = probe_new(s, x, NULL);
	for (size_t i = 0; i < COUNT_OF(alarms) && !p->failed; i++)
		if (etcd_has_alarm(s, alarms[i].alarm) && !query_has(x, "exclude", alarms[i].name)) {
			p->failed = true;
			snprintf(p->reason, sizeof p->reason, "ALARM %s", alarms[i].name);
		}
	if (!p->failed && etcd_is_disk_full(s) && !query_has(x, "exclude", "NOSPACE")) {
		p->failed = true;
		snprintf(p->reason, sizeof p->reason, "ALARM NOSPACE: the disk is full: make room");
	}
	bool serializable = query_has(x, "serializable", "true");
	if (!p->failed && !serializable && !raft_engine_leader(s->raft)) {
		p->failed = true;
		snprintf(p->reason, sizeof p->reason, "RAFT NO LEADER");
	}
	p->wanted = p->failed ? 0 : 1u << (serializable ? CHECK_SERIALIZABLE : CHECK_LINEARIZABLE);
	run_from(p, 0);
}

/* "/readyz", "/readyz/linearizable_read". False: there is no such path. */
static bool checks(struct etcd_service *s, struct http_exchange *x, const char *kind, unsigned all)
{
	struct slice path = http_request(x)->path;
	size_t n = strlen(kind) + 1;
	unsigned wanted = path.len == n ? all : 0;
	if (path.len > n && path.ptr[n] != '/')
		return false;
	for (unsigned c = 0; c < CHECKS; c++) {
		struct slice name = {path.ptr + n + 1, path.len > n ? path.len - n - 1 : 0};
		if (path.len > n && (all & (1u << c)) && slice_is(name, check_names[c]))
			wanted = 1u << c;
		if (query_has(x, "exclude", check_names[c]))
			wanted &= ~(1u << c);
	}
	if (!wanted && path.len > n)
		return false;
	struct probe *p = probe_new(s, x, kind);
	p->wanted = wanted;
	p->is_verbose = query_has(x, "verbose", NULL);
	run_from(p, 0);
	return true;
}

static void not_found(struct http_exchange *x)
{
	http_set_content_type(x, "text/plain; charset=utf-8");
	http_respond_arena(x, 404, SLICE("404 page not found\n"));
}

void etcd_http(struct etcd_service *s, struct http_exchange *x, bool with_all, bool with_probes)
{
	LOOP_CHECK_OWNER(s->loop);
	struct slice path = http_request(x)->path;
	if (!with_probes) {
		not_found(x);
	} else if (slice_is(path, "/metrics")) {
		etcd_metrics(s, x);
	} else if (slice_is(path, "/health")) {
		health(s, x);
	} else if (with_all && slice_is(path, "/version")) {
		http_set_content_type(x, "application/json");
		http_respond_arena(x, 200, SLICE("{\"etcdserver\":\"3.5.16\",\"etcdcluster\":\"3.5.0\"}"));
	} else if (with_all && slice_is(path, "/debug/vars")) {
		etcd_vars(s, x);
	} else if (!(slice_starts(path, "/livez") && checks(s, x, "livez", 1u << CHECK_SERIALIZABLE)) &&
	           !(slice_starts(path, "/readyz") && checks(s, x, "readyz", (1u << CHECKS) - 1))) {
		not_found(x);
	}
}

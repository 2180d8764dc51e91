/* Paths that are not resources: discovery, OpenAPI, health, version, metrics. */
#include "api/server/auth/identity/authn.h"
#include "api/server/auth/rights/authorize.h"
#include "api/server/nonresource.h"

#include "api/machinery/openapi/discovery.h"
#include "api/machinery/openapi/openapi_v2.h"
#include "api/machinery/openapi/openapi_v3.h"
#include "api/server/aggregate/aggregate.h"
#include "api/server/answer.h"
#include "api/server/audit/audit.h"
#include "api/server/auth/identity/authn.h"
#include "api/server/fairness/dump.h"
#include "api/server/fairness/fairness.h"
#include "api/server/sealing/sealer.h"
#include "api/server/state.h"
#include "base/arch.h"
#include "base/wire/http.h"
#include "base/wire/url.h"
#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static void respond_json(struct call *c, struct strbuf *text)
{
	call_respond_strbuf(c, 200, "application/json", text);
}

static void not_found(struct call *c)
{
	struct err err = ERR_INIT;
	err_set(&err, ERR_NOT_FOUND, "the server could not find the requested resource");
	call_respond_err(c, &err);
}

/* ---- discovery ---- */

static bool accepts(const struct call *c, const char *part)
{
	size_t n = strlen(part);
	return c->accept.len >= n && memmem(c->accept.ptr, c->accept.len, part, n) != NULL;
}

static void aggregated(struct call *c, bool is_core)
{
	struct strbuf text = STRBUF_INIT;
	bool v2 = accepts(c, "v=v2;") || accepts(c, "v=v2,") || accepts(c, "v=v2\0") || !accepts(c, "v=v2beta1");
	discovery_aggregated(&text, is_core, !v2, aggregate_discovery(c->server->aggregator));
	call_respond_strbuf(c, 200,
	        v2 ? DISCOVERY_AGGREGATED_TYPE
	           : "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
	        &text);
}

static void discovery(struct call *c, struct slice path)
{
	struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT, unavailable = ERR_INIT;
	int rc = 0;
	struct slice rest = {path.ptr + 1, path.len - 1}, head = slice_cut(&rest, '/');
	bool is_core = slice_is(head, "api");
	if (rest.ptr && !rest.len)
		rest = SLICE_NULL;
	if (!rest.ptr && accepts(c, "as=APIGroupDiscoveryList")) {
		aggregated(c, is_core);
		return;
	}
	struct discovery_extras extras = aggregate_discovery(c->server->aggregator);
	struct slice group = is_core ? SLICE("") : slice_cut(&rest, '/');
	if (is_core && !rest.ptr) {
		discovery_core_versions(&text, url_authority(&c->arena, c->server->options.advertise_address,
		                                       http_server_port(c->server->http)));
	} else if (!is_core && !group.len) {
		discovery_groups(&text, extras);
	} else if (!is_core && !rest.len) {
		rc = discovery_group(&text, group, extras, &err);
	} else {
		rc = discovery_resources(&text, group, rest, extras, &err);
		if (rc != 0 && aggregate_check(c->server->aggregator, group, rest, &unavailable) != 0)
			err = unavailable;
	}
	if (rc == 0) {
		respond_json(c, &text);
		return;
	}
	strbuf_release(&text);
	call_respond_err(c, &err);
}

/* ---- OpenAPI ---- */

static void openapi_v3(struct call *c, struct slice path)
{
	struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT;
	if (path.len && aggregate_openapi(c, path))
		return;
	if (!path.len) {
		openapi_v3_index(&text, aggregate_discovery(c->server->aggregator));
	} else if (openapi_v3_document(&text, path, &err) != 0) {
		strbuf_release(&text);
		not_found(c);
		return;
	}
	respond_json(c, &text);
}

static void openapi_v2(struct call *c)
{
	struct strbuf text = STRBUF_INIT;
	if (accepts(c, "proto-openapi.spec.v2@v1.0+protobuf")) {
		openapi_v2_protobuf(&text);
		call_respond_strbuf(c, 200, OPENAPI_V2_PROTOBUF_TYPE, &text);
		return;
	}
	openapi_v2_json(&text);
	respond_json(c, &text);
}

/* ---- version, health, metrics ---- */

static void version(struct call *c)
{
	struct strbuf text = STRBUF_INIT;
	strbuf_addf(&text,
	        "{\"major\":\"1\",\"minor\":\"32\",\"gitVersion\":\"%s\",\"gitCommit\":\"\",\"gitTreeState\":\"clean\","
	        "\"buildDate\":\"\","
	        "\"goVersion\":\"none\",\"compiler\":\"gcc %d\",\"platform\":\"linux/" ARCH_NAME "\"}",
	        K3X_KUBE_VERSION, __GNUC__);
	respond_json(c, &text);
}

/* What /healthz, /livez and /readyz look at; /readyz/NAME looks at one. */
enum health_check { CHECK_PING, CHECK_STORE, CHECK_CACHE, CHECKS };
static const char *const check_names[CHECKS] = {"ping", "store", "cache"};

static bool is_healthy(const struct api_server *s, enum health_check check, bool is_readiness)
{
	if (check == CHECK_PING || !is_readiness)
		return true;
	return s->is_ready && !s->closing && (check != CHECK_STORE || store_has_leader(s->store));
}

/* A server that knows of no leader serves what it has and can write nothing: whoever can choose takes another. */
static const char *why_not(const struct api_server *s, enum health_check check)
{
	if (check == CHECK_STORE && !store_has_leader(s->store))
		return store_is_external(s->store)
		               ? "no server leads: the datastore must be reached"
		               : "no server leads: a majority of the servers must run and reach each other's peer port";
	return s->closing ? "the server is stopping" : "the server is starting";
}

#define KMS_CHECK "kms-provider-"

/* "kms-provider-0": the i-th plugin; false: there is none. Only readiness depends on it. */
static bool kms_health(struct call *c, struct slice name)
{
	struct slice number = {name.ptr + strlen(KMS_CHECK), name.len - strlen(KMS_CHECK)};
	const char *why;
	uint64_t i;
	if (!slice_to_u64(number, &i) || !sealer_plugin(c->server->sealer, i, &why))
		return false;
	call_respond_text(c, why ? 503 : 200, "text/plain; charset=utf-8", why ? SLICE("failed") : SLICE("ok"));
	return true;
}

static bool add_kms_healths(const struct api_server *s, struct strbuf *out)
{
	const char *why;
	bool all = true;
	for (size_t i = 0; sealer_plugin(s->sealer, i, &why); i++) {
		if (why)
			strbuf_addf(out, "[-]" KMS_CHECK "%zu failed: %s\n", i, why);
		else
			strbuf_addf(out, "[+]" KMS_CHECK "%zu ok\n", i);
		all = all && !why;
	}
	return all;
}

static void one_health(struct call *c, struct slice name, bool is_readiness)
{
	if (slice_starts(name, KMS_CHECK) && is_readiness && kms_health(c, name))
		return;
	if (slice_is(name, "etcd")) /* upstream's name for it */
		name = slice_of(check_names[CHECK_STORE]);
	for (int i = 0; i < CHECKS; i++)
		if (slice_is(name, check_names[i])) {
			bool ok = is_healthy(c->server, i, is_readiness);
			call_respond_text(
			        c, ok ? 200 : 503, "text/plain; charset=utf-8", ok ? SLICE("ok") : SLICE("failed"));
			return;
		}
	not_found(c);
}

/* path: "/readyz" or "/readyz/cache". */
static void health(struct call *c, struct slice path)
{
	struct slice rest = {path.ptr + 1, path.len - 1}, endpoint = slice_cut(&rest, '/');
	bool is_readiness = slice_is(endpoint, "readyz"), all = true;
	struct strbuf text = STRBUF_INIT;
	if (rest.ptr) {
		one_health(c, rest, is_readiness);
		return;
	}
	for (int i = 0; i < CHECKS; i++) {
		bool ok = is_healthy(c->server, i, is_readiness);
		if (ok)
			strbuf_addf(&text, "[+]%s ok\n", check_names[i]);
		else
			strbuf_addf(&text, "[-]%s failed: %s\n", check_names[i], why_not(c->server, i));
		all = all && ok;
	}
	if (is_readiness)
		all = add_kms_healths(c->server, &text) && all;
	strbuf_addf(&text, "%.*s check %s\n", SLICE_FMT(endpoint), all ? "passed" : "failed");
	if (all && !call_param(c, "verbose").ptr) {
		strbuf_reset(&text);
		strbuf_adds(&text, "ok");
	}
	call_respond_strbuf(c, all ? 200 : 503, "text/plain; charset=utf-8", &text);
}

/* ---- whose tokens we sign ---- */

static void issuer_discovery(struct call *c)
{
	struct strbuf text = STRBUF_INIT;
	authn_write_discovery(c->server, &text);
	respond_json(c, &text);
}

static void issuer_keys(struct call *c)
{
	struct strbuf text = STRBUF_INIT;
	authn_write_keys(c->server, &text);
	call_respond_strbuf(c, 200, "application/jwk-set+json", &text);
}

static long resident_bytes(void)
{
	long pages = 0, total;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	if (fscanf(f, "%ld %ld", &total, &pages) != 2)
		pages = 0;
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static bool write_object_count(void *arg, const struct resource *r)
{
	void **a = arg;
	struct strbuf *out = a[0];
	struct call *c = a[1];
	if (r->storage_prefix && r->storage == r) {
		struct cache_resource *cr = cache_resource(c->server->cache, r);
		strbuf_addf(out, "apiserver_storage_objects{resource=\"%s%s%s\"} %zu\n", r->plural,
		        *r->group ? "." : "", r->group, cr->objects.count);
	}
	return true;
}

static void metrics(struct call *c)
{
	struct api_server *s = c->server;
	struct strbuf out = STRBUF_INIT;
	struct store_stats stats = {0};
	store_stats(s->store, &stats);
	strbuf_addf(&out, "# TYPE apiserver_request_total counter\napiserver_request_total %" PRIu64 "\n",
	        s->counters.requests);
	strbuf_addf(&out, "# TYPE apiserver_request_errors_total counter\napiserver_request_errors_total %" PRIu64 "\n",
	        s->counters.errors);
	strbuf_addf(&out,
	        "# TYPE apiserver_longrunning_requests gauge\napiserver_longrunning_requests{verb=\"WATCH\"} %" PRIu64
	        "\n",
	        s->counters.watches_open);
	strbuf_addf(&out, "# TYPE apiserver_watch_events_total counter\napiserver_watch_events_total %" PRIu64 "\n",
	        s->counters.events_sent);
	strbuf_addf(&out, "# TYPE apiserver_open_connections gauge\napiserver_open_connections %zu\n",
	        http_server_connections(s->http));
	strbuf_addf(&out, "# TYPE store_revision gauge\nstore_revision %" PRId64 "\n", stats.revision);
	strbuf_addf(&out, "# TYPE store_compacted_revision gauge\nstore_compacted_revision %" PRId64 "\n",
	        stats.compacted_revision);
	strbuf_addf(&out, "# TYPE store_size_bytes gauge\nstore_size_bytes %" PRId64 "\n", stats.size_bytes);
	strbuf_addf(&out, "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %ld\n",
	        resident_bytes());
	audit_metrics(s->audit, &out);
	sealer_metrics(s->sealer, &out);
	authenticator_metrics(s, &out);
	authorizers_metrics(s, &out);
	fairness_metrics(s->fairness, &out);
	strbuf_addf(&out, "# TYPE apiserver_storage_objects gauge\n");
	void *arg[] = {&out, c};
	resources_each(write_object_count, arg);
	call_respond_strbuf(c, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}

/* ---- fairness, as it is ---- */

#define FAIRNESS_DUMPS "/debug/api_priority_and_fairness/"

static void fairness_dumps(struct call *c, struct slice path)
{
	struct strbuf text = STRBUF_INIT;
	struct slice name = {path.ptr + strlen(FAIRNESS_DUMPS), path.len - strlen(FAIRNESS_DUMPS)};
	if (fairness_dump(c->server->fairness, name, call_param(c, "includeRequestDetails").len > 0, &text))
		call_respond_strbuf(c, 200, "text/plain; charset=utf-8", &text);
	else
		not_found(c);
}

/* ---- */

static struct slice without_slash(struct slice path)
{
	while (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	return path;
}

static bool under(struct slice path, const char *prefix)
{
	size_t n = strlen(prefix);
	return slice_starts(path, prefix) && (path.len == n || path.ptr[n] == '/');
}

static void root(struct call *c)
{
	call_respond_text(c, 200, "application/json",
	        SLICE("{\"paths\":[\"/.well-known/openid-configuration\",\"/api\",\"/api/v1\",\"/apis\",\"/"
	              "healthz\",\"/livez\",\"/metrics\",\"/openid/v1/jwks\",\"/openapi/"
	              "v2\",\"/openapi/v3\",\"/readyz\",\"/version\"]}"));
}

void api_nonresource(struct call *c)
{
	struct slice path = without_slash(c->path);
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	if (!slice_is(c->method, "GET") && !slice_is(c->method, "HEAD")) {
		err_set(&err, ERR_METHOD, "the server does not allow this method on the requested resource");
		call_respond_err(c, &err);
	} else if (slice_is(path, "/")) {
		root(c);
	} else if (under(path, "/api") || under(path, "/apis")) {
		discovery(c, path);
	} else if (under(path, "/openapi/v3")) {
		size_t n = sizeof "/openapi/v3" - 1;
		openapi_v3(c, path.len > n ? (struct slice){path.ptr + n + 1, path.len - n - 1} : SLICE_NULL);
	} else if (slice_is(path, "/openapi/v2")) {
		openapi_v2(c);
	} else if (slice_is(path, "/version")) {
		version(c);
	} else if (under(path, "/healthz") || under(path, "/livez") || under(path, "/readyz")) {
		health(c, path);
	} else if (slice_starts(path, FAIRNESS_DUMPS)) {
		fairness_dumps(c, path);
	} else if (slice_is(path, "/metrics")) {
		metrics(c);
	} else if (slice_is(path, "/.well-known/openid-configuration")) {
		issuer_discovery(c);
	} else if (slice_is(path, "/openid/v1/jwks")) {
		issuer_keys(c);
	} else {
		not_found(c);
	}
}

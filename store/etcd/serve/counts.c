/* Calls in numbers, under the names of go-grpc-prometheus, which etcd's dashboards and alerts ask for. What comes over
 * the JSON gateway is counted like the rest, as in etcd, whose gateway is a gRPC client of its own; bytes are of gRPC's
 * messages only.
 *
 * Everything that starts is handled once: answered, or (a client that went away) canceled. All on the service's loop.
 */
#include "store/etcd/serve/counts.h"

#include "base/check.h"
#include "base/histogram.h"
#include "base/mem/arena.h"
#include "base/wire/grpc.h"
#include "store/etcd/serve/method.h"

#include <inttypes.h>
#include <stdlib.h>

enum { STATUSES = GRPC_UNAUTHENTICATED + 1 };

struct method_counts {
	uint64_t started, received, sent, handled[STATUSES];
	struct histogram times; /* of unary calls */
};

struct etcd_counts {
	const struct etcd_method *methods;
	size_t n;
	uint64_t sent_bytes, received_bytes;
	struct method_counts of[];
};

/* Prometheus' default buckets. */
static const uint64_t bounds_ns[] = {5000000, 10000000, 25000000, 50000000, 100000000, 250000000, 500000000, 1000000000,
        2500000000, 5000000000, 10000000000};

struct etcd_counts *etcd_counts_new(void)
{
	size_t n;
	const struct etcd_method *methods = etcd_methods(&n);
	struct etcd_counts *c = xcalloc(1, sizeof *c + n * sizeof c->of[0]);
	c->methods = methods;
	c->n = n;
	for (size_t i = 0; i < n; i++)
		histogram_init(&c->of[i].times, bounds_ns, COUNT_OF(bounds_ns));
	return c;
}

/* A path that only the gateway knows counts as the method with the same handler. */
static struct method_counts *counts_of(struct etcd_counts *c, const struct etcd_method *m)
{
	size_t i = (size_t)(m - c->methods);
	if (m->path[0])
		return &c->of[i];
	for (i = 0; i < c->n; i++)
		if (c->methods[i].path[0] && c->methods[i].handler == m->handler && c->methods[i].open == m->open)
			break;
	CHECK(i < c->n);
	return &c->of[i];
}

void etcd_count_started(struct etcd_counts *c, const struct etcd_method *m)
{
	counts_of(c, m)->started++;
}

void etcd_count_received(struct etcd_counts *c, const struct etcd_method *m, size_t grpc_bytes)
{
	counts_of(c, m)->received++;
	c->received_bytes += grpc_bytes;
}

void etcd_count_sent(struct etcd_counts *c, const struct etcd_method *m, size_t grpc_bytes)
{
	CHECK(counts_of(c, m)->started > 0); /* who answers was asked */
	counts_of(c, m)->sent++;
	c->sent_bytes += grpc_bytes;
}

void etcd_count_handled(struct etcd_counts *c, const struct etcd_method *m, int status, uint64_t begun_ns)
{
	struct method_counts *n = counts_of(c, m);
	n->handled[status >= 0 && status < STATUSES ? status : GRPC_UNKNOWN]++;
	if (begun_ns)
		histogram_observe_since(&n->times, begun_ns);
}

/* ---- as text ---- */

/* `grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"`; false: the method has no path. */
static bool labels_of(const struct etcd_method *m, struct strbuf *out)
{
	struct slice name = slice_of(m->path);
	if (!name.len)
		return false;
	slice_cut(&name, '/');
	struct slice service = slice_cut(&name, '/');
	strbuf_reset(out);
	strbuf_addf(out, "grpc_method=\"%.*s\",grpc_service=\"%.*s\",grpc_type=\"%s\"", SLICE_FMT(name),
	        SLICE_FMT(service),
	        m->handler   ? "unary"
	        : m->is_feed ? "server_stream"
	                     : "bidi_stream");
	return true;
}

static void write_counter(
        const struct etcd_counts *c, struct strbuf *out, const char *name, const char *help, size_t offset)
{
	struct strbuf labels = STRBUF_INIT;
	strbuf_addf(out, "# HELP %s %s\n# TYPE %s counter\n", name, help, name);
	for (size_t i = 0; i < c->n; i++)
		if (labels_of(&c->methods[i], &labels))
			strbuf_addf(out, "%s{%s} %" PRIu64 "\n", name, strbuf_cstr(&labels),
			        *(const uint64_t *)((const char *)&c->of[i] + offset));
	strbuf_release(&labels);
}

/* OK always, so that what is started and not handled can be asked for from the start; the others when there are any. */
static void write_handled(const struct etcd_counts *c, struct strbuf *out)
{
	static const char name[] = "grpc_server_handled_total";
	struct strbuf labels = STRBUF_INIT;
	strbuf_addf(out, "# HELP %s Calls that ended, by their status.\n# TYPE %s counter\n", name, name);
	for (size_t i = 0; i < c->n; i++)
		for (int status = 0; status < STATUSES; status++)
			if ((status == GRPC_OK || c->of[i].handled[status]) && labels_of(&c->methods[i], &labels))
				strbuf_addf(out, "%s{grpc_code=\"%s\",%s} %" PRIu64 "\n", name,
				        grpc_status_name(status), strbuf_cstr(&labels), c->of[i].handled[status]);
	strbuf_release(&labels);
}

static void write_times(const struct etcd_counts *c, struct strbuf *out)
{
	static const char name[] = "grpc_server_handling_seconds";
	struct strbuf labels = STRBUF_INIT;
	strbuf_addf(out, "# HELP %s How long unary calls took, of methods that were called.\n# TYPE %s histogram\n",
	        name, name);
	for (size_t i = 0; i < c->n; i++)
		if (c->methods[i].handler && c->of[i].started && labels_of(&c->methods[i], &labels))
			histogram_write(&c->of[i].times, out, name, strbuf_cstr(&labels));
	strbuf_release(&labels);
}

void etcd_counts_write(const struct etcd_counts *c, struct strbuf *out)
{
	strbuf_addf(out,
	        "# HELP etcd_network_client_grpc_sent_bytes_total Bytes of messages sent to gRPC clients.\n"
	        "# TYPE etcd_network_client_grpc_sent_bytes_total counter\n"
	        "etcd_network_client_grpc_sent_bytes_total %" PRIu64 "\n"
	        "# HELP etcd_network_client_grpc_received_bytes_total Bytes of messages received from gRPC clients.\n"
	        "# TYPE etcd_network_client_grpc_received_bytes_total counter\n"
	        "etcd_network_client_grpc_received_bytes_total %" PRIu64 "\n",
	        c->sent_bytes, c->received_bytes);
	write_counter(
	        c, out, "grpc_server_started_total", "Calls that were begun.", offsetof(struct method_counts, started));
	write_handled(c, out);
	write_counter(c, out, "grpc_server_msg_received_total", "Messages received.",
	        offsetof(struct method_counts, received));
	write_counter(c, out, "grpc_server_msg_sent_total", "Messages sent.", offsetof(struct method_counts, sent));
	write_times(c, out);
}

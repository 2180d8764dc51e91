/* See document.h. Quantities and durations are written as upstream writes them: CPU in nanocores with the largest
 * suffix that leaves an integer, memory with the largest binary one, windows in Go's form. */
#include "net/metrics/document.h"

#include "api/machinery/codec/quantity.h"
#include "api/machinery/codec/scalar.h"
#include "base/check.h"
#include "base/json/json.h"

#include <inttypes.h>

#define VERSION "metrics.k8s.io/v1beta1"

void document_duration(struct strbuf *out, int64_t ms)
{
	int64_t minutes = ms / 60000, rest = ms % 60000;
	if (ms < 1000) {
		strbuf_addf(out, ms ? "%" PRId64 "ms" : "%" PRId64 "s", ms);
		return;
	}
	if (minutes >= 60)
		strbuf_addf(out, "%" PRId64 "h", minutes / 60);
	if (minutes)
		strbuf_addf(out, "%" PRId64 "m", minutes % 60);
	strbuf_addf(out, "%" PRId64, rest / 1000);
	if (rest % 1000) {
		strbuf_addf(out, ".%03" PRId64, rest % 1000);
		while (out->data[out->len - 1] == '0')
			out->len--;
		out->data[out->len] = 0;
	}
	strbuf_adds(out, "s");
}

static void add_cpu(struct strbuf *out, uint64_t nanocores)
{
	char text[QUANTITY_TEXT_MAX];
	quantity_format(
	        &(struct quantity){.whole = nanocores / 1000000000, .nanos = (uint32_t)(nanocores % 1000000000)}, text);
	strbuf_addf(out, "\"%s\"", text);
}

static void add_memory(struct strbuf *out, uint64_t bytes)
{
	char text[QUANTITY_TEXT_MAX];
	quantity_format(&(struct quantity){.whole = bytes, .format = QUANTITY_BINARY_SI}, text);
	strbuf_addf(out, "\"%s\"", text);
}

static void add_usage(struct strbuf *out, const struct samples_usage *u)
{
	strbuf_adds(out, "{\"cpu\":");
	add_cpu(out, u->cpu_nanocores);
	strbuf_adds(out, ",\"memory\":");
	add_memory(out, u->memory_bytes);
	strbuf_adds(out, "}");
}

static void add_time(struct strbuf *out, int64_t seconds)
{
	char text[SCALAR_TIME_MAX] = "";
	scalar_time_format(seconds, 0, false, text);
	strbuf_addf(out, "\"%s\"", text);
}

static void add_metadata(struct strbuf *out, const struct document_item *i, int64_t now_s)
{
	strbuf_adds(out, "\"metadata\":{\"name\":");
	json_write_str(out, i->name);
	if (i->ns.len) {
		strbuf_adds(out, ",\"namespace\":");
		json_write_str(out, i->ns);
	}
	strbuf_adds(out, ",\"creationTimestamp\":");
	add_time(out, now_s);
	if (i->labels.len)
		strbuf_addf(out, ",\"labels\":%.*s", SLICE_FMT(i->labels));
	strbuf_adds(out, "}");
}

/* Of several the oldest, as upstream. */
static const struct samples_usage *earliest(const struct document_item *i)
{
	const struct samples_usage *u = &i->usages[0];
	for (size_t k = 1; k < i->n; k++)
		if (i->usages[k].at_ms < u->at_ms)
			u = &i->usages[k];
	return u;
}

static void add_body(struct strbuf *out, const struct document_item *i, int64_t now_s)
{
	const struct samples_usage *u = earliest(i);
	add_metadata(out, i, now_s);
	strbuf_adds(out, ",\"timestamp\":");
	add_time(out, u->at_ms / 1000);
	strbuf_adds(out, ",\"window\":\"");
	document_duration(out, u->window_ms);
	strbuf_adds(out, "\"");
	if (!i->ns.len) {
		strbuf_adds(out, ",\"usage\":");
		add_usage(out, i->usages);
		return;
	}
	strbuf_adds(out, ",\"containers\":[");
	for (size_t k = 0; k < i->n; k++) {
		strbuf_adds(out, k ? ",{\"name\":" : "{\"name\":");
		json_write_str(out, slice_of(i->names[k]));
		strbuf_adds(out, ",\"usage\":");
		add_usage(out, &i->usages[k]);
		strbuf_adds(out, "}");
	}
	strbuf_adds(out, "]");
}

static void add_kind(struct strbuf *out, bool is_pod, const char *suffix)
{
	strbuf_addf(out, "{\"kind\":\"%sMetrics%s\",\"apiVersion\":\"" VERSION "\",", is_pod ? "Pod" : "Node", suffix);
}

void document_object(struct strbuf *out, const struct document_item *item, int64_t now_s)
{
	CHECK(item->n > 0);
	add_kind(out, item->ns.len > 0, "");
	add_body(out, item, now_s);
	strbuf_adds(out, "}");
}

/* ---- lists ---- */

void document_list_begin(struct document_list *l)
{
	l->is_first = true;
	if (l->form == DOCUMENT_OBJECTS) {
		add_kind(l->out, l->is_of_pods, "List");
		strbuf_adds(l->out, "\"metadata\":{},\"items\":[");
		return;
	}
	strbuf_adds(l->out,
	        "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{},\"columnDefinitions\":["
	        "{\"name\":\"Name\",\"type\":\"string\",\"format\":\"name\",\"description\":\"Name of the resource\","
	        "\"priority\":0}"
	        ",{\"name\":\"cpu\",\"type\":\"string\",\"format\":\"\",\"description\":\"\",\"priority\":0}"
	        ",{\"name\":\"memory\",\"type\":\"string\",\"format\":\"\",\"description\":\"\",\"priority\":0}"
	        ",{\"name\":\"Window\",\"type\":\"string\",\"format\":\"duration\",\"description\":\"\",\"priority\":0}"
	        "],\"rows\":[");
}

static void add_row(struct document_list *l, const struct document_item *i)
{
	struct samples_usage sum = *earliest(i);
	sum.cpu_nanocores = sum.memory_bytes = 0;
	for (size_t k = 0; k < i->n; k++) {
		sum.cpu_nanocores += i->usages[k].cpu_nanocores;
		sum.memory_bytes += i->usages[k].memory_bytes;
	}
	strbuf_adds(l->out, "{\"cells\":[");
	json_write_str(l->out, i->name);
	strbuf_adds(l->out, ",");
	add_cpu(l->out, sum.cpu_nanocores);
	strbuf_adds(l->out, ",");
	add_memory(l->out, sum.memory_bytes);
	strbuf_adds(l->out, ",\"");
	document_duration(l->out, sum.window_ms);
	strbuf_adds(l->out, "\"]");
	if (slice_is(l->include_object, "Object")) {
		strbuf_adds(l->out, ",\"object\":");
		document_object(l->out, i, l->now_s);
	} else if (!slice_is(l->include_object, "None")) {
		strbuf_adds(
		        l->out, ",\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",");
		add_metadata(l->out, i, l->now_s);
		strbuf_adds(l->out, "}");
	}
	strbuf_adds(l->out, "}");
}

void document_list_add(struct document_list *l, const struct document_item *item)
{
	CHECK(item->n > 0);
	strbuf_adds(l->out, l->is_first ? "" : ",");
	l->is_first = false;
	if (l->form == DOCUMENT_TABLE) {
		add_row(l, item);
		return;
	}
	strbuf_adds(l->out, "{");
	add_body(l->out, item, l->now_s);
	strbuf_adds(l->out, "}");
}

void document_list_end(struct document_list *l)
{
	strbuf_adds(l->out, "]}");
}

/* ---- discovery and types ---- */

#define GROUP_BODY \
	"\"name\":\"metrics.k8s.io\",\"versions\":[{\"groupVersion\":\"" VERSION "\",\"version\":\"v1beta1\"}]," \
	"\"preferredVersion\":{\"groupVersion\":\"" VERSION "\",\"version\":\"v1beta1\"}"
#define RESOURCE(name, is_namespaced, kind) \
	"{\"name\":\"" name "\",\"singularName\":\"\",\"namespaced\":" is_namespaced ",\"kind\":\"" kind \
	"\",\"verbs\":[\"get\",\"list\"]}"

static const char group_list[] = "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[{" GROUP_BODY "}]}";
static const char group[] = "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\"," GROUP_BODY "}";
static const char resources[] =
        "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":\"" VERSION
        "\",\"resources\":[" RESOURCE("nodes", "false", "NodeMetrics") "," RESOURCE("pods", "true", "PodMetrics") "]}";
static const char openapi[] =
        "{\"paths\":{\"apis/" VERSION "\":{\"serverRelativeURL\":\"/openapi/v3/apis/" VERSION "\"}}}";

#define P "io.k8s.metrics.pkg.apis.metrics.v1beta1."
#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define TEXT "{\"type\":\"string\"}"
#define USAGE "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\",\"description\":\"a quantity\"}}"
#define META \
	"\"apiVersion\":" TEXT ",\"kind\":" TEXT ",\"metadata\":{\"type\":\"object\",\"properties\":{\"name\":" TEXT \
	",\"namespace\":" TEXT ",\"creationTimestamp\":{\"type\":\"string\",\"format\":\"date-time\"},\"labels\":{" \
	"\"type\":\"object\",\"additionalProperties\":" TEXT "}}}"
#define MEASURE "\"timestamp\":{\"type\":\"string\",\"format\":\"date-time\"},\"window\":" TEXT
#define GVK(kind) \
	"\"x-kubernetes-group-version-kind\":[{\"group\":\"metrics.k8s.io\",\"kind\":\"" kind \
	"\",\"version\":\"v1beta1\"}]"
#define TYPE(name, members, required) \
	"\"" P name "\":{\"type\":\"object\",\"required\":[" required "],\"properties\":{" META "," members \
	"}," GVK(name) "}"
#define LIST_TYPE(name) TYPE(name "List", "\"items\":{\"type\":\"array\",\"items\":" REF(P name) "}", "\"items\"")
#define PARAM(name, where, required) "{\"name\":\"" name "\",\"in\":\"" where "\"" required ",\"schema\":" TEXT "}"
#define ONE PARAM("name", "path", ",\"required\":true")
#define NS PARAM("namespace", "path", ",\"required\":true")
#define SELECT PARAM("labelSelector", "query", "") "," PARAM("fieldSelector", "query", "")
#define GET(path, params, id, action, kind, type) \
	"\"/apis/" VERSION path "\":{\"parameters\":[" params "],\"get\":{\"operationId\":\"" id \
	"\",\"responses\":{\"200\":{\"description\":\"OK\",\"content\":{\"application/json\":{\"schema\":" REF( \
	        P type) "}}}},\"x-kubernetes-action\":\"" action \
	                "\",\"x-kubernetes-group-version-kind\":{\"group\":\"metrics.k8s.io\",\"kind\":\"" kind \
	                "\",\"version\":\"v1beta1\"}}}"

static const char types[] =
        "{\"openapi\":\"3.0.0\",\"info\":{\"title\":\"Kubernetes metrics-server\",\"version\":\"v1beta1\"},"
        "\"paths\":{" GET("/nodes", SELECT, "listMetricsV1beta1NodeMetrics", "list", "NodeMetrics",
                "NodeMetricsList") "," GET("/nodes/{name}", ONE, "readMetricsV1beta1NodeMetrics", "get", "NodeMetrics",
                "NodeMetrics") "," GET("/pods", SELECT, "listMetricsV1beta1PodMetricsForAllNamespaces", "list",
                "PodMetrics", "PodMetricsList") "," GET("/namespaces/{namespace}/pods", NS "," SELECT,
                "listMetricsV1beta1NamespacedPodMetrics", "list", "PodMetrics",
                "PodMetricsList") "," GET("/namespaces/{namespace}/pods/{name}", NS "," ONE,
                "readMetricsV1beta1NamespacedPodMetrics", "get", "PodMetrics",
                "PodMetrics") "},\"components\":{\"schemas\":{" TYPE("NodeMetrics", MEASURE ",\"usage\":" USAGE,
                "\"timestamp\",\"window\",\"usage\"") "," LIST_TYPE("NodeMetrics") "," TYPE("PodMetrics",
                MEASURE ",\"containers\":{\"type\":\"array\",\"items\":" REF(P "ContainerMetrics") "}",
                "\"timestamp\",\"window\",\"containers\"") "," LIST_TYPE("PodMetrics") ",\"" P
                                                                                       "ContainerMetrics\":{\"type\":"
                                                                                       "\"object\",\"required\":["
                                                                                       "\"name\",\"usage\"],"
                                                                                       "\"properties\":{\"name\":" TEXT
                                                                                       ",\"usage\":" USAGE "}}}}}";

const char *document_of_path(struct slice path)
{
	static const struct {
		const char *path, *text;
	} rows[] = {{"/apis", group_list}, {"/apis/metrics.k8s.io", group}, {"/apis/" VERSION, resources},
	        {"/openapi/v3", openapi}, {"/openapi/v3/apis/" VERSION, types}};
	if (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_is(path, rows[i].path))
			return rows[i].text;
	return NULL;
}

/* One table row a field; the tree of a definition is made of them. See chart_kinds.h. */
#include "api/controllers/chart_kinds.h"

#include "base/check.h"
#include "base/mem/str.h"

struct field {
	const char *name;
	const char *schema; /* JSON; the description is added */
	const char *about;
};

#define TEXT "{\"type\":\"string\"}"
#define BOOL "{\"type\":\"boolean\"}"
#define TREE "{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}"
#define NAME "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"default\":\"\"}}}"

/* What both kinds have. */
#define OF_BOTH \
	{"values", "{\"x-kubernetes-preserve-unknown-fields\":true}", \
	        "values of the chart; they win over valuesContent"}, \
	        {"valuesContent", TEXT, "values of the chart, as YAML"}, \
	        {"valuesSecrets", \
	                "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":" \
	                "\"string\"}," \
	                "\"keys\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}," \
	                "\"ignoreUpdates\":{\"type\":\"boolean\"}}}}", \
	                "values of the chart, as YAML in keys of secrets of this namespace; one whose updates are " \
	                "ignored may be absent"}, \
	        {"failurePolicy", "{\"type\":\"string\",\"enum\":[\"abort\",\"reinstall\",\"retry\"]}", \
	                "after an installation that failed: abort leaves it so, reinstall uninstalls first, retry " \
	                "tries " \
	                "an upgrade; reinstall if unset"}, \
	        {"serverSide", "{\"type\":\"string\",\"enum\":[\"true\",\"false\",\"auto\"]}", \
	                "helm's --server-side"}, \
	{ \
		"forceConflicts", BOOL, "helm's --force-conflicts" \
	}

static const struct field chart_fields[] = {
        OF_BOTH,
        {"targetNamespace", TEXT, "where the chart is installed; this namespace if unset"},
        {"createNamespace", BOOL, "make the target namespace"},
        {"chart", TEXT, "its name in the repository, or the URL of an archive (https://, oci://)"},
        {"version", TEXT, "of the chart in its repository; the latest if unset"},
        {"repo", TEXT, "URL of the repository"},
        {"repoCA", TEXT, "CA certificates, PEM, by which the repository is trusted"},
        {"repoCAConfigMap", NAME, "a ConfigMap with such certificates"},
        {"set", "{\"type\":\"object\",\"additionalProperties\":{\"x-kubernetes-int-or-string\":true}}",
                "single values; they win over all others"},
        {"helmVersion", TEXT, "v3, the only one there is"},
        {"bootstrap", BOOL, "what the cluster needs to become Ready: runs on a server, before the node is"},
        {"takeOwnership", BOOL, "take over objects that are there already"},
        {"chartContent", TEXT, "the archive itself, base64"},
        {"jobImage", TEXT, "the image that runs helm; else the server's --helm-job-image"},
        {"backOffLimit", "{\"type\":\"integer\",\"format\":\"int32\"}", "how often helm is tried; 1000 if unset"},
        {"timeout", TEXT, "helm's --timeout, like 5m0s"},
        {"authSecret", NAME, "a secret of type kubernetes.io/basic-auth for the repository"},
        {"authPassCredentials", BOOL, "send them to all hosts"},
        {"insecureSkipTLSVerify", BOOL, "do not check the repository's certificate"},
        {"plainHTTP", BOOL, "use no TLS"},
        {"dockerRegistrySecret", NAME, "a secret of type kubernetes.io/dockerconfigjson for a registry"},
        {"podSecurityContext", TREE, "of the job's pod"},
        {"securityContext", TREE, "of the job's container"},
        {"driver", "{\"type\":\"string\",\"enum\":[\"secret\",\"configmap\"]}",
                "where helm keeps releases; secret if unset"},
};

static const struct field config_fields[] = {OF_BOTH};

static const struct field status_fields[] = {
        {"jobName", TEXT, "the job that installs, upgrades or uninstalls the chart"},
        {"conditions",
                "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"type\",\"status\"],\"properties\":{"
                "\"type\":{\"type\":\"string\"},\"status\":{\"type\":\"string\"},\"reason\":{\"type\":\"string\"},"
                "\"message\":{\"type\":\"string\"}}},\"x-kubernetes-list-type\":\"map\","
                "\"x-kubernetes-list-map-keys\":[\"type\"]}",
                "JobCreated and Failed"},
};

static void add_fields(struct arena *a, struct json *schema, const char *member, const struct field *f, size_t n)
{
	struct json *object = json_need(a, json_need(a, schema, "properties", JSON_OBJECT), member, JSON_OBJECT);
	json_set_cstr(a, object, "type", "object");
	struct json *into = json_need(a, object, "properties", JSON_OBJECT);
	for (size_t i = 0; i < n; i++) {
		struct json *one = json_literal(a, f[i].schema);
		json_set_cstr(a, one, "description", f[i].about);
		json_set(a, into, f[i].name, one);
	}
}

/* Names and version; *schema is where the fields go. */
static struct json *definition(struct arena *a, const char *name, const char *names, struct json **version)
{
	struct json *crd = json_new(a, JSON_OBJECT), *spec;
	json_set_cstr(a, crd, "apiVersion", "apiextensions.k8s.io/v1");
	json_set_cstr(a, crd, "kind", "CustomResourceDefinition");
	json_set_cstr(a, json_need(a, crd, "metadata", JSON_OBJECT), "name", name);
	spec = json_need(a, crd, "spec", JSON_OBJECT);
	json_set_cstr(a, spec, "group", "helm.cattle.io");
	json_set_cstr(a, spec, "scope", "Namespaced");
	json_set(a, spec, "names", json_literal(a, names));
	*version = json_literal(a, "{\"name\":\"v1\",\"served\":true,\"storage\":true}");
	json_append(json_need(a, spec, "versions", JSON_ARRAY), *version);
	return crd;
}

static struct json *schema_of(struct arena *a, struct json *version, const char *about)
{
	struct json *schema =
	        json_need(a, json_need(a, version, "schema", JSON_OBJECT), "openAPIV3Schema", JSON_OBJECT);
	json_set_cstr(a, schema, "type", "object");
	json_set_cstr(a, schema, "description", about);
	return schema;
}

struct json *chart_kind(struct arena *a)
{
	struct json *version, *schema;
	struct json *crd = definition(a, CHARTS_CRD,
	        "{\"kind\":\"HelmChart\",\"listKind\":\"HelmChartList\",\"plural\":\"helmcharts\","
	        "\"singular\":\"helmchart\",\"shortNames\":[\"hc\"]}",
	        &version);
	json_set(a, version, "subresources", json_literal(a, "{\"status\":{}}"));
	json_set(a, version, "additionalPrinterColumns",
	        json_literal(a,
	                "[{\"name\":\"Repo\",\"type\":\"string\",\"jsonPath\":\".spec.repo\"},"
	                "{\"name\":\"Chart\",\"type\":\"string\",\"jsonPath\":\".spec.chart\"},"
	                "{\"name\":\"Version\",\"type\":\"string\",\"jsonPath\":\".spec.version\"},"
	                "{\"name\":\"TargetNamespace\",\"type\":\"string\",\"jsonPath\":\".spec.targetNamespace\"},"
	                "{\"name\":\"Bootstrap\",\"type\":\"boolean\",\"jsonPath\":\".spec.bootstrap\"},"
	                "{\"name\":\"Failed\",\"type\":\"string\","
	                "\"jsonPath\":\".status.conditions[?(@.type=='Failed')].status\"},"
	                "{\"name\":\"Job\",\"type\":\"string\",\"jsonPath\":\".status.jobName\",\"priority\":10}]"));
	schema = schema_of(a, version, "A chart that is to be installed, and kept as it is described here.");
	add_fields(a, schema, "spec", chart_fields, COUNT_OF(chart_fields));
	add_fields(a, schema, "status", status_fields, COUNT_OF(status_fields));
	return crd;
}

struct json *chart_config_kind(struct arena *a)
{
	struct json *version;
	struct json *crd = definition(a, CHART_CONFIGS_CRD,
	        "{\"kind\":\"HelmChartConfig\",\"listKind\":\"HelmChartConfigList\",\"plural\":\"helmchartconfigs\","
	        "\"singular\":\"helmchartconfig\",\"shortNames\":[\"hcc\"]}",
	        &version);
	struct json *schema = schema_of(a, version, "More values for the HelmChart of the same name.");
	add_fields(a, schema, "spec", config_fields, COUNT_OF(config_fields));
	return crd;
}

/* Custom resources: creation of one of 338 bytes, checked by 20 rules in CEL, beside a ConfigMap of the same size, on
 * one server in turns; and 500 definitions, for the memory they take and a start with them (api.c). */
#include "tools/bench/bench.h"

#include <stdio.h>

enum { NAMESPACES = 8, OBJECT_BYTES = 338, DEFINITIONS = 500, PROPERTIES = 60, RULES = 20, WAIT_TRIES_MAX = 400 };

#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

/* ---- definitions ---- */

static void write_rules(struct strbuf *out, unsigned rules)
{
	strbuf_adds(out, ",\"x-kubernetes-validations\":[");
	for (unsigned i = 0; i < rules; i++)
		strbuf_addf(out,
		        "%s{\"rule\":\"self.key.size() > %u && self.mode in ['a', 'b'] && !self.key.endsWith('-%u')\","
		        "\"message\":\"rule %u\"}",
		        i ? "," : "", i, i, i);
	strbuf_adds(out, "]");
}

static void write_definition(struct strbuf *out, const char *plural, unsigned properties, unsigned rules)
{
	strbuf_addf(out,
	        "{\"apiVersion\":\"apiextensions.k8s.io/"
	        "v1\",\"kind\":\"CustomResourceDefinition\",\"metadata\":{\"name\":"
	        "\"%s.bench.example.com\"},\"spec\":{\"group\":\"bench.example.com\",\"scope\":\"Namespaced\","
	        "\"names\":{"
	        "\"plural\":\"%s\",\"kind\":\"K%s\"},\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,"
	        "\"subresources\":{\"status\":{}},\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{"
	        "\"spec\":{\"type\":\"object\",\"required\":[\"key\"],\"properties\":{\"key\":{\"type\":\"string\","
	        "\"minLength\":1,\"maxLength\":1000,\"pattern\":\"^[a-z]+$\"},\"mode\":{\"type\":\"string\",\"enum\":["
	        "\"a\","
	        "\"b\"],\"default\":\"a\"}",
	        plural, plural, plural);
	for (unsigned i = 0; i < properties; i++)
		strbuf_addf(out,
		        ",\"field%u\":{\"type\":\"object\",\"description\":\"What the field of this number is for, in "
		        "as many words "
		        "as such descriptions "
		        "have.\",\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":63},\"value\":{"
		        "\"type\":\"integer\",\"minimum\":0}}}",
		        i);
	strbuf_adds(out, "}");
	if (rules)
		write_rules(out, rules);
	strbuf_adds(out, "},\"status\":{\"type\":\"object\",\"properties\":{\"phase\":{\"type\":\"string\"}}}}}}}]}}");
}

static int wait_for(struct bench_target *t, const char *path, struct err *err)
{
	for (int i = 0; i < WAIT_TRIES_MAX; i++)
		if (bench_request(t, "GET", path, SLICE(""), NULL) == 200)
			return 0;
	return err_set(err, ERR_UNAVAILABLE, "%s is not served", path);
}

static int define(struct bench_target *t, struct err *err)
{
	struct strbuf body = STRBUF_INIT;
	write_definition(&body, "ones", 4, RULES);
	int status = bench_request(t, "POST", CRDS, strbuf_slice(&body), NULL);
	strbuf_release(&body);
	if (status != 201)
		return err_set(err, ERR_UNAVAILABLE, "POST " CRDS " answers %d", status);
	return wait_for(t, "/apis/bench.example.com/v1/ones", err);
}

/* ---- creations ---- */

static void make_custom(struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body)
{
	strbuf_addf(target, "/apis/bench.example.com/v1/namespaces/bench-%u/ones", n % NAMESPACES);
	strbuf_addf(body,
	        "{\"apiVersion\":\"bench.example.com/"
	        "v1\",\"kind\":\"Kones\",\"metadata\":{\"name\":\"%s-%u\",\"labels\":{"
	        "\"app\":\"bench\"}},\"spec\":{\"key\":\"",
	        (const char *)l->arg, n);
	while (body->len < OBJECT_BYTES - 3)
		strbuf_addc(body, (char)('a' + body->len * 7 % 26));
	strbuf_adds(body, "\"}}");
}

static double cpu_of(struct bench_target *t, struct bench_server *server, const char *names, unsigned n,
        void (*make)(struct bench_load *, unsigned, struct strbuf *, struct strbuf *), double *ret_rate)
{
	double cpu = bench_server_cpu_ms(server);
	*ret_rate = bench_create(t, 64, n, names, make, NULL);
	return (bench_server_cpu_ms(server) - cpu) / n;
}

static void compare(struct bench_report *r, struct bench_target *t, struct bench_server *server, unsigned n)
{
	double rate, configmap_rate, cpu, configmap_cpu;
	cpu_of(t, server, "warm", n / 4, make_custom, &rate);
	configmap_cpu = cpu_of(t, server, "beside", n, bench_make_configmap, &configmap_rate);
	cpu = cpu_of(t, server, "custom", n, make_custom, &rate);
	bench_report_add(r, (struct bench_row){"custom_create_64_clients_per_s",
	                            "custom resource create with 20 CEL rules, 64 clients", "/s", rate, 0,
	                            configmap_rate / 1.3, BENCH_HIGHER});
	bench_report_add(r, (struct bench_row){"custom_beside_configmap_per_s", "  ConfigMaps beside it", "/s",
	                            configmap_rate, 0, 0, BENCH_INFO});
	bench_report_add(r, (struct bench_row){"custom_create_server_cpu_ms", "  server CPU per create", "ms", cpu, 0,
	                            configmap_cpu * 1.3, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"custom_beside_configmap_cpu_ms", "  of a ConfigMap beside it", "ms",
	                            configmap_cpu, 0, 0, BENCH_INFO});
}

/* ---- many definitions ---- */

static void make_definition(struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body)
{
	char plural[32];
	snprintf(plural, sizeof plural, "many%us", n);
	strbuf_adds(target, CRDS);
	write_definition(body, plural, PROPERTIES, 0);
}

void bench_definitions(struct bench_target *t, struct err *err)
{
	char last[96];
	bench_create(t, 8, DEFINITIONS, "many", make_definition, NULL);
	snprintf(last, sizeof last, "/apis/bench.example.com/v1/many%us", DEFINITIONS - 1);
	wait_for(t, last, err);
}

void bench_custom(
        struct bench_report *r, struct bench_target *t, struct bench_server *server, bool quick, struct err *err)
{
	if (define(t, err) == 0)
		compare(r, t, server, quick ? 2000 : 10000);
}

/* See trust.h. The certificate is made at each start, by a CA that signs nothing else and whose key is thrown away; the
 * CA is added to the APIService's caBundle, before those of other copies of this program, of which the newest stay. So
 * the API server knows whom it asks, as it does not with upstream's insecureSkipTLSVerify, and nobody has to carry a
 * certificate about. An APIService that says insecureSkipTLSVerify is its owner's choice and left alone.
 *
 * What can go wrong: the APIService comes later, or is written anew without the bundle: it is watched. We may not
 * change it: told, and the API server goes on refusing us. */
#include "net/metrics/trust.h"

#include "api/client/informer.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "base/rt/closing.h"
#include "base/wire/tls.h"

#include <inttypes.h>
#include <stdlib.h>

#define MAP_NAME "extension-apiserver-authentication"
#define API_SERVICES "/apis/apiregistration.k8s.io/v1/apiservices"
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"

struct trust {
	struct trust_options o;
	struct pki_pair own; /* what we serve with */
	char *ca_pem;
	struct informer *map, *service;
	char *proxy_ca; /* PEM; NULL: none is known yet */
	char **names;   /* that a proxy's certificate may have; NULL: any */
	size_t n_names;
	struct client_request patch;
	struct arena arena; /* of the patch */
	bool is_patching, is_closing;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- whom to believe ---- */

static void free_names(struct trust *t)
{
	for (size_t i = 0; i < t->n_names; i++)
		free(t->names[i]);
	free(TAKE(t->names));
	t->n_names = 0;
}

static void read_names(struct trust *t, struct arena *a, const struct json *data)
{
	const struct json *list =
	        json_parse(a, json_get_str(data, "requestheader-allowed-names"), NULL, &(struct err){0});
	free_names(t);
	if (!list || !list->count)
		return;
	t->names = xcalloc(list->count, sizeof *t->names);
	JSON_FOREACH (it, list)
		if (json_is(it, JSON_STRING))
			t->names[t->n_names++] = xmemdup(it->text.ptr, it->text.len);
}

static void renew(struct trust *t)
{
	struct tls_context *tls;
	struct err err = ERR_INIT;
	struct tls_options o = {.is_server = true,
	        .certificate_pem = t->own.certificate_pem,
	        .key_pem = t->own.key_pem,
	        .ca_pem = t->proxy_ca};
	if (tls_context_new(&o, &tls, &err) == 0)
		t->o.changed(t->o.arg, tls);
	else
		log_error("metrics", "the CA of the API server's proxy cannot be used", "error=\"%s\"", err.msg);
}

static void map_added(void *arg, struct informer_object *o)
{
	struct trust *t = arg;
	struct arena a = ARENA_INIT;
	const struct json *data = json_get(informer_parse(&a, o), "data");
	struct slice ca = json_get_str(data, "requestheader-client-ca-file");
	read_names(t, &a, data);
	if (!ca.len) {
		log_error("metrics", "the API server has no proxy's CA: nobody can be believed", "map=kube-system/%s",
		        MAP_NAME);
	} else if (!t->proxy_ca || !slice_is(ca, t->proxy_ca)) {
		free(t->proxy_ca);
		t->proxy_ca = xmemdup(ca.ptr, ca.len);
		renew(t);
	}
	arena_release(&a);
}

static void map_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	map_added(arg, o);
}

bool trust_allows(const struct trust *t, struct slice common_name)
{
	for (size_t i = 0; i < t->n_names; i++)
		if (slice_is(common_name, t->names[i]))
			return true;
	return t->proxy_ca && t->n_names == 0;
}

/* ---- whom the API server believes ---- */

void trust_bundle(struct strbuf *out, const char *own, const char *known, int64_t now_s)
{
	size_t begin = out->len;
	const char *at;
	pki_bundle_merge(out, own, known, now_s);
	if (!out->data)
		return;
	at = out->data + begin;
	for (unsigned n = 0; n <= METRICS_BUNDLE_CERTIFICATES_MAX && at; n++) {
		at = strstr(n ? at + 1 : at, PEM_BEGIN);
		if (at && n == METRICS_BUNDLE_CERTIFICATES_MAX) {
			out->len = (size_t)(at - out->data);
			out->data[out->len] = 0;
			return;
		}
	}
}

static void patched(struct client_request *r)
{
	struct trust *t = CONTAINER_OF(r, struct trust, patch);
	if (r->err.code == 0)
		log_info("metrics", "the API service knows our certificate", "name=%s", t->o.api_service);
	else if (!t->is_closing && r->err.code != ERR_CONFLICT) /* a conflict is another's change: its event comes */
		log_warn("metrics", "the API service cannot be given our certificate", "name=%s error=\"%s\"",
		        t->o.api_service, r->err.msg);
	client_request_release(r);
	arena_reset(&t->arena);
	t->is_patching = false;
	closing_part_done(&t->closing);
}

static void send_patch(struct trust *t, struct slice revision, struct slice bundle)
{
	struct arena *a = &t->arena;
	struct json *o = json_new(a, JSON_OBJECT);
	struct strbuf b = STRBUF_INIT;
	json_set_str(a, json_need(a, o, "metadata", JSON_OBJECT), "resourceVersion", revision);
	json_set_str(a, json_need(a, o, "spec", JSON_OBJECT), "caBundle", base64_encode(a, bundle));
	json_write(&b, o);
	t->is_patching = true;
	closing_hold(&t->closing);
	t->patch = (struct client_request){.method = "PATCH",
	        .path = arena_printf(a, API_SERVICES "/%s", t->o.api_service),
	        .body = {arena_memdup(a, b.data, b.len), b.len},
	        .content_type = "application/merge-patch+json",
	        .done = patched};
	strbuf_release(&b);
	client_send(t->o.client, &t->patch);
}

static void service_added(void *arg, struct informer_object *o)
{
	struct trust *t = arg;
	struct arena a = ARENA_INIT;
	struct slice known = SLICE("");
	struct strbuf bundle = STRBUF_INIT;
	const struct json *tree = informer_parse(&a, o), *spec = json_get(tree, "spec");
	bool is_skipped = json_get_bool(spec, "insecureSkipTLSVerify", false);
	base64_decode(&a, json_get_str(spec, "caBundle"), &known);
	const char *text = arena_memdup(&a, known.ptr ? known.ptr : "", known.len);
	if (!is_skipped && !t->is_patching && !strstr(text, t->ca_pem)) {
		trust_bundle(&bundle, t->ca_pem, text, clock_wall_s());
		send_patch(t, json_str(json_path(tree, "metadata", "resourceVersion", NULL)), strbuf_slice(&bundle));
	}
	strbuf_release(&bundle);
	arena_release(&a);
}

static void service_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	service_added(arg, o);
}

/* ---- life ---- */

static int make_certificate(struct trust *t, struct err *err)
{
	struct pki_pair ca = PKI_PAIR_INIT;
	struct strbuf name = STRBUF_INIT;
	strbuf_addf(&name, "%s-ca-", t->o.service);
	pki_random_hex(&name, 4); /* copies of this program have different ones */
	const char *names[] = {NULL, t->o.service, "localhost"};
	CLEANUP(cleanup_free) char *full = xprintf("%s.%s.svc", t->o.service, t->o.ns);
	names[0] = full;
	struct pki_request r = {.common_name = t->o.service,
	        .names = names,
	        .names_count = COUNT_OF(names),
	        .is_server = true,
	        .days = PKI_CA_DAYS};
	int rc = pki_ca_new(strbuf_cstr(&name), &ca, err);
	if (rc == 0)
		rc = pki_issue(&ca, &r, &t->own, err);
	if (rc == 0)
		t->ca_pem = xstrdup(ca.certificate_pem);
	pki_pair_release(&ca);
	strbuf_release(&name);
	return rc;
}

static void free_all(struct trust *t)
{
	pki_pair_release(&t->own);
	free(t->ca_pem);
	free(t->proxy_ca);
	free_names(t);
	arena_release(&t->arena);
	free(t);
}

static void all_closed(struct closing *x)
{
	struct trust *t = CONTAINER_OF(x, struct trust, closing);
	void (*closed)(void *) = t->closed;
	void *arg = t->closed_arg;
	free_all(t);
	closed(arg);
}

int trust_new(const struct trust_options *options, struct trust **ret, struct err *err)
{
	struct trust *t = xcalloc(1, sizeof *t);
	CLEANUP(cleanup_free) char *only = xprintf("metadata.name=%s", options->api_service);
	t->o = *options;
	if (make_certificate(t, err) != 0) {
		free_all(t);
		return err_wrap(err, "make a serving certificate");
	}
	t->closing.all_closed = all_closed;
	closing_hold(&t->closing); /* given up by the close */
	t->map = informer_new(&(struct informer_options){.client = options->client,
	        .path = "/api/v1/namespaces/kube-system/configmaps",
	        .field_selector = "metadata.name=" MAP_NAME,
	        .added = map_added,
	        .updated = map_updated,
	        .arg = t});
	t->service = informer_new(&(struct informer_options){.client = options->client,
	        .path = API_SERVICES,
	        .field_selector = only,
	        .added = service_added,
	        .updated = service_updated,
	        .arg = t});
	*ret = t;
	return 0;
}

int trust_first(struct trust *t, struct tls_context **ret, struct err *err)
{
	struct tls_options o = {
	        .is_server = true, .certificate_pem = t->own.certificate_pem, .key_pem = t->own.key_pem};
	return tls_context_new(&o, ret, err);
}

/* A patch that is under way ends with the client at the latest. */
void trust_close(struct trust *t, void (*closed)(void *arg), void *arg)
{
	t->closed = closed;
	t->closed_arg = arg;
	t->is_closing = true;
	if (t->is_patching)
		client_cancel(t->o.client, &t->patch);
	closing_hold(&t->closing), informer_close(t->map, closing_part_done, &t->closing);
	closing_hold(&t->closing), informer_close(t->service, closing_part_done, &t->closing);
	closing_part_done(&t->closing);
}

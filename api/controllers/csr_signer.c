/* Requests that are approved are signed: clients' by the CA of clients, kubelets' servers by that of servers, each by
 * the rules of its signer (api/machinery/rules/groups/signers.h). One that its signer may not sign has Failed, and says
 * why. Requests of other signers are theirs.
 *
 * The keys are read for every certificate, as they are then: signing is rare, and a CA may be rotated.
 *
 * Upstream: pkg/controller/certificates/signer/signer.go. */
#include "api/controllers/controllers_int.h"
#include "api/controllers/csr.h"
#include "api/machinery/rules/groups/signers.h"
#include "base/base64.h"

struct signer {
	struct controllers *c;
	struct shared_informer *requests;
	struct work_queue *queue;
};

static void changed(void *arg, struct informer_object *o)
{
	struct signer *s = arg;
	work_queue_add(s->queue, o->key);
}

static void updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	changed(arg, o);
}

static int sign(struct signer *s, const struct signer_request *r, char **ret_pem, struct err *err)
{
	bool is_server = slice_is(r->signer, SIGNER_KUBELET_SERVING);
	struct pki_pair ca = PKI_PAIR_INIT;
	int rc = pki_pair_load(is_server ? s->c->server_ca_file : s->c->client_ca_file,
	        is_server ? s->c->server_ca_key_file : s->c->client_ca_key_file, &ca, err);
	if (rc == 0)
		rc = pki_request_sign(&ca, r->csr_pem, r->usages, r->n_usages, r->seconds, ret_pem, err);
	pki_pair_release(&ca);
	return rc;
}

/* Adds the certificate, or why there is none; false: it may go well later. */
static bool decide(struct signer *s, struct work *w, struct json *object)
{
	struct arena *a = &w->arena;
	struct signer_request r;
	struct err err = ERR_INIT;
	char *pem = NULL;
	const char *why = signer_request_read(a, json_get(object, "spec"), &r, &err) != 0 ? err.msg : signer_check(&r);
	if (why) {
		csr_say(a, object, "Failed", "SignerValidationFailure", why);
		return true;
	}
	if (sign(s, &r, &pem, &err) != 0) {
		work_fail(w, &err);
		return false;
	}
	json_set_str(a, json_need(a, object, "status", JSON_OBJECT), "certificate", base64_encode(a, slice_of(pem)));
	free(pem);
	return true;
}

static void run(struct work *w)
{
	struct signer *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->requests), w->key);
	struct json *object = o ? informer_parse(&w->arena, o) : NULL;
	if (!object || !s->c->client_ca_file || !csr_has(object, "Approved") || csr_has(object, "Denied") ||
	        csr_has(object, "Failed") || json_str(json_path(object, "status", "certificate", NULL)).len ||
	        !signer_is_known(json_str(json_path(object, "spec", "signerName", NULL))) || !decide(s, w, object))
		return;
	work_send(w, "PUT",
	        kube_path(&w->arena, "certificates.k8s.io/v1", "certificatesigningrequests", SLICE_NULL, w->name,
	                "status"),
	        object, work_done_ignore_missing);
}

void *csr_signer_start(struct controllers *c)
{
	struct signer *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->queue = controllers_queue(c, "csrsigning", 1, run, s);
	s->requests = controllers_listen(
	        c, CERTIFICATE_REQUESTS, &(struct informer_handler){.added = changed, .updated = updated, .arg = s});
	return s;
}

void csr_signer_release(void *state)
{
	free(state);
}

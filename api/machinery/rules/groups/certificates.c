/* The certificates.k8s.io group. What was asked for is never changed: approval and status are written by themselves,
 * and each leaves the other's alone: approval says Approved or Denied, once and for good; status brings the certificate
 * and says Failed. */
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/groups/signers.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/table/printers.h"
#include "base/base64.h"

#include <string.h>

static bool is_verdict(const struct json *condition)
{
	struct slice type = json_get_str(condition, "type");
	return slice_is(type, "Approved") || slice_is(type, "Denied");
}

static const struct json *find_condition(const struct json *object, const char *type)
{
	JSON_FOREACH (it, json_path(object, "status", "conditions", NULL))
		if (slice_is(json_get_str(it, "type"), type))
			return it;
	return NULL;
}

/* Verdicts come from `verdicts`, all else from `others`. */
static struct json *merge(struct arena *a, const struct json *verdicts, const struct json *others)
{
	struct json *list = json_new(a, JSON_ARRAY);
	JSON_FOREACH (it, verdicts)
		if (is_verdict(it))
			json_append(list, json_copy(a, it));
	JSON_FOREACH (it, others)
		if (!is_verdict(it))
			json_append(list, json_copy(a, it));
	return list->first ? list : NULL;
}

static void keep_apart(struct arena *a, struct json *object, const struct json *old, bool is_approval)
{
	struct json *status = json_need(a, object, "status", JSON_OBJECT), *old_status = json_get(old, "status");
	struct json *now = json_get(status, "conditions"), *before = json_get(old_status, "conditions");
	struct json *list = is_approval ? merge(a, now, before) : merge(a, before, now);
	json_del(status, "conditions");
	if (list)
		json_set(a, status, "conditions", list);
	struct json *certificate = json_get(old_status, "certificate");
	if (is_approval) {
		json_del(status, "certificate");
		if (certificate)
			json_set(a, status, "certificate", json_copy(a, certificate));
	}
}

static void request_prepare_update(struct arena *a, struct json *object, const struct json *old, const char *sub)
{
	struct json *spec = json_get(old, "spec");
	if (spec && !*sub)
		json_set(a, object, "spec", json_copy(a, spec));
	if (strcmp(sub, "approval") == 0 || strcmp(sub, "status") == 0)
		keep_apart(a, object, old, *sub == 'a');
}

/* ---- validation ---- */

static void check_spec(struct field_errors *e, const struct json *spec)
{
	struct signer_request r;
	struct err err = ERR_INIT;
	struct slice signer = json_get_str(spec, "signerName");
	const struct json *usages = json_get(spec, "usages"), *seconds = json_get(spec, "expirationSeconds");
	if (signer_request_read(e->arena, spec, &r, &err) != 0)
		bad_value(e, "spec.request", SLICE("[bytes]"), err.msg);
	if (!json_is(usages, JSON_ARRAY) || !usages->first)
		bad_required(e, "spec.usages", "");
	if (!signer.len)
		bad_required(e, "spec.signerName", "");
	else if (slice_is(signer, SIGNER_LEGACY))
		bad_value(e, "spec.signerName", signer, "the legacy signerName is not allowed via this API version");
	else if (!signer_domain(signer).len || signer.len > 571)
		bad_value(e, "spec.signerName", signer,
		        "must be a fully qualified domain and path of the form 'example.com/signer-name'");
	if (json_is(seconds, JSON_NUMBER) && json_int(seconds, 0) < SIGNER_SECONDS_MIN)
		bad_number(e, "spec.expirationSeconds", json_int(seconds, 0),
		        "may not specify a duration less than 600 seconds (10 minutes)");
	for (size_t i = 0; i < r.n_usages && !err.code; i++) {
		if (!pki_usage_is_known(r.usages[i]))
			bad_value(e, at(e, "spec.usages[%zu]", i), r.usages[i], "unknown key usage");
		for (size_t k = 0; k < i; k++)
			if (slice_eq(r.usages[k], r.usages[i])) {
				bad_duplicate(e, at(e, "spec.usages[%zu]", i), r.usages[i]);
				break;
			}
	}
}

static void check_conditions(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *approved = find_condition(object, "Approved"), *denied = find_condition(object, "Denied");
	size_t i = 0;
	JSON_FOREACH (it, json_path(object, "status", "conditions", NULL)) {
		struct slice status = json_get_str(it, "status");
		if (!json_get_str(it, "type").len)
			bad_required(e, at(e, "status.conditions[%zu].type", i), "");
		else if (!status.len)
			bad_required(e, at(e, "status.conditions[%zu].status", i), "");
		else if ((is_verdict(it) || slice_is(json_get_str(it, "type"), "Failed")) && !slice_is(status, "True"))
			bad_choice(e, at(e, "status.conditions[%zu].status", i), status, "True");
		i++;
	}
	if (approved && denied)
		bad_value(e, "status.conditions", SLICE("Denied"),
		        "Approved and Denied conditions are mutually exclusive");
	static const char *const lasting[] = {"Approved", "Denied", "Failed"};
	for (size_t k = 0; k < 3; k++)
		if (find_condition(old, lasting[k]) && !find_condition(object, lasting[k]))
			bad_forbidden(e, "status.conditions",
			        at(e, "updates may not remove a condition of type \"%s\"", lasting[k]));
}

static void check_certificate(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct slice now = json_str(json_path(object, "status", "certificate", NULL)),
	             before = json_str(json_path(old, "status", "certificate", NULL));
	struct slice pem;
	struct pki_info info;
	if (slice_eq(now, before))
		return;
	if (before.len)
		bad_forbidden(e, "status.certificate", "updates may not change a certificate that was issued");
	else if (!base64_decode(e->arena, now, &pem) ||
	         pki_info(arena_printf(e->arena, "%.*s", SLICE_FMT(pem)), &info, &(struct err){0}) != 0)
		bad_value(e, "status.certificate", SLICE("<certificate data>"),
		        "must contain one or more PEM blocks of type CERTIFICATE");
}

static void validate_request(struct field_errors *e, const struct json *object, const struct json *old)
{
	if (!old)
		check_spec(e, json_get(object, "spec"));
}

static void validate_part(struct field_errors *e, const struct json *object, const struct json *old)
{
	check_conditions(e, object, old);
	check_certificate(e, object, old);
}

const struct kind_ops kinds_certificates[] = {
        {.kind = "CertificateSigningRequest",
                .traits = KIND_IS_CERTIFICATE_REQUEST,
                .prepare_update = request_prepare_update,
                .validate = validate_request,
                .validate_part = validate_part,
                .columns = "Name,Age,SignerName,Requestor,RequestedDuration,Condition",
                .cells = table_certificate_request},
        {0},
};

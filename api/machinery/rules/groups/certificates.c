/* The certificates.k8s.io group. What was asked for is never changed: approval and status are written by themselves.
 * An approval brings conditions, of which Approved or Denied are once and for good; a status brings the certificate and
 * conditions, and no verdict. Upstream: pkg/registry/certificates and pkg/apis/certificates/validation. */
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/groups/signers.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_value.h"
#include "api/machinery/table/printers.h"
#include "base/base64.h"
#include "base/check.h"

#include <string.h>

static bool is_verdict(const struct json *condition)
{
	struct slice type = json_get_str(condition, "type");
	return slice_is(type, "Approved") || slice_is(type, "Denied");
}

static size_t count_of(const struct json *object, const char *type)
{
	size_t n = 0;
	JSON_FOREACH (it, json_path(object, "status", "conditions", NULL))
		n += slice_is(json_get_str(it, "type"), type);
	return n;
}

/* The condition of this type that as many of its type precede. */
static const struct json *nth_of(const struct json *object, struct slice type, size_t n)
{
	JSON_FOREACH (it, json_path(object, "status", "conditions", NULL))
		if (slice_eq(json_get_str(it, "type"), type) && n-- == 0)
			return it;
	return NULL;
}

static const char *const verdicts[] = {"Approved", "Denied"};

/* Verdicts that are as many as they were are what they were; else validation says what is wrong. */
static void keep_verdicts(struct arena *a, struct json *object, const struct json *old)
{
	struct json *list = json_path(object, "status", "conditions", NULL), *kept = json_new(a, JSON_ARRAY);
	size_t seen[COUNT_OF(verdicts)] = {0};
	JSON_FOREACH (it, list) {
		const struct json *from = it;
		for (size_t i = 0; i < COUNT_OF(verdicts); i++)
			if (slice_is(json_get_str(it, "type"), verdicts[i]) &&
			        count_of(object, verdicts[i]) == count_of(old, verdicts[i]))
				from = nth_of(old, json_get_str(it, "type"), seen[i]++);
		json_append(kept, json_copy(a, from));
	}
	if (list)
		json_set(a, json_get(object, "status"), "conditions", kept);
}

/* Of a status the conditions alone are taken. */
static void keep_all_but_conditions(struct arena *a, struct json *object, const struct json *old)
{
	struct json *now = json_path(object, "status", "conditions", NULL), *before = json_get(old, "status");
	struct json *status = before ? json_copy(a, before) : json_new(a, JSON_OBJECT);
	json_del(status, "conditions");
	if (now)
		json_set(a, status, "conditions", json_copy(a, now));
	json_set(a, object, "status", status);
}

static void request_prepare_update(struct arena *a, struct json *object, const struct json *old, const char *sub)
{
	struct json *spec = json_get(old, "spec");
	if (spec && !*sub)
		json_set(a, object, "spec", json_copy(a, spec));
	if (strcmp(sub, "approval") == 0)
		keep_all_but_conditions(a, object, old);
	else if (strcmp(sub, "status") == 0)
		keep_verdicts(a, object, old);
}

/* ---- validation ---- */

static const char known_usages[] =
        "any,cert sign,client auth,code signing,content commitment,crl sign,data encipherment,decipher only,digital "
        "signature,email protection,encipher only,ipsec end system,ipsec tunnel,ipsec user,key agreement,key "
        "encipherment,microsoft sgc,netscape sgc,ocsp signing,s/mime,server auth,signing,timestamping";

static void check_usages(struct field_errors *e, const struct json *usages)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	if (!usages || !usages->first)
		bad_required(e, "spec.usages", "");
	JSON_FOREACH (it, usages) {
		const char *field = at(e, "spec.usages[%d]", i++);
		check_supported(e, field, json_str(it), known_usages);
		if (!name_set_add(&seen, json_str(it)))
			bad_duplicate(e, field, json_str(it));
	}
	name_set_release(&seen);
}

/* Parts of a name with dots between; the first that is wrong is told. */
static void check_parts(
        struct field_errors *e, struct slice name, const char *(*check)(struct slice part), unsigned *ret_count)
{
	struct slice rest = name;
	for (*ret_count = 0; rest.ptr; ++*ret_count) {
		struct slice part = slice_cut(&rest, '.');
		const char *bad = check(part);
		if (!bad)
			continue;
		bad_value(e, "spec.signerName", name, at(e, "validating label \"%.*s\": %s", SLICE_FMT(part), bad));
		for (++*ret_count; rest.ptr; ++*ret_count)
			slice_cut(&rest, '.');
		return;
	}
}

/* "example.com/name": room for a domain, and for a namespace and a name with a dot between. */
static void check_signer(struct field_errors *e, const struct json *v)
{
	enum { DOMAIN_MAX = 253, SIGNER_MAX = 571 };
	struct slice name = json_str(v), path = name, domain = slice_cut(&path, '/');
	unsigned n;
	if (!name.len) {
		bad_required(e, "spec.signerName", "");
		return;
	}
	if (!path.ptr || (path.len && memchr(path.ptr, '/', path.len))) {
		bad_value(e, "spec.signerName", name,
		        "must be a fully qualified domain and path of the form 'example.com/signer-name'");
		return;
	}
	if (domain.len > DOMAIN_MAX)
		field_error_add(e, "FieldValueTooLong", "spec.signerName", "Too long: may not be more than %d bytes",
		        DOMAIN_MAX);
	check_parts(e, domain, validate_dns1123_label, &n);
	if (n < 2)
		bad_value(e, "spec.signerName", domain,
		        "should be a domain with at least two segments separated by dots");
	check_parts(e, path, validate_dns1123_subdomain, &n);
	check_not_too_long(e, "spec.signerName", v, SIGNER_MAX);
}

static void check_spec(struct field_errors *e, const struct json *spec)
{
	struct signer_request r;
	struct err err = ERR_INIT;
	struct slice signer = json_get_str(spec, "signerName");
	const struct json *seconds = json_get(spec, "expirationSeconds");
	if (signer_request_read(e->arena, spec, &r, &err) != 0)
		bad_value(e, "spec.request", SLICE("[bytes]"), err.msg);
	check_usages(e, json_get(spec, "usages"));
	if (slice_is(signer, SIGNER_LEGACY))
		bad_value(e, "spec.signerName", signer, "the legacy signerName is not allowed via this API version");
	else
		check_signer(e, json_get(spec, "signerName"));
	if (json_is(seconds, JSON_NUMBER) && json_int(seconds, 0) < SIGNER_SECONDS_MIN)
		bad_number(e, "spec.expirationSeconds", json_int(seconds, 0),
		        "may not specify a duration less than 600 seconds (10 minutes)");
}

/* What an older server let in is let in again. */
struct lenience {
	bool both_verdicts, repeated, unnamed;
};

static struct lenience lenience_for(const struct json *old)
{
	struct lenience l = {.both_verdicts = count_of(old, "Approved") && count_of(old, "Denied")};
	struct name_set seen = {MAP_INIT};
	JSON_FOREACH (it, json_path(old, "status", "conditions", NULL)) {
		l.repeated |= !name_set_add(&seen, json_get_str(it, "type"));
		l.unnamed |= !json_get_str(it, "type").len;
	}
	name_set_release(&seen);
	return l;
}

static void check_condition(struct field_errors *e, const char *here, const struct json *condition)
{
	struct slice status = json_get_str(condition, "status");
	bool is_final = is_verdict(condition) || slice_is(json_get_str(condition, "type"), "Failed");
	check_choice(e, at(e, "%s.status", here), status, is_final ? "True" : "False,True,Unknown", true);
}

static void check_conditions(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct lenience may = lenience_for(old);
	struct name_set seen = {MAP_INIT};
	size_t i = 0;
	JSON_FOREACH (it, json_path(object, "status", "conditions", NULL)) {
		const char *here = at(e, "status.conditions[%zu]", i++), *field = at(e, "%s.type", here);
		struct slice type = json_get_str(it, "type"),
		             other = slice_is(type, "Approved") ? SLICE("Denied") : SLICE("Approved");
		if (!type.len && !may.unnamed)
			bad_required(e, field, "");
		check_condition(e, here, it);
		if (is_verdict(it) && name_set_has(&seen, other) && !may.both_verdicts)
			bad_value(e, field, type, "Approved and Denied conditions are mutually exclusive");
		if (!name_set_add(&seen, type) && !may.repeated)
			bad_duplicate(e, field, type);
	}
	name_set_release(&seen);
	static const char *const lasting[] = {"Approved", "Denied", "Failed"};
	for (size_t k = 0; k < COUNT_OF(lasting); k++)
		if (count_of(object, lasting[k]) < count_of(old, lasting[k]))
			bad_forbidden(e, "status.conditions",
			        at(e, "updates may not remove a condition of type \"%s\"", lasting[k]));
}

/* NULL: certificates, and nothing else. */
static const char *why_no_certificates(struct field_errors *e, struct slice pem)
{
	static const char begin[] = "-----BEGIN ", end[] = "-----";
	const char *first = pem.len ? memmem(pem.ptr, pem.len, begin, strlen(begin)) : NULL;
	struct pki_info unused;
	struct err err = ERR_INIT;
	if (!first)
		return "must contain at least one CERTIFICATE PEM block";
	for (const char *at_begin = first; at_begin;) {
		const char *label = at_begin + strlen(begin);
		size_t left = pem.len - (size_t)(label - pem.ptr);
		const char *stop = memmem(label, left, end, strlen(end));
		struct slice kind = {label, stop ? (size_t)(stop - label) : left};
		if (!slice_is(kind, "CERTIFICATE"))
			return at(e, "only CERTIFICATE PEM blocks are allowed, found \"%.*s\"", SLICE_FMT(kind));
		at_begin = memmem(label, left, begin, strlen(begin));
	}
	return pki_info(arena_printf(e->arena, "%.*s", SLICE_FMT(pem)), &unused, &err) != 0 ? at(e, "%s", err.msg)
	                                                                                    : NULL;
}

static void check_certificate(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct slice now = json_str(json_path(object, "status", "certificate", NULL)),
	             before = json_str(json_path(old, "status", "certificate", NULL));
	struct slice pem = SLICE_NULL;
	if (slice_eq(now, before))
		return;
	if (now.len && !base64_decode(e->arena, now, &pem))
		pem = SLICE_NULL; /* which the schema has refused */
	const char *why = now.len ? why_no_certificates(e, pem) : NULL;
	if (why)
		bad_value(e, "status.certificate", SLICE("<certificate data>"), why);
	if (before.len)
		bad_forbidden(e, "status.certificate", "updates may not modify existing certificate content");
}

static void validate_request(struct field_errors *e, const struct json *object, const struct json *old)
{
	if (!old)
		check_spec(e, json_get(object, "spec"));
}

/* Whoever signs does not approve. */
static void check_no_verdict(struct field_errors *e, const struct json *object, const struct json *old)
{
	for (size_t i = 0; i < COUNT_OF(verdicts); i++)
		if (count_of(object, verdicts[i]) > count_of(old, verdicts[i]))
			bad_forbidden(e, "status.conditions",
			        at(e, "updates may not add a condition of type \"%s\"", verdicts[i]));
}

static void validate_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	check_conditions(e, object, old);
	check_no_verdict(e, object, old);
	check_certificate(e, object, old);
}

static void validate_approval(struct field_errors *e, const struct json *object, const struct json *old)
{
	check_conditions(e, object, old);
}

const struct kind_ops kinds_certificates[] = {
        {.kind = "CertificateSigningRequest",
                .traits = KIND_IS_CERTIFICATE_REQUEST,
                .check_name = check_path_segment,
                .prepare_update = request_prepare_update,
                .validate = validate_request,
                .validate_part = validate_status,
                .validate_approval = validate_approval,
                .columns = "Name,Age,SignerName,Requestor,RequestedDuration,Condition",
                .cells = table_certificate_request},
        {0},
};

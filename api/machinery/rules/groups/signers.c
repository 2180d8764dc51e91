/* See signers.h. */
#include "api/machinery/rules/groups/signers.h"

#include "base/base64.h"
#include "base/check.h"

static const char of_client[] = "digital signature,key encipherment,client auth";
static const char of_server[] = "digital signature,key encipherment,server auth";

static bool is_in(struct slice list, struct slice word)
{
	while (list.ptr)
		if (slice_eq(slice_cut(&list, ','), word))
			return true;
	return false;
}

static bool has(const struct signer_request *r, const char *usage)
{
	for (size_t i = 0; i < r->n_usages; i++)
		if (slice_is(r->usages[i], usage))
			return true;
	return false;
}

static bool are_of(const struct signer_request *r, const char *allowed)
{
	for (size_t i = 0; i < r->n_usages; i++)
		if (!is_in(slice_of(allowed), r->usages[i]))
			return false;
	return true;
}

/* ---- a rule per signer ---- */

static const char *check_client(const struct signer_request *r)
{
	return !are_of(r, of_client) ? "usages are digital signature, key encipherment and client auth, and no others"
	       : !has(r, "client auth") ? "usages did not include client auth"
	                                : NULL;
}

static const char *check_node(const struct signer_request *r)
{
	const struct pki_request_info *i = &r->info;
	if (i->n_organizations != 1 || !slice_is(i->organizations[0], "system:nodes"))
		return "subject organization is not system:nodes";
	if (!slice_starts(i->common_name, "system:node:") || i->common_name.len == sizeof "system:node:" - 1)
		return "subject common name does not begin with system:node: ";
	return i->n_emails        ? "email addresses are not allowed"
	       : i->n_uris        ? "URIs are not allowed"
	       : i->n_other_names ? "alternative names of other kinds are not allowed"
	                          : NULL;
}

static const char *check_kubelet_client(const struct signer_request *r)
{
	const char *why = check_node(r);
	if (why)
		return why;
	if (r->info.n_dns || r->info.n_ips)
		return "DNS names and addresses are not allowed";
	if (!has(r, "digital signature") || !has(r, "client auth") || !are_of(r, of_client))
		return "usages are not digital signature, client auth and perhaps key encipherment";
	return NULL;
}

static const char *check_kubelet_serving(const struct signer_request *r)
{
	const char *why = check_node(r);
	if (why)
		return why;
	if (!slice_eq(r->username, r->info.common_name))
		return "the node did not ask for it itself";
	if (!r->info.n_dns && !r->info.n_ips)
		return "at least one DNS name or address is needed";
	if (!has(r, "digital signature") || !has(r, "server auth") || !are_of(r, of_server))
		return "usages are not digital signature, server auth and perhaps key encipherment";
	return NULL;
}

static const struct {
	const char *name;
	const char *(*check)(const struct signer_request *r);
} signers[] = {
        {SIGNER_CLIENT, check_client},
        {SIGNER_KUBELET_CLIENT, check_kubelet_client},
        {SIGNER_KUBELET_SERVING, check_kubelet_serving},
};

bool signer_is_known(struct slice signer)
{
	for (size_t i = 0; i < COUNT_OF(signers); i++)
		if (slice_is(signer, signers[i].name))
			return true;
	return false;
}

const char *signer_check(const struct signer_request *r)
{
	for (size_t i = 0; i < COUNT_OF(signers); i++)
		if (slice_is(r->signer, signers[i].name))
			return signers[i].check(r);
	return NULL;
}

/* ---- reading ---- */

struct slice signer_domain(struct slice signer)
{
	struct slice rest = signer, domain = slice_cut(&rest, '/');
	return rest.len && domain.len ? domain : SLICE_NULL;
}

int signer_request_read(struct arena *a, const struct json *spec, struct signer_request *ret, struct err *err)
{
	*ret = (struct signer_request){.signer = json_get_str(spec, "signerName"),
	        .username = json_get_str(spec, "username"),
	        .seconds = json_get_int(spec, "expirationSeconds", SIGNER_SECONDS_DEFAULT)};
	if (ret->seconds > SIGNER_SECONDS_DEFAULT)
		ret->seconds = SIGNER_SECONDS_DEFAULT;
	if (!base64_decode(a, json_get_str(spec, "request"), &ret->csr_pem))
		return err_set(err, ERR_INVAL, "certificate request: it is no base64");
	if (pki_request_read(a, ret->csr_pem, &ret->info, err) != 0)
		return err->code;
	JSON_FOREACH (it, json_get(spec, "usages")) {
		if (ret->n_usages == SIGNER_USAGES_MAX)
			return err_set(err, ERR_INVAL, "more than %d usages", SIGNER_USAGES_MAX);
		ret->usages[ret->n_usages++] = json_str(it);
	}
	return 0;
}

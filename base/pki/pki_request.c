/* See pki_request.h. Subject and alternative names go from request to certificate as values, so that what was read and
 * judged is what is signed; extensions that a request asks for (to be a CA, above all) are left out. */
#include "base/pki/pki_request.h"

#include "base/check.h"
#include "base/pki/pki_int.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <time.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, CSR_BYTES_MAX = 16 * 1024, BACKDATE_S = 300 };

static const struct {
	const char *name, *key_usage, *extended; /* as OpenSSL's configuration has them */
} usages_known[] = {
        {"signing", "digitalSignature", NULL},
        {"digital signature", "digitalSignature", NULL},
        {"content commitment", "nonRepudiation", NULL},
        {"key encipherment", "keyEncipherment", NULL},
        {"key agreement", "keyAgreement", NULL},
        {"data encipherment", "dataEncipherment", NULL},
        {"cert sign", "keyCertSign", NULL},
        {"crl sign", "cRLSign", NULL},
        {"encipher only", "encipherOnly", NULL},
        {"decipher only", "decipherOnly", NULL},
        {"any", NULL, "anyExtendedKeyUsage"},
        {"server auth", NULL, "serverAuth"},
        {"client auth", NULL, "clientAuth"},
        {"code signing", NULL, "codeSigning"},
        {"email protection", NULL, "emailProtection"},
        {"s/mime", NULL, "emailProtection"},
        {"ipsec end system", NULL, "ipsecEndSystem"},
        {"ipsec tunnel", NULL, "ipsecTunnel"},
        {"ipsec user", NULL, "ipsecUser"},
        {"timestamping", NULL, "timeStamping"},
        {"ocsp signing", NULL, "OCSPSigning"},
        {"microsoft sgc", NULL, "msSGC"},
        {"netscape sgc", NULL, "nsSGC"},
};

static int usage_row(struct slice usage)
{
	for (int i = 0; i < (int)COUNT_OF(usages_known); i++)
		if (slice_is(usage, usages_known[i].name))
			return i;
	return -1;
}

/* ---- reading ---- */

static bool is_strong(EVP_PKEY *key)
{
	char group[32] = "";
	if (EVP_PKEY_is_a(key, "ED25519"))
		return true;
	if (EVP_PKEY_is_a(key, "EC"))
		return EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
		       (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0 ||
		               strcmp(group, "secp521r1") == 0);
	int bits = EVP_PKEY_get_bits(key);
	return EVP_PKEY_is_a(key, "RSA") && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
}

static X509_REQ *open_request(struct slice csr_pem, struct err *err)
{
	if (csr_pem.len > CSR_BYTES_MAX) {
		err_set(err, ERR_INVAL, "certificate request: %zu bytes, at most %d", csr_pem.len, CSR_BYTES_MAX);
		return NULL;
	}
	BIO *b = BIO_new_mem_buf(csr_pem.ptr ? csr_pem.ptr : "", (int)csr_pem.len);
	X509_REQ *r = PEM_read_bio_X509_REQ(b, NULL, NULL, NULL);
	EVP_PKEY *key = r ? X509_REQ_get0_pubkey(r) : NULL;
	BIO_free(b);
	const char *wrong = !key              ? "it is none in PEM"
	                    : !is_strong(key) ? "its key is neither EC, Ed25519 nor RSA of 2048 to 8192 bits"
	                    : X509_REQ_verify(r, key) != 1 ? "its signature does not fit"
	                                                   : NULL;
	ERR_clear_error();
	if (!wrong)
		return r;
	X509_REQ_free(r);
	err_set(err, ERR_INVAL, "certificate request: %s", wrong);
	return NULL;
}

static struct slice text_of(struct arena *a, const X509_NAME_ENTRY *e)
{
	unsigned char *utf8 = NULL;
	int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(e));
	struct slice s = {arena_memdup(a, n > 0 ? (char *)utf8 : "", n > 0 ? (size_t)n : 0), n > 0 ? (size_t)n : 0};
	OPENSSL_free(utf8);
	return s;
}

static int read_subject(struct arena *a, X509_REQ *r, struct pki_request_info *info, struct err *err)
{
	const X509_NAME *name = X509_REQ_get_subject_name(r);
	bool has_name = false;
	for (int i = 0; i < X509_NAME_entry_count(name); i++) {
		const X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);
		int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(e));
		if (nid == NID_organizationName && info->n_organizations == PKI_REQUEST_ORGANIZATIONS_MAX)
			return err_set(err, ERR_INVAL, "certificate request: more than %d organizations",
			        PKI_REQUEST_ORGANIZATIONS_MAX);
		if (nid == NID_organizationName)
			info->organizations[info->n_organizations++] = text_of(a, e);
		if (nid == NID_commonName && has_name)
			return err_set(err, ERR_INVAL, "certificate request: two common names");
		if (nid == NID_commonName) {
			info->common_name = text_of(a, e);
			has_name = true;
		}
	}
	return 0;
}

static GENERAL_NAMES *alternative_names(X509_REQ *r)
{
	STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(r);
	GENERAL_NAMES *names = X509V3_get_d2i(list, NID_subject_alt_name, NULL, NULL);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return names;
}

static void count_names(X509_REQ *r, struct pki_request_info *info)
{
	GENERAL_NAMES *names = alternative_names(r);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		int type = sk_GENERAL_NAME_value(names, i)->type;
		*(type == GEN_DNS           ? &info->n_dns
		        : type == GEN_IPADD ? &info->n_ips
		        : type == GEN_EMAIL ? &info->n_emails
		        : type == GEN_URI   ? &info->n_uris
		                            : &info->n_other_names) += 1;
	}
	GENERAL_NAMES_free(names);
}

int pki_request_read(struct arena *a, struct slice csr_pem, struct pki_request_info *ret, struct err *err)
{
	X509_REQ *r = open_request(csr_pem, err);
	if (!r)
		return err->code;
	*ret = (struct pki_request_info){0};
	int rc = read_subject(a, r, ret, err);
	if (rc == 0)
		count_names(r, ret);
	X509_REQ_free(r);
	ERR_clear_error();
	return rc;
}

/* ---- signing ---- */

static bool add_usages(X509 *x, X509 *issuer, const struct slice *usages, size_t n)
{
	CLEANUP(cleanup_strbuf) struct strbuf key = STRBUF_INIT, extended = STRBUF_INIT;
	strbuf_adds(&key, "critical");
	for (size_t i = 0; i < n; i++) {
		int row = usage_row(usages[i]);
		if (row < 0)
			return false;
		if (usages_known[row].key_usage)
			strbuf_addf(&key, ",%s", usages_known[row].key_usage);
		else
			strbuf_addf(&extended, "%s%s", extended.len ? "," : "", usages_known[row].extended);
	}
	return (key.len == sizeof "critical" - 1 || pki_extension_add(x, issuer, NID_key_usage, key.data)) &&
	       (!extended.len || pki_extension_add(x, issuer, NID_ext_key_usage, extended.data));
}

static bool add_names(X509 *x, X509_REQ *r)
{
	GENERAL_NAMES *names = alternative_names(r);
	bool is_bare = X509_NAME_entry_count(X509_get_subject_name(x)) == 0; /* RFC 5280 section 4.2.1.6 */
	bool ok = !names || X509_add1_ext_i2d(x, NID_subject_alt_name, names, is_bare, 0) == 1;
	GENERAL_NAMES_free(names);
	return ok;
}

static void fill(X509 *x, X509_REQ *r, X509 *issuer, int64_t seconds)
{
	time_t now = time(NULL);
	pki_serial_set(x);
	X509_set_version(x, X509_VERSION_3);
	X509_set_subject_name(x, X509_REQ_get_subject_name(r));
	X509_set_issuer_name(x, X509_get_subject_name(issuer));
	X509_set_pubkey(x, X509_REQ_get0_pubkey(r));
	ASN1_TIME_set(X509_getm_notBefore(x), now - BACKDATE_S);
	ASN1_TIME_set(X509_getm_notAfter(x), now + (time_t)seconds);
	if (ASN1_TIME_compare(X509_get0_notAfter(issuer), X509_get0_notAfter(x)) < 0)
		X509_set1_notAfter(x, X509_get0_notAfter(issuer));
}

int pki_request_sign(const struct pki_pair *ca, struct slice csr_pem, const struct slice *usages, size_t n_usages,
        int64_t seconds, char **ret_certificate_pem, struct err *err)
{
	X509_REQ *r = open_request(csr_pem, err);
	if (!r)
		return err->code;
	EVP_PKEY *ca_key = pki_private_key_read(ca->key_pem);
	X509 *issuer = ca_key ? pki_certificate_read(ca->certificate_pem, err) : NULL, *x = X509_new();
	bool ok = issuer && x;
	if (ok) {
		fill(x, r, issuer, seconds);
		ok = pki_extension_add(x, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
		     add_usages(x, issuer, usages, n_usages) &&
		     pki_extension_add(x, issuer, NID_authority_key_identifier, "keyid:always") && add_names(x, r) &&
		     X509_sign(x, ca_key, EVP_sha256()) > 0;
	}
	if (ok)
		*ret_certificate_pem = pki_certificate_pem(x);
	else if (!err->code)
		pki_openssl_err(err, ERR_INVAL, "sign a certificate request");
	ERR_clear_error();
	X509_free(x);
	X509_free(issuer);
	EVP_PKEY_free(ca_key);
	X509_REQ_free(r);
	return ok ? 0 : err->code;
}

/* Certificates and their files. Signatures and tokens are in pki_sign.c. See pki.h.
 *
 * What can go wrong: broken PEM (refused, with the reason OpenSSL gives), files (refused with name and errno). A file
 * is written beside its place and renamed over it, so a crash leaves the old or the new one, never half of one. */
#include "base/pki/pki.h"

#include "base/check.h"
#include "base/file/file_sync.h"
#include "base/mem/arena.h"
#include "base/pki/pki_int.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SKEW_S = 3600, DAY_S = 86400, FILE_MAX = 1 << 20, SERIAL_BYTES = 16 };

int pki_openssl_err(struct err *err, int code, const char *what)
{
	unsigned long e = ERR_peek_last_error();
	const char *why = e ? ERR_reason_error_string(e) : NULL;
	err_set(err, code, "%s: %s", what, why ? why : "unknown reason");
	ERR_clear_error();
	return code;
}

char *pki_bio_text(BIO *b)
{
	char *p = NULL;
	long n = BIO_get_mem_data(b, &p);
	return xmemdup(p, n > 0 ? (size_t)n : 0);
}

void pki_pair_release(struct pki_pair *p)
{
	if (p->key_pem)
		OPENSSL_cleanse(p->key_pem, strlen(p->key_pem));
	free(p->certificate_pem);
	free(p->key_pem);
	*p = PKI_PAIR_INIT;
}

X509 *pki_certificate_read(const char *pem, struct err *err)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
	BIO_free(b);
	if (!x)
		pki_openssl_err(err, ERR_INVAL, "read certificate");
	return x;
}

/* ---- making ---- */

static char *key_to_pem(EVP_PKEY *key)
{
	BIO *b = BIO_new(BIO_s_mem());
	PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
	char *text = pki_bio_text(b);
	BIO_free(b);
	return text;
}

char *pki_certificate_pem(X509 *x)
{
	BIO *b = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(b, x);
	char *text = pki_bio_text(b);
	BIO_free(b);
	return text;
}

static void add_name(X509_NAME *n, const char *field, const char *value)
{
	X509_NAME_add_entry_by_txt(n, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0);
}

static void set_subject(X509 *x, const struct pki_request *r)
{
	X509_NAME *n = X509_get_subject_name(x);
	for (size_t i = 0; i < r->organizations_count; i++)
		add_name(n, "O", r->organizations[i]);
	add_name(n, "CN", r->common_name);
}

void pki_serial_set(X509 *x)
{
	unsigned char bytes[SERIAL_BYTES];
	pki_random(bytes, sizeof bytes);
	bytes[0] = (bytes[0] & 0x7f) | 0x01; /* positive, never 0 (RFC 5280 section 4.1.2.2) */
	BIGNUM *bn = BN_bin2bn(bytes, sizeof bytes, NULL);
	BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
	BN_free(bn);
}

bool pki_extension_add(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

/* Names are added as values, not through OpenSSL's configuration syntax, so that a name cannot add another. */
static bool add_alternative_names(X509 *x, const struct pki_request *r)
{
	GENERAL_NAMES *list = GENERAL_NAMES_new();
	for (size_t i = 0; i < r->names_count; i++) {
		GENERAL_NAME *g = GENERAL_NAME_new();
		ASN1_OCTET_STRING *ip = a2i_IPADDRESS(r->names[i]);
		if (ip) {
			GENERAL_NAME_set0_value(g, GEN_IPADD, ip);
		} else {
			ASN1_IA5STRING *s = ASN1_IA5STRING_new();
			ASN1_STRING_set(s, r->names[i], -1);
			GENERAL_NAME_set0_value(g, GEN_DNS, s);
		}
		sk_GENERAL_NAME_push(list, g);
	}
	ERR_clear_error();
	bool ok = r->names_count == 0 || X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, 0) == 1;
	GENERAL_NAMES_free(list);
	return ok;
}

static bool add_leaf_extensions(X509 *x, X509 *issuer, const struct pki_request *r)
{
	const char *use = r->is_server && r->is_client ? "serverAuth,clientAuth"
	                  : r->is_server               ? "serverAuth"
	                                               : "clientAuth";
	return pki_extension_add(x, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
	       pki_extension_add(x, issuer, NID_key_usage, "critical,digitalSignature,keyEncipherment") &&
	       pki_extension_add(x, issuer, NID_ext_key_usage, use) &&
	       pki_extension_add(x, issuer, NID_authority_key_identifier, "keyid:always") &&
	       add_alternative_names(x, r);
}

static bool add_ca_extensions(X509 *x)
{
	return pki_extension_add(x, x, NID_basic_constraints, "critical,CA:TRUE") &&
	       pki_extension_add(x, x, NID_key_usage, "critical,digitalSignature,keyEncipherment,keyCertSign") &&
	       pki_extension_add(x, x, NID_subject_key_identifier, "hash");
}

static void set_times(X509 *x, X509 *issuer, unsigned days)
{
	time_t now = time(NULL);
	ASN1_TIME_set(X509_getm_notBefore(x), now - SKEW_S);
	ASN1_TIME_set(X509_getm_notAfter(x), now + (time_t)days * DAY_S);
	if (issuer && ASN1_TIME_compare(X509_get0_notAfter(issuer), X509_get0_notAfter(x)) < 0)
		X509_set1_notAfter(x, X509_get0_notAfter(issuer));
}

X509 *pki_certificate_make(
        const struct pki_request *r, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, struct err *err)
{
	X509 *x = X509_new();
	CHECK(key && x);
	X509_set_version(x, X509_VERSION_3);
	pki_serial_set(x);
	set_subject(x, r);
	set_times(x, issuer, r->days ? r->days : issuer ? PKI_LEAF_DAYS : PKI_CA_DAYS);
	X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
	X509_set_pubkey(x, key);
	bool ok = issuer ? add_leaf_extensions(x, issuer, r) : add_ca_extensions(x);
	if (ok && X509_sign(x, issuer_key ? issuer_key : key, EVP_sha256()) > 0)
		return x;
	X509_free(x);
	pki_openssl_err(err, ERR_INVAL, "make certificate");
	return NULL;
}

static int make(const struct pki_request *r, X509 *issuer, EVP_PKEY *issuer_key, struct pki_pair *ret, struct err *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = pki_certificate_make(r, key, issuer, issuer_key, err);
	if (x)
		*ret = (struct pki_pair){pki_certificate_pem(x), key_to_pem(key)};
	X509_free(x);
	EVP_PKEY_free(key);
	return x ? 0 : ERR_INVAL;
}

int pki_ca_new(const char *common_name, struct pki_pair *ret, struct err *err)
{
	struct pki_request r = {.common_name = common_name};
	return make(&r, NULL, NULL, ret, err);
}

EVP_PKEY *pki_private_key_read(const char *pem)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
	BIO_free(b);
	return key;
}

int pki_issue(const struct pki_pair *ca, const struct pki_request *request, struct pki_pair *ret, struct err *err)
{
	EVP_PKEY *key = pki_private_key_read(ca->key_pem);
	if (!key)
		return pki_openssl_err(err, ERR_INVAL, "read CA key");
	X509 *issuer = pki_certificate_read(ca->certificate_pem, err);
	int rc = issuer ? make(request, issuer, key, ret, err) : ERR_INVAL;
	X509_free(issuer);
	EVP_PKEY_free(key);
	return rc;
}

/* ---- reading ---- */

static int64_t to_unix(const ASN1_TIME *t)
{
	struct tm tm = {0};
	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void write_subject(X509_NAME *name, char *out, size_t room)
{
	BIO *b = BIO_new(BIO_s_mem());
	X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
	char *text = pki_bio_text(b);
	snprintf(out, room, "%s", text);
	free(text);
	BIO_free(b);
}

int pki_info(const char *certificate_pem, struct pki_info *ret, struct err *err)
{
	X509 *x = pki_certificate_read(certificate_pem, err);
	if (!x)
		return ERR_INVAL;
	*ret = (struct pki_info){
	        .not_before_s = to_unix(X509_get0_notBefore(x)),
	        .not_after_s = to_unix(X509_get0_notAfter(x)),
	        .is_ca = X509_check_ca(x) == 1,
	};
	X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, ret->common_name, sizeof ret->common_name);
	write_subject(X509_get_subject_name(x), ret->subject, sizeof ret->subject);
	uint32_t extended = X509_get_extension_flags(x) & EXFLAG_XKUSAGE ? X509_get_extended_key_usage(x) : 0;
	ret->uses = (extended & XKU_SSL_SERVER ? PKI_USE_SERVER : 0) |
	            (extended & XKU_SSL_CLIENT ? PKI_USE_CLIENT : 0) | (ret->is_ca ? PKI_USE_CA : 0);
	X509_free(x);
	return 0;
}

bool pki_is_near_end(const struct pki_info *info, int64_t now_s)
{
	return info->not_after_s - now_s < (info->not_after_s - info->not_before_s) / 8;
}

bool pki_needs_renewal(const struct pki_info *info, int64_t now_s)
{
	int64_t life = info->not_after_s - info->not_before_s;
	int64_t margin = life / 4 < (int64_t)PKI_RENEW_DAYS * DAY_S ? life / 4 : (int64_t)PKI_RENEW_DAYS * DAY_S;
	return info->not_after_s - now_s < margin;
}

int pki_verify(const char *certificate_pem, const char *ca_pem, struct err *err)
{
	X509 *x = pki_certificate_read(certificate_pem, err);
	if (!x)
		return ERR_INVAL;
	X509_STORE *store = X509_STORE_new();
	BIO *b = BIO_new_mem_buf(ca_pem, -1);
	for (X509 *ca; (ca = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL; X509_free(ca))
		X509_STORE_add_cert(store, ca);
	BIO_free(b);
	ERR_clear_error();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_STORE_CTX_init(ctx, store, x, NULL);
	int rc = 0;
	if (X509_verify_cert(ctx) != 1)
		rc = err_set(err, ERR_UNAUTHENTICATED, "certificate: %s",
		        X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(x);
	ERR_clear_error();
	return rc;
}

bool pki_is_signed_by(const char *certificate_pem, const char *ca_pem)
{
	struct err unused = ERR_INIT;
	X509 *x = pki_certificate_read(certificate_pem, &unused), *ca = pki_certificate_read(ca_pem, &unused);
	bool is = x && ca && X509_verify(x, X509_get0_pubkey(ca)) == 1;
	X509_free(x);
	X509_free(ca);
	ERR_clear_error();
	return is;
}

int pki_fingerprint(const char *certificate_pem, char ret_hex[65], struct err *err)
{
	unsigned char md[32];
	unsigned len = 0;
	X509 *x = pki_certificate_read(certificate_pem, err);
	if (!x)
		return ERR_INVAL;
	int ok = X509_digest(x, EVP_sha256(), md, &len);
	X509_free(x);
	if (ok != 1 || len != sizeof md)
		return pki_openssl_err(err, ERR_INTERNAL, "hash certificate");
	hex_write(md, sizeof md, ret_hex);
	return 0;
}

/* ---- files ---- */

static int write_all(int fd, struct slice data)
{
	while (data.len) {
		ssize_t n = write(fd, data.ptr, data.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data.ptr += n;
		data.len -= (size_t)n;
	}
	return fsync(fd);
}

int pki_file_write(const char *path, struct slice data, unsigned mode, struct err *err)
{
	unsigned char salt[6];
	char hex[13];
	pki_random(salt, sizeof salt);
	hex_write(salt, sizeof salt, hex);
	CLEANUP(cleanup_free) char *temp = xprintf("%s.%s.tmp", path, hex);
	int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_errno(err, errno, "create %s", temp);
	bool ok = fchmod(fd, mode) == 0 && write_all(fd, data) == 0;
	int e = errno;
	if (close(fd) != 0 && ok) {
		ok = false;
		e = errno;
	}
	if (ok && rename(temp, path) != 0) {
		ok = false;
		e = errno;
	}
	if (!ok) {
		unlink(temp);
		return err_errno(err, e, "write %s", path);
	}
	return file_sync_folder(path, err);
}

int pki_file_read(const char *path, char **ret, size_t *ret_len, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (fstat(fd, &st) != 0) {
		int e = errno;
		close(fd);
		return err_errno(err, e, "look at %s", path);
	}
	if (st.st_size > FILE_MAX) {
		close(fd);
		return err_set(err, ERR_TOO_BIG, "%s: larger than %d bytes", path, FILE_MAX);
	}
	size_t len = 0, cap = (size_t)st.st_size;
	char *data = xmalloc(cap + 1);
	while (len < cap) {
		ssize_t n = read(fd, data + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) { /* half a key is none */
			int e = errno;
			close(fd);
			free(data);
			return err_errno(err, e, "read %s", path);
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	data[len] = 0;
	*ret = data;
	if (ret_len)
		*ret_len = len;
	return 0;
}

int pki_pair_save(const struct pki_pair *p, const char *certificate_file, const char *key_file, struct err *err)
{
	int rc = pki_file_write(key_file, slice_of(p->key_pem), 0600, err);
	return rc ? rc : pki_file_write(certificate_file, slice_of(p->certificate_pem), 0644, err);
}

int pki_pair_load(const char *certificate_file, const char *key_file, struct pki_pair *ret, struct err *err)
{
	struct pki_pair p = PKI_PAIR_INIT;
	int rc = pki_file_read(certificate_file, &p.certificate_pem, NULL, err);
	if (rc == 0)
		rc = pki_file_read(key_file, &p.key_pem, NULL, err);
	if (rc != 0) {
		pki_pair_release(&p);
		return rc;
	}
	*ret = p;
	return 0;
}

/* ---- helpers ---- */

void pki_sha256(const void *data, size_t len, unsigned char ret[32])
{
	unsigned n = 0;
	CHECK(EVP_Digest(data, len, ret, &n, EVP_sha256(), NULL) == 1);
}

struct pki_digest {
	EVP_MD_CTX *ctx;
};

struct pki_digest *pki_digest_new(void)
{
	struct pki_digest *d = xcalloc(1, sizeof *d);
	d->ctx = EVP_MD_CTX_new();
	CHECK(d->ctx && EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) == 1);
	return d;
}

void pki_digest_add(struct pki_digest *d, const void *data, size_t len)
{
	CHECK(EVP_DigestUpdate(d->ctx, data, len) == 1);
}

void pki_digest_get(const struct pki_digest *d, unsigned char ret[32])
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	unsigned n = 0;
	CHECK(copy && EVP_MD_CTX_copy_ex(copy, d->ctx) == 1 && EVP_DigestFinal_ex(copy, ret, &n) == 1 && n == 32);
	EVP_MD_CTX_free(copy);
}

void pki_digest_free(struct pki_digest *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->ctx);
	free(d);
}

void pki_sha256_hex(const void *data, size_t len, char ret_hex[65])
{
	unsigned char md[32];
	pki_sha256(data, len, md);
	hex_write(md, sizeof md, ret_hex);
}

void pki_random(void *ret, size_t len)
{
	/* Straight from the kernel: OpenSSL's own generator would first set all of OpenSSL up, which a start that draws
	 * one number does not wait for. */
	for (size_t got = 0; got < len;) {
		ssize_t n = getrandom((char *)ret + got, len - got, 0);
		CHECK(n > 0 || errno == EINTR);
		got += n > 0 ? (size_t)n : 0;
	}
}

void pki_random_name(void *ret, size_t len)
{
	static _Thread_local struct {
		size_t left;
		unsigned char bytes[16 * PKI_RANDOM_NAME_BYTES_MAX];
	} stock;
	CHECK(len <= PKI_RANDOM_NAME_BYTES_MAX);
	if (stock.left < len) {
		pki_random(stock.bytes, sizeof stock.bytes);
		stock.left = sizeof stock.bytes;
	}
	stock.left -= len;
	memcpy(ret, stock.bytes + stock.left, len);
}

void pki_random_hex(struct strbuf *out, size_t bytes)
{
	unsigned char raw[64];
	char hex[129];
	CHECK(bytes <= sizeof raw);
	pki_random(raw, bytes);
	hex_write(raw, bytes, hex);
	strbuf_adds(out, hex);
}

bool pki_equal(struct slice a, struct slice b)
{
	return a.len == b.len && CRYPTO_memcmp(a.ptr ? a.ptr : "", b.ptr ? b.ptr : "", a.len) == 0;
}

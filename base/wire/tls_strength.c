/* Which versions and cipher suites a TLS context takes, as the options name them. See tls.h. */
#include "base/wire/tls_int.h"

#include "base/check.h"
#include "base/mem/str.h"

#include <openssl/ssl.h>

#include <stdio.h>
#include <string.h>

static int version_of(const char *name, int by_default, int *ret, struct err *err)
{
	*ret = !name                               ? by_default
	       : strcmp(name, "VersionTLS12") == 0 ? TLS1_2_VERSION
	       : strcmp(name, "VersionTLS13") == 0 ? TLS1_3_VERSION
	                                           : -1;
	return *ret >= 0 ? 0
	                 : err_set(err, ERR_INVAL, "TLS version \"%s\" is not one of VersionTLS12, VersionTLS13", name);
}

static int set_versions(SSL_CTX *ctx, const struct tls_options *o, struct err *err)
{
	int min, max;
	if (version_of(o->min_version, TLS1_2_VERSION, &min, err) != 0 || version_of(o->max_version, 0, &max, err) != 0)
		return err->code;
	if (max && max < min)
		return err_set(err, ERR_INVAL, "the newest TLS version allowed is older than the oldest");
	SSL_CTX_set_min_proto_version(ctx, min);
	SSL_CTX_set_max_proto_version(ctx, max); /* 0: the newest there is */
	return 0;
}

/* IANA's names, as flags have them, in OpenSSL's. The suites of TLS 1.3 are always those that OpenSSL has on; naming
 * them is allowed and changes nothing, as with Go's library. */
static int set_cipher_suites(SSL_CTX *ctx, const char *names, struct err *err)
{
	struct strbuf list = STRBUF_INIT;
	struct slice rest = slice_of(names);
	char name[80];
	int rc = 0;
	while (rest.ptr && rc == 0) {
		struct slice one = slice_trim(slice_cut(&rest, ','));
		snprintf(name, sizeof name, "%.*s", SLICE_FMT(one));
		const char *ours = OPENSSL_cipher_name(name);
		bool is_1_3 = slice_starts(one, "TLS_AES_") || slice_starts(one, "TLS_CHACHA20_");
		if (!is_1_3 && strcmp(ours, "(NONE)") == 0)
			rc = err_set(err, ERR_INVAL,
			        "cipher suite \"%s\" is not known: use IANA's names, like "
			        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
			        name);
		else if (!is_1_3)
			strbuf_addf(&list, "%s%s", list.len ? ":" : "", ours);
	}
	if (rc == 0 && list.len && SSL_CTX_set_cipher_list(ctx, strbuf_cstr(&list)) != 1)
		rc = err_set(err, ERR_INVAL, "none of the cipher suites %s can be used", names);
	strbuf_release(&list);
	return rc;
}

int tls_set_strength(SSL_CTX *ctx, const struct tls_options *o, struct err *err)
{
	if (set_versions(ctx, o, err) != 0)
		return err->code;
	if (o->cipher_suites)
		return set_cipher_suites(ctx, o->cipher_suites, err);
	CHECK(SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1);
	return 0;
}

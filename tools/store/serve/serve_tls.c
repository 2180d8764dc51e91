/* TLS of the ports of `k3x-store serve`: contexts made from its settings, certificates made here (--auto-tls), and
 * files that change read again, so that a renewed certificate or a list of revocations takes effect without a restart.
 * Connections that stand go on with what they have, as with etcd.
 *
 * A certificate made here is a chain of two, the second one a CA of its own that has no key any more, in
 * DIR/fixtures/client or peer: who wants to verify takes that file as CA. It is made anew when a quarter of its life is
 * left at a start. */
#include "tools/store/serve/serve_settings.h"

#include "base/file/file_dirs.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "base/wire/tls.h"
#include "base/wire/url.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HOSTS_MAX = 32 };

/* ---- certificates made here ---- */

static bool is_still_good(const char *cert_file)
{
	struct err unused = ERR_INIT;
	struct pki_info info;
	char *pem = NULL;
	size_t len;
	bool is_good = access(cert_file, R_OK) == 0 && pki_file_read(cert_file, &pem, &len, &unused) == 0 &&
	               pki_info(pem, &info, &unused) == 0 && !pki_needs_renewal(&info, time(NULL));
	free(pem);
	return is_good;
}

static size_t hosts_of(const struct flag_list *urls, struct arena *a, const char *ret[HOSTS_MAX])
{
	struct err unused = ERR_INIT;
	char name[256] = "";
	size_t n = 0;
	ret[n++] = "localhost";
	ret[n++] = "127.0.0.1";
	if (gethostname(name, sizeof name - 1) == 0 && *name)
		ret[n++] = arena_strdup(a, name);
	for (size_t i = 0; i < urls->count && n < HOSTS_MAX; i++) {
		struct url url;
		if (url_parse_any(a, urls->items[i], 1, &url, &unused) == 0 && !url.unix_path)
			ret[n++] = url.host;
	}
	return n;
}

static int issue(const char *cert_file, const char *key_file, const char *const *hosts, size_t n_hosts, unsigned days,
        struct arena *a, struct err *err)
{
	struct pki_pair ca = PKI_PAIR_INIT, leaf = PKI_PAIR_INIT;
	struct pki_request request = {.common_name = "k3x-store",
	        .names = hosts,
	        .names_count = n_hosts,
	        .is_server = true,
	        .is_client = true,
	        .days = days};
	int rc = pki_ca_new("k3x-store made here", &ca, err);
	if (rc == 0)
		rc = pki_issue(&ca, &request, &leaf, err);
	if (rc == 0) {
		struct pki_pair chain = {
		        arena_printf(a, "%s%s", leaf.certificate_pem, ca.certificate_pem), leaf.key_pem};
		rc = pki_pair_save(&chain, cert_file, key_file, err);
	}
	pki_pair_release(&leaf);
	pki_pair_release(&ca);
	return rc;
}

/* Sets cert_file and key_file of a side that has none. */
static int make_certificate(const struct serve_settings *v, struct serve_tls_settings *side, const char *name,
        const struct flag_list *urls, struct arena *a, struct err *err)
{
	const char *hosts[HOSTS_MAX], *folder = arena_printf(a, "%s/fixtures/%s", v->data_dir, name);
	if (!side->is_auto || side->cert_file)
		return 0;
	side->cert_file = arena_printf(a, "%s/cert.pem", folder);
	side->key_file = arena_printf(a, "%s/key.pem", folder);
	if (is_still_good(side->cert_file))
		return 0;
	if (file_make_dirs(folder, 0700, err) != 0)
		return err->code;
	return issue(side->cert_file, side->key_file, hosts, hosts_of(urls, a, hosts), (unsigned)v->cert_years * 365, a,
	        err);
}

/* ---- contexts ---- */

static const char *version(const char *name)
{
	return !name || !*name ? NULL : strcmp(name, "TLS1.3") == 0 ? "VersionTLS13" : "VersionTLS12";
}

static struct tls_options options_of(
        const struct serve_settings *v, const struct serve_tls_settings *side, struct arena *a)
{
	return (struct tls_options){.is_server = true,
	        .certificate_file = side->cert_file,
	        .key_file = side->key_file,
	        .ca_file = side->ca_file,
	        .crl_file = side->crl_file,
	        .allowed_names = flag_list_join(a, &side->allowed_names),
	        .allowed_hosts = flag_list_join(a, &side->allowed_hosts),
	        .min_version = version(v->tls_min),
	        .max_version = version(v->tls_max),
	        .cipher_suites = flag_list_join(a, &v->cipher_suites),
	        .require_client_certificate = side->client_cert_auth};
}

static uint64_t stamp_of(const struct serve_tls_settings *s)
{
	const char *const files[] = {
	        s->cert_file, s->key_file, s->ca_file, s->crl_file, s->client_cert_file, s->client_key_file};
	uint64_t stamp = 0;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct stat st;
		if (!files[i] || stat(files[i], &st) != 0)
			continue;
		const uint64_t parts[] = {stamp, (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec,
		        (uint64_t)st.st_size, (uint64_t)st.st_ino, i};
		stamp = fnv1a64((const char *)parts, sizeof parts);
	}
	return stamp;
}

int serve_tls_open_clients(struct serve_settings *v, const struct flag_list *hosts, struct arena *a,
        struct serve_tls *ret, struct err *err)
{
	struct serve_tls_settings *side = &v->client_tls;
	if (make_certificate(v, side, "client", hosts, a, err) != 0)
		return err_wrap(err, "--auto-tls");
	if (!side->cert_file || !side->key_file)
		return err_set(err, ERR_INVAL,
		        "an https:// or unixs:// client URL needs --cert-file and --key-file, or --auto-tls");
	struct tls_options t = options_of(v, side, a);
	ret->stamp = stamp_of(side);
	return tls_context_new(&t, &ret->server, err);
}

int serve_tls_open_peers(struct serve_settings *v, const struct flag_list *hosts, struct arena *a,
        struct serve_tls *ret, struct err *err)
{
	struct serve_tls_settings *side = &v->peer_tls;
	if (make_certificate(v, side, "peer", hosts, a, err) != 0)
		return err_wrap(err, "--peer-auto-tls");
	if (!side->cert_file && !side->ca_file)
		return 0;
	if (!side->cert_file || !side->key_file)
		return err_set(err, ERR_INVAL, "peers with TLS need --peer-cert-file and --peer-key-file");
	struct tls_options t = options_of(v, side, a);
	ret->stamp = stamp_of(side);
	if (tls_context_new(&t, &ret->server, err) != 0)
		return err_wrap(err, "--peer-cert-file");
	t.is_server = false;
	t.skip_verify = !side->ca_file;
	if (side->client_cert_file) {
		t.certificate_file = side->client_cert_file;
		t.key_file = side->client_key_file;
	}
	return tls_context_new(&t, &ret->client, err) == 0
	               ? 0
	               : err_wrap(err, side->client_cert_file ? "--peer-client-cert-file" : "--peer-cert-file");
}

static void reload(struct tls_context *t)
{
	struct err err = ERR_INIT;
	if (t && tls_context_reload(t, &err) != 0)
		log_warn("store", "certificates not read again, the old ones stay", "error=\"%s\"", err.msg);
}

void serve_tls_refresh(struct serve_tls *t, const struct serve_tls_settings *s)
{
	uint64_t now = t->server ? stamp_of(s) : 0;
	if (!t->server || now == t->stamp)
		return;
	t->stamp = now;
	log_info("store", "certificates have changed", "file=%s", s->cert_file);
	reload(t->server);
	reload(t->client);
}

void serve_tls_release(struct serve_tls *t)
{
	tls_context_unref(t->server);
	tls_context_unref(t->client);
}

/* See join_contact.h. */
#include "tools/k3x/join/join_contact.h"

#include "base/log.h"
#include "base/pki/pki.h"

#include <inttypes.h>
#include <time.h>

enum { CLOCK_S_MAX = 300 };

static int check_clock(const struct join_contact *c, int64_t theirs, struct err *err)
{
	int64_t ahead = (int64_t)time(NULL) - theirs;
	if (!theirs || (ahead <= CLOCK_S_MAX && ahead >= -CLOCK_S_MAX))
		return 0;
	return err_set(err, ERR_CONFLICT,
	        "the clock of this machine is %" PRId64
	        " s %s that of %s: certificates and leases need clocks that agree (timedatectl set-ntp true)",
	        ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of", c->url);
}

int join_contact_meet(struct join_contact *c, struct err *err)
{
	struct join_http h = {.url = c->url, .method = "GET", .path = "/cacerts"};
	char hash[65];
	strbuf_reset(&c->ca);
	if (join_http_call(&h, &c->ca, err) != 0)
		return err_wrap(err, "--server: is a k3x server there, and its port 6443 open?");
	if (check_clock(c, h.date_s, err) != 0)
		return err->code;
	pki_sha256_hex(c->ca.data, c->ca.len, hash);
	if (!*c->token.ca_hash)
		log_warn("join", "the token does not name the cluster's CA, which is trusted as it came",
		        "server=%s sha256=%s mend=\"the whole token, K10...\"", c->url, hash);
	else if (strcmp(hash, c->token.ca_hash) != 0)
		return err_set(err, ERR_UNAUTHENTICATED,
		        "the CA of %s is not the token's: its hash is %s and the token says %s. Either --server is a "
		        "server of another cluster (or somebody between), or --token is",
		        c->url, hash, c->token.ca_hash);
	return 0;
}

int join_contact_call(struct join_contact *c, const char *method, const char *path, struct slice body,
        const struct http_header *headers, size_t n_headers, struct strbuf *answer, struct err *err)
{
	struct join_http h = {.url = c->url,
	        .ca_pem = strbuf_cstr(&c->ca),
	        .user = c->user,
	        .secret = c->cert_file ? SLICE_NULL : c->token.secret,
	        .cert_file = c->cert_file,
	        .key_file = c->key_file,
	        .method = method,
	        .path = path,
	        .body = body,
	        .headers = headers,
	        .n_headers = n_headers};
	join_http_call(&h, answer, err);
	if (err->code == ERR_UNAUTHENTICATED && !c->cert_file)
		err_wrap(err, "--token");
	return err->code;
}

void join_contact_release(struct join_contact *c)
{
	strbuf_release(&c->ca);
}

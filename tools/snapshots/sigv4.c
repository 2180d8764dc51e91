/* See sigv4.h. The request is written in one canonical way, hashed, and that hash signed with a key that is made of the
 * secret, the day, the region and the service. */
#include "tools/snapshots/sigv4.h"

#include "base/pki/pki.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

void sigv4_date(int64_t now_s, char ret[17])
{
	struct tm tm;
	time_t t = (time_t)now_s;
	strftime(ret, 17, "%Y%m%dT%H%M%SZ", gmtime_r(&t, &tm));
}

void sigv4_escape(struct strbuf *out, struct slice text, bool is_path)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (isalnum(c) || strchr("-_.~", c) || (is_path && c == '/'))
			strbuf_addc(out, (char)c);
		else
			strbuf_addf(out, "%%%02X", c);
	}
}

/* In the order of their names, as all lists here. */
static void add_names(const struct sigv4_request *r, struct strbuf *out)
{
	strbuf_addf(out, "host%s%s;x-amz-content-sha256;x-amz-date%s", r->more_names ? ";" : "",
	        r->more_names ? r->more_names : "", r->session_token ? ";x-amz-security-token" : "");
}

static void canonical(const struct sigv4_request *r, const char *date, struct strbuf *out)
{
	strbuf_addf(out, "%s\n%s\n%s\nhost:%s\n%sx-amz-content-sha256:%s\nx-amz-date:%s\n", r->method, r->path,
	        r->query, r->host, r->more_headers ? r->more_headers : "", r->payload_sha256, date);
	if (r->session_token)
		strbuf_addf(out, "x-amz-security-token:%s\n", r->session_token);
	strbuf_addc(out, '\n');
	add_names(r, out);
	strbuf_addf(out, "\n%s", r->payload_sha256);
}

static void chain(unsigned char key[32], const char *text)
{
	unsigned char next[32];
	pki_hmac_sha256((struct slice){(char *)key, 32}, slice_of(text), next);
	memcpy(key, next, 32);
}

void sigv4_authorize(const struct sigv4_request *r, struct strbuf *out)
{
	struct strbuf text = STRBUF_INIT;
	char date[17], day[9], hash[65], scope[128];
	unsigned char key[32];
	sigv4_date(r->now_s, date);
	snprintf(day, sizeof day, "%.8s", date);
	snprintf(scope, sizeof scope, "%s/%s/s3/aws4_request", day, r->region);
	canonical(r, date, &text);
	pki_sha256_hex(text.data, text.len, hash);
	strbuf_reset(&text);
	strbuf_addf(&text, "AWS4%s", r->secret_key);
	pki_hmac_sha256(strbuf_slice(&text), slice_of(day), key);
	chain(key, r->region);
	chain(key, "s3");
	chain(key, "aws4_request");
	strbuf_reset(&text);
	strbuf_addf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, hash);
	chain(key, strbuf_cstr(&text));
	hex_write(key, sizeof key, hash);
	strbuf_addf(out, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=", r->access_key, scope);
	add_names(r, out);
	strbuf_addf(out, ", Signature=%s", hash);
	strbuf_release(&text);
}

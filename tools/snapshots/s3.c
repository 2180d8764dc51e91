/* See s3.h. libcurl carries the requests, each over a connection of its own; they are signed here (sigv4.c), for its
 * own signatures are wrong for endpoints with a port before 8.x. What is sent is summed up first, so that a store that
 * gets other bytes says so; what comes is a snapshot, which has its own sha256.
 *
 * The bucket stands in the path, unless the endpoint is Amazon's or the settings say so.
 *
 * What can go wrong: no libcurl (its package is named), no way there, a certificate that nobody vouches for, a clock
 * that is off (the store says RequestTimeTooSkewed), keys that are not right, no such bucket; all as the store says it.
 */
#include "tools/snapshots/s3.h"

#include "base/clock.h"
#include "base/file/file_out.h"
#include "base/file/file_sync.h"
#include "base/pki/pki.h"
#include "tools/snapshots/sigv4.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONNECT_MS = 15000, ANSWER_BYTES_MAX = 4 * 1024 * 1024, PAGES_MAX = 1000, PIECE_BYTES = 256 * 1024 };

/* ---- libcurl ---- */

static struct {
	pthread_once_t once;
	bool is_there;
	__typeof__(curl_global_init) *global_init;
	__typeof__(curl_easy_init) *init;
	__typeof__(curl_easy_setopt) *setopt;
	__typeof__(curl_easy_perform) *perform;
	__typeof__(curl_easy_getinfo) *getinfo;
	__typeof__(curl_easy_cleanup) *cleanup;
	__typeof__(curl_easy_strerror) *text;
	__typeof__(curl_slist_append) *append;
	__typeof__(curl_slist_free_all) *free_all;
} lib = {.once = PTHREAD_ONCE_INIT};

static void open_library(void)
{
	void *h = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	if (!h)
		return;
#define FIND(member, name) *(void **)&lib.member = dlsym(h, name)
	FIND(global_init, "curl_global_init");
	FIND(init, "curl_easy_init");
	FIND(setopt, "curl_easy_setopt");
	FIND(perform, "curl_easy_perform");
	FIND(getinfo, "curl_easy_getinfo");
	FIND(cleanup, "curl_easy_cleanup");
	FIND(text, "curl_easy_strerror");
	FIND(append, "curl_slist_append");
	FIND(free_all, "curl_slist_free_all");
	lib.is_there = lib.global_init && lib.init && lib.setopt && lib.perform && lib.getinfo && lib.cleanup &&
	               lib.text && lib.append && lib.free_all && lib.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* ---- one request ---- */

struct request {
	const struct s3 *s;
	const char *method;
	const char *key;   /* ""; the bucket itself */
	const char *query; /* escaped and sorted */
	int in;            /* the file to send; -1: none */
	int64_t in_bytes;
	char sha256[65];      /* of that */
	struct file_out *out; /* where a good answer goes; NULL: into `answer` */
	struct strbuf answer;
	CURL *curl;
	struct curl_slist *headers;
	struct arena arena;
	struct err *err;
};

static size_t on_read(char *to, size_t size, size_t n, void *arg)
{
	struct request *r = arg;
	ssize_t got;
	do
		got = read(r->in, to, size * n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static long status_of(struct request *r)
{
	long status = 0;
	lib.getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t on_write(char *data, size_t size, size_t n, void *arg)
{
	struct request *r = arg;
	size_t len = size * n;
	if (r->out && status_of(r) / 100 == 2)
		return file_out_write(r->out, data, len, r->err) == 0 ? len : 0;
	if (r->answer.len + len > ANSWER_BYTES_MAX)
		return 0;
	strbuf_add(&r->answer, data, len);
	return len;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct request *r = arg;
	return r->s->is_canceled && atomic_load(r->s->is_canceled);
}

static bool is_by_host(const struct s3_settings *v)
{
	return strcmp(v->lookup, "dns") == 0 ||
	       (strcmp(v->lookup, "auto") == 0 && slice_ends(slice_of(v->endpoint), ".amazonaws.com"));
}

__attribute__((format(printf, 2, 3))) static void header(struct request *r, const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) >= 0)
		r->headers = lib.append(r->headers, text);
	va_end(ap);
	free(text);
}

/* URL and signature. */
static void address(struct request *r)
{
	const struct s3_settings *v = r->s->settings;
	struct strbuf path = STRBUF_INIT, sign = STRBUF_INIT;
	bool by_host = is_by_host(v);
	const char *host = by_host ? arena_printf(&r->arena, "%s.%s", v->bucket, v->endpoint) : v->endpoint;
	int64_t now = clock_wall_s();
	char date[17];
	if (!by_host)
		strbuf_addf(&path, "/%s", v->bucket);
	if (*r->key || by_host)
		strbuf_addc(&path, '/');
	sigv4_escape(&path, slice_of(r->key), true);
	struct sigv4_request q = {.method = r->method,
	        .host = host,
	        .path = strbuf_cstr(&path),
	        .query = r->query,
	        .payload_sha256 = r->sha256,
	        .region = v->region,
	        .access_key = v->access_key,
	        .secret_key = v->secret_key,
	        .session_token = v->session_token && *v->session_token ? v->session_token : NULL,
	        .now_s = now};
	sigv4_date(now, date);
	sigv4_authorize(&q, &sign);
	header(r, "Authorization: %s", strbuf_cstr(&sign));
	header(r, "x-amz-content-sha256: %s", r->sha256);
	header(r, "x-amz-date: %s", date);
	header(r, "Host: %s", host);
	header(r, "Expect:");
	if (q.session_token)
		header(r, "x-amz-security-token: %s", q.session_token);
	lib.setopt(r->curl, CURLOPT_URL,
	        arena_printf(&r->arena, "%s://%s%s%s%s", v->is_insecure ? "http" : "https", host, q.path,
	                *r->query ? "?" : "", r->query));
	strbuf_release(&path);
	strbuf_release(&sign);
}

static void set_up(struct request *r)
{
	const struct s3_settings *v = r->s->settings;
	CURL *c = r->curl;
	address(r);
	lib.setopt(c, CURLOPT_HTTPHEADER, r->headers);
	lib.setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
	lib.setopt(c, CURLOPT_PATH_AS_IS, 1L);
	lib.setopt(c, CURLOPT_NOSIGNAL, 1L);
	lib.setopt(c, CURLOPT_TIMEOUT_MS, (long)v->timeout_ms);
	lib.setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	lib.setopt(c, CURLOPT_WRITEFUNCTION, on_write);
	lib.setopt(c, CURLOPT_WRITEDATA, r);
	lib.setopt(c, CURLOPT_NOPROGRESS, 0L);
	lib.setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	lib.setopt(c, CURLOPT_XFERINFODATA, r);
	if (r->in >= 0) {
		lib.setopt(c, CURLOPT_UPLOAD, 1L);
		lib.setopt(c, CURLOPT_READFUNCTION, on_read);
		lib.setopt(c, CURLOPT_READDATA, r);
		lib.setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->in_bytes);
	}
	if (v->endpoint_ca)
		lib.setopt(c, CURLOPT_CAINFO, v->endpoint_ca);
	else if (v->endpoint_ca_pem)
		lib.setopt(c, CURLOPT_CAINFO_BLOB,
		        &(struct curl_blob){
		                (void *)(uintptr_t)v->endpoint_ca_pem, strlen(v->endpoint_ca_pem), CURL_BLOB_COPY});
	if (v->skip_ssl_verify) {
		lib.setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
		lib.setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (v->proxy)
		lib.setopt(c, CURLOPT_PROXY, v->proxy);
}

/* What the store said, with a code of ours. */
static int judge(struct request *r, CURLcode rc)
{
	const struct s3_settings *v = r->s->settings;
	long status = status_of(r);
	if (r->err->code)
		return r->err->code;
	if (rc == CURLE_ABORTED_BY_CALLBACK)
		return err_set(r->err, ERR_CANCELED, "S3: the transfer was given up, for the server stops");
	if (rc != CURLE_OK)
		return err_set(r->err, rc == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE, "S3 at %s: %s",
		        v->endpoint, lib.text(rc));
	if (status / 100 == 2)
		return 0;
	const char *why = s3_xml_error(&r->arena, strbuf_slice(&r->answer));
	int code = status == 404                    ? ERR_NOT_FOUND
	           : status == 401 || status == 403 ? ERR_FORBIDDEN
	           : status == 429 || status >= 500 ? ERR_UNAVAILABLE
	                                            : ERR_INVAL;
	return err_set(r->err, code, "S3 at %s, bucket %s: %s (HTTP %ld)", v->endpoint, v->bucket,
	        *why ? why : "no reason was given", status);
}

static int perform(struct request *r)
{
	pthread_once(&lib.once, open_library);
	if (!lib.is_there)
		return err_set(r->err, ERR_NOT_FOUND,
		        "S3 needs libcurl.so.4, which is not installed: apt-get install libcurl4");
	r->curl = lib.init();
	if (r->in < 0)
		pki_sha256_hex("", 0, r->sha256);
	set_up(r);
	int rc = judge(r, lib.perform(r->curl));
	lib.free_all(r->headers);
	lib.cleanup(r->curl);
	return rc;
}

static void release(struct request *r)
{
	strbuf_release(&r->answer);
	arena_release(&r->arena);
}

static const char *prefix_of(struct arena *a, const struct s3_settings *v)
{
	struct slice f = v->folder ? slice_of(v->folder) : SLICE_NULL;
	while (f.len && f.ptr[0] == '/')
		f = (struct slice){f.ptr + 1, f.len - 1};
	while (f.len && f.ptr[f.len - 1] == '/')
		f.len--;
	return f.len ? arena_printf(a, "%.*s/", SLICE_FMT(f)) : "";
}

/* ---- what is asked ---- */

static int sum_up(struct request *r, const char *file)
{
	struct pki_digest *d = pki_digest_new();
	char *piece = xmalloc(PIECE_BYTES);
	unsigned char sum[32];
	ssize_t n;
	while ((n = read(r->in, piece, PIECE_BYTES)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			pki_digest_add(d, piece, (size_t)n);
	if (n < 0 || lseek(r->in, 0, SEEK_SET) != 0)
		err_errno(r->err, errno, "read %s", file);
	pki_digest_get(d, sum);
	hex_write(sum, sizeof sum, r->sha256);
	pki_digest_free(d);
	free(piece);
	return r->err->code;
}

int s3_put(const struct s3 *s, const char *name, const char *file, struct err *err)
{
	struct request r = {.s = s, .method = "PUT", .query = "", .err = err};
	struct stat st;
	r.key = arena_printf(&r.arena, "%s%s", prefix_of(&r.arena, s->settings), name);
	r.in = open(file, O_RDONLY | O_CLOEXEC);
	if (r.in < 0 || fstat(r.in, &st) != 0)
		err_errno(err, errno, "open %s", file);
	else if (sum_up(&r, file) == 0) {
		r.in_bytes = st.st_size;
		perform(&r);
	}
	if (r.in >= 0)
		close(r.in);
	release(&r);
	return err->code;
}

int s3_get(const struct s3 *s, const char *name, const char *file, struct err *err)
{
	struct request r = {.s = s, .method = "GET", .query = "", .in = -1, .err = err};
	const char *part = arena_printf(&r.arena, "%s.part", file);
	struct file_out out;
	r.key = arena_printf(&r.arena, "%s%s", prefix_of(&r.arena, s->settings), name);
	if (file_out_open(&out, part, 0, err) == 0) {
		r.out = &out;
		if (perform(&r) != 0)
			file_out_drop(&out);
		else if (file_out_keep(&out, err) == 0 && rename(part, file) != 0)
			err_errno(err, errno, "rename %s", part);
		else if (!err->code)
			file_sync_folder(file, err);
	}
	release(&r);
	return err->code;
}

int s3_delete(const struct s3 *s, const char *name, struct err *err)
{
	struct request r = {.s = s, .method = "DELETE", .query = "", .in = -1, .err = err};
	r.key = arena_printf(&r.arena, "%s%s", prefix_of(&r.arena, s->settings), name);
	perform(&r);
	release(&r);
	return err->code;
}

struct listing {
	size_t prefix_bytes;
	void (*fn)(void *arg, const struct s3_object *o);
	void *arg;
};

static void listed(void *arg, const struct s3_object *o)
{
	const struct listing *l = arg;
	struct s3_object inside = *o;
	if (strlen(o->key) <= l->prefix_bytes)
		return;
	inside.key += l->prefix_bytes;
	if (!strchr(inside.key, '/'))
		l->fn(l->arg, &inside);
}

int s3_list(const struct s3 *s, void (*fn)(void *arg, const struct s3_object *o), void *arg, struct err *err)
{
	struct arena a = ARENA_INIT;
	const char *prefix = prefix_of(&a, s->settings), *next = NULL;
	struct listing l = {strlen(prefix), fn, arg};
	for (unsigned page = 0; page < PAGES_MAX && !err->code && (!page || next); page++) {
		struct request r = {.s = s, .method = "GET", .key = "", .in = -1, .err = err};
		struct strbuf query = STRBUF_INIT;
		if (next) {
			strbuf_adds(&query, "continuation-token=");
			sigv4_escape(&query, slice_of(next), false);
			strbuf_addc(&query, '&');
		}
		strbuf_adds(&query, "list-type=2&prefix=");
		sigv4_escape(&query, slice_of(prefix), false);
		r.query = strbuf_cstr(&query);
		next = NULL;
		if (perform(&r) == 0)
			s3_xml_list(&a, strbuf_slice(&r.answer), listed, &l, &next, err);
		strbuf_release(&query);
		release(&r);
	}
	arena_release(&a);
	return err->code;
}

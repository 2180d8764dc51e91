/* TLS contexts and sessions on OpenSSL 3.
 *
 * A session reads from and writes to a BIO of our own: reads take from the bytes that conn.c lends during one call,
 * writes go to an emit function, so nothing is copied on the way in and OpenSSL never sees a socket. Buffers of idle
 * sessions are released (SSL_MODE_RELEASE_BUFFERS).
 *
 * Servers issue session tickets (stateless, so no cache grows) and clients keep the newest ticket per server name, so
 * that a thousand reconnects cost few signatures. A reload builds a new SSL_CTX and swaps it under a lock; sessions
 * hold a reference on the old one. Tickets do not survive a reload, which is also what makes a changed CA effective.
 *
 * What can go wrong: unreadable or mismatching files (refused with the file's name, the old identity stays); a peer
 * certificate that does not verify (the handshake fails and the message says why). */
#include "base/wire/tls_int.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { TICKETS_MAX = 64, SERVER_NAME_MAX = 256 };

struct ticket {
	char name[SERVER_NAME_MAX];
	SSL_SESSION *session;
};

struct tls_context {
	atomic_uint refs;
	pthread_mutex_t lock; /* ctx and tickets */
	SSL_CTX *ctx;
	struct ticket tickets[TICKETS_MAX]; /* client: the newest per server, a ring */
	unsigned tickets_next;
	struct tls_options o; /* strings are ours */
};

struct tls_session {
	SSL *ssl;
	struct tls_context *context;
	const char *in;
	size_t in_len;
	void (*emit)(void *arg, const char *data, size_t len);
	void *arg;
	struct arena arena; /* peer's names */
	char server_name[SERVER_NAME_MAX];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *bio_method;
static int session_index;
static int clients_index, proxies_index; /* of an SSL_CTX: an X509_STORE of each CA, when there are two */

/* ---- the BIO ---- */

static int bio_write(BIO *b, const char *data, int len)
{
	struct tls_session *s = BIO_get_data(b);
	if (len > 0)
		s->emit(s->arg, data, (size_t)len);
	return len;
}

static int bio_read(BIO *b, char *buf, int cap)
{
	struct tls_session *s = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	if (s->in_len == 0) {
		BIO_set_retry_read(b);
		return -1;
	}
	size_t n = s->in_len < (size_t)cap ? s->in_len : (size_t)cap;
	memcpy(buf, s->in, n);
	s->in += n;
	s->in_len -= n;
	return (int)n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b, (void)num, (void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

static void free_store(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	X509_STORE_free(ptr);
}

static void init_once(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "k3x");
	CHECK(bio_method != NULL);
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_ctrl(bio_method, bio_ctrl);
	BIO_meth_set_create(bio_method, bio_create);
	session_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	clients_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_store);
	proxies_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_store);
}

/* ---- errors ---- */

static const char *reason(char *buf, size_t size)
{
	unsigned long e = ERR_peek_last_error();
	const char *text = e ? ERR_reason_error_string(e) : NULL;
	snprintf(buf, size, "%s", text ? text : "unknown TLS error");
	ERR_clear_error();
	return buf;
}

__attribute__((format(printf, 3, 4))) static int ssl_err(struct err *err, int code, const char *fmt, ...)
{
	char why[160], what[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	return err_set(err, code, "%s: %s", what, reason(why, sizeof why));
}

/* ---- contexts ---- */

static BIO *open_pem(const char *file, const char *pem, struct err *err)
{
	BIO *b = file ? BIO_new_file(file, "r") : BIO_new_mem_buf(pem, -1);
	if (!b)
		ssl_err(err, ERR_IO, "open %s", file ? file : "PEM text");
	return b;
}

static int load_ca(SSL_CTX *ctx, const struct tls_options *o, struct err *err)
{
	const char *name = o->ca_file ? o->ca_file : "CA text";
	BIO *b = open_pem(o->ca_file, o->ca_pem, err);
	int count = 0;
	if (!b)
		return err->code;
	for (X509 *x; (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL; count++) {
		X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x);
		if (o->is_server)
			SSL_CTX_add_client_CA(ctx, x);
		X509_free(x);
	}
	BIO_free(b);
	ERR_clear_error();
	if (count == 0)
		return err_set(err, ERR_INVAL, "%s: no CA certificate in it; it must be PEM", name);
	return 0;
}

/* ---- two CAs: of clients, of proxies ---- */

/* Those of the file go into a store of their own, which hangs on the context, and on request into the context's. */
static int add_store(SSL_CTX *ctx, int index, const char *file, const char *pem, bool also_here, struct err *err)
{
	BIO *b = open_pem(file, pem, err);
	X509_STORE *store = X509_STORE_new();
	int count = 0;
	CHECK(store && SSL_CTX_set_ex_data(ctx, index, store) == 1);
	if (!b)
		return err->code;
	for (X509 *x; (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL; count++) {
		X509_STORE_add_cert(store, x);
		if (also_here) {
			X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x);
			SSL_CTX_add_client_CA(ctx, x);
		}
		X509_free(x);
	}
	BIO_free(b);
	ERR_clear_error();
	return count ? 0
	             : err_set(err, ERR_INVAL, "%s: no CA certificate in it; it must be PEM", file ? file : "CA text");
}

static int load_proxy_ca(SSL_CTX *ctx, const struct tls_options *o, struct err *err)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 0);
	if (add_store(ctx, clients_index, o->ca_file, o->ca_pem, false, err) != 0)
		return err->code;
	return add_store(ctx, proxies_index, o->proxy_ca_file, NULL, true, err);
}

static bool is_vouched(SSL *ssl, X509 *x, X509_STORE *store)
{
	X509_STORE_CTX *c = X509_STORE_CTX_new();
	CHECK(c && X509_STORE_CTX_init(c, store, x, SSL_get_peer_cert_chain(ssl)) == 1);
	X509_STORE_CTX_set_default(c, "ssl_client");
	bool ok = X509_verify_cert(c) == 1;
	X509_STORE_CTX_free(c);
	ERR_clear_error();
	return ok;
}

static int load_chain(SSL_CTX *ctx, const struct tls_options *o, struct err *err)
{
	const char *name = o->certificate_file ? o->certificate_file : "certificate text";
	BIO *b = open_pem(o->certificate_file, o->certificate_pem, err);
	if (!b)
		return err->code;
	X509 *leaf = PEM_read_bio_X509(b, NULL, NULL, NULL);
	int ok = leaf && SSL_CTX_use_certificate(ctx, leaf) == 1;
	X509_free(leaf);
	for (X509 *x; ok && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL;)
		if (SSL_CTX_add0_chain_cert(ctx, x) != 1) {
			X509_free(x);
			ok = 0;
		}
	BIO_free(b);
	if (!ok)
		return ssl_err(err, ERR_INVAL, "load certificate %s", name);
	ERR_clear_error();
	return 0;
}

static int load_key(SSL_CTX *ctx, const struct tls_options *o, struct err *err)
{
	const char *name = o->key_file ? o->key_file : "key text";
	BIO *b = open_pem(o->key_file, o->key_pem, err);
	if (!b)
		return err->code;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
	int ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
	EVP_PKEY_free(key);
	BIO_free(b);
	if (!ok)
		return ssl_err(err, ERR_INVAL, "load key %s", name);
	return 0;
}

/* ---- who is let in of those that the CA vouches for ---- */

static int load_crl(SSL_CTX *ctx, const char *file, struct err *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	int count = 0;
	BIO *b = open_pem(file, NULL, err);
	if (!b)
		return err->code;
	for (X509_CRL *x; (x = PEM_read_bio_X509_CRL(b, NULL, NULL, NULL)) != NULL; count++) {
		X509_STORE_add_crl(store, x);
		X509_CRL_free(x);
	}
	X509_CRL *der = count == 0 && BIO_reset(b) == 0 ? d2i_X509_CRL_bio(b, NULL) : NULL;
	if (der) {
		X509_STORE_add_crl(store, der);
		X509_CRL_free(der);
		count++;
	}
	BIO_free(b);
	ERR_clear_error();
	if (count == 0)
		return err_set(
		        err, ERR_INVAL, "%s: no list of revoked certificates in it; it must be PEM or DER", file);
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return 0;
}

static bool has_allowed_name(const char *names, X509 *x)
{
	unsigned char *utf8 = NULL;
	X509_NAME *subject = X509_get_subject_name(x);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	X509_NAME_ENTRY *e = at >= 0 ? X509_NAME_get_entry(subject, at) : NULL;
	int n = e ? ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(e)) : -1;
	struct slice rest = slice_of(names), name = {(char *)utf8, n > 0 ? (size_t)n : 0};
	bool found = false;
	while (n > 0 && rest.ptr && !found)
		found = slice_eq(slice_trim(slice_cut(&rest, ',')), name);
	OPENSSL_free(utf8);
	return found;
}

static bool has_allowed_host(const char *hosts, X509 *x)
{
	struct slice rest = slice_of(hosts);
	char host[SERVER_NAME_MAX];
	while (rest.ptr) {
		struct slice one = slice_trim(slice_cut(&rest, ','));
		snprintf(host, sizeof host, "%.*s", SLICE_FMT(one));
		if (*host && (X509_check_host(x, host, 0, 0, NULL) == 1 || X509_check_ip_asc(x, host, 0) == 1))
			return true;
	}
	return false;
}

/* A list that is out of date, or not there for another CA, revokes whom it names and nobody else: as etcd reads it. */
static int judge_peer(int ok, X509_STORE_CTX *c)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(c, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls_session *s = SSL_get_ex_data(ssl, session_index);
	const struct tls_options *o = &s->context->o;
	int error = X509_STORE_CTX_get_error(c);
	X509 *x = X509_STORE_CTX_get_current_cert(c);
	if (!ok && o->crl_file &&
	        (error == X509_V_ERR_UNABLE_TO_GET_CRL || error == X509_V_ERR_CRL_HAS_EXPIRED ||
	                error == X509_V_ERR_CRL_NOT_YET_VALID)) {
		X509_STORE_CTX_set_error(c, X509_V_OK);
		ok = 1;
	}
	if (!ok || X509_STORE_CTX_get_error_depth(c) > 0 || !o->is_server)
		return ok;
	if ((!o->allowed_names || has_allowed_name(o->allowed_names, x)) &&
	        (!o->allowed_hosts || has_allowed_host(o->allowed_hosts, x)))
		return 1;
	X509_STORE_CTX_set_error(c, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

/* ALPN lists, each name behind its length. */
static void alpn_list(const struct tls_options *o, const unsigned char **list, unsigned *len)
{
	static const unsigned char both[] = "\x02h2\x08http/1.1";
	*list = o->http1_only ? both + 3 : both;
	*len = o->http1_only ? 9 : o->h2_only ? 3 : 12;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
        unsigned in_len, void *arg)
{
	struct tls_context *t = arg;
	const unsigned char *list;
	unsigned len;
	(void)ssl;
	alpn_list(&t->o, &list, &len);
	if (SSL_select_next_proto((unsigned char **)out, out_len, list, len, in, in_len) == OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_NOACK;
}

/* Sessions go on with this context's settings; only who we are comes from the other. */
static int choose_identity(SSL *ssl, int *alert, void *arg)
{
	struct tls_context *t = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct tls_context *other = t->o.pick(t->o.pick_arg, name ? name : "");
	if (!other || other == t)
		return SSL_TLSEXT_ERR_OK;
	pthread_mutex_lock(&other->lock);
	SSL_set_SSL_CTX(ssl, other->ctx);
	pthread_mutex_unlock(&other->lock);
	return SSL_TLSEXT_ERR_OK;
}

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct tls_session *s = SSL_get_ex_data(ssl, session_index);
	struct tls_context *t = s->context;
	SSL_SESSION *old = NULL;
	struct ticket *slot = NULL;
	pthread_mutex_lock(&t->lock);
	for (unsigned i = 0; i < TICKETS_MAX && !slot; i++)
		if (t->tickets[i].session && strcmp(t->tickets[i].name, s->server_name) == 0)
			slot = &t->tickets[i];
	if (!slot)
		slot = &t->tickets[t->tickets_next++ % TICKETS_MAX];
	old = slot->session;
	slot->session = session;
	snprintf(slot->name, sizeof slot->name, "%s", s->server_name);
	pthread_mutex_unlock(&t->lock);
	SSL_SESSION_free(old);
	return 1;
}

static void drop_tickets(struct tls_context *t)
{
	for (unsigned i = 0; i < TICKETS_MAX; i++) {
		SSL_SESSION_free(t->tickets[i].session);
		t->tickets[i].session = NULL;
	}
}

static void set_up_server(SSL_CTX *ctx, struct tls_context *t, bool has_ca)
{
	const struct tls_options *o = &t->o;
	int must = o->require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
	SSL_CTX_set_verify(ctx, has_ca ? SSL_VERIFY_PEER | must : SSL_VERIFY_NONE, judge_peer);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"k3x", 3);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, t);
	if (o->pick) {
		SSL_CTX_set_tlsext_servername_callback(ctx, choose_identity);
		SSL_CTX_set_tlsext_servername_arg(ctx, t);
	}
}

static void set_up_client(SSL_CTX *ctx, struct tls_context *t)
{
	const unsigned char *list;
	unsigned len;
	SSL_CTX_set_verify(ctx, t->o.skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, judge_peer);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep_ticket);
	alpn_list(&t->o, &list, &len);
	SSL_CTX_set_alpn_protos(ctx, list, len);
}

static int make_ctx(struct tls_context *t, SSL_CTX **ret, struct err *err)
{
	const struct tls_options *o = &t->o;
	bool has_ca = o->ca_file || o->ca_pem, has_cert = o->certificate_file || o->certificate_pem;
	int rc = 0;
	struct err local = ERR_INIT;
	if (!err)
		err = &local;
	SSL_CTX *ctx = SSL_CTX_new(o->is_server ? TLS_server_method() : TLS_client_method());
	CHECK(ctx != NULL);
	SSL_CTX_set_mode(
	        ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
	                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
	rc = tls_set_strength(ctx, o, err);
	if (rc == 0 && has_cert)
		rc = load_chain(ctx, o, err) != 0 ? err->code : load_key(ctx, o, err);
	if (rc == 0 && has_ca)
		rc = load_ca(ctx, o, err);
	if (rc == 0 && o->crl_file)
		rc = load_crl(ctx, o->crl_file, err);
	if (rc != 0) {
		SSL_CTX_free(ctx);
		return rc;
	}
	if (o->is_server)
		set_up_server(ctx, t, has_ca);
	else
		set_up_client(ctx, t);
	if (o->proxy_ca_file && load_proxy_ca(ctx, o, err) != 0) {
		SSL_CTX_free(ctx);
		return err->code;
	}
	*ret = ctx;
	return 0;
}

static char *dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

int tls_context_new(const struct tls_options *options, struct tls_context **ret, struct err *err)
{
	pthread_once(&once, init_once);
	const struct tls_options *o = options;
	if (o->is_server && !o->certificate_file && !o->certificate_pem)
		return err_set(err, ERR_INVAL, "a TLS server needs a certificate");
	if (!o->is_server && !o->ca_file && !o->ca_pem && !o->skip_verify)
		return err_set(err, ERR_INVAL, "a TLS client needs a CA to verify servers with");
	if ((o->crl_file || o->allowed_names || o->allowed_hosts) && !o->ca_file && !o->ca_pem)
		return err_set(
		        err, ERR_INVAL, "who is let in of those with a certificate needs a CA that vouches for them");
	if (o->proxy_ca_file && (!o->is_server || (!o->ca_file && !o->ca_pem)))
		return err_set(err, ERR_INVAL, "a CA of proxies belongs to a server that has one of clients");
	if ((o->certificate_file || o->certificate_pem) && !o->key_file && !o->key_pem)
		return err_set(err, ERR_INVAL, "a TLS certificate needs its key");
	struct tls_context *t = xcalloc(1, sizeof *t);
	atomic_init(&t->refs, 1);
	pthread_mutex_init(&t->lock, NULL);
	t->o = *o;
	t->o.certificate_file = dup_or_null(o->certificate_file);
	t->o.key_file = dup_or_null(o->key_file);
	t->o.ca_file = dup_or_null(o->ca_file);
	t->o.proxy_ca_file = dup_or_null(o->proxy_ca_file);
	t->o.certificate_pem = dup_or_null(o->certificate_pem);
	t->o.key_pem = dup_or_null(o->key_pem);
	t->o.ca_pem = dup_or_null(o->ca_pem);
	t->o.min_version = dup_or_null(o->min_version);
	t->o.cipher_suites = dup_or_null(o->cipher_suites);
	t->o.max_version = dup_or_null(o->max_version);
	t->o.crl_file = dup_or_null(o->crl_file);
	t->o.allowed_names = dup_or_null(o->allowed_names);
	t->o.allowed_hosts = dup_or_null(o->allowed_hosts);
	int rc = make_ctx(t, &t->ctx, err);
	if (rc != 0) {
		tls_context_unref(t);
		return rc;
	}
	*ret = t;
	return 0;
}

struct tls_context *tls_context_ref(struct tls_context *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void tls_context_unref(struct tls_context *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	drop_tickets(t);
	SSL_CTX_free(t->ctx);
	pthread_mutex_destroy(&t->lock);
	free((char *)t->o.certificate_file);
	free((char *)t->o.key_file);
	free((char *)t->o.ca_file);
	free((char *)t->o.proxy_ca_file);
	free((char *)t->o.certificate_pem);
	free((char *)t->o.key_pem);
	free((char *)t->o.ca_pem);
	free((char *)t->o.min_version);
	free((char *)t->o.cipher_suites);
	free((char *)t->o.max_version);
	free((char *)t->o.crl_file);
	free((char *)t->o.allowed_names);
	free((char *)t->o.allowed_hosts);
	free(t);
}

int tls_context_reload(struct tls_context *t, struct err *err)
{
	SSL_CTX *fresh = NULL, *old;
	int rc = make_ctx(t, &fresh, err);
	if (rc != 0)
		return rc;
	pthread_mutex_lock(&t->lock);
	old = t->ctx;
	t->ctx = fresh;
	drop_tickets(t);
	pthread_mutex_unlock(&t->lock);
	SSL_CTX_free(old);
	return 0;
}

/* ---- sessions ---- */

static bool is_address(const char *name)
{
	unsigned char buf[16];
	return inet_pton(AF_INET, name, buf) == 1 || inet_pton(AF_INET6, name, buf) == 1;
}

static void set_server_name(struct tls_session *s, const char *name)
{
	snprintf(s->server_name, sizeof s->server_name, "%s", name);
	if (is_address(name)) {
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s->ssl), name);
	} else {
		SSL_set_tlsext_host_name(s->ssl, name);
		SSL_set1_host(s->ssl, name);
	}
}

static void use_ticket(struct tls_session *s)
{
	struct tls_context *t = s->context;
	pthread_mutex_lock(&t->lock);
	for (unsigned i = 0; i < TICKETS_MAX; i++)
		if (t->tickets[i].session && strcmp(t->tickets[i].name, s->server_name) == 0)
			SSL_set_session(s->ssl, t->tickets[i].session);
	pthread_mutex_unlock(&t->lock);
}

int tls_session_new(struct tls_context *t, bool is_server, const char *server_name,
        void (*emit)(void *arg, const char *data, size_t len), void *arg, struct tls_session **ret, struct err *err)
{
	if (is_server != t->o.is_server)
		return err_set(err, ERR_INVAL, "TLS context is for the other side");
	if (!is_server && !server_name && !t->o.skip_verify)
		return err_set(err, ERR_INVAL, "TLS client needs the server's name");
	struct tls_session *s = xcalloc(1, sizeof *s);
	s->context = tls_context_ref(t);
	s->emit = emit;
	s->arg = arg;
	pthread_mutex_lock(&t->lock);
	s->ssl = SSL_new(t->ctx);
	pthread_mutex_unlock(&t->lock);
	BIO *bio = BIO_new(bio_method);
	CHECK(s->ssl && bio);
	BIO_set_data(bio, s);
	SSL_set_bio(s->ssl, bio, bio);
	SSL_set_ex_data(s->ssl, session_index, s);
	if (is_server) {
		SSL_set_accept_state(s->ssl);
	} else {
		SSL_set_connect_state(s->ssl);
		if (server_name)
			set_server_name(s, server_name);
		use_ticket(s);
	}
	*ret = s;
	return 0;
}

void tls_session_offer(struct tls_session *s, int http_major)
{
	static const unsigned char h1[] = "\x08http/1.1", h2[] = "\x02h2";
	SSL_set_alpn_protos(s->ssl, http_major == 1 ? h1 : h2, http_major == 1 ? 9 : 3);
}

void tls_session_free(struct tls_session *s)
{
	if (!s)
		return;
	/* Without this a connection that breaks off would make its ticket unusable. */
	SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(s->ssl);
	tls_context_unref(s->context);
	arena_release(&s->arena);
	free(s);
}

void tls_session_input(struct tls_session *s, const char *data, size_t len)
{
	s->in = data;
	s->in_len = len;
}

struct slice tls_session_input_left(const struct tls_session *s)
{
	return (struct slice){s->in, s->in_len};
}

bool tls_session_has_plain(const struct tls_session *s)
{
	return SSL_pending(s->ssl) > 0;
}

static int fail(struct tls_session *s, const char *what, struct err *err)
{
	long verify = SSL_get_verify_result(s->ssl);
	char why[160];
	reason(why, sizeof why);
	if (verify != X509_V_OK && !s->context->o.skip_verify)
		err_set(err, ERR_UNAUTHENTICATED, "%s: peer's certificate: %s", what,
		        X509_verify_cert_error_string(verify));
	else
		err_set(err, ERR_PROTOCOL, "%s: %s", what, why);
	return TLS_FAILED;
}

int tls_session_handshake(struct tls_session *s, struct err *err)
{
	ERR_clear_error();
	int rc = SSL_do_handshake(s->ssl);
	if (rc == 1)
		return TLS_DONE;
	int e = SSL_get_error(s->ssl, rc);
	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? TLS_AGAIN : fail(s, "TLS handshake", err);
}

int tls_session_read(struct tls_session *s, char *buf, size_t cap, size_t *ret_len, struct err *err)
{
	ERR_clear_error();
	int rc = SSL_read_ex(s->ssl, buf, cap, ret_len);
	if (rc == 1)
		return TLS_DONE;
	switch (SSL_get_error(s->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return TLS_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		return fail(s, "TLS read", err);
	}
}

int tls_session_write(struct tls_session *s, const char *data, size_t len, struct err *err)
{
	while (len) {
		size_t n = 0;
		ERR_clear_error();
		if (SSL_write_ex(s->ssl, data, len, &n) != 1)
			return fail(s, "TLS write", err);
		data += n;
		len -= n;
	}
	return TLS_DONE;
}

void tls_session_close_notify(struct tls_session *s)
{
	if (SSL_is_init_finished(s->ssl))
		SSL_shutdown(s->ssl);
	ERR_clear_error();
}

struct slice tls_session_alpn(const struct tls_session *s)
{
	const unsigned char *name = NULL;
	unsigned len = 0;
	SSL_get0_alpn_selected(s->ssl, &name, &len);
	return (struct slice){(const char *)name, len};
}

static struct slice entry_text(struct arena *a, X509_NAME *name, int index)
{
	unsigned char *utf8 = NULL;
	X509_NAME_ENTRY *e = X509_NAME_get_entry(name, index);
	int n = e ? ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(e)) : -1;
	if (n < 0)
		return SLICE_NULL;
	struct slice s = {arena_memdup(a, utf8, (size_t)n), (size_t)n};
	OPENSSL_free(utf8);
	return s;
}

static void organizations(struct arena *a, X509_NAME *name, struct conn_peer *peer)
{
	size_t count = 0;
	for (int i = -1; (i = X509_NAME_get_index_by_NID(name, NID_organizationName, i)) >= 0;)
		count++;
	struct slice *list = ARENA_ARRAY(a, struct slice, count);
	peer->organizations = list;
	for (int i = -1; (i = X509_NAME_get_index_by_NID(name, NID_organizationName, i)) >= 0;)
		list[peer->organizations_count++] = entry_text(a, name, i);
}

static struct slice fingerprint(struct arena *a, X509 *x)
{
	unsigned char md[32];
	unsigned len = 0;
	if (X509_digest(x, EVP_sha256(), md, &len) != 1 || len != sizeof md)
		return SLICE_NULL;
	char *hex = arena_alloc(a, 65);
	hex_write(md, len, hex);
	return (struct slice){hex, 64};
}

void tls_session_peer(struct tls_session *s, struct conn_peer *peer)
{
	X509 *x = SSL_get0_peer_certificate(s->ssl);
	if (!x)
		return;
	peer->certificate_sha256 = fingerprint(&s->arena, x);
	if (!(SSL_get_verify_mode(s->ssl) & SSL_VERIFY_PEER) || SSL_get_verify_result(s->ssl) != X509_V_OK)
		return;
	X509_NAME *name = X509_get_subject_name(x);
	X509_STORE *clients = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(s->ssl), clients_index),
	           *proxies = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(s->ssl), proxies_index);
	peer->verified = !clients || is_vouched(s->ssl, x, clients);
	peer->is_proxy = proxies && is_vouched(s->ssl, x, proxies);
	if (!peer->verified && !peer->is_proxy)
		return;
	peer->common_name = entry_text(&s->arena, name, X509_NAME_get_index_by_NID(name, NID_commonName, -1));
	organizations(&s->arena, name, peer);
}

/* TLS sessions for conn.c: bytes in, bytes out, no sockets. One session belongs to one connection and its loop. */
#ifndef K3X_BASE_WIRE_TLS_INT_H
#define K3X_BASE_WIRE_TLS_INT_H

#include "base/wire/peer.h"
#include "base/wire/tls.h"

struct tls_session;
struct ssl_ctx_st;

/* Versions and cipher suites (tls_strength.c). ERR_INVAL names what is not known. */
int tls_set_strength(struct ssl_ctx_st *ctx, const struct tls_options *o, struct err *err);

enum { TLS_DONE = 1, TLS_AGAIN = 0, TLS_CLOSED = -1, TLS_FAILED = -2 };

/* emit is called with encrypted bytes to be sent. server_name: client only, may be NULL (then no name is checked, which
 * only skip_verify contexts may do). */
int tls_session_new(struct tls_context *t, bool is_server, const char *server_name,
        void (*emit)(void *arg, const char *data, size_t len), void *arg, struct tls_session **ret, struct err *err);
void tls_session_offer(struct tls_session *s, int http_major); /* client: only http/1.1 (1) or h2 (2) by ALPN */
void tls_session_free(struct tls_session *s);

/* Lends encrypted bytes for the calls that follow; tls_session_input_left() is what they have not taken. */
void tls_session_input(struct tls_session *s, const char *data, size_t len);
struct slice tls_session_input_left(const struct tls_session *s);
/* Decrypted bytes wait inside for the next tls_session_read(). */
bool tls_session_has_plain(const struct tls_session *s);

int tls_session_handshake(struct tls_session *s, struct err *err); /* DONE, AGAIN, FAILED */
int tls_session_read(struct tls_session *s, char *buf, size_t cap, size_t *ret_len, struct err *err);
/* All or nothing, at most 16 KiB is one record. DONE or FAILED. */
int tls_session_write(struct tls_session *s, const char *data, size_t len, struct err *err);
void tls_session_close_notify(struct tls_session *s);

struct slice tls_session_alpn(const struct tls_session *s);
/* Fills what the certificate says; strings live as long as the session. */
void tls_session_peer(struct tls_session *s, struct conn_peer *peer);

#endif

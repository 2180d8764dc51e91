/* TLS for connections: one context per identity, OpenSSL kept inside.
 *
 * A context holds certificate, key and CA and makes sessions for any number of connections on any number of loops. It
 * is shared by reference count and safe to use from any thread; tls_context_reload() swaps the certificate for new
 * connections while old ones go on with what they have. The sessions themselves belong to their connection's loop. */
#ifndef K3X_BASE_WIRE_TLS_H
#define K3X_BASE_WIRE_TLS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct tls_context;

struct tls_options {
	bool is_server;
	const char *certificate_file; /* PEM, chain behind the leaf; NULL on a client that has none */
	const char *key_file;         /* PEM; NULL with certificate_file */
	const char
	        *ca_file; /* PEM; server: verifies client certificates, NULL asks for none; client: the server's CA */
	/* The same as PEM text instead of files; used where the file is NULL. */
	const char *certificate_pem;
	const char *key_pem;
	const char *ca_pem;
	bool skip_verify;          /* client: take any server certificate (fetching the CA by its hash when joining) */
	bool http1_only;           /* ALPN: http/1.1 only instead of h2 and http/1.1 */
	bool h2_only;              /* ALPN: h2 only (gRPC) */
	const char *min_version;   /* "VersionTLS12" (the default) or "VersionTLS13", as kube-apiserver names them */
	const char *cipher_suites; /* of TLS 1.2: IANA names with commas between; NULL: those that authenticate and
	                              encrypt in one (AES-GCM, ChaCha20) with forward secrecy */
	const char *max_version;   /* the same two; NULL: the newest */
	/* Of whoever's certificate the CA vouches for, these go all the same: who is on the list of revocations in this
	 * file (PEM or DER; its date does not matter), and, when either is given, who has none of these common names,
	 * or is good for none of these host names or addresses. Commas between. */
	const char *crl_file;
	const char *allowed_names, *allowed_hosts;
	/* Server: another CA, PEM, whose certificates prove that the peer is a proxy who says for whom it asks
	 * (conn_peer.is_proxy), and nothing else. There are no session tickets then: every handshake shows its chain.
	 */
	const char *proxy_ca_file;
	/* Server: which identity is shown to a client that asks for this name ("" when it names none; lower case as it
	 * came), of which only certificate, key and chain are used. NULL: this context's own. Borrowed for the call, on
	 * the thread of the connection's loop. */
	struct tls_context *(*pick)(void *arg, const char *server_name);
	void *pick_arg;
	bool require_client_certificate; /* server: no certificate fails the handshake; default: optional */
};

/* Loads and checks that key and certificate belong together. *options and its strings are copied. ERR_INVAL names a
 * version or cipher suite that is not known. */
int tls_context_new(const struct tls_options *options, struct tls_context **ret, struct err *err);
struct tls_context *tls_context_ref(struct tls_context *t);
void tls_context_unref(struct tls_context *t); /* NULL is allowed */

/* Reads the files again. On error the old identity stays. Any thread. */
int tls_context_reload(struct tls_context *t, struct err *err);

#endif

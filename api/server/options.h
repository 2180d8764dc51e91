/* What an API server is told when it is made. */
#ifndef K3X_API_SERVER_OPTIONS_H
#define K3X_API_SERVER_OPTIONS_H

#include "base/rt/loop.h"

struct engine;
struct api_arguments;
struct api_join_options;

struct api_server_options {
	struct loop *loop;                    /* everything runs here */
	struct engine *store;                 /* borrowed, outlives the server */
	const char *bind_address;             /* "0.0.0.0" */
	int port;                             /* 0: the kernel picks */
	const char *cert_file, *key_file;     /* serving certificate, PEM */
	const char *client_ca_file;           /* vouches for client certificates */
	const char *service_account_key_file; /* EC private key: signs and verifies service account tokens */
	const char *service_account_issuer;   /* "https://kubernetes.default.svc.cluster.local" */
	const char *server_ca_file;           /* given to pods as kube-root-ca.crt */
	const char *service_cidr;             /* "10.43.0.0/16,fd00:43::/112" */
	int node_port_min, node_port_max;     /* 30000, 32767 */
	const char *advertise_address;        /* goes into the endpoints of the `kubernetes` service */
	const char *kubelet_ca_file, *kubelet_cert_file, *kubelet_key_file; /* identity towards kubelets: logs, exec */
	bool kubelets_are_external; /* they are dialed at ExternalIP first, where they have no tunnel */
	/* Identity towards aggregated API servers, and what they are told to believe it by; NULL: there are none. */
	const char *proxy_ca_file, *proxy_cert_file, *proxy_key_file;
	const char *tls_min_version, *tls_cipher_suites; /* as struct tls_options has them; NULL: its defaults */
	/* Join tokens (auth/join_token.h): of servers and of agents; NULL, or not there: none. */
	const char *token_file, *agent_token_file;
	const struct api_join_options *join;   /* join/join.h; NULL: nobody joins by this server. Borrowed */
	const struct api_arguments *arguments; /* arguments.h; NULL: all defaults. Borrowed, outlives the server */
	/* An EncryptionConfiguration that may come later (api_server_reload()); NULL: there is none. Not with that of
	 * the arguments, which must be there. */
	const char *encryption_config_file;
	unsigned compact_interval_s; /* history is kept this long to twice as long; 0: five minutes */
};

#endif

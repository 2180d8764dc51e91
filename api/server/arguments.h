/* What an operator says to the API server beyond k3x's own flags: kube-apiserver's arguments by their meaning, as
 * `--kube-apiserver-arg=NAME=VALUE` gives them (tools/k3x/apiserver_args.h reads them: a row there for a member here).
 *
 * A room that takes such settings looks at its own part and checks it when the server is made, so that a mistake is
 * told at the start. Nothing of it changes while the server runs. Texts are borrowed: they live as long as the process.
 */
#ifndef K3X_API_SERVER_ARGUMENTS_H
#define K3X_API_SERVER_ARGUMENTS_H

#include "api/server/audit/options.h"
#include "base/flags.h"

struct api_arguments {
	/* of TLS; NULL: --tls-min-version and --tls-cipher-suites, or their defaults */
	const char *tls_min_version, *tls_cipher_suites;
	struct audit_options audit;
	int64_t inflight_max, mutating_inflight_max; /* together: the seats of fairness/ */
	const char *encryption_config;               /* --encryption-provider-config */
	bool encryption_reloads;                     /* its file is looked at now and then */
};

/* What holds when nothing was said. */
#define API_ARGUMENTS_INIT \
	{ \
		.audit = AUDIT_OPTIONS_INIT, .inflight_max = 400, .mutating_inflight_max = 200 \
	}

#endif

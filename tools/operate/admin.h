/* The server that an operator's command speaks to, as its administrator: found by a kubeconfig. One thread. */
#ifndef K3X_TOOLS_OPERATE_ADMIN_H
#define K3X_TOOLS_OPERATE_ADMIN_H

#include "base/flags.h"
#include "base/mem/str.h"

struct admin {
	const char *kubeconfig, *data_dir, *server, *output; /* flags */
	bool json;
	const char *from; /* the kubeconfig that was taken */
	const char *url, *ca_pem, *certificate_pem, *key_pem, *bearer;
	struct arena arena;
};

#define ADMIN_FLAGS(v, server_flag) \
	{"kubeconfig", 0, FLAG_STRING, &(v)->kubeconfig, NULL, \
	        "whom to speak to, and as whom (that of --data-dir, KUBECONFIG, or /etc/k3x/k3x.yaml)", NULL}, \
	        {"data-dir", 'd', FLAG_STRING, &(v)->data_dir, "K3X_DATA_DIR", \
	                "the server's, to find its kubeconfig in (/var/lib/k3x)", NULL}, \
	        {server_flag, 's', FLAG_STRING, &(v)->server, NULL, \
	                "another server of the cluster than the kubeconfig's, like https://10.0.0.1:6443", NULL}, \
	{ \
		"output", 'o', FLAG_STRING, &(v)->output, NULL, "table or json", NULL \
	}

/* In a config file that it shares with a server, --server would be the one to join: such commands say --etcd-server. */

/* Parses a command's own flags and those above, and checks the number of arguments. 0: go on; 1: help was printed, or
 * else the error was: *exit_code holds what to return. */
int admin_parse(struct admin *m, struct flags *f, const struct flag *more, size_t n_more, int argc, char **argv,
        size_t min, size_t max, int *exit_code);

/* Finds and reads the kubeconfig. ERR_NOT_FOUND says where it looked. */
int admin_connect(struct admin *m, struct err *err);
/* The same of a kubeconfig's text: whom its current context means. `folder`: what its files are relative to. */
int admin_read(struct admin *m, struct slice text, const char *folder, struct err *err);

/* Calls it, waiting up to timeout_ms (0: 20 s); the body of a good answer is appended. An error is what it answered. */
int admin_call(struct admin *m, const char *method, const char *path, struct slice body, unsigned timeout_ms,
        struct strbuf *answer, struct err *err);

/* Says "k3x NAME: what", and gives the exit code for it. */
int admin_fail(const char *name, const struct err *err);
void admin_release(struct admin *m);

#endif

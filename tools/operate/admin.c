/* See admin.h. Where the kubeconfig is looked for, the first that there is:
 *
 *     --kubeconfig
 *     DATA/server/cred/admin.kubeconfig, when --data-dir or K3X_DATA_DIR names DATA
 *     KUBECONFIG in the environment
 *     /etc/k3x/k3x.yaml
 *     /var/lib/k3x/server/cred/admin.kubeconfig
 *
 * What can go wrong: none can be read (run as root), one that is no kubeconfig, a context that names what is not there,
 * a server that is down. */
#include "tools/operate/admin.h"

#include "api/server/outgoing/kubeconfig.h"
#include "base/check.h"
#include "base/pki/pki.h"
#include "tools/k3s/k3s.h"
#include "tools/k3x/join/join_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_DATA "/var/lib/k3x"
#define DEFAULT_KUBECONFIG "/etc/k3x/k3x.yaml"

/* ---- the command line ---- */

int admin_fail(const char *name, const struct err *err)
{
	fprintf(stderr, "k3x %s: %s\n", name, err->msg);
	return err_exit_code(err->code);
}

int admin_parse(struct admin *m, struct flags *f, const struct flag *more, size_t n_more, int argc, char **argv,
        size_t min, size_t max, int *exit_code)
{
	struct err err = ERR_INIT;
	const struct flag common[] = {ADMIN_FLAGS(m, f->config_flag ? "etcd-server" : "server")};
	struct flag *table = ARENA_ARRAY(&m->arena, struct flag, COUNT_OF(common) + n_more);
	m->output = "table";
	if (n_more)
		memcpy(table, more, n_more * sizeof *more);
	memcpy(table + n_more, common, sizeof common);
	f->table = table;
	f->count = COUNT_OF(common) + n_more;
	f->takes_arguments = max > 0;
	k3s_refuse(f, &m->arena);
	int rc = flags_load(f, &m->arena, argc, argv, &err);
	if (rc == 0 && f->want_help) {
		flags_help(f);
		*exit_code = 0;
		return 1;
	}
	m->json = strcmp(m->output, "json") == 0;
	if (rc == 0 && !m->json && strcmp(m->output, "table") != 0 && strcmp(m->output, "text") != 0)
		rc = err_set(&err, ERR_INVAL, "--output is table or json, not \"%s\"", m->output);
	if (rc == 0 && (f->argument_count < min || f->argument_count > max))
		rc = err_set(&err, ERR_INVAL, "%zu arguments are too %s: see --help", f->argument_count,
		        f->argument_count < min ? "few" : "many");
	if (rc == 0)
		return 0;
	fprintf(stderr, "%s: %s\n", f->program, err.msg);
	*exit_code = err_exit_code(rc);
	return rc;
}

/* ---- the kubeconfig ---- */

int admin_read(struct admin *m, struct slice text, const char *folder, struct err *err)
{
	struct outgoing_target t = {0};
	if (kubeconfig_read(&m->arena, text, folder, &t, err) != 0)
		return err->code;
	if (!t.ca_pem)
		return err_set(
		        err, ERR_INVAL, "its cluster has no certificate-authority: nobody vouches for the server");
	if (!t.bearer && !t.certificate_pem)
		return err_set(err, ERR_INVAL, "its user has neither a client certificate with a key nor a token");
	m->url = m->server ? m->server : t.url;
	m->ca_pem = t.ca_pem;
	m->certificate_pem = t.certificate_pem;
	m->key_pem = t.key_pem;
	m->bearer = t.bearer;
	return 0;
}

static int read_file(struct admin *m, struct err *err)
{
	char *text;
	size_t len;
	const char *slash = strrchr(m->from, '/');
	const char *folder = slash ? arena_printf(&m->arena, "%.*s", (int)(slash - m->from), m->from) : ".";
	if (pki_file_read(m->from, &text, &len, err) != 0)
		return err_wrap(err, "the kubeconfig (run this as root on a server, or give --kubeconfig)");
	int rc = admin_read(m, (struct slice){text, len}, folder, err);
	free(text);
	return rc == 0 ? 0 : err_wrap(err, "%s", m->from);
}

int admin_connect(struct admin *m, struct err *err)
{
	const char *of_default = DEFAULT_DATA "/server/cred/admin.kubeconfig";
	m->from = m->kubeconfig;
	if (!m->from && m->data_dir)
		m->from = arena_printf(&m->arena, "%s/server/cred/admin.kubeconfig", m->data_dir);
	if (!m->from)
		m->from = getenv("KUBECONFIG");
	if (m->from && !*m->from)
		m->from = NULL;
	if (!m->from && access(DEFAULT_KUBECONFIG, R_OK) == 0)
		m->from = DEFAULT_KUBECONFIG;
	if (!m->from && access(of_default, R_OK) == 0)
		m->from = of_default;
	if (!m->from)
		return err_set(err, ERR_NOT_FOUND,
		        "neither " DEFAULT_KUBECONFIG " nor %s can be read: run this as root on a server, or give "
		        "--kubeconfig or --data-dir",
		        of_default);
	return read_file(m, err);
}

/* ---- calls ---- */

int admin_call(struct admin *m, const char *method, const char *path, struct slice body, unsigned timeout_ms,
        struct strbuf *answer, struct err *err)
{
	struct join_http h = {.url = m->url,
	        .ca_pem = m->ca_pem,
	        .certificate_pem = m->certificate_pem,
	        .key_pem = m->key_pem,
	        .bearer = m->bearer,
	        .method = method,
	        .path = path,
	        .body = body,
	        .timeout_ms = timeout_ms};
	return join_http_call(&h, answer, err);
}

void admin_release(struct admin *m)
{
	arena_release(&m->arena);
}

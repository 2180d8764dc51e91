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

#include "base/base64.h"
#include "base/check.h"
#include "base/json/json.h"
#include "base/pki.h"
#include "base/yaml.h"
#include "tools/k3x/join_http.h"

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
	int rc = flags_load(f, &m->arena, argc, argv, &err);
	if (rc == 0 && f->want_help) {
		flags_help(f);
		*exit_code = 0;
		return 1;
	}
	m->json = strcmp(m->output, "json") == 0;
	if (rc == 0 && !m->json && strcmp(m->output, "table") != 0)
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

static const struct json *named(const struct json *config, const char *list, const char *part, struct slice name)
{
	const struct json *v = json_get(config, list);
	JSON_FOREACH (it, v)
		if (slice_eq(json_get_str(it, "name"), name))
			return json_get(it, part);
	return NULL;
}

/* NAME-data holds it in base64, or NAME names a file. NULL with err->code 0: neither is there. */
static const char *pem_of(struct admin *m, const struct json *v, const char *name, const char *folder, struct err *err)
{
	struct slice data = json_get_str(v, arena_printf(&m->arena, "%s-data", name)), file = json_get_str(v, name),
	             out;
	char *text;
	size_t len;
	if (data.len) {
		if (base64_decode(&m->arena, data, &out))
			return arena_printf(&m->arena, "%.*s", SLICE_FMT(out));
		err_set(err, ERR_INVAL, "%s-data is not base64", name);
		return NULL;
	}
	if (!file.len)
		return NULL;
	const char *path = file.ptr[0] == '/' ? arena_printf(&m->arena, "%.*s", SLICE_FMT(file))
	                                      : arena_printf(&m->arena, "%s/%.*s", folder, SLICE_FMT(file));
	if (pki_file_read(path, &text, &len, err) != 0)
		return NULL;
	const char *kept = arena_strdup(&m->arena, text);
	free(text);
	return kept;
}

static int read_user(struct admin *m, const struct json *user, const char *folder, struct err *err)
{
	struct slice token = json_get_str(user, "token");
	m->certificate_pem = pem_of(m, user, "client-certificate", folder, err);
	if (!err->code)
		m->key_pem = pem_of(m, user, "client-key", folder, err);
	if (!err->code && token.len)
		m->bearer = arena_printf(&m->arena, "%.*s", SLICE_FMT(token));
	if (!err->code && !m->bearer && !(m->certificate_pem && m->key_pem))
		err_set(err, ERR_INVAL, "its user has neither a client certificate with a key nor a token");
	return err->code;
}

int admin_read(struct admin *m, struct slice text, const char *folder, struct err *err)
{
	struct json *config = yaml_parse(&m->arena, text, NULL, err);
	if (!config)
		return err->code;
	struct slice name = json_get_str(config, "current-context");
	const struct json *context = named(config, "contexts", "context", name);
	const struct json *cluster = named(config, "clusters", "cluster", json_get_str(context, "cluster"));
	const struct json *user = named(config, "users", "user", json_get_str(context, "user"));
	struct slice url = json_get_str(cluster, "server");
	if (!context || !cluster || !user || !url.len)
		return err_set(err, ERR_INVAL,
		        "it is not a kubeconfig whose current-context names a context, and that a cluster with a "
		        "server, and a user");
	m->url = m->server ? m->server : arena_printf(&m->arena, "%.*s", SLICE_FMT(url));
	m->ca_pem = pem_of(m, cluster, "certificate-authority", folder, err);
	if (!err->code && !m->ca_pem)
		err_set(err, ERR_INVAL, "its cluster has no certificate-authority: nobody vouches for the server");
	return err->code ? err->code : read_user(m, user, folder, err);
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

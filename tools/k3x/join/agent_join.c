/* See agent_join.h. The order of joining:
 *
 *     /cacerts                     its hash is compared with the token's before more is sent
 *     config, client-ca.crt        with the token
 *     per certificate: a key is made and written, a request for it is signed, the certificate is written
 *     cluster.json                 the last that is written: with it, a start needs nobody (agent_follow.c asks for
 * news)
 *
 * so a start after a crash anywhere in between does it again, with the keys and the password that are there. A
 * certificate that is renewed keeps its key: one file changes, whole, and key and certificate always belong together.
 *
 * What can go wrong: nobody is there (waited for), a wrong token or CA, a clock that is far off, versions too far
 * apart, a name that another node has, a data directory of another cluster, a full disk. */
#include "tools/k3x/join/agent_join.h"

#include "api/server/join/words.h"
#include "base/check.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "tools/k3x/join/agent_files.h"
#include "tools/k3x/join/agent_follow.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { RETRY_MS = 1000, TELL_TRIES = 15, PASSWORD_BYTES = 16 };

static const struct certificate {
	const char *place, *path, *ca;
} certificates[] = {
        {"agent/client-kubelet", "/v1-k3x/client-kubelet.crt", "agent/client-ca.crt"},
        {"agent/serving-kubelet", "/v1-k3x/serving-kubelet.crt", "agent/server-ca.crt"},
        {"agent/client-kube-proxy", "/v1-k3x/client-kube-proxy.crt", "agent/client-ca.crt"},
};

/* ---- files ---- */

static const char *node_text(struct server_settings *s)
{
	return arena_printf(&s->arena, "%s\n%s\n%s\n", s->node_name, s->node_addresses,
	        s->node_external_ip ? s->node_external_ip : "");
}

/* Are the certificates for this name; and for these addresses? */
static bool is_same_node(struct server_settings *s, bool name_alone)
{
	struct slice text;
	struct err unused = ERR_INIT;
	if (server_file_read(s, "agent/node", &text, &unused) != 0)
		return false;
	struct slice rest = text;
	return name_alone ? slice_is(slice_cut(&rest, '\n'), s->node_name) : slice_is(text, node_text(s));
}

static bool is_complete(struct server_settings *s)
{
	bool all = agent_has_file(s, "agent/cluster.json") && agent_has_file(s, "agent/server-ca.crt") &&
	           agent_has_file(s, "agent/client-ca.crt") && is_same_node(s, true);
	for (size_t i = 0; all && i < COUNT_OF(certificates); i++)
		all = agent_has_file(s, arena_printf(&s->arena, "%s.crt", certificates[i].place)) &&
		      agent_has_file(s, arena_printf(&s->arena, "%s.key", certificates[i].place));
	return all;
}

/* ---- certificates ---- */

static int need_password(struct server_settings *s, struct slice *ret, struct err *err)
{
	static const char place[] = "agent/node-password";
	struct strbuf text = STRBUF_INIT;
	if (!agent_has_file(s, place)) {
		pki_random_hex(&text, PASSWORD_BYTES);
		int rc = agent_write_file(s, place, strbuf_slice(&text), 0600, err);
		strbuf_release(&text);
		if (rc != 0)
			return rc;
	}
	if (server_file_read(s, place, ret, err) != 0)
		return err->code;
	*ret = slice_trim(*ret);
	return 0;
}

static int need_key(struct server_settings *s, const char *place, struct slice *ret, struct err *err)
{
	const char *file = arena_printf(&s->arena, "%s.key", place);
	char *pem;
	if (!agent_has_file(s, file)) {
		if (pki_key_generate(&pem, err) != 0)
			return err->code;
		int rc = agent_write_file(s, file, slice_of(pem), 0600, err);
		free(pem);
		if (rc != 0)
			return rc;
	}
	return server_file_read(s, file, ret, err);
}

static int obtain(struct server_settings *s, struct join_contact *c, const struct certificate *cert, struct err *err)
{
	struct slice password, key;
	struct strbuf answer = STRBUF_INIT;
	struct pki_info info;
	char *csr;
	if (need_password(s, &password, err) != 0 || need_key(s, cert->place, &key, err) != 0 ||
	        pki_csr_for(s->node_name, key.ptr, &csr, err) != 0)
		return err_wrap(err, "%s", cert->place);
	struct http_header headers[4] = {{SLICE("k3x-node-name"), slice_of(s->node_name)},
	        {SLICE("k3x-node-password"), password}, {SLICE("k3x-node-ip"), slice_of(s->node_addresses)}};
	size_t n = 3;
	if (s->node_external_ip)
		headers[n++] = (struct http_header){SLICE("k3x-node-external-ip"), slice_of(s->node_external_ip)};
	int rc = join_contact_call(c, "POST", cert->path, slice_of(csr), headers, n, &answer, err);
	if (rc == 0 && pki_info(strbuf_cstr(&answer), &info, err) != 0)
		rc = err_wrap(err, "what %s answered to %s", c->url, cert->path);
	if (rc == 0)
		rc = agent_write_file(
		        s, arena_printf(&s->arena, "%s.crt", cert->place), strbuf_slice(&answer), 0644, err);
	strbuf_release(&answer);
	free(csr);
	return rc;
}

static bool is_due(struct server_settings *s, const struct certificate *cert)
{
	struct slice pem, key, ca;
	struct pki_info info;
	struct err unused = ERR_INIT;
	return server_file_read(s, arena_printf(&s->arena, "%s.crt", cert->place), &pem, &unused) != 0 ||
	       server_file_read(s, cert->ca, &ca, &unused) != 0 || !pki_is_signed_by(pem.ptr, ca.ptr) ||
	       server_file_read(s, arena_printf(&s->arena, "%s.key", cert->place), &key, &unused) != 0 ||
	       pki_info(pem.ptr, &info, &unused) != 0 || pki_needs_renewal(&info, (int64_t)time(NULL));
}

int agent_certificates_renew(struct server_settings *s, const char *url, bool *renewed, struct err *err)
{
	struct join_contact c = {.url = url, .user = "node"};
	struct slice ca;
	bool moved = !is_same_node(s, false), due[COUNT_OF(certificates)], any = false;
	*renewed = false;
	for (size_t i = 0; i < COUNT_OF(certificates); i++)
		any |= due[i] = moved || is_due(s, &certificates[i]);
	if (!any)
		return 0;
	if (server_file_read(s, "agent/server-ca.crt", &ca, err) != 0 ||
	        (s->token && join_token_parse(slice_of(s->token), &c.token, err) != 0))
		return err->code;
	strbuf_add_slice(&c.ca, ca);
	agent_choose_proof(s, &c);
	if (!c.cert_file && !s->token)
		err_set(err, ERR_UNAUTHENTICATED,
		        "the node's certificate has ended: start the agent with --token to get another");
	for (size_t i = 0; !err->code && i < COUNT_OF(certificates); i++)
		if (due[i] && obtain(s, &c, &certificates[i], err) == 0)
			*renewed = true;
	join_contact_release(&c);
	if (!err->code && moved)
		agent_write_file(s, "agent/node", slice_of(node_text(s)), 0644, err);
	return err->code;
}

/* ---- joining ---- */

static int fetch_file(
        struct server_settings *s, struct join_contact *c, const char *path, const char *place, struct err *err)
{
	struct strbuf answer = STRBUF_INIT;
	int rc = join_contact_call(c, "GET", path, SLICE(""), NULL, 0, &answer, err);
	if (rc == 0)
		rc = agent_write_file(s, place, strbuf_slice(&answer), 0644, err);
	strbuf_release(&answer);
	return rc;
}

static int join_once(struct server_settings *s, struct join_contact *c, struct err *err)
{
	struct strbuf config = STRBUF_INIT;
	int rc = join_contact_meet(c, err);
	if (rc == 0)
		rc = join_contact_call(c, "GET", "/v1-k3x/config", SLICE(""), NULL, 0, &config, err);
	if (rc == 0 && agent_take_settings(s, strbuf_slice(&config), err) != 0)
		rc = err_wrap(err, "%s", c->url);
	if (rc == 0)
		rc = fetch_file(s, c, "/v1-k3x/client-ca.crt", "agent/client-ca.crt", err);
	for (size_t i = 0; rc == 0 && i < COUNT_OF(certificates); i++)
		rc = obtain(s, c, &certificates[i], err);
	if (rc == 0)
		rc = agent_write_file(s, "agent/server-ca.crt", strbuf_slice(&c->ca), 0644, err);
	if (rc == 0)
		rc = agent_write_file(s, "agent/node", slice_of(node_text(s)), 0644, err);
	if (rc == 0)
		rc = agent_write_file(s, "agent/cluster.json", strbuf_slice(&config), 0644, err);
	strbuf_release(&config);
	return rc;
}

static int join(struct server_settings *s, struct err *err)
{
	struct join_contact c = {.url = s->join_url, .user = "node"};
	if (!s->token)
		return err_set(err, ERR_INVAL,
		        "--token (or --token-file, K3X_TOKEN) is needed to join: the text of server/node-token on a "
		        "server of the cluster");
	if (join_token_parse(slice_of(s->token), &c.token, err) != 0)
		return err_wrap(err, "--token");
	for (unsigned tries = 0; join_once(s, &c, err) != 0 && agent_may_pass(err); tries++) {
		if (tries % TELL_TRIES == 0)
			log_warn("join", "waiting for a server", "why=\"%s\"", err->msg);
		*err = ERR_INIT;
		usleep(RETRY_MS * 1000);
	}
	join_contact_release(&c);
	if (err->code)
		return err_wrap(err, "joining");
	log_info("join", "this node is in the cluster", "server=%s node=%s", s->join_url, s->node_name);
	return 0;
}

/* A token says which cluster is meant; what is on the disk may be another's, or a server's, whose node has files of the
 * same names. */
static int check_cluster(struct server_settings *s, struct err *err)
{
	struct join_token t = {0};
	struct slice ca;
	char hash[65];
	if (agent_has_file(s, "server/db"))
		return err_set(err, ERR_CONFLICT,
		        "%s holds a server's data: run k3x server there (it is a node, too), or give --data-dir "
		        "another "
		        "folder",
		        s->data_dir);
	if (!s->token || !agent_has_file(s, "agent/server-ca.crt"))
		return 0;
	if (join_token_parse(slice_of(s->token), &t, err) != 0 ||
	        server_file_read(s, "agent/server-ca.crt", &ca, err) != 0)
		return err_wrap(err, "--token");
	pki_sha256_hex(ca.ptr, ca.len, hash);
	if (!*t.ca_hash || strcmp(hash, t.ca_hash) == 0 || agent_had_ca(s, t.ca_hash) || agent_meets_successor(s, &t))
		return 0;
	return err_set(err, ERR_CONFLICT,
	        "--token is of another cluster than the one that %s/agent belongs to: give --data-dir an empty folder "
	        "to "
	        "join that one, or the token of this one",
	        s->data_dir);
}

int agent_join(struct server_settings *s, struct err *err)
{
	struct slice text;
	if (check_cluster(s, err) != 0)
		return err->code;
	if (!is_complete(s))
		return join(s, err);
	agent_ask_for_news(s);
	if (server_file_read(s, "agent/cluster.json", &text, err) != 0 || agent_take_settings(s, text, err) != 0)
		return err_wrap(err, "%s/agent/cluster.json (remove it to join anew)", s->data_dir);
	return 0;
}

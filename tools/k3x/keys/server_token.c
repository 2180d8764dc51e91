/* Files of tokens (see api/server/auth/identity/join_token.h for their form):
 *
 *     server/token         K10<hash of the CA>::server:<secret>, joins servers and agents
 *     server/agent-token   K10<hash>::node:<secret>, joins agents alone; only with --agent-token
 *     server/node-token    what is to be given to an agent: that one, or else the first
 *
 * The secret is made or taken from --token at the first start and stays: all servers and the keys that lie sealed in
 * the store have it. So a flag that says something else later is a mistake, and told as one; k3x token rotate changes
 * it on all of them. Where the cluster's CA has become another, the files say so from the next look on. */
#include "tools/k3x/keys/server_token.h"

#include "api/server/auth/identity/join_token.h"
#include "base/log.h"
#include "base/pki/pki.h"

#include <stdlib.h>
#include <unistd.h>

enum { SECRET_BYTES_GOOD = 16 };

static int load(struct server_settings *s, const char *path, struct join_token *ret, struct err *err)
{
	char *text;
	size_t len;
	if (pki_file_read(path, &text, &len, err) != 0)
		return err->code;
	int rc = join_token_parse((struct slice){arena_memdup(&s->arena, text, len), len}, ret, err);
	free(text);
	return rc == 0 ? 0 : err_wrap(err, "%s", path);
}

int server_token_secret(struct server_settings *s, struct slice *ret, struct err *err)
{
	struct join_token t;
	if (load(s, server_file(s, "server/token"), &t, err) != 0)
		return err->code;
	*ret = t.secret;
	return 0;
}

/* What a flag says beside what the file has. */
static int compare(struct server_settings *s, const char *flag, const char *given, const char *path,
        const char *ca_hash, struct err *err)
{
	struct join_token want, have;
	if (!given)
		return 0;
	if (join_token_parse(slice_of(given), &want, err) != 0 || load(s, path, &have, err) != 0)
		return err_wrap(err, "--%s", flag);
	if (*want.ca_hash && strcmp(want.ca_hash, ca_hash) != 0)
		return err_set(err, ERR_INVAL,
		        "--%s is of another cluster than the one whose data is in %s (its CA is another): give "
		        "--data-dir an empty folder to join that one, or leave the flag out",
		        flag, s->data_dir);
	if (!pki_equal(want.secret, have.secret))
		return err_set(err, ERR_INVAL,
		        "--%s is not the one in %s, by which this cluster was begun or joined: leave the flag out, or "
		        "give that one (if the token was rotated while this server was down, leave the flag out: it "
		        "hears of the new one)",
		        flag, path);
	return 0;
}

static int make(struct server_settings *s, const char *flag, const char *given, const char *user, const char *path,
        const char *ca_hash, struct err *err)
{
	struct join_token t = {0};
	struct strbuf text = STRBUF_INIT;
	if (given && join_token_parse(slice_of(given), &t, err) != 0)
		return err_wrap(err, "--%s", flag);
	if (*t.ca_hash && strcmp(t.ca_hash, ca_hash) != 0)
		return err_set(err, ERR_INVAL,
		        "--%s names a cluster that exists, and this server begins one: give the secret alone (what "
		        "follows the last colon), or --server to join",
		        flag);
	if (given && t.secret.len < SECRET_BYTES_GOOD)
		log_warn("server", "a short token can be guessed", "flag=--%s bytes=%zu good=%d", flag, t.secret.len,
		        SECRET_BYTES_GOOD);
	strbuf_addf(&text, "K10%s::%s:", ca_hash, user);
	if (given)
		strbuf_add_slice(&text, t.secret);
	else
		pki_random_hex(&text, 16);
	strbuf_addc(&text, '\n');
	int rc = pki_file_write(path, strbuf_slice(&text), 0600, err);
	strbuf_release(&text);
	return rc;
}

/* The same secret, for a CA that is another since. */
static int rename_ca(
        struct server_settings *s, const char *user, const char *path, const char *ca_hash, struct err *err)
{
	struct join_token t;
	struct strbuf text = STRBUF_INIT;
	if (load(s, path, &t, err) != 0 || strcmp(t.ca_hash, ca_hash) == 0)
		return err->code;
	strbuf_addf(&text, "K10%s::%s:%.*s\n", ca_hash, user, SLICE_FMT(t.secret));
	int rc = pki_file_write(path, strbuf_slice(&text), 0600, err);
	strbuf_release(&text);
	return rc;
}

static int need(struct server_settings *s, const char *flag, const char *given, const char *user, const char *path,
        const char *ca_hash, struct err *err)
{
	if (access(path, F_OK) != 0)
		return make(s, flag, given, user, path, ca_hash, err);
	return compare(s, flag, given, path, ca_hash, err) == 0 ? rename_ca(s, user, path, ca_hash, err) : err->code;
}

/* Written only when it says something else. */
static int copy(const char *from, const char *to, struct err *err)
{
	char *text = NULL, *have = NULL;
	size_t len = 0, have_len = 0;
	struct err none = ERR_INIT;
	if (pki_file_read(from, &text, &len, err) != 0)
		return err->code;
	bool same = pki_file_read(to, &have, &have_len, &none) == 0 &&
	            slice_eq((struct slice){have, have_len}, (struct slice){text, len});
	int rc = same ? 0 : pki_file_write(to, (struct slice){text, len}, 0600, err);
	free(text);
	free(have);
	return rc;
}

int server_token_prepare(struct server_settings *s, const char *ca_pem, struct err *err)
{
	const char *server = server_file(s, "server/token"), *agent = server_file(s, "server/agent-token"),
	           *node = server_file(s, "server/node-token");
	char hash[65];
	pki_sha256_hex(ca_pem, strlen(ca_pem), hash);
	if (need(s, "token", s->token, "server", server, hash, err) != 0)
		return err->code;
	if ((s->agent_token || access(agent, F_OK) == 0) &&
	        need(s, "agent-token", s->agent_token, "node", agent, hash, err) != 0)
		return err->code;
	return copy(access(agent, F_OK) == 0 ? agent : server, node, err);
}

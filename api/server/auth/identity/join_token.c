/* See join_token.h. Secrets are compared by their hashes and in constant time, so that how long an answer takes says
 * nothing of them. What can go wrong: a token of another cluster or with a letter amiss, which is told as such and
 * never repeated; a file that holds none (the start fails, by its name). */
#include "api/server/auth/identity/join_token.h"

#include "api/server/auth/identity/bootstrap_token.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/pki/pki.h"

#include <stdlib.h>
#include <unistd.h>

enum { HASH_DIGITS = 64 };

/* ---- the text ---- */

static bool is_visible(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f)
			return false;
	return true;
}

static int check_secret(struct slice secret, struct err *err)
{
	if (secret.len < JOIN_SECRET_BYTES_MIN || secret.len > JOIN_SECRET_BYTES_MAX)
		return err_set(err, ERR_INVAL,
		        "its secret has %zu bytes; %d to %d are right (head -c 16 /dev/urandom | xxd -p)", secret.len,
		        JOIN_SECRET_BYTES_MIN, JOIN_SECRET_BYTES_MAX);
	if (!is_visible(secret))
		return err_set(err, ERR_INVAL, "its secret has white space or bytes that are not ASCII");
	return 0;
}

/* What follows "K10". */
static int parse_full(struct slice rest, struct join_token *t, struct err *err)
{
	struct bootstrap_token bootstrap;
	if (rest.len < HASH_DIGITS + 2 || memcmp(rest.ptr + HASH_DIGITS, "::", 2) != 0)
		return err_set(err, ERR_INVAL,
		        "it is not like K10<64 hex digits>::<user>:<secret>; part of it may be missing");
	for (size_t i = 0; i < HASH_DIGITS; i++) {
		char c = rest.ptr[i];
		if (c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return err_set(err, ERR_INVAL, "what follows K10 are not 64 hex digits");
		t->ca_hash[i] = c;
	}
	t->secret = (struct slice){rest.ptr + HASH_DIGITS + 2, rest.len - HASH_DIGITS - 2};
	if (bootstrap_token_parse(t->secret, &bootstrap)) {
		t->is_bootstrap = true;
		return 0;
	}
	if (!memchr(t->secret.ptr, ':', t->secret.len))
		return err_set(err, ERR_INVAL,
		        "what follows the hash is neither <user>:<secret> nor a bootstrap token (six and sixteen small "
		        "letters and digits with a dot between)");
	t->user = slice_cut(&t->secret, ':');
	if (!slice_is(t->user, "server") && !slice_is(t->user, "node"))
		return err_set(err, ERR_INVAL, "its user is neither \"server\" nor \"node\"");
	return 0;
}

int join_token_parse(struct slice text, struct join_token *ret, struct err *err)
{
	struct join_token t = {0};
	text = slice_trim(text);
	if (text.len > JOIN_TOKEN_BYTES_MAX)
		return err_set(err, ERR_INVAL, "it has %zu bytes, at most %d", text.len, JOIN_TOKEN_BYTES_MAX);
	if (!slice_starts(text, "K10")) {
		t.secret = text;
	} else if (parse_full((struct slice){text.ptr + 3, text.len - 3}, &t, err) != 0) {
		return err->code;
	}
	if (check_secret(t.secret, err) != 0)
		return err->code;
	*ret = t;
	return 0;
}

/* ---- those of a cluster ---- */

struct join_secrets {
	bool has_server, has_agent;
	unsigned char server[32], agent[32]; /* SHA-256 */
};

static int load(const char *path, bool *has, unsigned char hash[32], struct err *err)
{
	struct join_token t;
	char *text;
	size_t len;
	if (!path || access(path, F_OK) != 0)
		return 0;
	if (pki_file_read(path, &text, &len, err) != 0)
		return err->code;
	int rc = join_token_parse((struct slice){text, len}, &t, err);
	if (rc == 0) {
		pki_sha256(t.secret.ptr, t.secret.len, hash);
		*has = true;
	}
	free(text);
	return rc == 0 ? 0 : err_wrap(err, "the token in %s", path);
}

int join_secrets_load(const char *server_file, const char *agent_file, struct join_secrets **ret, struct err *err)
{
	struct join_secrets *s = xcalloc(1, sizeof *s);
	if (load(server_file, &s->has_server, s->server, err) != 0 ||
	        load(agent_file, &s->has_agent, s->agent, err) != 0) {
		free(s);
		return err->code;
	}
	*ret = s;
	return 0;
}

void join_secrets_free(struct join_secrets *s)
{
	free(s);
}

static bool fits(bool has, const unsigned char want[32], const unsigned char got[32])
{
	return has && pki_equal((struct slice){(const char *)want, 32}, (struct slice){(const char *)got, 32});
}

static int judge(
        const struct join_secrets *s, struct slice name, struct slice secret, const char **group, struct err *err)
{
	unsigned char hash[32];
	pki_sha256(secret.ptr, secret.len, hash);
	bool is_server = fits(s->has_server, s->server, hash), is_agent = fits(s->has_agent, s->agent, hash);
	if (slice_is(name, "server") && is_server)
		*group = "k3x:server";
	else if (slice_is(name, "node") && (is_server || is_agent))
		*group = "k3x:agent";
	else if (slice_is(name, "server") && is_agent)
		return err_set(err, ERR_UNAUTHENTICATED,
		        "this token joins agents alone: a server joins with the one in server/token of another server");
	else
		return err_set(err, ERR_UNAUTHENTICATED,
		        "the token is not this cluster's: the right one is in server/token on a server that runs");
	return 0;
}

int join_secrets_user(const struct join_secrets *s, struct slice credentials, struct user **ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct slice text, name;
	const char *group = NULL;
	int rc = credentials.len <= 2 * JOIN_TOKEN_BYTES_MAX && base64_decode(&a, credentials, &text)
	                 ? 0
	                 : err_set(err, ERR_UNAUTHENTICATED, "the credentials are not base64 of user:secret");
	if (rc == 0) {
		name = slice_cut(&text, ':');
		rc = judge(s, name, text, &group, err);
	}
	if (rc == 0) {
		*ret = user_new(name, SLICE_NULL);
		user_add_group(*ret, slice_of(group));
		user_add_group(*ret, SLICE("system:authenticated"));
	}
	arena_release(&a);
	return rc;
}

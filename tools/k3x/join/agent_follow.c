/* See agent_follow.h. k3s's agents ask for their configuration at every start, and wait until a server answers. Here
 * the files of the last time do while no server is up: pods run on, and start.
 *
 *     GET /cacerts, client-ca.crt, config    over TLS that the CA here vouches for, by the node's certificate
 *     files that differ                      -> written; the hash of the CA that was -> agent/former-cas
 *
 * New CAs come beside the old ones and old certificates are trusted on, so it does not matter when a node hears of
 * them. The hashes are kept because tokens have them: the one in a unit file is not wrong because the CA is another
 * since.
 *
 * What can go wrong: no server is up (told), the CA was changed by force and the server is a stranger now: with a token
 * that names the new one the node joins anew, without one it is told. */
#include "tools/k3x/join/agent_follow.h"

#include "api/server/join/words.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "net/balancer/upstreams.h"
#include "tools/k3x/join/agent_files.h"

#include <stdlib.h>

#define FORMER_CAS "agent/former-cas"
#define SERVER_CA "agent/server-ca.crt"
#define CLIENT_CA "agent/client-ca.crt"
#define CLUSTER "agent/cluster.json"

/* A start waits no longer for servers that are known and not there. */
enum { ASK_MS_MAX = 15000, HASH_BYTES = 64, FORMER_BYTES_MAX = 64 * (HASH_BYTES + 1) };

/* ---- the CAs that were ---- */

bool agent_had_ca(struct server_settings *s, const char *hash)
{
	struct slice text;
	struct err unused = ERR_INIT;
	if (server_file_read(s, FORMER_CAS, &text, &unused) != 0)
		return false;
	while (text.len)
		if (slice_is(slice_cut(&text, '\n'), hash))
			return true;
	return false;
}

/* The newest first; so many are kept as a node will ever see. */
static int note_former(struct server_settings *s, struct slice ca, struct err *err)
{
	struct strbuf text = STRBUF_INIT;
	struct slice had;
	struct err unused = ERR_INIT;
	char hash[HASH_BYTES + 1];
	pki_sha256_hex(ca.ptr, ca.len, hash);
	strbuf_addf(&text, "%s\n", hash);
	if (server_file_read(s, FORMER_CAS, &had, &unused) == 0)
		strbuf_add(&text, had.ptr, had.len < FORMER_BYTES_MAX ? had.len : FORMER_BYTES_MAX);
	int rc = agent_write_file(s, FORMER_CAS, strbuf_slice(&text), 0644, err);
	strbuf_release(&text);
	return rc;
}

/* ---- asking ---- */

struct answers {
	struct strbuf server_ca, client_ca, config;
};

static void release(struct answers *a)
{
	strbuf_release(&a->server_ca);
	strbuf_release(&a->client_ca);
	strbuf_release(&a->config);
}

static int get(struct join_contact *c, const char *path, struct strbuf *answer, struct err *err)
{
	return join_contact_call(c, "GET", path, SLICE(""), NULL, 0, answer, err);
}

/* Nothing of it is written before all of it is good. */
static int ask(struct server_settings *s, struct join_contact *c, struct answers *a, struct err *err)
{
	struct join_config unused;
	struct pki_info info;
	if (get(c, "/cacerts", &a->server_ca, err) != 0 || get(c, "/v1-k3x/client-ca.crt", &a->client_ca, err) != 0 ||
	        get(c, "/v1-k3x/config", &a->config, err) != 0)
		return err->code;
	if (pki_info(strbuf_cstr(&a->server_ca), &info, err) != 0 ||
	        pki_info(strbuf_cstr(&a->client_ca), &info, err) != 0 ||
	        join_config_parse(&s->arena, strbuf_slice(&a->config), &unused, err) != 0)
		return err_wrap(err, "what %s answered", c->url);
	return 0;
}

static int put(
        struct server_settings *s, const char *place, const struct strbuf *text, bool *ret_differs, struct err *err)
{
	struct slice have;
	struct err unused = ERR_INIT;
	if (server_file_read(s, place, &have, &unused) == 0 && slice_eq(have, strbuf_slice(text)))
		return 0;
	*ret_differs = true;
	return agent_write_file(s, place, strbuf_slice(text), 0644, err);
}

static int put_all(
        struct server_settings *s, struct slice ca, const struct answers *a, struct agent_news *ret, struct err *err)
{
	if (!slice_eq(ca, strbuf_slice(&a->server_ca)) && note_former(s, ca, err) != 0)
		return err->code;
	if (put(s, SERVER_CA, &a->server_ca, &ret->cas, err) != 0 ||
	        put(s, CLIENT_CA, &a->client_ca, &ret->cas, err) != 0)
		return err->code;
	return put(s, CLUSTER, &a->config, &ret->settings, err);
}

int agent_follow(struct server_settings *s, const char *url, struct agent_news *ret, struct err *err)
{
	struct join_contact c = {.url = url, .user = "node"};
	struct answers a = {STRBUF_INIT, STRBUF_INIT, STRBUF_INIT};
	struct slice ca;
	*ret = (struct agent_news){0};
	if (server_file_read(s, SERVER_CA, &ca, err) != 0 ||
	        (s->token && join_token_parse(slice_of(s->token), &c.token, err) != 0))
		return err->code;
	strbuf_add_slice(&c.ca, ca);
	agent_choose_proof(s, &c);
	int rc = ask(s, &c, &a, err);
	if (rc == 0)
		rc = put_all(s, ca, &a, ret, err);
	join_contact_release(&c);
	release(&a);
	return rc;
}

/* ---- at the start ---- */

static size_t known_servers(struct server_settings *s, const char *urls[BALANCER_SERVERS_MAX + 2])
{
	char *addresses[BALANCER_SERVERS_MAX + 1];
	struct slice text;
	struct err unused = ERR_INIT;
	size_t n = 0, n_urls = 1;
	urls[0] = s->join_url;
	if (server_file_read(s, AGENT_BALANCER_FILE, &text, &unused) == 0 &&
	        upstreams_read(text, addresses, COUNT_OF(addresses), &n, &unused) == 0)
		for (size_t i = 0; i < n; i++)
			urls[n_urls++] = arena_printf(&s->arena, "https://%s", addresses[i]);
	for (size_t i = 0; i < n; i++)
		free(addresses[i]);
	return n_urls;
}

void agent_ask_for_news(struct server_settings *s)
{
	const char *urls[BALANCER_SERVERS_MAX + 2];
	struct agent_news news;
	struct err err = ERR_INIT;
	uint64_t until_ms = clock_mono_ms() + ASK_MS_MAX;
	for (size_t i = 0, n = known_servers(s, urls); i < n && clock_mono_ms() < until_ms; i++) {
		err = ERR_INIT;
		if (agent_follow(s, urls[i], &news, &err) == 0) {
			if (news.settings || news.cas)
				log_info("join", "what is the cluster's was taken anew", "server=%s settings=%s cas=%s",
				        urls[i], news.settings ? "changed" : "same", news.cas ? "changed" : "same");
			return;
		}
	}
	log_warn("join", "no server answers: the cluster's settings are those of the last time", "error=\"%s\"",
	        err.msg);
}

bool agent_meets_successor(struct server_settings *s, const struct join_token *token)
{
	struct join_contact c = {.url = s->join_url, .user = "node", .token = *token};
	struct slice ca;
	struct err err = ERR_INIT;
	bool is = join_contact_meet(&c, &err) == 0 && server_file_read(s, SERVER_CA, &ca, &err) == 0 &&
	          pki_bundle_shares(strbuf_cstr(&c.ca), ca.ptr);
	if (is)
		log_info("join", "the token names the CA that has taken over from the one that is here", "server=%s",
		        c.url);
	join_contact_release(&c);
	return is;
}

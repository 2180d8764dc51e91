/* `k3x secrets-encrypt status|enable|disable|prepare|rotate|reencrypt|rotate-keys`: Secrets at rest, as k3s has it.
 *
 * A server changes the configuration (tools/k3x/keys/server_encryption.c) and brings it to all servers; this command
 * waits until they have it, so that the next step finds them alike. Writing Secrets anew is done from here, a page of
 * names at a time: each is read and put as it is, and the server, which sees that it is stored by another key than it
 * would take now, writes it. One that somebody else has written meanwhile is by the new key anyway.
 *
 * What can go wrong: a server is down, and the others do not match (it says so; -f goes on); this command ends half-way
 * through the Secrets (they are read by the old key, which is there until all are through; it is run again). */
#include "tools/operate/operate_int.h"

#include "base/clock.h"
#include "base/json/json.h"
#include "base/wire/http.h"

#include <stdio.h>
#include <time.h>

enum { CALL_MS = 60000, ALIKE_MS = 60000, LOOK_MS = 200, PAGE = 500 };

#define OPERATE "/v1-k3x/server-operate/secrets-encrypt"

struct command {
	struct admin admin;
	bool force, skip;
	const char *provider;
};

static struct json *ask(struct command *c, const char *action, struct err *err)
{
	struct arena *a = &c->admin.arena;
	struct json *v = json_new(a, JSON_OBJECT);
	struct strbuf body = STRBUF_INIT, answer = STRBUF_INIT;
	json_set_cstr(a, v, "action", action);
	json_set_bool(a, v, "force", c->force);
	if (c->provider)
		json_set_cstr(a, v, "provider", c->provider);
	json_write(&body, v);
	v = NULL;
	if (admin_call(&c->admin, "POST", OPERATE, strbuf_slice(&body), CALL_MS, &answer, err) == 0)
		v = json_parse(a, strbuf_slice(&answer), NULL, err);
	strbuf_release(&body);
	strbuf_release(&answer);
	return v;
}

/* The last answer, when all servers have what was changed. */
static struct json *wait_until_alike(struct command *c, struct err *err)
{
	uint64_t end = clock_mono_ms() + ALIKE_MS;
	for (;;) {
		struct json *v = ask(c, "status", err);
		if (!v || json_get_bool(v, "hashesMatch", false))
			return v;
		if (clock_mono_ms() >= end) {
			err_set(err, ERR_TIMEOUT,
			        "it is changed, but not all servers have it yet: k3x secrets-encrypt status names "
			        "them");
			return NULL;
		}
		nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
	}
}

static struct json *change(struct command *c, const char *action, struct err *err)
{
	return ask(c, action, err) ? wait_until_alike(c, err) : NULL;
}

/* ---- what it looks like ---- */

static void print_status(struct command *c, const struct json *v)
{
	struct strbuf text = STRBUF_INIT;
	bool enabled = json_get_bool(v, "enabled", false), alike = json_get_bool(v, "hashesMatch", false);
	if (c->admin.json) {
		json_write(&text, v);
		printf("%s\n", strbuf_cstr(&text));
		strbuf_release(&text);
		return;
	}
	if (!json_get_bool(v, "configured", false)) {
		printf("Encryption Status: Disabled, no configuration file found\n");
		return;
	}
	printf("Encryption Status: %s\nCurrent Rotation Stage: %.*s\nServer Encryption Hashes: %s\n",
	        enabled ? "Enabled" : "Disabled", SLICE_FMT(json_get_str(v, "stage")),
	        alike ? "All hashes match" : "hashes do not match");
	JSON_FOREACH (it, alike ? NULL : json_get(v, "servers"))
		if (!slice_eq(json_str(it), json_get_str(v, "hash")))
			printf("  %.*s: %.*s\n", SLICE_FMT(it->key),
			        SLICE_FMT(it->text.len ? it->text : SLICE("nothing")));
	printf("\nActive  Key Type           Name\n------  --------           ----\n");
	JSON_FOREACH (it, json_get(v, "keys"))
		printf(" %s      %-18.*s %.*s\n", json_get_bool(it, "active", false) ? "*" : " ",
		        SLICE_FMT(json_get_str(it, "type")), SLICE_FMT(json_get_str(it, "name")));
}

/* ---- writing anew ---- */

static const char *path_of(struct arena *a, const struct json *secret)
{
	struct strbuf out = STRBUF_INIT;
	const struct json *meta = json_get(secret, "metadata");
	strbuf_adds(&out, "/api/v1/namespaces/");
	http_encode(&out, json_get_str(meta, "namespace"));
	strbuf_adds(&out, "/secrets/");
	http_encode(&out, json_get_str(meta, "name"));
	const char *path = arena_strdup(a, strbuf_cstr(&out));
	strbuf_release(&out);
	return path;
}

/* As it is: members of a list have no kind. */
static int write_anew(struct command *c, struct arena *a, struct json *secret, struct err *err)
{
	struct strbuf body = STRBUF_INIT, answer = STRBUF_INIT;
	json_write(&body, secret);
	admin_call(&c->admin, "PUT", path_of(a, secret), strbuf_slice(&body), 0, &answer, err);
	strbuf_release(&body);
	strbuf_release(&answer);
	if (err->code == ERR_CONFLICT || err->code == ERR_NOT_FOUND) /* written or deleted meanwhile */
		*err = ERR_INIT;
	return err->code;
}

/* One page; *token: of the next, NULL: it was the last. */
static int write_page(struct command *c, const char **token, unsigned *count, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct strbuf path = STRBUF_INIT, answer = STRBUF_INIT;
	struct json *v = NULL;
	strbuf_addf(&path, "/api/v1/secrets?limit=%d", PAGE);
	if (*token) {
		strbuf_adds(&path, "&continue=");
		http_encode(&path, slice_of(*token));
	}
	if (admin_call(&c->admin, "GET", strbuf_cstr(&path), SLICE(""), CALL_MS, &answer, err) == 0)
		v = json_parse(&a, strbuf_slice(&answer), NULL, err);
	JSON_FOREACH (it, json_get(v, "items"))
		if (!err->code && write_anew(c, &a, it, err) == 0)
			++*count;
	struct slice next = json_str(json_path(v, "metadata", "continue", NULL));
	*token = next.len ? arena_printf(&c->admin.arena, "%.*s", SLICE_FMT(next)) : NULL;
	strbuf_release(&path);
	strbuf_release(&answer);
	arena_release(&a);
	return err->code;
}

static int write_all_anew(struct command *c, struct err *err)
{
	const char *token = NULL;
	unsigned count = 0;
	do
		write_page(c, &token, &count, err);
	while (!err->code && token);
	if (!err->code && !c->admin.json)
		printf("%u secrets were written anew\n", count);
	return err->code;
}

static struct json *reencrypt(struct command *c, struct err *err)
{
	struct json *v = ask(c, "status", err);
	if (!v)
		return NULL;
	if (!c->force && !slice_is(json_get_str(v, "stage"), "rotate")) {
		err_set(err, ERR_CONFLICT,
		        "reencrypt follows stage rotate, and the cluster is at %.*s (-f writes all Secrets anew all "
		        "the same)",
		        SLICE_FMT(json_get_str(v, "stage")));
		return NULL;
	}
	if (!c->force && !json_get_bool(v, "hashesMatch", false)) {
		err_set(err, ERR_CONFLICT, "not all servers have the same encryption configuration yet");
		return NULL;
	}
	if (write_all_anew(c, err) != 0)
		return NULL;
	return c->skip || !json_get_bool(v, "enabled", false) ? ask(c, "status", err) : change(c, "finish", err);
}

/* ---- the commands ---- */

static struct json *rotate_keys(struct command *c, struct err *err)
{
	return change(c, "prepare", err) && change(c, "rotate", err) ? reencrypt(c, err) : NULL;
}

static int run(const char *name, const char *summary, int argc, char **argv)
{
	struct command c = {0};
	struct err err = ERR_INIT;
	struct json *v = NULL;
	int code;
	const struct flag table[] = {
	        {"force", 'f', FLAG_BOOL, &c.force, NULL, "whatever the stage, and when servers differ", NULL},
	        {"skip", 0, FLAG_BOOL, &c.skip, NULL, "reencrypt: the old keys stay", NULL},
	        {"provider", 0, FLAG_STRING, &c.provider, NULL,
	                "of a new key: aescbc or secretbox (that of the active one)", NULL},
	};
	struct flags f = {.program = arena_printf(&c.admin.arena, "k3x secrets-encrypt %s", name),
	        .summary = arena_printf(&c.admin.arena, "k3x secrets-encrypt %s: %s", name, summary)};
	if (admin_parse(&c.admin, &f, table, COUNT_OF(table), argc, argv, 0, 0, &code) == 0) {
		if (admin_connect(&c.admin, &err) == 0)
			v = strcmp(name, "status") == 0        ? ask(&c, name, &err)
			    : strcmp(name, "reencrypt") == 0   ? reencrypt(&c, &err)
			    : strcmp(name, "rotate-keys") == 0 ? rotate_keys(&c, &err)
			                                       : change(&c, name, &err);
		if (v)
			print_status(&c, v);
		code = err.code ? admin_fail(arena_printf(&c.admin.arena, "secrets-encrypt %s", name), &err) : 0;
	}
	admin_release(&c.admin);
	return code;
}

#define STATUS_HELP "is it on, by which keys, and have all servers the same"
#define ENABLE_HELP "Secrets are written encrypted from now on"
#define DISABLE_HELP "Secrets are written plain from now on"
#define PREPARE_HELP "make a second key, which reads"
#define ROTATE_HELP "the second key writes"
#define REENCRYPT_HELP "write all Secrets anew; then the old keys go"
#define ROTATE_KEYS_HELP "prepare, rotate and reencrypt in one"

#define COMMAND(fn, name, help) \
	static int fn(int argc, char **argv) \
	{ \
		return run(name, help, argc, argv); \
	}
COMMAND(status, "status", STATUS_HELP)
COMMAND(enable, "enable", ENABLE_HELP)
COMMAND(disable, "disable", DISABLE_HELP)
COMMAND(prepare, "prepare", PREPARE_HELP)
COMMAND(rotate, "rotate", ROTATE_HELP)
COMMAND(reencrypt_main, "reencrypt", REENCRYPT_HELP)
COMMAND(rotate_keys_main, "rotate-keys", ROTATE_KEYS_HELP)

static const struct operate_command commands[] = {
        {"status", "", STATUS_HELP, status},
        {"enable", "", ENABLE_HELP, enable},
        {"disable", "", DISABLE_HELP, disable},
        {"prepare", "", PREPARE_HELP, prepare},
        {"rotate", "", ROTATE_HELP, rotate},
        {"reencrypt", "", REENCRYPT_HELP, reencrypt_main},
        {"rotate-keys", "", ROTATE_KEYS_HELP, rotate_keys_main},
};

int secrets_encrypt_main(int argc, char **argv)
{
	return operate_group("secrets-encrypt", "Secrets encrypted at rest", commands, COUNT_OF(commands), argc, argv);
}

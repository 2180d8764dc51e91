/* `k3x token create|list|delete|generate|rotate`.
 *
 * The first four are about bootstrap tokens, which are Secrets (api/server/auth/identity/bootstrap_token.h): these
 * commands are clients of the API like any other. `rotate` is about the cluster's own token: a server that runs does it
 * (tools/k3x/keys/server_rotate.c).
 *
 * What can go wrong: a token, group, usage or span that is none; one of the id that is there already. */
#include "tools/operate/operate_int.h"

#include "api/client/meta.h"
#include "api/server/auth/identity/bootstrap_token.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/time/duration.h"
#include "base/json/json.h"
#include "base/pki/pki.h"
#include "tools/k3s/k3s.h"
#include "tools/store/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SECRETS "/api/v1/namespaces/kube-system/secrets"
#define OF_TOKENS "?fieldSelector=type%3Dbootstrap.kubernetes.io%2Ftoken"
#define DEFAULT_GROUP BOOTSTRAP_TOKEN_GROUP ":k3x:default-node-token"
#define USAGE_PREFIX "usage-bootstrap-"

static const char *const usages[] = {"signing", "authentication"};

static const char *cstr(struct arena *a, struct slice s)
{
	return arena_printf(a, "%.*s", SLICE_FMT(s));
}

/* ---- making one ---- */

/* A letter or digit for each random byte; those that would make some letters likelier are drawn again. */
static void draw(char *out, size_t n)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	enum { LETTERS = sizeof letters - 1, EVEN = 256 / LETTERS * LETTERS };
	for (size_t i = 0; i < n;) {
		unsigned char b;
		pki_random(&b, 1);
		if (b < EVEN)
			out[i++] = letters[b % LETTERS];
	}
}

static const char *new_token(struct arena *a)
{
	char id[BOOTSTRAP_TOKEN_ID_BYTES], secret[BOOTSTRAP_TOKEN_SECRET_BYTES];
	draw(id, sizeof id);
	draw(secret, sizeof secret);
	return arena_printf(a, "%.*s.%.*s", (int)sizeof id, id, (int)sizeof secret, secret);
}

static int generate(int argc, char **argv)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct flags f = {.program = "k3x token generate",
	        .summary = "k3x token generate: print a bootstrap token that nobody has yet, for k3x token create. No "
	                   "server is asked"};
	k3s_refuse(&f, &a);
	int rc = flags_load(&f, &a, argc, argv, &err);
	if (rc == 0 && f.want_help)
		flags_help(&f);
	else if (rc == 0)
		printf("%s\n", new_token(&a));
	arena_release(&a);
	return rc == 0 ? 0 : admin_fail("token generate", &err);
}

/* ---- create ---- */

struct creation {
	struct admin admin;
	const char *description, *ttl, *token;
	struct flag_list groups, usages;
	uint64_t ttl_ms;
};

static int check_creation(struct creation *c, struct err *err)
{
	struct bootstrap_token t;
	for (size_t i = 0; i < c->groups.count; i++)
		if (!bootstrap_token_is_group(slice_of(c->groups.items[i])))
			return err_set(err, ERR_INVAL,
			        "--groups: \"%s\" is not like " BOOTSTRAP_TOKEN_GROUP
			        ":NAME (small letters, digits, ':' and '-')",
			        c->groups.items[i]);
	for (size_t i = 0; i < c->usages.count; i++)
		if (strcmp(c->usages.items[i], usages[0]) != 0 && strcmp(c->usages.items[i], usages[1]) != 0)
			return err_set(err, ERR_INVAL, "--usages: \"%s\" is neither signing nor authentication",
			        c->usages.items[i]);
	if (strcmp(c->ttl, "0") != 0 && !duration_parse_ms(c->ttl, &c->ttl_ms))
		return err_set(err, ERR_INVAL, "--ttl: \"%s\" is no span like 24h or 30m, nor 0 (without end)", c->ttl);
	if (c->ttl_ms && c->ttl_ms < 1000)
		return err_set(err, ERR_INVAL, "--ttl: \"%s\" is less than a second", c->ttl);
	if (!bootstrap_token_parse(slice_of(c->token), &t))
		return err_set(err, ERR_INVAL,
		        "the token is not six and sixteen small letters and digits with a dot between: k3x token "
		        "generate makes one");
	return 0;
}

static void add_list(struct arena *a, struct json *data, const char *name, const struct flag_list *l)
{
	struct strbuf text = STRBUF_INIT;
	for (size_t i = 0; i < l->count; i++)
		strbuf_addf(&text, "%s%s", i ? "," : "", l->items[i]);
	if (text.len)
		json_set_cstr(a, data, name, arena_printf(a, "%.*s", (int)text.len, text.data));
	strbuf_release(&text);
}

static void write_secret(struct creation *c, const char *expiration, struct strbuf *out)
{
	struct arena *a = &c->admin.arena;
	struct bootstrap_token t;
	CHECK(bootstrap_token_parse(slice_of(c->token), &t));
	struct json *v = json_new(a, JSON_OBJECT), *data = json_need(a, v, "stringData", JSON_OBJECT);
	json_set_cstr(a, json_need(a, v, "metadata", JSON_OBJECT), "name",
	        arena_printf(a, BOOTSTRAP_TOKEN_SECRET_PREFIX "%.*s", SLICE_FMT(t.id)));
	json_set_cstr(a, v, "type", BOOTSTRAP_TOKEN_SECRET_TYPE);
	json_set_str(a, data, "token-id", t.id);
	json_set_str(a, data, "token-secret", t.secret);
	if (c->description)
		json_set_cstr(a, data, "description", c->description);
	if (*expiration)
		json_set_cstr(a, data, "expiration", expiration);
	for (size_t i = 0; i < c->usages.count; i++)
		json_set_cstr(a, data, arena_printf(a, USAGE_PREFIX "%s", c->usages.items[i]), "true");
	add_list(a, data, "auth-extra-groups", &c->groups);
	json_write(out, v);
}

/* What an agent is given: with the hash of the CA, by which it knows the cluster. */
static int print_created(struct creation *c, const char *expiration, struct err *err)
{
	struct strbuf ca = STRBUF_INIT, out = STRBUF_INIT;
	struct arena *a = &c->admin.arena;
	char hash[65];
	if (admin_call(&c->admin, "GET", "/cacerts", SLICE(""), 0, &ca, err) == 0) {
		pki_sha256_hex(ca.data, ca.len, hash);
		const char *full = arena_printf(a, "K10%s::%s", hash, c->token);
		struct json *v = json_new(a, JSON_OBJECT);
		json_set_cstr(a, v, "token", full);
		json_set_cstr(a, v, "expires", expiration);
		json_write(&out, v);
		printf("%s\n", c->admin.json ? strbuf_cstr(&out) : full);
	}
	strbuf_release(&ca);
	strbuf_release(&out);
	return err->code;
}

static int create(int argc, char **argv)
{
	static const char *groups[] = {DEFAULT_GROUP};
	struct creation c = {.ttl = "24h", .groups = {groups, 1}, .usages = {(const char **)usages, COUNT_OF(usages)}};
	struct err err = ERR_INIT;
	struct strbuf body = STRBUF_INIT, answer = STRBUF_INIT;
	int code;
	const struct flag table[] = {
	        {"description", 0, FLAG_STRING, &c.description, NULL, "what it is for", NULL},
	        {"groups", 0, FLAG_LIST, &c.groups, NULL, "groups of who shows it (" DEFAULT_GROUP ")", NULL},
	        {"ttl", 0, FLAG_STRING, &c.ttl, NULL, "how long it is good; 0: until it is deleted (24h)", NULL},
	        {"usages", 0, FLAG_LIST, &c.usages, NULL, "signing, authentication (both)", NULL},
	};
	struct flags f = {.program = "k3x token create",
	        .summary =
	                "k3x token create [TOKEN]: make a bootstrap token, by which agents join until it is over, and "
	                "print it"};
	if (admin_parse(&c.admin, &f, table, COUNT_OF(table), argc, argv, 0, 1, &code) == 0) {
		struct arena *a = &c.admin.arena;
		c.token = f.argument_count ? f.arguments[0] : new_token(a);
		const char *expiration = "";
		if (check_creation(&c, &err) == 0 && admin_connect(&c.admin, &err) == 0) {
			if (c.ttl_ms)
				expiration = kube_time_text(a, clock_wall_s() + (int64_t)(c.ttl_ms / 1000));
			write_secret(&c, expiration, &body);
			admin_call(&c.admin, "POST", SECRETS, strbuf_slice(&body), 0, &answer, &err);
		}
		if (err.code == ERR_EXISTS)
			err_set(&err, ERR_EXISTS, "there is a token of this id: delete it, or take another");
		code = err.code || print_created(&c, expiration, &err) != 0 ? admin_fail("token create", &err) : 0;
	}
	strbuf_release(&body);
	strbuf_release(&answer);
	admin_release(&c.admin);
	return code;
}

/* ---- list ---- */

static struct slice datum(struct arena *a, const struct json *secret, const char *name)
{
	struct slice out;
	return base64_decode(a, json_str(json_path(secret, "data", name, NULL)), &out) ? out : SLICE_NULL;
}

static const char *usages_of(struct arena *a, const struct json *secret)
{
	const char *out = "";
	for (size_t i = 0; i < COUNT_OF(usages); i++)
		if (slice_is(datum(a, secret, arena_printf(a, USAGE_PREFIX "%s", usages[i])), "true"))
			out = arena_printf(a, "%s%s%s", out, *out ? "," : "", usages[i]);
	return out;
}

/* "23h", "59m", "12s"; how long it is good. */
static const char *left(struct arena *a, struct slice expiration)
{
	int64_t s = kube_time_parse(expiration) - clock_wall_s();
	if (!expiration.len)
		return "<forever>";
	if (s <= 0)
		return "<over>";
	return s >= 3600 ? arena_printf(a, "%" PRId64 "h", s / 3600)
	       : s >= 60 ? arena_printf(a, "%" PRId64 "m", s / 60)
	                 : arena_printf(a, "%" PRId64 "s", s);
}

static const struct store_column list_columns[] = {{"TOKEN", "token", STORE_COLUMN_TEXT},
        {"TTL", NULL, STORE_COLUMN_TEXT}, {"EXPIRES", "expires", STORE_COLUMN_TEXT},
        {"USAGES", "usages", STORE_COLUMN_TEXT}, {"DESCRIPTION", "description", STORE_COLUMN_TEXT},
        {"GROUPS", "groups", STORE_COLUMN_TEXT}};

static void print_list(struct admin *m, const struct json *items)
{
	struct store_table t = {list_columns, COUNT_OF(list_columns), ARENA_INIT, NULL, 0, 0};
	struct arena *a = &m->arena;
	JSON_FOREACH (it, items) {
		struct slice expires = datum(a, it, "expiration");
		store_table_add(
		        &t, "%.*s.%.*s", SLICE_FMT(datum(a, it, "token-id")), SLICE_FMT(datum(a, it, "token-secret")));
		store_table_add(&t, "%s", left(a, expires));
		store_table_add(&t, "%s", expires.len ? cstr(a, expires) : m->json ? "" : "<never>");
		store_table_add(&t, "%s", usages_of(a, it));
		store_table_add(&t, "%s", cstr(a, datum(a, it, "description")));
		store_table_add(&t, "%s", cstr(a, datum(a, it, "auth-extra-groups")));
	}
	store_table_print(&t, m->json);
}

static int list(int argc, char **argv)
{
	struct admin m = {0};
	struct err err = ERR_INIT;
	struct strbuf answer = STRBUF_INIT;
	int code;
	struct flags f = {.program = "k3x token list", .summary = "k3x token list: the bootstrap tokens there are"};
	if (admin_parse(&m, &f, NULL, 0, argc, argv, 0, 0, &code) == 0) {
		struct json *v = NULL;
		if (admin_connect(&m, &err) == 0 &&
		        admin_call(&m, "GET", SECRETS OF_TOKENS, SLICE(""), 0, &answer, &err) == 0)
			v = json_parse(&m.arena, strbuf_slice(&answer), NULL, &err);
		if (v)
			print_list(&m, json_get(v, "items"));
		code = err.code ? admin_fail("token list", &err) : 0;
	}
	strbuf_release(&answer);
	admin_release(&m);
	return code;
}

/* ---- delete ---- */

/* "abcdef", "abcdef.0123456789abcdef", or with K10<hash>:: before it. */
static int id_of(struct arena *a, const char *text, const char **ret, struct err *err)
{
	struct bootstrap_token t;
	const char *colons = strstr(text, "::"), *bare = colons ? colons + 2 : text;
	const char *whole =
	        strlen(bare) == BOOTSTRAP_TOKEN_ID_BYTES ? arena_printf(a, "%s.0123456789abcdef", bare) : bare;
	if (!bootstrap_token_parse(slice_of(whole), &t))
		return err_set(err, ERR_INVAL,
		        "\"%s\" is neither a bootstrap token nor the id of one (its first six "
		        "letters)",
		        bare);
	*ret = cstr(a, t.id);
	return 0;
}

static int delete_one(struct admin *m, const char *text, struct err *err)
{
	struct strbuf answer = STRBUF_INIT;
	const char *id = NULL;
	if (id_of(&m->arena, text, &id, err) != 0)
		return err->code;
	admin_call(m, "DELETE", arena_printf(&m->arena, SECRETS "/" BOOTSTRAP_TOKEN_SECRET_PREFIX "%s", id), SLICE(""),
	        0, &answer, err);
	strbuf_release(&answer);
	if (err->code == ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "there is no bootstrap token %s", id);
	if (!err->code)
		printf(m->json ? "{\"deleted\":\"%s\"}\n" : "deleted %s\n", id);
	return err->code;
}

static int delete (int argc, char **argv)
{
	enum { MANY = 1000 };
	struct admin m = {0};
	struct err err = ERR_INIT;
	int code;
	struct flags f = {.program = "k3x token delete",
	        .summary = "k3x token delete ID|TOKEN...: nobody joins by these any more; who has joined stays"};
	if (admin_parse(&m, &f, NULL, 0, argc, argv, 1, MANY, &code) == 0) {
		admin_connect(&m, &err);
		for (size_t i = 0; !err.code && i < f.argument_count; i++)
			delete_one(&m, f.arguments[i], &err);
		code = err.code ? admin_fail("token delete", &err) : 0;
	}
	admin_release(&m);
	return code;
}

/* ---- rotate ---- */

enum { ROTATE_MS = 60000 };

static int rotate(int argc, char **argv)
{
	struct admin m = {0};
	struct err err = ERR_INIT;
	const char *token = NULL, *new_one = NULL;
	struct strbuf body = STRBUF_INIT, answer = STRBUF_INIT;
	int code;
	const struct flag table[] = {
	        {"token", 't', FLAG_STRING, &token, "K3X_TOKEN", "the one it has, the text of server/token", NULL},
	        {"new-token", 0, FLAG_STRING, &new_one, NULL, "the secret of the new one (made)", NULL},
	};
	struct flags f = {.program = "k3x token rotate",
	        .summary =
	                "k3x token rotate --token OLD [--new-token NEW]: give the cluster another token. The cluster's "
	                "keys are sealed\nunder it anew, all servers write it to their server/token, and the old one "
	                "joins nobody any more.\nBackups made before open with the old one alone"};
	if (admin_parse(&m, &f, table, COUNT_OF(table), argc, argv, 0, 0, &code) == 0) {
		struct json *v = json_new(&m.arena, JSON_OBJECT);
		if (!token)
			err_set(&err, ERR_INVAL, "--token is needed: the text of server/token on a server");
		else
			json_set_cstr(&m.arena, v, "token", token);
		if (new_one)
			json_set_cstr(&m.arena, v, "newToken", new_one);
		json_write(&body, v);
		if (!err.code && admin_connect(&m, &err) == 0)
			admin_call(&m, "POST", "/v1-k3x/server-operate/token-rotate", strbuf_slice(&body), ROTATE_MS,
			        &answer, &err);
		v = err.code ? NULL : json_parse(&m.arena, strbuf_slice(&answer), NULL, &err);
		if (v && m.json)
			printf("%s\n", strbuf_cstr(&answer));
		else if (v)
			printf("The cluster's token is another one now:\n\n  %s\n\nIt is in server/token of each "
			       "server, "
			       "and in server/node-token for agents that have none of their own.\nStart servers that "
			       "are "
			       "given --token with this one from now on.\n",
			        cstr(&m.arena, json_get_str(v, "token")));
		code = err.code ? admin_fail("token rotate", &err) : 0;
	}
	strbuf_release(&body);
	strbuf_release(&answer);
	admin_release(&m);
	return code;
}

static const struct operate_command commands[] = {
        {"create", "[TOKEN]", "make a bootstrap token, by which agents join", create},
        {"list", "", "the bootstrap tokens there are", list},
        {"delete", "ID|TOKEN...", "delete bootstrap tokens", delete},
        {"generate", "", "print a random one", generate},
        {"rotate", "", "give the cluster another token", rotate},
};

int token_main(int argc, char **argv)
{
	return operate_group(
	        "token", "tokens by which agents and servers join", commands, COUNT_OF(commands), argc, argv);
}

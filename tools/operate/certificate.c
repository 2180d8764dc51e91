/* `k3x certificate check|rotate|rotate-ca`.
 *
 * `check` reads the files of a data directory, so it tells what a server that is down has too. The others ask a server
 * that runs, which does it without a restart (tools/k3x/server_operate.c); `rotate-ca` sends it the files, for they are
 * here and the server may be elsewhere.
 *
 * What can go wrong: no certificates can be read there (run as root), a service that has none, CAs that do not take
 * over from those that are there. */
#include "tools/operate/operate_int.h"

#include "base/clock.h"
#include "base/json_lib.h"
#include "base/pki/pki.h"
#include "base/time/rfc3339.h"
#include "tools/k3s/k3s.h"
#include "tools/k3x/keys/server_certs.h"
#include "tools/store/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROTATE_MS = 60000 };

/* ---- check ---- */

static const struct store_column check_columns[] = {{"CERTIFICATE", "certificate", STORE_COLUMN_TEXT},
        {"SERVICE", "service", STORE_COLUMN_TEXT}, {"SUBJECT", "subject", STORE_COLUMN_TEXT},
        {"USAGES", "usages", STORE_COLUMN_TEXT}, {"EXPIRES", "expires", STORE_COLUMN_TEXT},
        {"LEFT", NULL, STORE_COLUMN_TEXT}, {NULL, "secondsLeft", STORE_COLUMN_NUMBER},
        {"STATUS", "status", STORE_COLUMN_TEXT}};

struct checking {
	struct store_table table;
	const struct flag_list *services;
	int64_t now_s;
	size_t n, bad;
};

static const char *usages_of(unsigned uses)
{
	return uses & PKI_USE_CA                                    ? "CertSign"
	       : (uses & PKI_USE_SERVER) && (uses & PKI_USE_CLIENT) ? "ServerAuth,ClientAuth"
	       : uses & PKI_USE_SERVER                              ? "ServerAuth"
	                                                            : "ClientAuth";
}

static void add_row(void *arg, const struct server_certificate *c)
{
	struct checking *k = arg;
	char when[RFC3339_MAX];
	int64_t left = c->info.not_after_s - k->now_s;
	if (k->services->count && !flag_list_has(k->services, c->service))
		return;
	store_table_add(&k->table, "%s", c->place);
	store_table_add(&k->table, "%s", c->service);
	store_table_add(&k->table, "%s", c->info.subject);
	store_table_add(&k->table, "%s", usages_of(c->info.uses));
	store_table_add(&k->table, "%s", rfc3339_seconds(when, c->info.not_after_s));
	store_table_add(
	        &k->table, left < 86400 ? "%" PRId64 "h" : "%" PRId64 "d", left / (left < 86400 ? 3600 : 86400));
	store_table_add(&k->table, "%" PRId64, left);
	store_table_add(&k->table, "%s", server_certificate_status_text(c->status));
	k->n++;
	k->bad += c->status != SERVER_CERTIFICATE_OK;
}

static int check(int argc, char **argv)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct server_settings s = {.data_dir = "/var/lib/k3x"};
	struct flag_list services = {0};
	const char *output = "table";
	const struct flag table[] = {
	        {"data-dir", 'd', FLAG_STRING, &s.data_dir, "K3X_DATA_DIR", "the server's (/var/lib/k3x)", NULL},
	        {"service", 's', FLAG_LIST, &services, NULL,
	                "only of these: admin, api-server, etcd, kubelet, client-ca, "
	                "server-ca",
	                NULL},
	        {"output", 'o', FLAG_STRING, &output, NULL, "table or json", NULL}};
	struct flags f = {.program = "k3x certificate check",
	        .summary = "k3x certificate check: the certificates of a server on this machine, what they are for and "
	                   "how "
	                   "long they are good.\nExit code 7 when one is over, or should have been renewed",
	        .table = table,
	        .count = COUNT_OF(table)};
	struct checking k = {.table = {check_columns, COUNT_OF(check_columns), ARENA_INIT, NULL, 0, 0},
	        .services = &services,
	        .now_s = clock_wall_s()};
	k3s_refuse(&f, &a);
	int rc = flags_load(&f, &a, argc, argv, &err);
	if (rc == 0 && f.want_help) {
		flags_help(&f);
		goto out;
	}
	if (rc == 0 && strcmp(output, "table") != 0 && strcmp(output, "text") != 0 && strcmp(output, "json") != 0)
		err_set(&err, ERR_INVAL, "--output is table or json, not \"%s\"", output);
	if (err.code)
		goto out;
	server_certificates_each(&s, k.now_s, add_row, &k);
	if (!k.n)
		err_set(&err, ERR_NOT_FOUND,
		        "no%s certificate can be read in %s: is a server's data there, and is this run "
		        "as root?",
		        services.count ? " such" : "", s.data_dir);
	else
		store_table_print(&k.table, strcmp(output, "json") == 0);
out:
	arena_release(&s.arena);
	arena_release(&a);
	return err.code ? admin_fail("certificate check", &err) : k.bad ? err_exit_code(ERR_CORRUPT) : 0;
}

/* ---- rotate ---- */

static json_t *call(struct admin *m, const char *path, const json_t *ask, struct err *err)
{
	struct strbuf body = STRBUF_INIT, answer = STRBUF_INIT;
	json_lib_write(&body, ask);
	json_t *v = NULL;
	if (admin_connect(m, err) == 0 &&
	        admin_call(m, "POST", path, strbuf_slice(&body), ROTATE_MS, &answer, err) == 0)
		v = json_lib_parse(strbuf_slice(&answer), err);
	strbuf_release(&body);
	strbuf_release(&answer);
	return v;
}

static const struct store_column rotate_columns[] = {
        {"RENEWED", "certificate", STORE_COLUMN_TEXT}, {"SERVICE", "service", STORE_COLUMN_TEXT}};

static void print_renewed(struct admin *m, const json_t *list)
{
	struct store_table t = {rotate_columns, COUNT_OF(rotate_columns), ARENA_INIT, NULL, 0, 0};
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		store_table_add(&t, "%.*s", SLICE_FMT(json_lib_get_str(c, "certificate")));
		store_table_add(&t, "%.*s", SLICE_FMT(json_lib_get_str(c, "service")));
	}
	store_table_print(&t, m->json);
}

static int rotate(int argc, char **argv)
{
	struct admin m = {0};
	struct err err = ERR_INIT;
	struct flag_list services = {0};
	unsigned unused;
	int code;
	const struct flag table[] = {{"service", 0, FLAG_LIST, &services, NULL,
	        "only of these: admin, api-server, etcd, kubelet (all)", NULL}};
	struct flags f = {.program = "k3x certificate rotate",
	        .summary = "k3x certificate rotate: make new certificates and keys of a running server now. It uses "
	                   "them for "
	                   "new connections at\nonce, without a restart. They are renewed by themselves too, when a "
	                   "quarter "
	                   "of their life is left"};
	if (admin_parse(&m, &f, table, COUNT_OF(table), argc, argv, 0, 0, &code) == 0) {
		json_auto_t *ask = json_object();
		json_t *list = json_array();
		for (size_t i = 0; i < services.count && !err.code; i++) {
			server_certificates_of(services.items[i], &unused, &err);
			json_array_append_new(list, json_lib_new_str(slice_of(services.items[i])));
		}
		json_lib_set(ask, "services", list);
		json_auto_t *v = err.code ? NULL : call(&m, "/v1-k3x/server-operate/certificate-rotate", ask, &err);
		if (v)
			print_renewed(&m, json_object_get(v, "renewed"));
		code = err.code ? admin_fail("certificate rotate", &err) : 0;
	}
	admin_release(&m);
	return code;
}

/* ---- rotate-ca ---- */

static const char *const ca_files[] = {"server-ca.crt", "server-ca.key", "client-ca.crt", "client-ca.key",
        "request-header-ca.crt", "request-header-ca.key", "etcd/peer-ca.crt", "etcd/peer-ca.key", "service.key"};
/* What k3s's folders have and this server has no use for: here both ends of a connection between servers have a
 * certificate of the peers' CA. */
static const char other_file[] = "etcd/server-ca.crt";

/* k3s's --path is a folder with tls/ in it; one with the files themselves is as good. */
static const char *folder_of(struct arena *a, const char *path)
{
	const char *tls = arena_printf(a, "%s/tls", path);
	return access(tls, F_OK) == 0 ? tls : path;
}

static int read_files(struct admin *m, const char *path, json_t *files, struct err *err)
{
	const char *folder = folder_of(&m->arena, path);
	size_t n = 0;
	for (size_t i = 0; i < COUNT_OF(ca_files); i++) {
		const char *file = arena_printf(&m->arena, "%s/%s", folder, ca_files[i]);
		char *text;
		size_t len;
		if (access(file, F_OK) != 0)
			continue;
		if (pki_file_read(file, &text, &len, err) != 0)
			return err->code;
		json_lib_set_str(files, ca_files[i], (struct slice){text, len});
		free(text);
		n++;
	}
	if (access(arena_printf(&m->arena, "%s/%s", folder, other_file), F_OK) == 0)
		fprintf(stderr, "note: %s is left alone: servers know each other by etcd/peer-ca.crt alone\n",
		        other_file);
	return n ? 0
	         : err_set(err, ERR_NOT_FOUND,
	                   "%s has none of server-ca.crt and .key, client-ca.crt and .key, request-header-ca.crt and "
	                   ".key, etcd/peer-ca.crt and .key, service.key (nor has tls/ in it)",
	                   path);
}

static int rotate_ca(int argc, char **argv)
{
	struct admin m = {0};
	struct err err = ERR_INIT;
	const char *path = NULL;
	bool force = false;
	int code;
	const struct flag table[] = {
	        {"path", 0, FLAG_STRING, &path, NULL,
	                "folder with server-ca, client-ca, request-header-ca and etcd/peer-ca (.crt and .key) and "
	                "service.key, or some of them",
	                NULL},
	        {"force", 'f', FLAG_BOOL, &force, NULL,
	                "take CAs that the old ones do not vouch for, and trust those no more", NULL}};
	struct flags f = {.program = "k3x certificate rotate-ca",
	        .summary = "k3x certificate rotate-ca --path DIR: give the cluster new CAs, from files. Each NAME.crt "
	                   "begins "
	                   "with the new CA\nand has one of the same key behind it that the old CA has signed; old and "
	                   "new are "
	                   "trusted then.\nAll servers take them over while they run; the hash in the join tokens "
	                   "changes"};
	if (admin_parse(&m, &f, table, COUNT_OF(table), argc, argv, 0, 0, &code) == 0) {
		json_auto_t *ask = json_object();
		json_t *files = json_object();
		if (!path)
			err_set(&err, ERR_INVAL, "--path is needed");
		else
			read_files(&m, path, files, &err);
		json_lib_set(ask, "files", files);
		json_lib_set_bool(ask, "force", force);
		json_auto_t *v = err.code ? NULL : call(&m, "/v1-k3x/server-operate/certificate-rotate-ca", ask, &err);
		if (v && m.json)
			json_lib_print(stdout, json_incref(v));
		else if (v)
			printf("The cluster has new CAs. Servers use them now; restart agents, and give out the new "
			       "admin "
			       "kubeconfig.\nThe join token is\n\n  %.*s\n",
			        SLICE_FMT(json_lib_get_str(v, "token")));
		code = err.code ? admin_fail("certificate rotate-ca", &err) : 0;
	}
	admin_release(&m);
	return code;
}

static const struct operate_command commands[] = {
        {"check", "", "the certificates there are, and how long they are good", check},
        {"rotate", "", "make new certificates now", rotate},
        {"rotate-ca", "", "give the cluster new CAs", rotate_ca},
};

int certificate_main(int argc, char **argv)
{
	return operate_group("certificate", "certificates of a server, and the cluster's CAs", commands,
	        COUNT_OF(commands), argc, argv);
}

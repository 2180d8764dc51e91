/* See server_operate.h. An operation is a row: a JSON object comes in, one goes out. What can go wrong is said by who
 * does it; here, that the body is no object. */
#include "tools/k3x/server_operate.h"

#include "api/server/join/words.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json_lib.h"
#include "base/pki/pki.h"
#include "store/ask.h"
#include "tools/k3x/keys/server_certs.h"
#include "tools/k3x/keys/server_encryption.h"
#include "tools/k3x/keys/server_keeper.h"
#include "tools/k3x/keys/server_rotate.h"
#include "tools/k3x/snapshots/server_snapshots.h"
#include "tools/k3x/server_store.h"
#include "tools/snapshots/settings_json.h"
#include "tools/store/hold.h"
#include "tools/store/source.h"

#include <stdlib.h>

/* NULL when it is not there. */
static const char *text_of(struct server_operate *o, const json_t *v, const char *name)
{
	struct slice s = json_lib_get_str(v, name);
	return s.ptr ? arena_printf(&o->settings.arena, "%.*s", SLICE_FMT(s)) : NULL;
}

static const char *text_at(struct server_operate *o, struct slice s)
{
	return arena_printf(&o->settings.arena, "%.*s", SLICE_FMT(s));
}

/* ---- tokens ---- */

static int set_token(struct server_operate *o, json_t *ret, struct err *err)
{
	char *text;
	size_t len;
	if (pki_file_read(server_file(&o->settings, "server/token"), &text, &len, err) != 0)
		return err->code;
	json_lib_set_str(ret, "token", slice_trim((struct slice){text, len}));
	free(text);
	return 0;
}

static int token_rotate(struct server_operate *o, const json_t *ask, json_t *ret, struct err *err)
{
	struct server_keys_change c;
	const char *old = text_of(o, ask, "token");
	if (!old)
		return err_set(err, ERR_INVAL, "\"token\" is needed, the one the cluster has");
	if (server_rotate_token(&o->settings, old, text_of(o, ask, "newToken"), &c, err) != 0 ||
	        keeper_change(o->keeper, &c, err) != 0)
		return err->code;
	return set_token(o, ret, err);
}

/* ---- certificates ---- */

static void add_certificate(void *arg, const struct server_certificate *c)
{
	json_t *v = json_object();
	json_lib_set_cstr(v, "certificate", c->place);
	json_lib_set_cstr(v, "service", c->service);
	json_array_append_new(arg, v);
}

static int certificate_rotate(struct server_operate *o, const json_t *ask, json_t *ret, struct err *err)
{
	unsigned leaves = 0, some, made = 0;
	const json_t *services = json_object_get(ask, "services");
	for (size_t i = 0; i < json_array_size(services); i++) {
		struct slice name = json_lib_str(json_array_get(services, i));
		if (server_certificates_of(arena_printf(&o->settings.arena, "%.*s", SLICE_FMT(name)), &some, err) != 0)
			return err->code;
		leaves |= some;
	}
	if (!json_array_size(services))
		server_certificates_of(NULL, &leaves, err);
	if (keeper_renew(o->keeper, leaves, &made, err) != 0)
		return err->code;
	json_t *list = json_array();
	server_certificates_each_of(&o->settings, clock_wall_s(), made, add_certificate, list);
	json_lib_set(ret, "renewed", list);
	return 0;
}

static int certificate_rotate_ca(struct server_operate *o, const json_t *ask, json_t *ret, struct err *err)
{
	const json_t *files = json_object_get(ask, "files");
	struct server_keys_change c;
	struct server_new_cas n = {.server_ca = text_of(o, files, "server-ca.crt"),
	        .server_ca_key = text_of(o, files, "server-ca.key"),
	        .client_ca = text_of(o, files, "client-ca.crt"),
	        .client_ca_key = text_of(o, files, "client-ca.key"),
	        .service_key = text_of(o, files, "service.key"),
	        .peer_ca = text_of(o, files, "etcd/peer-ca.crt"),
	        .peer_ca_key = text_of(o, files, "etcd/peer-ca.key"),
	        .proxy_ca = text_of(o, files, "request-header-ca.crt"),
	        .proxy_ca_key = text_of(o, files, "request-header-ca.key"),
	        .force = json_lib_get_bool(ask, "force", false)};
	if (server_rotate_cas(&o->settings, &n, clock_wall_s(), &c, err) != 0 || keeper_change(o->keeper, &c, err) != 0)
		return err->code;
	return set_token(o, ret, err);
}

/* ---- snapshots ---- */

/* What was not said is as the server has it. */
static int snapshot_save(struct server_operate *o, const json_t *ask, json_t *ret, struct err *err)
{
	struct snapshot_settings how = o->settings.snapshots;
	struct snapshot_made made;
	how.name = "on-demand";
	how.retention = how.s3.retention = 0;
	snapshot_settings_read(&how, ask, &o->settings.arena);
	if (snapshot_settings_check(&how, err) != 0 ||
	        snapshots_take(o->snapshots, &how, true, &o->settings.arena, &made, err) != 0)
		return err->code;
	json_lib_set_cstr(ret, "name", made.name);
	json_lib_set_fmt(ret, "location", "file://%s", made.path);
	json_lib_set_int(ret, "size", made.size);
	json_lib_set_int(ret, "created", made.created_s);
	json_lib_set_int(ret, "revision", made.revision);
	json_lib_set_cstr(ret, "node", o->settings.node_name);
	json_lib_set_bool(ret, "inS3", made.is_in_s3);
	if (made.s3_err.code)
		json_lib_set_cstr(ret, "s3Error", made.s3_err.msg);
	return 0;
}

/* Somebody removed some behind our back. */
static int snapshots_look(struct server_operate *o, const json_t *ask, json_t *ret, struct err *err)
{
	snapshots_changed(o->snapshots);
	return 0;
}

/* ---- secrets at rest ---- */

/* What the servers say that they have: alike, and each. Servers that say nothing are of before: they are not alike. */
static int compare_servers(struct server_operate *o, const char *hash, json_t *ret, struct err *err)
{
	struct store_question q = {.req.type = STORE_REQUEST_SYSTEM_READ};
	json_t *servers = json_object();
	bool all = true;
	q.req.system.prefix = SLICE("k3x/");
	if (store_ask(o->store, &q) != 0)
		*err = q.req.err;
	for (size_t i = 0; !err->code && i < q.req.system.n_entries; i++) {
		const struct store_system_entry *e = &q.req.system.entries[i];
		if (!slice_starts(e->key, JOIN_NAMES_PREFIX))
			continue;
		struct slice id = {e->key.ptr + sizeof JOIN_NAMES_PREFIX - 1,
		                     e->key.len - (sizeof JOIN_NAMES_PREFIX - 1)},
		             has = SLICE_NULL;
		for (size_t k = 0; k < q.req.system.n_entries; k++) {
			const struct store_system_entry *x = &q.req.system.entries[k];
			if (slice_starts(x->key, SERVER_ENCRYPTION_PREFIX) && slice_ends(x->key, text_at(o, id)))
				has = x->value;
		}
		all = all && slice_is(has, hash);
		json_lib_set_str(servers, text_at(o, e->value), has);
	}
	json_lib_set(ret, "servers", servers);
	json_lib_set_bool(ret, "hashesMatch", all);
	store_request_release(&q.req);
	return err->code;
}

static int encryption_status(struct server_operate *o, json_t *ret, struct err *err)
{
	struct encryption_texts now;
	struct encryption_view v;
	json_t *keys = json_array();
	if (encryption_read(&o->settings, &now, err) != 0 ||
	        encryption_describe(&o->settings.arena, &now, &v, err) != 0) {
		json_decref(keys);
		return err->code;
	}
	for (size_t i = 0; i < v.n_keys; i++) {
		json_t *key = json_object();
		json_lib_set_bool(key, "active", i == 0 && v.is_enabled);
		json_lib_set_cstr(key, "type", v.keys[i].type);
		json_lib_set_cstr(key, "name", v.keys[i].name);
		json_array_append_new(keys, key);
	}
	json_lib_set_bool(ret, "configured", v.is_there);
	json_lib_set_bool(ret, "enabled", v.is_enabled);
	json_lib_set_cstr(ret, "stage", v.stage);
	json_lib_set_cstr(ret, "hash", v.hash);
	json_lib_set(ret, "keys", keys);
	return compare_servers(o, v.hash, ret, err);
}

/* {"action": "status", "enable", ...: encryption_change(), "provider": of a new key, "force"} */
static int secrets_encrypt(struct server_operate *o, const json_t *ask, json_t *ret, struct err *err)
{
	struct encryption_texts now, then;
	const char *action = text_of(o, ask, "action");
	bool is_forced = json_lib_get_bool(ask, "force", false);
	if (o->settings.apiserver.encryption_config)
		return err_set(err, ERR_CONFLICT,
		        "this server was given --kube-apiserver-arg=encryption-provider-config: that file is changed "
		        "by "
		        "hand, on every server");
	if (encryption_status(o, ret, err) != 0 || !action || strcmp(action, "status") == 0)
		return err->code;
	if (!is_forced && !json_lib_get_bool(ret, "hashesMatch", false))
		return err_set(err, ERR_CONFLICT,
		        "not all servers have the same encryption configuration yet: k3x secrets-encrypt status names "
		        "them "
		        "(-f goes on all the same)");
	if (encryption_read(&o->settings, &now, err) != 0 ||
	        encryption_change(&o->settings.arena, &now, action, text_of(o, ask, "provider"), is_forced,
	                clock_wall_s(), &then, err) != 0)
		return err->code;
	struct server_keys_change c = {.n = 2, .encryption_from = text_of(o, ret, "hash")};
	c.keys[0] = (struct server_key){ENCRYPTION_STATE_PLACE, then.state};
	c.keys[1] = (struct server_key){ENCRYPTION_CONFIG_PLACE, then.config};
	if (keeper_change(o->keeper, &c, err) != 0)
		return err->code;
	json_object_clear(ret);
	return encryption_status(o, ret, err);
}

/* ---- moving to another datastore ---- */

static struct store_hold hold_of(const json_t *ask)
{
	return (struct store_hold){json_lib_get_int(ask, "lease", 0), json_lib_get_int(ask, "version", 0)};
}

/* {"action": "copy", to the file "path" on this machine; "hold", for "seconds"; "end", "forGood" (and "why"), of the
 * hold that "hold" answered; "undo"} */
static int migrate(struct server_operate *o, const json_t *ask, json_t *ret, struct err *err)
{
	const char *action = text_of(o, ask, "action"), *path = text_of(o, ask, "path"), *why = text_of(o, ask, "why");
	struct store_hold h = hold_of(ask);
	int64_t revision, system;
	if (action && strcmp(action, "copy") == 0 && path)
		return store_copy(o->store, path, &revision, &system, err);
	if (action && strcmp(action, "end") == 0)
		return store_hold_end(o->store, &h, err);
	if (action && strcmp(action, "forGood") == 0 && why)
		return store_hold_for_good(o->store, &h, why, err);
	if (action && strcmp(action, "undo") == 0)
		return store_hold_undo(o->store, err);
	if (!action || strcmp(action, "hold") != 0)
		return err_set(err, ERR_INVAL, "\"action\" is copy, hold, end, forGood or undo");
	if (store_hold_begin(o->store, json_lib_get_int(ask, "seconds", 60), &h, err) != 0)
		return err->code;
	json_lib_set_int(ret, "lease", h.lease);
	json_lib_set_int(ret, "version", h.version);
	return 0;
}

/* ---- the table ---- */

static const struct {
	const char *name;
	int (*run)(struct server_operate *o, const json_t *ask, json_t *ret, struct err *err);
} rows[] = {
        {"token-rotate", token_rotate},
        {"certificate-rotate", certificate_rotate},
        {"certificate-rotate-ca", certificate_rotate_ca},
        {"snapshot-save", snapshot_save},
        {"snapshots-changed", snapshots_look},
        {"secrets-encrypt", secrets_encrypt},
        {"migrate", migrate},
};

int server_operate_run(void *arg, struct slice name, struct slice body, struct strbuf *answer, struct err *err)
{
	struct server_operate *o = arg;
	json_auto_t *ret = json_object();
	json_auto_t *ask = json_lib_parse(body.len ? body : SLICE("{}"), err);
	if (!ask || !json_is_object(ask))
		return err->code ? err->code : err_set(err, ERR_INVAL, "the body is no JSON object");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (!slice_is(name, rows[i].name))
			continue;
		if (rows[i].run(o, ask, ret, err) == 0)
			json_lib_write(answer, ret);
		arena_release(&o->settings.arena);
		o->settings.arena = ARENA_INIT;
		return err->code;
	}
	return err_set(err, ERR_NOT_FOUND, "this server knows no operation \"%.*s\": is it of an older version?",
	        SLICE_FMT(name));
}

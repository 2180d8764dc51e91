/* See server_operate.h. An operation is a row: a JSON object comes in, one goes out. What can go wrong is said by who
 * does it; here, that the body is no object. */
#include "tools/k3x/server_operate.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json_lib.h"
#include "base/pki.h"
#include "tools/k3x/server_certs.h"
#include "tools/k3x/server_keeper.h"
#include "tools/k3x/server_rotate.h"
#include "tools/k3x/server_snapshots.h"
#include "tools/snapshots/settings_json.h"

#include <stdlib.h>

/* NULL when it is not there. */
static const char *text_of(struct server_operate *o, const json_t *v, const char *name)
{
	struct slice s = json_lib_get_str(v, name);
	return s.ptr ? arena_printf(&o->settings.arena, "%.*s", SLICE_FMT(s)) : NULL;
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

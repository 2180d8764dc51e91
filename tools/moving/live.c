/* See live.h. Of a datastore outside one's own engine on it does all that. Of a server's own store the server is asked,
 * over its API as its administrator (server_operate.c, "migrate"); it writes copies to files, so it must run on this
 * machine. */
#include "tools/moving/live.h"

#include "base/json_lib.h"

#include <stdio.h>
#include <unistd.h>

#define OPERATE "/v1-k3x/server-operate/migrate"
enum { CALL_MS = 15 * 60 * 1000 };

/* Takes the question; *ret_answer, which may be NULL, is the caller's. */
static int ask_server(struct live *l, json_t *ask, json_t **ret_answer, struct err *err)
{
	struct strbuf body = STRBUF_INIT, answer = STRBUF_INIT;
	json_lib_write(&body, ask);
	json_decref(ask);
	if (admin_call(&l->admin, "POST", OPERATE, strbuf_slice(&body), CALL_MS, &answer, err) == 0 && ret_answer)
		*ret_answer = json_lib_parse(strbuf_slice(&answer), err);
	strbuf_release(&body);
	strbuf_release(&answer);
	return err->code;
}

static json_t *question(const struct live *l, const char *action)
{
	json_t *v = json_object();
	json_lib_set_cstr(v, "action", action);
	json_lib_set_int(v, "lease", l->hold.lease);
	json_lib_set_int(v, "version", l->hold.version);
	return v;
}

static int copy(void *arg, const char *path, struct err *err)
{
	struct live *l = arg;
	json_t *v = question(l, "copy");
	json_lib_set_cstr(v, "path", path);
	if (ask_server(l, v, NULL, err) == 0 && access(path, F_OK) != 0)
		err_set(err, ERR_NOT_FOUND,
		        "the server made its copy somewhere else: run this on the server's machine");
	return err->code;
}

int live_open(struct live *l, struct err *err)
{
	struct store_source *s = l->source;
	if (s->engine)
		return 0;
	l->admin.kubeconfig = arena_printf(&l->admin.arena, "%s/../cred/admin.kubeconfig", s->from);
	if (admin_connect(&l->admin, err) != 0)
		return err_wrap(err, "--live wants DATA/server/db of a server that runs here, or a datastore's name");
	s->copy = copy;
	s->arg = l;
	return 0;
}

int live_hold(struct live *l, int64_t seconds, struct err *err)
{
	if (l->source->engine) {
		store_hold_begin(l->source->engine, seconds, &l->hold, err);
	} else {
		json_t *answer = NULL, *v = question(l, "hold");
		json_lib_set_int(v, "seconds", seconds);
		if (ask_server(l, v, &answer, err) == 0)
			l->hold = (struct store_hold){
			        json_lib_get_int(answer, "lease", 0), json_lib_get_int(answer, "version", 0)};
		json_decref(answer);
	}
	l->is_held = err->code == 0;
	return err->code;
}

void live_end(struct live *l)
{
	struct err err = ERR_INIT;
	if (!l->is_held)
		return;
	l->is_held = false;
	int rc = l->source->engine ? store_hold_end(l->source->engine, &l->hold, &err)
	                           : ask_server(l, question(l, "end"), NULL, &err);
	if (rc != 0)
		fprintf(stderr, "writes go on when the stop has run out: %s\n", err.msg);
}

int live_end_for_good(struct live *l, const char *why, struct err *err)
{
	if (l->source->engine) {
		store_hold_for_good(l->source->engine, &l->hold, why, err);
	} else {
		json_t *v = question(l, "forGood");
		json_lib_set_cstr(v, "why", why);
		ask_server(l, v, NULL, err);
	}
	l->is_held = l->is_held && err->code;
	return err->code;
}

int live_undo(struct live *l, struct err *err)
{
	if (l->source->engine)
		return store_hold_undo(l->source->engine, err);
	return ask_server(l, question(l, "undo"), NULL, err);
}

void live_release(struct live *l)
{
	live_end(l);
	admin_release(&l->admin);
}

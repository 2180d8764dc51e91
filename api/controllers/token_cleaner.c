/* Bootstrap tokens that are over are deleted. Keys are Secrets of kube-system; one whose time has not come is put off
 * until then. A date that is none is never reached: such a token is good for nothing (the API server says so) and stays
 * for somebody to look at.
 *
 * Only Secrets of the one type are watched, by an informer of its own: all others would lie in memory for nothing.
 *
 * Upstream: pkg/controller/bootstrap/tokencleaner.go. */
#include "api/controllers/controllers_int.h"

#include "api/machinery/codec/scalar.h"
#include "base/base64.h"

enum { WAIT_S_MAX = 24 * 3600 };

struct cleaner {
	struct controllers *c;
	struct informer *secrets;
	struct work_queue *queue;
};

static void changed(void *arg, struct informer_object *o)
{
	struct cleaner *s = arg;
	work_queue_add(s->queue, o->key);
}

static void updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	changed(arg, o);
}

/* False: it says nothing, or no date. */
static bool ends_at(struct arena *a, struct slice secret, int64_t *ret_s)
{
	struct err unused = ERR_INIT;
	struct slice text;
	int32_t ns;
	return base64_decode(a, json_find(secret, "data", "expiration", NULL), &text) && text.len &&
	       scalar_time_parse(text, ret_s, &ns, &unused) == 0;
}

/* With its uid: one that was made again under the name meanwhile is another. */
static void remove_token(struct work *w, const struct informer_object *o)
{
	struct meta m;
	struct arena *a = &w->arena;
	meta_read(informer_text(o), &m);
	struct json *options = json_new(a, JSON_OBJECT);
	json_set_str(a, json_need(a, options, "preconditions", JSON_OBJECT), "uid", m.uid);
	work_send(w, "DELETE", kube_path(a, "v1", "secrets", w->ns, w->name, NULL), options, work_done_ignore_missing);
}

static void run(struct work *w)
{
	struct cleaner *s = w->arg;
	struct informer_object *o = informer_get(s->secrets, w->key);
	int64_t end_s, now_s = kube_time_now_s();
	if (!o || !ends_at(&w->arena, informer_text(o), &end_s))
		return;
	if (end_s > now_s) /* the clock may be set meanwhile */
		work_again(w, (end_s - now_s < WAIT_S_MAX ? end_s - now_s : WAIT_S_MAX) * 1000);
	else
		remove_token(w, o);
}

void *token_cleaner_start(struct controllers *c)
{
	struct cleaner *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->queue = controllers_queue(c, "token-cleaner", 1, run, s);
	s->secrets = informer_new(&(struct informer_options){.client = c->client,
	        .path = "/api/v1/namespaces/kube-system/secrets",
	        .field_selector = "type=bootstrap.kubernetes.io/token",
	        .added = changed,
	        .updated = updated,
	        .arg = s});
	return s;
}

void token_cleaner_stop(void *state)
{
	struct cleaner *s = state;
	closing_hold(&s->c->closing);
	informer_close(s->secrets, closing_part_done, &s->c->closing);
}

void token_cleaner_release(void *state)
{
	free(state);
}

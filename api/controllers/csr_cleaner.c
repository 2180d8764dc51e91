/* Requests for certificates that are over are deleted: csr_ends_at() says when.
 *
 * Upstream: pkg/controller/certificates/cleaner/cleaner.go. */
#include "api/controllers/controllers_int.h"
#include "api/controllers/csr.h"

enum { WAIT_S_MAX = 24 * 3600 };

struct cleaner {
	struct controllers *c;
	struct shared_informer *requests;
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

static void run(struct work *w)
{
	struct cleaner *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->requests), w->key);
	struct json *object = o ? informer_parse(&w->arena, o) : NULL;
	if (!object)
		return;
	int64_t left_s = csr_ends_at(&w->arena, object) - kube_time_now_s();
	if (left_s > 0) {
		work_again(w, (left_s < WAIT_S_MAX ? left_s : WAIT_S_MAX) * 1000);
		return;
	}
	struct json *options = json_new(&w->arena, JSON_OBJECT);
	json_set_str(&w->arena, json_need(&w->arena, options, "preconditions", JSON_OBJECT), "uid",
	        json_str(json_path(object, "metadata", "uid", NULL)));
	work_send(w, "DELETE",
	        kube_path(&w->arena, "certificates.k8s.io/v1", "certificatesigningrequests", SLICE_NULL, w->name, NULL),
	        options, work_done_ignore_missing);
}

void *csr_cleaner_start(struct controllers *c)
{
	struct cleaner *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->queue = controllers_queue(c, "csrcleaner", 1, run, s);
	s->requests = controllers_listen(
	        c, CERTIFICATE_REQUESTS, &(struct informer_handler){.added = changed, .updated = updated, .arg = s});
	return s;
}

void csr_cleaner_release(void *state)
{
	free(state);
}

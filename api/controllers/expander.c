/* Claims that ask for more than they have: whoever made the volume makes it larger (the resizer beside its driver sets
 * the conditions and the new size), and here the user is told that it is waited for. Once per size that is asked for,
 * and again after a restart, as an event has its count for. Upstream: pkg/controller/volume/expand. */
#include "api/controllers/controllers_int.h"
#include "api/machinery/rules/volume_binding.h"
#include "api/machinery/codec/quantity.h"

struct expander {
	struct shared_informer *claims, *volumes;
	struct work_queue *queue;
	struct recorder *recorder;
};

static bool wants_more(struct slice text, struct claim_view *c)
{
	claim_view_read(text, c);
	return slice_is(c->phase, "Bound") && c->volume.len &&
	       c->size > quantity_text_value(json_find(text, "status", "capacity", "storage", NULL));
}

static void run(struct work *w)
{
	struct expander *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->claims), w->key);
	struct claim_view c;
	struct volume_view v;
	struct meta m;
	if (!o || !wants_more(informer_text(o), &c))
		return;
	struct informer_object *volume = informer_get(shared_informer_base(s->volumes), c.volume);
	if (!volume)
		return; /* the binder says so */
	volume_view_read(informer_text(volume), &v);
	if (!slice_eq(v.claim_uid, c.uid))
		return;
	meta_read(informer_text(o), &m);
	struct recorder_subject about = recorder_about("v1", "PersistentVolumeClaim", &m);
	recorder_event(s->recorder, &about, "Normal", "ExternalExpanding",
	        "waiting for an external controller to expand this PVC");
}

static void claim_added(void *arg, struct informer_object *o)
{
	struct expander *s = arg;
	struct claim_view c;
	if (wants_more(informer_text(o), &c))
		work_queue_add(s->queue, o->key);
}

/* The resizer writes conditions meanwhile: those are no news. */
static void claim_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct claim_view c;
	claim_view_read((struct slice){before->data, before->len}, &c);
	int64_t size = c.size;
	bool was_bound = slice_is(c.phase, "Bound");
	claim_view_read(informer_text(o), &c);
	if (c.size != size || !was_bound)
		claim_added(arg, o);
}

void *expander_start(struct controllers *c)
{
	struct expander *s = xcalloc(1, sizeof *s);
	s->recorder = controllers_recorder(c, "volume_expand");
	s->queue = controllers_queue(c, "volume-expand", 1, run, s);
	s->volumes = informer_set_get(c->informers, VOLUMES);
	s->claims = controllers_listen(
	        c, CLAIMS, &(struct informer_handler){.added = claim_added, .updated = claim_updated, .arg = s});
	return s;
}

void expander_release(void *state)
{
	free(state);
}

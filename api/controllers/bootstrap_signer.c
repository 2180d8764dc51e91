/* The bootstrap signer: the ConfigMap kube-public/cluster-info, where there is one (kubeadm and others make it), holds
 * its kubeconfig signed with every bootstrap token that may sign.
 *
 *     the ConfigMap, or a token, has changed, or a token's time is over --> all signatures are made anew, and written
 * when one of them differs
 *
 * What can go wrong: the ConfigMap is written by somebody else at the same time (its event brings us back).
 * Upstream: pkg/controller/bootstrap/bootstrapsigner.go, which is off unless it is asked for; ours costs nothing where
 * there is no such ConfigMap. */
#include "api/controllers/cluster_info.h"
#include "api/controllers/controllers_int.h"

/* Dates of tokens are looked at so often. */
enum { AGAIN_MS = 60 * 1000 };

static const struct slice key = {"kube-public/cluster-info", 24};

struct signer {
	struct controllers *c;
	struct informer *secrets, *maps;
	struct work_queue *queue;
};

static void changed(void *arg, struct informer_object *o)
{
	struct signer *s = arg;
	work_queue_add(s->queue, key);
}

static void updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	changed(arg, o);
}

static bool only_if_changed(struct work *w, struct json *map)
{
	struct signer *s = w->arg;
	struct signing_token *tokens = ARENA_ARRAY(&w->arena, struct signing_token, informer_count(s->secrets) + 1);
	size_t n = 0;
	INFORMER_FOREACH(o, s->secrets)
	n += signing_token_read(&w->arena, informer_text(o), kube_time_now_s(), &tokens[n]);
	if (n)
		work_again(w, AGAIN_MS);
	return cluster_info_update(&w->arena, json_need(&w->arena, map, "data", JSON_OBJECT), tokens, n);
}

static void run(struct work *w)
{
	struct signer *s = w->arg;
	struct informer_object *o = informer_get(s->maps, key);
	struct json *map = o ? informer_parse(&w->arena, o) : NULL;
	if (map && informer_is_synced(s->secrets) && only_if_changed(w, map))
		work_send(w, "PUT", kube_path(&w->arena, "v1", "configmaps", w->ns, w->name, NULL), map,
		        work_done_ignore_missing);
}

static void secrets_synced(void *arg)
{
	struct signer *s = arg;
	work_queue_add(s->queue, key);
}

void *bootstrap_signer_start(struct controllers *c)
{
	struct signer *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->queue = controllers_queue(c, "bootstrap-signer", 1, run, s);
	s->maps = informer_new(&(struct informer_options){.client = c->client,
	        .path = "/api/v1/namespaces/kube-public/configmaps",
	        .field_selector = "metadata.name=cluster-info",
	        .added = changed,
	        .updated = updated,
	        .arg = s});
	s->secrets = informer_new(&(struct informer_options){.client = c->client,
	        .path = "/api/v1/namespaces/kube-system/secrets",
	        .field_selector = "type=bootstrap.kubernetes.io/token",
	        .added = changed,
	        .updated = updated,
	        .deleted = changed,
	        .synced = secrets_synced,
	        .arg = s});
	return s;
}

void bootstrap_signer_stop(void *state)
{
	struct signer *s = state;
	closing_hold(&s->c->closing);
	informer_close(s->secrets, closing_part_done, &s->c->closing);
	closing_hold(&s->c->closing);
	informer_close(s->maps, closing_part_done, &s->c->closing);
}

void bootstrap_signer_release(void *state)
{
	free(state);
}

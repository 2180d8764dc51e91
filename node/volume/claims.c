/* See claims.h. For each volume of the pod that stands for a claim:
 *
 *     (unknown) --claim is bound--> its volume --points back--> this node, when it is tied to some --reaches it-->
 * known
 *
 * Everything else is an error that says what is waited for, in upstream's words; the pod is tried again later, with all
 * that is not known yet. Volumes that lie on this host are built, hostPath and local, and those of CSI drivers (csi/).
 *
 * Upstream: pkg/kubelet/volumemanager/populator (getPVCExtractPV, getPVSpec). */
#include "node/volume/claims.h"

#include "api/machinery/rules/volume_binding.h"
#include "base/check.h"
#include "base/json/scan.h"
#include "node/csi/csi.h"
#include "node/ground/api_call.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/volume/nfs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct entry {
	struct claims *claims;
	struct claim_source source;
	const char *claim, *pv; /* names */
	bool is_own, is_known;  /* own: made for this pod alone */
	const char *claim_uid;
	struct slice pv_text, claim_text;
	struct arena arena; /* of what was asked for last */
};

struct claims {
	struct pod *pod;
	struct arena arena;
	struct entry *entries;
	size_t count;
	struct err *err; /* of the asking under way */
	bool is_refresh;
	void (*begun)(void *arg);
	void (*answered)(void *arg);
	void *arg;
};

static struct slice claim_of(struct arena *a, const struct pod *p, const struct json *volume)
{
	if (json_get(volume, "ephemeral"))
		return slice_of(arena_printf(a, "%s-%.*s", p->name, SLICE_FMT(json_get_str(volume, "name"))));
	return json_str(json_path(volume, "persistentVolumeClaim", "claimName", NULL));
}

static const char *keep(struct arena *a, struct slice s)
{
	return arena_printf(a, "%.*s", SLICE_FMT(s));
}

struct claims *claims_new(struct pod *p)
{
	struct claims *c = xcalloc(1, sizeof *c);
	struct json *volumes = json_get(p->spec, "volumes");
	c->pod = p;
	c->entries = ARENA_ARRAY(&c->arena, struct entry, volumes ? volumes->count + 1 : 1);
	JSON_FOREACH (it, volumes) {
		struct slice claim = claim_of(&c->arena, p, it);
		if (!claim.len)
			continue;
		struct entry *e = &c->entries[c->count++];
		e->claims = c;
		e->claim = keep(&c->arena, claim);
		e->is_own = json_get(it, "ephemeral") != NULL;
		e->source.volume = slice_of(keep(&c->arena, json_get_str(it, "name")));
		e->source.is_read_only = json_get_bool(json_get(it, "persistentVolumeClaim"), "readOnly", false);
	}
	if (c->count)
		return c;
	claims_free(c);
	return NULL;
}

void claims_free(struct claims *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->count; i++)
		arena_release(&c->entries[i].arena);
	arena_release(&c->arena);
	free(c);
}

const struct claim_source *claims_find(const struct claims *c, struct slice volume)
{
	DCHECK(!c || c->count);
	for (size_t i = 0; c && i < c->count; i++)
		if (c->entries[i].is_known && slice_eq(c->entries[i].source.volume, volume))
			return &c->entries[i].source;
	return NULL;
}

/* ---- what is wrong ---- */

__attribute__((format(printf, 2, 3))) static void fail(struct entry *e, const char *fmt, ...)
{
	struct claims *c = e->claims;
	struct slice name = e->source.volume;
	char why[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(why, sizeof why, fmt, args);
	va_end(args);
	if (!c->err->code && !(c->is_refresh && e->is_known))
		err_set(c->err, ERR_UNAVAILABLE,
		        "Unable to attach or mount volumes: unmounted volumes=[%.*s], unattached volumes=[], failed to "
		        "process "
		        "volumes=[%.*s]: error processing PVC %s/%s: %s",
		        SLICE_FMT(name), SLICE_FMT(name), c->pod->ns, e->claim, why);
}

/* ---- the volume ---- */

static bool is_used_as_block(const struct json *spec, struct slice volume)
{
	static const char *const lists[] = {"initContainers", "containers"};
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (c, json_get(spec, lists[i]))
			JSON_FOREACH (d, json_get(c, "volumeDevices"))
				if (slice_eq(json_get_str(d, "name"), volume))
					return true;
	return false;
}

/* Of a driver: where it will lie is known before it does. */
static void know_csi(struct entry *e, const struct volume_view *v, const struct json *pv)
{
	CHECK(e->claims->pod->n->csi);
	struct claims *c = e->claims;
	e->source.pv = pv;
	e->source.object = json_parse(&e->arena, e->claim_text, NULL, NULL);
	if (e->is_known)
		return;
	e->is_known = e->source.is_csi = true;
	e->source.is_block = v->is_block;
	e->source.type = "";
	struct csi_wish wish = {.pod = c->pod,
	        .volume = e->source.volume,
	        .source = json_path(pv, "spec", "csi", NULL),
	        .pv = pv,
	        .is_block = v->is_block};
	e->source.path = csi_mount_path(c->pod->n->csi, &wish, &c->arena);
}

/* As a pod's own volume, but for its options; upstream does not look at the volume's own readOnly. */
static void know_nfs(struct entry *e, const struct json *pv)
{
	struct arena *a = &e->claims->arena;
	struct nfs_source *nfs = ARENA_NEW(a, struct nfs_source);
	nfs_source_read(a, json_path(pv, "spec", "nfs", NULL), pv, e->source.is_read_only, nfs);
	e->is_known = true;
	e->source.nfs = nfs;
	e->source.pv_name = keep(a, slice_of(e->pv));
	e->source.type = "";
	e->source.path = nfs_mount_path(e->claims->pod, a, slice_of(e->pv));
}

static void know(struct entry *e, const struct volume_view *v)
{
	struct arena *a = &e->claims->arena;
	struct json *pv = json_parse(&e->arena, v->text, NULL, NULL);
	if (json_path(pv, "spec", "csi", NULL)) {
		know_csi(e, v, pv);
		return;
	}
	if (json_path(pv, "spec", "nfs", NULL)) {
		know_nfs(e, pv);
		return;
	}
	struct json *spec = json_get(pv, "spec"), *local = json_get(spec, "local"), *host = json_get(spec, "hostPath");
	if (!local && !host) {
		fail(e, "PV %s is of a kind that is not built yet: hostPath, local, nfs and csi are", e->pv);
		return;
	}
	e->is_known = true;
	e->source.path = json_cstr(a, json_get(local ? local : host, "path"));
	e->source.is_local = local != NULL;
	e->source.is_block = v->is_block;
	e->source.type = v->is_block ? "BlockDevice" : local ? "Directory" : json_cstr(a, json_get(host, "type"));
}

static void got_node(void *arg, int status, struct slice body, const struct err *err)
{
	struct entry *e = arg;
	struct claims *c = e->claims;
	struct slice name = err ? SLICE_NULL : json_find(body, "metadata", "name", NULL);
	struct volume_view v;
	volume_view_read(e->pv_text, &v);
	if (err)
		fail(e, "get this node: %s", err->msg);
	else if (!volume_reaches_node(&v, name, json_find(body, "metadata", "labels", NULL)))
		fail(e, "MountVolume.NodeAffinity check failed for volume \"%s\" : no matching NodeSelectorTerms",
		        e->pv);
	else
		know(e, &v);
	c->answered(c->arg);
}

static void take_volume(struct entry *e, struct slice text)
{
	CHECK(e->pv && e->claim_uid);
	struct claims *c = e->claims;
	struct volume_view v;
	bool as_block = is_used_as_block(c->pod->spec, e->source.volume);
	e->pv_text = slice_of(keep(&e->arena, text));
	volume_view_read(e->pv_text, &v);
	if (!v.has_claim || !slice_is(v.claim_uid, e->claim_uid)) {
		fail(e, "failed to fetch PV %s from API server: its claimRef is of another claim", e->pv);
	} else if (v.is_block && !as_block) {
		fail(e, "volume %.*s has volumeMode Block, but is specified in volumeMounts",
		        SLICE_FMT(e->source.volume));
	} else if (!v.is_block && as_block) {
		fail(e, "volume %.*s has volumeMode Filesystem, but is specified in volumeDevices",
		        SLICE_FMT(e->source.volume));
	} else if (v.affinity.len) { /* an empty directory on the wrong node would look like lost data */
		c->begun(c->arg);
		api_send(c->pod->n, "GET", NULL, SLICE_NULL, got_node, e, "/api/v1/nodes/%s", c->pod->n->o.node_name);
	} else {
		know(e, &v);
	}
}

static void got_volume(void *arg, int status, struct slice body, const struct err *err)
{
	struct entry *e = arg;
	struct claims *c = e->claims;
	if (err)
		fail(e, "failed to fetch PV %s from API server: %s", e->pv, err->msg);
	else
		take_volume(e, body);
	c->answered(c->arg);
}

/* ---- the claim ---- */

static bool is_of_pod(struct slice claim, const char *uid)
{
	struct arena a = ARENA_INIT;
	bool found = false;
	struct slice text = json_find(claim, "metadata", "ownerReferences", NULL);
	JSON_FOREACH (it, text.len ? json_parse(&a, text, NULL, NULL) : NULL)
		found = found || (json_get_bool(it, "controller", false) && slice_is(json_get_str(it, "uid"), uid));
	arena_release(&a);
	return found;
}

static void take_claim(struct entry *e, struct slice text)
{
	struct claims *c = e->claims;
	struct pod *p = c->pod;
	struct claim_view v;
	claim_view_read(text, &v);
	if (e->is_own && !is_of_pod(text, p->uid)) {
		fail(e, "PVC %s/%s was not created for pod %s/%s (pod is not owner)", p->ns, e->claim, p->ns, p->name);
	} else if (v.is_dying) {
		fail(e, "PVC is being deleted");
	} else if (!slice_is(v.phase, "Bound") || !v.volume.len) {
		fail(e, "PVC is not bound");
	} else {
		e->pv = keep(&e->arena, v.volume);
		e->claim_uid = keep(&e->arena, v.uid);
		e->claim_text = slice_of(keep(&e->arena, text));
		c->begun(c->arg);
		api_send(p->n, "GET", NULL, SLICE_NULL, got_volume, e, "/api/v1/persistentvolumes/%s", e->pv);
	}
}

static void got_claim(void *arg, int status, struct slice body, const struct err *err)
{
	struct entry *e = arg;
	struct claims *c = e->claims;
	if (err)
		fail(e, "failed to fetch PVC from API server: %s", err->msg);
	else
		take_claim(e, body);
	c->answered(c->arg);
}

void claims_ask(struct claims *c, bool is_refresh, struct err *err, void (*begun)(void *arg),
        void (*answered)(void *arg), void *arg)
{
	struct pod *p = c->pod;
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(!err->code);
	c->err = err;
	c->is_refresh = is_refresh;
	c->begun = begun;
	c->answered = answered;
	c->arg = arg;
	for (size_t i = 0; i < c->count; i++) {
		struct entry *e = &c->entries[i];
		if (e->is_known && !e->source.is_csi)
			continue;
		e->source.pv = e->source.object = NULL;
		arena_release(&e->arena);
		begun(arg);
		api_send(p->n, "GET", NULL, SLICE_NULL, got_claim, e, "/api/v1/namespaces/%s/persistentvolumeclaims/%s",
		        p->ns, e->claim);
	}
}

/* Volumes: made under DATA/agent/kubelet/pods/UID/volumes before a pod starts, refreshed while it runs, taken down
 * after.
 *
 *     loop:  list volumes of the spec -> ask for the service account tokens that are missing or old, and for claims
 *     pool:  make folders, mount tmpfs, check host paths, write files (atomic_writer.h)
 *     loop:  drivers mount theirs (csi/), and mount(8) what is a server's (nfs_mount.h)
 *     loop:  done(p, err); the next refresh is set for pods whose files may change
 *
 * The pool reads the pod's object and its refs, which nobody changes while the operation is open. Mounts are found
 * again through /proc/self/mountinfo, so taking down needs no records and works after a restart of ours.
 *
 * Built: emptyDir (disk, Memory), hostPath, configMap, secret, downwardAPI, projected, csi, nfs, and claims that are
 * bound to volumes of this host, of an nfs server or of CSI drivers (claims.h). All other kinds fail with an error that
 * says so. */
#include "node/volume/volume.h"

#include "base/check.h"
#include "base/base64.h"
#include "base/file/file_dirs.h"
#include "base/log.h"
#include "node/csi/csi.h"
#include "node/ground/api_call.h"
#include "node/ground/errand.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_fields.h"
#include "node/ground/pod_record.h"
#include "node/ground/refs.h"
#include "node/ground/times.h"
#include "node/volume/atomic_writer.h"
#include "node/volume/claims.h"
#include "node/volume/local_dir.h"
#include "node/volume/nfs_mount.h"
#include "node/volume/unmount.h"
#include "node/ground/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { REFRESH_MS = 45000, TOKEN_LIFE_S = 3607, DEFAULT_MODE = 0644 };

struct token {
	const struct json *source; /* identity only: which source of the spec, by order */
	size_t index;
	char *text;
	uint64_t renew_ms; /* loop time */
	struct volumes *volumes;
};

/* NONE --> ASKING (for tokens) --> WRITING (on the pool) --> MOUNTING (drivers, nfs) --> READY --> ASKING ..., or back
 * to NONE when the first set-up fails; from NONE and READY to TAKING_DOWN (drivers, nfs, then the pool), which frees
 * the record or, when that fails, goes back. */
enum volumes_state {
	VOLUMES_NONE,
	VOLUMES_ASKING,
	VOLUMES_WRITING,
	VOLUMES_MOUNTING,
	VOLUMES_READY,
	VOLUMES_TAKING_DOWN
};

struct volumes {
	struct pod *pod;
	struct sm sm; /* enum volumes_state */
	struct errand errand;
	struct loop_task task;
	bool refreshes;
	uint64_t refresh_ms;
	struct claims *claims; /* NULL: none */
	struct token *tokens;
	size_t tokens_count;
	bool were_ready; /* once: what fails later is a refresh */
	bool is_first;   /* nothing of the pod runs yet: what is done to volumes once is done now */
	unsigned open;   /* questions, or mounts */
	struct err err;
	void (*done)(struct pod *p, const struct err *err);
	const char *dir; /* of the pod, for the pool */
	struct arena arena;
	struct arena mounting; /* until the end of the set-up */
};

static bool holds(const struct sm *m, int before)
{
	const struct volumes *v = CONTAINER_OF(m, struct volumes, sm);
	return (sm_state(m) != VOLUMES_READY || v->were_ready) && (sm_state(m) != VOLUMES_NONE || !v->were_ready) &&
	       (sm_state(m) == VOLUMES_ASKING || sm_state(m) == VOLUMES_MOUNTING || !v->open);
}

static const struct sm_state states[] = {
        [VOLUMES_NONE] = {"none", SM_TO(VOLUMES_ASKING) | SM_TO(VOLUMES_TAKING_DOWN)},
        [VOLUMES_ASKING] = {"asking", SM_TO(VOLUMES_WRITING) | SM_TO(VOLUMES_NONE) | SM_TO(VOLUMES_READY)},
        [VOLUMES_WRITING] = {"writing", SM_TO(VOLUMES_MOUNTING) | SM_TO(VOLUMES_NONE) | SM_TO(VOLUMES_READY)},
        [VOLUMES_MOUNTING] = {"mounting", SM_TO(VOLUMES_NONE) | SM_TO(VOLUMES_READY)},
        [VOLUMES_READY] = {"ready", SM_TO(VOLUMES_ASKING) | SM_TO(VOLUMES_TAKING_DOWN)},
        [VOLUMES_TAKING_DOWN] = {"taking-down", SM_TO(VOLUMES_NONE) | SM_TO(VOLUMES_READY)},
};
static const struct sm_kind machine = SM_KIND("volumes", states, holds);

/* ---- what a volume is ---- */

static const char *const kinds[][2] = {{"emptyDir", "kubernetes.io~empty-dir"},
        {"configMap", "kubernetes.io~configmap"}, {"secret", "kubernetes.io~secret"},
        {"projected", "kubernetes.io~projected"}, {"downwardAPI", "kubernetes.io~downward-api"}, {"hostPath", NULL}};

static const char *const *kind_of(const struct json *volume)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (json_get(volume, kinds[i][0]))
			return kinds[i];
	return NULL;
}

static struct json *find_volume(const struct pod *p, struct slice name)
{
	JSON_FOREACH (it, json_get(p->spec, "volumes"))
		if (slice_eq(json_get_str(it, "name"), name))
			return it;
	return NULL;
}

/* A volume of a driver's: inline, or by a claim. */
static bool wish_of(const struct pod *p, const struct json *volume, struct csi_wish *ret)
{
	struct slice name = json_get_str(volume, "name");
	const struct claim_source *claim = p->volumes ? claims_find(p->volumes->claims, name) : NULL;
	const struct json *own = json_get(volume, "csi");
	*ret = (struct csi_wish){.pod = (struct pod *)p, .volume = name};
	if (own) {
		ret->source = own;
		ret->is_read_only = json_get_bool(own, "readOnly", false);
	} else if (claim && claim->is_csi && claim->pv) {
		ret->source = json_path(claim->pv, "spec", "csi", NULL);
		ret->pv = claim->pv;
		ret->claim = claim->object;
		ret->is_block = claim->is_block;
		ret->is_read_only = claim->is_read_only;
	}
	return ret->source != NULL;
}

/* Of an nfs server: inline, or by a claim. NULL: none of these. `ret_name`: of what is mounted. */
static const struct nfs_source *nfs_of(
        const struct pod *p, const struct json *volume, struct arena *a, struct slice *ret_name)
{
	struct slice name = json_get_str(volume, "name");
	const struct claim_source *claim = p->volumes ? claims_find(p->volumes->claims, name) : NULL;
	const struct json *own = json_get(volume, "nfs");
	if (claim) {
		*ret_name = claim->nfs ? slice_of(claim->pv_name) : name;
		return claim->nfs;
	}
	*ret_name = name;
	if (!own)
		return NULL;
	struct nfs_source *s = ARENA_NEW(a, struct nfs_source);
	nfs_source_read(a, own, NULL, json_get_bool(own, "readOnly", false), s);
	return s;
}

const char *volume_host_path(const struct pod *p, struct arena *a, struct slice name, bool *ret_read_only)
{
	struct json *v = find_volume(p, name);
	const char *const *kind = v ? kind_of(v) : NULL;
	const struct claim_source *claim = p->volumes ? claims_find(p->volumes->claims, name) : NULL;
	if (claim) {
		*ret_read_only = claim->is_read_only;
		return claim->is_block ? NULL : arena_strdup(a, claim->path);
	}
	struct csi_wish wish;
	if (v && json_get(v, "csi") && wish_of(p, v, &wish)) {
		*ret_read_only = wish.is_read_only;
		return csi_mount_path(p->n->csi, &wish, a);
	}
	if (v && json_get(v, "nfs")) {
		*ret_read_only = json_get_bool(json_get(v, "nfs"), "readOnly", false);
		return nfs_mount_path(p, a, name);
	}
	*ret_read_only = kind && strcmp(kind[0], "emptyDir") != 0 && strcmp(kind[0], "hostPath") != 0;
	if (!kind)
		return NULL;
	if (!kind[1])
		return json_cstr(a, json_path(v, "hostPath", "path", NULL));
	return arena_printf(a, "%s/volumes/%s/%.*s", pod_dir(p, a), kind[1], SLICE_FMT(name));
}

const char *volume_device_path(const struct pod *p, struct arena *a, struct slice name, bool *ret_read_only)
{
	const struct claim_source *claim = p->volumes ? claims_find(p->volumes->claims, name) : NULL;
	if (!claim || !claim->is_block)
		return NULL;
	*ret_read_only = claim->is_read_only;
	return arena_strdup(a, claim->path);
}

/* ---- files of a volume (pool) ---- */

struct build {
	struct pod *pod;
	struct volumes *volumes;
	struct arena arena;
	struct payload payload;
	size_t token_index;
	struct err *err;
};

static int add_file(struct build *b, struct slice path, struct slice data, unsigned mode)
{
	CHECK(b->payload.count <= b->payload.cap);
	if (!payload_path_is_good(path))
		return err_set(b->err, ERR_INVAL, "the path \"%.*s\" in a volume must be relative and without ..",
		        SLICE_FMT(path));
	struct payload *p = &b->payload;
	if (p->count == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 16;
		struct payload_file *files = ARENA_ARRAY(&b->arena, struct payload_file, cap);
		if (p->count)
			memcpy(files, p->files, p->count * sizeof *files);
		p->files = files;
		p->cap = cap;
	}
	p->files[p->count++] =
	        (struct payload_file){.path = arena_memdup(&b->arena, path.ptr, path.len), .data = data, .mode = mode};
	return 0;
}

static bool value_of(struct build *b, const struct json *object, bool is_secret, struct slice key, struct slice *ret)
{
	struct json *v = json_get_slice(json_get(object, "data"), key),
	            *binary = json_get_slice(json_get(object, "binaryData"), key);
	if (v && !is_secret) {
		*ret = json_str(v);
		return true;
	}
	return (v || binary) && base64_decode(&b->arena, json_str(v ? v : binary), ret);
}

static int add_all_keys(struct build *b, const struct json *object, bool is_secret, unsigned mode)
{
	static const char *const maps[] = {"data", "binaryData"};
	for (size_t i = 0; i < 2; i++)
		JSON_FOREACH (it, json_get(object, maps[i])) {
			struct slice data;
			if (value_of(b, object, is_secret, it->key, &data) && add_file(b, it->key, data, mode) != 0)
				return b->err->code;
		}
	return 0;
}

static int add_object(struct build *b, const struct json *source, const char *kind, struct slice name, unsigned mode)
{
	bool is_secret = strcmp(kind, "secrets") == 0, optional = json_get_bool(source, "optional", false);
	struct json *object = refs_get(b->pod, kind, name), *items = json_get(source, "items");
	if (!object && optional)
		return 0;
	if (!object)
		return err_set(b->err, ERR_NOT_FOUND, "%s \"%.*s\" not found", is_secret ? "secret" : "configmap",
		        SLICE_FMT(name));
	if (!items || !items->count)
		return add_all_keys(b, object, is_secret, mode);
	JSON_FOREACH (it, items) {
		struct slice key = json_get_str(it, "key"), data;
		if (value_of(b, object, is_secret, key, &data)) {
			if (add_file(b, json_get_str(it, "path"), data, (unsigned)json_get_int(it, "mode", mode)) != 0)
				return b->err->code;
		} else if (!optional) {
			return err_set(b->err, ERR_NOT_FOUND, "%s references non-existent key: %.*s",
			        is_secret ? "secret" : "configmap", SLICE_FMT(key));
		}
	}
	return 0;
}

static int add_downward(struct build *b, const struct json *source, unsigned mode)
{
	JSON_FOREACH (it, json_get(source, "items")) {
		struct json *field = json_get(it, "fieldRef"), *resource = json_get(it, "resourceFieldRef");
		const char *text = field ? pod_field(b->pod, &b->arena, json_get_str(field, "fieldPath"))
		                         : pod_resource_field(b->pod, &b->arena, NULL, resource, b->err);
		if (!text)
			return b->err->code ? b->err->code
			                    : err_set(b->err, ERR_INVAL, "field path not supported: %.*s",
			                              SLICE_FMT(json_get_str(field, "fieldPath")));
		if (add_file(b, json_get_str(it, "path"), slice_of(text), (unsigned)json_get_int(it, "mode", mode)) !=
		        0)
			return b->err->code;
	}
	return 0;
}

/* The user that all containers are told to run as; -1: they differ, or are not told. */
static int64_t pod_single_user(const struct json *spec)
{
	static const char *const lists[] = {"initContainers", "containers"};
	int64_t of_pod = json_get_int(json_get(spec, "securityContext"), "runAsUser", -1), user = -1;
	bool first = true;
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (c, json_get(spec, lists[i])) {
			int64_t own = json_get_int(json_get(c, "securityContext"), "runAsUser", of_pod);
			if (!first && own != user)
				return -1;
			user = own;
			first = false;
		}
	return user >= 0 && user < UINT32_MAX ? user : -1;
}

static int add_token(struct build *b, const struct json *source, unsigned mode)
{
	struct volumes *v = b->volumes;
	const char *text = b->token_index < v->tokens_count ? v->tokens[b->token_index].text : NULL;
	b->token_index++;
	if (!text)
		return err_set(b->err, ERR_UNAVAILABLE, "there is no service account token yet");
	if (add_file(b, json_get_str(source, "path"), slice_of(text), mode) != 0)
		return b->err->code;
	/* For its group (the writer lets it read), or for the one user all containers run as; else all must. */
	struct payload_file *f = &b->payload.files[b->payload.count - 1];
	int64_t user = pod_single_user(b->pod->spec);
	if (json_get(json_get(b->pod->spec, "securityContext"), "fsGroup") || user >= 0)
		f->mode = 0600;
	f->is_owned = f->mode == 0600 && user >= 0;
	f->uid = f->is_owned ? (unsigned)user : 0;
	return 0;
}

static int add_projected(struct build *b, const struct json *sources, unsigned mode)
{
	JSON_FOREACH (it, sources) {
		struct json *s;
		int rc = 0;
		if ((s = json_get(it, "configMap")))
			rc = add_object(b, s, "configmaps", json_get_str(s, "name"), mode);
		else if ((s = json_get(it, "secret")))
			rc = add_object(b, s, "secrets", json_get_str(s, "name"), mode);
		else if ((s = json_get(it, "downwardAPI")))
			rc = add_downward(b, s, mode);
		else if ((s = json_get(it, "serviceAccountToken")))
			rc = add_token(b, s, mode);
		else
			rc = err_set(b->err, ERR_UNIMPLEMENTED, "a projected source of this kind is not built yet");
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int add_sources(struct build *b, const struct json *volume, const char *kind)
{
	struct json *s = json_get(volume, kind);
	unsigned mode = (unsigned)json_get_int(s, "defaultMode", DEFAULT_MODE);
	if (strcmp(kind, "configMap") == 0)
		return add_object(b, s, "configmaps", json_get_str(s, "name"), mode);
	if (strcmp(kind, "secret") == 0)
		return add_object(b, s, "secrets", json_get_str(s, "secretName"), mode);
	if (strcmp(kind, "downwardAPI") == 0)
		return add_downward(b, s, mode);
	return add_projected(b, json_get(s, "sources"), mode);
}

/* ---- what is made on this machine (pool) ---- */

static int check_claim(struct build *b, const struct claim_source *s, int64_t gid)
{
	bool on_mismatch = slice_is(
	        json_str(json_path(b->pod->spec, "securityContext", "fsGroupChangePolicy", NULL)), "OnRootMismatch");
	if (local_path_check(s->path, slice_of(s->type), b->err) != 0)
		return b->err->code;
	if (!s->is_local || s->is_block || s->is_read_only || !b->volumes->is_first)
		return 0;
	return volume_give_to_group(s->path, gid, on_mismatch, b->err);
}

static int make_volume(struct build *b, const struct json *volume)
{
	struct slice name = json_get_str(volume, "name");
	const char *const *kind = kind_of(volume);
	int64_t gid = json_get_int(json_get(b->pod->spec, "securityContext"), "fsGroup", -1);
	if (gid < -1 || gid > INT32_MAX)
		return err_set(b->err, ERR_INVAL, "fsGroup %lld is no group", (long long)gid);
	bool read_only;
	const struct claim_source *claim = claims_find(b->volumes->claims, name);
	if ((claim && (claim->is_csi || claim->nfs)) || json_get(volume, "csi") || json_get(volume, "nfs"))
		return 0; /* mounted once this is done */
	if (claim)
		return check_claim(b, claim, gid);
	if (!kind)
		return err_set(b->err, ERR_UNIMPLEMENTED, "a volume of this kind is not built yet");
	if (!kind[1])
		return local_path_check(json_cstr(&b->arena, json_path(volume, "hostPath", "path", NULL)),
		        json_str(json_path(volume, "hostPath", "type", NULL)), b->err);
	const char *path = volume_host_path(b->pod, &b->arena, name, &read_only);
	if (file_make_dirs(path, 0755, b->err) != 0)
		return b->err->code;
	if (strcmp(kind[0], "emptyDir") == 0)
		return local_dir_make(&b->arena, b->pod->spec, json_get(volume, "emptyDir"), path, gid, b->err);
	bool in_memory = strcmp(kind[0], "configMap") != 0;
	if (in_memory && local_tmpfs_mount(path, "mode=0755,size=16m", b->err) != 0)
		return b->err->code;
	b->payload = (struct payload){0};
	if (add_sources(b, volume, kind[0]) != 0)
		return b->err->code;
	return atomic_write(path, &b->payload, gid, NULL, b->err);
}

static void setup_on_pool(struct errand *e)
{
	CHECK(!loop_is_current(e->n->loop));
	struct volumes *v = CONTAINER_OF(e, struct volumes, errand);
	struct build b = {.pod = v->pod, .volumes = v, .err = &v->err};
	JSON_FOREACH (it, json_get(v->pod->spec, "volumes"))
		if (make_volume(&b, it) != 0) {
			err_wrap(&v->err, "MountVolume.SetUp failed for volume \"%.*s\" ",
			        SLICE_FMT(json_get_str(it, "name")));
			break;
		}
	arena_release(&b.arena);
}

/* ---- tokens (loop) ---- */

static void finish_step(struct volumes *v);

static void got_token(void *arg, int status, struct slice body, const struct err *err)
{
	LOOP_CHECK_OWNER(((struct token *)arg)->volumes->pod->n->loop);
	struct token *t = arg;
	struct volumes *v = t->volumes;
	struct arena a = ARENA_INIT;
	struct json *answer = err ? NULL : json_parse(&a, body, NULL, NULL);
	struct slice text = json_str(json_path(answer, "status", "token", NULL));
	int64_t ends = time_parse(json_str(json_path(answer, "status", "expirationTimestamp", NULL)));
	if (err) {
		/* An old token is better than none: it is told only when there is none. */
		if (!t->text)
			err_set(&v->err, err->code, "MountVolume.SetUp failed: ask for a service account token: %s",
			        err->msg);
	} else {
		int64_t life_ms = (ends - time_now_ns()) / 1000000;
		free(t->text);
		t->text = xmemdup(text.ptr ? text.ptr : "", text.len);
		t->renew_ms = loop_now_ms(v->pod->n->loop) + (uint64_t)(life_ms > 0 ? life_ms / 10 * 8 : 0);
	}
	arena_release(&a);
	finish_step(v);
}

static void ask_token(struct volumes *v, struct token *t, const struct json *source)
{
	CHECK(t->volumes == v);
	struct pod *p = v->pod;
	struct arena a = ARENA_INIT;
	struct json *body = json_new(&a, JSON_OBJECT), *spec = json_need(&a, body, "spec", JSON_OBJECT),
	            *bound = json_need(&a, spec, "boundObjectRef", JSON_OBJECT);
	const char *account = json_cstr(&a, json_get(p->spec, "serviceAccountName"));
	json_set_cstr(&a, body, "apiVersion", "authentication.k8s.io/v1");
	json_set_cstr(&a, body, "kind", "TokenRequest");
	json_set_int(&a, spec, "expirationSeconds", json_get_int(source, "expirationSeconds", TOKEN_LIFE_S));
	struct json *audiences = json_need(&a, spec, "audiences", JSON_ARRAY);
	if (json_get_str(source, "audience").len)
		json_append(audiences, json_new_str(&a, json_get_str(source, "audience")));
	json_set_cstr(&a, bound, "apiVersion", "v1");
	json_set_cstr(&a, bound, "kind", "Pod");
	json_set_cstr(&a, bound, "name", p->name);
	json_set_cstr(&a, bound, "uid", p->uid);
	v->open++;
	api_send_json(p->n, "POST", NULL, body, got_token, t, "/api/v1/namespaces/%s/serviceaccounts/%s/token", p->ns,
	        *account ? account : "default");
	arena_release(&a);
}

static size_t each_token(struct volumes *v, bool ask)
{
	size_t index = 0;
	JSON_FOREACH (volume, json_get(v->pod->spec, "volumes"))
		JSON_FOREACH (source, json_path(volume, "projected", "sources", NULL)) {
			struct json *token = json_get(source, "serviceAccountToken");
			if (!token)
				continue;
			if (ask &&
			        (!v->tokens[index].text || v->tokens[index].renew_ms <= loop_now_ms(v->pod->n->loop)))
				ask_token(v, &v->tokens[index], token);
			index++;
		}
	return index;
}

/* ---- set-up ---- */

static void setup_end(struct volumes *v)
{
	LOOP_CHECK_OWNER(v->pod->n->loop);
	struct err err = v->err;
	struct node *n = v->pod->n;
	v->were_ready = v->were_ready || !err.code;
	sm_move(&v->sm, v->were_ready ? VOLUMES_READY : VOLUMES_NONE);
	arena_release(&v->mounting);
	v->refresh_ms = v->refreshes ? loop_now_ms(n->loop) + REFRESH_MS : 0;
	v->done(v->pod, err.code ? &err : NULL);
	closing_part_done(&n->parts);
}

static void mounted(void *arg, const struct err *err)
{
	struct volumes *v = arg;
	if (err && !v->err.code)
		v->err = *err;
	if (--v->open == 0)
		setup_end(v);
}

static void mount_csi(struct volumes *v, const struct csi_wish *wish)
{
	v->refreshes = true; /* it may grow, or want new tokens */
	if (v->were_ready) {
		csi_refresh(v->pod->n->csi, wish);
		return;
	}
	v->open++;
	csi_mount(v->pod->n->csi, wish, mounted, v);
}

/* One of the pod's nfs volumes, while it is mounted. */
struct nfs_mounting {
	struct volumes *volumes;
	struct slice name;
};

static void nfs_mounted(void *arg, const struct err *err)
{
	struct nfs_mounting *m = arg;
	struct err wrapped = err ? *err : ERR_INIT;
	if (err && err->code != ERR_CANCELED)
		err_wrap(&wrapped, "MountVolume.SetUp failed for volume \"%.*s\" ", SLICE_FMT(m->name));
	mounted(m->volumes, err ? &wrapped : NULL);
}

static void mount_nfs(struct volumes *v, const struct json *volume)
{
	struct arena *a = &v->mounting;
	struct slice name;
	const struct nfs_source *s = v->were_ready ? NULL : nfs_of(v->pod, volume, a, &name);
	if (!s)
		return;
	struct nfs_mounting *m = ARENA_NEW(a, struct nfs_mounting);
	*m = (struct nfs_mounting){v, name};
	v->open++;
	nfs_mount(v->pod->n->nfs, s, nfs_mount_path(v->pod, a, name), nfs_mounted, m);
}

/* Those of drivers and servers, all at once: none waits for another's. A pod that has its volumes waits for none. */
static void setup_done(struct errand *e)
{
	struct volumes *v = CONTAINER_OF(e, struct volumes, errand);
	struct csi_wish wish;
	if (v->err.code) {
		setup_end(v);
		return;
	}
	sm_move(&v->sm, VOLUMES_MOUNTING);
	v->open = 1;
	JSON_FOREACH (it, json_get(v->pod->spec, "volumes"))
		if (wish_of(v->pod, it, &wish))
			mount_csi(v, &wish);
		else
			mount_nfs(v, it);
	mounted(v, NULL);
}

static void finish_step(struct volumes *v)
{
	CHECK(v->open > 0);
	if (--v->open)
		return;
	if (v->pod->n->closing)
		err_set(&v->err, ERR_CANCELED, "the node closes");
	if (!v->err.code) {
		sm_move(&v->sm, VOLUMES_WRITING);
		if (errand_start(v->pod->n, &v->errand, setup_on_pool, setup_done))
			return;
		err_set(&v->err, ERR_BUSY, "too much blocking work is queued");
	}
	setup_end(v);
}

static void question_begun(void *arg)
{
	((struct volumes *)arg)->open++;
}

static void question_answered(void *arg)
{
	finish_step(arg);
}

static void step_on_loop(struct loop_task *t)
{
	finish_step(CONTAINER_OF(t, struct volumes, task));
}

static struct volumes *new_volumes(struct pod *p)
{
	struct volumes *v = p->volumes = xcalloc(1, sizeof *v);
	v->pod = p;
	sm_init(&v->sm, &machine, VOLUMES_NONE, p->name);
	return v;
}

void volumes_setup(struct pod *p, void (*done)(struct pod *p, const struct err *err))
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(done && p->spec && p->operations);
	struct volumes *v = p->volumes;
	if (!v) {
		v = new_volumes(p);
		v->claims = claims_new(p);
		v->tokens_count = each_token(v, false);
		v->tokens = xcalloc(v->tokens_count + 1, sizeof *v->tokens);
		for (size_t i = 0; i < v->tokens_count; i++)
			v->tokens[i].volumes = v;
		JSON_FOREACH (it, json_get(p->spec, "volumes"))
			v->refreshes =
			        v->refreshes || (kind_of(it) && !json_get(it, "emptyDir") && !json_get(it, "hostPath"));
	}
	v->done = done;
	v->is_first = !v->were_ready && list_empty(&p->containers);
	v->err = ERR_INIT;
	v->open = 1;
	sm_move(&v->sm, VOLUMES_ASKING);
	closing_hold(&p->n->parts);
	each_token(v, true);
	if (v->claims)
		claims_ask(v->claims, v->were_ready, &v->err, question_begun, question_answered, v);
	v->task.run = step_on_loop;
	loop_post(p->n->loop, &v->task);
}

void volumes_give_up(struct pod *p)
{
	struct arena a = ARENA_INIT;
	LOOP_CHECK_OWNER(p->n->loop);
	if (p->volumes && sm_state(&p->volumes->sm) == VOLUMES_MOUNTING)
		nfs_give_up(p->n->nfs, pod_dir(p, &a));
	arena_release(&a);
}

bool volumes_are_ready(const struct pod *p)
{
	return p->volumes && p->volumes->were_ready;
}

uint64_t volumes_refresh_ms(const struct pod *p)
{
	return p->volumes ? p->volumes->refresh_ms : 0;
}

/* ---- taking down ---- */

static void teardown_on_pool(struct errand *e)
{
	struct volumes *v = CONTAINER_OF(e, struct volumes, errand);
	char path[4096];
	volumes_unmount_below(v->dir);
	snprintf(path, sizeof path, "%s/volumes", v->dir);
	file_remove_tree(path);
}

static void teardown_done(struct errand *e)
{
	struct volumes *v = CONTAINER_OF(e, struct volumes, errand);
	struct pod *p = v->pod;
	void (*done)(struct pod *, const struct err *) = v->done;
	p->volumes = NULL;
	volumes_free(v);
	done(p, NULL);
}

static void teardown_failed(struct volumes *v, const struct err *err)
{
	sm_move(&v->sm, v->were_ready ? VOLUMES_READY : VOLUMES_NONE);
	v->done(v->pod, err);
}

static void servers_let_go(void *arg, const struct err *err)
{
	struct volumes *v = arg;
	struct err busy = ERR_INIT;
	if (err) {
		teardown_failed(v, err);
	} else if (!errand_start(v->pod->n, &v->errand, teardown_on_pool, teardown_done)) {
		err_set(&busy, ERR_BUSY, "too much blocking work is queued");
		teardown_failed(v, &busy);
	}
}

static void drivers_undid(struct pod *p, const struct err *err)
{
	struct volumes *v = p->volumes;
	if (err)
		teardown_failed(v, err);
	else if (nfs_has_any_below(v->dir))
		nfs_unmount_below(p->n->nfs, v->dir, servers_let_go, v);
	else
		servers_let_go(v, NULL);
}

bool volumes_are_there(const struct pod *p)
{
	return p->volumes || csi_has_uses(p->n->csi, p->uid);
}

void volumes_teardown(struct pod *p, void (*done)(struct pod *p, const struct err *err))
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(done && p->operations);
	struct volumes *v = p->volumes ? p->volumes : new_volumes(p);
	v->done = done;
	v->dir = pod_dir(p, &v->arena);
	sm_move(&v->sm, VOLUMES_TAKING_DOWN);
	csi_unmount_pod(p->n->csi, p, drivers_undid);
}

void volumes_free(struct volumes *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->tokens_count; i++)
		free(v->tokens[i].text);
	free(v->tokens);
	claims_free(v->claims);
	arena_release(&v->mounting);
	arena_release(&v->arena);
	free(v);
}

/* See mutation.h.
 *
 * What can go wrong: the object is absent, the client's object is wrong, a plugin says no: the step's error is the
 * answer. Somebody else was faster: the transaction fails, the cache is awaited at the revision it failed at, and
 * unless the client is bound to a version everything is computed again on the newer state, some times. The store is
 * full or away: its error is the answer. The client goes away: what is not in the store yet is dropped, what is is
 * ended. */
#include "api/server/verbs/mutation.h"

#include "api/machinery/schema/kind_ops.h"
#include "api/machinery/codec/decode.h"
#include "api/machinery/rules/defaults.h"
#include "api/machinery/rules/warnings.h"
#include "api/server/answer.h"
#include "api/server/converting/conversion.h"
#include "api/server/sealing/sealer.h"
#include "api/server/shape.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "api/server/strategy.h"
#include "base/check.h"

enum {
	MUTATION_LOADING,
	MUTATION_DECODING,
	MUTATION_DEFAULTING,
	MUTATION_MUTATING,
	MUTATION_VALIDATING,
	MUTATION_ADMITTING,
	MUTATION_WRITING,
	MUTATION_CONVERTING,
	MUTATION_ANSWERING,
	MUTATION_OVER,
};

#define OR_ANSWERING(state) (SM_TO(state) | SM_TO(MUTATION_ANSWERING))
static const struct sm_state states[] = {
        [MUTATION_LOADING] = {"loading", OR_ANSWERING(MUTATION_DECODING)},
        [MUTATION_DECODING] = {"decoding", OR_ANSWERING(MUTATION_DEFAULTING) | SM_TO(MUTATION_CONVERTING)},
        [MUTATION_DEFAULTING] = {"defaulting", OR_ANSWERING(MUTATION_MUTATING)},
        [MUTATION_MUTATING] = {"mutating", OR_ANSWERING(MUTATION_VALIDATING)},
        [MUTATION_VALIDATING] = {"validating", OR_ANSWERING(MUTATION_ADMITTING)},
        [MUTATION_ADMITTING] = {"admitting", OR_ANSWERING(MUTATION_WRITING)},
        [MUTATION_WRITING] = {"writing", OR_ANSWERING(MUTATION_LOADING) | SM_TO(MUTATION_CONVERTING)},
        [MUTATION_CONVERTING] = {"converting", SM_TO(MUTATION_ANSWERING)},
        [MUTATION_ANSWERING] = {"answering", SM_TO(MUTATION_OVER)},
        [MUTATION_OVER] = {"over", 0},
};

static bool invariant(const struct sm *sm, int before)
{
	const struct mutation *m = CONTAINER_OF(sm, struct mutation, sm);
	bool has_state = m->object || m->removes;
	switch (sm->state) {
	case MUTATION_LOADING:
		return m->tries > 0 && !m->before && !m->text.data && !m->stored.data;
	case MUTATION_DECODING:
		return (m->operation == ADMISSION_CREATE) == !m->before;
	case MUTATION_DEFAULTING:
	case MUTATION_MUTATING:
	case MUTATION_VALIDATING:
	case MUTATION_ADMITTING:
	case MUTATION_WRITING:
		return has_state && !m->errors->count;
	case MUTATION_OVER:
		return !m->before && !m->result && !m->text.data && !m->stored.data && before == MUTATION_ANSWERING;
	}
	return true;
}

static const struct sm_kind machine = SM_KIND("mutation", states, invariant);

static void run(struct mutation *m);

/* ---- loading ---- */

static void cache_is_fresh(struct cache_wait *w)
{
	struct mutation *m = CONTAINER_OF(w, struct mutation, wait);
	struct err none = ERR_INIT;
	mutation_resume(m, &none);
}

static void wait_for_cache(struct mutation *m, int64_t revision)
{
	m->wait = (struct cache_wait){.revision = revision, .reached = cache_is_fresh};
	cache_wait(m->call->server->cache, &m->wait);
}

static struct object *find(struct mutation *m)
{
	struct slice key = m->name;
	CHECK(m->name.len > 0);
	if (m->resource->namespaced)
		key = slice_of(arena_printf(m->arena, "%.*s/%.*s", SLICE_FMT(m->ns), SLICE_FMT(m->name)));
	return cache_get(cache_resource(m->call->server->cache, m->resource), key);
}

static int load(struct mutation *m)
{
	object_unref(TAKE(m->before)); /* when it is taken again */
	m->errors = ARENA_NEW(m->arena, struct field_errors);
	field_errors_init(m->errors, m->arena);
	m->operation = m->verb->operation;
	struct object *o = m->operation == ADMISSION_CREATE ? NULL : find(m);
	if (!o && m->verb->may_create)
		m->operation = ADMISSION_CREATE;
	if (!o && m->operation != ADMISSION_CREATE)
		return status_not_found(&m->err, m->resource, m->name);
	m->before = o ? object_ref(o) : NULL;
	managing_load(&m->managing, m->before);
	if (!o)
		return 0;
	m->old = json_parse(m->arena, object_text(o), NULL, &m->err);
	if (!m->old || resource_convert(m->arena, m->old, m->resource->storage, m->resource, &m->err) != 0)
		return m->err.code;
	json_del(json_get(m->old, "metadata"), "resourceVersion");
	return 0;
}

/* ---- decoding, defaulting ---- */

static int decode(struct mutation *m)
{
	m->admission = (struct admission){.arena = m->arena}; /* the verb may add writes */
	m->is_filled = false;
	if (m->conversions)
		managing_load(&m->managing, m->before);
	int rc = m->verb->decode(m, &m->err);
	if (rc == 0 && m->object)
		managing_take_sent(&m->managing, m->object);
	return rc;
}

static void fill(struct mutation *m)
{
	if (m->operation == ADMISSION_CREATE)
		strategy_prepare_create(m->call, m->resource, m->object);
	else
		strategy_prepare_update(m->call, m->resource, m->sub, m->object, m->old);
	defaults_apply(m->arena, m->resource, m->object);
	m->name = json_str(json_path(m->object, "metadata", "name", NULL));
	m->is_filled = true;
}

static int fill_in(struct mutation *m)
{
	if (m->verb->is_partial || m->removes)
		return 0;
	if (!m->is_filled)
		fill(m);
	managing_track(&m->managing, m->old, m->object);
	return budget_check(m->arena->budget, m->arena->used_bytes, &m->err);
}

int mutation_check_place(const struct mutation *m, struct slice name, struct slice ns, struct err *err)
{
	if (name.len && !slice_eq(name, m->name))
		return err_set(err, ERR_INVAL,
		        "the name of the object (%.*s) does not match the name on the URL (%.*s)", SLICE_FMT(name),
		        SLICE_FMT(m->name));
	if (ns.len && m->resource->namespaced && !slice_eq(ns, m->ns))
		return err_set(err, ERR_INVAL,
		        "the namespace of the object (%.*s) does not match the namespace on the request (%.*s)",
		        SLICE_FMT(ns), SLICE_FMT(m->ns));
	return 0;
}

int mutation_check_identity(struct mutation *m, const struct json *object, struct err *err)
{
	struct json *meta = json_get(object, "metadata");
	struct slice name = json_get_str(meta, "name"), ns = json_get_str(meta, "namespace"),
	             uid = json_get_str(meta, "uid"), version = json_get_str(meta, "resourceVersion");
	struct slice old_uid = object_span(m->before, m->before->uid);
	int64_t revision;
	CHECK(m->before != NULL);
	m->is_bound = version.len && !slice_is(version, "0");
	if (mutation_check_place(m, name, ns, err) != 0)
		return err->code;
	if (m->is_bound && (!slice_to_i64(version, &revision) || revision != m->before->revision))
		return status_conflict(err, m->resource, m->name);
	if (uid.len && old_uid.len && !slice_eq(uid, old_uid))
		return err_set(err, ERR_CONFLICT,
		        "Operation cannot be fulfilled on %s \"%.*s\": Precondition failed: UID in precondition: %.*s, "
		        "UID in object meta: %.*s",
		        m->resource->plural, SLICE_FMT(m->name), SLICE_FMT(uid), SLICE_FMT(old_uid));
	return 0;
}

/* ---- admission and validation ---- */

static void admission_is_back(struct admission *a, const struct err *err)
{
	mutation_resume(CONTAINER_OF(a, struct mutation, admission), err);
}

/* What a client may not change, but by the name of what it means to change. */
static void keep_metadata(struct arena *a, struct json *now, const struct json *before, const char *name)
{
	const struct json *v = json_get(before, name);
	if (v)
		json_set(a, now, name, json_copy(a, v));
	else
		json_del(now, name);
}

/* The same of what was shown as the subresource's kind. */
static int take_shown(struct admission *a, struct json *shown, struct err *err)
{
	struct mutation *m = CONTAINER_OF(a, struct mutation, admission);
	json_set_str(a->arena, shown, "apiVersion", json_get_str(a->object, "apiVersion"));
	json_set_str(a->arena, shown, "kind", json_get_str(a->object, "kind"));
	if (decode_object(a->arena, shown, a->as->type, 0, NULL, err) != 0 || m->verb->take_shown(m, shown, err) != 0)
		return err->code;
	a->object = shown;
	return budget_check(a->arena->budget, a->arena->used_bytes, err);
}

/* What a webhook made of the object: decoded and defaulted as what a client sends is. */
static int take_replacement(struct admission *a, struct json *object, struct err *err)
{
	static const char *const identity[] = {"name", "namespace", "uid", "creationTimestamp"};
	struct mutation *m = CONTAINER_OF(a, struct mutation, admission);
	struct json *meta = json_need(m->arena, object, "metadata", JSON_OBJECT),
	            *before = json_get(m->object, "metadata");
	json_set_str(m->arena, object, "apiVersion", json_get_str(m->object, "apiVersion"));
	json_set_str(m->arena, object, "kind", json_get_str(m->object, "kind"));
	json_del(meta, "managedFields");
	json_del(meta, "resourceVersion");
	if (m->resource->type && decode_object(m->arena, object, m->resource->type, 0, NULL, err) != 0)
		return err->code;
	meta = json_get(object, "metadata");
	for (size_t i = 0; i < 2; i++)
		if (!slice_eq(json_get_str(meta, identity[i]), json_get_str(before, identity[i])))
			return err_set(err, ERR_INVAL, "metadata.%s may not be changed", identity[i]);
	if (m->operation == ADMISSION_CREATE)
		strategy_prepare_create(m->call, m->resource, object);
	else
		strategy_prepare_update(m->call, m->resource, m->sub, object, m->old);
	for (size_t i = 0; i < COUNT_OF(identity); i++)
		keep_metadata(m->arena, json_get(object, "metadata"), before, identity[i]);
	defaults_apply(m->arena, m->resource, object);
	m->object = a->object = object;
	return budget_check(m->arena->budget, m->arena->used_bytes, err);
}

static void fill_admission(struct mutation *m)
{
	m->admission = (struct admission){
	        .call = m->call,
	        .arena = m->arena,
	        .operation = m->operation,
	        .resource = m->resource,
	        .sub = m->sub,
	        .ns = m->ns,
	        .name = m->name,
	        .object = m->operation == ADMISSION_DELETE ? NULL : m->object,
	        .old = m->old,
	        .is_dry_run = m->is_dry_run,
	        .was_asked = m->verb->was_asked,
	        .revision = m->before ? m->before->revision : 0,
	        .replace = m->operation == ADMISSION_DELETE ? NULL : take_replacement,
	        .errors = m->errors,
	        .writes = m->verb_writes,
	        .done = admission_is_back,
	};
	if (!m->verb->show)
		return;
	m->admission.as = m->call->route.sub;
	m->admission.object = m->verb->show(m, m->object);
	m->admission.old = m->verb->show(m, m->old);
	m->admission.replace = take_shown;
}

static int admit_mutating(struct mutation *m)
{
	m->verb_writes = m->admission.writes;
	fill_admission(m);
	return admission_mutate(&m->admission, &m->err);
}

/* To the client; an answer outlives the mutation. */
static void tell_warnings(struct mutation *m)
{
	struct warnings w;
	warnings_init(&w, &m->call->arena);
	object_warnings(&w, m->resource, m->object, m->old, m->sub);
	for (size_t i = 0; i < w.count; i++)
		call_warn(m->call, w.items[i]);
}

static int validate(struct mutation *m)
{
	if (m->verb->is_partial || m->removes)
		return 0;
	if (m->resource->type)
		decode_normalise(m->arena, m->object, m->resource->type);
	validate_object(m->errors, m->resource, m->object, m->old, m->sub);
	if (m->errors->count)
		return err_set(
		        &m->err, ERR_INVALID_OBJECT, "%s \"%.*s\" is invalid", m->resource->kind, SLICE_FMT(m->name));
	tell_warnings(m);
	return 0;
}

static int admit(struct mutation *m)
{
	return admission_validate(&m->admission, &m->err);
}

/* ---- writing ---- */

static bool is_empty(const struct json *list)
{
	return !list || !list->first;
}

/* A dying object that nothing holds back any more. */
static bool may_go(const struct resource *r, const struct json *object)
{
	struct json *meta = json_get(object, "metadata");
	if (!json_get_str(meta, "deletionTimestamp").len || !is_empty(json_get(meta, "finalizers")))
		return false;
	if (json_get_int(meta, "deletionGracePeriodSeconds", 0) > 0)
		return false;
	return !resource_has(r, KIND_IS_NAMESPACE) || is_empty(json_path(object, "spec", "finalizers", NULL));
}

/* The text as this client is to see it. */
static struct slice answer_text(const struct mutation *m)
{
	return strbuf_slice(call_shows_managed(m->call) && m->stored.len ? &m->stored : &m->text);
}

static struct rcbuf *finished(struct mutation *m, int64_t revision)
{
	return object_finish(answer_text(m), revision);
}

/* The text is that of the object as it is, nobody manages more or less of it, and it is stored as it would be now: then
 * nothing is written. */
static bool changes_nothing(struct mutation *m)
{
	struct rcbuf *text = object_finish(strbuf_slice(&m->text), m->before->revision);
	bool same = m->before->seal == sealer_seal_of(m->call->server->sealer, m->resource) &&
	            text->len == m->before->json->len && memcmp(text->data, m->before->json->data, text->len) == 0 &&
	            managing_is_unchanged(&m->managing);
	rcbuf_unref(text);
	if (same)
		m->result = call_object_text(m->call, m->before);
	return same;
}

/* Room that is made at once: for managedFields those of most objects fit, and for what defaults add to what a client
 * sent. */
enum { MANAGED_BYTES_USUAL = 4096, ADDED_BYTES_USUAL = 2048 };

/* What is stored: the object's text, and who manages it as the last member of its metadata. */
static void write_text(struct mutation *m)
{
	struct strbuf managed = STRBUF_INIT;
	strbuf_reserve(&m->text, m->call->body.len + ADDED_BYTES_USUAL);
	size_t metadata_end = strategy_write(&m->text, m->object);
	strbuf_reserve(&managed, MANAGED_BYTES_USUAL);
	managing_write(&m->managing, &managed);
	if (managed.len)
		object_lay_in(&m->stored, strbuf_slice(&m->text), metadata_end, strbuf_slice(&managed));
	strbuf_release(&managed);
}

static struct slice stored_text(const struct mutation *m)
{
	return strbuf_slice(m->stored.len ? &m->stored : &m->text);
}

static size_t count_writes(const struct mutation *m)
{
	size_t n = 0;
	for (struct admission_write *w = m->admission.writes; w; w = w->next)
		n++;
	return n;
}

static struct store_op look_at(struct slice key)
{
	return (struct store_op){
	        .type = STORE_OP_RANGE, .range = {.keys = {.key = key}, .keys_only = true, .serializable = true}};
}

/* r: whose object it is; NULL: it is none. */
static struct store_op change_of(
        const struct mutation *m, const struct resource *r, struct slice key, struct slice value)
{
	if (value.ptr && r)
		value = sealer_seal(m->call->server->sealer, m->arena, r, key, value);
	if (value.ptr)
		return (struct store_op){.type = STORE_OP_PUT, .put = {.key = key, .value = value}};
	return (struct store_op){.type = STORE_OP_DELETE, .del = {.keys = {.key = key}}};
}

/* If the object and the others are as they were, change all; else tell how they are. */
static void fill_transaction(struct mutation *m, struct slice key)
{
	size_t n = count_writes(m) + 1, k = 0, n_compares = 0;
	struct store_compare *compares = ARENA_ARRAY(m->arena, struct store_compare, n);
	struct store_op *success = ARENA_ARRAY(m->arena, struct store_op, n);
	struct store_op *failure = ARENA_ARRAY(m->arena, struct store_op, n);
	compares[n_compares++] = (struct store_compare){.keys = {.key = key},
	        .target = STORE_TARGET_MOD,
	        .result = STORE_EQUAL,
	        .number = m->before ? m->before->revision : 0};
	success[k] = change_of(m, m->resource, key, m->removes ? SLICE_NULL : stored_text(m));
	failure[k++] = look_at(key);
	for (struct admission_write *w = m->admission.writes; w; w = w->next) {
		if (w->when != ADMISSION_ALWAYS)
			compares[n_compares++] = (struct store_compare){.keys = {.key = w->key},
			        .target = STORE_TARGET_MOD,
			        .result = STORE_EQUAL,
			        .number = w->when == ADMISSION_IF_AT ? w->revision : 0};
		success[k] = change_of(m, w->resource, w->key, w->value);
		failure[k++] = look_at(w->key);
	}
	CHECK(k == n);
	m->request.op.type = STORE_OP_TXN;
	/* With one key there is nothing to tell: it was the object. */
	m->request.op.txn = (struct store_txn){compares, n_compares, success, n, failure, n > 1 ? n : 0};
	m->request.ops_max = n;
}

/* What the failed transaction saw: plugins learn which keys were taken. True: it may be tried again. */
static bool learn_from_failure(struct mutation *m, const struct store_result *failure)
{
	size_t k = 1;
	if (!failure->n_results)
		return !m->is_bound;
	for (struct admission_write *w = m->admission.writes; w; w = w->next, k++)
		if (w->when == ADMISSION_IF_ABSENT && failure->results[k].n_kvs && w->is_taken)
			w->is_taken(w, w->arg);
	const struct store_result *object = &failure->results[0];
	int64_t revision = object->n_kvs ? object->kvs[0].mod_revision : 0;
	return revision == (m->before ? m->before->revision : 0) || !m->is_bound;
}

static void set_conflict(struct mutation *m)
{
	m->call->route.name = m->name; /* for the details */
	if (m->operation == ADMISSION_CREATE)
		status_exists(&m->err, m->resource, m->name);
	else
		status_conflict(&m->err, m->resource, m->name);
}

static void release_try(struct mutation *m)
{
	admission_end(&m->admission, m->revision);
	object_unref(m->before);
	strbuf_release(&m->text);
	strbuf_release(&m->stored);
	m->before = NULL;
	m->old = m->object = NULL;
	m->removes = false;
	m->conversions = 0;
	m->admission.writes = m->verb_writes = NULL;
}

static void written(struct store_request *req)
{
	struct mutation *m = CONTAINER_OF(req, struct mutation, request);
	struct err err = req->err;
	bool lost = !err.code && !req->result.succeeded;
	call_was_answered(m->call);
	CHECK(sm_state(&m->sm) == MUTATION_WRITING);
	m->revision = req->revision;
	if (lost && learn_from_failure(m, &req->result) && ++m->tries <= MUTATION_TRIES_MAX) {
		store_request_release(req);
		release_try(m);
		sm_move(&m->sm, MUTATION_LOADING);
		wait_for_cache(m, m->revision);
		return;
	}
	store_request_release(req);
	if (lost) {
		set_conflict(m);
		err = m->err;
	} else if (!err.code) {
		m->result = m->removes && !m->object ? NULL : finished(m, m->revision);
	}
	mutation_resume(m, &err);
}

/* A dry run ends here, with what would have been. */
static int pretend(struct mutation *m)
{
	if (m->operation == ADMISSION_DELETE)
		m->result = call_object_text(m->call, m->before);
	else if (m->before)
		m->result = finished(m, m->before->revision);
	else
		m->result = rcbuf_copy(answer_text(m).ptr, answer_text(m).len);
	return 0;
}

/* Whoever encrypts what is written is there. */
static int may_be_sealed(struct mutation *m)
{
	const struct sealer *sealer = m->call->server->sealer;
	if (!m->removes && sealer_may_seal(sealer, m->resource, &m->err) != 0)
		return m->err.code;
	for (const struct admission_write *w = m->admission.writes; w; w = w->next)
		if (w->resource && w->value.ptr && sealer_may_seal(sealer, w->resource, &m->err) != 0)
			return m->err.code;
	return 0;
}

static int write_out(struct mutation *m)
{
	const struct resource *r = m->resource, *storage = r->storage;
	if (m->object && !m->removes)
		m->removes = m->operation == ADMISSION_UPDATE && may_go(r, m->object);
	if (m->object && resource_convert(m->arena, m->object, r, storage, &m->err) != 0)
		return m->err.code;
	if (m->object)
		write_text(m);
	if (m->is_dry_run)
		return pretend(m);
	if (!m->removes && m->before && !m->admission.writes && changes_nothing(m))
		return 0;
	if (may_be_sealed(m) != 0)
		return m->err.code;
	if (m->removes) {
		m->admission.writes = m->verb_writes; /* what plugins wanted of the new state is void */
		admission_remove(&m->admission);
	}
	struct strbuf key = STRBUF_INIT;
	resource_storage_key(&key, storage, m->ns, m->name);
	m->request = (struct store_request){.type = STORE_REQUEST_OP, .loop = m->call->server->loop, .done = written};
	m->request.term_expected = m->call->led_term;
	fill_transaction(m, (struct slice){arena_memdup(m->arena, key.data, key.len), key.len});
	strbuf_release(&key);
	call_submit(m->call, &m->request);
	return MUTATION_LATER;
}

/* ---- answering ---- */

/* What is answered is what was stored, which may be in another version; of a deletion, what was there: that its form is
 * known is all that is needed. */
static int convert_answer(struct mutation *m)
{
	if (!m->resource->conversion || (!m->result && !m->before))
		return 0;
	struct rcbuf *stored = m->result ? m->result : m->before->json;
	struct rcbuf *text = shape_convert(stored, m->resource->storage, m->resource, &m->err);
	if (text && m->result) {
		rcbuf_unref(m->result);
		m->result = text;
	} else {
		rcbuf_unref(text);
	}
	return m->err.code;
}

void mutation_answer_object(struct mutation *m, int status)
{
	CHECK(m->result != NULL);
	call_respond_object(m->call, status, rcbuf_ref(m->result), m->resource->storage);
}

static void tell_failure(struct mutation *m)
{
	if (m->verb->fail)
		m->verb->fail(m, &m->err);
	else if (m->err.code == ERR_CONFLICT && m->managing.conflicts.count)
		managing_tell_conflicts(&m->managing);
	else if (m->err.code == ERR_INVALID_OBJECT && m->errors && m->errors->count)
		call_respond_invalid(m->call, m->resource, m->name, m->errors);
	else
		call_respond_err(m->call, &m->err);
}

/* The last step; m may be gone after it. */
static void finish(struct mutation *m)
{
	struct call *c = m->call;
	struct object *before = m->before;
	struct rcbuf *result = m->result;
	CHECK(sm_state(&m->sm) == MUTATION_ANSWERING);
	admission_end(&m->admission, m->err.code ? 0 : m->revision);
	if (m->err.code)
		tell_failure(m);
	else
		m->verb->answer(m);
	strbuf_release(&m->text);
	strbuf_release(&m->stored);
	m->before = NULL;
	m->result = NULL;
	sm_move(&m->sm, MUTATION_OVER);
	if (m->verb->over)
		m->verb->over(m);
	object_unref(before);
	rcbuf_unref(result);
	call_unref(c);
}

/* ---- the machine ---- */

static const struct step {
	int (*take)(struct mutation *m); /* 0, below 0: an error in m->err; MUTATION_LATER; MUTATION_SETTLED */
	int next;
} steps[] = {
        [MUTATION_LOADING] = {load, MUTATION_DECODING},
        [MUTATION_DECODING] = {decode, MUTATION_DEFAULTING},
        [MUTATION_DEFAULTING] = {fill_in, MUTATION_MUTATING},
        [MUTATION_MUTATING] = {admit_mutating, MUTATION_VALIDATING},
        [MUTATION_VALIDATING] = {validate, MUTATION_ADMITTING},
        [MUTATION_ADMITTING] = {admit, MUTATION_WRITING},
        [MUTATION_WRITING] = {write_out, MUTATION_CONVERTING},
        [MUTATION_CONVERTING] = {convert_answer, MUTATION_ANSWERING},
};
_Static_assert((int)MUTATION_LATER == (int)ADMISSION_LATER, "a plugin's later is a step's later");

/* ---- other versions of the object ---- */

/* Steps that may wait for a webhook, in one try: of a load, an apply by several managers' versions, a write. */
enum { CONVERSIONS_MAX = 64 };

static void forms_are_there(void *arg, const struct err *err)
{
	struct mutation *m = arg;
	if (!err->code) {
		run(m);
		return;
	}
	conversion_blame(m->call, err);
	mutation_resume(m, err);
}

/* What the step came to is void: it is taken again when what it lacked is there. */
static int get_forms(struct mutation *m)
{
	m->err = ERR_INIT;
	if (++m->conversions > CONVERSIONS_MAX) {
		conversion_forget(m->resource);
		return err_set(&m->err, ERR_INTERNAL, "the object is never known in all versions that are needed");
	}
	conversion_ask(m->resource, forms_are_there, m);
	return MUTATION_LATER;
}

static void run(struct mutation *m)
{
	while (sm_state(&m->sm) != MUTATION_ANSWERING) {
		const struct step *s = &steps[sm_state(&m->sm)];
		int rc = s->take(m);
		if (rc != MUTATION_LATER && conversion_is_wanted(m->resource))
			rc = get_forms(m);
		if (rc == MUTATION_LATER)
			return;
		sm_move(&m->sm, rc == 0 ? s->next : rc == MUTATION_SETTLED ? MUTATION_CONVERTING : MUTATION_ANSWERING);
	}
	finish(m);
}

void mutation_init(struct mutation *m, const struct mutation_verb *verb, struct call *c, struct arena *a)
{
	CHECK(verb->decode && verb->answer && c->route.resource);
	m->call = c;
	m->arena = a;
	m->verb = verb;
	m->operation = verb->operation;
	m->resource = c->route.resource;
	m->sub = c->route.sub ? c->route.sub->name : "";
	m->ns = c->route.ns;
	m->name = c->route.name;
	m->tries = 1;
	managing_init(&m->managing, c, a, m->resource, m->sub, verb->is_partial);
	sm_init(&m->sm, &machine, MUTATION_LOADING, verb->name);
}

void mutation_start(struct mutation *m)
{
	LOOP_CHECK_OWNER(m->call->loop);
	CHECK(sm_state(&m->sm) == MUTATION_LOADING);
	call_ref(m->call);
	wait_for_cache(m, store_revision(m->call->server->store));
}

/* A load that was awaited is yet to be done; every other step that waited is through. */
void mutation_resume(struct mutation *m, const struct err *err)
{
	int state = sm_state(&m->sm);
	LOOP_CHECK_OWNER(m->call->loop);
	CHECK(state < MUTATION_ANSWERING);
	m->err = *err;
	if (!m->err.code && m->call->gone && state != MUTATION_WRITING)
		err_set(&m->err, ERR_CANCELED, "the client went away");
	if (m->err.code)
		sm_move(&m->sm, MUTATION_ANSWERING);
	else if (state != MUTATION_LOADING && state != MUTATION_CONVERTING)
		sm_move(&m->sm, steps[state].next);
	run(m);
}

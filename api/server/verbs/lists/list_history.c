/* LIST of one past revision, from the store's history: exact resource versions, and the pages after the first. Read in
 * pages, because selectors may choose little of much. */
#include "api/server/verbs/lists/list.h"

#include "api/server/answer.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "base/check.h"

enum { HISTORY_PAGE_KEYS = 1000 };

static void history_page_done(struct store_request *req);

static void submit(struct list *l)
{
	struct call *c = l->call;
	struct slice prefix = slice_of(c->route.resource->storage_prefix), ns = l->filter.ns;
	struct strbuf from = STRBUF_INIT, all = STRBUF_INIT;
	strbuf_addf(&all, "%.*s%.*s%s", SLICE_FMT(prefix), SLICE_FMT(ns), ns.len ? "/" : "");
	strbuf_addf(&from, "%.*s%.*s", SLICE_FMT(prefix), SLICE_FMT(l->start));
	struct slice start = l->start.len ? strbuf_slice(&from) : strbuf_slice(&all);
	struct store_key_range keys =
	        store_prefix_range(&c->arena, (struct slice){arena_memdup(&c->arena, all.data, all.len), all.len});
	keys.key = (struct slice){arena_memdup(&c->arena, start.ptr, start.len), start.len};
	l->request =
	        (struct store_request){.type = STORE_REQUEST_OP, .loop = c->server->loop, .done = history_page_done};
	l->request.op.type = STORE_OP_RANGE;
	l->request.op.range = (struct store_range){.keys = keys,
	        .revision = l->revision,
	        .limit = l->limit && !list_has_selectors(l) ? l->limit + 1 : HISTORY_PAGE_KEYS};
	strbuf_release(&from);
	strbuf_release(&all);
	call_ref(c);
	call_submit(c, &l->request);
}

/* Who pages through a list that is too old is given a token for the rest of it, as it is by now. */
static void fail_compacted(struct list *l)
{
	struct call *c = l->call;
	struct err err = ERR_INIT;
	if (!l->resumed.len) {
		err_set(&err, ERR_COMPACTED, "The resourceVersion for the provided list is too old.");
		call_respond_err(c, &err);
		return;
	}
	struct json *status = status_new(&c->arena, 410, "Expired",
	        "The provided continue parameter is too old to display a consistent list result. You can start a new "
	        "list "
	        "without the continue parameter, or use the continue token in this response to retrieve the remainder "
	        "of "
	        "the results. Continuing with the provided token results in an inconsistent list - objects that were "
	        "created, modified, or deleted between the time the first chunk was returned and now may show up in "
	        "the "
	        "list.");
	json_set_str(&c->arena, json_need(&c->arena, status, "metadata", JSON_OBJECT), "continue",
	        list_make_continue(c, -1, l->resumed));
	c->shape = SHAPE_OBJECT;
	call_respond_tree(c, 410, status);
}

/* Takes what matches from one page; sets l->start to where the next one begins, empty when nothing is left. */
static void take_history(struct list *l, const struct store_request *req, struct err *err)
{
	struct call *c = l->call;
	const struct resource *storage = c->route.resource->storage;
	size_t prefix = strlen(storage->storage_prefix);
	for (size_t i = 0; i < req->result.n_kvs; i++) {
		struct store_kv *kv = &req->result.kvs[i];
		struct slice key = {kv->key.ptr + prefix, kv->key.len - prefix};
		struct object *o = cache_object_new(c->server->cache, storage, key, kv, call_shows_managed(c), err);
		if (err->code)
			return;
		bool taken = o && object_matches(o, &l->filter, storage);
		if (taken && l->limit && (int64_t)l->selection.count == l->limit) {
			if (!list_has_selectors(l))
				l->selection.remaining = req->result.count - (int64_t)i;
			l->selection.next = (struct slice){arena_memdup(&c->arena, key.ptr, key.len), key.len};
		} else if (taken) {
			list_select(l, object_ref(o));
		}
		object_unref(o);
		if (l->selection.next.len)
			return;
	}
	l->start = SLICE_NULL;
	if (req->result.more) { /* the zero byte behind the last key makes it the smallest one after it */
		struct slice last = req->result.kvs[req->result.n_kvs - 1].key;
		l->start = (struct slice){
		        arena_memdup(&c->arena, last.ptr + prefix, last.len - prefix), last.len - prefix + 1};
	}
}

static void history_page_done(struct store_request *req)
{
	struct list *l = CONTAINER_OF(req, struct list, request);
	struct call *c = l->call;
	call_was_answered(c);
	struct err err = req->err;
	if (!err.code)
		take_history(l, req, &err);
	store_request_release(req);
	if (c->gone || err.code)
		list_drop_selection(l);
	if (c->gone)
		; /* nobody waits */
	else if (err.code == ERR_COMPACTED)
		fail_compacted(l);
	else if (err.code)
		call_respond_err(c, &err);
	else if (l->start.len && !l->selection.next.len)
		submit(l);
	else
		l->chosen(l);
	call_unref(c);
}

void list_from_history(struct list *l)
{
	CHECK(l->revision > 0);
	submit(l);
}

/* `k3x-store put|get|del|watch|compact`. Plain output is etcdctl's: a key and its value on a line each. */
#include "tools/store/command_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An answer as an object, which begins with its header. */
static json_t *answer_of(const Etcdpb__ResponseHeader *h)
{
	json_t *v = json_object(), *header = json_object();
	json_lib_set_int(header, "revision", h ? h->revision : 0);
	json_lib_set(v, "header", header);
	return v;
}

static void set_pairs(json_t *object, const char *name, Etcdpb__KeyValue **kvs, size_t n)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, store_json_pair(kvs[i]));
	json_lib_set(object, name, list);
}

static void print_pair(const Etcdpb__KeyValue *kv, bool keys, bool values)
{
	if (keys)
		store_print_bytes(kv->key);
	if (values)
		store_print_bytes(kv->value);
}

/* All of standard input. */
static ProtobufCBinaryData read_input(struct arena *a)
{
	struct strbuf b = STRBUF_INIT;
	char buffer[65536];
	size_t n;
	while ((n = fread(buffer, 1, sizeof buffer, stdin)) > 0)
		strbuf_add(&b, buffer, n);
	ProtobufCBinaryData all = {b.len, (uint8_t *)arena_memdup(a, b.data ? b.data : "", b.len)};
	strbuf_release(&b);
	return all;
}

int store_put(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	const char *lease = NULL;
	bool prev = false;
	const struct flag more[] = {
	        {"lease", 0, FLAG_STRING, &lease, NULL, "attach the key to this lease (hex)", NULL},
	        {"prev-kv", 0, FLAG_BOOL, &prev, NULL, "show the pair that was there", NULL},
	};
	if (store_command_load(&m, "put",
	            "k3x-store put KEY [VALUE]: write a pair; without VALUE it is read from standard input", more, 2,
	            argc, argv) != 0 ||
	        store_command_wants(&m, 1, 2, "KEY [VALUE]") != 0)
		return store_command_end(&m);
	const char *value = store_command_argument(&m, 1);
	r.key = store_bytes(store_command_argument(&m, 0));
	r.value = value ? store_bytes(value) : read_input(&m.arena);
	r.lease = lease ? (int64_t)strtoull(lease, NULL, 16) : 0;
	r.prev_kv = prev;
	Etcdpb__PutResponse *got = store_command_call(&m, "KV/Put", &r.base, &etcdpb__put_response__descriptor);
	if (got && m.json) {
		json_t *v = answer_of(got->header);
		if (got->prev_kv)
			set_pairs(v, "prev_kvs", &got->prev_kv, 1);
		json_lib_print(stdout, v);
	} else if (got) {
		printf("OK\n");
		if (got->prev_kv)
			print_pair(got->prev_kv, true, true);
	}
	return store_command_end(&m);
}

struct range_flags {
	bool prefix, from_key;
};

static void set_range(
        struct store_command *m, const struct range_flags *f, ProtobufCBinaryData *key, ProtobufCBinaryData *end)
{
	const char *last = store_command_argument(m, 1);
	*key = store_bytes(store_command_argument(m, 0));
	if (f->prefix)
		*end = store_prefix_end(&m->arena, *key);
	else if (f->from_key)
		*end = (ProtobufCBinaryData){1, (uint8_t *)"\0"};
	else if (last)
		*end = store_bytes(last);
	if (!key->len && end->len)
		*key = (ProtobufCBinaryData){1, (uint8_t *)"\0"};
}

static void print_range(struct store_command *m, Etcdpb__RangeResponse *got, bool count, bool keys, bool values)
{
	if (m->json) {
		json_t *v = answer_of(got->header);
		set_pairs(v, "kvs", got->kvs, got->n_kvs);
		json_lib_set_bool(v, "more", got->more);
		json_lib_set_int(v, "count", got->count);
		json_lib_print(stdout, v);
		return;
	}
	if (count)
		printf("%" PRId64 "\n", got->count);
	for (size_t i = 0; i < got->n_kvs; i++)
		print_pair(got->kvs[i], keys, values);
}

int store_get(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	struct range_flags range = {0};
	bool keys = false, count = false, values = false, stale = false, descend = false;
	const struct flag more[] = {
	        {"prefix", 0, FLAG_BOOL, &range.prefix, NULL, "all keys that begin with KEY", NULL},
	        {"from-key", 0, FLAG_BOOL, &range.from_key, NULL, "all keys from KEY on", NULL},
	        {"rev", 0, FLAG_INT, &r.revision, NULL, "as of this revision", NULL},
	        {"limit", 0, FLAG_INT, &r.limit, NULL, "at most so many", NULL},
	        {"keys-only", 0, FLAG_BOOL, &keys, NULL, "no values", NULL},
	        {"count-only", 0, FLAG_BOOL, &count, NULL, "only how many", NULL},
	        {"print-value-only", 0, FLAG_BOOL, &values, NULL, "no keys", NULL},
	        {"stale", 0, FLAG_BOOL, &stale, NULL, "may be answered by a server that is behind", NULL},
	        {"descend", 0, FLAG_BOOL, &descend, NULL, "last key first", NULL},
	};
	if (store_command_load(&m, "get", "k3x-store get KEY [END]: read a key, or the keys from KEY up to END", more,
	            9, argc, argv) != 0 ||
	        store_command_wants(&m, 1, 2, "KEY [END]") != 0)
		return store_command_end(&m);
	set_range(&m, &range, &r.key, &r.range_end);
	r.keys_only = keys;
	r.count_only = count;
	r.serializable = stale;
	r.sort_order = descend ? 2 : 0;
	Etcdpb__RangeResponse *got = store_command_call(&m, "KV/Range", &r.base, &etcdpb__range_response__descriptor);
	if (got)
		print_range(&m, got, count, !values, !keys);
	return store_command_end(&m);
}

int store_del(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__DeleteRangeRequest r = ETCDPB__DELETE_RANGE_REQUEST__INIT;
	struct range_flags range = {0};
	bool prev = false;
	const struct flag more[] = {
	        {"prefix", 0, FLAG_BOOL, &range.prefix, NULL, "all keys that begin with KEY", NULL},
	        {"from-key", 0, FLAG_BOOL, &range.from_key, NULL, "all keys from KEY on", NULL},
	        {"prev-kv", 0, FLAG_BOOL, &prev, NULL, "show what was deleted", NULL},
	};
	if (store_command_load(&m, "del", "k3x-store del KEY [END]: delete a key or a range; says how many", more, 3,
	            argc, argv) != 0 ||
	        store_command_wants(&m, 1, 2, "KEY [END]") != 0)
		return store_command_end(&m);
	set_range(&m, &range, &r.key, &r.range_end);
	r.prev_kv = prev;
	Etcdpb__DeleteRangeResponse *got =
	        store_command_call(&m, "KV/DeleteRange", &r.base, &etcdpb__delete_range_response__descriptor);
	if (got && m.json) {
		json_t *v = answer_of(got->header);
		json_lib_set_int(v, "deleted", got->deleted);
		set_pairs(v, "prev_kvs", got->prev_kvs, got->n_prev_kvs);
		json_lib_print(stdout, v);
	} else if (got) {
		printf("%" PRId64 "\n", got->deleted);
		for (size_t i = 0; i < got->n_prev_kvs; i++)
			print_pair(got->prev_kvs[i], true, true);
	}
	return store_command_end(&m);
}

int store_compact(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__CompactionRequest r = ETCDPB__COMPACTION_REQUEST__INIT;
	bool physical = false;
	const struct flag more[] = {{"physical", 0, FLAG_BOOL, &physical, NULL, "wait until the rows are gone", NULL}};
	if (store_command_load(&m, "compact",
	            "k3x-store compact REVISION: drop versions superseded at or before it; older reads and watches "
	            "then "
	            "fail",
	            more, 1, argc, argv) != 0 ||
	        store_command_wants(&m, 1, 1, "a REVISION") != 0)
		return store_command_end(&m);
	if (!slice_to_i64(slice_of(store_command_argument(&m, 0)), &r.revision)) {
		fprintf(stderr, "k3x-store compact: \"%s\" is not a revision\n", store_command_argument(&m, 0));
		m.exit_code = 2;
		return store_command_end(&m);
	}
	r.physical = physical;
	void *got = store_command_call(&m, "KV/Compact", &r.base, &etcdpb__header_response__descriptor);
	if (got && m.json)
		json_lib_print(stdout, json_pack("{s:I}", "compacted", (json_int_t)r.revision));
	else if (got)
		printf("compacted revision %" PRId64 "\n", r.revision);
	return store_command_end(&m);
}

static void print_event(struct store_command *m, const Etcdpb__Event *e)
{
	const char *type = e->type == ETCDPB__EVENT__TYPE__DELETE ? "DELETE" : "PUT";
	if (m->json) {
		json_t *v = json_object();
		json_lib_set_cstr(v, "type", type);
		json_lib_set(v, "kv", store_json_pair(e->kv));
		if (e->prev_kv)
			json_lib_set(v, "prev_kv", store_json_pair(e->prev_kv));
		json_lib_print(stdout, v);
		return;
	}
	printf("%s\n", type);
	if (e->prev_kv)
		print_pair(e->prev_kv, true, true);
	print_pair(e->kv, true, true);
	fflush(stdout);
}

/* Follows until `max` events (0: for ever) or an error. */
static void follow(struct store_command *m, struct store_call *call, int64_t max)
{
	int64_t seen = 0;
	struct err err = ERR_INIT;
	while (!err.code && (!max || seen < max)) {
		struct arena a = ARENA_INIT;
		Etcdpb__WatchResponse *got = store_call_next(call, &etcdpb__watch_response__descriptor, &a, &err);
		if (!got && !err.code)
			err_set(&err, ERR_UNAVAILABLE, "the server ended the watch");
		if (got && got->canceled && got->compact_revision)
			err_set(&err, ERR_COMPACTED,
			        "the watch was canceled: revisions below %" PRId64 " have been compacted",
			        got->compact_revision);
		else if (got && got->canceled)
			err_set(&err, ERR_CANCELED, "the watch was canceled: %s", got->cancel_reason);
		for (size_t i = 0; got && i < got->n_events && (!max || seen < max); i++, seen++)
			print_event(m, got->events[i]);
		arena_release(&a);
	}
	if (err.code)
		m->exit_code = store_tool_fail("watch", &err);
}

int store_watch(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__WatchRequest r = ETCDPB__WATCH_REQUEST__INIT;
	Etcdpb__WatchCreateRequest create = ETCDPB__WATCH_CREATE_REQUEST__INIT;
	struct range_flags range = {0};
	int64_t max = 0;
	bool prev = false;
	const struct flag more[] = {
	        {"prefix", 0, FLAG_BOOL, &range.prefix, NULL, "all keys that begin with KEY", NULL},
	        {"from-key", 0, FLAG_BOOL, &range.from_key, NULL, "all keys from KEY on", NULL},
	        {"rev", 0, FLAG_INT, &create.start_revision, NULL, "from this revision on (from now on)", NULL},
	        {"prev-kv", 0, FLAG_BOOL, &prev, NULL, "show what was there too", NULL},
	        {"events", 0, FLAG_INT, &max, NULL, "end after so many events", NULL},
	};
	if (store_command_load(
	            &m, "watch", "k3x-store watch KEY [END]: print changes as they happen", more, 5, argc, argv) != 0 ||
	        store_command_wants(&m, 1, 2, "KEY [END]") != 0)
		return store_command_end(&m);
	set_range(&m, &range, &create.key, &create.range_end);
	create.prev_kv = prev;
	r.request_case = ETCDPB__WATCH_REQUEST__REQUEST_CREATE_REQUEST;
	r.create_request = &create;
	struct store_call *call = store_call_open(m.client, "Watch/Watch", &r.base);
	follow(&m, call, max);
	store_call_close(call);
	return store_command_end(&m);
}

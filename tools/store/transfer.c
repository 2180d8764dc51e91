/* `k3x-store export|import`: pairs as JSON lines, one pair a line, keys and values in base64. All pairs of an export
 * are of one revision, read in pages. Leases do not travel: a pair that hangs on one is exported with its id, and left
 * out by the import unless it is asked to keep such pairs, then without the lease. Works with etcd on either side. */
#include "tools/store/command_int.h"

#include "base/base64.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A page is read by number: as many of the largest values fit in memory twice over; what is small comes fast enough. */
enum { PAGE = 64, BATCH = 100, BATCH_BYTES = 1000 * 1000 };

/* The first key behind this one; *keep has its bytes. */
static ProtobufCBinaryData after(struct strbuf *keep, ProtobufCBinaryData key)
{
	struct strbuf next = STRBUF_INIT;
	strbuf_add(&next, key.data, key.len);
	strbuf_addc(&next, 0);
	strbuf_release(keep);
	*keep = next;
	return (ProtobufCBinaryData){next.len, (uint8_t *)next.data};
}

/* One page, printed; what it took is freed. False: it was the last, or failed. */
static bool export_page(struct store_command *m, Etcdpb__RangeRequest *r, struct strbuf *key)
{
	struct arena rest = m->arena;
	m->arena = ARENA_INIT;
	Etcdpb__RangeResponse *got = store_command_call(m, "KV/Range", &r->base, &etcdpb__range_response__descriptor);
	bool more = got && got->n_kvs && got->more;
	for (size_t i = 0; got && i < got->n_kvs; i++)
		json_lib_print(stdout, store_json_pair(got->kvs[i]));
	if (got && !r->revision)
		r->revision = got->header->revision;
	if (more)
		r->key = after(key, got->kvs[got->n_kvs - 1]->key);
	arena_release(&m->arena);
	m->arena = rest;
	return more;
}

int store_export(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	const char *prefix = "";
	const struct flag more[] = {{"prefix", 0, FLAG_STRING, &prefix, NULL, "only keys that begin with this", NULL},
	        {"rev", 0, FLAG_INT, &r.revision, NULL, "as of this revision (the newest)", NULL}};
	if (store_command_load(&m, "export", "k3x-store export: write all pairs to standard output, as JSON lines",
	            more, 2, argc, argv) != 0 ||
	        store_command_wants(&m, 0, 0, "no arguments") != 0)
		return store_command_end(&m);
	r.key = prefix[0] ? store_bytes(prefix) : (ProtobufCBinaryData){1, (uint8_t *)"\0"};
	r.range_end = store_prefix_end(&m.arena, store_bytes(prefix));
	r.limit = PAGE;
	struct strbuf key = STRBUF_INIT;
	while (export_page(&m, &r, &key))
		;
	strbuf_release(&key);
	return store_command_end(&m);
}

struct import {
	struct store_command m;
	Etcdpb__RequestOp ops[BATCH], *list[BATCH];
	Etcdpb__PutRequest puts[BATCH];
	size_t n, bytes;
	struct arena batch; /* of the pairs in it */
	int64_t written, skipped;
	bool keep_leased;
	int line;
};

static bool flush_batch(struct import *x)
{
	Etcdpb__TxnRequest r = ETCDPB__TXN_REQUEST__INIT;
	if (!x->n)
		return true;
	r.success = x->list;
	r.n_success = x->n;
	struct arena rest = x->m.arena;
	x->m.arena = ARENA_INIT;
	bool done = store_command_call(&x->m, "KV/Txn", &r.base, &etcdpb__txn_response__descriptor) != NULL;
	arena_release(&x->m.arena);
	x->m.arena = rest;
	if (!done)
		return false;
	x->written += (int64_t)x->n;
	x->n = x->bytes = 0;
	return true;
}

static bool add_line(struct import *x, const char *text, size_t len, struct err *err)
{
	struct arena *a = &x->batch;
	json_auto_t *v = json_lib_parse((struct slice){text, len}, err);
	struct slice key, value = SLICE_NULL;
	if (!v) {
		err_wrap(err, "line %d", x->line);
		return false;
	}
	if (!base64_decode(a, json_lib_get_str(v, "key"), &key) || !key.len ||
	        (json_object_get(v, "value") && !base64_decode(a, json_lib_get_str(v, "value"), &value))) {
		err_set(err, ERR_INVAL, "line %d: key and value must be base64, the key not empty", x->line);
		return false;
	}
	if (json_lib_get_int(v, "lease", 0) && !x->keep_leased) {
		x->skipped++;
		return true;
	}
	if ((x->n == BATCH || x->bytes + key.len + value.len > BATCH_BYTES) && !flush_batch(x))
		return false;
	Etcdpb__PutRequest *p = &x->puts[x->n];
	etcdpb__put_request__init(p);
	p->key = (ProtobufCBinaryData){key.len, (uint8_t *)key.ptr};
	p->value = (ProtobufCBinaryData){value.len, (uint8_t *)value.ptr};
	etcdpb__request_op__init(&x->ops[x->n]);
	x->ops[x->n].request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_PUT;
	x->ops[x->n].request_put = p;
	x->list[x->n] = &x->ops[x->n];
	x->n++;
	x->bytes += key.len + value.len;
	return true;
}

int store_import(int argc, char **argv)
{
	struct import *x = xcalloc(1, sizeof *x);
	struct err err = ERR_INIT;
	const struct flag more[] = {{"keep-leased", 0, FLAG_BOOL, &x->keep_leased, NULL,
	        "import pairs that hung on a lease too, without one", NULL}};
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	bool good = store_command_load(&x->m, "import",
	                    "k3x-store import: write the pairs of an export from standard input, over what is there.\n"
	                    "A hundred pairs at a time: when it fails, what was written stays; run it again.",
	                    more, 1, argc, argv) == 0 &&
	            store_command_wants(&x->m, 0, 0, "no arguments") == 0;
	bool started = good;
	while (good && (n = getline(&line, &cap, stdin)) > 0) {
		x->line++;
		if (strspn(line, " \t\r\n") < (size_t)n)
			good = add_line(x, line, (size_t)n, &err);
		/* What was read while the batch before was written stays until this one is. */
		if (x->n == 0 || x->n == BATCH || x->bytes > BATCH_BYTES / 2) {
			good = good && flush_batch(x);
			arena_reset(&x->batch);
		}
	}
	good = good && flush_batch(x);
	free(line);
	arena_release(&x->batch);
	if (err.code)
		x->m.exit_code = store_tool_fail("import", &err);
	if (started && x->m.json)
		json_lib_print(stdout,
		        json_pack("{s:I, s:I}", "written", (json_int_t)x->written, "skipped", (json_int_t)x->skipped));
	else if (started)
		printf("%" PRId64 " pairs written, %" PRId64 " on leases left out\n", x->written, x->skipped);
	int code = store_command_end(&x->m);
	free(x);
	return code;
}

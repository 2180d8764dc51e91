/* `k3x-store txn`: a transaction in etcdctl's form, from a file or standard input. Three blocks, each ended by an empty
 * line: compares, operations when they hold, operations when not.
 *
 *     mod("a") > "0"
 *     value("b") = "x"
 *
 *     put a 2
 *     get b
 *
 *     get --prefix a
 *
 * A word may stand in double quotes, with \", \\ and \n inside. */
#include "tools/store/command_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 8, OPS_MAX = 4096 };

struct parser {
	struct arena *a;
	FILE *in;
	int line;
	Etcdpb__Compare *compares[OPS_MAX];
	Etcdpb__RequestOp *ops[2][OPS_MAX];
	size_t n_compares, n_ops[2];
};

static int fault(struct parser *p, struct err *err, const char *what)
{
	return err_set(err, ERR_INVAL, "line %d: %s", p->line, what);
}

/* Splits at white space outside quotes. */
static int split(struct parser *p, const char *line, char **words, int *n, struct err *err)
{
	*n = 0;
	while (*(line += strspn(line, " \t\r\n"))) {
		char *out = (char *)arena_memdup(p->a, line, strlen(line) + 1);
		bool quoted = false;
		if (*n == WORDS_MAX)
			return fault(p, err, "too many words");
		words[(*n)++] = out;
		for (; *line && (quoted || !strchr(" \t\r\n", *line)); line++) {
			if (*line == '"')
				quoted = !quoted;
			else if (*line == '\\' && quoted && line[1])
				*out++ = *++line == 'n' ? '\n' : *line;
			else
				*out++ = *line;
		}
		*out = 0;
		if (quoted)
			return fault(p, err, "a quote is not closed");
	}
	return 0;
}

static bool set_target(Etcdpb__Compare *c, const char *target, const char *value, bool *good)
{
	char *end = NULL;
	int64_t number = strtoll(value, &end, strcmp(target, "lease") == 0 ? 16 : 10);
	*good = *value && end && !*end;
	if (!strcmp(target, "ver") || !strcmp(target, "version")) {
		c->target_union_case = ETCDPB__COMPARE__TARGET_UNION_VERSION;
		c->version = number;
		c->target = 0;
	} else if (!strcmp(target, "c") || !strcmp(target, "create")) {
		c->target_union_case = ETCDPB__COMPARE__TARGET_UNION_CREATE_REVISION;
		c->create_revision = number;
		c->target = 1;
	} else if (!strcmp(target, "m") || !strcmp(target, "mod")) {
		c->target_union_case = ETCDPB__COMPARE__TARGET_UNION_MOD_REVISION;
		c->mod_revision = number;
		c->target = 2;
	} else if (!strcmp(target, "val") || !strcmp(target, "value")) {
		c->target_union_case = ETCDPB__COMPARE__TARGET_UNION_VALUE;
		c->value = store_bytes(value);
		c->target = 3;
		*good = true;
	} else if (!strcmp(target, "lease")) {
		c->target_union_case = ETCDPB__COMPARE__TARGET_UNION_LEASE;
		c->lease = number;
		c->target = 4;
	} else {
		return false;
	}
	return true;
}

/* mod("key") > "7": the key's quotes went with the splitting. */
static int add_compare(struct parser *p, char **words, int n, struct err *err)
{
	static const char *const operators[] = {"=", ">", "<", "!="};
	Etcdpb__Compare *c = arena_alloc(p->a, sizeof *c);
	char *open = n == 3 ? strchr(words[0], '(') : NULL;
	size_t len = n ? strlen(words[0]) : 0;
	bool good;
	etcdpb__compare__init(c);
	c->result = -1;
	for (int i = 0; i < 4 && n == 3; i++)
		if (strcmp(words[1], operators[i]) == 0)
			c->result = i;
	if (!open || words[0][len - 1] != ')' || c->result < 0 || p->n_compares == OPS_MAX)
		return fault(p, err, "a compare is like mod(\"key\") > \"7\", with =, !=, < or >");
	*open = words[0][len - 1] = 0;
	c->key = store_bytes(open + 1);
	if (!set_target(c, words[0], words[2], &good))
		return fault(p, err, "what can be compared: create, mod, version, value, lease");
	if (!good)
		return fault(p, err, "this compares with a number");
	p->compares[p->n_compares++] = c;
	return 0;
}

static void set_keys(
        struct parser *p, char **words, int n, bool prefix, ProtobufCBinaryData *key, ProtobufCBinaryData *end)
{
	*key = store_bytes(words[0]);
	if (prefix)
		*end = store_prefix_end(p->a, *key);
	else if (n == 2)
		*end = store_bytes(words[1]);
	if (!key->len && end->len)
		*key = (ProtobufCBinaryData){1, (uint8_t *)"\0"};
}

static int add_op(struct parser *p, int branch, char **words, int n, struct err *err)
{
	Etcdpb__RequestOp *o = arena_alloc(p->a, sizeof *o);
	bool prefix = n > 1 && strcmp(words[1], "--prefix") == 0;
	char **args = words + 1 + prefix;
	int count = n - 1 - prefix;
	etcdpb__request_op__init(o);
	if (count < 1 || count > 2 || p->n_ops[branch] == OPS_MAX)
		return fault(
		        p, err, "an operation is put KEY VALUE, get [--prefix] KEY [END] or del [--prefix] KEY [END]");
	if (strcmp(words[0], "put") == 0 && count == 2) {
		o->request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_PUT;
		o->request_put = arena_alloc(p->a, sizeof *o->request_put);
		etcdpb__put_request__init(o->request_put);
		o->request_put->key = store_bytes(args[0]);
		o->request_put->value = store_bytes(args[1]);
	} else if (strcmp(words[0], "get") == 0) {
		o->request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_RANGE;
		o->request_range = arena_alloc(p->a, sizeof *o->request_range);
		etcdpb__range_request__init(o->request_range);
		set_keys(p, args, count, prefix, &o->request_range->key, &o->request_range->range_end);
	} else if (strcmp(words[0], "del") == 0) {
		o->request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE;
		o->request_delete_range = arena_alloc(p->a, sizeof *o->request_delete_range);
		etcdpb__delete_range_request__init(o->request_delete_range);
		set_keys(p, args, count, prefix, &o->request_delete_range->key, &o->request_delete_range->range_end);
	} else {
		return fault(p, err, "operations are put, get and del");
	}
	p->ops[branch][p->n_ops[branch]++] = o;
	return 0;
}

static int parse(struct parser *p, struct err *err)
{
	char *line = NULL, *words[WORDS_MAX];
	size_t cap = 0;
	int block = 0, n, rc = 0;
	while (rc == 0 && block < 3 && getline(&line, &cap, p->in) >= 0) {
		p->line++;
		rc = split(p, line, words, &n, err);
		if (rc == 0 && n == 0)
			block++;
		else if (rc == 0)
			rc = block == 0 ? add_compare(p, words, n, err) : add_op(p, block - 1, words, n, err);
	}
	free(line);
	return rc;
}

static void print_op(struct store_command *m, const Etcdpb__ResponseOp *o)
{
	switch (o->response_case) {
	case ETCDPB__RESPONSE_OP__RESPONSE_RESPONSE_PUT:
		if (m->json)
			json_lib_print(stdout, json_pack("{s:b}", "put", true));
		else
			printf("OK\n");
		break;
	case ETCDPB__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE:
		if (m->json)
			json_lib_print(
			        stdout, json_pack("{s:I}", "deleted", (json_int_t)o->response_delete_range->deleted));
		else
			printf("%" PRId64 "\n", o->response_delete_range->deleted);
		break;
	case ETCDPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE:
		for (size_t i = 0; i < o->response_range->n_kvs; i++) {
			const Etcdpb__KeyValue *kv = o->response_range->kvs[i];
			if (m->json) {
				json_lib_print(stdout, store_json_pair(kv));
			} else {
				store_print_bytes(kv->key);
				store_print_bytes(kv->value);
			}
		}
		break;
	default:
		break;
	}
}

int store_txn_main(int argc, char **argv)
{
	struct store_command m = {0};
	struct err err = ERR_INIT;
	Etcdpb__TxnRequest r = ETCDPB__TXN_REQUEST__INIT;
	if (store_command_load(&m, "txn",
	            "k3x-store txn [FILE]: compares, an empty line, operations when they hold, an empty line, "
	            "operations "
	            "when not.\nCompares: mod(\"key\") > \"7\" (create, mod, version, value, lease; =, !=, <, >).\n"
	            "Operations: put KEY VALUE, get [--prefix] KEY [END], del [--prefix] KEY [END].",
	            NULL, 0, argc, argv) != 0 ||
	        store_command_wants(&m, 0, 1, "a FILE, or standard input") != 0)
		return store_command_end(&m);
	const char *path = store_command_argument(&m, 0);
	struct parser *p = xcalloc(1, sizeof *p);
	p->a = &m.arena;
	p->in = path ? fopen(path, "re") : stdin;
	if (!p->in)
		err_set(&err, ERR_NOT_FOUND, "%s does not open", path);
	else
		parse(p, &err);
	if (path && p->in)
		fclose(p->in);
	r.compare = p->compares;
	r.n_compare = p->n_compares;
	r.success = p->ops[0];
	r.n_success = p->n_ops[0];
	r.failure = p->ops[1];
	r.n_failure = p->n_ops[1];
	Etcdpb__TxnResponse *got = NULL;
	if (err.code)
		m.exit_code = store_tool_fail("txn", &err);
	else
		got = store_command_call(&m, "KV/Txn", &r.base, &etcdpb__txn_response__descriptor);
	if (got && m.json)
		json_lib_print(stdout, json_pack("{s:b, s:I}", "succeeded", got->succeeded, "revision",
		                               (json_int_t)got->header->revision));
	else if (got)
		printf("%s\n", got->succeeded ? "SUCCESS" : "FAILURE");
	for (size_t i = 0; got && i < got->n_responses; i++)
		print_op(&m, got->responses[i]);
	free(p);
	return store_command_end(&m);
}

/* See extender_wire.h. */
#include "api/scheduler/extenders/extender_wire.h"

#include "base/json/json.h"
#include "base/mem/utf8.h"

/* ---- who and where ---- */

struct outgoing_target extender_target(const struct scheduler_extender *x)
{
	return (struct outgoing_target){.url = x->url_prefix,
	        .server_name = x->server_name,
	        .ca_pem = x->ca_pem,
	        .skip_verify = x->is_insecure || (x->enables_https && !x->ca_pem),
	        .certificate_pem = x->certificate_pem,
	        .key_pem = x->key_pem};
}

struct slice extender_prefix(const struct scheduler_extender *x)
{
	struct slice prefix = slice_of(x->url_prefix);
	while (prefix.len && prefix.ptr[prefix.len - 1] == '/')
		prefix.len--;
	return prefix;
}

const char *extender_path(struct arena *a, const struct scheduler_extender *x, const char *verb)
{
	struct slice rest = extender_prefix(x);
	const char *host = memmem(rest.ptr, rest.len, "://", 3);
	const char *from = host ? host + 3 : rest.ptr, *end = rest.ptr + rest.len;
	const char *path = from < end ? memchr(from, '/', (size_t)(end - from)) : NULL;
	return arena_printf(a, "%.*s/%s", path ? (int)(end - path) : 0, path ? path : "", verb);
}

static bool asks_for(const struct scheduler_extender *x, const struct json *list)
{
	JSON_FOREACH (it, list)
		for (size_t i = 0; i < x->n_resources; i++)
			if (slice_is(it->key, x->resources[i]))
				return true;
	return false;
}

bool extender_wants(const struct scheduler_extender *x, const struct json *spec)
{
	static const char *const lists[] = {"containers", "initContainers"};
	if (!x->n_resources)
		return true;
	for (size_t i = 0; i < 2; i++)
		JSON_FOREACH (c, json_get(spec, lists[i]))
			if (asks_for(x, json_path(c, "resources", "requests", NULL)) ||
			        asks_for(x, json_path(c, "resources", "limits", NULL)))
				return true;
	return false;
}

/* ---- writing ---- */

void extender_args_write(struct strbuf *out, const struct scheduler_extender *x, struct slice pod,
        const struct extender_node *nodes, size_t n)
{
	strbuf_adds(out, "{\"Pod\":");
	strbuf_add_slice(out, pod);
	strbuf_adds(out, x->knows_nodes ? ",\"Nodes\":null,\"NodeNames\":["
	                                : ",\"Nodes\":{\"kind\":\"NodeList\",\"apiVersion\":\"v1\",\"metadata\":{},"
	                                  "\"items\":[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			strbuf_addc(out, ',');
		if (x->knows_nodes)
			json_write_str(out, nodes[i].name);
		else
			strbuf_add_slice(out, nodes[i].json);
	}
	strbuf_adds(out, x->knows_nodes ? "]}" : "]},\"NodeNames\":null}");
}

static void write_victims(struct strbuf *out, const struct scheduler_extender *x, const struct extender_victims *v)
{
	json_write_str(out, v->node);
	strbuf_adds(out, ":{\"Pods\":[");
	for (size_t i = 0; i < v->n; i++) {
		if (i)
			strbuf_addc(out, ',');
		if (!x->knows_nodes) {
			strbuf_add_slice(out, v->pods[i]);
			continue;
		}
		strbuf_adds(out, "{\"UID\":");
		json_write_str(out, v->uids[i]);
		strbuf_addc(out, '}');
	}
	strbuf_adds(out, "],\"NumPDBViolations\":");
	strbuf_add_i64(out, v->violations);
	strbuf_addc(out, '}');
}

void extender_victims_write(struct strbuf *out, const struct scheduler_extender *x, struct slice pod,
        const struct extender_victims *all, size_t n)
{
	strbuf_adds(out, "{\"Pod\":");
	strbuf_add_slice(out, pod);
	strbuf_adds(out, x->knows_nodes ? ",\"NodeNameToVictims\":null,\"NodeNameToMetaVictims\":{"
	                                : ",\"NodeNameToMetaVictims\":null,\"NodeNameToVictims\":{");
	for (size_t i = 0; i < n; i++) {
		if (i)
			strbuf_addc(out, ',');
		write_victims(out, x, &all[i]);
	}
	strbuf_adds(out, "}}");
}

void extender_binding_write(struct strbuf *out, struct slice ns, struct slice pod, struct slice uid, struct slice node)
{
	strbuf_adds(out, "{\"PodName\":");
	json_write_str(out, pod);
	strbuf_adds(out, ",\"PodNamespace\":");
	json_write_str(out, ns);
	strbuf_adds(out, ",\"PodUID\":");
	json_write_str(out, uid);
	strbuf_adds(out, ",\"Node\":");
	json_write_str(out, node);
	strbuf_addc(out, '}');
}

/* ---- reading ---- */

static void last_one_counts(void *arg, const char *path, size_t offset)
{
}

/* An answer that is of this type, or null, which says as much as an empty one. */
static int parse(struct arena *a, struct slice text, enum json_type type, const struct json **ret, struct err *err)
{
	const struct json_parse_options options = {.on_duplicate = last_one_counts};
	struct err why = ERR_INIT;
	const struct json *v = json_parse(a, text, &options, &why);
	if (!v)
		return err_set(err, ERR_PROTOCOL, "the answer is not JSON: %s", why.msg);
	if (v->type != type && v->type != JSON_NULL)
		return err_set(err, ERR_PROTOCOL, "the answer is a JSON %s, not an %s", json_type_name(v->type),
		        json_type_name(type));
	*ret = v;
	return 0;
}

/* NULL for what is not there or null; of two that differ in case the last counts. */
static const struct json *member(const struct json *object, const char *name)
{
	const struct json *found = NULL;
	if (!json_is(object, JSON_OBJECT))
		return NULL;
	JSON_FOREACH (it, object)
		if (slice_caseis(it->key, name))
			found = it;
	return json_is(found, JSON_NULL) ? NULL : found;
}

/* The same, of a type. */
static int member_of(
        const struct json *object, const char *name, enum json_type type, const struct json **ret, struct err *err)
{
	*ret = member(object, name);
	if (!*ret || (*ret)->type == type)
		return 0;
	return err_set(err, ERR_PROTOCOL, "%s in the answer is a JSON %s, not an %s", name,
	        json_type_name((*ret)->type), json_type_name(type));
}

static int not_a_text(const char *what, struct err *err)
{
	return err_set(err, ERR_PROTOCOL, "%s in the answer is not a text", what);
}

static int member_text(const struct json *object, const char *name, struct slice *ret, struct err *err)
{
	const struct json *v = member(object, name);
	*ret = json_str(v);
	return !v || v->type == JSON_STRING ? 0 : not_a_text(name, err);
}

static int member_count(const struct json *object, const char *name, int64_t *ret, struct err *err)
{
	const struct json *v = member(object, name);
	*ret = v ? json_int(v, INT64_MIN) : 0;
	return *ret != INT64_MIN ? 0 : err_set(err, ERR_PROTOCOL, "%s in the answer is not a whole number", name);
}

/* For a message: cut where it is too long, never within a character. */
static const char *reason_of(struct arena *a, struct slice text)
{
	size_t len = text.len ? strnlen(text.ptr, text.len) : 0, keep = 0;
	while (keep < len) {
		size_t next = keep + utf8_len((const unsigned char *)text.ptr + keep, len - keep);
		if (next == keep || next > EXTENDER_REASON_BYTES_MAX)
			break;
		keep = next;
	}
	return arena_memdup(a, keep ? text.ptr : "", keep);
}

static int names_read(struct arena *a, const struct json *list, struct extender_filtered *ret, struct err *err)
{
	ret->nodes = ARENA_ARRAY(a, struct slice, list->count + 1);
	JSON_FOREACH (it, list) {
		if (it->type != JSON_STRING)
			return not_a_text("a node's name", err);
		ret->nodes[ret->n_nodes++] = it->text;
	}
	return 0;
}

static int nodes_read(struct arena *a, const struct json *nodes, struct extender_filtered *ret, struct err *err)
{
	const struct json *items, *meta;
	if (member_of(nodes, "items", JSON_ARRAY, &items, err) != 0)
		return err->code;
	ret->nodes = ARENA_ARRAY(a, struct slice, (items ? items->count : 0) + 1);
	JSON_FOREACH (it, items) {
		struct slice name;
		if (member_of(it, "metadata", JSON_OBJECT, &meta, err) != 0 ||
		        member_text(meta, "name", &name, err) != 0)
			return err->code;
		ret->nodes[ret->n_nodes++] = name;
	}
	return 0;
}

static int failed_read(
        struct arena *a, const struct json *of, bool is_unresolvable, struct extender_filtered *ret, struct err *err)
{
	JSON_FOREACH (it, of) {
		if (it->type != JSON_STRING && it->type != JSON_NULL)
			return not_a_text("why a node failed", err);
		ret->failed[ret->n_failed++] =
		        (struct extender_failed){it->key, reason_of(a, json_str(it)), is_unresolvable};
	}
	return 0;
}

/* What the extender itself says of its failure. */
static int error_read(const struct json *answer, struct err *err)
{
	struct slice text;
	if (member_text(answer, "Error", &text, err) != 0)
		return err->code;
	return text.len ? err_set(err, ERR_UNAVAILABLE, "%.*s", SLICE_FMT(text)) : 0;
}

int extender_filtered_read(
        struct arena *a, bool knows_nodes, struct slice text, struct extender_filtered *ret, struct err *err)
{
	const struct json *answer, *names, *nodes, *failed, *hopeless;
	*ret = (struct extender_filtered){0};
	if (parse(a, text, JSON_OBJECT, &answer, err) != 0 || error_read(answer, err) != 0 ||
	        member_of(answer, "NodeNames", JSON_ARRAY, &names, err) != 0 ||
	        member_of(answer, "Nodes", JSON_OBJECT, &nodes, err) != 0 ||
	        member_of(answer, "FailedNodes", JSON_OBJECT, &failed, err) != 0 ||
	        member_of(answer, "FailedAndUnresolvableNodes", JSON_OBJECT, &hopeless, err) != 0)
		return err->code;
	if (knows_nodes && names ? names_read(a, names, ret, err) != 0 : nodes && nodes_read(a, nodes, ret, err) != 0)
		return err->code;
	size_t most = (failed ? failed->count : 0) + (hopeless ? hopeless->count : 0);
	ret->failed = ARENA_ARRAY(a, struct extender_failed, most + 1);
	if (failed_read(a, failed, false, ret, err) != 0)
		return err->code;
	return failed_read(a, hopeless, true, ret, err);
}

int extender_scores_read(
        struct arena *a, struct slice text, struct extender_score **ret, size_t *ret_count, struct err *err)
{
	const struct json *answer;
	*ret_count = 0;
	if (parse(a, text, JSON_ARRAY, &answer, err) != 0)
		return err->code;
	*ret = ARENA_ARRAY(a, struct extender_score, answer->count + 1);
	JSON_FOREACH (it, answer) {
		struct extender_score *x = &(*ret)[*ret_count];
		if (it->type != JSON_OBJECT)
			return err_set(err, ERR_PROTOCOL, "a score in the answer is a JSON %s, not an object",
			        json_type_name(it->type));
		if (member_text(it, "Host", &x->node, err) != 0 || member_count(it, "Score", &x->points, err) != 0)
			return err->code;
		++*ret_count;
	}
	return 0;
}

static int uids_read(struct arena *a, const struct json *list, struct extender_victims *v, struct err *err)
{
	v->uids = ARENA_ARRAY(a, struct slice, (list ? list->count : 0) + 1);
	JSON_FOREACH (it, list) {
		if (it->type != JSON_OBJECT)
			return err_set(err, ERR_PROTOCOL, "a victim in the answer is a JSON %s, not an object",
			        json_type_name(it->type));
		if (member_text(it, "UID", &v->uids[v->n], err) != 0)
			return err->code;
		v->n++;
	}
	return 0;
}

int extender_victims_read(
        struct arena *a, struct slice text, struct extender_victims **ret, size_t *ret_count, struct err *err)
{
	const struct json *answer, *map, *pods;
	*ret_count = 0;
	if (parse(a, text, JSON_OBJECT, &answer, err) != 0 ||
	        member_of(answer, "NodeNameToMetaVictims", JSON_OBJECT, &map, err) != 0)
		return err->code;
	*ret = ARENA_ARRAY(a, struct extender_victims, (map ? map->count : 0) + 1);
	JSON_FOREACH (it, map) {
		struct extender_victims *v = &(*ret)[*ret_count];
		*v = (struct extender_victims){.node = it->key};
		if (it->type != JSON_OBJECT && it->type != JSON_NULL)
			return err_set(err, ERR_PROTOCOL, "a node's victims in the answer are a JSON %s, not an object",
			        json_type_name(it->type));
		if (member_of(it, "Pods", JSON_ARRAY, &pods, err) != 0 || uids_read(a, pods, v, err) != 0 ||
		        member_count(it, "NumPDBViolations", &v->violations, err) != 0)
			return err->code;
		++*ret_count;
	}
	return 0;
}

int extender_binding_read(struct slice text, struct err *err)
{
	struct arena a = ARENA_INIT;
	const struct json *answer;
	int rc = parse(&a, text, JSON_OBJECT, &answer, err);
	if (rc == 0)
		rc = error_read(answer, err);
	arena_release(&a);
	return rc;
}

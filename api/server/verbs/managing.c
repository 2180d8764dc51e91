/* See managing.h.
 *
 * A manager's name is the parameter fieldManager, else the part of the User-Agent before its first '/'; requests from
 * inside the house have none, and are called by their user. A client's own list counts in a write of the whole object:
 * [{}] clears it, one that cannot be read is left out with a warning, and none at all keeps what is there (so that who
 * knows nothing of managers destroys nothing). An object whose list was cleared, or was never kept, gets none by
 * updates; the first apply tells what was there before as "before-first-apply". */
#include "api/server/verbs/managing.h"

#include "api/machinery/fields/last_applied.h"
#include "api/machinery/fields/pack.h"
#include "api/machinery/schema/kind_ops.h"
#include "api/server/answer.h"
#include "api/server/converting/conversion.h"
#include "api/server/status.h"
#include "api/server/strategy.h"
#include "base/check.h"
#include "base/mem/utf8.h"

/* ---- options ---- */

/* The code point, and how many bytes it takes; 0: not UTF-8. */
static uint32_t code_point(struct slice s, size_t at, size_t *ret_len)
{
	const unsigned char *p = (const unsigned char *)s.ptr + at;
	*ret_len = p[0] < 0x80 ? 1 : utf8_len(p, s.len - at);
	if (*ret_len <= 1)
		return *ret_len ? p[0] : 0;
	uint32_t c = p[0] & (0xffu >> (*ret_len + 1));
	for (size_t i = 1; i < *ret_len; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

/* Go's unicode.IsPrint for what people send: controls, blanks other than the space, marks of order and private use are
 * not. */
static bool is_printable(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad)
		return false;
	return !((c >= 0x2000 && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x206f) ||
	         c == 0x3000 || c == 0xfeff || (c >= 0xe000 && c <= 0xf8ff) || c >= 0xe0000);
}

static void check_manager(struct field_errors *e, struct slice name)
{
	size_t len = 1;
	if (name.len > MANAGER_NAME_BYTES_MAX)
		field_error_add(e, "FieldValueTooLong", "fieldManager", "Too long: may not be more than %d bytes",
		        MANAGER_NAME_BYTES_MAX);
	for (size_t i = 0; i < name.len && len; i += len) {
		uint32_t c = code_point(name, i, &len);
		if (!len || !is_printable(c))
			field_error_add(e, "FieldValueInvalid", "fieldManager",
			        "Invalid value: invalid character U+%04X (at position %zu)", c, i);
	}
}

bool managing_refuses(struct call *c, const char *options, bool is_apply)
{
	const struct resource row = {.group = "meta.k8s.io", .kind = options};
	struct field_errors *e = ARENA_NEW(&c->arena, struct field_errors);
	struct slice manager = call_param(c, "fieldManager"), force = call_param(c, "force");
	field_errors_init(e, &c->arena);
	if (!is_apply && force.ptr && !strcmp(options, "PatchOptions"))
		field_error_add(
		        e, "FieldValueForbidden", "force", "Forbidden: may not be specified for non-apply patch");
	if (is_apply && !manager.len)
		field_error_add(e, "FieldValueRequired", "fieldManager", "Required value: is required for apply patch");
	if (is_apply && force.ptr && !call_param_bool(c, "force") && !slice_caseis(force, "false") &&
	        !slice_is(force, "0"))
		field_error_add(e, "FieldValueInvalid", "force", "Invalid value: \"%.*s\": must be true or false",
		        SLICE_FMT(force));
	check_manager(e, manager);
	if (e->count)
		call_respond_invalid(c, &row, SLICE_NULL, e);
	return e->count > 0;
}

/* ---- who writes ---- */

/* "system:kube-scheduler" is kube-scheduler; nodes' kubelets are alike, and so are controllers, whatever account each
 * of them uses. */
static struct slice name_of_user(struct slice user)
{
	if (slice_starts(user, "system:serviceaccount:kube-system:"))
		return SLICE("kube-controller-manager");
	if (slice_starts(user, "system:node:"))
		return SLICE("kubelet");
	if (slice_is(user, "system:apiserver"))
		return SLICE("kube-apiserver");
	for (size_t i = user.len; i > 0; i--)
		if (user.ptr[i - 1] == ':')
			return (struct slice){user.ptr + i, user.len - i};
	return user;
}

/* The printable part before the first '/', as long as a name may be. */
static struct slice name_of_agent(struct arena *a, struct slice agent)
{
	struct slice head = slice_cut(&agent, '/');
	struct strbuf out = STRBUF_INIT;
	size_t len = 1;
	for (size_t i = 0; i < head.len && len; i += len) {
		uint32_t c = code_point(head, i, &len);
		if (!is_printable(c))
			continue;
		if (out.len + len > MANAGER_NAME_BYTES_MAX)
			break;
		strbuf_add(&out, head.ptr + i, len);
	}
	struct slice name = {arena_memdup(a, out.data ? out.data : "", out.len), out.len};
	strbuf_release(&out);
	return name;
}

static struct slice manager_name(struct call *c)
{
	struct slice name = call_param(c, "fieldManager");
	if (name.len)
		return name;
	return c->exchange ? name_of_agent(&c->arena, c->user_agent) : name_of_user(c->user_agent);
}

/* "labels,annotations" are metadata.labels and metadata.annotations. */
static const char *kept_by_status(struct arena *a, const struct resource *r)
{
	struct slice rest = slice_of(resource_ops(r)->status_keeps);
	struct strbuf out = STRBUF_INIT;
	while (rest.ptr)
		strbuf_addf(&out, "%smetadata.%.*s", out.len ? "," : "", SLICE_FMT(slice_cut(&rest, ',')));
	const char *text = out.len ? arena_strdup(a, strbuf_cstr(&out)) : NULL;
	strbuf_release(&out);
	return text;
}

static struct managers_write write_of(struct managing *g)
{
	bool is_status = !strcmp(g->sub, "status") || !strcmp(g->sub, "approval");
	bool has_status = resource_sub_find(g->resource, SLICE("status")) != NULL;
	return (struct managers_write){
	        .arena = g->arena,
	        .resource = g->resource,
	        .sub = g->sub,
	        .manager = manager_name(g->call),
	        .now = strategy_time(g->arena, 0),
	        .is_status = is_status,
	        .resets = is_status    ? kept_by_status(g->arena, g->resource)
	                  : has_status ? "status"
	                               : NULL,
	};
}

/* ---- a try ---- */

void managing_init(
        struct managing *g, struct call *c, struct arena *a, const struct resource *r, const char *sub, bool is_aside)
{
	CHECK(c && a && r && sub);
	*g = (struct managing){.call = c, .arena = a, .resource = r, .sub = sub, .is_aside = is_aside};
}

static void copy_list(struct arena *a, const struct managers *from, struct managers *to)
{
	struct manager **tail = &to->first;
	for (const struct manager *it = from->first; it; it = it->next) {
		struct manager *copy = ARENA_NEW(a, struct manager);
		*copy = *it;
		*tail = copy;
		tail = &copy->next;
	}
	*tail = NULL;
}

void managing_load(struct managing *g, const struct object *before)
{
	managing_init(g, g->call, g->arena, g->resource, g->sub, g->is_aside);
	g->packed = before ? object_packed(before) : SLICE_NULL;
	if (!g->packed.len || g->is_aside)
		return;
	size_t len = fields_packed_text_len(g->packed);
	char *text = arena_alloc(g->arena, len);
	fields_unpack(g->packed, text);
	/* What another server has stored and we cannot read is nobody's. */
	if (managers_read(g->arena, (struct slice){text, len}, true, &g->before, NULL) != 0)
		g->before.first = NULL;
	copy_list(g->arena, &g->before, &g->now);
}

static bool is_reset(const struct json *sent)
{
	return sent->count == 1 && json_is(sent->first, JSON_OBJECT) && !sent->first->first;
}

static void take_list(struct managing *g, const struct json *sent)
{
	struct strbuf text = STRBUF_INIT;
	struct managers list = {NULL};
	struct err err = ERR_INIT;
	json_write(&text, sent);
	if (managers_read(g->arena, strbuf_slice(&text), false, &list, &err) != 0)
		call_warn(g->call,
		        arena_printf(g->arena, "metadata.managedFields is left out, for it is not valid: %s", err.msg));
	else if (list.first)
		g->now = list;
	strbuf_release(&text);
}

void managing_take_sent(struct managing *g, struct json *object)
{
	struct json *meta = json_get(object, "metadata"), *sent = json_get(meta, "managedFields");
	if (!sent)
		return;
	if (!*g->sub && json_is(sent, JSON_ARRAY) && is_reset(sent))
		g->now.first = NULL;
	else if (!*g->sub && json_is(sent, JSON_ARRAY) && sent->first)
		take_list(g, sent);
	json_del(meta, "managedFields");
}

void managing_track(struct managing *g, const struct json *old, const struct json *object)
{
	struct managers_write w;
	if (g->is_settled || g->is_aside || (old && !g->now.first))
		return;
	w = write_of(g);
	struct managers now;
	copy_list(g->arena, &g->now, &now);
	managers_update(&w, &now, old ? old : managers_zero(g->arena, g->resource), object);
	if (!conversion_is_wanted(
	            g->resource)) /* else this is done again, when it is known what managers' versions say */
		g->now = now;
}

/* ---- applying ---- */

static int apply(struct managing *g, const struct managers_write *w, const struct json *old, const struct json *config,
        bool force, struct json **ret, struct err *err)
{
	const struct json *live = old ? old : json_new(g->arena, JSON_OBJECT);
	copy_list(g->arena, &g->before, &g->now);
	return managers_apply(w, &g->now, live, old != NULL, config, force, ret, &g->conflicts, err);
}

/* What kubectl owned by client-side apply it takes over, as long as it is what it has set. */
static int apply_as_kubectl(struct managing *g, const struct managers_write *w, const struct json *old,
        const struct json *config, struct json **ret, struct err *err)
{
	if (err->code == ERR_CONFLICT && g->conflicts.count && old) {
		if (!last_applied_allows(g->arena, g->resource, old, &g->conflicts))
			return err_set(err, ERR_CONFLICT, "%s", managers_conflict_text(g->arena, &g->conflicts));
		*err = ERR_INIT;
		apply(g, w, old, config, true, ret, err);
	}
	if (!err->code)
		last_applied_set(g->arena, *ret, config);
	return err->code;
}

int managing_apply(
        struct managing *g, const struct json *old, const struct json *config, struct json **ret, struct err *err)
{
	struct managers_write w = write_of(g);
	g->is_settled = true;
	int rc = apply(g, &w, old, config, call_param_bool(g->call, "force"), ret, err);
	return last_applied_is_for(w.manager) ? apply_as_kubectl(g, &w, old, config, ret, err) : rc;
}

void managing_tell_conflicts(struct managing *g)
{
	struct arena *a = &g->call->arena;
	const struct manager_conflicts *found = &g->conflicts;
	struct json *s = status_new(a, 409, "Conflict", managers_conflict_text(a, found)),
	            *details = json_new(a, JSON_OBJECT), *causes = json_new(a, JSON_ARRAY);
	CHECK(found->count > 0);
	for (size_t i = 0; i < found->count; i++) {
		struct json *cause = json_new(a, JSON_OBJECT);
		json_set_cstr(a, cause, "reason", "FieldManagerConflict");
		json_set_cstr(a, cause, "message",
		        arena_printf(a, "conflict with %s", manager_text(a, found->items[i].with)));
		json_set_cstr(a, cause, "field", found->items[i].path);
		json_append(causes, cause);
	}
	json_set(a, details, "causes", causes);
	json_set(a, s, "details", details);
	g->call->shape = SHAPE_OBJECT;
	call_respond_tree(g->call, 409, s);
}

/* ---- storing ---- */

bool managing_is_unchanged(const struct managing *g)
{
	return g->is_aside || managers_equal(&g->before, &g->now);
}

void managing_write(const struct managing *g, struct strbuf *out)
{
	if (!g->is_aside) {
		if (g->now.first)
			managers_write(out, &g->now);
	} else if (g->packed.len) {
		size_t len = fields_packed_text_len(g->packed);
		strbuf_reserve(out, len);
		fields_unpack(g->packed, out->data);
		out->len = len;
		out->data[len] = 0;
	}
}

/* Events as upstream writes them: members in the order of its type, maps in the order of their keys, nothing that is
 * empty, times in microseconds (apiserver/pkg/apis/audit/v1). */
#include "api/server/audit/audit_int.h"

#include "base/check.h"
#include "base/time/rfc3339.h"

static void add_time(struct strbuf *out, int64_t ns)
{
	char text[RFC3339_MAX];
	strbuf_addf(out, "\"%s\"", rfc3339_text(text, ns, 6));
}

/* `,"name":"value"`, or nothing. */
static void add_member(struct strbuf *out, const char *name, struct slice value)
{
	if (!value.len)
		return;
	if (out->data[out->len - 1] != '{')
		strbuf_addc(out, ',');
	strbuf_addf(out, "\"%s\":", name);
	json_write_str(out, value);
}

static void add_list(struct strbuf *out, const struct slice *items, size_t count)
{
	strbuf_addc(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i)
			strbuf_addc(out, ',');
		json_write_str(out, items[i]);
	}
	strbuf_addc(out, ']');
}

/* ---- users ---- */

static const struct user_extra *next_key(const struct user *u, struct slice after)
{
	const struct user_extra *found = NULL;
	for (const struct user_extra *x = u->extras; x; x = x->next)
		if ((!after.ptr || slice_cmp(x->key, after) > 0) && (!found || slice_cmp(x->key, found->key) < 0))
			found = x;
	return found;
}

static void add_extras(struct strbuf *out, const struct user *u)
{
	const struct user_extra *key = next_key(u, SLICE_NULL);
	strbuf_adds(out, ",\"extra\":{");
	for (bool first = true; key; key = next_key(u, key->key), first = false) {
		const char *sep = "[";
		strbuf_adds(out, first ? "" : ",");
		json_write_str(out, key->key);
		strbuf_addc(out, ':');
		for (const struct user_extra *x = u->extras; x; x = x->next)
			if (slice_eq(x->key, key->key)) {
				strbuf_adds(out, sep);
				json_write_str(out, x->value);
				sep = ",";
			}
		strbuf_addc(out, ']');
	}
	strbuf_addc(out, '}');
}

static void add_user(struct strbuf *out, const char *name, const struct user *u)
{
	strbuf_addf(out, ",\"%s\":{", name);
	add_member(out, "username", u->name);
	add_member(out, "uid", u->uid);
	if (u->n_groups) {
		strbuf_adds(out, ",\"groups\":");
		add_list(out, u->groups, u->n_groups);
	}
	if (u->extras)
		add_extras(out, u);
	strbuf_addc(out, '}');
}

/* ---- the rest ---- */

static void add_ref(struct strbuf *out, const struct audit_ref *ref)
{
	strbuf_adds(out, ",\"objectRef\":{");
	add_member(out, "resource", ref->resource);
	add_member(out, "namespace", ref->ns);
	add_member(out, "name", ref->name);
	add_member(out, "uid", ref->uid);
	add_member(out, "apiGroup", ref->group);
	add_member(out, "apiVersion", ref->version);
	add_member(out, "resourceVersion", ref->resource_version);
	add_member(out, "subresource", ref->sub);
	strbuf_addc(out, '}');
}

static void add_status(struct strbuf *out, const struct audit_record *r)
{
	strbuf_adds(out, ",\"responseStatus\":{\"metadata\":{}");
	add_member(out, "status", json_get_str(r->status, "status"));
	add_member(out, "message", r->message ? slice_of(r->message) : json_get_str(r->status, "message"));
	add_member(out, "reason", json_get_str(r->status, "reason"));
	const struct json *details = json_get(r->status, "details");
	if (details) {
		strbuf_adds(out, ",\"details\":");
		json_write(out, details);
	}
	strbuf_addf(out, ",\"code\":%d}", r->code);
}

static void add_object(struct strbuf *out, const char *name, struct slice text)
{
	if (!text.len)
		return;
	strbuf_addf(out, ",\"%s\":", name);
	strbuf_add_slice(out, text);
}

static void add_annotations(struct strbuf *out, const struct audit_annotation *first, bool is_cut)
{
	if (!first && !is_cut)
		return;
	strbuf_adds(out, ",\"annotations\":{");
	if (is_cut) /* "audit.k8s.io" comes before all others' names */
		strbuf_adds(out, "\"audit.k8s.io/truncated\":\"true\"");
	for (const struct audit_annotation *x = first; x; x = x->next) {
		if (x != first || is_cut)
			strbuf_addc(out, ',');
		json_write_str(out, slice_of(x->key));
		strbuf_addc(out, ':');
		json_write_str(out, x->value);
	}
	strbuf_addc(out, '}');
}

static void write_event(
        struct strbuf *out, const struct audit_record *r, enum audit_stage stage, int64_t now_ns, bool is_cut)
{
	strbuf_addf(out, "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"%s\"",
	        audit_level_name(r->decision.level));
	add_member(out, "auditID", r->id);
	strbuf_addf(out, ",\"stage\":\"%s\"", audit_stage_name(stage));
	add_member(out, "requestURI", r->uri);
	add_member(out, "verb", r->verb);
	add_user(out, "user", r->user);
	if (r->as)
		add_user(out, "impersonatedUser", r->as);
	if (r->n_ips) {
		strbuf_adds(out, ",\"sourceIPs\":");
		add_list(out, r->ips, r->n_ips);
	}
	add_member(out, "userAgent", r->user_agent);
	if (r->has_ref)
		add_ref(out, &r->ref);
	if (r->code)
		add_status(out, r);
	if (!is_cut) {
		add_object(out, "requestObject", r->request_object);
		add_object(out, "responseObject", r->response_object);
	}
	strbuf_adds(out, ",\"requestReceivedTimestamp\":");
	add_time(out, r->received_ns);
	strbuf_adds(out, ",\"stageTimestamp\":");
	add_time(out, now_ns);
	add_annotations(out, r->annotations, is_cut);
	strbuf_adds(out, "}\n");
}

void audit_event_write(
        struct strbuf *out, const struct audit_record *r, enum audit_stage stage, int64_t now_ns, size_t bytes_max)
{
	size_t objects = r->request_object.len + r->response_object.len, before = out->len;
	CHECK(r->user && r->id.len);
	write_event(out, r, stage, now_ns, r->is_cut || objects > bytes_max);
	if (out->len - before <= bytes_max || !objects || objects > bytes_max)
		return;
	out->len = before;
	write_event(out, r, stage, now_ns, true);
}

/* ---- legacy ---- */

static void add_quoted(struct strbuf *out, const char *name, struct slice value)
{
	strbuf_addf(out, " %s=", name);
	json_write_str(out, value); /* Go's %q, for what stands in names */
}

/* Each quoted, with commas between, and that quoted again. */
static void add_groups(struct strbuf *out, const char *name, const struct user *u, const char *none)
{
	CLEANUP(cleanup_strbuf) struct strbuf list = STRBUF_INIT;
	for (size_t i = 0; u && i < u->n_groups; i++) {
		strbuf_adds(&list, i ? "," : "");
		json_write_str(&list, u->groups[i]);
	}
	add_quoted(out, name, list.len ? strbuf_slice(&list) : slice_of(none));
}

void audit_event_write_legacy(struct strbuf *out, const struct audit_record *r, enum audit_stage stage, int64_t now_ns)
{
	size_t at = out->len;
	(void)now_ns; /* the request's time, as upstream */
	add_time(out, r->received_ns);
	memmove(out->data + at, out->data + at + 1, out->len - at - 1);
	out->len -= 2;
	strbuf_adds(out, " AUDIT:");
	add_quoted(out, "id", r->id);
	add_quoted(out, "stage", slice_of(audit_stage_name(stage)));
	add_quoted(out, "ip", r->n_ips ? r->ips[0] : SLICE("<unknown>"));
	add_quoted(out, "method", r->verb);
	add_quoted(out, "user", r->user->name.len ? r->user->name : SLICE("<none>"));
	add_groups(out, "groups", r->user, "<none>");
	add_quoted(out, "as", r->as ? r->as->name : SLICE("<self>"));
	add_groups(out, "asgroups", r->as, "<lookup>");
	add_quoted(out, "user-agent", r->user_agent);
	add_quoted(out, "namespace", r->ref.ns.len ? r->ref.ns : SLICE("<none>"));
	add_quoted(out, "uri", r->uri);
	if (r->code)
		strbuf_addf(out, " response=\"%d\"\n", r->code);
	else
		strbuf_adds(out, " response=\"<deferred>\"\n");
}

/* OpenAPI path items from the resource registry: which operations exist, their query parameters, bodies and answers.
 *
 * kubectl reads from here whether PATCH takes fieldValidation and dryRun, by the operation's group, version and kind.
 * Parameters come without descriptions: they would be four fifths of the document. */
#include "api/machinery/openapi/openapi_int.h"

#include "base/json/json.h"

#include <ctype.h>

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

/* Who one operation is about: the resource, or one of its subresources. */
struct target {
	const struct resource *r;
	const struct resource_sub *sub;
	const char *scope; /* "Namespaced" or "" or "ForAllNamespaces" */
};

struct parameter {
	const char *name;
	const char *type;
};

static const struct parameter write_parameters[] = {
        {"dryRun", "string"}, {"fieldManager", "string"}, {"fieldValidation", "string"}, {"force", "boolean"}};
static const struct parameter delete_parameters[] = {{"dryRun", "string"}, {"gracePeriodSeconds", "integer"},
        {"orphanDependents", "boolean"}, {"propagationPolicy", "string"}};
static const struct parameter list_parameters[] = {{"allowWatchBookmarks", "boolean"}, {"continue", "string"},
        {"fieldSelector", "string"}, {"labelSelector", "string"}, {"limit", "integer"}, {"resourceVersion", "string"},
        {"resourceVersionMatch", "string"}, {"sendInitialEvents", "boolean"}, {"timeoutSeconds", "integer"},
        {"watch", "boolean"}};

static void put_parameter(struct openapi *o, struct strbuf *b, const char *where, const char *name, const char *type)
{
	strbuf_addf(b, "%s{\"name\":\"%s\",\"in\":\"%s\"", o->need_comma ? "," : "", name, where);
	if (strcmp(where, "path") == 0)
		strbuf_adds(b, ",\"required\":true");
	strbuf_addf(b,
	        o->is_v3 ? ",\"schema\":{\"type\":\"%s\",\"uniqueItems\":true}}"
	                 : ",\"type\":\"%s\",\"uniqueItems\":true}",
	        type);
	o->need_comma = true;
}

static void put_parameters(struct openapi *o, struct strbuf *b, const struct parameter *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_parameter(o, b, "query", p[i].name, p[i].type);
}

static void put_ref(struct openapi *o, struct strbuf *b, const char *name)
{
	strbuf_addf(b, "{\"$ref\":\"%s%s\"}", openapi_ref_prefix(o), name);
}

/* The definition's name of what an operation sends or answers. */
static void type_name(struct strbuf *out, const struct target *t, bool is_list)
{
	if (t->sub && t->sub->type && (!t->r->is_custom || strcmp(t->sub->kind, t->r->kind) != 0))
		strbuf_adds(out, t->sub->type->name);
	else
		resource_definition_name(out, t->r, is_list ? "List" : "");
}

static void put_content(struct openapi *o, struct strbuf *b, const char *const *media, const char *type)
{
	strbuf_adds(b, "\"content\":{");
	for (size_t i = 0; media[i]; i++) {
		strbuf_addf(b, "%s\"%s\":{\"schema\":", i ? "," : "", media[i]);
		put_ref(o, b, type);
		strbuf_addc(b, '}');
	}
	strbuf_addc(b, '}');
}

/* Custom resources know no strategic merge: clients read here whether to send one. */
static void put_body(struct openapi *o, struct strbuf *b, const char *action, const char *type, bool is_custom)
{
	static const char *const any[] = {"*/*", NULL};
	static const char *const patches[] = {"application/json-patch+json", "application/merge-patch+json",
	        "application/apply-patch+yaml", "application/strategic-merge-patch+json", NULL};
	static const char *const custom_patches[] = {
	        "application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml", NULL};
	bool is_patch = strcmp(action, "patch") == 0;
	bool is_delete = strncmp(action, "delete", 6) == 0;
	const char *what = is_patch ? META "Patch" : is_delete ? META "DeleteOptions" : type;
	if (o->is_v3) {
		strbuf_addf(b, ",\"requestBody\":{%s", is_delete ? "" : "\"required\":true,");
		put_content(o, b, !is_patch ? any : is_custom ? custom_patches : patches, what);
		strbuf_addc(b, '}');
		return;
	}
	strbuf_addf(b, "%s{\"name\":\"body\",\"in\":\"body\",%s\"schema\":", o->need_comma ? "," : "",
	        is_delete ? "" : "\"required\":true,");
	put_ref(o, b, what);
	strbuf_addc(b, '}');
	o->need_comma = true;
}

static void put_responses(struct openapi *o, struct strbuf *b, const char *type)
{
	static const char *const answers[] = {
	        "application/json", "application/vnd.kubernetes.protobuf", "application/yaml", NULL};
	strbuf_adds(b, ",\"responses\":{\"200\":{\"description\":\"OK\",");
	if (o->is_v3) {
		put_content(o, b, answers, type);
	} else {
		strbuf_adds(b, "\"schema\":");
		put_ref(o, b, type);
	}
	strbuf_adds(b, "},\"401\":{\"description\":\"Unauthorized\"}}");
}

/* "readAppsV1NamespacedDeploymentStatus". */
static void put_operation_id(struct strbuf *b, const struct target *t, const char *action)
{
	static const char *const verbs[][2] = {{"get", "read"}, {"post", "create"}, {"put", "replace"}};
	const char *verb = strcmp(action, "deletecollection") == 0 ? "delete" : action;
	for (size_t i = 0; i < 3; i++)
		if (strcmp(action, verbs[i][0]) == 0)
			verb = verbs[i][1];
	struct slice group = *t->r->group ? slice_of(t->r->group) : SLICE("core");
	group = slice_cut(&group, '.');
	strbuf_addf(b, "\"operationId\":\"%s%c%.*s%c%s%s", verb, toupper((unsigned char)*group.ptr), (int)group.len - 1,
	        group.ptr + 1, toupper((unsigned char)*t->r->version), t->r->version + 1,
	        strcmp(action, "deletecollection") == 0 ? "Collection" : "");
	bool is_all = strcmp(t->scope, "ForAllNamespaces") == 0;
	strbuf_addf(b, "%s%s", is_all ? "" : t->scope, t->r->kind);
	if (t->sub)
		strbuf_addf(b, "%c%s", toupper((unsigned char)*t->sub->name), t->sub->name + 1);
	strbuf_addf(b, "%s\"", is_all ? t->scope : "");
}

static void put_tag(struct strbuf *b, const struct resource *r)
{
	struct slice group = *r->group ? slice_of(r->group) : SLICE("core");
	group = slice_cut(&group, '.');
	strbuf_addf(b, "\"tags\":[\"%.*s_%s\"],", SLICE_FMT(group), r->version);
}

static void put_operation_parameters(struct openapi *o, struct strbuf *b, const char *action)
{
	if (strcmp(action, "patch") == 0)
		put_parameters(o, b, write_parameters, 4);
	else if (strcmp(action, "post") == 0 || strcmp(action, "put") == 0)
		put_parameters(o, b, write_parameters, 3);
	else if (strncmp(action, "delete", 6) == 0)
		put_parameters(o, b, delete_parameters, 4);
	if (strcmp(action, "list") == 0 || strcmp(action, "deletecollection") == 0)
		put_parameters(o, b, list_parameters, sizeof(list_parameters) / sizeof(list_parameters[0]));
}

/* One operation; `method` is the HTTP method in lower case. */
static void put_operation(
        struct openapi *o, struct strbuf *b, const struct target *t, const char *method, const char *action)
{
	struct strbuf type = STRBUF_INIT;
	bool is_delete = strncmp(action, "delete", 6) == 0;
	bool is_connect = t->sub && t->sub->is_connect;
	bool has_body = !is_connect && strcmp(method, "get") != 0;
	type_name(&type, t, strcmp(action, "list") == 0);
	strbuf_addf(b, ",\"%s\":{", method);
	put_tag(b, t->r);
	put_operation_id(b, t, is_connect ? method : action);
	strbuf_adds(b, ",\"parameters\":[");
	o->need_comma = false;
	if (!is_connect)
		put_operation_parameters(o, b, action);
	if (has_body && !o->is_v3)
		put_body(o, b, action, strbuf_cstr(&type), t->r->is_custom);
	strbuf_addc(b, ']');
	if (has_body && o->is_v3)
		put_body(o, b, action, strbuf_cstr(&type), t->r->is_custom);
	if (is_connect)
		strbuf_adds(b, ",\"responses\":{\"200\":{\"description\":\"OK\"}}");
	else
		put_responses(o, b, is_delete ? META "Status" : strbuf_cstr(&type));
	const struct resource_sub *s = t->sub;
	strbuf_addf(b,
	        ",\"x-kubernetes-action\":\"%s\",\"x-kubernetes-group-version-kind\":{\"group\":\"%s\",\"kind\":\"%s\","
	        "\"version\":\"%s\"}}",
	        is_connect ? "connect" : action, s ? s->group : t->r->group, s ? s->kind : t->r->kind,
	        s ? s->version : t->r->version);
	strbuf_release(&type);
}

struct path_out {
	struct openapi *o;
	openapi_definition_fn *fn;
	void *arg;
};

/* A path item: parameters of the path, then operations by verb. `suffix` is what follows the plural. */
static void each_item(
        struct path_out *p, const struct target *t, const char *suffix, unsigned verbs, bool is_collection)
{
	static const struct {
		unsigned verb;
		const char *method, *action;
		bool is_collection;
	} operations[] = {
	        {RESOURCE_LIST, "get", "list", true},
	        {RESOURCE_CREATE, "post", "post", true},
	        {RESOURCE_DELETECOLLECTION, "delete", "deletecollection", true},
	        {RESOURCE_GET, "get", "get", false},
	        {RESOURCE_UPDATE, "put", "put", false},
	        {RESOURCE_PATCH, "patch", "patch", false},
	        {RESOURCE_DELETE, "delete", "delete", false},
	};
	struct openapi *o = p->o;
	struct strbuf path = STRBUF_INIT;
	struct strbuf b = STRBUF_INIT;
	bool is_namespaced = strcmp(t->scope, "Namespaced") == 0;
	strbuf_addf(&path, "%s/%s%s/%s%s", *t->r->group ? "/apis" : "/api", t->r->api_version,
	        is_namespaced ? "/namespaces/{namespace}" : "", t->r->plural, suffix);
	strbuf_adds(&b, "{\"parameters\":[");
	o->need_comma = false;
	if (*suffix)
		put_parameter(o, &b, "path", "name", "string");
	if (is_namespaced)
		put_parameter(o, &b, "path", "namespace", "string");
	put_parameter(o, &b, "query", "pretty", "string");
	strbuf_addc(&b, ']');
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (verbs & operations[i].verb && (operations[i].is_collection == is_collection ||
		                                          (t->sub && operations[i].verb == RESOURCE_CREATE)))
			put_operation(o, &b, t, operations[i].method, operations[i].action);
	strbuf_addc(&b, '}');
	p->fn(p->arg, strbuf_slice(&path), strbuf_slice(&b));
	strbuf_release(&path);
	strbuf_release(&b);
}

static void each_row(struct path_out *p, const struct resource *r)
{
	struct target t = {r, NULL, r->namespaced ? "Namespaced" : ""};
	if (r->verbs & (RESOURCE_LIST | RESOURCE_CREATE | RESOURCE_DELETECOLLECTION))
		each_item(p, &t, "", r->verbs, true);
	if (r->namespaced && r->verbs & RESOURCE_LIST)
		each_item(p, &(struct target){r, NULL, "ForAllNamespaces"}, "", RESOURCE_LIST, true);
	if (r->verbs & (RESOURCE_GET | RESOURCE_UPDATE | RESOURCE_PATCH | RESOURCE_DELETE))
		each_item(p, &t, "/{name}", r->verbs, false);
	for (size_t i = 0; i < r->sub_count; i++) {
		struct strbuf suffix = STRBUF_INIT;
		strbuf_addf(&suffix, "/{name}/%s", r->subs[i].name);
		t.sub = &r->subs[i];
		each_item(p, &t, strbuf_cstr(&suffix), r->subs[i].verbs, false);
		strbuf_release(&suffix);
	}
}

void openapi_each_path(struct openapi *o, size_t from, size_t to, openapi_definition_fn *fn, void *arg)
{
	struct path_out p = {o, fn, arg};
	for (size_t i = from; i < to; i++)
		each_row(&p, o->rows.rows[i]);
}

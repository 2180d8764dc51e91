/* What the server that leads does for definitions, one write at a time for each:
 *
 *     names and conditions differ from what they ought to be    write the status
 *     dying, with our finalizer                                 condition Terminating; delete all instances; when none
 *                                                               is left, take the finalizer away
 *
 * Writes are merge patches bound to the version that was looked at: who was faster makes an event, and that another
 * look. What fails is tried again at the next tick. Upstream: pkg/controller/{status,establish,finalizer}. */
#include "api/server/extend/extend_int.h"

#include "api/machinery/rules/custom/definition.h"
#include "api/server/strategy.h"
#include "base/check.h"
#include "base/log.h"

#define DEFINITIONS_PATH "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"

/* ---- whose names are whose ---- */

static bool has_name(const struct definition_names *n, struct slice name)
{
	bool found = slice_eq(n->plural, name) || slice_eq(n->singular, name);
	for (size_t i = 0; i < n->short_count && !found; i++)
		found = slice_eq(n->short_names[i], name);
	return found;
}

static bool has_kind(const struct definition_names *n, struct slice name)
{
	return slice_eq(n->kind, name) || slice_eq(n->list_kind, name);
}

static bool is_taken(struct definition *d, struct slice group, struct slice name,
        bool (*has)(const struct definition_names *n, struct slice name))
{
	MAP_FOREACH (slot, &d->all->by_name) {
		struct definition *other = slot->value;
		if (other != d && slice_eq(other->names.group, group) && has(&other->names, name))
			return true;
	}
	return false;
}

static bool is_resource_taken(void *arg, struct slice group, struct slice name)
{
	const struct resource *built_in = resource_find_preferred(group, name);
	return (built_in && !built_in->is_custom) || is_taken(arg, group, name, has_name);
}

static bool is_kind_taken(void *arg, struct slice group, struct slice name)
{
	return is_taken(arg, group, name, has_kind);
}

void definitions_retry_names(struct definitions *all, struct slice group)
{
	MAP_FOREACH (slot, &all->by_name) {
		struct definition *d = slot->value;
		if (d->names.is_refused && slice_eq(d->names.group, group))
			definition_touch(d);
	}
}

/* ---- writing ---- */

static void written(struct client_request *req)
{
	struct definition *d = CONTAINER_OF(req, struct definition, write.request);
	int code = req->err.code;
	bool is_deletion = strcmp(req->method, "DELETE") == 0;
	if (code && code != ERR_CONFLICT && code != ERR_NOT_FOUND && code != ERR_CANCELED)
		log_warn("extend", "a definition could not be dealt with, it is tried again", "name=%.*s error=\"%s\"",
		        SLICE_FMT(d->name), req->err.msg);
	client_request_release(req);
	arena_release(&d->write.arena);
	d->write.is_out = false;
	d->is_emptied = is_deletion && (!code || code == ERR_NOT_FOUND);
	d->retries = code != 0;
	if (!d->retries || !definition_object(d))
		definition_touch(d);
}

static void send_request(struct definition *d, const char *method, const char *path, const struct json *body)
{
	struct strbuf text = STRBUF_INIT;
	struct arena *a = &d->write.arena;
	CHECK(!d->write.is_out);
	if (body)
		json_write(&text, body);
	d->write.is_out = true;
	d->write.request = (struct client_request){.method = method,
	        .path = arena_strdup(a, path),
	        .body = {arena_memdup(a, text.data ? text.data : "", text.len), text.len},
	        .content_type = body ? "application/merge-patch+json" : NULL,
	        .done = written};
	strbuf_release(&text);
	client_send(d->all->client, &d->write.request);
}

/* A patch of one member, bound to the version that `d` was looked at. */
static struct json *patch_of(struct arena *a, const struct definition *d)
{
	struct json *patch = json_new(a, JSON_OBJECT), *meta = json_need(a, patch, "metadata", JSON_OBJECT);
	json_set_cstr(a, meta, "resourceVersion", arena_printf(a, "%lld", (long long)definition_object(d)->revision));
	return patch;
}

static void send_status(struct definition *d, struct arena *a, struct json *status)
{
	struct json *patch = patch_of(a, d);
	json_set(a, patch, "status", status);
	send_request(d, "PATCH", arena_printf(a, DEFINITIONS_PATH "%.*s/status", SLICE_FMT(d->name)), patch);
}

/* ---- the end ---- */

static void drop_finalizer(struct definition *d, struct arena *a, const struct json *crd)
{
	struct json *patch = patch_of(a, d);
	struct json *list = json_need(a, json_get(patch, "metadata"), "finalizers", JSON_ARRAY);
	JSON_FOREACH (it, json_path(crd, "metadata", "finalizers", NULL))
		if (!slice_is(json_str(it), DEFINITION_CLEANUP))
			json_append(list, json_new_str(a, json_str(it)));
	send_request(d, "PATCH", arena_printf(a, DEFINITIONS_PATH "%.*s", SLICE_FMT(d->name)), patch);
}

static bool has_cleanup(const struct json *crd)
{
	JSON_FOREACH (it, json_path(crd, "metadata", "finalizers", NULL))
		if (slice_is(json_str(it), DEFINITION_CLEANUP))
			return true;
	return false;
}

/* By which instances are deleted: in the version they are stored in nobody has to convert them. */
static const struct resource *served_row(const struct definition *d)
{
	for (size_t i = 0; d->set && i < d->set->count; i++)
		if (d->set->served[i] && d->set->rows[i].storage == &d->set->rows[i])
			return &d->set->rows[i];
	for (size_t i = 0; d->set && i < d->set->count; i++)
		if (d->set->served[i])
			return &d->set->rows[i];
	return NULL;
}

static void terminate(struct definition *d, struct arena *a, struct json *crd)
{
	struct json *status = json_need(a, crd, "status", JSON_OBJECT);
	const struct resource *r = served_row(d);
	const char *now = strategy_time(a, 0);
	if (!definition_has_condition(crd, "Established")) {
		drop_finalizer(d, a, crd);
		return;
	}
	if (naming_set_condition(a, status, "Terminating", true, "InstanceDeletionInProgress",
	            "CustomResource deletion is in progress", now)) {
		send_status(d, a, status);
		return;
	}
	if (!d->is_added) /* not yet: it is looked at again when its objects are there */
		return;
	size_t left = cache_resource(d->all->server->cache, definition_storage(d))->objects.count;
	if (!left)
		drop_finalizer(d, a, crd);
	else if (d->is_emptied || !r)
		d->retries = true; /* finalizers hold some, or no version is served by which they could be deleted */
	else
		send_request(d, "DELETE", arena_printf(a, "/apis/%s/%s", r->api_version, r->plural), NULL);
}

void definition_establish(struct definition *d, struct arena *a, struct json *crd)
{
	struct naming n = {is_resource_taken, is_kind_taken, d, strategy_time(a, 0)};
	if (d->write.is_out || d->all->is_closing)
		return;
	if (json_path(crd, "metadata", "deletionTimestamp", NULL)) {
		if (has_cleanup(crd))
			terminate(d, a, crd);
		return;
	}
	struct json *status = naming_status(a, crd, &n);
	if (status)
		send_status(d, a, status);
}

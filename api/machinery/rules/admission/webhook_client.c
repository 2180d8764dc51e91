/* See webhook_client.h. Upstream: apiserver pkg/util/webhook/validation.go. */
#include "api/machinery/rules/admission/webhook_client.h"
#include "api/machinery/rules/checks.h"

#include "base/check.h"

#define URL_FORM "; desired format: https://host[/path]"

enum { PORT = 443 };

void webhook_client_defaults(struct arena *a, struct json *client)
{
	struct json *service = json_get(client, "service");
	if (json_is(service, JSON_OBJECT) && !json_get(service, "port"))
		json_set_int(a, service, "port", PORT);
}

/* ---- where it is ---- */

static struct slice span(const char *from, const char *to)
{
	return (struct slice){from, (size_t)(to - from)};
}

static void check_url(struct field_errors *e, struct slice url, const char *field)
{
	const char *text = arena_memdup(e->arena, url.ptr, url.len);
	const char *colon = strstr(text, "://");
	struct slice scheme = colon ? span(text, colon) : SLICE("");
	const char *host = colon ? colon + 3 : text;
	const char *host_end = host + strcspn(host, "/?#"), *fragment = strchr(host_end, '#');
	const char *query = strchr(host_end, '?');
	const char *user = memchr(host, '@', (size_t)(host_end - host));
	if (query && fragment && query > fragment)
		query = NULL;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 127 || *p == '\\') {
			bad_required(e, field, at(e, "url must be a valid URL: it has an odd character%s", URL_FORM));
			return;
		}
	if (!slice_is(scheme, "https"))
		bad_value(e, field, scheme, "'https' is the only allowed URL scheme" URL_FORM);
	if (!colon || host == host_end)
		bad_value(e, field, SLICE(""), "host must be specified" URL_FORM);
	if (user)
		bad_value(e, field, span(host, user), "user information is not permitted in the URL");
	if (fragment && fragment[1])
		bad_value(e, field, slice_of(fragment + 1), "fragments are not permitted in the URL");
	if (query && query + 1 != fragment && query[1])
		bad_value(e, field, fragment ? span(query + 1, fragment) : slice_of(query + 1),
		        "query parameters are not permitted in the URL");
}

static void check_path(struct field_errors *e, struct slice path, const char *field)
{
	int i = 0;
	if (!path.len || slice_is(path, "/"))
		return;
	if (path.ptr[0] != '/')
		bad_value(e, field, path, "must start with a '/'");
	struct slice rest = {path.ptr + 1, path.len - 1};
	if (rest.len && rest.ptr[rest.len - 1] == '/')
		rest.len--;
	while (rest.ptr) {
		struct slice step = slice_cut(&rest, '/');
		const char *why = step.len ? validate_dns1123_subdomain(step) : NULL;
		if (!step.len)
			bad_value(e, field, path, at(e, "segment[%d] may not be empty", i));
		else if (why)
			bad_value(e, field, path, at(e, "segment[%d]: %s", i, why));
		i++;
	}
}

static void check_service(struct field_errors *e, const struct json *service, const char *here)
{
	int64_t port = json_get_int(service, "port", PORT);
	if (!json_get_str(service, "name").len)
		bad_required(e, at(e, "%s.name", here), "service name is required");
	if (!json_get_str(service, "namespace").len)
		bad_required(e, at(e, "%s.namespace", here), "service namespace is required");
	if (port < 1 || port > 65535)
		bad_number(
		        e, at(e, "%s.port", here), port, "port is not valid: must be between 1 and 65535, inclusive");
	check_path(e, json_get_str(service, "path"), at(e, "%s.path", here));
}

void webhook_client_check(struct field_errors *e, const struct json *client, const char *here)
{
	const struct json *url = json_get(client, "url"), *service = json_get(client, "service");
	if (json_is(url, JSON_STRING) == json_is(service, JSON_OBJECT))
		bad_required(e, here, "exactly one of url or service is required");
	else if (url)
		check_url(e, json_str(url), at(e, "%s.url", here));
	else
		check_service(e, service, at(e, "%s.service", here));
}

/* ---- what it is asked in ---- */

bool webhook_review_version_is_known(const struct json *list)
{
	JSON_FOREACH (it, list)
		if (slice_is(json_str(it), "v1") || slice_is(json_str(it), "v1beta1"))
			return true;
	return false;
}

void webhook_review_versions_check(
        struct field_errors *e, const struct json *list, const char *needed, bool any, const char *field)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	if (!list || !list->count) {
		bad_required(e, field, needed);
		return;
	}
	JSON_FOREACH (it, list) {
		struct slice version = json_str(it);
		const char *why = check_dns1035_label(version), *here = at(e, "%s[%d]", field, i++);
		if (!name_set_add(&seen, version))
			bad_value(e, here, version, "duplicate version");
		else if (why)
			bad_value(e, here, version, why);
	}
	name_set_release(&seen);
	if (!any && !webhook_review_version_is_known(list))
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: %s: must include at least one of v1, v1beta1",
		        go_list_text(e->arena, "[]string", list));
}

/* See config_int.h. An AdmissionConfiguration has a section per plugin, in it or in a file that it names. A section, or
 * a field of one, that nothing here reads is refused: it would be a policy that its author believes in. */
#include "api/server/admission/config.h"

#include "base/check.h"
#include "base/pki/pki.h"
#include "base/yaml.h"

#include <stdlib.h>

struct reader {
	struct admission_config *c;
	const char *folder;
	struct err *err;
};

bool config_lists(const struct json *list, struct slice text)
{
	JSON_FOREACH (it, list)
		if (slice_eq(json_str(it), text))
			return true;
	return false;
}

/* ---- forms ---- */

static bool is_named(const char *names, struct slice name)
{
	for (struct slice rest = slice_of(names); rest.ptr;)
		if (slice_eq(slice_cut(&rest, ','), name))
			return true;
	return false;
}

/* A text, or nothing: YAML takes 1.32 for a number, and yes for a boolean. */
static int text(struct reader *r, const struct json *v, const char *name, struct slice *ret)
{
	const struct json *member = json_get(v, name);
	*ret = json_str(member);
	if (member && !json_is(member, JSON_STRING))
		return err_set(r->err, ERR_INVAL, "%s: it is a %s where a text must be: put it in quotes", name,
		        json_type_name(member->type));
	return 0;
}

/* Only these members (commas between). */
static int only(struct reader *r, const struct json *v, const char *names)
{
	if (!json_is(v, JSON_OBJECT))
		return err_set(r->err, ERR_INVAL, "it is no map");
	JSON_FOREACH (it, v)
		if (!is_named(names, it->key))
			return err_set(
			        r->err, ERR_INVAL, "unknown field \"%.*s\": known are %s", SLICE_FMT(it->key), names);
	return 0;
}

static int header(struct reader *r, const struct json *v, const char *kind, const char *versions)
{
	struct slice version = json_get_str(v, "apiVersion");
	if (!slice_is(json_get_str(v, "kind"), kind) || !is_named(versions, version))
		return err_set(r->err, ERR_INVAL, "it must be of kind %s and apiVersion %s", kind, versions);
	return 0;
}

static int texts(struct reader *r, const struct json *v, const char *name, const struct json **ret)
{
	const struct json *list = json_get(v, name);
	if (list && !json_is(list, JSON_ARRAY) && !json_is(list, JSON_NULL))
		return err_set(r->err, ERR_INVAL, "%s: it is no list", name);
	JSON_FOREACH (it, list)
		if (!json_str(it).len)
			return err_set(r->err, ERR_INVAL, "%s: something in it is no text", name);
	*ret = list;
	return 0;
}

/* ---- PodSecurity ---- */

static int level(struct reader *r, const struct json *v, const char *mode, struct pod_security *ret)
{
	const char *version = arena_printf(&r->c->arena, "%s-version", mode);
	struct slice name, minor;
	*ret = (struct pod_security){POD_SECURITY_PRIVILEGED, POD_SECURITY_LATEST};
	if (text(r, v, mode, &name) != 0 || text(r, v, version, &minor) != 0)
		return r->err->code;
	if (name.len && !pod_security_parse_level(name, &ret->level))
		return err_set(r->err, ERR_INVAL, "defaults.%s: \"%.*s\" is none of privileged, baseline, restricted",
		        mode, SLICE_FMT(name));
	if (minor.len && !pod_security_parse_version(minor, &ret->minor))
		return err_set(r->err, ERR_INVAL, "defaults.%s: \"%.*s\" is neither latest nor like v1.32", version,
		        SLICE_FMT(minor));
	return 0;
}

static int pod_security(struct reader *r, const struct json *v)
{
	struct admission_config *c = r->c;
	const struct json *defaults = json_get(v, "defaults"), *exemptions = json_get(v, "exemptions");
	if (header(r, v, "PodSecurityConfiguration",
	            "pod-security.admission.config.k8s.io/v1,pod-security.admission.config.k8s.io/v1beta1") != 0 ||
	        only(r, v, "apiVersion,kind,defaults,exemptions") != 0)
		return r->err->code;
	if (defaults && (only(r, defaults, "enforce,enforce-version,audit,audit-version,warn,warn-version") != 0 ||
	                        level(r, defaults, "enforce", &c->defaults.enforce) != 0 ||
	                        level(r, defaults, "audit", &c->defaults.audit) != 0 ||
	                        level(r, defaults, "warn", &c->defaults.warn) != 0))
		return r->err->code;
	c->has_defaults = defaults != NULL;
	if (exemptions && (only(r, exemptions, "usernames,runtimeClasses,namespaces") != 0 ||
	                          texts(r, exemptions, "usernames", &c->exempt_users) != 0 ||
	                          texts(r, exemptions, "runtimeClasses", &c->exempt_runtime_classes) != 0 ||
	                          texts(r, exemptions, "namespaces", &c->exempt_namespaces) != 0))
		return r->err->code;
	return 0;
}

/* ---- the others ---- */

static int event_rate_limit(struct reader *r, const struct json *v)
{
	if (header(r, v, "Configuration", "eventratelimit.admission.k8s.io/v1alpha1") != 0 ||
	        only(r, v, "apiVersion,kind,limits") != 0)
		return r->err->code;
	return event_limits_new(v, &r->c->events, r->err);
}

static int node_selector(struct reader *r, const struct json *v)
{
	const struct json *config = json_get(v, "podNodeSelectorPluginConfig");
	if (only(r, v, "podNodeSelectorPluginConfig") != 0 || !json_is(config, JSON_OBJECT))
		return r->err->code
		               ? r->err->code
		               : err_set(r->err, ERR_INVAL, "podNodeSelectorPluginConfig: it is missing or no map");
	JSON_FOREACH (it, config)
		if (!json_is(it, JSON_STRING))
			return err_set(r->err, ERR_INVAL,
			        "podNodeSelectorPluginConfig.%.*s: it is no text like key=value", SLICE_FMT(it->key));
	r->c->node_selectors = config;
	return 0;
}

static int toleration_restriction(struct reader *r, const struct json *v)
{
	if (header(r, v, "Configuration", "podtolerationrestriction.admission.k8s.io/v1alpha1") != 0 ||
	        only(r, v, "apiVersion,kind,default,whitelist") != 0)
		return r->err->code;
	r->c->tolerations = v;
	return 0;
}

static int resource_quota(struct reader *r, const struct json *v)
{
	bool is_new = slice_is(json_get_str(v, "kind"), "ResourceQuotaConfiguration");
	const struct json *list = json_get(v, "limitedResources"), *unused;
	if (header(r, v, is_new ? "ResourceQuotaConfiguration" : "Configuration",
	            is_new ? "apiserver.config.k8s.io/v1"
	                   : "resourcequota.admission.k8s.io/v1beta1,resourcequota.admission.k8s.io/v1alpha1") != 0 ||
	        only(r, v, "apiVersion,kind,limitedResources") != 0)
		return r->err->code;
	JSON_FOREACH (it, list) {
		if (only(r, it, "apiGroup,resource,matchContains") != 0)
			return err_wrap(r->err, "limitedResources (matchScopes are not built yet)");
		if (!json_get_str(it, "resource").len || texts(r, it, "matchContains", &unused) != 0)
			return r->err->code ? r->err->code
			                    : err_set(r->err, ERR_INVAL, "limitedResources: one names no resource");
	}
	r->c->limited = list;
	return 0;
}

static const struct {
	const char *plugin;
	int (*read)(struct reader *r, const struct json *v);
} sections[] = {
        {"PodSecurity", pod_security},
        {"EventRateLimit", event_rate_limit},
        {"PodNodeSelector", node_selector},
        {"PodTolerationRestriction", toleration_restriction},
        {"ResourceQuota", resource_quota},
};

/* ---- the file ---- */

static const struct json *parse(struct reader *r, struct slice text)
{
	return yaml_parse(&r->c->arena, text, NULL, r->err);
}

static const struct json *parse_file(struct reader *r, struct slice path)
{
	char *text;
	size_t len;
	struct arena *a = &r->c->arena;
	const char *file = *path.ptr == '/' ? arena_printf(a, "%.*s", SLICE_FMT(path))
	                                    : arena_printf(a, "%s/%.*s", r->folder, SLICE_FMT(path));
	if (pki_file_read(file, &text, &len, r->err) != 0)
		return NULL;
	const struct json *v = parse(r, (struct slice){text, len});
	free(text);
	if (!v)
		err_wrap(r->err, "%s", file);
	return v;
}

static int section(struct reader *r, const struct json *v)
{
	struct slice name = json_get_str(v, "name"), path = json_get_str(v, "path");
	const struct json *inline_one = json_get(v, "configuration");
	bool has_inline = inline_one && !json_is(inline_one, JSON_NULL);
	if (only(r, v, "name,path,configuration") != 0)
		return r->err->code;
	for (size_t i = 0; i < COUNT_OF(sections); i++) {
		if (!slice_is(name, sections[i].plugin))
			continue;
		if (!path.len == !has_inline)
			return err_set(r->err, ERR_INVAL, "%s: give a path or a configuration, one of the two",
			        sections[i].plugin);
		const struct json *what = path.len ? parse_file(r, path) : inline_one;
		return what && sections[i].read(r, what) == 0 ? 0 : err_wrap(r->err, "%s", sections[i].plugin);
	}
	return err_set(r->err, ERR_UNIMPLEMENTED,
	        "the plugin \"%.*s\" takes no configuration here: PodSecurity, EventRateLimit, PodNodeSelector, "
	        "PodTolerationRestriction and ResourceQuota do",
	        SLICE_FMT(name));
}

int admission_config_parse(struct admission_config *c, struct slice text, const char *folder, struct err *err)
{
	struct reader r = {c, folder, err};
	const struct json *v = parse(&r, text);
	if (!v ||
	        header(&r, v, "AdmissionConfiguration",
	                "apiserver.config.k8s.io/v1,apiserver.config.k8s.io/v1alpha1") != 0 ||
	        only(&r, v, "apiVersion,kind,plugins") != 0)
		return err->code;
	JSON_FOREACH (it, json_get(v, "plugins"))
		if (section(&r, it) != 0)
			return err->code;
	return 0;
}

int admission_config_read(struct admission_config *c, const char *path, struct err *err)
{
	char *text;
	size_t len;
	if (!path)
		return 0;
	const char *slash = strrchr(path, '/');
	const char *folder = !slash          ? "."
	                     : slash == path ? ""
	                                     : arena_printf(&c->arena, "%.*s", (int)(slash - path), path);
	if (pki_file_read(path, &text, &len, err) != 0)
		return err_wrap(err, "admission-control-config-file");
	int rc = admission_config_parse(c, (struct slice){text, len}, folder, err);
	free(text);
	return rc == 0 ? 0 : err_wrap(err, "admission-control-config-file %s", path);
}

void admission_config_release(struct admission_config *c)
{
	event_limits_free(c->events);
	arena_release(&c->arena);
}

/* The environment of a container: envFrom, then env with valueFrom and $(VAR), then the variables of services, which
 * never override. Later entries of one name replace earlier ones in place, as upstream does. */
#include "node/worker/pod_env_int.h"

#include "base/check.h"
#include "api/client/informer.h"
#include "base/base64.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_fields.h"
#include "node/ground/pod_record.h"
#include "node/ground/refs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- a list of variables ---- */

const char *env_get(const struct env *env, struct slice name)
{
	for (size_t i = 0; env && i < env->count; i++)
		if (slice_is(name, env->vars[i].name))
			return env->vars[i].value;
	return NULL;
}

static void set(struct arena *a, struct env *env, const char *name, const char *value)
{
	DCHECK(env->count <= env->cap);
	for (size_t i = 0; i < env->count; i++)
		if (strcmp(env->vars[i].name, name) == 0) {
			env->vars[i].value = value;
			return;
		}
	if (env->count == env->cap) {
		size_t cap = env->cap ? env->cap * 2 : 32;
		struct env_var *vars = ARENA_ARRAY(a, struct env_var, cap);
		if (env->count)
			memcpy(vars, env->vars, env->count * sizeof *vars);
		env->vars = vars;
		env->cap = cap;
	}
	env->vars[env->count++] = (struct env_var){name, value};
}

/* "$(NAME)" becomes the value if there is one, "$$" a dollar that begins nothing; all else stays. */
const char *env_expand(struct arena *a, struct slice text, const struct env *env)
{
	struct strbuf out = STRBUF_INIT;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i], next = i + 1 < text.len ? text.ptr[i + 1] : 0;
		const char *close = c == '$' && next == '(' ? memchr(text.ptr + i, ')', text.len - i) : NULL;
		if (c == '$' && next == '$') {
			strbuf_addc(&out, '$');
			i++;
		} else if (close) {
			struct slice name = {text.ptr + i + 2, (size_t)(close - text.ptr) - i - 2};
			const char *value = env_get(env, name);
			if (value)
				strbuf_adds(&out, value);
			else
				strbuf_addf(&out, "$(%.*s)", SLICE_FMT(name));
			i = (size_t)(close - text.ptr);
		} else {
			strbuf_addc(&out, c);
		}
	}
	const char *ret = arena_memdup(a, out.data ? out.data : "", out.len);
	strbuf_release(&out);
	return ret;
}

/* ---- sources ---- */

static const char *secret_value(struct arena *a, struct slice base64)
{
	struct slice plain;
	return base64_decode(a, base64, &plain) ? arena_memdup(a, plain.ptr ? plain.ptr : "", plain.len) : "";
}

/* NULL without an error: an optional one that is not there. */
static const char *key_value(struct pod *p, struct arena *a, const char *kind, const struct json *ref, struct err *err)
{
	bool is_secret = strcmp(kind, "secrets") == 0, optional = json_get_bool(ref, "optional", false);
	struct slice name = json_get_str(ref, "name"), key = json_get_str(ref, "key");
	struct json *object = refs_get(p, kind, name);
	struct json *v = json_get_slice(json_get(object, "data"), key);
	if (v)
		return is_secret ? secret_value(a, json_str(v)) : json_cstr(a, v);
	if (optional)
		return NULL;
	if (!object)
		err_set(err, ERR_NOT_FOUND, "%s \"%.*s\" not found", is_secret ? "secret" : "configmap",
		        SLICE_FMT(name));
	else
		err_set(err, ERR_NOT_FOUND, "couldn't find key %.*s in %s %s/%.*s", SLICE_FMT(key),
		        is_secret ? "Secret" : "ConfigMap", p->ns, SLICE_FMT(name));
	return NULL;
}

static const char *value_from(
        struct pod *p, struct arena *a, const struct json *container, const struct json *from, struct err *err)
{
	struct json *ref;
	if ((ref = json_get(from, "fieldRef"))) {
		const char *v = pod_field(p, a, json_get_str(ref, "fieldPath"));
		if (!v)
			err_set(err, ERR_INVAL, "field path not supported: %.*s",
			        SLICE_FMT(json_get_str(ref, "fieldPath")));
		return v;
	}
	if ((ref = json_get(from, "resourceFieldRef")))
		return pod_resource_field(p, a, container, ref, err);
	if ((ref = json_get(from, "configMapKeyRef")))
		return key_value(p, a, "configmaps", ref, err);
	if ((ref = json_get(from, "secretKeyRef")))
		return key_value(p, a, "secrets", ref, err);
	return NULL;
}

static int add_from(struct pod *p, struct arena *a, const struct json *source, struct env *env, struct err *err)
{
	const char *prefix = json_cstr(a, json_get(source, "prefix"));
	struct json *map = json_get(source, "configMapRef"), *secret = json_get(source, "secretRef"),
	            *ref = map ? map : secret;
	struct json *object = refs_get(p, map ? "configmaps" : "secrets", json_get_str(ref, "name"));
	if (!object && !json_get_bool(ref, "optional", false))
		return err_set(err, ERR_NOT_FOUND, "%s \"%.*s\" not found", map ? "configmap" : "secret",
		        SLICE_FMT(json_get_str(ref, "name")));
	JSON_FOREACH (it, json_get(object, "data")) {
		const char *name = arena_printf(a, "%s%.*s", prefix, SLICE_FMT(it->key));
		if (*name && !strchr(name, '='))
			set(a, env, name, map ? json_cstr(a, it) : secret_value(a, json_str(it)));
	}
	return 0;
}

/* ---- services ---- */

static const char *upper(struct arena *a, struct slice s)
{
	char *t = arena_memdup(a, s.ptr ? s.ptr : "", s.len);
	for (char *c = t; *c; c++)
		*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
	return t;
}

static void add_service(struct arena *a, const struct json *service, struct env *env)
{
	struct json *spec = json_get(service, "spec"), *ports = json_get(spec, "ports");
	const char *ip = json_cstr(a, json_get(spec, "clusterIP")),
	           *name = upper(a, json_str(json_path(service, "metadata", "name", NULL)));
	bool first = true;
	if (!*ip || strcmp(ip, "None") == 0 || !ports || !ports->count)
		return;
	set(a, env, arena_printf(a, "%s_SERVICE_HOST", name), ip);
	JSON_FOREACH (it, ports) {
		struct slice protocol_text = json_get_str(it, "protocol"), port_name = json_get_str(it, "name");
		const char *protocol = protocol_text.len ? upper(a, protocol_text) : "TCP";
		char *lower = arena_strdup(a, protocol);
		for (char *c = lower; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		const char *port = arena_printf(a, "%lld", (long long)json_get_int(it, "port", 0));
		const char *url = arena_printf(a, "%s://%s:%s", lower, ip, port),
		           *prefix = arena_printf(a, "%s_PORT_%s_%s", name, port, protocol);
		if (first) {
			set(a, env, arena_printf(a, "%s_SERVICE_PORT", name), port);
			set(a, env, arena_printf(a, "%s_PORT", name), url);
		}
		first = false;
		if (port_name.len)
			set(a, env, arena_printf(a, "%s_SERVICE_PORT_%s", name, upper(a, port_name)), port);
		set(a, env, prefix, url);
		set(a, env, arena_printf(a, "%s_PROTO", prefix), lower);
		set(a, env, arena_printf(a, "%s_PORT", prefix), port);
		set(a, env, arena_printf(a, "%s_ADDR", prefix), ip);
	}
}

static void add_services(struct pod *p, struct arena *a, struct env *env)
{
	bool links = json_get_bool(p->spec, "enableServiceLinks", true);
	struct node *n = p->n;
	INFORMER_FOREACH(o, n->service_informer)
	{
		struct slice key = o->key, ns = slice_cut(&key, '/');
		bool is_api = slice_is(ns, "default") && slice_is(key, "kubernetes");
		if (is_api || (links && slice_is(ns, p->ns)))
			add_service(a, informer_parse(a, o), env);
	}
}

/* ---- */

int pod_env(struct pod *p, struct arena *a, const struct json *container, struct env *ret, struct err *err)
{
	LOOP_CHECK_OWNER(p->n->loop);
	struct env services = {0}, known = {0}, *env = ret;
	*env = (struct env){0};
	add_services(p, a, &services);
	JSON_FOREACH (it, json_get(container, "envFrom"))
		if (add_from(p, a, it, env, err) != 0)
			return err->code;
	/* References see the services' variables and what stands before them. */
	for (size_t i = 0; i < services.count; i++)
		set(a, &known, services.vars[i].name, services.vars[i].value);
	for (size_t i = 0; i < env->count; i++)
		set(a, &known, env->vars[i].name, env->vars[i].value);
	JSON_FOREACH (it, json_get(container, "env")) {
		const char *name = json_cstr(a, json_get(it, "name"));
		struct json *from = json_get(it, "valueFrom");
		struct err e = ERR_INIT;
		const char *value =
		        from ? value_from(p, a, container, from, &e) : env_expand(a, json_get_str(it, "value"), &known);
		if (e.code)
			return err_set(err, e.code, "%s", e.msg);
		if (!value)
			continue;
		set(a, env, name, value);
		set(a, &known, name, value);
	}
	for (size_t i = 0; i < services.count; i++)
		if (!env_get(env, slice_of(services.vars[i].name)))
			set(a, env, services.vars[i].name, services.vars[i].value);
	return 0;
}

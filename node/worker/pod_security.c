/* See pod_security_int.h. A field of a container's security context goes before the pod's. Upstream:
 * pkg/kubelet/kuberuntime (security_context.go, helpers.go). */
#include "node/worker/pod_security_int.h"

#include "base/check.h"
#include "node/runtime/image.h"

char **cri_strings(struct arena *a, const struct json *list, size_t *count)
{
	char **v = ARENA_ARRAY(a, char *, list ? list->count + 1 : 1);
	*count = 0;
	JSON_FOREACH (it, list)
		v[(*count)++] = (char *)json_cstr(a, it);
	return v;
}

CRI(Int64Value) * cri_int64(struct arena *a, int64_t v)
{
	CRI(Int64Value) *p = ARENA_NEW(a, CRI(Int64Value));
	runtime__v1__int64_value__init(p);
	p->value = v;
	return p;
}

static struct json *security(const struct json *spec, const struct json *container, const char *field)
{
	struct json *v = json_path(container, "securityContext", field, NULL);
	return v ? v : json_path(spec, "securityContext", field, NULL);
}

void pod_groups(struct arena *a, const struct json *spec, int64_t **ret, size_t *count)
{
	struct json *sc = json_get(spec, "securityContext"), *more = json_get(sc, "supplementalGroups");
	int64_t fs_group = json_get_int(sc, "fsGroup", -1);
	*ret = ARENA_ARRAY(a, int64_t, (more ? more->count : 0) + 1);
	*count = 0;
	if (fs_group >= 0)
		(*ret)[(*count)++] = fs_group;
	JSON_FOREACH (it, more)
		(*ret)[(*count)++] = json_int(it, 0);
}

static CRI(SecurityProfile) * profile_of(struct arena *a, const struct json *profile)
{
	struct slice type = json_get_str(profile, "type");
	CRI(SecurityProfile) *s = ARENA_NEW(a, CRI(SecurityProfile));
	runtime__v1__security_profile__init(s);
	s->profile_type = slice_is(type, "RuntimeDefault") ? RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault
	                  : slice_is(type, "Localhost")    ? RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Localhost
	                                                   : RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Unconfined;
	if (slice_is(type, "Localhost"))
		s->localhost_ref = (char *)json_cstr(a, json_get(profile, "localhostProfile"));
	return s;
}

CRI(SecurityProfile) *
        pod_seccomp(struct arena *a, const struct json *spec, const struct json *container, bool by_default)
{
	struct json *profile = security(spec, container, "seccompProfile");
	CRI(SecurityProfile) *s = profile_of(a, profile);
	if (!profile && by_default)
		s->profile_type = RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault;
	if (*s->localhost_ref)
		s->localhost_ref = arena_printf(a, "%s/%s", SECCOMP_DIR, s->localhost_ref);
	return s;
}

CRI(SecurityProfile) * pod_apparmor(struct arena *a, const struct json *spec, const struct json *container)
{
	struct json *profile = security(spec, container, "appArmorProfile");
	return profile ? profile_of(a, profile) : NULL;
}

CRI(SELinuxOption) * pod_selinux(struct arena *a, const struct json *spec, const struct json *container)
{
	struct json *o = security(spec, container, "seLinuxOptions");
	if (!o)
		return NULL;
	CRI(SELinuxOption) *s = ARENA_NEW(a, CRI(SELinuxOption));
	runtime__v1__selinux_option__init(s);
	s->user = (char *)json_cstr(a, json_get(o, "user"));
	s->role = (char *)json_cstr(a, json_get(o, "role"));
	s->type = (char *)json_cstr(a, json_get(o, "type"));
	s->level = (char *)json_cstr(a, json_get(o, "level"));
	return s;
}

CRI(Capability) * pod_capabilities(struct arena *a, const struct json *container)
{
	struct json *c = json_path(container, "securityContext", "capabilities", NULL);
	CRI(Capability) *out = ARENA_NEW(a, CRI(Capability));
	runtime__v1__capability__init(out);
	out->add_capabilities = cri_strings(a, json_get(c, "add"), &out->n_add_capabilities);
	out->drop_capabilities = cri_strings(a, json_get(c, "drop"), &out->n_drop_capabilities);
	return out;
}

int pod_user(struct arena *a, const struct json *spec, const struct json *container, const struct image_result *image,
        CRI(LinuxContainerSecurityContext) * s, struct err *err)
{
	struct json *user = security(spec, container, "runAsUser"), *group = security(spec, container, "runAsGroup");
	bool not_root = json_bool(security(spec, container, "runAsNonRoot"), false);
	if (user)
		s->run_as_user = cri_int64(a, json_int(user, 0));
	else if (image->uid >= 0)
		s->run_as_user = cri_int64(a, image->uid);
	else if (image->username && *image->username)
		s->run_as_username = (char *)arena_strdup(a, image->username);
	if (group && (s->run_as_user || *s->run_as_username))
		s->run_as_group = cri_int64(a, json_int(group, 0));
	else if (group) {
		s->run_as_user = cri_int64(a, 0);
		s->run_as_group = cri_int64(a, json_int(group, 0));
	}
	if (not_root && s->run_as_user && s->run_as_user->value == 0)
		return err_set(err, ERR_INVAL,
		        user ? "container's runAsUser breaks non-root policy"
		             : "container has runAsNonRoot and image will run as root");
	if (not_root && !s->run_as_user && *s->run_as_username)
		return err_set(err, ERR_INVAL,
		        "container has runAsNonRoot and image has non-numeric user (%s), cannot verify user is "
		        "non-root",
		        s->run_as_username);
	if (not_root && !s->run_as_user)
		return err_set(err, ERR_INVAL, "container has runAsNonRoot and image will run as root");
	return 0;
}

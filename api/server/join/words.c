/* See words.h. What can go wrong is what the other side sends: no JSON, a member missing or of another type, a text
 * that is too long or has a zero byte; all answered by name. */
#include "api/server/join/words.h"

#include "base/base64.h"
#include "base/json_lib.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- reading ---- */

static int text_in(struct arena *a, const json_t *v, const char *name, const char **ret, struct err *err)
{
	struct slice s = json_lib_get_str(v, name);
	if (!s.len || s.len > JOIN_TEXT_BYTES_MAX || memchr(s.ptr, 0, s.len))
		return err_set(err, ERR_INVAL, "\"%s\" is not a text of 1 to %d bytes", name, JOIN_TEXT_BYTES_MAX);
	*ret = arena_printf(a, "%.*s", SLICE_FMT(s));
	return 0;
}

static int id_in(const json_t *v, const char *name, uint64_t *ret, struct err *err)
{
	struct slice s = json_lib_get_str(v, name);
	char *end = NULL;
	*ret = s.len == 16 ? strtoull(s.ptr, &end, 16) : 0;
	return *ret && end == s.ptr + s.len ? 0 : err_set(err, ERR_INVAL, "\"%s\" is not an id of 16 hex digits", name);
}

int join_ask_parse(struct arena *a, struct slice text, struct join_ask *ret, struct err *err)
{
	json_auto_t *v = json_lib_parse(text, err);
	struct join_ask ask = {0};
	if (!v)
		return err->code;
	ask.protocol = (int)json_lib_get_int(v, "protocol", 0);
	if (id_in(v, "member", &ask.member_id, err) != 0 || text_in(a, v, "name", &ask.name, err) != 0 ||
	        text_in(a, v, "address", &ask.address, err) != 0 ||
	        text_in(a, v, "kubernetes", &ask.kubernetes, err) != 0)
		return err->code;
	*ret = ask;
	return 0;
}

static const struct {
	const char *name, *flag;
	size_t at;
	const char *otherwise; /* when one of an older version does not say it; NULL: it has to */
} settings_rows[] = {
        {"clusterCIDR", "cluster-cidr", offsetof(struct join_settings, cluster_cidr), NULL},
        {"serviceCIDR", "service-cidr", offsetof(struct join_settings, service_cidr), NULL},
        {"clusterDNS", "cluster-dns", offsetof(struct join_settings, cluster_dns), NULL},
        {"clusterDomain", "cluster-domain", offsetof(struct join_settings, cluster_domain), NULL},
        {"nodePortRange", "service-node-port-range", offsetof(struct join_settings, node_ports), NULL},
        {"flannelBackend", "flannel-backend", offsetof(struct join_settings, flannel_backend), NULL},
        {"disableNetworkPolicy", "disable-network-policy", offsetof(struct join_settings, no_network_policy), "false"},
        {"embeddedRegistry", "embedded-registry", offsetof(struct join_settings, embedded_registry), ""},
        {"systemDefaultRegistry", "system-default-registry", offsetof(struct join_settings, system_registry), ""},
        {"flannelIPv6Masq", "flannel-ipv6-masq", offsetof(struct join_settings, ipv6_masquerade), ""},
        {"flannelExternalIP", "flannel-external-ip", offsetof(struct join_settings, external_ip), ""},
};
enum { SETTINGS = sizeof settings_rows / sizeof *settings_rows };

static const char **setting(const struct join_settings *s, size_t i)
{
	return (const char **)((char *)(uintptr_t)s + settings_rows[i].at);
}

static int settings_in(struct arena *a, const json_t *v, struct join_settings *ret, struct err *err)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		*setting(ret, i) = settings_rows[i].otherwise;
		bool may_be_absent = settings_rows[i].otherwise && !json_object_get(v, settings_rows[i].name);
		if (!may_be_absent && text_in(a, v, settings_rows[i].name, setting(ret, i), err) != 0)
			return err->code;
	}
	return 0;
}

int join_config_parse(struct arena *a, struct slice text, struct join_config *ret, struct err *err)
{
	json_auto_t *v = json_lib_parse(text, err);
	struct join_config c = {0};
	if (!v)
		return err->code;
	c.protocol = (int)json_lib_get_int(v, "protocol", 0);
	if (text_in(a, v, "kubernetes", &c.kubernetes, err) != 0 || settings_in(a, v, &c.settings, err) != 0)
		return err->code;
	*ret = c;
	return 0;
}

static int members_in(struct arena *a, const json_t *list, struct join_offer *o, struct err *err)
{
	size_t n = json_array_size(list);
	if (!n || n > JOIN_MEMBERS_MAX)
		return err_set(err, ERR_INVAL, "\"members\" are not 1 to %d URLs", JOIN_MEMBERS_MAX);
	for (size_t i = 0; i < n; i++)
		if (text_in(a, json_array_get(list, i), "address", &o->members[o->n_members++], err) != 0)
			return err_wrap(err, "\"members\"");
	return 0;
}

int join_offer_parse(struct arena *a, struct slice text, struct join_offer *ret, struct err *err)
{
	json_auto_t *v = json_lib_parse(text, err);
	struct join_offer o = {0};
	if (!v)
		return err->code;
	const json_t *settings = json_object_get(v, "settings");
	o.protocol = (int)json_lib_get_int(v, "protocol", 0);
	if (id_in(v, "cluster", &o.cluster_id, err) != 0 || text_in(a, v, "kubernetes", &o.kubernetes, err) != 0 ||
	        members_in(a, json_object_get(v, "members"), &o, err) != 0)
		return err->code;
	if (settings_in(a, settings, &o.settings, err) != 0)
		return err->code;
	if (!base64_decode(a, json_lib_get_str(v, "keys"), &o.keys) || !o.keys.len)
		return err_set(err, ERR_INVAL, "\"keys\" is not base64");
	*ret = o;
	return 0;
}

uint64_t join_answered_member(struct slice text)
{
	struct err unused = ERR_INIT;
	json_auto_t *v = json_lib_parse(text, &unused);
	uint64_t id = 0;
	return v && id_in(v, "member", &id, &unused) == 0 ? id : 0;
}

/* ---- writing ---- */

void join_ask_write(const struct join_ask *a, struct strbuf *out)
{
	json_auto_t *v = json_object();
	json_lib_set_int(v, "protocol", a->protocol);
	json_lib_set_fmt(v, "member", "%016" PRIx64, a->member_id);
	json_lib_set_cstr(v, "name", a->name);
	json_lib_set_cstr(v, "address", a->address);
	json_lib_set_cstr(v, "kubernetes", a->kubernetes);
	json_lib_write(out, v);
}

static json_t *settings_json(const struct join_settings *s)
{
	json_t *v = json_object();
	for (size_t i = 0; i < SETTINGS; i++)
		if (**setting(s, i)) /* what is empty is not said */
			json_lib_set_cstr(v, settings_rows[i].name, *setting(s, i));
	return v;
}

void join_settings_write(const struct join_settings *s, struct strbuf *out)
{
	json_auto_t *v = settings_json(s);
	json_lib_set_int(v, "protocol", JOIN_PROTOCOL);
	json_lib_set_cstr(v, "kubernetes", K3X_KUBE_VERSION);
	json_lib_write(out, v);
}

void join_offer_write(const struct join_offer *o, struct strbuf *out)
{
	json_auto_t *v = json_object();
	struct arena a = ARENA_INIT;
	json_t *members = json_array();
	for (size_t i = 0; i < o->n_members; i++) {
		json_t *m = json_object();
		json_lib_set_cstr(m, "address", o->members[i]);
		json_array_append_new(members, m);
	}
	json_lib_set_int(v, "protocol", o->protocol);
	json_lib_set_fmt(v, "cluster", "%016" PRIx64, o->cluster_id);
	json_lib_set_cstr(v, "kubernetes", o->kubernetes);
	json_lib_set(v, "settings", settings_json(&o->settings));
	json_lib_set(v, "members", members);
	json_lib_set_str(v, "keys", base64_encode(&a, o->keys));
	json_lib_write(out, v);
	arena_release(&a);
}

/* ---- what fits ---- */

static bool minor_of(const char *version, int *minor)
{
	int major;
	return sscanf(version, "v%9d.%9d", &major, minor) == 2 && major == 1;
}

int join_check_versions(const char *ours, int their_protocol, const char *theirs, struct err *err)
{
	int a = 0, b = 0;
	if (their_protocol != JOIN_PROTOCOL)
		return err_set(err, ERR_CONFLICT,
		        "this server joins by protocol %d, the other side by %d: run the same version of k3x on both",
		        JOIN_PROTOCOL, their_protocol);
	if (!minor_of(ours, &a) || !minor_of(theirs, &b) || a - b > 1 || b - a > 1)
		return err_set(err, ERR_CONFLICT,
		        "this server is of Kubernetes %s and the other side of %s: at most one minor version may lie "
		        "between them",
		        ours, theirs);
	return 0;
}

static const char *shown(const char *setting)
{
	return *setting ? setting : "not given";
}

int join_check_settings(const struct join_settings *ours, const struct join_settings *theirs, struct err *err)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (strcmp(*setting(ours, i), *setting(theirs, i)) != 0)
			return err_set(err, ERR_CONFLICT,
			        "--%s is %s here and %s in the cluster: it must be the same on every server",
			        settings_rows[i].flag, shown(*setting(ours, i)), shown(*setting(theirs, i)));
	return 0;
}

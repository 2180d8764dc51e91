/* See conf.h. Each member of the file has a row: what it is, where it goes, and what it may be. What is in no row is
 * refused by its name, so that nothing that is written there is passed over. */
#include "net/fabric/conf.h"

#include "base/check.h"
#include "base/json_lib.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

const struct fabric_conf fabric_conf_default = {
        .vni = 1, .vxlan_port = 8472, .wireguard_ports = {[IP_V4] = 51820, [IP_V6] = 51821}, .keepalive_s = 25};

/* ---- the whole ---- */

struct reading {
	struct ip_nets cluster;
	enum fabric_backend backend;
	struct fabric_conf conf;
};

static int bad(struct err *err, const char *name, const char *why)
{
	return err_set(err, ERR_INVAL, "%s: %s", name, why);
}

static int read_network(struct reading *r, const char *name, enum ip_family f, const json_t *v, struct err *err)
{
	struct ip_net n;
	const struct ip_net *own = ip_nets_of(&r->cluster, f);
	char text[IP_NET_TEXT_MAX];
	if (!ip_net_parse(json_lib_str(v), &n) || n.first.family != f)
		return err_set(err, ERR_INVAL, "%s: not a network of %s", name, ip_family_name(f));
	if (!own || !ip_net_equal(&n, own))
		return err_set(err, ERR_INVAL, "%s: the cluster has %s: the ranges are --cluster-cidr's of the servers",
		        name, own ? ip_net_write(own, text) : "none of that family");
	return 0;
}

static int network_v4(struct reading *r, const char *name, const json_t *v, struct err *err)
{
	return read_network(r, name, IP_V4, v, err);
}

static int network_v6(struct reading *r, const char *name, const json_t *v, struct err *err)
{
	return read_network(r, name, IP_V6, v, err);
}

static int is_as_the_cluster(struct reading *r, const char *name, enum ip_family f, const json_t *v, struct err *err)
{
	if (!json_is_boolean(v))
		return bad(err, name, "true or false is wanted");
	if (json_is_true(v) != (ip_nets_of(&r->cluster, f) != NULL))
		return bad(
		        err, name, "the cluster is otherwise: the families are those of --cluster-cidr of the servers");
	return 0;
}

static int has_v4(struct reading *r, const char *name, const json_t *v, struct err *err)
{
	return is_as_the_cluster(r, name, IP_V4, v, err);
}

static int has_v6(struct reading *r, const char *name, const json_t *v, struct err *err)
{
	return is_as_the_cluster(r, name, IP_V6, v, err);
}

/* ---- Backend ---- */

static int type(struct reading *r, const char *name, const json_t *v, struct err *err)
{
	static const char *const names[] = {
	        [FABRIC_VXLAN] = "vxlan", [FABRIC_HOST_GW] = "host-gw", [FABRIC_WIREGUARD] = "wireguard"};
	for (size_t i = FABRIC_VXLAN; i < COUNT_OF(names); i++)
		if (slice_is(json_lib_str(v), names[i])) {
			r->backend = (enum fabric_backend)i;
			return 0;
		}
	return bad(err, name, "vxlan, host-gw or wireguard is wanted");
}

static int direct_routing(struct reading *r, const char *name, const json_t *v, struct err *err)
{
	if (!json_is_boolean(v))
		return bad(err, name, "true or false is wanted");
	r->conf.is_direct = json_is_true(v);
	return 0;
}

static int mode(struct reading *r, const char *name, const json_t *v, struct err *err)
{
	return slice_is(json_lib_str(v), "separate") ? 0 : bad(err, name, "\"separate\" is the only one here");
}

/* ---- rows ---- */

enum { OF_VXLAN = 1 << FABRIC_VXLAN, OF_WIREGUARD = 1 << FABRIC_WIREGUARD, OF_ALL = -1 };

struct row {
	const char *name;
	int backends; /* bits of those that have it */
	int (*read)(struct reading *r, const char *name, const json_t *v, struct err *err);
	/* Without `read`: a number. */
	size_t at, bytes; /* in struct fabric_conf */
	int64_t min, max;
};
#define OTHER(name, backends, read) \
	{ \
		name, backends, read, 0, 0, 0, 0 \
	}
#define NUMBER(name, backends, member, min, max) \
	{ \
		name, backends, NULL, offsetof(struct fabric_conf, member), sizeof((struct fabric_conf *)0)->member, \
		        min, max \
	}

static const struct row whole[] = {OTHER("Network", OF_ALL, network_v4), OTHER("IPv6Network", OF_ALL, network_v6),
        OTHER("EnableIPv4", OF_ALL, has_v4), OTHER("EnableIPv6", OF_ALL, has_v6)};

static const struct row backend[] = {OTHER("Type", OF_ALL, type), NUMBER("MTU", OF_ALL, mtu, 1280, 65535),
        NUMBER("VNI", OF_VXLAN, vni, 1, (1 << 24) - 1), NUMBER("Port", OF_VXLAN, vxlan_port, 1, 65535),
        OTHER("DirectRouting", OF_VXLAN, direct_routing), OTHER("Mode", OF_WIREGUARD, mode),
        NUMBER("ListenPort", OF_WIREGUARD, wireguard_ports[IP_V4], 1, 65535),
        NUMBER("ListenPortV6", OF_WIREGUARD, wireguard_ports[IP_V6], 1, 65535),
        NUMBER("PersistentKeepaliveInterval", OF_WIREGUARD, keepalive_s, 0, 65535)};

static int read_number(struct reading *r, const struct row *row, const json_t *v, struct err *err)
{
	void *at = (char *)&r->conf + row->at;
	int64_t n = json_integer_value(v);
	if (!json_is_integer(v) || n < row->min || n > row->max)
		return err_set(err, ERR_INVAL, "%s: a whole number of %" PRId64 " to %" PRId64 " is wanted", row->name,
		        row->min, row->max);
	if (row->bytes == sizeof(uint16_t))
		*(uint16_t *)at = (uint16_t)n;
	else
		*(uint32_t *)at = (uint32_t)n;
	return 0;
}

static const struct row *find(const struct row *rows, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

static int read_member(
        const struct row *rows, size_t n, struct reading *r, const char *name, const json_t *v, struct err *err)
{
	const struct row *row = find(rows, n, name);
	if (!row)
		return bad(err, name, "it does nothing here: leave it out");
	if (!(row->backends & 1 << r->backend))
		return bad(err, name, "it is no setting of this backend");
	return row->read ? row->read(r, name, v, err) : read_number(r, row, v, err);
}

static int read_members(const struct row *rows, size_t n, struct reading *r, const json_t *from, struct err *err)
{
	const char *name;
	json_t *v;
	json_object_foreach ((json_t *)(uintptr_t)from, name, v)
		if (read_member(rows, n, r, name, v, err) != 0)
			return err->code;
	return 0;
}

static int read_backend(struct reading *r, const json_t *from, struct err *err)
{
	const json_t *first = json_object_get(from, "Type"); /* it decides which others there are */
	if (!json_is_object(from))
		return err_set(err, ERR_INVAL, "an object is wanted");
	if (first && type(r, "Type", first, err) != 0)
		return err->code;
	return read_members(backend, COUNT_OF(backend), r, from, err);
}

int fabric_conf_parse(struct slice text, const char *cluster_cidr, enum fabric_backend *ret_backend,
        struct fabric_conf *ret, struct err *err)
{
	struct reading r = {.backend = *ret_backend, .conf = fabric_conf_default};
	json_auto_t *v = json_lib_parse(text, err);
	if (!v || ip_nets_parse(cluster_cidr, &r.cluster, err) != 0)
		return err->code;
	if (!json_is_object(v))
		return err_set(err, ERR_INVAL,
		        "an object is wanted, like {\"Network\": \"10.42.0.0/16\", \"Backend\": "
		        "{\"Type\": \"vxlan\"}}");
	const json_t *of_backend = json_object_get(v, "Backend");
	if (of_backend && read_backend(&r, of_backend, err) != 0)
		return err_wrap(err, "Backend");
	json_object_del(v, "Backend");
	if (read_members(whole, COUNT_OF(whole), &r, v, err) != 0)
		return err->code;
	*ret_backend = r.backend;
	*ret = r.conf;
	return 0;
}

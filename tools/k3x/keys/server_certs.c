/* See server_certs.h. */
#include "tools/k3x/keys/server_certs.h"

#include "base/check.h"
#include "tools/k3x/keys/server_pki.h"

#include <stdlib.h>

static const struct {
	const char *service, *place;
} cas[] = {{"client-ca", "server/tls/client-ca"}, {"server-ca", "server/tls/server-ca"},
        {"request-header-ca", "server/tls/request-header-ca"}, {"etcd", "server/tls/etcd/peer-ca"}};

enum server_certificate_status server_certificate_status(const struct pki_info *info, int64_t now_s)
{
	if (info->not_after_s <= now_s)
		return SERVER_CERTIFICATE_OVER;
	return pki_is_near_end(info, now_s) ? SERVER_CERTIFICATE_NEAR_END : SERVER_CERTIFICATE_OK;
}

const char *server_certificate_status_text(enum server_certificate_status status)
{
	static const char *const texts[] = {"ok", "near its end", "over"};
	return texts[status];
}

static void tell(struct server_settings *s, int64_t now_s, const char *service, const char *place,
        void (*fn)(void *arg, const struct server_certificate *c), void *arg)
{
	struct server_certificate c = {.service = service};
	struct err unused = ERR_INIT;
	char *pem;
	c.place = arena_printf(&s->arena, "%s.crt", place);
	if (pki_file_read(server_file(s, "%s", c.place), &pem, NULL, &unused) != 0)
		return;
	if (pki_info(pem, &c.info, &unused) == 0) {
		c.status = server_certificate_status(&c.info, now_s);
		fn(arg, &c);
	}
	free(pem);
}

void server_certificates_each_of(struct server_settings *s, int64_t now_s, unsigned leaves,
        void (*fn)(void *arg, const struct server_certificate *c), void *arg)
{
	for (unsigned i = 0; i < SERVER_LEAVES; i++)
		if (leaves & 1u << i)
			tell(s, now_s, server_leaves[i].service, server_leaves[i].place, fn, arg);
}

void server_certificates_each(
        struct server_settings *s, int64_t now_s, void (*fn)(void *arg, const struct server_certificate *c), void *arg)
{
	server_certificates_each_of(s, now_s, ~0u, fn, arg);
	for (size_t i = 0; i < COUNT_OF(cas); i++)
		tell(s, now_s, cas[i].service, cas[i].place, fn, arg);
}

int server_certificates_of(const char *service, unsigned *ret, struct err *err)
{
	/* k3s's names of what has no certificate here: they run in the server, and ask it without one. */
	static const char *const inside[] = {"controller-manager", "scheduler", "supervisor", "k3s-controller",
	        "k3x-controller", "k3s-server", "k3x-server", "cloud-controller", "kube-proxy"};
	unsigned bits = 0;
	for (unsigned i = 0; i < SERVER_LEAVES; i++)
		if (!service || strcmp(service, server_leaves[i].service) == 0)
			bits |= 1u << i;
	for (size_t i = 0; !bits && i < COUNT_OF(inside); i++)
		if (strcmp(service, inside[i]) == 0)
			return err_set(err, ERR_INVAL,
			        "--service: %s has no certificate of its own here, for it is part of "
			        "the server process: admin, api-server, auth-proxy, etcd and kubelet have",
			        service);
	if (!bits)
		return err_set(
		        err, ERR_INVAL, "--service: \"%s\" is none of admin, api-server, etcd, kubelet", service);
	*ret = bits;
	return 0;
}

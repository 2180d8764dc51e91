/* The kernel's WireGuard: see writer.h. The link is made by rtnetlink (netlink.h), and is told what it is by generic
 * netlink (message.h), where WireGuard is a family by name whose number the kernel says.
 *
 * What can go wrong: the kernel takes a request in part (it works through a message peer by peer): the caller looks at
 * the device again before it says more. */
#include "net/fabric/wireguard/writer.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "net/fabric/wireguard/message.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/wireguard.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_BYTES = 64 * 1024, ANSWER_S = 5 };

struct kernel {
	struct wireguard_writer w;
	struct wireguard_writer_options o;
	struct arena arena; /* of the options */
	uint32_t seq;
};

/* ---- questions and answers ---- */

static int receive(int fd, uint32_t seq, void (*fn)(void *arg, struct slice body), void *arg, struct err *err)
{
	CLEANUP(cleanup_free) char *answer = xmalloc(ANSWER_BYTES);
	int error = 0;
	for (;;) {
		ssize_t n = recv(fd, answer, ANSWER_BYTES, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "read the kernel's answer about WireGuard");
		if (wireguard_message_walk((struct slice){answer, (size_t)n}, seq, fn, arg, &error))
			return error ? err_errno(err, error, "the kernel's WireGuard") : 0;
	}
}

static int ask(
        struct slice question, uint32_t seq, void (*fn)(void *arg, struct slice body), void *arg, struct err *err)
{
	struct timeval limit = {.tv_sec = ANSWER_S};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (fd < 0)
		return err_errno(err, errno, "open a socket of generic netlink");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	int rc = send(fd, question.ptr, question.len, 0) == (ssize_t)question.len
	                 ? receive(fd, seq, fn, arg, err)
	                 : err_errno(err, errno, "ask the kernel about WireGuard");
	close(fd);
	return rc;
}

static void take_family(void *arg, struct slice body)
{
	wireguard_message_read_family(body, arg);
}

static int find_family(uint16_t *ret, struct err *err)
{
	struct strbuf question = STRBUF_INIT;
	*ret = 0;
	wireguard_message_family(&question, 1, WG_GENL_NAME);
	int rc = ask(strbuf_slice(&question), 1, take_family, ret, err);
	strbuf_release(&question);
	return rc != 0 || *ret ? rc : err_set(err, ERR_PROTOCOL, "the kernel does not say WireGuard's number");
}

bool wireguard_kernel_can(void)
{
	struct err unused = ERR_INIT;
	uint16_t family;
	return find_family(&family, &unused) == 0;
}

/* ---- the device ---- */

static int make_link(struct kernel *k, int *ret_index, struct err *err)
{
	char kind[NETLINK_KIND_MAX];
	if (netlink_link_add(k->o.netlink, k->o.link, WG_GENL_NAME, err) != 0)
		return err_wrap(err, "%s", k->o.link);
	return netlink_link_kind(k->o.netlink, k->o.link, kind, ret_index)
	               ? 0
	               : err_set(err, ERR_NOT_FOUND, "the link %s is gone again", k->o.link);
}

/* One that a program made, in the days of a kernel without WireGuard, makes room; the program ends with it. */
static int find_link(struct wireguard_writer *w, int *ret_index, struct err *err)
{
	struct kernel *k = CONTAINER_OF(w, struct kernel, w);
	char kind[NETLINK_KIND_MAX];
	bool is_there = netlink_link_kind(k->o.netlink, k->o.link, kind, ret_index);
	if (is_there && strcmp(kind, WG_GENL_NAME) == 0)
		return 0;
	if (is_there && strcmp(kind, "tun") != 0)
		return err_set(err, ERR_EXISTS, "the link %s is not ours: rename it", k->o.link);
	if (is_there && netlink_link_del(k->o.netlink, *ret_index, err) != 0)
		return err->code;
	return make_link(k, ret_index, err);
}

struct reading {
	struct wireguard_device *device;
	bool fails;
};

static void take_device(void *arg, struct slice body)
{
	struct reading *r = arg;
	r->fails |= !wireguard_message_read_device(body, r->device);
}

static int get(struct wireguard_writer *w, struct wireguard_device *ret, struct err *err)
{
	struct kernel *k = CONTAINER_OF(w, struct kernel, w);
	struct reading r = {.device = ret};
	struct strbuf question = STRBUF_INIT;
	uint16_t family;
	if (find_family(&family, err) != 0)
		return err->code;
	wireguard_message_get(&question, family, ++k->seq, k->o.link);
	int rc = ask(strbuf_slice(&question), k->seq, take_device, &r, err);
	strbuf_release(&question);
	if (rc == 0 && r.fails)
		rc = err_set(err, ERR_PROTOCOL, "what the kernel says of %s does not read", k->o.link);
	return rc;
}

static void ignore(void *arg, struct slice body)
{
}

static int set(struct wireguard_writer *w, const struct wireguard_request *r, struct err *err)
{
	struct kernel *k = CONTAINER_OF(w, struct kernel, w);
	struct strbuf question = STRBUF_INIT;
	uint16_t family;
	size_t next = 0;
	int rc = find_family(&family, err);
	if (rc != 0)
		return rc;
	do {
		strbuf_reset(&question);
		next = wireguard_message_set(&question, family, ++k->seq, k->o.link, r, next);
		rc = ask(strbuf_slice(&question), k->seq, ignore, NULL, err);
	} while (rc == 0 && next < r->count);
	explicit_bzero(question.data, question.cap);
	strbuf_release(&question);
	return rc;
}

static void close_writer(struct wireguard_writer *w, void (*closed)(void *arg), void *arg)
{
	struct kernel *k = CONTAINER_OF(w, struct kernel, w);
	arena_release(&k->arena);
	free(k);
	closed(arg);
}

static struct wireguard_writer *open_writer(const struct wireguard_writer_options *o)
{
	struct kernel *k = xcalloc(1, sizeof *k);
	k->w.kind = &wireguard_by_kernel;
	k->o = *o;
	k->o.link = arena_strdup(&k->arena, o->link);
	k->seq = 1;
	return &k->w;
}

const struct wireguard_writer_kind wireguard_by_kernel = {"kernel", open_writer, find_link, get, set, close_writer};

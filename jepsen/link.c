/* See link.h. */
#include "jepsen/link.h"

#include "base/mem/arena.h"
#include "base/mem/list.h"
#include "base/check.h"
#include "jepsen/command.h"
#include "jepsen/rng.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_BYTES_MAX = 2048, QUEUE_MAX = 8192, HARNESS_ADDRESS = 0x0a4d0001 };

struct frame {
	struct list_link link;
	int64_t due_ns;
	int to_fd;
	size_t len;
	char bytes[FRAME_BYTES_MAX];
};

struct link {
	unsigned node;
	struct link_settings settings;
	int wire; /* packet socket on the veth: the node's side */
	int tap;  /* the bridge's side */
	int stop;
	struct rng rng;
	struct list_link queue; /* by due_ns */
	size_t queued;
	int64_t last_due_ns[2]; /* per direction: order is kept but for those that overtake */
	pthread_t thread;
};

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static bool is_between_servers(const char *bytes, size_t len)
{
	uint16_t type;
	uint32_t from, to;
	if (len < 34)
		return false;
	memcpy(&type, bytes + 12, 2);
	memcpy(&from, bytes + 26, 4);
	memcpy(&to, bytes + 30, 4);
	return ntohs(type) == ETHERTYPE_IP && ntohl(from) != HARNESS_ADDRESS && ntohl(to) != HARNESS_ADDRESS;
}

static void enqueue(struct link *l, int to_fd, const char *bytes, size_t len, int64_t due_ns)
{
	if (l->queued == QUEUE_MAX)
		return; /* a full link drops */
	struct frame *f = xmalloc(sizeof *f);
	f->due_ns = due_ns;
	f->to_fd = to_fd;
	f->len = len;
	memcpy(f->bytes, bytes, len);
	struct list_link *at = l->queue.prev;
	while (at != &l->queue && CONTAINER_OF(at, struct frame, link)->due_ns > due_ns)
		at = at->prev;
	list_init(&f->link);
	list_push_front(at, &f->link); /* behind `at` */
	l->queued++;
}

static void take(struct link *l, int from_fd, int to_fd, int direction)
{
	const struct link_settings *s = &l->settings;
	char bytes[FRAME_BYTES_MAX];
	ssize_t n;
	for (int i = 0; i < 64 && (n = read(from_fd, bytes, sizeof bytes)) > 0; i++) {
		if (!is_between_servers(bytes, (size_t)n) || rng_chance(&l->rng, s->reorder_percent)) {
			(void)!write(to_fd, bytes, (size_t)n);
			continue;
		}
		int64_t wait_ms = s->delay_ms + (s->jitter_ms ? rng_below(&l->rng, s->jitter_ms) : 0);
		int64_t due = now_ns() + wait_ms * 1000000;
		if (due < l->last_due_ns[direction])
			due = l->last_due_ns[direction];
		l->last_due_ns[direction] = due;
		enqueue(l, to_fd, bytes, (size_t)n, due);
		if (rng_chance(&l->rng, s->duplicate_percent))
			enqueue(l, to_fd, bytes, (size_t)n, due + rng_between(&l->rng, 0, 20) * 1000000);
	}
}

static void send_due(struct link *l, int64_t now)
{
	for (struct list_link *it; (it = list_pop_front(&l->queue)) != NULL;) {
		struct frame *f = CONTAINER_OF(it, struct frame, link);
		if (f->due_ns > now) {
			list_push_front(&l->queue, it);
			return;
		}
		(void)!write(f->to_fd, f->bytes, f->len);
		l->queued--;
		free(f);
	}
}

static void *relay(void *arg)
{
	struct link *l = arg;
	struct pollfd p[3] = {
	        {.fd = l->wire, .events = POLLIN}, {.fd = l->tap, .events = POLLIN}, {.fd = l->stop, .events = POLLIN}};
	while (!(p[2].revents & POLLIN)) {
		int64_t wait = -1;
		if (!list_empty(&l->queue)) {
			wait = CONTAINER_OF(l->queue.next, struct frame, link)->due_ns - now_ns();
			wait = wait > 0 ? wait : 0;
		}
		struct timespec t = {.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
		if (ppoll(p, 3, wait < 0 ? NULL : &t, NULL) < 0 && errno != EINTR)
			break;
		if (p[0].revents & POLLIN)
			take(l, l->wire, l->tap, 0);
		if (p[1].revents & POLLIN)
			take(l, l->tap, l->wire, 1);
		send_due(l, now_ns());
	}
	send_due(l, INT64_MAX);
	return NULL;
}

static int open_tap(struct link *l, struct err *err)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	snprintf(r.ifr_name, sizeof r.ifr_name, "t%u", l->node);
	l->tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (l->tap < 0 || ioctl(l->tap, TUNSETIFF, &r) != 0)
		return err_errno(err, errno, "make tap device %s", r.ifr_name);
	return 0;
}

static int open_wire(struct link *l, struct err *err)
{
	char name[IFNAMSIZ], path[96];
	int on = 1;
	snprintf(name, sizeof name, "v%u", l->node);
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	at.sll_ifindex = (int)if_nametoindex(name);
	l->wire = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->wire < 0 || setsockopt(l->wire, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0 ||
	        bind(l->wire, (struct sockaddr *)&at, sizeof at) != 0)
		return err_errno(err, errno, "packets of %s", name);
	/* Our own stack must not answer there for the bridge. */
	snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/arp_ignore", name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "8", 1) != 1)
		err_errno(err, errno, "write %s", path);
	if (fd >= 0)
		close(fd);
	return err->code;
}

static void release(struct link *l)
{
	for (struct list_link *it; (it = list_pop_front(&l->queue)) != NULL;)
		free(CONTAINER_OF(it, struct frame, link));
	if (l->tap >= 0)
		close(l->tap); /* the device goes with it */
	if (l->wire >= 0)
		close(l->wire);
	if (l->stop >= 0)
		close(l->stop);
	free(l);
}

int link_open(unsigned node, const struct link_settings *settings, struct link **ret, struct err *err)
{
	struct link *l = xcalloc(1, sizeof *l);
	l->node = node;
	l->settings = *settings;
	l->wire = l->tap = -1;
	l->stop = eventfd(0, EFD_CLOEXEC);
	rng_init(&l->rng, settings->seed, node);
	list_init(&l->queue);
	if (open_tap(l, err) != 0 || command_line(NAMESPACE_OURS, err, "ip link set v%u nomaster", node) != 0 ||
	        open_wire(l, err) != 0 ||
	        command_line(NAMESPACE_OURS, err, "ip link set t%u master br0 up", node) != 0) {
		struct err ignored = ERR_INIT;
		command_line(NAMESPACE_OURS, &ignored, "ip link set v%u master br0", node);
		release(l);
		return err_wrap(err, "relay of node %u", node);
	}
	CHECK(pthread_create(&l->thread, NULL, relay, l) == 0);
	*ret = l;
	return 0;
}

int link_close(struct link *l, struct err *err)
{
	uint64_t one = 1;
	unsigned node = l->node;
	CHECK(write(l->stop, &one, sizeof one) == sizeof one);
	pthread_join(l->thread, NULL);
	release(l);
	return command_line(NAMESPACE_OURS, err, "ip link set v%u master br0", node);
}

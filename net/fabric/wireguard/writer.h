/* Who makes a WireGuard device and tells it things: the kernel, or the program wireguard-go where the kernel has none
 * of it. Both the same way. Loop's thread; a question is answered within microseconds, and given up after seconds. */
#ifndef K3X_NET_FABRIC_WIREGUARD_WRITER_H
#define K3X_NET_FABRIC_WIREGUARD_WRITER_H

#include "base/rt/loop.h"
#include "net/fabric/netlink.h"
#include "net/fabric/wireguard/device.h"

struct wireguard_writer_options {
	struct loop *loop;
	struct netlink *netlink; /* borrowed */
	const char *link;        /* the device's name */
	uint16_t port;
	const char *pid_file, *log_file; /* of the program, where one is started */
	/* The device is there now, or is gone: from the loop. */
	void (*changed)(void *arg);
	void *arg;
};

struct wireguard_writer {
	const struct wireguard_writer_kind *kind;
};

struct wireguard_writer_kind {
	const char *name;
	struct wireguard_writer *(*open)(const struct wireguard_writer_options *o);
	/* The device is there, made if need be; *ret_index is 0 while it is on its way, and `changed` says when it is
	 * there. ERR_EXISTS: a link of its name is somebody else's. */
	int (*link)(struct wireguard_writer *w, int *ret_index, struct err *err);
	/* What it is; *ret is empty before, and released by the caller whatever comes of it. */
	int (*get)(struct wireguard_writer *w, struct wireguard_device *ret, struct err *err);
	int (*set)(struct wireguard_writer *w, const struct wireguard_request *r, struct err *err);
	/* The device stays, and works on. */
	void (*close)(struct wireguard_writer *w, void (*closed)(void *arg), void *arg);
};

extern const struct wireguard_writer_kind wireguard_by_kernel, wireguard_by_program;

/* This kernel has WireGuard; one that has it as a module loads it now. */
bool wireguard_kernel_can(void);
/* wireguard-go is installed. */
bool wireguard_program_is_there(void);

#endif

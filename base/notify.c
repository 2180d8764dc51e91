/* See notify.h. Whatever goes wrong, a service that can't tell goes on: the manager draws its own conclusions. */
#include "base/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or a name in the abstract namespace, which begins with '@'. 0: neither. */
static socklen_t address_of(const char *name, struct sockaddr_un *ret)
{
	size_t len = name ? strlen(name) : 0;
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len < 2 || len >= sizeof ret->sun_path || (*name != '/' && *name != '@'))
		return 0;
	memcpy(ret->sun_path, name, len);
	if (*name == '@')
		ret->sun_path[0] = 0;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*name == '/'));
}

bool notify_send(const char *state)
{
	struct sockaddr_un address;
	socklen_t len = address_of(getenv("NOTIFY_SOCKET"), &address);
	int fd = len ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
	if (fd < 0)
		return false;
	ssize_t n;
	do
		n = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, len);
	while (n < 0 && errno == EINTR);
	close(fd);
	return n >= 0;
}

uint64_t notify_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	if (!usec || (pid && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	return strtoull(usec, NULL, 10) / 1000;
}

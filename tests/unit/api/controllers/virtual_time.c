/* Time that passes only when nobody has anything to do: what libuv and our code ask of the system is answered here
 * (tests/module.mk wraps the calls for whoever includes fake_api.h). A loop that would sleep moves the clock on and
 * wakes at once; what comes from random numbers comes from one seed. */
#include "tests/unit/api/controllers/fake_api.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>

/* 2026-01-05 00:00:00 UTC, a Monday. */
enum { BEGIN_S = 1767571200 };

static uint64_t now_ns;
static uint64_t seed = 1;
static bool is_on;

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
time_t __real_time(time_t *ret);
time_t __wrap_time(time_t *ret);
ssize_t __real_getrandom(void *buffer, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t n, unsigned flags);
int __real_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms);
int __real_epoll_pwait(int fd, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask);
int __wrap_epoll_pwait(int fd, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask);

void virtual_time_start(unsigned from)
{
	is_on = true;
	now_ns = 1000000000;
	seed = 88172645463325252 + from * 0x9e3779b97f4a7c15ull;
}

uint64_t virtual_time_ms(void)
{
	return now_ns / 1000000;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	if (!is_on)
		return __real_clock_gettime(id, ret);
	uint64_t ns = now_ns + (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE ? BEGIN_S * 1000000000ull : 0);
	*ret = (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
	return 0;
}

time_t __wrap_time(time_t *ret)
{
	struct timespec t;
	__wrap_clock_gettime(CLOCK_REALTIME, &t);
	if (ret)
		*ret = t.tv_sec;
	return t.tv_sec;
}

ssize_t __wrap_getrandom(void *buffer, size_t n, unsigned flags)
{
	if (!is_on)
		return __real_getrandom(buffer, n, flags);
	for (size_t i = 0; i < n; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		((unsigned char *)buffer)[i] = (unsigned char)(seed >> 24);
	}
	return (ssize_t)n;
}

static int slept(int got, int timeout_ms)
{
	if (got == 0 && timeout_ms > 0)
		now_ns += (uint64_t)timeout_ms * 1000000;
	return got;
}

int __wrap_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
	if (!is_on || timeout_ms < 0)
		return __real_epoll_wait(fd, events, max, timeout_ms);
	return slept(__real_epoll_wait(fd, events, max, 0), timeout_ms);
}

int __wrap_epoll_pwait(int fd, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask)
{
	if (!is_on || timeout_ms < 0)
		return __real_epoll_pwait(fd, events, max, timeout_ms, mask);
	return slept(__real_epoll_pwait(fd, events, max, 0, mask), timeout_ms);
}

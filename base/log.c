/* See log.h. A line is formatted on the caller's stack; the ring is the only shared state and is guarded by a mutex
 * that is held for one memcpy. */
#include "base/log.h"

#include "base/check.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024, RING_LINES = 128 };

static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR"};

static atomic_int min_level = LOG_INFO;
static atomic_int out_fd = STDERR_FILENO;

static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;
static char ring[RING_LINES][256];
static unsigned ring_next;

void log_set_level(enum log_level level)
{
	atomic_store(&min_level, (int)level);
}

bool log_enabled(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&min_level, memory_order_relaxed);
}

void log_set_fd(int fd)
{
	atomic_store(&out_fd, fd);
}

static void write_line(const char *line, size_t len)
{
	int fd = atomic_load(&out_fd);
	ssize_t n = write(fd, line, len); /* a log that cannot be written has nowhere to complain */
	(void)n;
}

static void ring_add(const char *line, size_t len)
{
	pthread_mutex_lock(&ring_lock);
	char *slot = ring[ring_next++ % RING_LINES];
	size_t n = len < sizeof ring[0] ? len : sizeof ring[0] - 1;
	memcpy(slot, line, n);
	slot[n] = 0;
	pthread_mutex_unlock(&ring_lock);
}

static size_t format_head(char *line, size_t size, enum log_level level, const char *component, const char *event)
{
	struct timespec now;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	int n = snprintf(line, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %-5s %s: %s", tm.tm_year + 1900,
	        tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000, level_names[level],
	        component, event);
	return (size_t)n < size ? (size_t)n : size - 1;
}

void log_event(enum log_level level, const char *component, const char *event, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	size_t len = format_head(line, sizeof line - 2, level, component, event);
	if (fmt && *fmt) {
		line[len++] = ' ';
		va_list ap;
		va_start(ap, fmt);
		int n = vsnprintf(line + len, sizeof line - len - 1, fmt, ap);
		va_end(ap);
		size_t room = sizeof line - len - 2;
		len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
	}
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	ring_add(line, len);
	if (log_enabled(level))
		write_line(line, len);
}

void log_dump_ring(void)
{
	/* A thread that died inside ring_add may hold the lock: the dump is worth more than its consistency. */
	bool locked = pthread_mutex_trylock(&ring_lock) == 0;
	for (unsigned i = 0; i < RING_LINES; i++) {
		const char *slot = ring[(ring_next + i) % RING_LINES];
		if (*slot) {
			write_line("ring: ", 6);
			write_line(slot, strlen(slot));
		}
	}
	if (locked)
		pthread_mutex_unlock(&ring_lock);
}

void check_failed(const char *file, int line, const char *expr)
{
	log_dump_ring();
	log_event(LOG_ERROR, "check", "invariant broken", "at=%s:%d expression=\"%s\"", file, line, expr);
	abort();
}

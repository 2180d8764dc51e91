/* See log.h. A line is formatted on the caller's stack; the ring is the only shared state and is guarded by a mutex
 * that is held for one memcpy. */
#include "base/log.h"

#include "base/check.h"
#include "base/file/rotating_file.h"
#include "base/mem/utf8.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024, RING_LINES = 128 };

static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR"};

static atomic_int min_level = LOG_INFO;
static atomic_int out_fd = STDERR_FILENO;
static atomic_bool as_json, for_journal, copies_too;
static struct rotating_file log_file; /* written when is_open */

static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;
static char ring[RING_LINES][256];
static unsigned ring_next;

void log_set_level(enum log_level level)
{
	atomic_store(&min_level, (int)level);
}

int log_set_level_by_name(const char *name, struct err *err)
{
	for (unsigned i = 0; i < COUNT_OF(level_names); i++)
		if (strcasecmp(name, level_names[i]) == 0) {
			log_set_level((enum log_level)i);
			return 0;
		}
	return err_set(err, ERR_INVAL, "\"%s\" is none of debug, info, warn, error", name);
}

bool log_enabled(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&min_level, memory_order_relaxed);
}

void log_set_json(bool is_json)
{
	atomic_store(&as_json, is_json);
}

void log_set_fd(int fd)
{
	atomic_store(&out_fd, fd);
}

int log_open_file(const char *path, int64_t bytes_max, unsigned files_max, struct err *err)
{
	return rotating_file_open(&log_file, path, bytes_max, files_max, err);
}

void log_set_copy(bool copies)
{
	atomic_store(&copies_too, copies);
}

void log_adopt_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	if (stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	        st.st_dev == (dev_t)dev && st.st_ino == (ino_t)ino && !rotating_file_is_open(&log_file))
		atomic_store(&for_journal, true);
}

/* A log that cannot be written has nowhere to complain. */
static void write_line(const char *line, size_t len)
{
	bool has_file = rotating_file_is_open(&log_file);
	ssize_t n = 0;
	if (has_file)
		rotating_file_write(&log_file, line, len);
	if (!has_file || atomic_load_explicit(&copies_too, memory_order_relaxed))
		n = write(has_file ? STDERR_FILENO : atomic_load(&out_fd), line, len);
	(void)n;
}

/* `head`: where the time ends, of which a journal needs none. */
static void write_journal(enum log_level level, const char *line, size_t len, size_t head)
{
	static const int priorities[] = {7, 6, 4, 3}; /* of syslog */
	char text[LINE_MAX_BYTES + 8];
	int n = snprintf(text, sizeof text, "<%d>%.*s", priorities[level], (int)(len - head), line + head);
	write_line(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
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

static size_t format_time(char *out, size_t size)
{
	struct timespec now;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	return (size_t)snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", tm.tm_year + 1900, tm.tm_mon + 1,
	        tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
}

static size_t format_head(
        char *line, size_t size, const char *when, enum log_level level, const char *component, const char *event)
{
	int n = snprintf(line, size, "%s %-5s %s: %s", when, level_names[level], component, event);
	return (size_t)n < size ? (size_t)n : size - 1;
}

/* ---- JSON ---- */

/* A line that is cut must still end as an object: so much is left for that. */
enum { JSON_END_BYTES = 4, JSON_LINE_BYTES = 2 * LINE_MAX_BYTES };

struct json_line {
	char text[JSON_LINE_BYTES];
	size_t len;
};

static bool json_add(struct json_line *j, char c)
{
	bool is_escaped = c == '"' || c == '\\';
	if (j->len + 2 + JSON_END_BYTES > sizeof j->text)
		return false;
	if (is_escaped)
		j->text[j->len++] = '\\';
	j->text[j->len++] = c;
	return true;
}

static void json_raw(struct json_line *j, const char *text)
{
	size_t n = strlen(text);
	if (j->len + n + JSON_END_BYTES > sizeof j->text)
		return;
	memcpy(j->text + j->len, text, n);
	j->len += n;
}

/* ,"name":"value" */
static void json_pair(struct json_line *j, const char *name, size_t name_len, const char *value, size_t value_len)
{
	if (j->len + name_len + 8 + JSON_END_BYTES > sizeof j->text)
		return;
	json_raw(j, j->len > 1 ? ",\"" : "\"");
	for (size_t i = 0; i < name_len; i++)
		json_add(j, name[i]);
	json_raw(j, "\":\"");
	for (size_t i = 0; i < value_len && json_add(j, value[i]); i++)
		;
	j->text[j->len++] = '"';
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* How many bytes of a name are followed by '='; 0: no pair begins here. */
static size_t name_length(const char *text)
{
	size_t n = 0;
	while (is_name_char(text[n]))
		n++;
	return text[n] == '=' ? n : 0;
}

/* Where a quoted value ends: at the quote behind which another pair begins, or nothing. Texts of errors have quotes. */
static size_t quoted_length(const char *text)
{
	size_t n = strlen(text);
	for (size_t i = 0; i < n; i++)
		if (text[i] == '"' && (!text[i + 1] || (text[i + 1] == ' ' && name_length(text + i + 2))))
			return i;
	return n;
}

/* The pairs of a line: key=value key="some words". */
static void json_pairs(struct json_line *j, const char *text)
{
	while (*text) {
		size_t n = name_length(text);
		if (!n) {
			text += strcspn(text, " ");
			text += *text == ' ';
			continue;
		}
		const char *value = text + n + 1;
		bool is_quoted = *value == '"';
		size_t len = is_quoted ? quoted_length(value + 1) : strcspn(value, " ");
		json_pair(j, text, n, value + is_quoted, len);
		text = value + is_quoted + len;
		text += *text == '"';
		text += *text == ' ';
	}
}

static void write_json(
        const char *when, enum log_level level, const char *component, const char *event, const char *pairs)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	struct json_line j = {.text = "{", .len = 1};
	json_pair(&j, "level", 5, names[level], strlen(names[level]));
	json_pair(&j, "ts", 2, when, strlen(when));
	json_pair(&j, "logger", 6, component, strlen(component));
	json_pair(&j, "msg", 3, event, strlen(event));
	json_pairs(&j, pairs);
	j.text[j.len++] = '}';
	j.text[j.len++] = '\n';
	write_line(j.text, j.len);
}

/* ---- lines ---- */

/* Control characters, and bytes that are no UTF-8, which JSON could not hold, become question marks. */
static void clean(char *line, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_len((const unsigned char *)line + i, len - i);
		if (n == 0 || (unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
		n += n == 0;
	}
}

void log_event(enum log_level level, const char *component, const char *event, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES], when[128];
	format_time(when, sizeof when);
	size_t len = format_head(line, sizeof line - 2, when, level, component, event), pairs = len;
	if (fmt && *fmt) {
		line[len++] = ' ';
		pairs = len;
		va_list ap;
		va_start(ap, fmt);
		int n = vsnprintf(line + len, sizeof line - len - 1, fmt, ap);
		va_end(ap);
		size_t room = sizeof line - len - 2;
		len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
	}
	clean(line, len);
	line[len] = 0;
	if (log_enabled(level) && atomic_load_explicit(&as_json, memory_order_relaxed))
		write_json(when, level, component, event, line + pairs);
	line[len++] = '\n';
	ring_add(line, len);
	if (!log_enabled(level) || atomic_load_explicit(&as_json, memory_order_relaxed))
		return;
	if (atomic_load_explicit(&for_journal, memory_order_relaxed))
		write_journal(level, line, len, strlen(when) + 1);
	else
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

/* Levelled, structured log: one line per event, logfmt (key=value), to stderr or a file; or as JSON.
 *
 *     log_info("store", "opened", "path=%s revision=%" PRId64, path, revision);
 *
 * gives `2026-01-02T03:04:05.678Z INFO store: opened path=/var/lib/... revision=42`. The component says which room of
 * the house speaks, the event is a constant phrase that can be searched for, the rest are key=value pairs. Values that
 * come from outside are written with LOG_STR-like care: control characters are replaced by '?'. Every line is one
 * write(2), so lines of several threads do not mix. The last lines, debug ones included, are kept in a ring that a
 * failed CHECK prints. Any thread. */
#ifndef K3X_BASE_LOG_H
#define K3X_BASE_LOG_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines below `level` only go to the ring. Default LOG_INFO. */
void log_set_level(enum log_level level);
/* As people write it: debug, info, warn or error. ERR_INVAL names the four. */
int log_set_level_by_name(const char *name, struct err *err);
bool log_enabled(enum log_level level);

/* Writes lines as JSON objects from now on: {"level":"info","ts":"...","logger":"store","msg":"opened","path":...}, all
 * values as strings. The ring stays as it is. */
void log_set_json(bool is_json);

/* Sends lines to this descriptor (default 2). The caller keeps it open. */
void log_set_fd(int fd);

/* Sends lines to this file from now on, appended. When it has more than bytes_max bytes it becomes PATH.1, what was
 * PATH.1 becomes PATH.2, and so on up to PATH.files_max, whose predecessor is gone: the log takes bytes_max times
 * files_max + 1 of the disk and a line more, and not more when files can't be renamed, for then it begins anew in
 * place. Once in a process's life. ERR_*: it can't be opened. */
int log_open_file(const char *path, int64_t bytes_max, unsigned files_max, struct err *err);
/* With such a file: the lines go to stderr too. */
void log_set_copy(bool copies);

/* Lines for the journal of systemd: its level before each, and no time, which it knows. Only when stderr is a
 * journal's, as JOURNAL_STREAM says, and nothing was said of a file. */
void log_adopt_journal(void);

/* Writes the ring to the log's descriptor, oldest line first. Safe to call from a failed CHECK. */
void log_dump_ring(void);

__attribute__((format(printf, 4, 5))) void log_event(
        enum log_level level, const char *component, const char *event, const char *fmt, ...);

#define log_debug(component, event, ...) log_event(LOG_DEBUG, component, event, __VA_ARGS__)
#define log_info(component, event, ...) log_event(LOG_INFO, component, event, __VA_ARGS__)
#define log_warn(component, event, ...) log_event(LOG_WARN, component, event, __VA_ARGS__)
#define log_error(component, event, ...) log_event(LOG_ERROR, component, event, __VA_ARGS__)

#endif

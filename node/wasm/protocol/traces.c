/* Small files of a line of numbers and a line of text. */
#include "node/wasm/protocol/traces.h"

#include "base/mem/str.h"
#include "node/ground/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TRACE_BYTES_MAX = 16384, BORN_FIELD = 22 };

const char *wasm_container_path(struct arena *a, const char *state, const char *id, const char *file)
{
	return arena_printf(a, "%s/containers/%s/%s", state, id, file);
}

int64_t wasm_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uint64_t wasm_born_ticks(pid_t pid)
{
	char path[64];
	uint64_t ticks = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	char *text = file_read(path, 4096, false, NULL), *at = text ? strrchr(text, ')') : NULL;
	struct slice rest = slice_of(at ? at + 2 : "");
	/* The state is field 3; a zombie has ended. */
	bool has_ended = rest.len && (rest.ptr[0] == 'Z' || rest.ptr[0] == 'X');
	for (int field = 3; field < BORN_FIELD; field++)
		slice_cut(&rest, ' ');
	if (has_ended || !slice_to_u64(slice_cut(&rest, ' '), &ticks))
		ticks = 0;
	free(text);
	return ticks;
}

bool wasm_is_alive(const struct wasm_process *p)
{
	return p->pid > 0 && p->born_ticks && wasm_born_ticks(p->pid) == p->born_ticks;
}

static int write_trace(const char *state, const char *id, const char *file, const struct strbuf *text, struct err *err)
{
	struct arena a = ARENA_INIT;
	file_replace(wasm_container_path(&a, state, id, file), strbuf_slice(text), 0600, false, err);
	arena_release(&a);
	return err->code;
}

static int read_trace(
        struct arena *a, const char *state, const char *id, const char *file, struct slice *ret, struct err *err)
{
	const char *path = wasm_container_path(a, state, id, file);
	size_t len;
	char *text = file_read(path, TRACE_BYTES_MAX, false, &len);
	if (!text)
		return err_errno(err, errno, "read %s", path);
	*ret = (struct slice){arena_memdup(a, text, len), len};
	free(text);
	return 0;
}

static int64_t next_number(struct slice *line, bool *is_good)
{
	int64_t v = 0;
	*is_good &= slice_to_i64(slice_cut(line, ' '), &v);
	return v;
}

int wasm_process_write(const char *state, const char *id, const struct wasm_process *p, struct err *err)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "%d %llu %lld\n%s\n%s", p->pid, (unsigned long long)p->born_ticks, (long long)p->started_ns,
	        p->box, p->log_path);
	write_trace(state, id, "pid", &b, err);
	strbuf_release(&b);
	return err->code;
}

int wasm_process_read(struct arena *a, const char *state, const char *id, struct wasm_process *p, struct err *err)
{
	struct slice text;
	bool is_good = true;
	if (read_trace(a, state, id, "pid", &text, err) != 0)
		return err->code;
	struct slice line = slice_cut(&text, '\n'), box = slice_cut(&text, '\n');
	p->pid = (pid_t)next_number(&line, &is_good);
	p->born_ticks = (uint64_t)next_number(&line, &is_good);
	p->started_ns = next_number(&line, &is_good);
	p->box = arena_memdup(a, box.ptr ? box.ptr : "", box.len);
	p->log_path = arena_memdup(a, text.ptr ? text.ptr : "", text.len);
	return is_good ? 0 : err_set(err, ERR_CORRUPT, "the file `pid` of container %s cannot be read", id);
}

int wasm_exit_write(const char *state, const char *id, const struct wasm_exit *x, struct err *err)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "%d %lld\n%s", x->code, (long long)x->finished_ns, x->message);
	write_trace(state, id, "exit", &b, err);
	strbuf_release(&b);
	return err->code;
}

int wasm_exit_read(struct arena *a, const char *state, const char *id, struct wasm_exit *x, struct err *err)
{
	struct slice text;
	bool is_good = true;
	if (read_trace(a, state, id, "exit", &text, err) != 0)
		return err->code;
	struct slice line = slice_cut(&text, '\n');
	x->code = (int)next_number(&line, &is_good);
	x->finished_ns = next_number(&line, &is_good);
	x->message = arena_memdup(a, text.ptr ? text.ptr : "", text.len);
	return is_good ? 0 : err_set(err, ERR_CORRUPT, "the file `exit` of container %s cannot be read", id);
}

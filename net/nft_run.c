/* See nft_int.h. The script goes in through a pipe, the error text comes out of one; the run is over when the process
 * has exited and its output has ended. A transaction is all or nothing, so there is never half a rule set. */
#include "net/nft_run.h"

#include "base/check.h"
#include "base/limits.h"

#include <stddef.h>

static void finish(struct nft_run *r)
{
	CHECK(r->handles == 0);
	struct err err = ERR_INIT;
	if (r->status != 0) {
		struct slice rest = slice_trim(strbuf_slice(&r->output)), text = slice_cut(&rest, '\n');
		err_set(&err, ERR_INTERNAL, "nft: %.*s", SLICE_FMT(text.len ? text : SLICE("exited with an error")));
	}
	strbuf_release(&r->script);
	strbuf_release(&r->output);
	r->done(r, &err);
}

static void handle_closed(uv_handle_t *h)
{
	struct nft_run *r = h->data;
	if (--r->handles == 0)
		finish(r);
}

static void close_handle(struct nft_run *r, uv_handle_t *h)
{
	h->data = r;
	if (!uv_is_closing(h))
		uv_close(h, handle_closed);
}

static void on_exit(uv_process_t *p, int64_t status, int signal)
{
	struct nft_run *r = p->data;
	r->status = signal ? 128 + signal : status;
	close_handle(r, (uv_handle_t *)p);
}

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf)
{
	static _Thread_local char bytes[4096];
	*buf = uv_buf_init(bytes, sizeof bytes);
}

static void on_output(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct nft_run *r = s->data;
	if (n > 0 && r->output.len < NFT_OUTPUT_BYTES_MAX)
		strbuf_add(&r->output, buf->base, (size_t)n);
	if (n < 0)
		close_handle(r, (uv_handle_t *)s);
}

static void on_written(uv_write_t *w, int status)
{
	struct nft_run *r = w->data;
	close_handle(r, (uv_handle_t *)&r->in); /* end of file: nft begins */
}

static void spawn_failed(struct nft_run *r, int rc)
{
	r->status = 127;
	strbuf_addf(&r->output, "cannot be started: %s", uv_strerror(rc));
	close_handle(r, (uv_handle_t *)&r->process);
	close_handle(r, (uv_handle_t *)&r->in);
	close_handle(r, (uv_handle_t *)&r->out);
}

void nft_run_start(struct nft_run *r, const char *nft_path)
{
	LOOP_CHECK_OWNER(r->loop);
	CHECK(r->done && !r->handles);
	uv_loop_t *uv = loop_uv(r->loop);
	char *args[] = {(char *)(nft_path ? nft_path : "nft"), r->is_check ? "-cf" : "-f", "-", NULL};
	CHECK(uv_pipe_init(uv, &r->in, 0) == 0 && uv_pipe_init(uv, &r->out, 0) == 0);
	uv_stdio_container_t stdio[] = {
	        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&r->in},
	        {.flags = UV_IGNORE},
	        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&r->out},
	};
	uv_process_options_t o = {.file = args[0], .args = args, .exit_cb = on_exit, .stdio = stdio, .stdio_count = 3};
	r->handles = 3;
	r->process.data = r->in.data = r->out.data = r->write.data = r;
	int rc = uv_spawn(uv, &r->process, &o);
	if (rc != 0) {
		spawn_failed(r, rc);
		return;
	}
	uv_buf_t buf = uv_buf_init(r->script.data, (unsigned)r->script.len);
	uv_read_start((uv_stream_t *)&r->out, on_alloc, on_output);
	uv_write(&r->write, (uv_stream_t *)&r->in, &buf, 1, on_written);
}

/* See err.h. The table is in err_codes.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

struct err_row {
	const char *name;
	const char *text;
	const char *reason;
	int http;
	int grpc;
	int exit_code;
	bool retry;
};

static const struct err_row rows[] = {
#define ERR_ROW(name, text, http, reason, grpc, exit_code, retry) {#name, text, reason, http, grpc, exit_code, retry},
        ERR_ROWS
#undef ERR_ROW
};

static const struct err_row ok_row = {"OK", "ok", "", 200, 0, 0, false};

static const struct err_row *row_of(int code)
{
	if (code == 0)
		return &ok_row;
	if (code > ERR_BASE_ && code < ERR_END_)
		return &rows[code - ERR_BASE_ - 1];
	return &rows[ERR_INTERNAL - ERR_BASE_ - 1];
}

static void mark_cut(struct err *err, int len)
{
	if (len >= ERR_MSG_MAX)
		memcpy(err->msg + ERR_MSG_MAX - 4, "...", 4);
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	if (!err)
		return code;
	va_list ap;
	va_start(ap, fmt);
	err->code = code;
	mark_cut(err, vsnprintf(err->msg, sizeof err->msg, fmt, ap));
	va_end(ap);
	return code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	if (!err)
		return ERR_INTERNAL;
	struct err inner = *err;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
	va_end(ap);
	if (n >= 0 && n < ERR_MSG_MAX)
		n += snprintf(err->msg + n, sizeof err->msg - (size_t)n, ": %s", inner.msg);
	mark_cut(err, n);
	return err->code;
}

static int code_of_errno(int e)
{
	switch (e) {
	case ENOSPC:
	case EDQUOT:
		return ERR_NO_SPACE;
	case ENOENT:
		return ERR_NOT_FOUND;
	case ENOMEM:
		return ERR_NOMEM;
	default:
		return ERR_IO;
	}
}

int err_errno(struct err *err, int errno_value, const char *fmt, ...)
{
	int e = errno_value < 0 ? -errno_value : errno_value; /* libuv's codes are negated errno values on Linux */
	int code = code_of_errno(e);
	if (!err)
		return code;
	va_list ap;
	va_start(ap, fmt);
	err->code = code;
	int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
	va_end(ap);
	if (n >= 0 && n < ERR_MSG_MAX) {
		const char *why = e > 4000 || errno_value < 0 ? uv_strerror(-e) : strerror(e);
		n += snprintf(err->msg + n, sizeof err->msg - (size_t)n, ": %s", why);
	}
	mark_cut(err, n);
	return code;
}

const char *err_name(int code)
{
	return row_of(code)->name;
}

const char *err_text(int code)
{
	return row_of(code)->text;
}

int err_http_status(int code)
{
	return row_of(code)->http;
}

const char *err_reason(int code)
{
	return row_of(code)->reason;
}

int err_grpc_status(int code)
{
	return row_of(code)->grpc;
}

int err_exit_code(int code)
{
	return row_of(code)->exit_code;
}

bool err_may_retry(int code)
{
	return row_of(code)->retry;
}

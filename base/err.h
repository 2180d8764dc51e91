/* Errors: a code, and a message that is built where the fault is and prefixed on its way out.
 *
 * A function that can fail returns 0 or a negative ERR_* and fills the struct err of its caller, which lives on the
 * caller's stack, so that failing needs no memory. Functions either return an error or log it, never both: the one who
 * can answer for it logs it. Messages name the thing and, where there is one, the mend.
 *
 *     if (fd < 0)
 *             return err_set(err, ERR_IO, "open %s: %s", path, strerror(errno));
 *     ...
 *     if (token_load(path, &token, err) != 0)
 *             return err_wrap(err, "load join token");
 */
#ifndef K3X_BASE_ERR_H
#define K3X_BASE_ERR_H

#include "base/err_codes.h"

#include <stdbool.h>

enum err_code {
	ERR_OK = 0,
	ERR_BASE_ = -1000, /* first row is -999, so that codes never meet errno values */
#define ERR_ROW(name, text, http, reason, grpc, exit_code, retry) ERR_##name,
	ERR_ROWS
#undef ERR_ROW
	        ERR_END_,
};

enum { ERR_MSG_MAX = 400 };

struct err {
	int code;              /* 0 or ERR_*; what the function returned */
	char msg[ERR_MSG_MAX]; /* always terminated; cut with "..." when too long */
};

#define ERR_INIT ((struct err){0})

/* Sets code and message and returns the code. A NULL err only returns it. Any thread. */
__attribute__((format(printf, 3, 4))) int err_set(struct err *err, int code, const char *fmt, ...);

/* Puts "context: " before the message and returns the code that is there. */
__attribute__((format(printf, 2, 3))) int err_wrap(struct err *err, const char *fmt, ...);

/* err_set() with ": strerror(errno_value)" after the message. ENOSPC and EDQUOT become ERR_NO_SPACE, ENOENT
 * ERR_NOT_FOUND, ENOMEM ERR_NOMEM, all else ERR_IO. Negative values are taken as libuv errors. */
__attribute__((format(printf, 3, 4))) int err_errno(struct err *err, int errno_value, const char *fmt, ...);

const char *err_name(int code); /* "NOT_FOUND"; "OK" for 0 */
const char *err_text(int code); /* "not found" */
int err_http_status(int code);
const char *err_reason(int code); /* Kubernetes StatusReason */
int err_grpc_status(int code);
int err_exit_code(int code);
bool err_may_retry(int code);

#endif

/* Static tokens from a file, read at the start: lines of token,user,uid and, in quotes, groups with commas between. The
 * parsed file does not change; API loop, or any one thread. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_TOKEN_FILE_H
#define K3X_API_SERVER_AUTH_IDENTITY_TOKEN_FILE_H

#include "api/server/auth/user.h"
#include "base/err.h"

struct token_file;

/* ERR_INVAL names the line: fewer than three columns, an empty one, a token that is there twice, broken quotes. */
int token_file_parse(struct slice text, struct token_file **ret, struct err *err);
int token_file_load(const char *path, struct token_file **ret, struct err *err);
void token_file_free(struct token_file *f); /* NULL is allowed */

/* A reference; NULL: no such token. */
struct user *token_file_user(const struct token_file *f, struct slice token);

#endif

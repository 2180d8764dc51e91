/* Assertions. CHECK stays in release builds: use it where data is at stake or where going on would do harm. DCHECK is
 * for what costs too much to verify in production. Never CHECK anything that a client, a peer or a file can cause. */
#ifndef K3X_BASE_CHECK_H
#define K3X_BASE_CHECK_H

/* Logs file, line and expression with the newest log lines, then aborts. */
__attribute__((noreturn, cold)) void check_failed(const char *file, int line, const char *expr);

#define CHECK(x) (__builtin_expect(!(x), 0) ? check_failed(__FILE__, __LINE__, #x) : (void)0)

#ifdef K3X_DEBUG
#define DCHECK(x) CHECK(x)
#else
#define DCHECK(x) ((void)sizeof(!(x)))
#endif

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif

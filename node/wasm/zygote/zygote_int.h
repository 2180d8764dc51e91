/* The zygote's parts see each other here. */
#ifndef K3X_NODE_WASM_ZYGOTE_ZYGOTE_INT_H
#define K3X_NODE_WASM_ZYGOTE_ZYGOTE_INT_H

#include "base/mem/list.h"
#include "base/mem/map.h"
#include "node/wasm/zygote/engine.h"
#include "node/wasm/protocol/frame.h"
#include "node/wasm/zygote/log_writer.h"
#include "node/wasm/zygote/zygote.h"

#include <stdint.h>
#include <sys/types.h>

struct zygote;
struct child;

/* Something that epoll watches. */
struct source {
	void (*ready)(struct source *s);
	struct child *child; /* whose it is; NULL: the zygote's own */
	struct zygote *z;
	int fd; /* -1: not watched */
};

enum child_kind { CHILD_CONTAINER, CHILD_COMPILER };

struct child {
	enum child_kind kind;
	char id[WASM_ID_BYTES_MAX + 1];
	char *box;
	char pid_text[16]; /* its key in `pids` */
	pid_t pid;
	bool is_adopted, is_started, has_ended; /* adopted: another zygote's, seen through a pidfd */
	int code;                               /* once it has ended */
	struct source told, process, output[2];
	struct strbuf why; /* what it told before it ran: why it does not */
	struct log_writer log;
};

struct zygote {
	struct wasm_zygote_options o;
	struct wasm_engine *engine;
	int epoll, own_network;
	struct source listener, node, signals;
	struct map children;      /* id -> struct child; a compiler by its digest */
	struct map pids;          /* pid as text -> struct child, those not adopted */
	struct map boxes;         /* id -> struct box */
	struct list_link waiting; /* packets that the socket did not take yet */
};

void zygote_watch(struct zygote *z, struct source *s, int fd, void (*ready)(struct source *s));
void zygote_unwatch(struct source *s); /* closes too */
/* To the node, if there is one. fd: -1, or one to go along, which stays the caller's. */
void zygote_tell(struct zygote *z, enum wasm_verb verb, const char *id, int64_t number, struct slice text, int fd);

/* zygote_child.c */
void child_start(struct zygote *z, const struct wasm_frame *f, const int *fds, size_t count);
void child_compile(struct zygote *z, const char *digest);
void child_signal(struct zygote *z, const char *id, int number);
void child_reopen_log(struct zygote *z, const char *id);
/* All that ended since. */
void children_reap(struct zygote *z);
/* Those of a zygote before this one. */
void children_adopt(struct zygote *z);
/* A process of the box; 0: none. */
pid_t child_in_box(struct zygote *z, const char *box);

/* zygote_root.c: a mount namespace with next to nothing in it. ERR_IO. */
#define ZYGOTE_BOX "/box"
int zygote_make_root(const struct wasm_zygote_options *o, struct err *err);

#endif

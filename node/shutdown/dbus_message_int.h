/* Messages of D-Bus: the header, and bodies of texts and numbers. Pure. */
#ifndef K3X_NODE_SHUTDOWN_DBUS_MESSAGE_INT_H
#define K3X_NODE_SHUTDOWN_DBUS_MESSAGE_INT_H

#include "base/mem/str.h"

enum dbus_type { DBUS_CALL = 1, DBUS_RETURN, DBUS_ERROR, DBUS_SIGNAL };

enum { DBUS_MESSAGE_BYTES_MAX = 1 << 20 }; /* the protocol has 128 MiB; what we hear is small */

struct dbus_message {
	int type; /* enum dbus_type, or another number */
	uint32_t serial, reply_serial, fds;
	struct slice path, interface, member, error, signature, body; /* into the bytes that were read */
	bool is_big;                                                  /* byte order of the numbers in the body */
};

/* How many bytes the message at the beginning has, all of which are there; 0: more must come; -1: it is none. In these
 * two cases *ret is not filled. */
int64_t dbus_message_read(struct slice bytes, struct dbus_message *ret);

/* The n-th value of a body, for signatures of basic types: a text (s, o, g), or a number (y, b, n, q, i, u, x, t, h).
 * One variant (v) that holds such a value is looked into. False: it is not there. */
bool dbus_message_text(const struct dbus_message *m, unsigned n, struct slice *ret);
bool dbus_message_number(const struct dbus_message *m, unsigned n, uint64_t *ret);

/* A method call appended to `out`. Of the signature's letters each `s` takes a const char *, each `i` an int32_t. */
void dbus_call_write(struct strbuf *out, uint32_t serial, const char *destination, const char *path,
        const char *interface, const char *member, const char *signature, ...);

#endif

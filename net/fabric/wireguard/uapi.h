/* WireGuard's text protocol between a program in user space and whoever sets it up (wireguard.com/xplatform): lines of
 * "name=value", an empty line at the end. Pure; any thread. */
#ifndef K3X_NET_FABRIC_WIREGUARD_UAPI_H
#define K3X_NET_FABRIC_WIREGUARD_UAPI_H

#include "net/fabric/wireguard/device.h"

#define WIREGUARD_UAPI_GET "get=1\n\n"

/* Appends a "set". It holds a private key when the request does. */
void wireguard_uapi_write(struct strbuf *out, const struct wireguard_request *r);

/* Nothing more comes: the text ends with the line of the outcome and an empty one. */
bool wireguard_uapi_is_whole(struct slice answer);

/* Of the answer to a "get"; an answer to a "set" has the outcome alone. *ret is empty before, and is to be released
 * whatever comes of it. ERR_IO: the outcome is an error of the program's, by its number; ERR_PROTOCOL: it is no such
 * answer. */
int wireguard_uapi_read(struct slice answer, struct wireguard_device *ret, struct err *err);

#endif

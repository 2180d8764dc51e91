/* The frame of the `k3x-store` commands that speak to a server. */
#ifndef K3X_TOOLS_STORE_COMMAND_INT_H
#define K3X_TOOLS_STORE_COMMAND_INT_H

#include "base/json_lib.h"
#include "base/mem/str.h"
#include "tools/store/client.h"
#include "tools/store/tool_int.h"

struct store_command {
	struct store_client_settings settings;
	struct store_client *client;
	struct flags flags;
	struct arena arena;
	const char *name;
	bool json;
	int exit_code;
};

/* Parses the command's own flags and the common ones. 0: go on; else end with store_command_end(). */
int store_command_load(struct store_command *m, const char *name, const char *summary, const struct flag *more,
        size_t n_more, int argc, char **argv);
const char *store_command_argument(struct store_command *m, size_t at); /* NULL: not given */
/* 0 when there are min to max arguments; else says `what` the command takes. */
int store_command_wants(struct store_command *m, size_t min, size_t max, const char *what);
/* Calls the first endpoint that can be reached. NULL: the error was printed and exit_code set. */
void *store_command_call(struct store_command *m, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer);
int store_command_end(struct store_command *m); /* returns exit_code */

ProtobufCBinaryData store_bytes(const char *text);
ProtobufCBinaryData store_prefix_end(struct arena *a, ProtobufCBinaryData key);
json_t *store_json_pair(const Etcdpb__KeyValue *kv); /* as etcdctl writes it: bytes in base64. Freed by the caller */
void store_print_bytes(ProtobufCBinaryData bytes);

#endif

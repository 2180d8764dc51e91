/* The members of the cluster a command speaks to, and each of them by itself. */
#ifndef K3X_TOOLS_STORE_MEMBERS_H
#define K3X_TOOLS_STORE_MEMBERS_H

#include "tools/store/command_int.h"

/* Asked of the first endpoint that can be reached; NULL: the error was printed and exit_code set. */
Etcdpb__MemberListResponse *store_members(struct store_command *m);

/* The one with this id (16 hex digits) or name; NULL: said on stderr, exit_code set. */
const Etcdpb__Member *store_member_find(
        struct store_command *m, const Etcdpb__MemberListResponse *all, const char *id_or_name);

/* Takes the client URLs of all members for --endpoints. false: the error was printed. */
bool store_members_as_endpoints(struct store_command *m);

/* Calls one endpoint, whatever the others do: the answer in the command's arena, or NULL and err. */
void *store_endpoint_call(struct store_command *m, const char *endpoint, const char *method,
        const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer, struct err *err);

#endif

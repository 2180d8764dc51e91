/* --kube-proxy-arg: kube-proxy's arguments, as far as they mean something here. */
#ifndef K3X_TOOLS_K3X_ARGUMENTS_PROXY_ARGS_H
#define K3X_TOOLS_K3X_ARGUMENTS_PROXY_ARGS_H

#include "base/flags.h"
#include "net/proxy/arguments.h"

/* Fills *ret from its defaults and the arguments given, as arguments_load() does. Texts live in the arena. Any thread.
 */
int proxy_args_load(const struct flag_list *given, struct arena *a, struct proxy_arguments *ret, struct err *err);

#endif

/* The files beside the state that move with a cluster: CAs, the key of service accounts, tokens. k3s and k3x have them
 * under the same names below --data-dir. See k3s_files.c. Functions block. */
#ifndef K3X_TOOLS_MOVING_K3S_FILES_H
#define K3X_TOOLS_MOVING_K3S_FILES_H

#include "tools/moving/k3s_table.h"

#include "base/err.h"

#include <stdbool.h>

/* Reads all of them, and writes them below `to` unless it is dry; folders are made. ERR_NOT_FOUND names one that must
 * be there. */
int k3s_files_copy(const char *from, const char *to, bool is_dry, struct k3s_table *table, struct err *err);

/* Whatever of them is below `to` already must be the same: ERR_EXISTS, else. So what was cut short may be done again,
 * and nobody's keys are written over. */
int k3s_files_check(const char *from, const char *to, struct err *err);

#endif

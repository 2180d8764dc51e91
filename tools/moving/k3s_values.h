/* A stored value as the object it is, whatever form it has in the store: sealed or plain, protobuf or JSON. See
 * k3s_values.c. One thread. */
#ifndef K3X_TOOLS_MOVING_K3S_VALUES_H
#define K3X_TOOLS_MOVING_K3S_VALUES_H

#include "api/machinery/schema/resources.h"
#include "api/server/sealing/sealer.h"
#include "base/json/json.h"
#include "store/engine.h"
#include "tools/moving/k3s_table.h"

/* Zeroed before k3s_values_open(). */
struct k3s_values {
	struct sealer *sealer; /* NULL: nothing is sealed, or nobody said how */
	struct strbuf opened, text;
	struct k3s_table *table; /* what becomes of each is counted here */
};

/* config: an EncryptionConfiguration, or NULL: `own` when that file is there. */
int k3s_values_open(
        struct k3s_values *v, const char *config, const char *own, struct k3s_table *table, struct err *err);
void k3s_values_release(struct k3s_values *v);

/* The value as it is to be stored on the other side: JSON, in the form of the row that stores it, without what is never
 * stored. *ret is valid until the next call; ptr NULL: it stays behind (counted, as is what comes along). */
int k3s_values_move(struct k3s_values *v, const struct store_kv *kv, struct slice *ret, struct err *err);

#endif

/* The coordination.k8s.io group: leases. */
#include "api/machinery/rules/groups.h"
#include "api/machinery/table/printers.h"

const struct kind_ops kinds_coordination[] = {
        {.kind = "Lease", .columns = "Name,Holder,Age", .cells = table_lease},
        {0},
};

/* An ETCDSnapshotFile as JSON, and the definition of the kind. Pure functions, all in the arena. */
#ifndef K3X_TOOLS_K3X_SNAPSHOTS_SNAPSHOT_OBJECT_H
#define K3X_TOOLS_K3X_SNAPSHOTS_SNAPSHOT_OBJECT_H

#include "base/json/json.h"
#include "tools/snapshots/list.h"

#define SNAPSHOT_OBJECTS "/apis/k3s.cattle.io/v1/etcdsnapshotfiles"
#define SNAPSHOT_DEFINITIONS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

/* Where a snapshot lies: the label of its object, a node's name or "s3". */
#define SNAPSHOT_PLACE_LABEL "etcd.k3s.cattle.io/snapshot-storage-node"
#define SNAPSHOT_PLACE_S3 "s3"

struct snapshot_place {
	const char *node; /* the server's */
	struct slice uid; /* of its Node, which then owns the objects of files; SLICE_NULL: it has none */
	const struct s3_settings *s3;
};

/* "local-NAME-a1b2c3", a DNS subdomain that is another for each location. */
const char *snapshot_object_name(struct arena *a, const struct snapshot_entry *e);
/* For a POST; the status has a request of its own. */
struct json *snapshot_object_new(struct arena *a, const struct snapshot_entry *e, const struct snapshot_place *p);
/* {"status": ...}, a merge patch. */
struct json *snapshot_object_status(struct arena *a, const struct snapshot_entry *e);
/* Is the object (an item of a list) one that this server answers for? knows_s3: those of its bucket and folder too. */
bool snapshot_object_is_ours(const struct json *object, const struct snapshot_place *p, bool knows_s3);
/* Its CustomResourceDefinition. */
struct json *snapshot_object_definition(struct arena *a);

#endif

/* What is particular to a kind: one row each, hung on the kind's row of the registry. Everything that differs between
 * kinds is a member here, so that no code asks what a resource is called.
 *
 * The rows lie in api/machinery/rules/, one file per API group. All functions work on trees alone (no server, no store,
 * no clock), on any thread; every member may be absent. */
#ifndef K3X_API_MACHINERY_SCHEMA_KIND_OPS_H
#define K3X_API_MACHINERY_SCHEMA_KIND_OPS_H

#include "api/machinery/schema/resources.h"

struct cells;
struct field_errors;
struct warnings;

/* What the server does with objects of a kind beyond what this row can say. */
enum kind_trait {
	KIND_IS_POD = 1,            /* service account, priority, tolerations; deleted after a grace period */
	KIND_IS_SERVICE = 2,        /* addresses and node ports are allocated */
	KIND_IS_NODE = 4,           /* tainted until it is ready */
	KIND_IS_NAMESPACE = 8,      /* deleted once its content is; holds others */
	KIND_IS_EVENT = 16,         /* notes that pass: nobody's dependents, no garbage */
	KIND_STATUS_AT_CREATE = 32, /* a creation may bring its status with it */
	KIND_IS_ROLE = 64,          /* nobody grants what he does not hold */
	KIND_IS_ROLE_BINDING = 128, /* nor binds anybody to it */
	KIND_IS_CLAIM = 256,        /* PersistentVolumeClaim: its size has limits */
	KIND_MAKES_PODS = 512,      /* it holds a template of pods */
	KIND_ORPHANS = 1024,        /* deleted by a client that says nothing of its dependents, it leaves them behind */
	KIND_IS_VOLUME = 8192,      /* PersistentVolume: held while it is bound */
	KIND_IS_INGRESS = 4096,     /* of a class, the default one when it names none */
	KIND_IS_CERTIFICATE_REQUEST = 2048, /* says who asked, and what nobody may ask for or approve */
	KIND_IS_PRIORITY_CLASS = 16384,     /* one is everybody's; the system's stay */
	KIND_IS_POLICY = 32768,             /* its parameters are what its writer may read */
	KIND_IS_POLICY_BINDING = 65536,     /* and so are these */
};

struct kind_ops {
	const char *kind;
	unsigned traits; /* enum kind_trait bits */
	/* Fills in what is absent; a second time it changes nothing. Called for every write, before prepare_update and
	 * after prepare_create. */
	void (*defaults)(struct arena *a, struct json *object);
	/* Adds what is wrong; `old` NULL: a creation. */
	void (*validate)(struct field_errors *e, const struct json *object, const struct json *old);
	/* The same of what a write of a subresource that is a part of the object (status, approval) brings. */
	void (*validate_part)(struct field_errors *e, const struct json *object, const struct json *old);
	/* The same of an approval, where that is held to other rules; absent: validate_part. */
	void (*validate_approval)(struct field_errors *e, const struct json *object, const struct json *old);
	/* Tells what is worth a warning of an object that is valid; `old` NULL: a creation. Its subresources bring
	 * none. */
	void (*warn)(struct warnings *w, const struct json *object, const struct json *old);
	/* What everybody is told who asks for this kind: it is going away. */
	const char *deprecation;
	/* NULL when the name is fine, else what is wrong with it. Absent: a DNS subdomain. */
	const char *(*check_name)(struct slice name);
	/* What the server owns in a new object (metadata is done, status is empty). */
	void (*prepare_create)(struct arena *a, struct json *object);
	/* What it owns in a changed one; sub: "" or the subresource that is written. */
	void (*prepare_update)(struct arena *a, struct json *object, const struct json *old, const char *sub);
	/* For kinds of which two rows share a storage: into the form of the other one, in place (apiVersion is set by
	 * who calls). ERR_UNIMPLEMENTED where that form cannot say it. */
	int (*convert)(struct arena *a, struct json *object, const struct resource *to, struct err *err);
	/* Fields that an update may not change, dotted, commas between: "spec.selector,spec.completionMode". */
	const char *immutable;
	/* Members of metadata that a write of the status may not change, commas between. What the server owns (uid,
	 * name, times, generation) is never theirs. */
	const char *status_keeps;
	/* A finalizer that every deletion adds: what hangs on the object goes before it does. */
	const char *cleanup;
	/* Columns of `kubectl get`: "Name", "Name:type" or "Name:type:priority" with commas between; and what appends
	 * the cells (api/machinery/table/cells.h). Absent: name and age. */
	const char *columns;
	void (*cells)(struct cells *c);
};

/* As upstream's ResetObjectMetaForStatus: for kinds whose status is nobody's but a controller's. */
#define STATUS_KEEPS_ALL "labels,annotations,finalizers,ownerReferences"

/* Never NULL: kinds without a row have an empty one, custom resources one of their own. */
const struct kind_ops *resource_ops(const struct resource *r);
bool resource_has(const struct resource *r, unsigned traits); /* any of these */

#endif

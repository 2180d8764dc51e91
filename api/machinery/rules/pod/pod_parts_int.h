/* The parts of what is demanded of a pod, for one another; what the groups call is in pod.h. `field` and `base` are
 * where what is checked stands: "spec.containers[0]", "spec". */
#ifndef K3X_API_MACHINERY_RULES_POD_POD_PARTS_INT_H
#define K3X_API_MACHINERY_RULES_POD_POD_PARTS_INT_H

#include "api/machinery/rules/checks.h"

/* The member of a list of containers, or of their statuses, that has the name; NULL: none. */
const struct json *pod_named(const struct json *list, struct slice name);

/* What a container may mount. */
struct pod_volumes {
	struct name_set names;
	struct name_set claims; /* those of them that are claims, and may be block devices */
};
#define POD_VOLUMES_INIT ((struct pod_volumes){{MAP_INIT}, {MAP_INIT}})

void pod_volumes_add(struct pod_volumes *v, const struct json *volumes);
void pod_volumes_release(struct pod_volumes *v);

void validate_volumes(struct field_errors *e, const char *base, const struct json *volumes);
/* Mounts and block devices. */
void validate_mounts(
        struct field_errors *e, const char *field, const struct json *container, const struct pod_volumes *volumes);

/* What holds for containers of all kinds. */
void validate_container(
        struct field_errors *e, const char *field, const struct json *container, const struct pod_volumes *volumes);
void validate_env(struct field_errors *e, const char *field, const struct json *container);
void validate_probes(struct field_errors *e, const char *field, const struct json *container);
/* Hooks and the restart policy of a container: an init container has those only when it stays. */
void validate_container_life(
        struct field_errors *e, const char *field, const struct json *container, bool is_init, int64_t grace_s);
void validate_resize_policy(struct field_errors *e, const char *field, const struct json *container, bool is_init,
        struct slice restart_policy);
/* Limits alone. */
void validate_overhead(struct field_errors *e, const char *base, const struct json *spec);

/* Security contexts, and what of the host's a pod shares. */
void validate_container_context(struct field_errors *e, const char *field, const struct json *container);
void validate_pod_context(struct field_errors *e, const char *base, const struct json *spec);
/* The system it is for, and that nothing is said which that one does not have. */
void validate_pod_os(struct field_errors *e, const char *base, const struct json *spec);
/* Affinity, tolerations, spread, gates and preemption. */
void validate_pod_scheduling(struct field_errors *e, const char *base, const struct json *spec);
/* The names by which it is known or knows others: hosts, resolvers, aliases. */
void validate_pod_names(struct field_errors *e, const char *base, const struct json *spec);

/* Annotations that the server reads, or that fields have taken the place of: what a new pod's say and its fields do not
 * the other gets to say, too; what each may say (`field`: where they stand); that they say what the fields say; which
 * of them stay. */
void pod_annotations_sync(struct arena *a, struct json *object);
void validate_pod_annotations(
        struct field_errors *e, const char *field, const struct json *annotations, const struct json *spec);
void validate_pod_annotations_match(struct field_errors *e, const struct json *object);
void validate_pod_annotations_stay(struct field_errors *e, const struct json *object, const struct json *old);

/* All of the spec but a few members stays. */
void validate_pod_update(struct field_errors *e, const struct json *object, const struct json *old);
/* What a status may say beside what it said. */
void validate_pod_status(struct field_errors *e, const struct json *object, const struct json *old);

#endif

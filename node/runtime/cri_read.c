/* See cri_read_int.h. Strings of a message are never NULL (proto3), messages within it may be. */
#include "node/runtime/cri_read_int.h"

#include "base/json/json.h"

#include <stdlib.h>

_Static_assert((int)CONTAINER_CREATED == (int)RUNTIME__V1__CONTAINER_STATE__CONTAINER_CREATED &&
                       (int)CONTAINER_RUNNING == (int)RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING &&
                       (int)CONTAINER_EXITED == (int)RUNTIME__V1__CONTAINER_STATE__CONTAINER_EXITED &&
                       (int)CONTAINER_UNKNOWN == (int)RUNTIME__V1__CONTAINER_STATE__CONTAINER_UNKNOWN,
        "the states of containers are the CRI's");

static const char *pair_get(CRI(Pair) *const *pairs, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(pairs[i]->key, key) == 0)
			return pairs[i]->value;
	return "";
}

bool cri_sandbox_owner(const CRI(PodSandbox) * item, struct cri_owner *ret)
{
	if (!item->metadata || !*item->metadata->uid)
		return false;
	*ret = (struct cri_owner){item->metadata->uid, item->metadata->namespace_, item->metadata->name};
	return true;
}

bool cri_sandbox_is_beside(const CRI(PodSandbox) * item)
{
	return *pair_get(item->annotations, item->n_annotations, CRI_BESIDE_ANNOTATION);
}

bool cri_container_owner(const CRI(Container) * item, struct cri_owner *ret)
{
	*ret = (struct cri_owner){pair_get(item->labels, item->n_labels, "io.kubernetes.pod.uid"),
	        pair_get(item->labels, item->n_labels, "io.kubernetes.pod.namespace"),
	        pair_get(item->labels, item->n_labels, "io.kubernetes.pod.name")};
	return *ret->uid;
}

const char *cri_container_name(const CRI(Container) * item)
{
	return pair_get(item->labels, item->n_labels, "io.kubernetes.container.name");
}

unsigned cri_container_attempt(const CRI(Container) * item)
{
	return item->metadata ? item->metadata->attempt : 0;
}

const char *cri_container_hash(const CRI(Container) * item)
{
	return pair_get(item->annotations, item->n_annotations, "io.kubernetes.container.hash");
}

const char *cri_sandbox_ip(const CRI(PodSandboxStatusResponse) * answer)
{
	if (!answer || !answer->status)
		return NULL;
	return answer->status->network ? answer->status->network->ip : "";
}

const char *cri_sandbox_other_ip(const CRI(PodSandboxStatusResponse) * answer)
{
	const CRI(PodSandboxNetworkStatus) *n = answer && answer->status ? answer->status->network : NULL;
	return n && n->n_additional_ips ? n->additional_ips[0]->ip : "";
}

enum container_state cri_container_state(int state)
{
	return state >= CONTAINER_CREATED && state <= CONTAINER_UNKNOWN ? (enum container_state)state
	                                                                : CONTAINER_UNKNOWN;
}

/* ---- images ---- */

static int by_size(const void *a, const void *b)
{
	const CRI(Image) *x = *(CRI(Image) *const *)a, *y = *(CRI(Image) *const *)b;
	return x->size < y->size ? 1 : x->size > y->size ? -1 : strcmp(x->id, y->id);
}

static void add_names(struct strbuf *out, char *const *names, size_t n, bool *first)
{
	for (size_t i = 0; i < n; i++) {
		strbuf_adds(out, *first ? "" : ",");
		*first = false;
		json_write_str(out, slice_of(names[i]));
	}
}

void cri_images_json(const CRI(ListImagesResponse) * list, unsigned max, struct strbuf *out)
{
	unsigned shown = 0;
	if (list->n_images)
		qsort(list->images, list->n_images, sizeof *list->images, by_size);
	strbuf_addc(out, '[');
	for (size_t i = 0; i < list->n_images && shown < max; i++) {
		const CRI(Image) *image = list->images[i];
		bool first = true;
		if (!image->n_repo_tags && !image->n_repo_digests)
			continue;
		strbuf_addf(out, "%s{\"names\":[", shown++ ? "," : "");
		add_names(out, image->repo_digests, image->n_repo_digests, &first);
		add_names(out, image->repo_tags, image->n_repo_tags, &first);
		strbuf_addf(out, "],\"sizeBytes\":%llu}", (unsigned long long)image->size);
	}
	strbuf_addc(out, ']');
}

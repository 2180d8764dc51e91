/* The binder's plans, played in a world of memory: claims and volumes as texts, writes that replace them, events kept.
 */
#include "tests/unit/unit.h"

#include "api/controllers/binder_plan.h"
#include "base/check.h"
#include "base/json/scan.h"

#include <stdio.h>

enum { OBJECTS_MAX = 8 };

struct world {
	struct arena arena;
	const char *claims[OBJECTS_MAX], *volumes[OBJECTS_MAX], *classes[OBJECTS_MAX];
	const char *default_class, *pods;
	size_t n_pods;
	int writes;
	struct strbuf events;
};

static struct slice find(const char *const *list, struct slice ns, struct slice name)
{
	for (int i = 0; i < OBJECTS_MAX; i++)
		if (list[i] && slice_eq(json_find(slice_of(list[i]), "metadata", "name", NULL), name) &&
		        slice_eq(json_find(slice_of(list[i]), "metadata", "namespace", NULL), ns))
			return slice_of(list[i]);
	return SLICE_NULL;
}

static struct slice claim_text(void *arg, struct slice ns, struct slice name)
{
	return find(((struct world *)arg)->claims, ns, name);
}

static struct slice volume_text(void *arg, struct slice name)
{
	return find(((struct world *)arg)->volumes, SLICE_NULL, name);
}

static struct slice class_text(void *arg, struct slice name)
{
	return find(((struct world *)arg)->classes, SLICE_NULL, name);
}

static struct slice default_class(void *arg)
{
	struct world *w = arg;
	return w->default_class ? slice_of(w->default_class) : SLICE_NULL;
}

static void offer(void *arg, struct volume_search *s)
{
	struct world *w = arg;
	for (int i = 0; i < OBJECTS_MAX; i++) {
		struct volume_view v;
		if (!w->volumes[i])
			continue;
		volume_view_read(slice_of(w->volumes[i]), &v);
		volume_search_offer(s, &v);
	}
}

static const char *waiting_pods(void *arg, struct arena *a, const struct claim_view *c, size_t *count)
{
	struct world *w = arg;
	*count = w->n_pods;
	return w->pods;
}

static const struct binder_world functions = {.claim = claim_text,
        .volume = volume_text,
        .storage_class = class_text,
        .default_class = default_class,
        .offer = offer,
        .waiting_pods = waiting_pods};

static void replace(struct world *w, const char **list, const struct json *object)
{
	struct json *meta = json_get(object, "metadata");
	struct slice text = find(list, json_get_str(meta, "namespace"), json_get_str(meta, "name"));
	struct strbuf out = STRBUF_INIT;
	json_write(&out, object);
	for (int i = 0; i < OBJECTS_MAX; i++)
		if (list[i] == text.ptr)
			list[i] = arena_strdup(&w->arena, strbuf_cstr(&out));
	strbuf_release(&out);
	w->writes++;
}

/* True when it wrote. */
static bool perform(struct world *w, const struct binder_step *s)
{
	bool is_claim = s->kind == BINDER_CLAIM || s->kind == BINDER_CLAIM_STATUS;
	bool is_volume = s->kind == BINDER_VOLUME || s->kind == BINDER_VOLUME_STATUS;
	for (size_t i = 0; i < s->n_events; i++)
		strbuf_addf(&w->events, "%s %s %s\n", s->events[i].is_warning ? "Warning" : "Normal",
		        s->events[i].reason, s->events[i].message);
	if (is_claim || is_volume)
		replace(w, is_claim ? w->claims : w->volumes, s->object);
	return is_claim || is_volume;
}

static bool look_at_claim(struct world *w, int i)
{
	struct binder_world world = functions;
	struct claim_view c;
	world.arg = w;
	claim_view_read(slice_of(w->claims[i]), &c);
	struct binder_step s = binder_plan_claim(&world, &w->arena, &c, "2026-01-01T00:00:00Z");
	return perform(w, &s);
}

static bool look_at_volume(struct world *w, int i)
{
	struct binder_world world = functions;
	struct volume_view v;
	world.arg = w;
	volume_view_read(slice_of(w->volumes[i]), &v);
	struct binder_step s = binder_plan_volume(&world, &w->arena, &v, false, "2026-01-01T00:00:00Z");
	if (s.kind == BINDER_ASK_CLAIM)
		s = binder_plan_volume(&world, &w->arena, &v, true, "2026-01-01T00:00:00Z");
	return perform(w, &s);
}

/* At most `writes` more writes. */
static void settle(struct world *w, int writes, bool volumes_first)
{
	bool wrote = true;
	for (int limit = w->writes + writes; wrote && w->writes < limit;) {
		wrote = false;
		for (int i = 0; i < 2 * OBJECTS_MAX && w->writes < limit; i++) {
			bool is_volume = (i < OBJECTS_MAX) == volumes_first;
			int k = i % OBJECTS_MAX;
			if (is_volume ? w->volumes[k] && look_at_volume(w, k) : w->claims[k] && look_at_claim(w, k))
				wrote = true;
		}
	}
}

static const char *claim(struct world *w, const char *name, const char *spec, const char *size)
{
	return arena_printf(&w->arena,
	        "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"d\",\"uid\":\"uid-%s\",\"resourceVersion\":\"1\"},"
	        "\"spec\":"
	        "{\"accessModes\":[\"ReadWriteOnce\"],\"volumeMode\":\"Filesystem\",\"resources\":{\"requests\":{"
	        "\"storage\":\"%s\"}}%s},\"status\":{\"phase\":\"Pending\"}}",
	        name, name, size, spec);
}

static const char *volume(struct world *w, const char *name, const char *spec, const char *size)
{
	return arena_printf(&w->arena,
	        "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"name\":\"%s\"}},\"spec\":{\"accessModes\":["
	        "\"ReadWriteOnce\"],\"volumeMode\":\"Filesystem\",\"capacity\":{\"storage\":\"%s\"},"
	        "\"persistentVolumeReclaimPolicy\":\"Retain\",\"hostPath\":{\"path\":\"/x\"}%s},\"status\":{\"phase\":"
	        "\"Pending\"}}",
	        name, name, size, spec);
}

static const char *class(struct world *w, const char *name, const char *provisioner, const char *mode)
{
	return arena_printf(&w->arena,
	        "{\"metadata\":{\"name\":\"%s\"},\"provisioner\":\"%s\",\"volumeBindingMode\":\"%s\"}", name,
	        provisioner, mode);
}

static void is(const char *object, const char *a, const char *b, const char *value)
{
	struct slice got = b ? json_find(slice_of(object), a, b, NULL) : json_find(slice_of(object), a, NULL);
	if (!slice_is(got, value))
		fail_msg("%s.%s is \"%.*s\", not \"%s\"", a, b, SLICE_FMT(got), value);
}

static bool marked(const char *object, const char *annotation)
{
	return json_find(slice_of(object), "metadata", "annotations", annotation, NULL).ptr != NULL;
}

static void told(struct world *w, const char *event)
{
	if (!strstr(strbuf_cstr(&w->events), event))
		fail_msg("no \"%s\" in:\n%s", event, strbuf_cstr(&w->events));
}

static void end(struct world *w)
{
	arena_release(&w->arena);
	strbuf_release(&w->events);
}

static void the_smallest_volume_that_fits_is_bound(void **state)
{
	struct world w = {0};
	w.claims[0] = claim(&w, "c", "", "5Gi");
	w.volumes[0] = volume(&w, "small", "", "4Gi");
	w.volumes[1] = volume(&w, "large", "", "20Gi");
	w.volumes[2] = volume(&w, "fits", "", "6Gi");
	w.volumes[3] = volume(&w, "classy", ",\"storageClassName\":\"x\"", "5Gi");
	settle(&w, 100, true);
	is(w.claims[0], "spec", "volumeName", "fits");
	is(w.claims[0], "status", "phase", "Bound");
	is(w.volumes[2], "status", "phase", "Bound");
	is(w.volumes[0], "status", "phase", "Available");
	assert_true(slice_is(json_find(slice_of(w.claims[0]), "status", "capacity", "storage", NULL), "6Gi"));
	assert_true(slice_is(json_find(slice_of(w.volumes[2]), "spec", "claimRef", "uid", NULL), "uid-c"));
	assert_true(marked(w.claims[0], VOLUME_BIND_COMPLETED) && marked(w.claims[0], VOLUME_BOUND_BY_CONTROLLER));
	assert_true(marked(w.volumes[2], VOLUME_BOUND_BY_CONTROLLER));
	end(&w);
}

/* Whoever stops between two writes, and whatever is looked at first after: the end is the same. */
static void a_restart_at_any_write_ends_in_the_same_place(void **state)
{
	for (int stop = 0; stop < 14; stop++)
		for (int order = 0; order < 4; order++) {
			struct world w = {0};
			w.claims[0] = claim(&w, "a", "", "1Gi");
			w.claims[1] = claim(&w, "b", "", "1Gi");
			w.volumes[0] = volume(&w, "v", "", "1Gi");
			w.volumes[1] = volume(&w, "u", "", "2Gi");
			settle(&w, stop, order & 1);
			settle(&w, 100, order & 2);
			is(w.claims[0], "status", "phase", "Bound");
			is(w.claims[1], "status", "phase", "Bound");
			is(w.volumes[0], "status", "phase", "Bound");
			is(w.volumes[1], "status", "phase", "Bound");
			struct slice first = json_find(slice_of(w.claims[0]), "spec", "volumeName", NULL);
			assert_false(slice_eq(first, json_find(slice_of(w.claims[1]), "spec", "volumeName", NULL)));
			assert_int_equal(w.writes, 10); /* two availabilities and four for each, none twice */
			end(&w);
		}
}

static void selectors_modes_and_access_are_heeded(void **state)
{
	struct world w = {0};
	w.claims[0] = claim(&w, "s", ",\"selector\":{\"matchLabels\":{\"name\":\"wanted\"}}", "1Gi");
	w.volumes[0] = volume(&w, "other", "", "1Gi");
	w.volumes[1] = volume(&w, "wanted", "", "9Gi");
	w.volumes[2] = volume(&w, "block", "", "1Gi");
	settle(&w, 100, true);
	is(w.claims[0], "spec", "volumeName", "wanted");
	w.claims[1] = arena_strdup(&w.arena,
	        "{\"metadata\":{\"name\":\"m\",\"namespace\":\"d\",\"uid\":\"u\"},\"spec\":{\"accessModes\":["
	        "\"ReadWriteMany\"],\"resources\":{\"requests\":{\"storage\":\"1\"}}},\"status\":{\"phase\":"
	        "\"Pending\"}}");
	settle(&w, 100, false);
	is(w.claims[1], "status", "phase", "Pending");
	told(&w, "Normal FailedBinding no persistent volumes available for this claim and no storage class is set");
	end(&w);
}

static void a_reserved_volume_goes_to_its_claim_only(void **state)
{
	struct world w = {0};
	w.claims[0] = claim(&w, "eager", "", "1Gi");
	w.volumes[0] = volume(&w, "v", ",\"claimRef\":{\"namespace\":\"d\",\"name\":\"late\"}", "1Gi");
	settle(&w, 100, true);
	is(w.claims[0], "status", "phase", "Pending");
	is(w.volumes[0], "status", "phase", "Available");
	w.claims[1] = claim(&w, "late", ",\"storageClassName\":\"\"", "1Gi");
	settle(&w, 100, true);
	is(w.claims[1], "spec", "volumeName", "v");
	is(w.claims[1], "status", "phase", "Bound");
	assert_false(marked(w.volumes[0], VOLUME_BOUND_BY_CONTROLLER)); /* by its user */
	end(&w);
}

static void a_claim_that_names_its_volume_gets_it_or_is_told_why(void **state)
{
	struct world w = {0};
	w.claims[0] = claim(&w, "c", ",\"volumeName\":\"v\"", "5Gi");
	settle(&w, 100, true);
	is(w.claims[0], "status", "phase", "Pending"); /* it is not there yet */
	w.volumes[0] = volume(&w, "v", "", "1Gi");
	settle(&w, 100, true);
	told(&w, "Warning VolumeMismatch Cannot bind to requested volume \"v\": requested PV is too small");
	w.volumes[0] = volume(&w, "v", "", "5Gi");
	settle(&w, 100, true);
	is(w.claims[0], "status", "phase", "Bound");
	assert_false(marked(w.claims[0], VOLUME_BOUND_BY_CONTROLLER));
	w.claims[1] = claim(&w, "second", ",\"volumeName\":\"v\"", "5Gi");
	settle(&w, 100, true);
	is(w.claims[1], "status", "phase", "Pending");
	told(&w, "Warning FailedBinding volume \"v\" already bound to a different claim.");
	end(&w);
}

static void a_claim_without_its_volume_is_lost(void **state)
{
	struct world w = {0};
	w.claims[0] = claim(&w, "c", "", "1Gi");
	w.volumes[0] = volume(&w, "v", "", "1Gi");
	settle(&w, 100, true);
	w.volumes[0] = NULL;
	settle(&w, 100, true);
	is(w.claims[0], "status", "phase", "Lost");
	told(&w, "Warning ClaimLost Bound claim has lost its PersistentVolume. Data on the volume is lost!");
	assert_null(json_find(slice_of(w.claims[0]), "status", "capacity", NULL).ptr);
	w.volumes[0] = volume(&w, "v", ",\"claimRef\":{\"namespace\":\"d\",\"name\":\"c\",\"uid\":\"another\"}", "1Gi");
	w.claims[0] = claim(&w, "c", ",\"volumeName\":\"v\"", "1Gi");
	struct json *bound = json_parse(&w.arena, slice_of(w.claims[0]), NULL, NULL);
	json_set_cstr(&w.arena, json_need(&w.arena, json_get(bound, "metadata"), "annotations", JSON_OBJECT),
	        VOLUME_BIND_COMPLETED, "yes");
	replace(&w, w.claims, bound);
	look_at_claim(&w, 0);
	is(w.claims[0], "status", "phase", "Lost");
	told(&w, "Warning ClaimMisbound Two claims are bound to the same volume, this one is bound incorrectly");
	end(&w);
}

static void a_volume_whose_claim_is_gone_is_released_and_kept(void **state)
{
	static const struct {
		const char *more, *phase, *event;
	} rows[] = {{"", "Released", NULL},
	        {",\"persistentVolumeReclaimPolicy\":\"Recycle\"", "Failed",
	                "Warning VolumeFailedRecycle No recycler plugin found for the volume!"},
	        {",\"persistentVolumeReclaimPolicy\":\"Delete\"", "Failed",
	                "Warning VolumeFailedDelete host_path deleter only supports /tmp/.+ but received provided /x"}};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct world w = {0};
		char text[1024];
		w.claims[0] = claim(&w, "c", "", "1Gi");
		w.volumes[0] = volume(&w, "v", "", "1Gi");
		settle(&w, 100, true);
		w.claims[0] = claim(&w, "c", "", "9Gi"); /* another of its name */
		snprintf(text, sizeof text, "%s", w.volumes[0]);
		if (*rows[i].more) {
			char *at = strstr(text, ",\"persistentVolumeReclaimPolicy\":\"Retain\"");
			snprintf(text, sizeof text, "%.*s%s%s", (int)(at - text), w.volumes[0], rows[i].more,
			        w.volumes[0] + (at - text) + strlen(",\"persistentVolumeReclaimPolicy\":\"Retain\""));
		}
		w.claims[0] = NULL;
		w.volumes[0] = arena_strdup(&w.arena, text);
		settle(&w, 100, true);
		is(w.volumes[0], "status", "phase", rows[i].phase);
		if (rows[i].event)
			told(&w, rows[i].event);
		w.claims[0] = claim(&w, "new", "", "1Gi"); /* never given to another */
		settle(&w, 100, false);
		is(w.claims[0], "status", "phase", "Pending");
		end(&w);
	}
}

static void a_class_waits_for_its_first_consumer(void **state)
{
	struct world w = {0};
	w.classes[0] = class(&w, "lazy", "x.io/p", "WaitForFirstConsumer");
	w.claims[0] = claim(&w, "c", ",\"storageClassName\":\"lazy\"", "1Gi");
	w.volumes[0] = volume(&w, "v", ",\"storageClassName\":\"lazy\"", "1Gi");
	settle(&w, 100, true);
	is(w.claims[0], "status", "phase", "Pending"); /* the scheduler's to choose */
	told(&w, "Normal WaitForFirstConsumer waiting for first consumer to be created before binding");
	w.pods = "one,two";
	w.n_pods = 2;
	settle(&w, 100, true);
	told(&w, "Normal WaitForPodScheduled waiting for pods one,two to be scheduled");
	struct json *chosen = json_parse(&w.arena, slice_of(w.claims[0]), NULL, NULL);
	json_set_cstr(&w.arena, json_need(&w.arena, json_get(chosen, "metadata"), "annotations", JSON_OBJECT),
	        VOLUME_SELECTED_NODE, "n1");
	replace(&w, w.claims, chosen);
	settle(&w, 100, true);
	told(&w, "Normal ExternalProvisioning Waiting for a volume to be created either by the external provisioner "
	         "'x.io/p' or manually by the system administrator.");
	assert_true(marked(w.claims[0], VOLUME_STORAGE_PROVISIONER));
	w.volumes[1] = volume(&w, "made",
	        ",\"storageClassName\":\"lazy\",\"claimRef\":{\"namespace\":\"d\",\"name\":\"c\",\"uid\":\"uid-c\"}",
	        "1Gi");
	settle(&w, 100, true);
	is(w.claims[0], "spec", "volumeName", "made");
	is(w.claims[0], "status", "phase", "Bound");
	end(&w);
}

static void classes_are_checked_and_given_later(void **state)
{
	struct world w = {0};
	w.claims[0] = claim(&w, "c", ",\"storageClassName\":\"none\"", "1Gi");
	settle(&w, 100, true);
	told(&w, "Warning ProvisioningFailed storageclass.storage.k8s.io \"none\" not found");
	w.classes[0] = class(&w, "none", "kubernetes.io/no-provisioner", "Immediate");
	settle(&w, 100, true);
	told(&w, "Warning ProvisioningFailed no volume plugin matched name: kubernetes.io/no-provisioner");
	w.claims[1] = claim(&w, "classless", "", "1Gi");
	w.claims[2] = claim(&w, "emptyclass", ",\"storageClassName\":\"\"", "1Gi");
	settle(&w, 100, true);
	w.classes[1] = class(&w, "std", "x.io/p", "Immediate");
	w.default_class = "std";
	settle(&w, 100, true);
	is(w.claims[1], "spec", "storageClassName", "std");
	is(w.claims[2], "spec", "storageClassName", "");
	end(&w);
}

static void modes_that_do_not_go_together_are_told_to_both(void **state)
{
	struct world w = {0};
	w.claims[0] = claim(&w, "c", "", "1Gi");
	w.volumes[0] = volume(&w, "v",
	        ",\"volumeMode\":\"Block\",\"claimRef\":{\"namespace\":\"d\",\"name\":\"c\",\"uid\":\"uid-c\"}", "1Gi");
	char *mode = strstr(w.volumes[0], "\"volumeMode\":\"Filesystem\",");
	memset(mode, ' ', strlen("\"volumeMode\":\"Filesystem\","));
	settle(&w, 100, true);
	told(&w, "Warning VolumeMismatch Cannot bind PersistentVolume to requested PersistentVolumeClaim \"c\" due to "
	         "incompatible volumeMode.");
	told(&w, "Warning VolumeMismatch Cannot bind PersistentVolume \"v\" to requested PersistentVolumeClaim due to "
	         "incompatible volumeMode.");
	end(&w);
}

static void a_volume_whose_claim_is_bound_elsewhere_is_free_again(void **state)
{
	struct world w = {0};
	w.claims[0] = claim(&w, "c", "", "1Gi");
	w.volumes[0] = volume(&w, "v", "", "1Gi");
	settle(&w, 100, true);
	w.volumes[1] =
	        volume(&w, "user", ",\"claimRef\":{\"namespace\":\"d\",\"name\":\"c\",\"uid\":\"uid-c\"}", "1Gi");
	settle(&w, 100, true);
	is(w.volumes[1], "status", "phase", "Available");
	assert_null(json_find(slice_of(w.volumes[1]), "spec", "claimRef", "uid", NULL).ptr);
	assert_true(slice_is(
	        json_find(slice_of(w.volumes[1]), "spec", "claimRef", "name", NULL), "c")); /* reserved still */
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_smallest_volume_that_fits_is_bound),
	        cmocka_unit_test(a_restart_at_any_write_ends_in_the_same_place),
	        cmocka_unit_test(selectors_modes_and_access_are_heeded),
	        cmocka_unit_test(a_reserved_volume_goes_to_its_claim_only),
	        cmocka_unit_test(a_claim_that_names_its_volume_gets_it_or_is_told_why),
	        cmocka_unit_test(a_claim_without_its_volume_is_lost),
	        cmocka_unit_test(a_volume_whose_claim_is_gone_is_released_and_kept),
	        cmocka_unit_test(a_class_waits_for_its_first_consumer),
	        cmocka_unit_test(classes_are_checked_and_given_later),
	        cmocka_unit_test(modes_that_do_not_go_together_are_told_to_both),
	        cmocka_unit_test(a_volume_whose_claim_is_bound_elsewhere_is_free_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

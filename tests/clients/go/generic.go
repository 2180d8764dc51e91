// Clients that know no types: dynamic, metadata, discovery; and what is built on leases and events.
package main

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
)

const group = "library.example.com"

type object = map[string]any

func shelfDefinition() *unstructured.Unstructured {
	integer := object{"type": "integer", "minimum": int64(0)}
	part := object{"type": "object", "properties": object{"books": integer}}
	return &unstructured.Unstructured{Object: object{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": object{"name": "shelves." + group},
		"spec": object{"group": group, "scope": "Namespaced", "names": object{"plural": "shelves", "kind": "Shelf", "shortNames": []any{"sh"}},
			"versions": []any{object{"name": "v1", "served": true, "storage": true,
				"subresources": object{"status": object{}, "scale": object{"specReplicasPath": ".spec.books", "statusReplicasPath": ".status.books"}},
				"schema":       object{"openAPIV3Schema": object{"type": "object", "properties": object{"spec": part, "status": part}}}}}}}}
}

func shelf(name string, books int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: object{"apiVersion": group + "/v1", "kind": "Shelf",
		"metadata": object{"name": name}, "spec": object{"books": books}}}
}

func dynamically(ctx context.Context, w *world) {
	definitions := w.dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	must(definitions.Apply(ctx, "shelves."+group, shelfDefinition(), metav1.ApplyOptions{FieldManager: "go"}))
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(w.discover))
	var mapping *meta.RESTMapping
	until("the kind is mapped", func() (is bool) {
		var err error
		mapping, err = mapper.RESTMapping(schema.GroupKind{Group: group, Kind: "Shelf"}, "v1")
		if err != nil {
			mapper.Reset()
		}
		return err == nil
	})
	eq("resource", mapping.Resource, group+"/v1, Resource=shelves")
	c := w.dynamic.Resource(mapping.Resource).Namespace(w.ns)
	until("it is served", func() bool { _, err := c.List(ctx, metav1.ListOptions{}); return err == nil })
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(w.dynamic, 0, w.ns, nil)
	informer := factory.ForResource(mapping.Resource).Informer()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	factory.Start(ctx.Done())
	for i := range 10 {
		must(c.Create(ctx, shelf(fmt.Sprintf("s%d", i), int64(i)), metav1.CreateOptions{}))
	}
	got := must(c.Apply(ctx, "s3", shelf("s3", 30), metav1.ApplyOptions{FieldManager: "go", Force: true}))
	got.Object["status"] = object{"books": int64(7)}
	must(c.UpdateStatus(ctx, got, metav1.UpdateOptions{}))
	must(c.Patch(ctx, "s4", types.JSONPatchType, []byte(`[{"op":"replace","path":"/spec/books","value":44}]`), metav1.PatchOptions{}))
	check(c.Delete(ctx, "s5", metav1.DeleteOptions{}))
	want := listed(c.List(ctx, metav1.ListOptions{}))
	until("the informer equals a list", func() bool { return fmt.Sprint(stored(informer)) == fmt.Sprint(want) })
	scales := must(scale.NewForConfig(w.config, mapper, dynamic.LegacyAPIPathResolverFunc, scale.NewDiscoveryScaleKindResolver(w.discover)))
	one := must(scales.Scales(w.ns).Get(ctx, mapping.Resource.GroupResource(), "s3", metav1.GetOptions{}))
	eq("scale", []int32{one.Spec.Replicas, one.Status.Replicas}, "[30 7]")
	one.Spec.Replicas = 31
	eq("scaled", must(scales.Scales(w.ns).Update(ctx, mapping.Resource.GroupResource(), one, metav1.UpdateOptions{})).Spec.Replicas, 31)
	check(definitions.Delete(ctx, "shelves."+group, metav1.DeleteOptions{}))
	until("the definition is gone", func() bool { _, err := definitions.Get(ctx, "shelves."+group, metav1.GetOptions{}); return err != nil })
}

func discovered(ctx context.Context, w *world) {
	eq("minor", must(w.discover.ServerVersion()).Minor, "32")
	groups, lists, err := w.discover.ServerGroupsAndResources()
	check(err)
	eq("groups, lists", len(groups) > 15 && len(lists) >= len(groups), true)
	eq("preferred", len(must(w.discover.ServerPreferredNamespacedResources())) > 5, true)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(w.discover))
	eq("short for", must(restmapper.NewShortcutExpander(mapper, w.discover, nil).ResourceFor(schema.GroupVersionResource{Resource: "deploy"})), "apps/v1, Resource=deployments")
	kind := must(mapper.KindFor(schema.GroupVersionResource{Resource: "nodes"}))
	eq("scope", must(mapper.RESTMapping(kind.GroupKind())).Scope.Name(), meta.RESTScopeNameRoot)
	paths := must(w.discover.OpenAPIV3().Paths())
	eq("OpenAPI", len(must(paths["apis/apps/v1"].Schema("application/com.github.proto-openapi.spec.v3@v1.0+protobuf"))) > 1000, true)
	eq("definitions", len(must(w.discover.OpenAPISchema()).Definitions.AdditionalProperties) > 300, true)
}

func partial(ctx context.Context, w *world) {
	maps := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	c := w.metadata.Resource(maps).Namespace(w.ns)
	factory := metadatainformer.NewFilteredSharedInformerFactory(w.metadata, 0, w.ns, nil)
	informer := factory.ForResource(maps).Informer()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	factory.Start(ctx.Done())
	for i := range 12 {
		must(w.typed.CoreV1().ConfigMaps(w.ns).Create(ctx, configMap(fmt.Sprintf("m%d", i), map[string]string{"a": "1"}), metav1.CreateOptions{}))
	}
	got := must(c.Patch(ctx, "m1", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{}))
	eq("label", got.Labels["a"], "b")
	eq("selected", len(must(c.List(ctx, metav1.ListOptions{LabelSelector: "a=b"})).Items), 1)
	check(c.Delete(ctx, "m2", metav1.DeleteOptions{}))
	page := must(c.List(ctx, metav1.ListOptions{Limit: 5}))
	eq("page", []any{len(page.Items), page.Continue != ""}, "[5 true]")
	want := listed(c.List(ctx, metav1.ListOptions{}))
	until("the informer equals a list", func() bool { return fmt.Sprint(stored(informer)) == fmt.Sprint(want) })
}

func elected(ctx context.Context, w *world) {
	leads := make(chan string, 8)
	candidate := func(ctx context.Context, name string) chan bool {
		done := make(chan bool)
		lock := must(resourcelock.New(resourcelock.LeasesResourceLock, w.ns, "leader", w.typed.CoreV1(), w.typed.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: name}))
		e := must(leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{Lock: lock, LeaseDuration: 4 * time.Second,
			RenewDeadline: 3 * time.Second, RetryPeriod: 100 * time.Millisecond, ReleaseOnCancel: true,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { leads <- name }, OnStoppedLeading: func() {}}}))
		go func() { e.Run(ctx); close(done) }()
		return done
	}
	first, resign := context.WithCancel(ctx)
	resigned := candidate(first, "one")
	eq("leader", <-leads, "one")
	second, stop := context.WithCancel(ctx)
	stopped := candidate(second, "two")
	lease := func() coordinationv1.LeaseSpec {
		return must(w.typed.CoordinationV1().Leases(w.ns).Get(ctx, "leader", metav1.GetOptions{})).Spec
	}
	// A renewal that is under way when its context ends would leave the elector without the version to release.
	renewed := func() {
		at := lease().RenewTime
		until("the lease is renewed", func() bool { return !lease().RenewTime.Equal(at) })
	}
	eq("holder", *lease().HolderIdentity, "one")
	renewed()
	resign()
	<-resigned
	began := time.Now()
	eq("leader after", <-leads, "two")
	eq("the lease was released", time.Since(began) < 2*time.Second, true)
	eq("holder after", *lease().HolderIdentity, "two")
	renewed()
	stop()
	<-stopped
}

func recorded(ctx context.Context, w *world) {
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: w.typed.CoreV1().Events(w.ns)})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "go"})
	made := must(w.typed.CoreV1().ConfigMaps(w.ns).Create(ctx, configMap("c", nil), metav1.CreateOptions{}))
	for range 3 {
		recorder.Event(runtime.Object(made), corev1.EventTypeWarning, "Tried", "in vain")
	}
	until("one event counted thrice", func() bool {
		list := must(w.typed.CoreV1().Events(w.ns).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=c,reason=Tried"}))
		return len(list.Items) == 1 && list.Items[0].Count == 3
	})
}

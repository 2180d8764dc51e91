// Informers: what they hold must equal a list once all is written, whatever happened on the way.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

func isStreaming() bool { return os.Getenv("KUBE_FEATURE_WatchListClient") == "true" }

// versions tells an object's resourceVersion by its name.
func versions(objects []runtime.Object) map[string]string {
	ret := map[string]string{}
	for _, o := range objects {
		m := must(meta.Accessor(o))
		ret[m.GetName()] = m.GetResourceVersion()
	}
	return ret
}

func stored(i cache.SharedIndexInformer) map[string]string {
	objects := []runtime.Object{}
	for _, o := range i.GetStore().List() {
		objects = append(objects, o.(runtime.Object))
	}
	return versions(objects)
}

// listed asks the API, for what comes after must not be held against what an informer has.
func listed(list runtime.Object, err error) map[string]string {
	check(err)
	return versions(must(meta.ExtractList(list)))
}

// A controller as they are all built: handlers tell a queue which keys changed, workers bring their own picture up to date.
type controller struct {
	sync.Mutex
	queue   workqueue.TypedRateLimitingInterface[string]
	lister  cache.Indexer
	picture map[string]string
	tried   map[string]bool
}

func newController(i cache.SharedIndexInformer) *controller {
	c := &controller{lister: i.GetIndexer(), picture: map[string]string{}, tried: map[string]bool{},
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())}
	tell := func(o any) { c.queue.Add(must(cache.DeletionHandlingMetaNamespaceKeyFunc(o))) }
	must(i.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: tell, UpdateFunc: func(_, o any) { tell(o) }, DeleteFunc: tell}))
	return c
}

// Each key fails the first time, so that it comes again.
func (c *controller) sync(key string) error {
	c.Lock()
	defer c.Unlock()
	if !c.tried[key] {
		c.tried[key] = true
		return fmt.Errorf("not yet")
	}
	object, exists, err := c.lister.GetByKey(key)
	if _, name, _ := cache.SplitMetaNamespaceKey(key); exists {
		c.picture[name] = object.(*corev1.ConfigMap).ResourceVersion
	} else {
		delete(c.picture, name)
	}
	return err
}

func (c *controller) work() {
	for {
		key, isShut := c.queue.Get()
		if isShut {
			return
		}
		if c.sync(key) != nil {
			c.queue.AddRateLimited(key)
		} else {
			c.queue.Forget(key)
		}
		c.queue.Done(key)
	}
}

func (c *controller) holds() string {
	c.Lock()
	defer c.Unlock()
	return fmt.Sprint(c.picture)
}

// write makes, changes and removes config maps and secrets of its own share of names.
func write(ctx context.Context, w *world, writer int) {
	maps, secrets := w.typed.CoreV1().ConfigMaps(w.ns), w.typed.CoreV1().Secrets(w.ns)
	random := rand.New(rand.NewSource(int64(writer)))
	for i := range 60 {
		name := fmt.Sprintf("w%d-%d", writer, random.Intn(12))
		object := configMap(name, map[string]string{"i": fmt.Sprint(i)})
		switch random.Intn(4) {
		case 0:
			ignored(maps.Delete(ctx, name, metav1.DeleteOptions{}), apierrors.IsNotFound)
		case 1:
			_, err := secrets.Create(ctx, &corev1.Secret{ObjectMeta: object.ObjectMeta}, metav1.CreateOptions{})
			ignored(err, apierrors.IsAlreadyExists)
		default:
			if _, err := maps.Create(ctx, object, metav1.CreateOptions{}); apierrors.IsAlreadyExists(err) {
				must(maps.Update(ctx, object, metav1.UpdateOptions{}))
			} else {
				check(err)
			}
		}
	}
}

func ignored(err error, is func(error) bool) {
	if err != nil && !is(err) {
		panic(err)
	}
}

// With WatchList on, all three clients take their lists from a stream, and fall back on a list where it does not satisfy them.
func streamed(ctx context.Context, w *world) {
	resource := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	for i := range 5 {
		must(w.typed.CoreV1().ConfigMaps(w.ns).Create(ctx, configMap(fmt.Sprintf("s%d", i), nil), metav1.CreateOptions{}))
	}
	all := must(w.typed.CoreV1().ConfigMaps(w.ns).List(ctx, metav1.ListOptions{}))
	want := versions(must(meta.ExtractList(all)))
	eq("its version", all.ResourceVersion != "", true)
	eq("dynamic", listed(w.dynamic.Resource(resource).Namespace(w.ns).List(ctx, metav1.ListOptions{})), want)
	eq("metadata", listed(w.metadata.Resource(resource).Namespace(w.ns).List(ctx, metav1.ListOptions{})), want)
	w.seen.Lock()
	defer w.seen.Unlock()
	eq("lists, streams", []int{w.seen.plain, w.seen.streams}, map[bool][]int{false: {3, 0}, true: {0, 3}}[isStreaming()])
}

func churn(ctx context.Context, w *world) {
	for i := range 30 {
		must(w.typed.CoreV1().ConfigMaps(w.ns).Create(ctx, configMap(fmt.Sprintf("before-%d", i), nil), metav1.CreateOptions{}))
	}
	factory := informers.NewSharedInformerFactoryWithOptions(w.typed, 0, informers.WithNamespace(w.ns))
	maps, secrets := factory.Core().V1().ConfigMaps().Informer(), factory.Core().V1().Secrets().Informer()
	deployments := factory.Apps().V1().Deployments().Informer()
	c := newController(maps)
	defer c.queue.ShutDown()
	for range 2 {
		go c.work()
	}
	defer factory.Shutdown()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	factory.Start(ctx.Done())
	writers := make(chan any)
	for i := range 4 {
		go func() {
			defer func() { writers <- recover() }()
			write(ctx, w, i)
		}()
	}
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		eq("synced "+kind.String(), synced, true)
	}
	for range 4 {
		if failure := <-writers; failure != nil {
			panic(failure)
		}
	}
	must(w.typed.AppsV1().Deployments(w.ns).Create(ctx, deployment("d", 1), metav1.CreateOptions{}))
	w.seen.Lock()
	lists, streams := w.seen.lists, w.seen.streams
	w.seen.Unlock()
	eq("lists, streams", []int{lists, streams}, map[bool][]int{false: {3, 0}, true: {0, 3}}[isStreaming()])
	until("deployments equal a list", func() bool {
		return fmt.Sprint(stored(deployments)) == fmt.Sprint(listed(w.typed.AppsV1().Deployments(w.ns).List(ctx, metav1.ListOptions{})))
	})
	want := listed(w.typed.CoreV1().ConfigMaps(w.ns).List(ctx, metav1.ListOptions{}))
	until("config maps equal a list", func() bool { return fmt.Sprint(stored(maps)) == fmt.Sprint(want) })
	until("the controller's picture equals it", func() bool { return c.holds() == fmt.Sprint(want) })
	want = listed(w.typed.CoreV1().Secrets(w.ns).List(ctx, metav1.ListOptions{}))
	until("secrets equal a list", func() bool { return fmt.Sprint(stored(secrets)) == fmt.Sprint(want) })
}

// An informer whose watches the server ends after a second goes on from where it was, without a list.
func interrupted(ctx context.Context, w *world) {
	maps := w.typed.CoreV1().ConfigMaps(w.ns)
	var watches atomic.Int32
	second := int64(1)
	lw := &cache.ListWatch{
		ListFunc: func(o metav1.ListOptions) (runtime.Object, error) { return maps.List(ctx, o) },
		WatchFunc: func(o metav1.ListOptions) (watch.Interface, error) {
			watches.Add(1)
			o.TimeoutSeconds = &second
			return maps.Watch(ctx, o)
		}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	informer := cache.NewSharedIndexInformer(lw, &corev1.ConfigMap{}, 0, cache.Indexers{})
	go informer.Run(ctx.Done())
	until("it has synced", informer.HasSynced)
	w.seen.Lock()
	eq("lists, streams", []int{w.seen.lists, w.seen.streams}, map[bool][]int{false: {1, 0}, true: {0, 1}}[isStreaming()])
	w.seen.Unlock()
	for i := range 20 {
		must(maps.Create(ctx, configMap(fmt.Sprintf("i-%d", i), nil), metav1.CreateOptions{}))
		time.Sleep(120 * time.Millisecond)
	}
	want := listed(maps.List(ctx, metav1.ListOptions{}))
	until("it equals a list", func() bool { return fmt.Sprint(stored(informer)) == fmt.Sprint(want) })
	until("several watches", func() bool { return watches.Load() > 2 })
	w.seen.Lock()
	defer w.seen.Unlock()
	eq("lists", w.seen.lists, map[bool]int{false: 1, true: 0}[isStreaming()])
}

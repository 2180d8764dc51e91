// Typed clients: every verb, in protobuf.
package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/tools/pager"
	"k8s.io/client-go/util/retry"
)

var cases = []struct {
	name string
	fn   func(context.Context, *world)
}{
	{"typed: an object's life, in protobuf", life},
	{"typed: errors are what apierrors tells apart", refusals},
	{"typed: strategic, merge and JSON patches", patches},
	{"typed: a watch of frames", frames},
	{"typed: a list in pages by the pager", pages},
	{"typed: subresources, tokens, evictions and reviews", subresources},
	{"retry.RetryOnConflict: nothing is lost among eight writers", conflicts},
	{"applyconfigurations: apply, extract, conflict, force", applied},
	{"lists are the same, taken from a stream or not", streamed},
	{"informers equal a list after churn, and so does what a queue was told", churn},
	{"informers go on over watches that end", interrupted},
	{"dynamic: a definition, its objects, its informer, its scale", dynamically},
	{"discovery: groups, versions, mappings, OpenAPI", discovered},
	{"metadata: lists, patches and informers of PartialObjectMetadata", partial},
	{"leader election: one leads, the other takes over", elected},
	{"events: a recorder's are there, and counted", recorded},
}

func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func configMap(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}
}

func podSpec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "busybox"}}}
}

func deployment(name string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas,
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podSpec()},
	}}
}

func life(ctx context.Context, w *world) {
	c := w.typed.AppsV1().Deployments(w.ns)
	made := must(c.Create(ctx, deployment("d", 0), metav1.CreateOptions{FieldManager: "me"}))
	eq("defaults", made.Spec.Strategy.RollingUpdate.MaxSurge, "25%")
	eq("managers", made.ManagedFields[0].Manager, "me")
	check(retry.RetryOnConflict(retry.DefaultRetry, func() error { // the controller writes too
		made = must(c.Get(ctx, "d", metav1.GetOptions{}))
		made.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "ü"}}
		changed, err := c.Update(ctx, made, metav1.UpdateOptions{})
		eq("generation", err != nil || changed.Generation == 2, true)
		return err
	}))
	got := must(c.Get(ctx, "d", metav1.GetOptions{}))
	eq("text", got.Spec.Template.Spec.Containers[0].Env[0].Value, "ü")
	eq("listed", len(must(c.List(ctx, metav1.ListOptions{LabelSelector: "app!=d", FieldSelector: "metadata.name=d"})).Items), 1)
	foreground := metav1.DeletePropagationForeground
	check(c.Delete(ctx, "d", metav1.DeleteOptions{PropagationPolicy: &foreground, Preconditions: metav1.NewUIDPreconditions(string(got.UID))}))
	until("gone", func() bool { _, err := c.Get(ctx, "d", metav1.GetOptions{}); return apierrors.IsNotFound(err) })
	secrets := w.typed.CoreV1().Secrets(w.ns)
	blob := []byte{0, 1, 0xff, '"'}
	must(secrets.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Data: map[string][]byte{"b": blob}}, metav1.CreateOptions{}))
	eq("bytes", must(secrets.Get(ctx, "s", metav1.GetOptions{})).Data["b"], blob)
	check(secrets.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	eq("secrets", len(must(secrets.List(ctx, metav1.ListOptions{})).Items), 0)
	w.seen.Lock()
	defer w.seen.Unlock()
	eq("types of all answers", len(w.seen.types), 1)
	eq("answers in protobuf", w.seen.types[protobuf] > 8, true)
}

func refusals(ctx context.Context, w *world) {
	c := w.typed.CoreV1().ConfigMaps(w.ns)
	_, err := c.Get(ctx, "none", metav1.GetOptions{})
	eq("IsNotFound", apierrors.IsNotFound(err), true)
	eq("message", err, `configmaps "none" not found`)
	old := must(c.Create(ctx, configMap("c", nil), metav1.CreateOptions{}))
	_, err = c.Create(ctx, configMap("c", nil), metav1.CreateOptions{})
	eq("IsAlreadyExists", apierrors.IsAlreadyExists(err), true)
	must(c.Patch(ctx, "c", types.MergePatchType, []byte(`{"data":{"a":"1"}}`), metav1.PatchOptions{}))
	_, err = c.Update(ctx, old, metav1.UpdateOptions{})
	eq("IsConflict", apierrors.IsConflict(err), true)
	_, err = c.Create(ctx, configMap("Not_A_Name", nil), metav1.CreateOptions{})
	eq("IsInvalid", apierrors.IsInvalid(err), true)
	eq("cause", err.(apierrors.APIStatus).Status().Details.Causes[0].Field, "metadata.name")
	err = w.typed.CoreV1().RESTClient().Get().Namespace(w.ns).Resource("configmaps").Param("resourceVersion", "999999999").MaxRetries(0).Do(ctx).Error()
	eq(fmt.Sprint(err), apierrors.IsTimeout(err) && apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge), true)
	_, err = w.typed.CoreV1().ConfigMaps(w.ns+"-none").Create(ctx, configMap("c", nil), metav1.CreateOptions{})
	eq("namespace", apierrors.IsNotFound(err), true)
	_, err = c.Create(ctx, configMap("dry", nil), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	check(err)
	_, err = c.Get(ctx, "dry", metav1.GetOptions{})
	eq("dry run", apierrors.IsNotFound(err), true)
}

func patches(ctx context.Context, w *world) {
	c := w.typed.AppsV1().Deployments(w.ns)
	must(c.Create(ctx, deployment("d", 0), metav1.CreateOptions{}))
	side := []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"busybox"}]}}}}`)
	count := func(kind types.PatchType, patch []byte) int {
		return len(must(c.Patch(ctx, "d", kind, patch, metav1.PatchOptions{})).Spec.Template.Spec.Containers)
	}
	eq("strategic", count(types.StrategicMergePatchType, side), 2)
	eq("JSON", count(types.JSONPatchType, []byte(`[{"op":"add","path":"/spec/template/spec/containers/-","value":{"name":"x","image":"y"}}]`)), 3)
	eq("merge", count(types.MergePatchType, side), 1)
}

func frames(ctx context.Context, w *world) {
	c := w.typed.CoreV1().ConfigMaps(w.ns)
	at := must(c.List(ctx, metav1.ListOptions{})).ResourceVersion
	made := must(c.Create(ctx, configMap("w", map[string]string{"a": strings.Repeat("x", 100000)}), metav1.CreateOptions{}))
	made.Data["a"] = "2"
	must(c.Update(ctx, made, metav1.UpdateOptions{}))
	check(c.Delete(ctx, "w", metav1.DeleteOptions{}))
	events := must(c.Watch(ctx, metav1.ListOptions{ResourceVersion: at, AllowWatchBookmarks: true, FieldSelector: "metadata.name=w"}))
	defer events.Stop()
	for _, want := range []struct {
		kind watch.EventType
		size int
	}{{watch.Added, 100000}, {watch.Modified, 1}, {watch.Deleted, 1}} {
		e := <-events.ResultChan()
		eq("event", e.Type, want.kind)
		eq("its data", len(e.Object.(*corev1.ConfigMap).Data["a"]), want.size)
	}
}

func pages(ctx context.Context, w *world) {
	c := w.typed.CoreV1().ConfigMaps(w.ns)
	for i := range 25 {
		must(c.Create(ctx, configMap(fmt.Sprintf("p-%02d", i), nil), metav1.CreateOptions{}))
	}
	p := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return c.List(ctx, o) })
	p.PageSize = 4
	n := 0
	check(p.EachListItem(ctx, metav1.ListOptions{LabelSelector: "!kube-root"}, func(o runtime.Object) error {
		if name := o.(*corev1.ConfigMap).Name; strings.HasPrefix(name, "p-") {
			eq("order", name, fmt.Sprintf("p-%02d", n))
			n++
		}
		if n == 6 {
			return c.Delete(ctx, "p-20", metav1.DeleteOptions{})
		}
		return nil
	}))
	eq("items of one state", n, 25)
}

func subresources(ctx context.Context, w *world) {
	c := w.typed.AppsV1().Deployments(w.ns)
	must(c.Create(ctx, deployment("d", 1), metav1.CreateOptions{}))
	scale := must(c.GetScale(ctx, "d", metav1.GetOptions{}))
	scale.Spec.Replicas, scale.ResourceVersion = 2, "" // the controller writes too
	eq("scale", must(c.UpdateScale(ctx, "d", scale, metav1.UpdateOptions{})).Spec.Replicas, 2)
	until("the controller", func() bool { return must(c.Get(ctx, "d", metav1.GetOptions{})).Status.Replicas == 2 })
	pods := w.typed.CoreV1().Pods(w.ns)
	must(pods.Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: podSpec()}, metav1.CreateOptions{}))
	check(retry.RetryOnConflict(retry.DefaultRetry, func() error { // the scheduler writes too
		pod := must(pods.Get(ctx, "p", metav1.GetOptions{}))
		pod.Status.Phase = corev1.PodRunning
		_, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		return err
	}))
	eq("status", must(pods.Get(ctx, "p", metav1.GetOptions{})).Status.Phase, corev1.PodRunning)
	check(pods.EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: w.ns}}))
	until("the eviction", func() bool { _, err := pods.Get(ctx, "p", metav1.GetOptions{}); return apierrors.IsNotFound(err) })
	accounts := w.typed.CoreV1().ServiceAccounts(w.ns)
	must(accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{}))
	token := must(accounts.CreateToken(ctx, "a", &authenticationv1.TokenRequest{}, metav1.CreateOptions{}))
	eq("audiences", len(token.Spec.Audiences) > 0, true)
	review := must(w.typed.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token.Status.Token}}, metav1.CreateOptions{}))
	eq("user", review.Status.User.Username, "system:serviceaccount:"+w.ns+":a")
	rule := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}
	must(w.typed.RbacV1().Roles(w.ns).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "r"}, Rules: []rbacv1.PolicyRule{rule}}, metav1.CreateOptions{}))
	access := must(w.typed.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods"}}}, metav1.CreateOptions{}))
	eq("access", access.Status.Allowed, true)
	_, err := pods.GetLogs("none", &corev1.PodLogOptions{}).DoRaw(ctx)
	eq("log", apierrors.IsNotFound(err), true)
}

func conflicts(ctx context.Context, w *world) {
	c := w.typed.CoreV1().ConfigMaps(w.ns)
	must(c.Create(ctx, configMap("n", map[string]string{"n": ""}), metav1.CreateOptions{}))
	patient := retry.DefaultRetry
	patient.Steps = 100
	var all sync.WaitGroup
	var errs sync.Map
	for i := range 40 {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := retry.RetryOnConflict(patient, func() error {
				o, err := c.Get(ctx, "n", metav1.GetOptions{})
				if err == nil {
					o.Data["n"] += "x"
					_, err = c.Update(ctx, o, metav1.UpdateOptions{})
				}
				return err
			}); err != nil {
				errs.Store(i, err)
			}
		}()
		if i%8 == 7 {
			all.Wait()
		}
	}
	errs.Range(func(_, err any) bool { panic(err) })
	eq("writes", len(must(c.Get(ctx, "n", metav1.GetOptions{})).Data["n"]), 40)
}

func applied(ctx context.Context, w *world) {
	c := w.typed.AppsV1().Deployments(w.ns)
	labels := map[string]string{"app": "d"}
	container := coreapply.Container().WithName("c").WithImage("busybox").WithPorts(coreapply.ContainerPort().WithContainerPort(80))
	mine := appsapply.Deployment("d", w.ns).WithLabels(labels).WithSpec(appsapply.DeploymentSpec().WithReplicas(0).
		WithSelector(metaapply.LabelSelector().WithMatchLabels(labels)).
		WithTemplate(coreapply.PodTemplateSpec().WithLabels(labels).WithSpec(coreapply.PodSpec().WithContainers(container))))
	first := must(c.Apply(ctx, mine, metav1.ApplyOptions{FieldManager: "one"}))
	again := must(c.Apply(ctx, mine, metav1.ApplyOptions{FieldManager: "one"}))
	eq("applied twice", again.ResourceVersion, first.ResourceVersion)
	taken := must(appsapply.ExtractDeployment(again, "one"))
	eq("extracted", *taken.Spec.Template.Spec.Containers[0].Ports[0].ContainerPort, 80)
	eq("extracted strategy", taken.Spec.Strategy == nil, true)
	other := appsapply.Deployment("d", w.ns).WithSpec(appsapply.DeploymentSpec().WithReplicas(1))
	_, err := c.Apply(ctx, other, metav1.ApplyOptions{FieldManager: "two"})
	eq("conflict", apierrors.IsConflict(err), true)
	eq("its cause", err.(apierrors.APIStatus).Status().Details.Causes[0].Field, ".spec.replicas")
	eq("forced", *must(c.Apply(ctx, other, metav1.ApplyOptions{FieldManager: "two", Force: true})).Spec.Replicas, 1)
	status := appsapply.Deployment("d", w.ns).WithStatus(appsapply.DeploymentStatus().WithConditions(
		appsapply.DeploymentCondition().WithType("Mine").WithStatus(corev1.ConditionTrue)))
	must(c.ApplyStatus(ctx, status, metav1.ApplyOptions{FieldManager: "three"}))
	taken.Spec.Replicas = nil
	must(c.Apply(ctx, taken, metav1.ApplyOptions{FieldManager: "one"}))
	maps := w.typed.CoreV1().ConfigMaps(w.ns)
	must(maps.Apply(ctx, coreapply.ConfigMap("m", w.ns).WithData(map[string]string{"a": "1", "b": "1"}), metav1.ApplyOptions{FieldManager: "one"}))
	eq("left out", must(maps.Apply(ctx, coreapply.ConfigMap("m", w.ns).WithData(map[string]string{"a": "1"}), metav1.ApplyOptions{FieldManager: "one"})).Data, map[string]string{"a": "1"})
}

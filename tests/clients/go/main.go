// A program of client-go against k3x: what controllers written in Go ask of an API server, each case a function.
//
//	KUBECONFIG=FILE clients [PART OF A CASE'S NAME]
//
// Typed clients speak protobuf, as controller-runtime has them. A round tripper on each connection counts what was asked and
// answered, for client-go falls back in silence where a server disappoints it: with KUBE_FEATURE_WatchListClient=true a case
// fails when an informer had to list after all. Ends with "N passed, N failed".
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const protobuf = "application/vnd.kubernetes.protobuf"

// What went over the wire of one client.
type traffic struct {
	sync.Mutex
	lists, streams int            // first lists of informers; watches that were asked to begin with what is there
	plain          int            // all lists of config maps
	types          map[string]int // Content-Type of answers, without parameters
}

type counted struct {
	rest http.RoundTripper
	t    *traffic
}

func (c counted) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := c.rest.RoundTrip(r)
	c.t.Lock()
	defer c.t.Unlock()
	query := r.URL.Query()
	if query.Get("sendInitialEvents") == "true" {
		c.t.streams++
	} else if r.Method == "GET" && query.Get("watch") == "" && query.Get("resourceVersion") != "" {
		c.t.lists++
	}
	if r.Method == "GET" && query.Get("watch") == "" && strings.HasSuffix(r.URL.Path, "/configmaps") {
		c.t.plain++
	}
	if err == nil {
		c.t.types[strings.Split(answer.Header.Get("Content-Type"), ";")[0]]++
	}
	return answer, err
}

// The clients of one case, with a namespace of its own.
type world struct {
	config   *rest.Config
	typed    *kubernetes.Clientset
	dynamic  *dynamic.DynamicClient
	metadata metadata.Interface
	discover *discovery.DiscoveryClient
	seen     *traffic
	ns       string
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func eq(what string, got, want any) {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		panic(fmt.Sprintf("%s: got %v, want %v", what, got, want))
	}
}

func until(what string, is func() bool) {
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			panic("waited in vain: " + what)
		}
	}
}

func newWorld(ctx context.Context, ns string) *world {
	config := must(clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG")))
	config.QPS = -1
	w := &world{ns: ns, seen: &traffic{types: map[string]int{}}}
	config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return counted{rt, w.seen} })
	w.config = config
	w.dynamic = must(dynamic.NewForConfig(config))
	w.metadata = must(metadata.NewForConfig(config))
	w.discover = must(discovery.NewDiscoveryClientForConfig(config))
	binary := rest.CopyConfig(config)
	binary.ContentType, binary.AcceptContentTypes = protobuf, protobuf+",application/json"
	w.typed = must(kubernetes.NewForConfig(binary))
	must(w.typed.CoreV1().Namespaces().Create(ctx, namespace(ns), metav1.CreateOptions{}))
	return w
}

func run(name string, i int, fn func(context.Context, *world)) (failure any) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	defer func() { failure = recover() }()
	fn(ctx, newWorld(ctx, fmt.Sprintf("go-%d-%d", i, time.Now().UnixNano()%1e9)))
	return nil
}

func main() {
	passed, failed := 0, 0
	for i, c := range cases {
		if len(os.Args) > 1 && !strings.Contains(c.name, os.Args[1]) {
			continue
		}
		began := time.Now()
		if failure := run(c.name, i, c.fn); failure != nil {
			failed++
			fmt.Printf("FAIL %s\n     %v\n", c.name, failure)
			continue
		}
		passed++
		fmt.Printf("ok   %s (%d ms)\n", c.name, time.Since(began).Milliseconds())
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

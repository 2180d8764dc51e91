// A program of @kubernetes/client-node against k3x: typed clients, watches, informers, the client of any kind. Each case is a
// function with a namespace of its own.
//
//     KUBECONFIG=FILE node clients.mjs [PART OF A CASE'S NAME]
//
// Ends with "N passed, N failed".
import assert from 'node:assert/strict';
import * as k8s from '@kubernetes/client-node';

const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);
const custom = config.makeApiClient(k8s.CustomObjectsApi);
const any = k8s.KubernetesObjectApi.makeApiClient(config);
const cases = [];
const test = (name, fn) => cases.push({ name, fn });
const as = (type) => k8s.setHeaderOptions('Content-Type', type);

async function until(what, is) {
	for (const end = Date.now() + 30000; !(await is()); await new Promise((go) => setTimeout(go, 20)))
		assert.ok(Date.now() < end, `waited in vain: ${what}`);
}

async function refused(code, reason, asked) {
	const error = await asked.then(() => assert.fail(`was not refused with ${code}`), (e) => e);
	assert.equal(error.code, code, String(error));
	const status = typeof error.body === 'string' ? JSON.parse(error.body) : error.body;
	assert.deepEqual([status.kind, status.reason, status.code], ['Status', reason, code]);
	return status;
}

const configMap = (name, data, labels) => ({ metadata: { name, labels }, data });
const deployment = (name, replicas) => ({
	apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name },
	spec: {
		replicas, selector: { matchLabels: { app: name } },
		template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'busybox' }] } },
	},
});

test('an object is created, read, replaced, patched and deleted', async (namespace) => {
	const made = await core.createNamespacedConfigMap({ namespace, body: configMap('one', { a: '1' }) });
	assert.ok(made.metadata.creationTimestamp instanceof Date);
	made.data = { a: '2' };
	const replaced = await core.replaceNamespacedConfigMap({ namespace, name: 'one', body: made });
	await refused(409, 'Conflict', core.replaceNamespacedConfigMap({ namespace, name: 'one', body: made }));
	assert.notEqual(replaced.metadata.resourceVersion, made.metadata.resourceVersion);
	const body = [{ op: 'replace', path: '/data/a', value: '3' }];
	assert.deepEqual((await core.patchNamespacedConfigMap({ namespace, name: 'one', body })).data, { a: '3' });
	const merge = { namespace, name: 'one', body: { data: { a: null, b: '1' } } };
	assert.deepEqual((await core.patchNamespacedConfigMap(merge, as(k8s.PatchStrategy.MergePatch))).data, { b: '1' });
	assert.equal((await core.deleteNamespacedConfigMap({ namespace, name: 'one' })).status, 'Success');
	await refused(404, 'NotFound', core.readNamespacedConfigMap({ namespace, name: 'one' }));
	const status = await refused(422, 'Invalid', core.createNamespacedConfigMap({ namespace, body: configMap('Not_A_Name') }));
	assert.equal(status.details.causes[0].field, 'metadata.name');
});

test('a deployment is patched, scaled and applied', async (namespace) => {
	await apps.createNamespacedDeployment({ namespace, body: deployment('d', 0) });
	const body = { spec: { template: { spec: { containers: [{ name: 'side', image: 'busybox' }] } } } };
	const patched = await apps.patchNamespacedDeployment({ namespace, name: 'd', body }, as(k8s.PatchStrategy.StrategicMergePatch));
	assert.deepEqual(patched.spec.template.spec.containers.map((c) => c.name).sort(), ['c', 'side']);
	const scale = await apps.readNamespacedDeploymentScale({ namespace, name: 'd' });
	scale.spec.replicas = 2;
	delete scale.metadata.resourceVersion; // the controller writes too
	assert.equal((await apps.replaceNamespacedDeploymentScale({ namespace, name: 'd', body: scale })).spec.replicas, 2);
	await until('two pods', async () => (await core.listNamespacedPod({ namespace, labelSelector: 'app=d' })).items.length === 2);
	const applied = deployment('applied', 0);
	applied.metadata.namespace = namespace;
	const made = await any.patch(applied, undefined, undefined, 'node', true, k8s.PatchStrategy.ServerSideApply);
	assert.equal(made.metadata.managedFields[0].operation, 'Apply');
	applied.spec.replicas = 1;
	const conflict = await refused(409, 'Conflict', any.patch(applied, undefined, undefined, 'other', false, k8s.PatchStrategy.ServerSideApply));
	assert.equal(conflict.details.causes[0].field, '.spec.replicas');
});

test('a list comes in pages', async (namespace) => {
	for (let i = 0; i < 7; i++) await core.createNamespacedConfigMap({ namespace, body: configMap(`p${i}`, {}, { t: 'p' }) });
	const names = [];
	let page;
	do {
		page = await core.listNamespacedConfigMap({ namespace, labelSelector: 't=p', limit: 3, _continue: page?.metadata._continue });
		names.push(...page.items.map((o) => o.metadata.name));
	} while (page.metadata._continue);
	assert.deepEqual(names, ['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6']);
});

test('a watch tells what happens, and its end', async (namespace) => {
	const path = `/api/v1/namespaces/${namespace}/configmaps`;
	const { resourceVersion } = (await core.listNamespacedConfigMap({ namespace })).metadata;
	const events = [];
	let ended;
	await new k8s.Watch(config).watch(path, { resourceVersion, timeoutSeconds: 2, fieldSelector: 'metadata.name=w' },
		(type, object) => events.push([type, object.data?.a]), (error) => { ended = { error }; });
	await core.createNamespacedConfigMap({ namespace, body: configMap('w', { a: '1' }) });
	await core.patchNamespacedConfigMap({ namespace, name: 'w', body: [{ op: 'replace', path: '/data/a', value: '2' }] });
	await core.deleteNamespacedConfigMap({ namespace, name: 'w' });
	await until('the end', () => ended);
	assert.deepEqual(events, [['ADDED', '1'], ['MODIFIED', '2'], ['DELETED', '2']]);
});

test('an informer equals a list after churn', async (namespace) => {
	const list = () => core.listNamespacedConfigMap({ namespace });
	const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list);
	const told = { add: 0, update: 0, delete: 0, error: 0 };
	for (const what of Object.keys(told)) informer.on(what, () => told[what]++);
	await informer.start();
	const names = Array.from({ length: 30 }, (_, i) => `c${i}`);
	await Promise.all(names.map((name) => core.createNamespacedConfigMap({ namespace, body: configMap(name, { n: '0' }) })));
	await Promise.all(names.slice(10).map((name) => core.patchNamespacedConfigMap({ namespace, name, body: [{ op: 'add', path: '/data/n', value: '1' }] })));
	await Promise.all(names.slice(20).map((name) => core.deleteNamespacedConfigMap({ namespace, name })));
	const versions = (objects) => objects.map((o) => `${o.metadata.name} ${o.metadata.resourceVersion}`).sort().join();
	const want = versions((await list()).items);
	await until('it equals a list', () => versions(informer.list(namespace)) === want);
	assert.deepEqual([told.update >= 20, told.delete, told.error], [true, 10, 0]);
	await informer.stop();
});

test('a definition, its objects, and the client of any kind', async (namespace) => {
	const group = 'node.example.com', version = 'v1', plural = 'shelves';
	// The client's name for what is `default` on the wire.
	const shelf = { type: 'object', properties: { books: { type: 'integer', minimum: 0, _default: 1 } } };
	await any.create({
		apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: `${plural}.${group}` },
		spec: {
			group, scope: 'Namespaced', names: { plural, kind: 'Shelf' },
			versions: [{ name: version, served: true, storage: true, subresources: { status: {} }, schema: { openAPIV3Schema: { type: 'object', properties: { spec: shelf } } } }],
		},
	});
	const at = { group, version, namespace, plural };
	await until('it is served', () => custom.listNamespacedCustomObject(at).then(() => true, () => false));
	const body = { apiVersion: `${group}/${version}`, kind: 'Shelf', metadata: { name: 'one', namespace }, spec: {} };
	assert.deepEqual((await custom.createNamespacedCustomObject({ ...at, body })).spec, { books: 1 });
	await refused(422, 'Invalid', custom.createNamespacedCustomObject({ ...at, body: { ...body, metadata: { name: 'two' }, spec: { books: -1 } } }));
	const read = await any.read(body);
	read.spec.books = 5;
	assert.equal((await any.replace(read)).spec.books, 5);
	assert.equal((await any.list(body.apiVersion, 'Shelf', namespace)).items.length, 1);
	await any.delete(body);
	await refused(404, 'NotFound', custom.getNamespacedCustomObject({ ...at, name: 'one' }));
});

test('tokens and reviews', async (namespace) => {
	await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name: 'a' } } });
	const { status } = await core.createNamespacedServiceAccountToken({ namespace, name: 'a', body: { spec: { audiences: [] } } });
	const review = await config.makeApiClient(k8s.AuthenticationV1Api).createTokenReview({ body: { spec: { token: status.token } } });
	assert.equal(review.status.user.username, `system:serviceaccount:${namespace}:a`);
	const access = { spec: { resourceAttributes: { verb: 'get', resource: 'pods', namespace } } };
	assert.equal((await config.makeApiClient(k8s.AuthorizationV1Api).createSelfSubjectAccessReview({ body: access })).status.allowed, true);
	await core.createNamespacedPod({ namespace, body: { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'busybox' }] } } });
	await refused(400, 'BadRequest', core.readNamespacedPodLog({ namespace, name: 'p' }));
});

let passed = 0, failed = 0;
for (const [i, { name, fn }] of cases.entries()) {
	if (process.argv[2] && !name.includes(process.argv[2])) continue;
	try {
		const namespace = `node-${i}-${Date.now()}`;
		await core.createNamespace({ body: { metadata: { name: namespace } } });
		await fn(namespace);
		passed++;
		console.log(`ok   ${name}`);
	} catch (e) {
		failed++;
		console.log(`FAIL ${name}\n     ${e.stack.split('\n').slice(0, 4).join('\n     ')}`);
	}
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);

/* Services: what each type may say, and what of a load balancer's status. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define SPEC(text) "\"spec\":{" text ",\"ports\":[{\"port\":80}]}"
#define PORTS(type, text) "\"spec\":{\"type\":\"" type "\",\"ports\":[" text "]}"
#define TYPE(name) "\"type\":\"" name "\""
#define BALANCER(text) SPEC(TYPE("LoadBalancer") text)
#define NAME(text) "\"spec\":{\"type\":\"ExternalName\"," text "}"
#define POINT(type, text) SPEC(TYPE(type)) ",\"status\":{\"loadBalancer\":{\"ingress\":[{" text "}]}}"

#define NO_SUBDOMAIN \
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must " \
	"start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define NO_QUALIFIED_NAME \
	"name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an " \
	"alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is " \
	"'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

static void ports_are_named_and_differ(void **state)
{
	static const struct group_case cases[] = {
	        {"services", PORTS("ClusterIP", "{\"port\":80}"), NULL, NULL},
	        {"services", "\"spec\":{}", NULL, "spec.ports: Required value"},
	        {"services", PORTS("ClusterIP", "{\"port\":80,\"name\":\"a\"},{\"port\":81}"), NULL,
	                "spec.ports[1].name: Required value"},
	        {"services", PORTS("ClusterIP", "{\"port\":80,\"name\":\"a\"},{\"port\":81,\"name\":\"a\"}"), NULL,
	                "spec.ports[1].name: Duplicate value: \"a\""},
	        {"services", PORTS("ClusterIP", "{\"port\":80,\"name\":\"a\"},{\"port\":80,\"name\":\"b\"}"), NULL,
	                "spec.ports[1]: Duplicate value: core.ServicePort{Name:\"\", Protocol:\"TCP\", "
	                "AppProtocol:(*string)(nil), Port:80, TargetPort:intstr.IntOrString{Type:0, IntVal:0, "
	                "StrVal:\"\"}, NodePort:0}"},
	        {"services", PORTS("ClusterIP", "{\"port\":80,\"targetPort\":\"http\"}"), NULL, NULL},
	        {"services", PORTS("ClusterIP", "{\"port\":80,\"targetPort\":\"ht_tp\"}"), NULL,
	                "spec.ports[0].targetPort: Invalid value: \"ht_tp\": must contain only alpha-numeric "
	                "characters "
	                "(a-z, 0-9), and hyphens (-)"},
	        {"services", PORTS("ClusterIP", "{\"port\":80,\"appProtocol\":\"kubernetes.io/h2c\"}"), NULL, NULL},
	        {"services", PORTS("ClusterIP", "{\"port\":80,\"appProtocol\":\"h 2\"}"), NULL,
	                "spec.ports[0].appProtocol: Invalid value: \"h 2\": " NO_QUALIFIED_NAME},
	        {"services", PORTS("ClusterIP", "{\"port\":80,\"nodePort\":30080}"), NULL,
	                "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"},
	        {"services",
	                PORTS("NodePort", "{\"port\":80,\"name\":\"a\",\"nodePort\":30080},{\"port\":80,\"name\":\"b\","
	                                  "\"protocol\":\"UDP\",\"nodePort\":30080}"),
	                NULL, NULL},
	        {"services",
	                PORTS("NodePort", "{\"port\":80,\"name\":\"a\",\"nodePort\":30080},{\"port\":81,\"name\":\"b\","
	                                  "\"nodePort\":30080}"),
	                NULL, "spec.ports[1].nodePort: Duplicate value: 30080"},
	};
	RUN_GROUP_CASES("", cases);
}

static void a_type_has_fields_of_its_own(void **state)
{
	static const struct group_case cases[] = {
	        {"services", NAME("\"externalName\":\"a.example.com.\""), NULL, NULL},
	        {"services", NAME("\"clusterIP\":\"\""), NULL, "spec.externalName: Required value"},
	        {"services", NAME("\"externalName\":\"A\""), NULL,
	                "spec.externalName: Invalid value: \"A\": " NO_SUBDOMAIN},
	        {"services",
	                NAME("\"externalName\":\"a\",\"clusterIPs\":[\"10.0.0.1\"],\"ipFamilies\":[\"IPv4\"],"
	                     "\"ipFamilyPolicy\":\"SingleStack\""),
	                NULL,
	                "spec.clusterIPs: Forbidden: may not be set for ExternalName services; spec.ipFamilies: "
	                "Forbidden: "
	                "may not be set for ExternalName services; spec.ipFamilyPolicy: Forbidden: may not be set for "
	                "ExternalName services"},
	        {"services", SPEC(TYPE("NodePort") ",\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]"), NULL,
	                "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"},
	        {"services", SPEC(TYPE("ClusterIP") ",\"allocateLoadBalancerNodePorts\":true"), NULL,
	                "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is "
	                "'LoadBalancer'"},
	        {"services", SPEC(TYPE("ClusterIP") ",\"loadBalancerClass\":\"a/b\""), NULL,
	                "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"},
	        {"services", BALANCER(",\"loadBalancerClass\":\"a b\""), NULL,
	                "spec.loadBalancerClass: Invalid value: \"a b\": " NO_QUALIFIED_NAME},
	        {"services", SPEC(TYPE("ClusterIP") ",\"externalTrafficPolicy\":\"Local\""), NULL,
	                "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for "
	                "externally-accessible "
	                "services"},
	        {"services",
	                SPEC(TYPE("ClusterIP") ",\"externalTrafficPolicy\":\"Local\",\"externalIPs\":[\"1.2.3.4\"]"),
	                NULL, NULL},
	        {"services", SPEC(TYPE("NodePort") ",\"externalTrafficPolicy\":\"Near\""), NULL,
	                "spec.externalTrafficPolicy: Unsupported value: \"Near\": supported values: \"Cluster\", "
	                "\"Local\""},
	        {"services", SPEC(TYPE("NodePort") ",\"healthCheckNodePort\":30000"), NULL,
	                "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' "
	                "and "
	                "`externalTrafficPolicy` is 'Local'"},
	        {"services", BALANCER(",\"loadBalancerSourceRanges\":[\"10.0.0.0/8\",\" 1.2.3.0/24 \"]"), NULL, NULL},
	        {"services", SPEC(TYPE("ClusterIP") ",\"loadBalancerSourceRanges\":[\"10.0.0.0\"]"), NULL,
	                "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'; "
	                "spec.LoadBalancerSourceRanges[0]: Invalid value: \"10.0.0.0\": must be a valid CIDR value, "
	                "(e.g. "
	                "10.9.8.0/24 or 2001:db8::/64)"},
	};
	RUN_GROUP_CASES("", cases);
}

static void addresses_from_outside_can_be_reached(void **state)
{
	static const struct group_case cases[] = {
	        {"services", SPEC("\"externalIPs\":[\"1.2.3.4\",\"2001:db8::1\"]"), NULL, NULL},
	        {"services", SPEC("\"externalIPs\":[\"a\"]"), NULL,
	                "spec.externalIPs[0]: Invalid value: \"a\": must be a valid IP address, (e.g. 10.9.8.7 or "
	                "2001:db8::ffff)"},
	        {"services", SPEC("\"externalIPs\":[\"0.0.0.0\",\"::1\",\"169.254.1.1\",\"ff02::1\"]"), NULL,
	                "spec.externalIPs[0]: Invalid value: \"0.0.0.0\": may not be unspecified (0.0.0.0); "
	                "spec.externalIPs[1]: Invalid value: \"::1\": may not be in the loopback range (127.0.0.0/8, "
	                "::1/128); spec.externalIPs[2]: Invalid value: \"169.254.1.1\": may not be in the link-local "
	                "range "
	                "(169.254.0.0/16, fe80::/10); spec.externalIPs[3]: Invalid value: \"ff02::1\": may not be in "
	                "the "
	                "link-local multicast range (224.0.0.0/24, ff02::/10)"},
	};
	RUN_GROUP_CASES("", cases);
}

static void clients_stay_for_a_day_at_most(void **state)
{
	static const struct group_case cases[] = {
	        {"services", SPEC("\"sessionAffinity\":\"ClientIP\""), NULL, NULL},
	        {"services", SPEC("\"sessionAffinity\":\"Cookie\""), NULL,
	                "spec.sessionAffinity: Unsupported value: \"Cookie\": supported values: \"ClientIP\", "
	                "\"None\""},
	        {"services",
	                SPEC("\"sessionAffinity\":\"ClientIP\",\"sessionAffinityConfig\":{\"clientIP\":{"
	                     "\"timeoutSeconds\":86401}}"),
	                NULL,
	                "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater "
	                "than 0 "
	                "and less than 86400"},
	        {"services", SPEC("\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":1}}"), NULL, NULL},
	};
	RUN_GROUP_CASES("", cases);
}

static void a_balancer_keeps_its_class_and_its_port(void **state)
{
	static const struct group_case cases[] = {
	        {"services", BALANCER(",\"loadBalancerClass\":\"a/b\""), BALANCER(",\"loadBalancerClass\":\"a/b\""),
	                NULL},
	        {"services", BALANCER(",\"loadBalancerClass\":\"a/c\""), BALANCER(",\"loadBalancerClass\":\"a/b\""),
	                "spec.loadBalancerClass: Invalid value: \"a/c\": may not change once set"},
	        {"services", BALANCER(""), BALANCER(",\"loadBalancerClass\":\"a/b\""),
	                "spec.loadBalancerClass: Invalid value: \"null\": may not change once set"},
	        {"services", BALANCER(",\"loadBalancerClass\":\"a/c\""), SPEC(TYPE("ClusterIP")), NULL},
	        {"services", BALANCER(",\"externalTrafficPolicy\":\"Local\",\"healthCheckNodePort\":30001"),
	                BALANCER(",\"externalTrafficPolicy\":\"Local\",\"healthCheckNodePort\":30000"),
	                "spec.healthCheckNodePort: Forbidden: field is immutable"},
	};
	RUN_GROUP_CASES("", cases);
}

static void what_balancers_answer_at_is_told_of_balancers_alone(void **state)
{
	static const struct group_case cases[] = {
	        {"services", POINT("LoadBalancer", "\"ip\":\"1.2.3.4\""), SPEC(TYPE("LoadBalancer")), NULL},
	        {"services", POINT("LoadBalancer", "\"hostname\":\"a.b\""), SPEC(TYPE("LoadBalancer")), NULL},
	        {"services", POINT("ClusterIP", "\"ip\":\"1.2.3.4\""), SPEC(TYPE("ClusterIP")),
	                "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"},
	        {"services", POINT("LoadBalancer", "\"ip\":\"a\",\"ipMode\":\"Maybe\""), SPEC(TYPE("LoadBalancer")),
	                "status.loadBalancer.ingress[0].ip: Invalid value: \"a\": must be a valid IP address, (e.g. "
	                "10.9.8.7 or 2001:db8::ffff); status.loadBalancer.ingress[0].ipMode: Unsupported value: "
	                "\"Maybe\": supported values: \"Proxy\", \"VIP\""},
	        {"services", POINT("LoadBalancer", "\"hostname\":\"1.2.3.4\",\"ipMode\":\"VIP\""),
	                SPEC(TYPE("LoadBalancer")),
	                "status.loadBalancer.ingress[0].ipMode: Forbidden: may not be specified when `ip` is not set; "
	                "status.loadBalancer.ingress[0].hostname: Invalid value: \"1.2.3.4\": must be a DNS name, not "
	                "an "
	                "IP address"},
	};
	run_group_cases("", cases, COUNT_OF(cases), "status");
}

static void annotations_of_services_are_read_too(void **state)
{
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), SLICE("services"));
	struct json *v = parse("{\"metadata\":{\"name\":\"n\",\"namespace\":\"d\",\"annotations\":{"
	                       "\"service.kubernetes.io/topology-mode\":\"a\","
	                       "\"service.kubernetes.io/topology-aware-hints\":\"b\","
	                       "\"service.beta.kubernetes.io/load-balancer-source-ranges\":\"10.0.0.0/8, x\"}},"
	                       "\"spec\":{\"ports\":[{\"port\":80}]}}");
	defaults_apply(&a, r, v);
	assert_string_equal(group_errors(r, v, NULL, ""),
	        "metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: \"a\": must match "
	        "annotations[service.kubernetes.io/topology-aware-hints] when both are specified; "
	        "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Forbidden: may only be "
	        "used when `type` is 'LoadBalancer'; "
	        "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Invalid value: \"x\": "
	        "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(ports_are_named_and_differ, release),
	        cmocka_unit_test_teardown(a_type_has_fields_of_its_own, release),
	        cmocka_unit_test_teardown(addresses_from_outside_can_be_reached, release),
	        cmocka_unit_test_teardown(clients_stay_for_a_day_at_most, release),
	        cmocka_unit_test_teardown(a_balancer_keeps_its_class_and_its_port, release),
	        cmocka_unit_test_teardown(what_balancers_answer_at_is_told_of_balancers_alone, release),
	        cmocka_unit_test_teardown(annotations_of_services_are_read_too, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

// Definitions for tools/gen_schema, in the subset of Go it reads: the apiextensions.k8s.io/v1 group, which is not part
// of the published k8s.io/api package. +k3x:union marks types whose JSON form is either a schema or something else.
package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// CustomResourceDefinition adds a resource to the API. Its name is "plural.group".
type CustomResourceDefinition struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// Spec says what the resource is called and how its objects look.
	Spec CustomResourceDefinitionSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// Status says how far the resource is served.
	// +optional
	Status CustomResourceDefinitionStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// CustomResourceDefinitionList is a list of CustomResourceDefinition objects.
type CustomResourceDefinitionList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// Items of the list.
	Items []CustomResourceDefinition `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// CustomResourceDefinitionSpec says what a custom resource is called and how its objects look.
type CustomResourceDefinitionSpec struct {
	// Group of the resource; objects are served under /apis/<group>/.
	Group string `json:"group" protobuf:"bytes,1,opt,name=group"`
	// Names of the resource and its kind.
	Names CustomResourceDefinitionNames `json:"names" protobuf:"bytes,3,opt,name=names"`
	// Scope is "Cluster" or "Namespaced".
	Scope string `json:"scope" protobuf:"bytes,4,opt,name=scope"`
	// Versions that the resource has.
	// +listType=atomic
	Versions []CustomResourceDefinitionVersion `json:"versions" protobuf:"bytes,7,rep,name=versions"`
	// Conversion says how objects are turned from one version into another.
	// +optional
	Conversion *CustomResourceConversion `json:"conversion,omitempty" protobuf:"bytes,9,opt,name=conversion"`
	// PreserveUnknownFields is deprecated and must be false; see x-kubernetes-preserve-unknown-fields.
	// +optional
	PreserveUnknownFields bool `json:"preserveUnknownFields,omitempty" protobuf:"varint,10,opt,name=preserveUnknownFields"`
}

// CustomResourceConversion says how objects are turned from one version into another.
type CustomResourceConversion struct {
	// Strategy is "None" (only apiVersion changes) or "Webhook".
	Strategy string `json:"strategy" protobuf:"bytes,1,name=strategy"`
	// Webhook to call when the strategy is "Webhook".
	// +optional
	Webhook *WebhookConversion `json:"webhook,omitempty" protobuf:"bytes,2,opt,name=webhook"`
}

// WebhookConversion says how to call a conversion webhook.
type WebhookConversion struct {
	// ClientConfig says where the webhook is.
	// +optional
	ClientConfig *WebhookClientConfig `json:"clientConfig,omitempty" protobuf:"bytes,2,name=clientConfig"`
	// ConversionReviewVersions are the ConversionReview versions the webhook takes, preferred first.
	// +listType=atomic
	ConversionReviewVersions []string `json:"conversionReviewVersions" protobuf:"bytes,3,rep,name=conversionReviewVersions"`
}

// WebhookClientConfig says how to reach a webhook: by url or by service.
type WebhookClientConfig struct {
	// URL of the webhook, https.
	// +optional
	URL *string `json:"url,omitempty" protobuf:"bytes,3,opt,name=url"`
	// Service that is the webhook.
	// +optional
	Service *ServiceReference `json:"service,omitempty" protobuf:"bytes,1,opt,name=service"`
	// CABundle holds PEM certificates that the webhook's certificate is checked against.
	// +optional
	CABundle []byte `json:"caBundle,omitempty" protobuf:"bytes,2,opt,name=caBundle"`
}

// ServiceReference names a Service.
type ServiceReference struct {
	// Namespace of the service.
	Namespace string `json:"namespace" protobuf:"bytes,1,opt,name=namespace"`
	// Name of the service.
	Name string `json:"name" protobuf:"bytes,2,opt,name=name"`
	// Path of the webhook's URL.
	// +optional
	Path *string `json:"path,omitempty" protobuf:"bytes,3,opt,name=path"`
	// Port of the service, 443 when absent.
	// +optional
	Port *int32 `json:"port,omitempty" protobuf:"varint,4,opt,name=port"`
}

// CustomResourceDefinitionVersion is one version of a custom resource.
type CustomResourceDefinitionVersion struct {
	// Name of the version, for example "v1" or "v1beta1".
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// Served says whether the version can be used.
	Served bool `json:"served" protobuf:"varint,2,opt,name=served"`
	// Storage says whether objects are stored in this version; exactly one is.
	Storage bool `json:"storage" protobuf:"varint,3,opt,name=storage"`
	// Deprecated makes the server warn users of this version.
	// +optional
	Deprecated bool `json:"deprecated,omitempty" protobuf:"varint,7,opt,name=deprecated"`
	// DeprecationWarning is the text of that warning.
	// +optional
	DeprecationWarning *string `json:"deprecationWarning,omitempty" protobuf:"bytes,8,opt,name=deprecationWarning"`
	// Schema of the objects.
	// +optional
	Schema *CustomResourceValidation `json:"schema,omitempty" protobuf:"bytes,4,opt,name=schema"`
	// Subresources of the objects.
	// +optional
	Subresources *CustomResourceSubresources `json:"subresources,omitempty" protobuf:"bytes,5,opt,name=subresources"`
	// AdditionalPrinterColumns are shown by kubectl get.
	// +optional
	// +listType=atomic
	AdditionalPrinterColumns []CustomResourceColumnDefinition `json:"additionalPrinterColumns,omitempty" protobuf:"bytes,6,rep,name=additionalPrinterColumns"`
	// SelectableFields may be used in field selectors.
	// +optional
	// +listType=atomic
	SelectableFields []SelectableField `json:"selectableFields,omitempty" protobuf:"bytes,9,rep,name=selectableFields"`
}

// SelectableField is a field that may be used in field selectors.
type SelectableField struct {
	// JSONPath of the field.
	JSONPath string `json:"jsonPath" protobuf:"bytes,1,opt,name=jsonPath"`
}

// CustomResourceColumnDefinition is a column that kubectl get shows.
type CustomResourceColumnDefinition struct {
	// Name of the column.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// Type is an OpenAPI type: integer, number, string, boolean or date.
	Type string `json:"type" protobuf:"bytes,2,opt,name=type"`
	// Format is an OpenAPI format.
	// +optional
	Format string `json:"format,omitempty" protobuf:"bytes,3,opt,name=format"`
	// Description for people.
	// +optional
	Description string `json:"description,omitempty" protobuf:"bytes,4,opt,name=description"`
	// Priority above 0 shows the column in wide output only.
	// +optional
	Priority int32 `json:"priority,omitempty" protobuf:"bytes,5,opt,name=priority"`
	// JSONPath of the value.
	JSONPath string `json:"jsonPath" protobuf:"bytes,6,opt,name=jsonPath"`
}

// CustomResourceDefinitionNames are the names of a custom resource.
type CustomResourceDefinitionNames struct {
	// Plural is the resource's name in URLs.
	Plural string `json:"plural" protobuf:"bytes,1,opt,name=plural"`
	// Singular name; the kind in lower case when absent.
	// +optional
	Singular string `json:"singular,omitempty" protobuf:"bytes,2,opt,name=singular"`
	// ShortNames for kubectl.
	// +optional
	// +listType=atomic
	ShortNames []string `json:"shortNames,omitempty" protobuf:"bytes,3,opt,name=shortNames"`
	// Kind of the objects.
	Kind string `json:"kind" protobuf:"bytes,4,opt,name=kind"`
	// ListKind of their lists; the kind with "List" behind it when absent.
	// +optional
	ListKind string `json:"listKind,omitempty" protobuf:"bytes,5,opt,name=listKind"`
	// Categories such as "all" that the resource belongs to.
	// +optional
	// +listType=atomic
	Categories []string `json:"categories,omitempty" protobuf:"bytes,6,rep,name=categories"`
}

// CustomResourceDefinitionCondition is one condition of a CustomResourceDefinition.
type CustomResourceDefinitionCondition struct {
	// Type is for example "Established" or "NamesAccepted".
	Type string `json:"type" protobuf:"bytes,1,opt,name=type"`
	// Status is True, False or Unknown.
	Status string `json:"status" protobuf:"bytes,2,opt,name=status"`
	// Last time the condition changed its status.
	// +optional
	LastTransitionTime metav1.Time `json:"lastTransitionTime,omitempty" protobuf:"bytes,3,opt,name=lastTransitionTime"`
	// One word for why it changed.
	// +optional
	Reason string `json:"reason,omitempty" protobuf:"bytes,4,opt,name=reason"`
	// A sentence for people.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,5,opt,name=message"`
}

// CustomResourceDefinitionStatus says how far a custom resource is served.
type CustomResourceDefinitionStatus struct {
	// Current conditions.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []CustomResourceDefinitionCondition `json:"conditions" protobuf:"bytes,1,opt,name=conditions"`
	// AcceptedNames are the names in use.
	// +optional
	AcceptedNames CustomResourceDefinitionNames `json:"acceptedNames" protobuf:"bytes,2,opt,name=acceptedNames"`
	// StoredVersions are all versions that objects were ever stored in.
	// +optional
	// +listType=atomic
	StoredVersions []string `json:"storedVersions" protobuf:"bytes,3,rep,name=storedVersions"`
}

// CustomResourceValidation holds the schema of a version.
type CustomResourceValidation struct {
	// OpenAPIV3Schema is the schema that objects are checked against and pruned by.
	// +optional
	OpenAPIV3Schema *JSONSchemaProps `json:"openAPIV3Schema,omitempty" protobuf:"bytes,1,opt,name=openAPIV3Schema"`
}

// CustomResourceSubresources are the subresources of a version.
type CustomResourceSubresources struct {
	// Status makes .status a subresource.
	// +optional
	Status *CustomResourceSubresourceStatus `json:"status,omitempty" protobuf:"bytes,1,opt,name=status"`
	// Scale adds a scale subresource.
	// +optional
	Scale *CustomResourceSubresourceScale `json:"scale,omitempty" protobuf:"bytes,2,opt,name=scale"`
}

// CustomResourceSubresourceStatus has no settings.
type CustomResourceSubresourceStatus struct{}

// CustomResourceSubresourceScale says where the numbers of the scale subresource are.
type CustomResourceSubresourceScale struct {
	// SpecReplicasPath is the JSON path of the wanted number.
	SpecReplicasPath string `json:"specReplicasPath" protobuf:"bytes,1,name=specReplicasPath"`
	// StatusReplicasPath is the JSON path of the present number.
	StatusReplicasPath string `json:"statusReplicasPath" protobuf:"bytes,2,opt,name=statusReplicasPath"`
	// LabelSelectorPath is the JSON path of the selector, as text.
	// +optional
	LabelSelectorPath *string `json:"labelSelectorPath,omitempty" protobuf:"bytes,3,opt,name=labelSelectorPath"`
}

// ConversionReview is what a conversion webhook is sent and answers.
type ConversionReview struct {
	metav1.TypeMeta `json:",inline"`
	// Request to the webhook.
	// +optional
	Request *ConversionRequest `json:"request,omitempty" protobuf:"bytes,1,opt,name=request"`
	// Response of the webhook.
	// +optional
	Response *ConversionResponse `json:"response,omitempty" protobuf:"bytes,2,opt,name=response"`
}

// ConversionRequest asks for objects in another version.
type ConversionRequest struct {
	// UID of the request, repeated in the response.
	UID types.UID `json:"uid" protobuf:"bytes,1,name=uid"`
	// DesiredAPIVersion is the apiVersion to convert to.
	DesiredAPIVersion string `json:"desiredAPIVersion" protobuf:"bytes,2,name=desiredAPIVersion"`
	// Objects to convert.
	// +listType=atomic
	Objects []runtime.RawExtension `json:"objects" protobuf:"bytes,3,rep,name=objects"`
}

// ConversionResponse holds converted objects.
type ConversionResponse struct {
	// UID of the request.
	UID types.UID `json:"uid" protobuf:"bytes,1,name=uid"`
	// ConvertedObjects in the order of the request.
	// +listType=atomic
	ConvertedObjects []runtime.RawExtension `json:"convertedObjects" protobuf:"bytes,2,rep,name=convertedObjects"`
	// Result says whether it worked.
	Result metav1.Status `json:"result" protobuf:"bytes,3,name=result"`
}

// JSONSchemaProps is a JSON schema (draft 4 with extensions).
type JSONSchemaProps struct {
	ID string `json:"id,omitempty" protobuf:"bytes,1,opt,name=id"`
	Schema string `json:"$schema,omitempty" protobuf:"bytes,2,opt,name=schema"`
	Ref *string `json:"$ref,omitempty" protobuf:"bytes,3,opt,name=ref"`
	Description string `json:"description,omitempty" protobuf:"bytes,4,opt,name=description"`
	Type string `json:"type,omitempty" protobuf:"bytes,5,opt,name=type"`
	// Format is checked where it is known, for example "date-time", "ipv4", "uuid"; unknown ones are ignored.
	Format string `json:"format,omitempty" protobuf:"bytes,6,opt,name=format"`
	Title string `json:"title,omitempty" protobuf:"bytes,7,opt,name=title"`
	// Default is set where the field is absent.
	Default *JSON `json:"default,omitempty" protobuf:"bytes,8,opt,name=default"`
	Maximum *float64 `json:"maximum,omitempty" protobuf:"bytes,9,opt,name=maximum"`
	ExclusiveMaximum bool `json:"exclusiveMaximum,omitempty" protobuf:"bytes,10,opt,name=exclusiveMaximum"`
	Minimum *float64 `json:"minimum,omitempty" protobuf:"bytes,11,opt,name=minimum"`
	ExclusiveMinimum bool `json:"exclusiveMinimum,omitempty" protobuf:"bytes,12,opt,name=exclusiveMinimum"`
	MaxLength *int64 `json:"maxLength,omitempty" protobuf:"bytes,13,opt,name=maxLength"`
	MinLength *int64 `json:"minLength,omitempty" protobuf:"bytes,14,opt,name=minLength"`
	Pattern string `json:"pattern,omitempty" protobuf:"bytes,15,opt,name=pattern"`
	MaxItems *int64 `json:"maxItems,omitempty" protobuf:"bytes,16,opt,name=maxItems"`
	MinItems *int64 `json:"minItems,omitempty" protobuf:"bytes,17,opt,name=minItems"`
	UniqueItems bool `json:"uniqueItems,omitempty" protobuf:"bytes,18,opt,name=uniqueItems"`
	MultipleOf *float64 `json:"multipleOf,omitempty" protobuf:"bytes,19,opt,name=multipleOf"`
	// +listType=atomic
	Enum []JSON `json:"enum,omitempty" protobuf:"bytes,20,rep,name=enum"`
	MaxProperties *int64 `json:"maxProperties,omitempty" protobuf:"bytes,21,opt,name=maxProperties"`
	MinProperties *int64 `json:"minProperties,omitempty" protobuf:"bytes,22,opt,name=minProperties"`
	// +listType=atomic
	Required []string `json:"required,omitempty" protobuf:"bytes,23,rep,name=required"`
	Items *JSONSchemaPropsOrArray `json:"items,omitempty" protobuf:"bytes,24,opt,name=items"`
	// +listType=atomic
	AllOf []JSONSchemaProps `json:"allOf,omitempty" protobuf:"bytes,25,rep,name=allOf"`
	// +listType=atomic
	OneOf []JSONSchemaProps `json:"oneOf,omitempty" protobuf:"bytes,26,rep,name=oneOf"`
	// +listType=atomic
	AnyOf []JSONSchemaProps `json:"anyOf,omitempty" protobuf:"bytes,27,rep,name=anyOf"`
	Not *JSONSchemaProps `json:"not,omitempty" protobuf:"bytes,28,opt,name=not"`
	Properties map[string]JSONSchemaProps `json:"properties,omitempty" protobuf:"bytes,29,rep,name=properties"`
	AdditionalProperties *JSONSchemaPropsOrBool `json:"additionalProperties,omitempty" protobuf:"bytes,30,opt,name=additionalProperties"`
	PatternProperties map[string]JSONSchemaProps `json:"patternProperties,omitempty" protobuf:"bytes,31,rep,name=patternProperties"`
	Dependencies map[string]JSONSchemaPropsOrStringArray `json:"dependencies,omitempty" protobuf:"bytes,32,opt,name=dependencies"`
	AdditionalItems *JSONSchemaPropsOrBool `json:"additionalItems,omitempty" protobuf:"bytes,33,opt,name=additionalItems"`
	Definitions map[string]JSONSchemaProps `json:"definitions,omitempty" protobuf:"bytes,34,opt,name=definitions"`
	ExternalDocs *ExternalDocumentation `json:"externalDocs,omitempty" protobuf:"bytes,35,opt,name=externalDocs"`
	Example *JSON `json:"example,omitempty" protobuf:"bytes,36,opt,name=example"`
	Nullable bool `json:"nullable,omitempty" protobuf:"bytes,37,opt,name=nullable"`
	// Keeps members that the schema does not name.
	XPreserveUnknownFields *bool `json:"x-kubernetes-preserve-unknown-fields,omitempty" protobuf:"bytes,38,opt,name=xKubernetesPreserveUnknownFields"`
	// The value is a whole object with apiVersion, kind and metadata.
	XEmbeddedResource bool `json:"x-kubernetes-embedded-resource,omitempty" protobuf:"bytes,39,opt,name=xKubernetesEmbeddedResource"`
	// The value is an integer or a string.
	XIntOrString bool `json:"x-kubernetes-int-or-string,omitempty" protobuf:"bytes,40,opt,name=xKubernetesIntOrString"`
	// Members that identify an element of a list of type map.
	// +optional
	// +listType=atomic
	XListMapKeys []string `json:"x-kubernetes-list-map-keys,omitempty" protobuf:"bytes,41,rep,name=xKubernetesListMapKeys"`
	// How lists merge: atomic, set or map.
	// +optional
	XListType *string `json:"x-kubernetes-list-type,omitempty" protobuf:"bytes,42,opt,name=xKubernetesListType"`
	// How objects merge: granular or atomic.
	// +optional
	XMapType *string `json:"x-kubernetes-map-type,omitempty" protobuf:"bytes,43,opt,name=xKubernetesMapType"`
	// Rules in CEL.
	// +listType=map
	// +listMapKey=rule
	XValidations []ValidationRule `json:"x-kubernetes-validations,omitempty" patchStrategy:"merge" patchMergeKey:"rule" protobuf:"bytes,44,rep,name=xKubernetesValidations"`
}

// ValidationRule is a rule in CEL.
type ValidationRule struct {
	// Rule that must be true.
	Rule string `json:"rule" protobuf:"bytes,1,opt,name=rule"`
	// Message when it is not.
	Message string `json:"message,omitempty" protobuf:"bytes,2,opt,name=message"`
	// MessageExpression gives the message in CEL.
	// +optional
	MessageExpression string `json:"messageExpression,omitempty" protobuf:"bytes,3,opt,name=messageExpression"`
	// Reason for clients.
	// +optional
	Reason *string `json:"reason,omitempty" protobuf:"bytes,4,opt,name=reason"`
	// FieldPath that the failure is reported for.
	// +optional
	FieldPath string `json:"fieldPath,omitempty" protobuf:"bytes,5,opt,name=fieldPath"`
	// OptionalOldSelf evaluates the rule also where there is no old value.
	// +optional
	OptionalOldSelf *bool `json:"optionalOldSelf,omitempty" protobuf:"bytes,6,opt,name=optionalOldSelf"`
}

// ExternalDocumentation points to further documentation.
type ExternalDocumentation struct {
	Description string `json:"description,omitempty" protobuf:"bytes,1,opt,name=description"`
	URL string `json:"url,omitempty" protobuf:"bytes,2,opt,name=url"`
}

// JSONSchemaPropsOrArray is a schema or an array of schemas.
// +k3x:union=array
type JSONSchemaPropsOrArray struct {
	Schema *JSONSchemaProps `json:"schema,omitempty" protobuf:"bytes,1,opt,name=schema"`
	JSONSchemas []JSONSchemaProps `json:"jSONSchemas,omitempty" protobuf:"bytes,2,rep,name=jSONSchemas"`
}

// JSONSchemaPropsOrBool is a schema or a boolean.
// +k3x:union=bool
type JSONSchemaPropsOrBool struct {
	Allows bool `json:"allows,omitempty" protobuf:"varint,1,opt,name=allows"`
	Schema *JSONSchemaProps `json:"schema,omitempty" protobuf:"bytes,2,opt,name=schema"`
}

// JSONSchemaPropsOrStringArray is a schema or an array of strings.
// +k3x:union=array
type JSONSchemaPropsOrStringArray struct {
	Schema *JSONSchemaProps `json:"schema,omitempty" protobuf:"bytes,1,opt,name=schema"`
	Property []string `json:"property,omitempty" protobuf:"bytes,2,rep,name=property"`
}

/* The definitions of HelmChart and HelmChartConfig (helm.cattle.io/v1), the kinds by which a k3s cluster is told to
 * install charts: the same fields, short names and columns, so that files written for k3s apply here.
 *
 * Pure; any thread; all lives in the arena. Upstream: k3s-io/helm-controller pkg/apis/helm.cattle.io/v1. */
#ifndef K3X_API_CONTROLLERS_CHART_KINDS_H
#define K3X_API_CONTROLLERS_CHART_KINDS_H

#include "base/json/json.h"

#define CHARTS_VERSION "helm.cattle.io/v1"
#define CHARTS_CRD "helmcharts.helm.cattle.io"
#define CHART_CONFIGS_CRD "helmchartconfigs.helm.cattle.io"

/* The two CustomResourceDefinitions. */
struct json *chart_kind(struct arena *a);
struct json *chart_config_kind(struct arena *a);

#endif

// Package crds keeps the requirement on the API types: controller-gen reads them by import path.
package crds

import _ "github.com/metal3-io/baremetal-operator/apis/metal3.io/v1alpha1"

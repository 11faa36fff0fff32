// Package crds keeps the requirement on the API types: controller-gen reads them by import path.
package crds

import _ "github.com/metal3-io/ip-address-manager/api/v1alpha1"

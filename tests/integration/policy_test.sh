#!/bin/sh
# ValidatingAdmissionPolicies: policy_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B policy_test.py "$@"

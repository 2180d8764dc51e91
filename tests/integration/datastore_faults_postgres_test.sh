#!/bin/sh
# Two servers on one postgres, and faults at random: datastore_faults_test.py.
cd "$(dirname "$0")" && exec python3 -B datastore_faults_test.py postgres "$@"

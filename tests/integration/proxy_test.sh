#!/bin/sh
# Proxies to pods and services: proxy_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B proxy_test.py "$@"

#!/bin/sh
# Conversion webhooks of custom resources: conversion_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B conversion_test.py "$@"

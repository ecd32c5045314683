#!/bin/sh
# Tries a copy that backup.sh made: drill.sh COPY REVIEW_KEY. Works on a copy of the copy, on a machine of the officer's.
set -eu
copy=$1
key=$2
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
cp -R "$copy/." "$home/"
tutela --home "$home" evidence drill --key "$key"

#!/bin/sh
# Copies a deployment while it runs: backup.sh HOME FOLDER. The database first: what it names is then in the later copy
# of the evidence. The copy opens nothing by itself: the review key is kept elsewhere, and must stay there.
set -eu
home=$1
folder=$2/$(date -u +%Y%m%dT%H%M%SZ)
umask 077
mkdir -p "$folder"
tutela --home "$home" store backup "$folder/tutela.db"
if [ -f "$home/labels.toml" ]; then cp "$home/labels.toml" "$folder/"; fi
if [ -d "$home/evidence" ]; then cp -R "$home/evidence" "$folder/"; fi
echo "$folder"

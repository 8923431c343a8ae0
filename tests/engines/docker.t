#!/bin/bash
# The stories of a fleet on Docker.
ENGINE=docker FLAGS=(--live-restore)
. "$(dirname "$0")/stories.sh"

#!/bin/bash
# The stories of a fleet on Podman.
ENGINE=podman FLAGS=()
. "$(dirname "$0")/stories.sh"

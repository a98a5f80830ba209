#!/bin/sh
# Starts the worker as an ordinary user. Only docket's own folder on the volume changes hands; the model cache is only read.
set -eu
if [ "$(id -u)" != 0 ]; then
    exec docket worker "$@"
fi
if [ -d /runpod-volume ] && mkdir -p /runpod-volume/docket/spool 2>/dev/null; then
    chown -R 10001:10001 /runpod-volume/docket 2>/dev/null || echo "docket: cannot own /runpod-volume/docket; results are kept in the container" >&2
fi
export HOME=/home/docket
exec setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs --bounding-set=-all docket worker "$@"

#!/bin/bash
# Runs the listener for the service manager and passes its stop on as SIGINT.

child=
trap 'kill -INT $child' TERM INT

if [ -f .path ]; then
    PATH=$(cat .path)
    export PATH
    echo ".path=${PATH}"
fi

./externals/node20/bin/node ./bin/RunnerService.js &
child=$!
wait $child
# A trapped signal ends the first wait early; this one returns node's exit code.
trap - TERM INT
wait $child

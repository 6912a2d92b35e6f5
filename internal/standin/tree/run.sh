#!/bin/bash
# Runs the listener in the foreground, again where its exit code says so.

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" || exit 1
if [ "$(id -u)" -eq 0 ] && [ -z "$RUNNER_ALLOW_RUNASROOT" ]; then
    echo "Must not run interactively with sudo"
    exit 1
fi
while :; do
    ./bin/Runner.Listener run "$@"
    case $? in
    0 | 1 | 5) exit 0 ;;
    7) exit 7 ;;
    esac
    ./safe_sleep.sh 5
done

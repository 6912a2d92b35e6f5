#!/bin/bash
# Registers this runner, or removes it again. Stand-in: the work is the listener's.

if [ "$(id -u)" -eq 0 ] && [ -z "$RUNNER_ALLOW_RUNASROOT" ]; then
    echo "Must not run with sudo"
    exit 1
fi

# The real listener does not start without ICU; this one asks only if its package says so.
if [ -f ./bin/needs-libicu ]; then
    ldconfig=$(command -v ldconfig || echo /sbin/ldconfig)
    if ! "$ldconfig" -NXv 2>/dev/null | grep -q libicu; then
        echo "Libicu's dependencies is missing for Dotnet Core 6.0"
        echo "Execute sudo ./bin/installdependencies.sh to install any missing Dotnet Core 6.0 dependencies."
        exit 1
    fi
fi

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" || exit 1
source ./env.sh

case "${1,,}" in
remove)
    shift
    ./bin/Runner.Listener remove "$@"
    ;;
*)
    ./bin/Runner.Listener configure "$@"
    ;;
esac

#!/bin/bash
# Keeps what this shell knows for the jobs: PATH in .path, a few variables in .env.
# That either cannot be written does no harm.

kept=(LANG JAVA_HOME ANT_HOME M2_HOME ANDROID_HOME ANDROID_SDK_ROOT GRADLE_HOME NVM_BIN NVM_PATH LD_LIBRARY_PATH PERL5LIB)

echo "$PATH" >.path

known=""
if [ -f .env ]; then
    known=$(cat .env)
else
    touch .env
fi
for name in "${kept[@]}"; do
    if [ -n "${!name}" ] && [[ "$known" != *"$name="* ]]; then
        echo "$name=${!name}" >>.env
    fi
done

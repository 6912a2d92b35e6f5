#!/bin/bash
# Sleeps the given number of seconds without a program of its own.
until=$((SECONDS + $1))
while ((SECONDS < until)); do
    read -rt 1 <> <(:) || :
done

#!/bin/bash
# Stand-in: what the real one would install is benchctl's to install.
echo "Nothing to install"

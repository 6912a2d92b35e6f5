#!/usr/bin/env node
// Stand-in: the program called node in externals plays this script itself. It starts
// bin/Runner.Listener, again where its exit code says so, and always ends with 0.

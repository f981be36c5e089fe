#!/bin/sh
# Make a Chromium and a Redis available for the tests that want them: the system's, else apt as root, else (Chromium only)
# Playwright's own download. Without them those tests are skipped, and both this script and pytest say so.
set -u
have() { command -v "$1" >/dev/null 2>&1; }
downloaded() { ls -d "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}"/chromium* >/dev/null 2>&1; }
browser() { have chromium || downloaded; }
# Debian's redis-tools carry the server under another name, and start no service.
redis() { have redis-server || have valkey-server || have redis-check-rdb; }

# The Node inside Playwright wants a library that a small Debian lacks; the one of the wheel does not.
driver=$(.venv/bin/python -c 'import playwright, pathlib; print(pathlib.Path(playwright.__file__).parent / "driver/node")')
"$driver" --version >/dev/null 2>&1 || ln -sf "$(scripts/node.sh)/node" "$driver"

missing=
browser || missing="chromium fonts-noto-core"
redis || missing="$missing redis-tools"
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && have apt-get; then
    echo "installing with apt: $missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list of names
    apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
browser || { echo "downloading Chromium with Playwright" && .venv/bin/playwright install chromium; }
browser || echo "**** no Chromium: THE BROWSER TESTS WILL BE SKIPPED. Install one, e.g. apt install chromium ****" >&2
redis || echo "**** no Redis: ITS TESTS WILL BE SKIPPED. Install one, e.g. apt install redis-server ****" >&2
exit 0

#!/bin/sh
# Make a Chromium available for the browser tests: the system's, else apt as root, else Playwright's own download.
# Without any of these the browser tests are skipped, and both this script and pytest say so.
set -u
downloaded() { ls -d "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}"/chromium* >/dev/null 2>&1; }

# The Node inside Playwright wants a library that a small Debian lacks; the one of the wheel does not.
driver=$(.venv/bin/python -c 'import playwright, pathlib; print(pathlib.Path(playwright.__file__).parent / "driver/node")')
"$driver" --version >/dev/null 2>&1 || ln -sf "$(scripts/node.sh)/node" "$driver"

command -v chromium >/dev/null 2>&1 && exit 0
downloaded && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing Chromium and its fonts with apt"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-core >/dev/null && exit 0
fi
echo "downloading Chromium with Playwright"
.venv/bin/playwright install chromium && exit 0
echo "**** no Chromium: THE BROWSER TESTS WILL BE SKIPPED. Install one, e.g. apt install chromium ****" >&2
exit 0

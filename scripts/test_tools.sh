#!/bin/sh
# Make a Chromium and a Redis available for the tests that want them: the system's, else apt as root, else (Chromium only)
# Playwright's own download. The servers that stand around an installation (proxies, a pooler, a rule checker) are only
# unpacked: installed, they would start. Without them those tests are skipped, and both this script and pytest say so.
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

tools=.venv/tools
program() { PATH="$PATH:/usr/sbin:$tools/usr/bin:$tools/usr/sbin" command -v "$1" >/dev/null 2>&1; }
# PACKAGE: its files below $tools, where tests/kit/tools.py looks; nothing is started, and nothing but $tools is changed.
unpack() {
    place=$(mktemp -d) && (cd "$place" && apt-get download -qq "$1") >/dev/null 2>&1 &&
        mkdir -p "$tools" && dpkg-deb -x "$place"/*.deb "$tools"
    rm -rf "$place"
}
for pair in nginx:nginx caddy:caddy pgbouncer:pgbouncer promtool:prometheus; do
    program "${pair%:*}" && continue
    if have apt-get && have dpkg-deb; then
        [ -n "${refreshed:-$missing}" ] || [ "$(id -u)" != 0 ] || apt-get update -qq
        refreshed=yes
        echo "unpacking ${pair#*:}" && unpack "${pair#*:}"
    fi
    program "${pair%:*}" || echo "**** no ${pair%:*}: ITS TESTS WILL BE SKIPPED ****" >&2
done
# Libraries start nothing; as root, those that an unpacked program lacks are installed.
if program pgbouncer && [ "$(id -u)" = 0 ] && have apt-get && ldd "$tools/usr/sbin/pgbouncer" 2>/dev/null | grep -q "not found"; then
    # shellcheck disable=SC2046 # a list of names
    apt-get install -y -qq --no-install-recommends $(apt-cache depends pgbouncer | awk '/ Depends: lib/ {print $2}') >/dev/null
fi

browser || { echo "downloading Chromium with Playwright" && .venv/bin/playwright install chromium; }
browser || echo "**** no Chromium: THE BROWSER TESTS WILL BE SKIPPED. Install one, e.g. apt install chromium ****" >&2
redis || echo "**** no Redis: ITS TESTS WILL BE SKIPPED. Install one, e.g. apt install redis-server ****" >&2
exit 0

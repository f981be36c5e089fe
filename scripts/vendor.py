"""Copy the front-end packages that pages load into the static files, each under a name that holds its hash.

`manifest.json` beside them maps the plain name to the hashed one. axe-core is not copied: tests read node_modules.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/zena/web/static/vendor"
FILES = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "idiomorph.js": "idiomorph/dist/idiomorph.min.js",
}


def vendor(packages: Path, target: Path) -> dict[str, str]:
    """Fill `target` anew and return its manifest. A package that is not installed raises FileNotFoundError."""
    sources = {plain: (packages / path).read_bytes() for plain, path in FILES.items()}
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    manifest = {plain: hashed_name(plain, body) for plain, body in sources.items()}
    for plain, name in manifest.items():
        (target / name).write_bytes(sources[plain])
    (target / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


def hashed_name(plain: str, body: bytes) -> str:
    """Return `name.hash.suffix`."""
    stem, dot, suffix = plain.rpartition(".")
    return f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}{dot}{suffix}"


if __name__ == "__main__":
    try:
        print("vendored", ", ".join(vendor(ROOT / "node_modules", TARGET).values()))
    except FileNotFoundError as missing:
        sys.exit(f"{missing.filename} is missing: run `npm ci` first")

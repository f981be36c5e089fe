"""Static files: read once at start, named by one hash of them all, so that a browser may keep them for ever.

The hash is a folder (`/static/3f2a9c1d/js/app.js`): modules may then import each other by relative paths.
"""

import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
_IMPORT = re.compile(rb'@import "([\w./-]+)" layer\(([\w.-]+)\);\n?')
_WORTH_PACKING = 600


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it goes over the wire."""

    body: bytes
    packed: bytes | None
    media_type: str


class Assets:
    """The files under one folder. Only what stood there at start is ever served."""

    def __init__(self, root: Path, prefix: str = "/static") -> None:
        self.prefix = prefix
        self._files = _collect(root)
        self._names = _vendor_names(root)
        digest = hashlib.sha256()
        for name, asset in sorted(self._files.items()):
            digest.update(name.encode() + b"\0" + asset.body + b"\0")
        self.version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """Return the address of a file; `vendor/htmx.js` stands for the hashed one. Unknown names raise KeyError."""
        path = self._names.get(name, name)
        if path not in self._files:
            raise KeyError(f"no static file {name}")
        return f"{self.prefix}/{self.version}/{path}"

    def has(self, name: str) -> bool:
        return self._names.get(name, name) in self._files

    def get(self, path: str) -> Asset | None:
        """Return the file at a path below the version folder, or None."""
        return self._files.get(path)


def _collect(root: Path) -> dict[str, Asset]:
    found = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p.suffix in _TYPES):
        body = _joined(path) if path.suffix == ".css" else path.read_bytes()
        packed = gzip.compress(body, 9, mtime=0) if len(body) > _WORTH_PACKING and path.suffix != ".png" else None
        found[path.relative_to(root).as_posix()] = Asset(body, packed, _TYPES[path.suffix])
    return found


def _joined(path: Path) -> bytes:
    """Return a style sheet with its imports in place: one request instead of a chain of them."""

    def inline(match: re.Match[bytes]) -> bytes:
        part = (path.parent / match[1].decode()).read_bytes()
        return b"@layer " + match[2] + b" {\n" + part + b"}\n"

    return _IMPORT.sub(inline, path.read_bytes())


def _vendor_names(root: Path) -> dict[str, str]:
    manifest = root / "vendor" / "manifest.json"
    if not manifest.is_file():
        return {}
    names: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))
    return {f"vendor/{plain}": f"vendor/{hashed}" for plain, hashed in names.items()}

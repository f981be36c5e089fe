"""The one way out: requests to addresses that users typed, which must never reach what only we can reach (SSRF)."""

from zena.kit.http.client import FetchFailed, Reply, SafeHttp
from zena.kit.http.policy import HttpPolicy, check_url

__all__ = ["FetchFailed", "HttpPolicy", "Reply", "SafeHttp", "check_url"]

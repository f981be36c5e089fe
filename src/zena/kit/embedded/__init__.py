"""PostgreSQL as part of the product: the binaries of a wheel, our own cluster, a child of the supervisor.

Standard library only, so that the supervisor stays small and lives when all else dies.
"""

from zena.kit.embedded.cluster import EmbeddedPostgres
from zena.kit.embedded.running import urls_of_running
from zena.kit.embedded.urls import AlreadyRunning, ClusterUrls, EmbeddedError

__all__ = ["AlreadyRunning", "ClusterUrls", "EmbeddedError", "EmbeddedPostgres", "urls_of_running"]

"""The loggers of this program."""

import structlog

Logger = structlog.stdlib.BoundLogger

if not structlog.is_configured():
    # Until logging is set up, warnings go to standard error. The library's own default is standard output, where a
    # command's answer belongs.
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
        wrapper_class=Logger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def get_logger(name: str) -> Logger:
    """Return the logger of a module, or of a channel: zena.audit, zena.security, zena.jobs."""
    return structlog.stdlib.get_logger(name)

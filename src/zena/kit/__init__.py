"""Domain-free building blocks: database, unit of work, tenancy, events, queue, cache, realtime, pages."""

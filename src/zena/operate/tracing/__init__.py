"""Following one request through this very process, as somebody, without leaving anything behind."""

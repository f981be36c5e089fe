"""The commands of whoever runs the server. Each answers truthfully in seconds, for people or with --json."""

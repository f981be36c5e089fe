"""Live connections as operators see them: process by process, firm by firm, and one person's in particular."""

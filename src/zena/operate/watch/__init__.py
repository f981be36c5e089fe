"""Watching: every symptom looked at in turn, what is found remembered, incidents opened and closed."""

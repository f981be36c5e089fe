"""The faults, by what they touch. Each is a block: broken inside, as before at its end."""

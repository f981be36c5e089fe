"""A believable firm to look around in: three projects with their work breakdown, people, comments and some trouble."""

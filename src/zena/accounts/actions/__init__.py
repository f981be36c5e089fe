"""What can be done to firms, people and their ways in: one function per verb, called by page, API and command alike."""

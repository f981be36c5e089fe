"""Why something is as it is: chains of conditions, each with what was found."""

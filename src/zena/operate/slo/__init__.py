"""Service levels: what is promised, as data; how much of the budget is left, and how fast it burns."""

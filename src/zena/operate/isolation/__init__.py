"""Whether firms are held apart, tried out: two firms that nobody sees, and everything one may try on the other."""

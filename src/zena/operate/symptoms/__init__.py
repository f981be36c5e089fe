"""What goes wrong, one module each: the signal that shows it, and the causes that are looked for."""

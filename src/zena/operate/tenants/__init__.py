"""One firm as the operator handles it: shut out, taken along, brought in, erased."""

"""Speed and scale, measured against the floor of the machine in the same run. `python -m bench` or `make bench`."""

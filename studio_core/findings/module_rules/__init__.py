"""Rules about an opened module or model: its memory, what is asked of it, its run; one a file."""

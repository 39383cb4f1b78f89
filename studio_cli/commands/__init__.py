"""The commands, one a file: ``add_to`` says how it is called, ``run`` does it."""

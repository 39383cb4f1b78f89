"""The third door: what Studio's core answers, on the command line.

`main` parses and maps errors to exit codes; each command of ``commands/`` is one file with
its arguments, its examples and what it prints. Commands import the core (numpy, onnx) and
rich inside their functions, so that ``studio --help`` answers at once.
"""

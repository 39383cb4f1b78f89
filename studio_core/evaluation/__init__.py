"""Running a model on data: what goes in, and how far the outputs are from what they should be."""

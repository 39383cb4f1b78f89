"""Running a module or a model without its hardware: time and accuracy of each operation."""

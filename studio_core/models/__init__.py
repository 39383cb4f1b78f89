"""Reading models: an ONNX file as a graph, with its weights left on disk until asked for."""

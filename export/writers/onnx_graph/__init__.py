"""What is done to an ONNX graph after its exporter."""

"""OpenVINO: models on a processor in float32, bfloat16 or int8, without torch."""

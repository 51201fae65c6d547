"""OpenVINO: models on a CPU in float32, bfloat16 or int8, without torch."""

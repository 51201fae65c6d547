"""Torch: all models, on a CPU or a GPU, in float32, bfloat16 or float16. Requires the extra `train`."""

"""Torch: every kind of model, on a processor or a GPU, in float32, bfloat16 or float16; needs the extra `train`."""

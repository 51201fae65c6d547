"""ONNX Runtime with dynamic int8, in a separate environment. Reads requests from stdin and writes times to stdout.

    python onnx_peer.py MODEL_FOLDER WORK_FOLDER

The response to a line {"query": …, "passages": […]} is {"seconds": …, "logits": […]}. The model is exported by torch
and quantized as onnxruntime's guide for transformers recommends (dynamic, int8 weights per channel). Texts are scored
in batches of 32 by decreasing length, as CrossEncoder.predict does. The script does not import this project.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

BATCH = 32
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def quantize(folder: Path, work: Path) -> Path:
    """Returns the path of the int8 model, after creating it if needed."""
    exported, quantized = work / "exported.onnx", work / "int8.onnx"
    if not quantized.exists():
        model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
        example = tuple(torch.ones((2, 16), dtype=torch.long) for _ in INPUTS)
        axes = {name: {0: "batch", 1: "length"} for name in INPUTS}
        torch.onnx.export(
            model, example, str(exported), input_names=list(INPUTS), output_names=["logits"], dynamic_axes=axes,
            opset_version=17, dynamo=False,
        )  # fmt: skip
        quantize_dynamic(str(exported), str(quantized), weight_type=QuantType.QInt8, per_channel=True)
    return quantized


def scores(
    session: onnxruntime.InferenceSession, tokenizer: Tokenizer, query: str, passages: list[str]
) -> NDArray[np.float32]:
    """Returns the logits in input order, float32 (passages,)."""
    order = sorted(range(len(passages)), key=lambda i: -len(passages[i]))
    logits = np.zeros(len(passages), dtype=np.float32)
    for start in range(0, len(order), BATCH):
        indices = order[start : start + BATCH]
        encoded = tokenizer.encode_batch([(query, passages[i]) for i in indices])
        rows = {
            "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
            "attention_mask": np.array([e.attention_mask for e in encoded], dtype=np.int64),
            "token_type_ids": np.array([e.type_ids for e in encoded], dtype=np.int64),
        }
        logits[indices] = session.run(None, rows)[0][:, 0]
    return logits


def main() -> None:
    """Responds until stdin ends."""
    folder, work = Path(sys.argv[1]), Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    session = onnxruntime.InferenceSession(str(quantize(folder, work)), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(512, strategy="only_second")
    for line in sys.stdin:
        request = json.loads(line)
        started = time.perf_counter()
        logits = scores(session, tokenizer, request["query"], request["passages"])
        seconds = time.perf_counter() - started
        print(json.dumps({"seconds": seconds, "logits": logits.tolist()}), flush=True)


if __name__ == "__main__":
    main()

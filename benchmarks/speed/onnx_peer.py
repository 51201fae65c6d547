"""ONNX Runtime with dynamic int8, in an environment of its own: reads requests on stdin, answers seconds on stdout.

python onnx_peer.py MODEL_FOLDER WORK_FOLDER

A line {"query": …, "passages": […]} is answered by {"seconds": …, "logits": […]}. The model is exported by torch and
quantised as onnxruntime's guide has it for transformers (dynamic, int8 weights by channel); texts are read in batches
of 32 by falling length, as CrossEncoder.predict reads them. It names nothing of this project.
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


def quantised(folder: Path, work: Path) -> Path:
    """The path of the int8 model, made unless it is there."""
    whole, small = work / "whole.onnx", work / "int8.onnx"
    if not small.exists():
        model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
        example = tuple(torch.ones((2, 16), dtype=torch.long) for _ in INPUTS)
        axes = {name: {0: "batch", 1: "length"} for name in INPUTS}
        torch.onnx.export(
            model, example, str(whole), input_names=list(INPUTS), output_names=["logits"], dynamic_axes=axes,
            opset_version=17, dynamo=False,
        )  # fmt: skip
        quantize_dynamic(str(whole), str(small), weight_type=QuantType.QInt8, per_channel=True)
    return small


def scores(
    session: onnxruntime.InferenceSession, tokenizer: Tokenizer, query: str, passages: list[str]
) -> NDArray[np.float32]:
    """Logits float32 (len(passages),), in input order."""
    order = sorted(range(len(passages)), key=lambda i: -len(passages[i]))
    found = np.zeros(len(passages), dtype=np.float32)
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        encoded = tokenizer.encode_batch([(query, passages[i]) for i in places])
        rows = {
            "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
            "attention_mask": np.array([e.attention_mask for e in encoded], dtype=np.int64),
            "token_type_ids": np.array([e.type_ids for e in encoded], dtype=np.int64),
        }
        found[places] = session.run(None, rows)[0][:, 0]
    return found


def main() -> None:
    """Answer until stdin ends."""
    folder, work = Path(sys.argv[1]), Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    session = onnxruntime.InferenceSession(str(quantised(folder, work)), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(512, strategy="only_second")
    for line in sys.stdin:
        asked = json.loads(line)
        begun = time.perf_counter()
        logits = scores(session, tokenizer, asked["query"], asked["passages"])
        seconds = time.perf_counter() - begun
        print(json.dumps({"seconds": seconds, "logits": logits.tolist()}), flush=True)


if __name__ == "__main__":
    main()

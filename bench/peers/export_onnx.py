"""Writes the peer as ONNX (opset 17) for ort.mjs: VARIANT-bBATCH.onnx, and a .json with the expected logits.

usage: export_onnx.py OUT_DIR ['VARIANT forward BATCH' ...]       torch alone is enough
"""

import argparse
import importlib.util
import json
import warnings
from pathlib import Path

warnings.filterwarnings('ignore')
import torch

from bench import CASES, Case, count_gmacs, oracle_output, parse_case


def allow_without_onnx():
    """Replaces the onnx package, which the exporter needs only to add onnxscript functions; this model has none."""
    if importlib.util.find_spec('onnx') is None:
        from torch.onnx._internal.torchscript_exporter import onnx_proto_utils

        onnx_proto_utils._add_onnxscript_fn = lambda model_bytes, _custom_opsets: model_bytes


def export(text, folder):
    variant, work, batch = parse_case(text)
    if work != 'forward':
        raise ValueError(f"expected a 'forward' case, got '{text}'")
    case = Case(text)
    case.model.eval()
    path = folder / f'{variant}-b{batch}.onnx'
    with torch.no_grad():
        # the TorchScript exporter: the newer one needs packages besides torch
        torch.onnx.export(case.model, (case.x,), str(path), opset_version=17, dynamo=False,
                          input_names=['x'], output_names=['logits'])
    about = {'case': text, 'shape': list(case.x.shape), 'gmacs': round(count_gmacs(case.model, case.x), 4)}
    path.with_suffix('.json').write_text(json.dumps({**about, 'output': oracle_output(text, torch.get_num_threads())}))
    print(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('cases', nargs='*', default=[case for case in CASES if ' forward ' in case])
    args = parser.parse_args()
    allow_without_onnx()
    args.folder.mkdir(parents=True, exist_ok=True)
    for text in args.cases:
        export(text, args.folder)


if __name__ == '__main__':
    main()

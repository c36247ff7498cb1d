"""Weights as integers: near the weight, exact where a format could spoil them, packed alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiresldm.calibration.layers import quantizable
from hiresldm.calibration.quantization import quantize
from hiresldm.calibration.quantize import quantized
from hiresldm.core.bundle.quantized import dequantize
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.errors import ParityError, UsageError
from hiresldm.core.signal.metrics import snr_db
from hiresldm.export.writers.onnx_graph.integers import pack, unpack
from hiresldm.export.writers.roundtrip import check_floats, check_integers
from hiresldm.families.checkpoints import load
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE


@pytest.mark.parametrize(("bits", "floor_db"), [(8, 38.0), (4, 18.0)])
def test_a_weight_survives_at_its_bits_and_its_scales_are_fp16(bits: int, floor_db: float):
    weight = np.random.default_rng(0).standard_normal((96, 40)).astype(np.float32)
    made = quantize(weight, bits)
    assert np.abs(made.integers).max() == 2 ** (bits - 1) - 1
    assert made.scale.shape == ((1, 40) if bits == 8 else (3, 40))
    np.testing.assert_array_equal(made.scale, made.scale.astype(np.float16))
    assert snr_db(weight, dequantize(made)) >= floor_db


def test_at_four_bits_the_scale_costs_least_and_cuts_where_that_pays():
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((256, 50)).astype(np.float32)
    whole = np.abs(weight.reshape(8, 32, 50)).max(axis=1) / 7
    made = quantize(weight, 4)
    assert (made.scale <= whole * 1.001).all() and (made.scale < 0.97 * whole).mean() > 0.3
    uncut = np.repeat(whole, 32, axis=0)
    plain = np.rint(weight / uncut) * uncut
    assert snr_db(weight, dequantize(made)) > snr_db(weight, plain) + 0.5
    # What four bits hold exactly, they keep.
    exact = rng.integers(-7, 8, (32, 50)).astype(np.float32)
    exact[0] = 7
    np.testing.assert_array_equal(dequantize(quantize(exact, 4)), exact)


def test_what_converters_would_corrupt_is_refused():
    with pytest.raises(UsageError, match="multiple of 32"):
        quantize(np.ones((33, 4), np.float32), 4)
    with pytest.raises(UsageError, match="4 and 8"):
        quantize(np.ones((32, 4), np.float32), 6)


def test_rounding_twice_gives_the_same_integers():
    """ONNX Runtime's w8a8 quantizer is fed rounded weights and must arrive at ours."""
    weight = np.random.default_rng(1).standard_normal((64, 300)).astype(np.float32)
    once = quantize(weight, 8)
    np.testing.assert_array_equal(once.integers, quantize(dequantize(once), 8).integers)


@given(st.lists(st.integers(-8, 7), min_size=2, max_size=64).filter(lambda v: len(v) % 2 == 0))
def test_four_bit_integers_are_packed_and_unpacked(values: list[int]):
    integers = np.array(values, np.int8)
    packed = pack(integers)
    assert len(packed) == len(values) // 2
    np.testing.assert_array_equal(integers, unpack(packed, integers.shape))


def test_small_weights_keep_8_bits():
    """Those of the network that all bands share: 4 bits would save 18 kB, and cost ESTOI."""
    made = quantized("recovery", load(EMBEDDED_BUNDLE).recovery, Precision.INT4, {})
    eight = {name for name, weight in made.items() if weight.bits == 8}
    assert eight == {"embed.weight"} | {name for name in made if name.startswith("bands.")}


def test_precisions_choose_layers_and_bits():
    module = load(EMBEDDED_BUNDLE).decoder
    assert quantized("decoder", module, Precision.FP16, {}) == {}
    int4 = quantized("decoder", module, Precision.INT4, {})
    assert int4.keys() == {f"{path}.weight" for path in quantizable(module)}
    assert {name for name, weight in int4.items() if weight.bits == 8} == {"embed_recovered.weight"}
    layers = {f"decoder.{name.removesuffix('.weight')}": Precision.FP16 for name in int4}
    layers["decoder.head"] = Precision.INT4
    mixed = quantized("decoder", module, Precision.MIXED, layers)
    assert {name: weight.bits for name, weight in mixed.items()} == {"head.weight": 4}


def test_one_changed_weight_is_found(tmp_path):
    meant = {"a.weight": quantize(np.eye(32, dtype=np.float32), 8)}
    integers = meant["a.weight"].integers.copy()
    check_integers(tmp_path, {"a.weight": integers}, meant)
    integers[3, 4] = 1
    with pytest.raises(ParityError, match=r"a\.weight"):
        check_integers(tmp_path, {"a.weight": integers}, meant)
    with pytest.raises(ParityError, match="not of"):
        check_integers(tmp_path, {}, meant)
    floats = {"b.weight": np.ones((4, 4), np.float32)}
    with pytest.raises(ParityError, match=r"b\.weight"):
        check_floats(tmp_path, {"b.weight": floats["b.weight"] * 1.01}, floats, slack=1e-3)
    with pytest.raises(ParityError, match="does not hold"):
        check_floats(tmp_path, {}, floats, slack=1e-3)

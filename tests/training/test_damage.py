"""Damage on real speech: seeded, aligned, at the model's level, and doing what its name says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import signal

from hiresldm.core.errors import UsageError
from hiresldm.core.signal.loudness import LoudnessMeter, gain_to
from hiresldm.training.damage import chain, effects, noises
from hiresldm.training.damage.bank import Sounds
from hiresldm.training.damage.chain import Chain
from hiresldm.training.damage.draws import Draw
from hiresldm.training.damage.kinds import KINDS, Damage, together
from hiresldm.training.damage.levels import integrated_lufs, model_gain
from hiresldm.training.data import codecs, rooms
from hiresldm.training.data.material import Clips, Coded, Material, Speech

RATE_HZ = 48_000


def material_of(waves: list[np.ndarray], speakers: list[int], **more: object) -> Material:
    """A material whose targets are half as loud as its recordings, so that they can be told."""
    targets = [wave * np.float32(0.5) for wave in waves]
    count = len(waves)
    speech = Speech(
        Clips.of(waves),
        Clips.of(targets),
        np.array(speakers, np.int64),
        np.full(count, 20_000.0),
        np.ones(count),
    )
    made_up = rooms.of(())
    return replace(Material(speech, Clips.of([waves[0][::-1]]), made_up), **more)


@pytest.fixture(scope="module")
def sounds(speech: np.ndarray) -> Sounds:
    return Sounds(material_of([speech, speech[:120_000]], [0, 1]))


def lag_of(changed: np.ndarray, speech: np.ndarray) -> int:
    scores = signal.correlate(changed, speech, method="fft")
    return int(np.argmax(scores)) - (len(speech) - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_seeded_finite_aligned_and_keeps_the_length(sounds, speech, kind: str):
    damage = Damage(sounds)
    first, again, other = (damage(speech, (kind,), Draw(seed)) for seed in (1, 1, 2))
    assert first.shape == speech.shape and np.isfinite(first).all()
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, speech)
    assert abs(lag_of(first, speech)) <= 48  # a causal filter may come a little late


@pytest.mark.parametrize("seed", range(6))
def test_a_codec_leaves_speech_where_it_was(speech, seed: int):
    for codec in (codecs.coded, codecs.telephoned):
        assert abs(lag_of(codec(speech, np.random.default_rng(seed)), speech)) <= 2


def test_a_telephone_has_no_top_and_is_worse_than_its_band(speech):
    said = codecs.telephoned(speech, np.random.default_rng(1))
    spectrum = np.abs(np.fft.rfft(said))
    hz = np.fft.rfftfreq(len(said), 1 / RATE_HZ)
    assert spectrum[hz > 4200].max() < 1e-2 * spectrum.max()
    band = np.fft.irfft(np.fft.rfft(speech) * ((hz > 500) & (hz < 3000)), len(speech))
    heard = np.fft.irfft(np.fft.rfft(said) * ((hz > 500) & (hz < 3000)), len(speech))
    share = float(heard @ band / (band @ band))
    assert 5 < 10 * np.log10(((share * band) ** 2).sum() / ((heard - share * band) ** 2).sum()) < 40


def test_reverb_keeps_the_direct_sound_in_place_and_the_level(speech):
    late = np.pad(rooms.made_up(np.random.default_rng(0)), (777, 0))
    fitted, direct = rooms._fitted(late)
    wave = torch.from_numpy(speech)[None]
    room = torch.from_numpy(fitted)[None]
    echoed = effects.reverberate(wave, room, torch.tensor([direct]), Draw(0))
    assert lag_of(echoed[0].numpy(), speech) == 0
    levels = [float(effects.active_level(one)) for one in (wave, echoed)]
    assert levels[0] == pytest.approx(levels[1], rel=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_low_pass_takes_the_top_away(speech, seed: int):
    hiss = speech + 0.01 * np.random.default_rng(9).standard_normal(len(speech))
    wave = torch.from_numpy(hiss.astype(np.float32))[None]
    tops = [
        np.abs(np.fft.rfft(one[0].numpy())[len(speech) * 20 // 48 :]).mean()
        for one in (wave, effects.low_pass(wave, Draw(seed)))
    ]
    assert tops[1] < 0.7 * tops[0]


def test_noise_stands_as_far_below_speech_as_is_drawn(sounds, speech):
    wave = torch.from_numpy(speech)[None]
    for seed in range(5):
        draw = Draw(seed)
        hiss = Damage(sounds)(speech, ("hiss",), draw) - speech
        level = float(effects.active_level(wave)) / float(np.sqrt((hiss**2).mean()))
        assert 20 <= 20 * np.log10(level) <= 38.1


def test_clicks_are_sparser_than_a_rolled_r():
    draw = Draw(3)
    made = noises.clicks(64, 2 * RATE_HZ, draw)
    assert made.isfinite().all()
    pulses = (noises.unit(made).abs() > 6).float()
    starts = (pulses[:, 2400:] > 0) & (
        torch.nn.functional.max_pool1d(pulses[:, None], 2400, 1)[:, 0, : pulses.shape[1] - 2400]
        == 0
    )
    assert 0.2 < float(starts.sum(1).float().mean()) / 2 < noises.CLICKS_PER_S[1]


def test_kinds_that_come_together_are_two_or_more_and_differ():
    drawn = [together(Draw(seed)) for seed in range(40)]
    assert all(2 <= len(kinds) == len(set(kinds)) for kinds in drawn)
    assert {kind for kinds in drawn for kind in kinds} == set(KINDS) - {"hiss"}


def test_silence_survives_every_kind(sounds):
    silence = np.zeros(RATE_HZ, np.float32)
    for kind in KINDS:
        assert np.isfinite(Damage(sounds)(silence, (kind,), Draw(0))).all()


def test_loudness_on_tensors_is_that_of_the_host(speech):
    waves = np.stack([speech, 0.001 * speech, 1e-4 * speech, np.roll(speech, 9000) ** 3])
    levels, gains = (of(torch.from_numpy(waves)) for of in (integrated_lufs, model_gain))
    for wave, level, gain in zip(waves, levels, gains, strict=True):
        meter = LoudnessMeter(48_000)
        meter.add(wave)
        assert float(level) == pytest.approx(meter.integrated_lufs(), abs=0.01)
        assert float(gain) == pytest.approx(gain_to(-20.0, meter.integrated_lufs()), rel=1e-3)


def test_a_batch_is_decided_by_seed_step_and_rank_alone(sounds):
    def batch(step: int, *, seed: int = 0, rank: int = 0, before: int = 0) -> torch.Tensor:
        made = Chain(sounds, seed=seed, rank=rank)
        for earlier in range(before, step):
            made.batch(earlier, 4, 24_000)
        return made.batch(step, 4, 24_000).damaged

    for step in (4, 5):
        assert torch.equal(batch(step), batch(step, before=step))
        assert not torch.equal(batch(step), batch(step, seed=1))
        assert not torch.equal(batch(step), batch(step, rank=1))
    assert not torch.equal(batch(4), batch(5))


def test_batches_are_at_many_levels_around_that_of_the_model(sounds):
    made = Chain(sounds, seed=0)
    damaged = torch.cat([made.batch(step, 16, RATE_HZ).damaged for step in range(6)])
    levels = integrated_lufs(damaged)[:, 0]
    usual = ((levels > -23) & (levels < -17)).float().mean()
    assert 0.35 < usual < 0.8
    assert levels.min() < -38 and levels.max() > -17
    fresh = made.fresh(0, 16, RATE_HZ, 0.0)
    assert torch.allclose(integrated_lufs(fresh.damaged), torch.tensor(-20.0), atol=0.1)


def test_some_crops_are_hardly_damaged_and_targets_are_the_cleaned_ones(sounds, monkeypatch):
    monkeypatch.setattr(chain, "UNTOUCHED", 1.0)
    batch = Chain(sounds, seed=0).fresh(0, 8, RATE_HZ, 0.0)
    scale = (batch.clean * batch.damaged).sum(1) / batch.damaged.square().sum(1)
    error = batch.clean - scale[:, None] * batch.damaged
    assert (error.square().sum(1) < 1e-4 * batch.clean.square().sum(1)).all()
    assert torch.allclose(scale, torch.tensor(0.5), atol=1e-3)  # targets are half as loud here


def test_coded_versions_are_heard_against_their_own_clips(speech, monkeypatch):
    monkeypatch.setattr(chain, "UNTOUCHED", 1.0)
    monkeypatch.setattr(chain, "CODED", 1.0)
    coded = Coded(Clips.of([-speech[:120_000]]), np.array([1]))
    material = material_of([speech, speech[:120_000]], [0, 1], coded=(coded,))
    batch = Chain(Sounds(material), seed=0).fresh(0, 8, RATE_HZ, 0.0)
    alike = torch.nn.functional.cosine_similarity(batch.clean, batch.damaged, dim=1)
    assert (alike < -0.99).all()


def test_speakers_are_drawn_by_the_square_root_of_their_minutes(speech):
    long = np.tile(speech, 8)
    sounds = Sounds(material_of([long, long, speech[: len(long) // 16]], [0, 0, 1]))
    which = sounds.pick(4000, Draw(0))
    share = float((which == 2).float().mean())
    assert share == pytest.approx(1 / (1 + np.sqrt(32)), abs=0.02)
    assert set(which.tolist()) == {0, 1, 2}


def test_only_clips_that_sound_far_enough_up_are_drawn(speech):
    material = material_of([speech, speech], [0, 1])
    narrow = replace(material.speech, bandwidth_hz=np.array([8000.0, 20_000.0]))
    sounds = Sounds(replace(material, speech=narrow))
    assert set(sounds.pick(50, Draw(0), least_hz=15_000.0).tolist()) == {1}
    with pytest.raises(UsageError, match="no clip sounds"):
        sounds.pick(1, Draw(0), least_hz=23_000.0)


def test_silent_crops_are_not_amplified():
    waves = torch.zeros(2, RATE_HZ)
    waves[1, 0] = 1e-6
    assert torch.equal(model_gain(waves), torch.ones(2, 1))

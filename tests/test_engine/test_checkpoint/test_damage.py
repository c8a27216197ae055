"""Damaged, changed and mistaken files: each is refused in one line before it is used."""

import random
import warnings

import pytest
import torch

from incseg.engine.checkpoint import (
    FORMAT,
    read_checkpoint,
    read_resume_checkpoint,
    read_step_checkpoint,
    save_atomically,
    save_checkpoint,
)
from incseg.errors import InvalidInputError


def flipped(content, bit):
    """The bytes of a file with one bit changed."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def same(one, other):
    """Whether two contents are equal, tensors bit for bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def test_every_flipped_bit_is_found(kept, tmp_path):
    """If it fails, a network with a damaged weight, or another class name, is used in silence.

    Headers, padding and the directory of the zip count too, though torch never looks at some.
    """
    content, chance = kept(1).read_bytes(), random.Random(0)
    for bit in (chance.randrange(8 * len(content)) for _ in range(200)):
        (tmp_path / 'final.pth').write_bytes(flipped(content, bit))
        with pytest.raises(InvalidInputError, match='damaged') as refused:
            read_step_checkpoint(tmp_path / 'final.pth')
        assert '\n' not in str(refused.value), f'bit {bit}'


def test_flipped_bits_of_a_file_that_was_packed_anew(kept, tmp_path):
    """If it fails, a file that another program wrote again hides damage, or ends in a traceback.

    It has no seal: a bit that changes nothing of the content may pass, no other.
    """
    good = read_step_checkpoint(kept(1))
    torch.save(torch.load(kept(1), weights_only=True), tmp_path / 'packed.pth')
    content, chance = (tmp_path / 'packed.pth').read_bytes(), random.Random(0)
    passed = 0
    for bit in (chance.randrange(8 * len(content)) for _ in range(200)):
        (tmp_path / 'final.pth').write_bytes(flipped(content, bit))
        try:
            read = read_step_checkpoint(tmp_path / 'final.pth')
        except InvalidInputError as refused:
            assert '\n' not in str(refused)
        else:
            passed += 1
            assert same(read, good), f'bit {bit}'
    assert passed < 60


def test_flipped_bits_of_version_0_1(kept, tmp_path):
    """If it fails, a damaged weight of an older file is used: its zip has a sum of each record."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        good, chance = read_step_checkpoint(kept(0)), random.Random(1)
        content = kept(0).read_bytes()
        for bit in (chance.randrange(8 * len(content)) for _ in range(100)):
            (tmp_path / 'final.pth').write_bytes(flipped(content, bit))
            try:
                assert same(read_step_checkpoint(tmp_path / 'final.pth'), good), f'bit {bit}'
            except InvalidInputError as refused:
                assert '\n' not in str(refused)


def changed_weight(content):
    content['state_dict']['decode_head.conv.bn.bias'][0] += 1


def renamed_weights(content):
    state = content['state_dict']
    state['layers'] = state.pop('backbone.layers.0.0.weight')


def another_class(content):
    content['meta']['classes'][1] = 'cat'


def another_state(content):
    content['method_state'] = dict(ewc=dict(count=1))


def another_config(content):
    content['meta']['config']['image_scale'] = 1.0


@pytest.mark.parametrize(
    'change', [changed_weight, renamed_weights, another_class, another_state, another_config]
)
@pytest.mark.parametrize('write', [torch.save, save_atomically])
def test_changed_content_is_found_where_the_file_is_whole(kept, tmp_path, change, write):
    """If it fails, a teacher that was replaced or zeroed is learned from."""
    content = torch.load(kept(1), weights_only=True)
    change(content)
    write(content, tmp_path / 'final.pth')
    with pytest.raises(InvalidInputError, match='damaged or was changed: .* not what was saved'):
        read_step_checkpoint(tmp_path / 'final.pth')


def test_a_newer_format(kept, tmp_path):
    """If it fails, a file of a later version is read as if it meant the same."""
    content = torch.load(kept(1), weights_only=True)
    content['meta']['format'] = FORMAT + 1
    torch.save(content, tmp_path / 'final.pth')
    with pytest.raises(InvalidInputError, match=f'is of format {FORMAT + 1}, expected at most'):
        read_step_checkpoint(tmp_path / 'final.pth')


def test_files_of_another_kind(kept, tmp_path):
    """If it fails, a file under another's name ends in a KeyError, or is used as what it is not."""
    state = dict(w=torch.ones(1))
    resume = dict(state_dict=state, meta=dict(iter=1), optimizer={}, message_hub={})
    save_checkpoint(dict(resume, param_schedulers=[]), tmp_path / 'resume.pth', 'resume')
    save_checkpoint(dict(state_dict=state, meta={}), tmp_path / 'affinity.pth', 'affinity')
    torch.save(resume, tmp_path / 'old.pth')
    assert read_resume_checkpoint(tmp_path / 'resume.pth')['meta']['iter'] == 1
    with pytest.raises(InvalidInputError, match="is a step's final.pth, expected a resume.pth"):
        read_resume_checkpoint(kept(1))
    for name in ('resume', 'old'):
        with pytest.raises(InvalidInputError, match='is a resume.pth, .* expected a step'):
            read_step_checkpoint(tmp_path / f'{name}.pth')
    with pytest.raises(InvalidInputError, match="is a network of AffinityNet, expected a step's"):
        read_step_checkpoint(tmp_path / 'affinity.pth')
    torch.save(dict(weight=torch.ones(1)), tmp_path / 'foreign.pth')
    assert list(read_checkpoint(tmp_path / 'foreign.pth')) == ['weight']
    with pytest.raises(InvalidInputError, match='is not a resume.pth: it lacks state_dict'):
        read_resume_checkpoint(tmp_path / 'foreign.pth')


def test_torch_still_reads_the_file(kept):
    """If it fails, other programs cannot open our files any more."""
    content = torch.load(kept(1), weights_only=True)
    assert content['meta']['kind'] == 'step' and content['meta']['format'] == 1

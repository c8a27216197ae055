"""What is run on a GPU, in order: correctness before speed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
SHAPES = str(ROOT / 'configs/mib/bisenet_r18_shapes_4-1.py')
VOC = str(ROOT / 'configs/mib/bisenet_r101_15-1.py')
TINY_SHAPES = (
    'data.train.length=32',
    'data.test.length=4',
    'data.train.size=32',
    'data.test.size=32',
    'batch_size=4',
    'epochs=1',
    'protocol.name=5-1',
)
#: some 40 iterations of step 0, a few of steps 1 and 2
SHORT_VOC = ('pretrained=False', 'epochs=1', 'data.train.indices=1000', 'data.test.indices=100')
TOY_VOC = (
    *('pretrained=False', 'epochs=1', 'data.train.indices=400', 'data.test.indices=8'),
    *('crop_size=64', 'batch_size=8', 'num_workers=0', 'model.backbone.depth=18'),
)

#: each test's line comes when it is over
PYTEST = ('-m', 'pytest', '-v', '--tb=short', '-n0', str(ROOT / 'tests'), '-m')


@dataclass(frozen=True)
class Part:
    """One command.

    Args:
        name: Its name, which files of its output bear too.
        command: What follows the interpreter.
        limit: Seconds after which it is ended.
        toy: The command at toy size, for a try without a GPU; None for the same.
        beside: Whether it runs beside its neighbours of which that is true too; nothing that is
            timed does.
        missing: What was not asked for that it needs, if so.
        kept: Seconds that parts before it leave it.
    """

    name: str
    command: Sequence[str]
    limit: float
    toy: Sequence[str] | None = None
    beside: bool = False
    missing: str = ''
    kept: float = 0.0


def script(name: str, *arguments: str) -> list[str]:
    return [str(BENCHMARKS / name), *arguments]


def module(name: str, *arguments: str) -> list[str]:
    return ['-m', f'on_gpu.{name}', *arguments]


def train(config: str, folder: str, *options: str) -> list[str]:
    """The command of a training that shares no base step with another."""
    shown = ['--cfg-options', *options] if options else []
    return [str(ROOT / 'tools/train.py'), config, '--work-dir', folder, '--no-reuse', *shown]


def parts(folder: str, voc: str | None = None, peer: bool = False) -> list[Part]:
    """The parts that fit into eight minutes, the most important first.

    Args:
        folder: Receives the work dirs of trainings.
        voc: Folder of rendered VOC at 512 pixels (``VOCdevkit/VOC2012``), or None.
        peer: Whether MMSegmentation is installed.
    """
    with_peer = ['--peer'] if peer else []
    work = str(Path(folder) / 'work')
    short = ('--batch', '1', '--size', '64', '--rounds', '1')
    return [
        Part('versions', module('versions'), 60),
        Part(
            'tests',
            [*PYTEST, 'cuda and not slow'],
            180,
            ['-m', 'pytest', '-q', '-n0', str(ROOT / 'tests/test_cuda.py')],
            beside=True,
        ),
        Part(
            'same step',
            module('same_step'),
            90,
            module('same_step', '--size', '64'),
            beside=True,
        ),
        Part(
            'repeated',
            module('repeated', work),
            120,
            module('repeated', work, '--toy'),
            beside=True,
        ),
        Part(
            'waits',
            module('waits', work),
            120,
            module('waits', work, '--toy', '--methods', 'mib', 'ewc', 'replay'),
        ),
        Part('losses', script('losses.py', '--batch', '24'), 60, script('losses.py', *short)),
        Part(
            'shapes',
            module('shapes', f'{work}/shapes'),
            120,
            module('shapes', f'{work}/shapes', '--toy'),
        ),
        Part(
            'voc',
            [*train(VOC, f'{work}/voc', f'data_root={voc}', *SHORT_VOC), '--steps', '0', '1', '2'],
            120,
            [*train(VOC, f'{work}/voc', f'data_root={voc}', *TOY_VOC), '--steps', '0', '1', '2'],
            missing='' if voc else '--voc was not given',
        ),
        Part(
            'training',
            script('training.py', '--no-compile', '--rounds', '10', *with_peer),
            90,
            script('training.py', '--no-compile', *short),
            kept=60,
        ),
        Part(
            'evaluation',
            script('evaluation.py'),
            60,
            script('evaluation.py', '--size', '64', '--rounds', '1'),
        ),
        Part(
            'inference',
            script('inference.py'),
            60,
            script('inference.py', '--size', '64', '--rounds', '2', '--images', '1'),
        ),
        Part('dense CRF', script('dense_crf.py', '--images', '0'), 30),
    ]


def more_parts(folder: str, peer: bool = False) -> list[Part]:
    """The rest: compilation, R101, trained networks, data, pseudo-labels, growth."""
    with_peer = ['--peer'] if peer else []
    work = str(Path(folder) / 'work')
    deep = 'model.backbone.depth=101'

    def compared(name: str, config: str, *options: str) -> Part:
        """Inference of a trained network, compiled too."""
        command = script('inference.py', '--compile', '--images', '50', '--config', config)
        command += ['--checkpoint', f'{work}/{name}/step_2/final.pth']
        command += ['--cfg-options', *options] if options else []
        return Part(f'inference of {name}', command, 400)

    found = [
        Part('slow tests', [*PYTEST, 'cuda and slow'], 300),
        Part('training, compiled', script('training.py', '--depth', '18', *with_peer), 600),
        Part(
            'training, R101',
            script('training.py', '--depth', '101', '--batch', '8', *with_peer),
            600,
        ),
        compared('shapes', SHAPES),
        Part('shapes, R101', train(SHAPES, f'{work}/r101', deep), 300),
        compared('r101', SHAPES, deep),
        Part('more losses', script('losses.py', '--batch', '4', '8', '24'), 200),
        Part('data', script('data.py', *with_peer), 300),
        Part('loader', script('loader.py'), 200),
        Part('pseudo-labels', script('pseudo_labels.py'), 300),
        Part('growth', script('growth.py', '--steps', '20'), 600),
    ]
    return found

"""Every setting of a config, said once: its rule, who requires it, and what depends on it.

The checks, the defaults and the settings that an evaluation takes over from a training are
derived from :data:`SETTINGS`.  A key that is not listed here is allowed at the top of a config
where some ``'$name'`` uses it; the rules of a part (``dict(type=…)``) are those of its class.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incseg.apis.config.setting_rules import AMP, BELOW_1, KEEP, NAME, RATE, SCALE
from incseg.datasets.steps.weak_dataset import SCOPES
from incseg.engine.recipe.names import names_in
from incseg.evaluation.run_settings import is_free, is_root
from incseg.models.prediction.settings import KEYS as TEST_KEYS
from incseg.utils.rules import (
    ANYTHING,
    DICT,
    NOT_NEGATIVE,
    POSITIVE,
    SWITCH,
    TEXT,
    WEIGHTS,
    Rule,
    by_name,
    one_of,
    one_or_list,
    or_none,
    whole,
)


@dataclass(frozen=True)
class Setting:
    """A setting of a config.

    Attributes:
        key: Its dotted key.
        rule: The values that it may have: ``(test, the same in words)``.
        text: Its meaning, in one line.
        required_by: Who refuses a config without it: ``'every config'``, or ``''`` where it
            is optional.  ``'the model'`` and ``'the data'`` say that it belongs to a base
            of that section, which requires it by using its ``'$name'``.
        evaluated: Whether the score of a trained network depends on it; the other settings
            matter for the training only.
        default: Its value in a config without it; None for an optional setting leaves it out.
        open: Whether an override may add keys to it one by one where the config has none.
    """

    key: str
    rule: Rule
    text: str
    required_by: str = 'every config'
    evaluated: bool = False
    default: Any = None
    open: bool = False

    @property
    def required(self) -> bool:
        """Whether a config or a section without it is refused."""
        return self.required_by == 'every config'

    @property
    def free(self) -> bool:
        """Whether two runs that differ in this setting alone are comparable."""
        return is_free(self.key)

    @property
    def root(self) -> bool:
        """Whether it is a folder of data, which may lie elsewhere on another machine."""
        return is_root(self.key)


def setting(key: str, rule: Rule, text: str, **kwargs: Any) -> Setting:
    """Return a setting that every config has."""
    return Setting(key, rule, text, **kwargs)


def optional(key: str, rule: Rule, text: str, by: str = '', **kwargs: Any) -> Setting:
    """Return a setting that a config may lack, or that belongs to a base of ``by``."""
    return Setting(key, rule, text, required_by=by, **kwargs)


SETTINGS: dict[str, Setting] = {
    each.key: each
    for each in (
        # the sections, one for each folder of configs/_base_
        setting('model', DICT, 'The network, without its losses.', evaluated=True),
        setting('data', DICT, 'Data sets and their transforms.', evaluated=True),
        setting('protocol', DICT, 'Classes of each step.', evaluated=True),
        setting('schedule', DICT, 'Optimiser and arithmetic of a step.'),
        setting('method', DICT, 'Losses and parts that act against forgetting.'),
        optional('seam', or_none(DICT), 'Training of SEAM, and pseudo-labels made by it.'),
        optional('annotation', or_none(DICT), "Labels of a step that are not the data set's."),
        # the network
        setting(
            'pretrained', WEIGHTS, 'Whether step 0 starts from ImageNet, or a file.', default=False
        ),
        optional('width', ANYTHING, 'Width of the heads.', 'the model', evaluated=True),
        optional('norm_cfg', DICT, 'Normalisation layers.', 'the model', evaluated=True),
        optional('model_base', TEXT, 'The base of --model, in place of the one here.'),
        # the images
        setting('data_root', TEXT, "The data set's folder.", evaluated=True),
        optional(
            'voc_root', TEXT, 'Folder of VOC in a joined data set.', 'the data', evaluated=True
        ),
        setting('num_workers', whole(0, 512), 'Processes of each data loader.'),
        setting('image_scale', SCALE, 'Factor on the size of every image.', evaluated=True),
        setting('crop_size', one_or_list(whole(1, 16384)), 'Pixels of a crop.', evaluated=True),
        setting('eval_mode', TEXT, 'Name in data.test_pipelines.', evaluated=True),
        optional(
            'test_cfg',
            or_none(DICT),
            'Windows, flips, scales of a test.',
            evaluated=True,
            open=True,
        ),
        *(optional(f'test_cfg.{key}', *each) for key, each in TEST_KEYS.items()),
        # the training
        setting('batch_size', whole(1), 'Images of a batch, over all processes.'),
        setting('epochs', one_or_list(whole(1)), 'Epochs of every step, or one number per step.'),
        optional('warmup_epochs', whole(0), 'Epochs of an added step with full learning rate.'),
        setting('seed', whole(0, 2**32 - 1), 'Seed of weights, batches, transforms.', default=42),
        # the run
        setting('custom_hooks', DICT, "The user's own hooks, by name.", default={}, open=True),
        setting('base_steps_dir', TEXT, 'Shared base steps.', default='work_dirs/_base_steps'),
        setting('seam_dir', TEXT, 'Shared SEAM networks and labels.', default='work_dirs/_seam'),
        optional('custom_imports', ANYTHING, "Modules of the user's own parts."),
        optional('filename', ANYTHING, 'Where the config was read.'),
        # protocol
        optional('protocol.type', ANYTHING, 'Registered step sources; one data set if absent.'),
        setting('protocol.name', ANYTHING, "'<base>-<increment>', 'offline', or 'open'."),
        optional(
            'protocol.steps',
            or_none(DICT),
            "Steps by name, with protocol.name='open': dict(classes, data, old_labels, images).",
        ),
        optional(
            'protocol.setting', ANYTHING, "'overlap', 'disjoint', 'sequential' or 'partitioned'."
        ),
        optional(
            'protocol.class_order',
            ANYTHING,
            'All classes: dataset ids 1..C, or names.',
        ),
        # method
        setting('method.name', NAME, 'Name in tables and ledgers.'),
        setting('method.loss_decode', ANYTHING, 'Loss of every head.'),
        optional(
            'method.base_loss', or_none(DICT), 'Loss of step 0, if not loss_decode.', open=True
        ),
        setting('method.classifier_init', ANYTHING, 'Start of the classifier of new classes.'),
        optional('method.distillation', or_none(DICT), 'Terms by name.', open=True),
        optional('method.target_labeller', ANYTHING, 'Relabels targets in a training step.'),
        optional('method.image_labels', ANYTHING, 'Source of image-level labels.'),
        optional('method.negatives', ANYTHING, 'Images without a class of the step.'),
        optional('method.frozen', ANYTHING, 'Parts of the network without updates.', open=True),
        optional('method.dropout', or_none(SWITCH), 'Whether dropout is active in added steps.'),
        optional('method.hooks', or_none(DICT), 'Method hooks by name.', open=True),
        optional('method.memory', or_none(DICT), 'Images of earlier steps.', open=True),
        optional('method.joint', or_none(SWITCH), 'Whether all classes are one step.'),
        # schedule
        setting('schedule.lr', DICT, 'Learning rates of step 0 and of added steps.'),
        setting('schedule.lr.base', RATE, 'Learning rate of step 0.'),
        setting('schedule.lr.added', RATE, 'Learning rate of every added step.'),
        setting('schedule.optimizer', ANYTHING, 'The optimiser, without its learning rate.'),
        setting('schedule.poly_power', NOT_NEGATIVE, 'Power of the poly schedule.'),
        optional(
            'schedule.lr_schedule',
            ANYTHING,
            'Learning-rate schedule; poly if it is None.',
            open=True,
        ),
        optional(
            'schedule.lr_factors',
            or_none(by_name(or_none(RATE))),
            'Factors on the learning rate of parts, in added steps.',
            open=True,
        ),
        optional(
            'schedule.base_lr_factors',
            or_none(by_name(or_none(POSITIVE))),
            'The same of step 0.',
            open=True,
        ),
        optional(
            'schedule.base_norm_decay',
            or_none(SWITCH),
            'Whether weight decay acts on normalisation layers and biases at step 0 (by default).',
        ),
        setting('schedule.amp', AMP, 'Whether to use bfloat16 autocast.'),
        optional(
            'schedule.sync_bn',
            or_none(SWITCH),
            'Whether BatchNorm uses the batch of all processes; by default on GPUs only.',
        ),
        optional('schedule.compile', or_none(SWITCH), 'Whether to compile the network.'),
        optional('schedule.tf32', or_none(SWITCH), 'Whether a GPU may round float32 products.'),
        optional('schedule.deterministic', or_none(SWITCH), 'Whether a GPU repeats bit for bit.'),
        optional(
            'schedule.keep',
            KEEP,
            "Networks that stay: 'all' (the default), 'last', or how many of the last.",
        ),
        optional('schedule.pin_memory', or_none(SWITCH), 'Whether loaders pin memory.'),
        setting(
            'schedule.log_interval',
            whole(1),
            'Iterations between two lines of the log; the first and the last one have one, too.',
        ),
        setting('schedule.checkpoint_interval', whole(1), 'Iterations between two checkpoints.'),
        # data
        setting('data.name', NAME, 'Name in ledgers.'),
        setting('data.train', ANYTHING, 'The data set of the steps.'),
        setting('data.test', ANYTHING, 'The data set of every evaluation.'),
        setting('data.train_pipeline', ANYTHING, 'Transforms by name.'),
        setting('data.test_pipelines', DICT, 'Transforms by name, for each eval_mode.'),
        optional(
            'data.void_as_background', or_none(SWITCH), 'Whether void is trained as background.'
        ),
        optional(
            'data.future',
            or_none(one_of('void', 'background')),
            'What classes of later steps are in test labels; void by default.',
        ),
        # seam
        setting('seam.model', ANYTHING, 'The network of class activation maps.'),
        setting('seam.scope', one_of(*SCOPES), "Images and classes: 'all' or of a 'step'."),
        setting('seam.train_pipeline', ANYTHING, 'Transforms by name.'),
        setting('seam.inference', ANYTHING, 'How pseudo-labels are made.'),
        optional('seam.init_from', or_none(TEXT), "'step0', or the path of a final.pth."),
        optional('seam.negatives', ANYTHING, 'Images without a class of the step.'),
        optional('seam.refine', ANYTHING, 'Refinement of the maps.'),
        optional('seam.image_labels', ANYTHING, 'Source of image-level labels.'),
        setting('seam.schedule', DICT, 'Training of the network.'),
        setting('seam.schedule.epochs', whole(1), 'Epochs.'),
        setting('seam.schedule.batch_size', whole(1), 'Images of a batch, over all processes.'),
        setting('seam.schedule.lr', RATE, "Learning rate of the backbone's weights."),
        setting('seam.schedule.head_factor', RATE, "Factor on the head's learning rate."),
        setting('seam.schedule.weight_decay', NOT_NEGATIVE, 'Weight decay.'),
        setting('seam.schedule.poly_power', NOT_NEGATIVE, 'Power of the poly schedule.'),
        optional('seam.schedule.lr_schedule', ANYTHING, 'See schedule.lr_schedule.', open=True),
        setting('seam.schedule.amp', AMP, 'Whether to use bfloat16 autocast.'),
        setting('seam.schedule.log_interval', whole(1), 'See schedule.log_interval.'),
        setting('seam.schedule.checkpoint_interval', whole(1), 'See schedule.'),
        setting('seam.schedule.momentum', DICT, 'Momentum of SGD.'),
        setting('seam.schedule.momentum.pretrained', BELOW_1, 'With ImageNet weights.'),
        setting('seam.schedule.momentum.scratch', BELOW_1, 'Without them.'),
    )
}


#: the settings that :func:`incseg.apis.load_config` fills in where a config lacks them
DEFAULTS: dict[str, Any] = {
    key: each.default for key, each in SETTINGS.items() if each.default is not None
}


def keys_of(section: str) -> tuple[set[str], set[str]]:
    """Return the required and the optional keys of a section, ``''`` for the whole config."""
    inside = {
        key.rpartition('.')[2]: each.required
        for key, each in SETTINGS.items()
        if key.rpartition('.')[0] == section
    }
    required = {key for key, needed in inside.items() if needed}
    return required, set(inside) - required


def sections() -> list[str]:
    """Return the dotted keys of the settings that are dicts with fixed keys."""
    return sorted({key.rpartition('.')[0] for key in SETTINGS} - {''})


def evaluated(config: Mapping[str, Any]) -> set[str]:
    """Return the top-level keys of a config on which the score of a trained network depends.

    These are the settings marked so, and the user's own keys that they use as ``'$name'``.
    """
    own = {key for key, each in SETTINGS.items() if each.evaluated}
    return own | names_in({key: config.get(key) for key in own}, config) - {*SETTINGS}


def table() -> str:
    """Return the settings as the Markdown table of ``docs/settings.md``."""
    rows = ['| setting | meaning | expected | on `--resume` |', '|---|---|---|---|']
    for key, each in SETTINGS.items():
        name = f'`{key}`' + ('' if each.required else ' (optional)')
        words = '' if each.rule is ANYTHING else each.rule[1]
        may = 'may change' if each.free else ''
        rows.append(f'| {name} | {each.text} | {words} | {may} |')
    return '\n'.join(rows)

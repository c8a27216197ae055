"""The house: data flows one way down, files are of readable size, rooms are not crowded."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'incseg'
PAGE = (ROOT / 'CONTRIBUTING.md').read_text()
MODULES = sorted(path for path in PACKAGE.rglob('*.py') if path.name != '__init__.py')

#: rooms of each folder from top to bottom: each may import from the floors below its own, and
#: from nothing beside or above it
FLOORS: dict[str, list[tuple[str, ...]]] = {
    '': [
        ('__main__',),
        ('cli',),
        ('apis',),
        ('engine',),
        ('evaluation', 'datasets', 'models'),
        ('protocols', 'structures', 'registry'),
        ('utils',),
        ('errors', 'constants', 'renamed'),
    ],
    'apis': [
        ('import_model', 'prediction', 'run_list', 'teach'),
        ('class_files', 'folder', 'foreign_network', 'inference'),
        ('config', 'image_files', 'prepare'),
    ],
    'apis.folder': [
        ('init_folder',),
        ('config', 'look'),
        ('sizes',),
        ('report',),
        ('classes',),
    ],
    'apis.prediction': [('predict',), ('files', 'inputs')],
    'apis.teach': [
        ('teach',),
        ('agreement', 'found_images', 'pace', 'pseudo_labels'),
        ('taught_config',),
        ('kept_images', 'tagged_images'),
        ('known_model', 'new_images'),
        ('mask_classes',),
    ],
    'apis.config': [
        ('started',),
        ('trained',),
        ('model_swap',),
        ('loading',),
        ('check', 'model_base'),
        ('sections',),
        ('parts', 'schema'),
        ('moved', 'setting_rules', 'stored'),
    ],
    'cli': [
        ('main',),
        ('comparing', 'data', 'listing', 'models', 'training', 'weak'),
        ('cluster_arguments', 'prediction_arguments'),
        ('arguments',),
        ('errors',),
    ],
    'datasets': [
        ('preparation', 'steps'),
        ('image_labels', 'negatives', 'sources'),
        ('joined_dataset', 'transforms'),
        ('pseudo_labels', 'seg_dataset'),
        ('class_subset', 'dataset_of_files', 'metainfo'),
        ('coco_json', 'folders', 'picture_files'),
        ('image_lists',),
        ('folder_files', 'label_maps'),
        ('list_files',),
    ],
    'datasets.coco_json': [('painted',), ('instances',), ('objects',)],
    'datasets.folders': [
        ('class_ids', 'splits'),
        ('class_table', 'layout'),
        ('endings', 'json_files'),
        ('held_out', 'mask_values', 'names'),
    ],
    'datasets.image_labels': [('json_and_xml', 'masks'), ('base',)],
    'datasets.label_maps': [('file_ids',), ('mask_file', 'reader'), ('label_file',)],
    'datasets.negatives': [('negative_folder', 'old_network')],
    'datasets.preparation': [('coco_masks', 'sbd_masks')],
    'datasets.pseudo_labels': [
        ('coco_export', 'pseudo_label_view'),
        ('background_rule', 'pseudo_label_files'),
        ('score_file',),
    ],
    'datasets.sources': [
        ('ade20k', 'camvid', 'cityscapes', 'coco', 'folder', 'shapes'),
        ('shapes_scene', 'voc'),
    ],
    'datasets.steps': [
        ('batch_samplers', 'collate', 'parts_dataset', 'replay_dataset', 'weak_dataset'),
        ('incremental_dataset',),
        ('planned_steps', 'sample_seed'),
    ],
    'datasets.transforms': [
        ('colour', 'cropping', 'loading', 'packing', 'resizing'),
        ('geometry', 'label_fit'),
    ],
    'engine': [
        ('train_protocol', 'matrix', 'figures'),
        ('base_steps', 'evaluate', 'start_network', 'step_record', 'weak'),
        ('start_checks',),
        ('replay_memory',),
        ('memory_layout',),
        ('hooks', 'runner', 'work_dir'),
        ('step_context', 'step_datasets'),
        ('labels',),
        ('checkpoint', 'work_left'),
        ('recipe',),
    ],
    'engine.checkpoint': [
        ('fit', 'model_meta', 'weights'),
        ('step',),
        ('content', 'migration'),
    ],
    'engine.figures': [('predictions', 'pseudo_labels'), ('layout',)],
    'engine.hooks': [
        ('importance_methods', 'paint', 'progress', 'run', 'start', 'weight_fusion'),
        ('data_pass', 'label_values'),
        ('importance',),
        ('all_parameters', 'method'),
    ],
    'engine.matrix': [
        ('run_matrix',),
        ('device_queue', 'job_queue'),
        ('attempt', 'cluster'),
        ('plan', 'training_job'),
        ('child_process', 'devices'),
    ],
    'engine.recipe': [
        ('identity', 'step'),
        ('data', 'network'),
        ('experiment',),
        ('names', 'open_protocol'),
        ('declared_steps',),
        ('step_sources',),
    ],
    'engine.runner': [('optim', 'schedules', 'step_runner')],
    'engine.start_checks': [('start', 'weights'), ('hidden', 'images', 'settings')],
    'engine.weak': [
        ('affinity', 'annotation', 'class_lists'),
        ('label_folder', 'pseudo_labels', 'seam_training'),
        ('evaluate_pseudo_labels', 'pseudo_label_maker', 'seam_checks'),
        ('seam_store',),
        ('label_settings', 'old_network', 'seam_config'),
        ('cam_inference',),
        ('image_batches',),
    ],
    'engine.weak.affinity': [('job',), ('training',), ('dataset',)],
    'engine.work_dir': [('inputs',), ('files',), ('config',)],
    'evaluation': [
        ('comparison', 'homes', 'metric', 'threshold_sweep'),
        ('confusion', 'ledger'),
        ('conventions', 'report', 'run_settings'),
    ],
    'evaluation.comparison': [('compare',), ('plot',), ('table',), ('rows',), ('runs',)],
    'models': [
        (
            'across_processes',
            'batch_norm_folding',
            'classifier_init',
            'importers',
            'segmentors',
        ),
        ('distillation', 'prediction', 'weak'),
        ('labellers',),
        ('decode_heads',),
        ('data_preprocessor',),
        ('backbones', 'convolutions', 'losses'),
        ('weights',),
    ],
    'models.backbones': [
        ('bisenet', 'resnet38d', 'scoped_backbone', 'timm_backbone', 'torchvision_backbone'),
        ('context_path', 'encoder', 'resnet'),
        ('activated_norm',),
        ('base',),
    ],
    'models.weights': [
        ('converters', 'packages'),
        ('files', 'fitting', 'mmpretrain_names', 'torchvision_hub'),
    ],
    'models.weights.converters': [('resnet38d',), ('mxnet_params',)],
    'models.decode_heads': [
        (
            'aspp_head',
            'deeplabv3plus_head',
            'fcn_head',
            'linear_head',
            'lraspp_head',
            'mlp_head',
        ),
        ('base',),
        ('class_map', 'growing_classifier'),
    ],
    'models.distillation': [('features', 'logits'), ('base',)],
    'models.labellers': [('entropy',), ('base', 'uncertainty')],
    'models.importers': [
        ('mmseg_networks', 'smp_networks'),
        ('torchvision_networks',),
        ('classifiers', 'key_map'),
        ('network', 'source_file'),
    ],
    'models.losses': [('ohem', 'segmentation'), ('fused',), ('functional',)],
    'models.losses.functional': [
        ('distillation', 'pooled_distillation'),
        ('binary_cross_entropy',),
        ('cross_entropy',),
    ],
    'models.losses.fused': [
        ('image_by_image', 'incremental'),
        ('gpu_support',),
        ('triton_losses',),
        ('row_chunks', 'triton_kernel'),
        ('bilinear', 'channel_groups', 'worker_threads'),
    ],
    'models.prediction': [
        ('predict', 'whole'),
        ('global_pooling', 'regions', 'settings'),
        ('windows',),
    ],
    'models.segmentors': [
        ('incremental_segmentor',),
        ('encoder_decoder', 'frozen_parts', 'method_parts'),
        ('head_building', 'step_losses'),
        ('hidden_classes',),
    ],
    'models.weak': [('online_localiser', 'refinement'), ('seam', 'seam_head'), ('functional',)],
    'models.weak.functional': [
        ('equivariant_losses', 'pixel_correlation', 'wilson'),
        ('activation_maps',),
    ],
    'models.weak.refinement': [
        ('affinity_random_walk', 'dense_crf', 'pamr'),
        ('affinity_net', 'bilateral_grid'),
        ('affinity_pairs', 'segmented_sum'),
    ],
    'protocols': [
        ('class_index', 'exemplars', 'step_plan'),
        ('label_scan', 'protocol'),
        ('partition',),
    ],
    'renamed': [('names',)],
    'structures': [('network_outputs', 'seg_data_sample')],
    'utils': [
        ('library_configs', 'pictures'),
        (
            'file_digests',
            'live_line',
            'locks',
            'outputs',
            'precision',
            'progress',
            'repository',
            'tensor_files',
        ),
        ('content_digest', 'distributed', 'file_seal', 'files', 'signatures'),
        ('rules',),
    ],
    'utils.pictures': [('sizes',), ('files',), ('headers', 'rule')],
}


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Return the dotted names, below ``incseg``, of the modules that a file imports."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f'{path}: absolute imports only'
            for alias in node.names:
                below = f'{node.module}.{alias.name}'
                found.append(below if module_file(below) else str(node.module))
    return tuple(name.removeprefix('incseg.') for name in found if name.startswith('incseg.'))


def module_file(dotted: str) -> bool:
    """Say whether a dotted name is a module or a package, and not something inside one."""
    place = ROOT.joinpath(*dotted.split('.'))
    return place.with_suffix('.py').is_file() or place.is_dir()


def arrows(folder: str) -> Iterator[tuple[str, str, str]]:
    """Yield ``(room, room, file)`` for every import from one room of a folder to another."""
    prefix = f'{folder}.' if folder else ''
    for path in MODULES:
        parts = path.relative_to(PACKAGE).with_suffix('').parts
        dotted = '.'.join(parts)
        if not dotted.startswith(prefix):
            continue
        room = dotted.removeprefix(prefix).split('.')[0]
        for name in imports(path):
            if name.startswith(prefix):
                other = name.removeprefix(prefix).split('.')[0]
                if other != room:
                    yield room, other, dotted
            elif name == folder:
                yield room, '__init__', dotted


def folders() -> list[str]:
    """Return every package with at least two rooms, as dotted names below ``incseg``."""
    packages = [path.parent for path in PACKAGE.rglob('__init__.py')]
    return sorted('.'.join(path.relative_to(PACKAGE).parts) for path in packages if rooms(path))


def rooms(folder: Path) -> set[str]:
    """Return the modules and packages that lie in a folder."""
    inside = {path.stem for path in folder.glob('*.py')} - {'__init__'}
    return inside | {path.parent.name for path in folder.glob('*/__init__.py')}


@pytest.mark.parametrize('folder', folders())
def test_one_way_down(folder):
    """If it fails, a lower floor imports an upper one, or two rooms import each other."""
    place = PACKAGE.joinpath(*folder.split('.')) if folder else PACKAGE
    floors = FLOORS[folder]
    level = {room: i for i, floor in enumerate(floors) for room in floor}
    assert set(level) == rooms(place), 'enter the floor of each room in FLOORS'
    wrong = sorted(
        {
            f'{module} imports {other}'
            for room, other, module in arrows(folder)
            if other not in level or level[other] <= level[room]
        }
    )
    assert not wrong


def test_files_are_of_readable_size():
    """If it fails, a file is more than one concept."""
    lengths = {path: len(path.read_text().splitlines()) for path in MODULES}
    assert not [str(path) for path, length in lengths.items() if length > 300]
    small = [path for path, length in lengths.items() if length < 50]
    assert len(small) <= 0.15 * len(lengths), 'modules that a stranger would not look for'


def test_folders_are_not_crowded():
    """If it fails, a stranger has to read a folder's whole listing to find a room."""
    for path in [PACKAGE, *(p for p in PACKAGE.rglob('*') if p.is_dir())]:
        assert len(list(path.glob('*.py'))) - 1 <= 16, path


def pictures() -> Iterator[set[tuple[str, str]]]:
    """Yield the arrows of each Mermaid graph of CONTRIBUTING.md."""
    for graph in re.findall(r'```mermaid\ngraph TD\n(.*?)```', PAGE, re.S):
        yield {tuple(line.split(' --> ')) for line in map(str.strip, graph.splitlines()) if line}


def reduced(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Leave out every arrow that a longer way of arrows already says."""

    def reaches(start: str, end: str, without: tuple[str, str]) -> bool:
        nexts = [b for a, b in edges if a == start and (a, b) != without]
        return end in nexts or any(reaches(b, end, without) for b in nexts)

    return {edge for edge in edges if not reaches(*edge, edge)}


@pytest.mark.parametrize('folder', ['', 'engine'])
def test_the_pictures_are_true(folder):
    """If it fails, a new contributor reads a picture of another house."""
    picture = list(pictures())[('', 'engine').index(folder)] - {('tools', 'cli')}
    drawn = {room for edge in picture for room in edge}
    left_out = {'__main__', 'registry', 'errors', 'constants', 'renamed'}
    assert drawn == rooms(PACKAGE / folder) - left_out
    edges = {(a, b) for a, b, _ in arrows(folder) if {a, b} <= drawn}
    assert picture == reduced(edges)


def test_places_of_new_parts_exist():
    """If it fails, a new contributor is sent to a folder that is not there."""
    places = re.findall(r'`((?:incseg|tests|configs|docs|tools|benchmarks)/[\w/.-]*)`', PAGE)
    assert len(places) > 20 and not [place for place in places if not (ROOT / place).exists()]


if __name__ == '__main__':  # print the floors that the imports ask for
    for folder in folders():
        edges = {(room, other) for room, other, _ in arrows(folder)}
        place = PACKAGE.joinpath(*folder.split('.')) if folder else PACKAGE
        left, found = rooms(place), []
        while left:
            top = {r for r in left if not any(b == r and a in left for a, b in edges)}
            if not top:
                print(folder, 'circle', sorted(e for e in edges if set(e) <= left))
                break
            found.append(tuple(sorted(top)))
            left -= top
        print(f'    {folder!r}: {found},  # {len(edges)} arrows')
        if folder in ('', 'engine'):
            print('\n'.join(f'    {a} --> {b}' for a, b in sorted(reduced(edges))))

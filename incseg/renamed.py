"""Old names of modules: they still import, with a warning, for one version.

A repository that was written for incseg 0.1 goes on working; the warning names the new place.
"""

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: where each module of 0.1 is now, both below ``incseg``
MODULES = {
    'apis.annotation_check': 'apis.config.sections',
    'apis.argument_parser': 'apis.command_line',
    'apis.config_check': 'apis.config.check',
    'apis.config_parts': 'apis.config.parts',
    'apis.config_trial': 'apis.config.parts',
    'apis.config_types': 'apis.config.check',
    'apis.inferencer': 'apis.inference',
    'apis.seam_check': 'apis.config.sections',
    'apis.trained_config': 'apis.config.trained',
    'apis.weak_check': 'apis.config.sections',
    'atomic_file': 'utils.files',
    'datasets.background_rule': 'datasets.pseudo_labels.background_rule',
    'datasets.camvid': 'datasets.sources.camvid',
    'datasets.coco': 'datasets.sources.coco',
    'datasets.coco_classes': 'datasets.sources.coco',
    'datasets.coco_export': 'datasets.pseudo_labels.coco_export',
    'datasets.coco_instances': 'datasets.preparation.coco_masks',
    'datasets.coco_masks': 'datasets.preparation.coco_masks',
    'datasets.coco_voc': 'datasets.sources.coco',
    'datasets.collate': 'datasets.steps.collate',
    'datasets.colour_map': 'datasets.label_maps.label_file',
    'datasets.image_labels.base_image_labels': 'datasets.image_labels.base',
    'datasets.image_labels.json_image_labels': 'datasets.image_labels.json_and_xml',
    'datasets.image_labels.mask_image_labels': 'datasets.image_labels.masks',
    'datasets.image_labels.part_image_labels': 'datasets.image_labels.masks',
    'datasets.image_labels.visible_labels': 'datasets.image_labels.base',
    'datasets.image_labels.voc_xml_image_labels': 'datasets.image_labels.json_and_xml',
    'datasets.image_labels.write_image_labels': 'datasets.image_labels.base',
    'datasets.incremental_dataset': 'datasets.steps.incremental_dataset',
    'datasets.label_files': 'datasets.label_maps.label_file',
    'datasets.label_folders': 'datasets.pseudo_labels.pseudo_label_files',
    'datasets.label_reader': 'datasets.label_maps.reader',
    'datasets.negatives.background_crops': 'datasets.negatives.old_network',
    'datasets.negatives.old_model_labels': 'datasets.negatives.old_network',
    'datasets.negatives.old_network_negatives': 'datasets.negatives.old_network',
    'datasets.plain_png': 'datasets.label_maps.label_file',
    'datasets.pseudo_label_files': 'datasets.pseudo_labels.pseudo_label_files',
    'datasets.pseudo_label_view': 'datasets.pseudo_labels.pseudo_label_view',
    'datasets.rank_zero': 'utils.distributed',
    'datasets.replay_batch_sampler': 'datasets.steps.batch_samplers',
    'datasets.replay_dataset': 'datasets.steps.replay_dataset',
    'datasets.sample_seed': 'datasets.steps.sample_seed',
    'datasets.sbd_masks': 'datasets.preparation.sbd_masks',
    'datasets.score_file': 'datasets.pseudo_labels.score_file',
    'datasets.shapes': 'datasets.sources.shapes',
    'datasets.shapes_outlines': 'datasets.sources.shapes_scene',
    'datasets.shapes_scene': 'datasets.sources.shapes_scene',
    'datasets.shapes_textures': 'datasets.sources.shapes_scene',
    'datasets.step_batch_sampler': 'datasets.steps.batch_samplers',
    'datasets.transforms.center_crop': 'datasets.transforms.cropping',
    'datasets.transforms.colour_jitter': 'datasets.transforms.colour',
    'datasets.transforms.load_image': 'datasets.transforms.loading',
    'datasets.transforms.load_labels': 'datasets.transforms.loading',
    'datasets.transforms.load_pseudo_labels': 'datasets.transforms.loading',
    'datasets.transforms.pack': 'datasets.transforms.packing',
    'datasets.transforms.pad': 'datasets.transforms.cropping',
    'datasets.transforms.random_crop': 'datasets.transforms.cropping',
    'datasets.transforms.random_flip': 'datasets.transforms.geometry',
    'datasets.transforms.random_long_side': 'datasets.transforms.resizing',
    'datasets.transforms.random_resized_crop': 'datasets.transforms.cropping',
    'datasets.transforms.random_rotation': 'datasets.transforms.geometry',
    'datasets.transforms.random_scale': 'datasets.transforms.resizing',
    'datasets.transforms.resize': 'datasets.transforms.resizing',
    'datasets.voc': 'datasets.sources.voc',
    'datasets.voc_aug_list': 'datasets.sources.voc',
    'datasets.weak_dataset': 'datasets.steps.weak_dataset',
    'engine.affinity_dataset': 'engine.weak.affinity.dataset',
    'engine.affinity_job': 'engine.weak.affinity.job',
    'engine.affinity_training': 'engine.weak.affinity.training',
    'engine.alone_in': 'utils.locks',
    'engine.annotation': 'engine.weak.annotation',
    'engine.annotation_folder': 'engine.weak.annotation',
    'engine.bfloat16': 'utils.precision',
    'engine.bounded_pool': 'engine.weak.pseudo_label_maker',
    'engine.cam_inference': 'engine.weak.cam_inference',
    'engine.child_process': 'engine.matrix.child_process',
    'engine.comparison': 'engine.figures.predictions',
    'engine.config_hash': 'engine.recipe.identity',
    'engine.data_config': 'engine.recipe.data',
    'engine.data_pass': 'engine.hooks.data_pass',
    'engine.dir_lock': 'utils.locks',
    'engine.distributed': 'utils.distributed',
    'engine.eval_pseudo_labels': 'engine.weak.evaluate_pseudo_labels',
    'engine.experiment': 'engine.recipe.experiment',
    'engine.figure_captions': 'engine.figures.layout',
    'engine.fine_tune_optim': 'engine.runner.optim',
    'engine.fisher_pass': 'engine.hooks.data_pass',
    'engine.gpu_arithmetic': 'utils.precision',
    'engine.held_poly_lr': 'engine.runner.schedules',
    'engine.hooks.compile_hook': 'engine.hooks.run',
    'engine.hooks.ewc_hook': 'engine.hooks.importance_methods',
    'engine.hooks.importance_hook': 'engine.hooks.importance',
    'engine.hooks.incremental_hook': 'engine.hooks.start',
    'engine.hooks.iteration_seed_hook': 'engine.hooks.run',
    'engine.hooks.loss_log_hook': 'engine.hooks.run',
    'engine.hooks.method_hook': 'engine.hooks.method',
    'engine.hooks.paint_hook': 'engine.hooks.paint',
    'engine.hooks.path_integral_hook': 'engine.hooks.importance_methods',
    'engine.hooks.riemannian_walk_hook': 'engine.hooks.importance_methods',
    'engine.hooks.safe_checkpoint_hook': 'engine.hooks.run',
    'engine.hooks.start_backbone_hook': 'engine.hooks.start',
    'engine.hooks.weight_fusion_hook': 'engine.hooks.weight_fusion',
    'engine.image_batches': 'engine.weak.image_batches',
    'engine.importance': 'engine.hooks.importance',
    'engine.label_digests': 'engine.weak.annotation',
    'engine.matrix_run': 'engine.matrix.plan',
    'engine.named_files': 'engine.recipe.identity',
    'engine.network_config': 'engine.recipe.network',
    'engine.old_network': 'engine.weak.old_network',
    'engine.optim_wrapper': 'engine.runner.optim',
    'engine.part_optim': 'engine.runner.optim',
    'engine.pseudo_label_figure': 'engine.figures.pseudo_labels',
    'engine.pseudo_label_job': 'engine.weak.pseudo_labels',
    'engine.pseudo_label_maker': 'engine.weak.pseudo_label_maker',
    'engine.pseudo_label_meta': 'engine.weak.evaluate_pseudo_labels',
    'engine.pseudo_labels': 'engine.weak.pseudo_labels',
    'engine.resolve': 'engine.recipe.names',
    'engine.run_config': 'engine.work_dir',
    'engine.run_matrix': 'engine.matrix.run_matrix',
    'engine.runner_parts': 'engine.recipe.step',
    'engine.seam_checkpoint': 'engine.weak.seam_store',
    'engine.seam_config': 'engine.weak.seam_config',
    'engine.seam_negatives': 'engine.weak.seam_config',
    'engine.seam_preflight': 'engine.weak.seam_checks',
    'engine.seam_report': 'engine.weak.seam_training',
    'engine.seam_resume': 'engine.weak.seam_checks',
    'engine.seam_settings': 'engine.weak.label_settings',
    'engine.seam_store': 'engine.weak.seam_store',
    'engine.seam_training': 'engine.weak.seam_training',
    'engine.step_config': 'engine.recipe.step',
    'engine.step_dataset': 'engine.labels',
    'engine.step_runner': 'engine.runner.step_runner',
    'engine.test_step': 'engine.evaluate',
    'engine.train_loop': 'engine.runner.step_runner',
    'engine.training_set': 'engine.labels',
    'engine.weak_chain': 'engine.weak.annotation',
    'evaluation.compare': 'evaluation.comparison.compare',
    'evaluation.comparison_plot': 'evaluation.comparison.plot',
    'evaluation.comparison_table': 'evaluation.comparison.table',
    'evaluation.curve_styles': 'evaluation.comparison.plot',
    'evaluation.find_runs': 'evaluation.comparison.runs',
    'evaluation.other_settings': 'evaluation.comparison.rows',
    'evaluation.row_checks': 'evaluation.comparison.rows',
    'evaluation.row_titles': 'evaluation.comparison.rows',
    'evaluation.run_result': 'evaluation.comparison.runs',
    'evaluation.sweep_report': 'evaluation.threshold_sweep',
    'models.backbones.attention_refinement': 'models.backbones.bisenet',
    'models.backbones.base_backbone': 'models.backbones.base',
    'models.backbones.batch_norm': 'models.backbones.base',
    'models.backbones.context_path': 'models.backbones.bisenet',
    'models.backbones.feature_fusion': 'models.backbones.bisenet',
    'models.backbones.pooled_conv': 'models.backbones.bisenet',
    'models.backbones.pre_activation_block': 'models.backbones.resnet38d',
    'models.backbones.pre_activation_bottleneck': 'models.backbones.resnet38d',
    'models.backbones.spatial_path': 'models.backbones.bisenet',
    'models.decode_heads.decode_head': 'models.decode_heads.base',
    'models.classifier_init.background_balanced_init': 'models.classifier_init',
    'models.classifier_init.random_init': 'models.classifier_init',
    'models.distillation.base_distillation': 'models.distillation.base',
    'models.distillation.binary_distillation': 'models.distillation.logits',
    'models.distillation.feature_distillation': 'models.distillation.features',
    'models.distillation.logits_distillation': 'models.distillation.logits',
    'models.distillation.one_pass': 'models.distillation.logits',
    'models.distillation.pooled_distillation': 'models.distillation.features',
    'models.distillation.soft_label_distillation': 'models.distillation.logits',
    'models.distillation.unbiased_logits_distillation': 'models.distillation.logits',
    'models.labellers.class_medians': 'models.labellers.entropy',
    'models.labellers.entropy_pseudo_labeller': 'models.labellers.entropy',
    'models.labellers.entropy_map': 'models.labellers.uncertainty',
    'models.losses.binary_cross_entropy_loss': 'models.losses.segmentation',
    'models.losses.cross_entropy_loss': 'models.losses.segmentation',
    'models.losses.functional.bilinear': 'models.losses.fused.bilinear',
    'models.losses.functional.binary_distillation': 'models.losses.functional.distillation',
    'models.losses.functional.channel_groups': 'models.losses.fused.channel_groups',
    'models.losses.functional.fused': 'models.losses.fused.incremental',
    'models.losses.functional.image_by_image': 'models.losses.fused.image_by_image',
    'models.losses.functional.precision': 'utils.precision',
    'models.losses.functional.row_chunks': 'models.losses.fused.row_chunks',
    'models.losses.functional.scratch': 'models.losses.fused.row_chunks',
    'models.losses.functional.soft_binary_cross_entropy': 'models.losses.functional.binary_cross_entropy',
    'models.losses.functional.triton_kernel': 'models.losses.fused.triton_kernel',
    'models.losses.functional.triton_losses': 'models.losses.fused.triton_losses',
    'models.losses.functional.worker_threads': 'models.losses.fused.worker_threads',
    'models.losses.pixel_cross_entropy': 'models.losses.segmentation',
    'models.losses.unbiased_cross_entropy_loss': 'models.losses.segmentation',
    'models.segmentors.exemplar_loss': 'models.segmentors.step_losses',
    'models.segmentors.image_weight': 'models.segmentors.step_losses',
    'models.segmentors.label_map': 'models.decode_heads.class_map',
    'models.segmentors.weak_losses': 'models.segmentors.step_losses',
    'models.weak.fine_tuned': 'models.weak.seam',
    'models.weak.functional.ngwp': 'models.weak.functional.wilson',
    'models.weak.functional.normalise': 'models.weak.functional.activation_maps',
    'models.weak.functional.resize': 'models.weak.functional.activation_maps',
    'models.weak.functional.self_supervision': 'models.weak.functional.wilson',
    'models.weak.functional.soft_targets': 'models.weak.functional.wilson',
    'models.weak.localisation': 'models.weak.online_localiser',
    'models.weak.refinement.affinity_labels': 'models.weak.refinement.affinity_pairs',
    'models.weak.refinement.affinity_loss': 'models.weak.refinement.affinity_net',
    'models.weak.refinement.no_refinement': 'models.weak.refinement.pamr',
    'models.weak.refinement.random_walk': 'models.weak.refinement.affinity_random_walk',
    'protocols.arguments': 'utils.rules',
    'protocols.classes_in': 'protocols.label_scan',
    'protocols.exemplar_lut': 'protocols.exemplars',
    'protocols.parallel_scan': 'protocols.label_scan',
    'protocols.presence_cache': 'protocols.class_index',
    'protocols.progress': 'utils.progress',
    'protocols.scan_key': 'protocols.class_index',
    'protocols.value_rules': 'utils.rules',
    'structures.painting': 'utils.pictures',
    'structures.picture_file': 'utils.pictures',
}

#: new names of functions and classes, by their old names
NAMES: dict[str, str] = {
    'alone_in': 'exclusive_folder',
    'described': 'describe_network',
    'images_digest': 'images_fingerprint',
    'label_map': 'class_map',
    'label_map_at_once': 'class_map_at_once',
    'negatives_digest': 'negatives_fingerprint',
    'prepare': 'optimise_for_inference',
    'started_otherwise': 'started_from_other_weights',
    'without_places': 'basenames_only',
}


class RenamedModule(ModuleType):
    """A module under its old name; its attributes are those of the new one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        module = importlib.import_module(new_name(self.__name__))
        return (
            getattr(module, name)
            if hasattr(module, name)
            else getattr(module, NAMES.get(name, name))
        )


class Package(ModuleType):
    """A package that keeps a function whose name a module had before."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, RenamedModule) and hasattr(self, name)):
            super().__setattr__(name, value)


class RenamedModules(MetaPathFinder, Loader):
    """Find the modules of :data:`MODULES` by their old names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        known = fullname.startswith('incseg.') and fullname.removeprefix('incseg.') in MODULES
        return ModuleSpec(fullname, self) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return RenamedModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        warnings.warn(
            f'{module.__name__} is now {new_name(module.__name__)}; the old name goes in 0.3',
            DeprecationWarning,
            stacklevel=2,
        )
        package = sys.modules[module.__name__.rpartition('.')[0]]
        if type(package) is ModuleType:
            package.__class__ = Package


def new_name(old: str) -> str:
    """Return the full name of the module that an old full name stands for."""
    return f'incseg.{MODULES[old.removeprefix("incseg.")]}'


def install() -> None:
    """Let imports of old names find the new modules."""
    if not any(isinstance(finder, RenamedModules) for finder in sys.meta_path):
        sys.meta_path.append(RenamedModules())

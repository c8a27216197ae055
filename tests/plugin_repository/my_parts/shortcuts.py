"""Bases and functions by the paths of their files, as an editor's completion writes them."""

from incseg.apis.inference import inference_model, init_model
from incseg.apis.inferencer import Inferencer
from incseg.datasets.colour_map import colour_map
from incseg.datasets.image_labels.base_image_labels import BaseImageLabels
from incseg.datasets.incremental_dataset import IncrementalDataset
from incseg.datasets.joined_dataset import JoinedDataset
from incseg.datasets.negatives.old_network_negatives import OldNetworkNegatives
from incseg.datasets.shapes import ShapesDataset
from incseg.datasets.transforms.random_flip import RandomFlip
from incseg.engine.base_steps import BaseSteps
from incseg.engine.fisher_pass import fisher_pass
from incseg.engine.hooks.ewc_hook import EWCHook
from incseg.engine.hooks.weight_fusion_hook import fuse_weights, fusion_factor
from incseg.engine.optim_wrapper import StepOptimWrapper
from incseg.engine.train_protocol import train_protocol
from incseg.evaluation.ledger import Ledger
from incseg.models.backbones.bisenet import BiSeNet
from incseg.models.classifier_init.background_balanced_init import BackgroundBalancedInit
from incseg.models.decode_heads.decode_head import BaseDecodeHead
from incseg.models.decode_heads.fcn_head import FCNHead
from incseg.models.distillation.logits_distillation import LogitsDistillation
from incseg.models.labellers.entropy_pseudo_labeller import EntropyPseudoLabeller
from incseg.models.losses.cross_entropy_loss import CrossEntropyLoss
from incseg.models.losses.functional.cross_entropy import unbiased_cross_entropy
from incseg.models.losses.functional.distillation import unbiased_distillation
from incseg.models.losses.functional.fused import fused_incremental_loss
from incseg.models.segmentors.encoder_decoder import EncoderDecoder
from incseg.models.segmentors.incremental_segmentor import IncrementalSegmentor
from incseg.models.weak.localisation import Localisation
from incseg.models.weak.refinement.pamr import PAMR
from incseg.protocols.class_index import ClassIndex
from incseg.protocols.exemplars import STRATEGIES
from incseg.protocols.protocol import Protocol
from incseg.structures.seg_data_sample import SegDataSample

__all__ = [
    'PAMR',
    'STRATEGIES',
    'BackgroundBalancedInit',
    'BaseDecodeHead',
    'BaseImageLabels',
    'BaseSteps',
    'BiSeNet',
    'ClassIndex',
    'CrossEntropyLoss',
    'EWCHook',
    'EncoderDecoder',
    'EntropyPseudoLabeller',
    'FCNHead',
    'IncrementalDataset',
    'IncrementalSegmentor',
    'Inferencer',
    'JoinedDataset',
    'Ledger',
    'Localisation',
    'LogitsDistillation',
    'OldNetworkNegatives',
    'Protocol',
    'RandomFlip',
    'SegDataSample',
    'ShapesDataset',
    'StepOptimWrapper',
    'colour_map',
    'fisher_pass',
    'fuse_weights',
    'fused_incremental_loss',
    'fusion_factor',
    'inference_model',
    'init_model',
    'train_protocol',
    'unbiased_cross_entropy',
    'unbiased_distillation',
]

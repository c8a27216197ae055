"""mmpretrain's names of weights become timm's, and the networks compute the same."""

import pytest
import torch
from torch import nn

from incseg.models.weights import load_fitting, timm_names


def test_names_of_mmpretrain():
    """If it fails, mmpretrain's ConvNeXt and ViT do not load; the names are those of its source."""
    convnext = {
        'downsample_layers.0.0.weight': 'stem.0.weight',
        'downsample_layers.2.1.bias': 'stages.2.downsample.1.bias',
        'stages.1.2.depthwise_conv.weight': 'stages.1.blocks.2.conv_dw.weight',
        'stages.1.2.norm.bias': 'stages.1.blocks.2.norm.bias',
        'stages.1.2.pointwise_conv1.weight': 'stages.1.blocks.2.mlp.fc1.weight',
        'stages.1.2.pointwise_conv2.bias': 'stages.1.blocks.2.mlp.fc2.bias',
        'stages.1.2.gamma': 'stages.1.blocks.2.gamma',
    }
    vit = {
        'cls_token': 'cls_token',
        'patch_embed.projection.weight': 'patch_embed.proj.weight',
        'layers.11.ln1.weight': 'blocks.11.norm1.weight',
        'layers.11.attn.qkv.bias': 'blocks.11.attn.qkv.bias',
        'layers.11.ln2.bias': 'blocks.11.norm2.bias',
        'layers.11.ffn.layers.0.0.weight': 'blocks.11.mlp.fc1.weight',
        'layers.11.ffn.layers.1.weight': 'blocks.11.mlp.fc2.weight',
        'ln1.weight': 'norm.weight',
    }
    resnet = {name: name for name in ('conv1.weight', 'layer1.0.downsample.0.weight')}
    for names in (convnext, vit, resnet):
        assert list(timm_names(dict.fromkeys(names, torch.zeros(1)))) == list(names.values())


def test_mmpretrains_names_are_those_of_timms_networks():
    """If it fails, a rule makes a name that no network of timm has."""
    timm = pytest.importorskip('timm', reason='timm is not installed')
    convnext = timm.create_model('convnext_atto', depths=(1, 1, 1, 1), conv_mlp=False).state_dict()
    vit = timm.create_model('vit_tiny_patch16_224', depth=1).state_dict()
    for name in ('stem.0.weight', 'stages.1.downsample.1.weight', 'stages.0.blocks.0.gamma'):
        assert name in convnext
    for name in ('conv_dw.weight', 'norm.weight', 'mlp.fc1.weight', 'mlp.fc2.weight'):
        assert f'stages.0.blocks.0.{name}' in convnext
    for name in ('norm1.weight', 'attn.qkv.weight', 'norm2.bias', 'mlp.fc1.bias', 'mlp.fc2.bias'):
        assert f'blocks.0.{name}' in vit
    assert {'patch_embed.proj.weight', 'cls_token', 'norm.weight'} <= {*vit}


#: a few names of each kind of block, as mmpretrain 1.2 has them -> timm's
MOBILENET = {
    'layer0.conv.weight': 'conv_stem.weight',
    'layer0.bn.running_var': 'bn1.running_var',
    'layer1.depthwise_conv.conv.weight': 'blocks.0.0.conv_dw.weight',
    'layer1.depthwise_conv.bn.bias': 'blocks.0.0.bn1.bias',
    'layer1.linear_conv.conv.weight': 'blocks.0.0.conv_pw.weight',
    'layer1.linear_conv.bn.weight': 'blocks.0.0.bn2.weight',
    'layer2.expand_conv.conv.weight': 'blocks.1.0.conv_pw.weight',
    'layer2.expand_conv.bn.weight': 'blocks.1.0.bn1.weight',
    'layer2.depthwise_conv.conv.weight': 'blocks.1.0.conv_dw.weight',
    'layer2.depthwise_conv.bn.weight': 'blocks.1.0.bn2.weight',
    'layer2.se.conv1.conv.weight': 'blocks.1.0.se.conv_reduce.weight',
    'layer2.se.conv2.conv.bias': 'blocks.1.0.se.conv_expand.bias',
    'layer2.linear_conv.conv.weight': 'blocks.1.0.conv_pwl.weight',
    'layer2.linear_conv.bn.running_mean': 'blocks.1.0.bn3.running_mean',
    'layer3.depthwise_conv.conv.weight': 'blocks.1.1.conv_dw.weight',
    'layer4.conv.weight': 'blocks.2.0.conv.weight',
    'layer4.bn.bias': 'blocks.2.0.bn1.bias',
}
EFFICIENTNET = {
    'layers.0.conv.weight': 'conv_stem.weight',
    'layers.1.0.depthwise_conv.conv.weight': 'blocks.0.0.conv_dw.weight',
    'layers.1.0.se.conv2.conv.weight': 'blocks.0.0.se.conv_expand.weight',
    'layers.2.0.expand_conv.conv.weight': 'blocks.1.0.conv_pw.weight',
    'layers.2.0.depthwise_conv.conv.weight': 'blocks.1.0.conv_dw.weight',
    'layers.4.0.depthwise_conv.conv.weight': 'blocks.1.1.conv_dw.weight',
    'layers.6.conv.weight': 'layers.6.conv.weight',  # the classifier's, which no backbone has
}


@pytest.mark.parametrize('names', [MOBILENET, EFFICIENTNET], ids=['mobilenet', 'efficientnet'])
def test_blocks_are_matched_in_their_order(names):
    """If it fails, MobileNetV3 or EfficientNet does not load, or into other blocks."""
    own = [f'blocks.{block}.conv_dw.weight' for block in ('0.0', '1.0', '1.1')]
    found = timm_names(dict.fromkeys(names, torch.zeros(1)), own)
    assert list(found) == list(names.values())
    as_it_is = timm_names(dict.fromkeys(names, torch.zeros(1)), own[:2])
    assert list(as_it_is) == list(names), 'another network: the message shows the names of the file'


@pytest.mark.parametrize('name', ['mobilenetv3_small_050', 'tf_efficientnet_lite0'])
def test_names_of_blocks_are_those_of_timms_networks(name):
    """If it fails, a rule makes a name that no network of timm has."""
    own = (
        pytest.importorskip('timm', reason='timm is not installed').create_model(name).state_dict()
    )
    kinds = {
        key.split('.', 3)[3] for key in own if key.startswith('blocks.') and key.count('.') > 3
    }
    made = [value.split('.', 3)[3] for value in MOBILENET.values() if value.count('.') > 3]
    squeezed = any('.se.' in key for key in own)
    assert {kind for kind in made if squeezed or not kind.startswith(('se.', 'conv.'))} <= kinds


class UnfoldMerging(nn.Module):
    """The downsampling of mmpretrain's Swin: its channels are ordered by channel, row, column."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(4 * channels)
        self.reduction = nn.Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, x):
        n, h, w, c = x.shape
        patches = nn.functional.unfold(x.permute(0, 3, 1, 2), 2, stride=2)
        return self.reduction(self.norm(patches.transpose(1, 2))).view(n, h // 2, w // 2, 2 * c)


def test_downsampling_of_swin():
    """If it fails, Swin's weights of mmpretrain load and see scrambled channels."""
    timm = pytest.importorskip('timm', reason='timm is not installed')
    options = dict(embed_dim=12, depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), num_classes=0)
    net = timm.create_model('swin_tiny_patch4_window7_224', **options)
    torch.manual_seed(0)
    merging = UnfoldMerging(12)
    nn.init.normal_(merging.norm.weight)
    names = {
        'patch_embed.projection.weight': 'patch_embed.proj.weight',
        'stages.0.blocks.0.attn.w_msa.qkv.weight': 'layers.0.blocks.0.attn.qkv.weight',
        'stages.0.blocks.0.attn.w_msa.relative_position_bias_table': (
            'layers.0.blocks.0.attn.relative_position_bias_table'
        ),
        'stages.0.blocks.0.ffn.layers.0.0.weight': 'layers.0.blocks.0.mlp.fc1.weight',
        'stages.0.blocks.0.ffn.layers.1.bias': 'layers.0.blocks.0.mlp.fc2.bias',
        'norm3.weight': 'norm.weight',
    }
    own = net.state_dict()
    theirs = {
        **{name: own[timm_name] for name, timm_name in names.items()},
        'stages.0.blocks.0.attn.w_msa.relative_position_index': torch.zeros(1),
        **{f'stages.0.downsample.{key}': value for key, value in merging.state_dict().items()},
    }
    found = timm_names(theirs, own)
    assert {*found} <= {*own}
    load_fitting(net, own | found, 'the file', 'swin')
    x = torch.randn(2, 8, 6, 12)
    assert torch.allclose(net.layers[1].downsample(x), merging(x), atol=1e-6)


def test_swin_of_its_own_code():
    """If it fails, the downsampling layers of Swin's published files are missing, or scrambled."""
    own = {
        f'layers.{i}.downsample.{key}': torch.rand(8) for i in (0, 1) for key in ('norm.weight',)
    }
    found = timm_names(own)
    assert torch.equal(
        found['layers.1.downsample.norm.weight'], own['layers.0.downsample.norm.weight']
    )
    assert {*found} == {'layers.1.downsample.norm.weight', 'layers.2.downsample.norm.weight'}

"""Networks of other libraries with their published names, in words of our own."""

import torch
import torchvision
from mmcv.cnn import ConvModule
from torch import nn
from torch.nn.functional import interpolate

BN = dict(norm_cfg=dict(type='BN'))


def trained(net):
    """Give a network statistics and affine weights that are not those of its start."""
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight, module.running_var):
                value.data = 0.5 + torch.rand(value.shape, generator=generator)
            for value in (module.bias, module.running_mean):
                value.data = 0.1 * torch.randn(value.shape, generator=generator)
    return net.eval()


def torchvision_network(name, classes, auxiliary=False):
    """A segmentation network of torchvision with random weights."""
    torch.manual_seed(0)
    options = {} if name.startswith('lraspp') else dict(aux_loss=auxiliary)
    build = getattr(torchvision.models.segmentation, name)
    return trained(build(weights=None, weights_backbone=None, num_classes=classes, **options))


def resnet(depth=18):
    net = getattr(torchvision.models, f'resnet{depth}')(weights=None)
    del net.fc, net.avgpool
    return net


def stages(net, x):
    x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
    maps = []
    for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
        x = stage(x)
        maps.append(x)
    return maps


def unit(*layers):
    """Layers before a norm and a ReLU, numbered as in a list of layers."""
    return nn.Sequential(
        *layers, nn.BatchNorm2d(list(layers[-1].parameters())[-1].shape[0]), nn.ReLU()
    )


def conv(inputs, outputs, size=1, rate=1, groups=1):
    padding = rate * (size // 2)
    return nn.Conv2d(
        inputs, outputs, size, padding=padding, dilation=rate, groups=groups, bias=False
    )


def separable(inputs, outputs, rate=1):
    return nn.Sequential(conv(inputs, inputs, 3, rate, inputs), conv(inputs, outputs))


class SmpDeepLabV3Plus(nn.Module):
    """DeepLabV3+ on a ResNet under the names of segmentation_models.pytorch."""

    def __init__(self, classes, depth=18):
        super().__init__()
        shallow, deep = (64, 512) if depth < 50 else (256, 2048)
        self.encoder = resnet(depth)
        for layer in self.encoder.layer4.modules():
            if isinstance(layer, nn.Conv2d):
                layer.stride, layer.dilation = (1, 1), (2, 2)
                layer.padding = tuple(2 * (side // 2) for side in layer.kernel_size)
        pyramid = nn.Module()
        pyramid.convs = nn.ModuleList(
            [
                unit(conv(deep, 256)),
                *(unit(separable(deep, 256, rate)) for rate in (12, 24, 36)),
                nn.Sequential(nn.AdaptiveAvgPool2d(1), *unit(conv(deep, 256))),
            ]
        )
        pyramid.project = unit(conv(5 * 256, 256))
        self.decoder = nn.Module()
        self.decoder.aspp = nn.Sequential(pyramid, *unit(separable(256, 256)))
        self.decoder.block1 = unit(conv(shallow, 48))
        self.decoder.block2 = unit(separable(304, 256))
        self.segmentation_head = nn.Sequential(nn.Conv2d(256, classes, 1))

    def forward(self, x):
        def enlarged(y):
            return interpolate(y, scale_factor=4, mode='bilinear', align_corners=True)

        shallow, *_, deep = stages(self.encoder, x)
        pyramid, *after = self.decoder.aspp
        branches = [branch(deep) for branch in pyramid.convs]
        branches[-1] = branches[-1].expand_as(branches[0])
        y = pyramid.project(torch.cat(branches, 1))
        y = enlarged(nn.Sequential(*after)(y))
        y = self.decoder.block2(torch.cat([y, self.decoder.block1(shallow)], 1))
        return enlarged(self.segmentation_head(y))


class MmsegBiSeNet(nn.Module):
    """BiSeNetV1 on ResNet18 under the names of mmsegmentation, with its two auxiliary heads."""

    def __init__(self, classes):
        super().__init__()
        self.backbone = nn.Module()
        path = self.backbone.context_path = nn.Module()
        path.backbone = resnet()
        for name, channels in (('arm16', 256), ('arm32', 512)):
            arm = nn.Module()
            arm.conv_layer = ConvModule(channels, 128, 3, padding=1, **BN)
            arm.atten_conv_layer = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), ConvModule(128, 128, 1, act_cfg=None, **BN), nn.Sigmoid()
            )
            setattr(path, name, arm)
        path.conv_head16 = ConvModule(128, 128, 3, padding=1, **BN)
        path.conv_head32 = ConvModule(128, 128, 3, padding=1, **BN)
        path.gap_conv = nn.Sequential(nn.AdaptiveAvgPool2d(1), ConvModule(512, 128, 1, **BN))
        spatial = self.backbone.spatial_path = nn.Module()
        spatial.layer1 = ConvModule(3, 64, 7, stride=2, padding=3, **BN)
        spatial.layer2 = ConvModule(64, 64, 3, stride=2, padding=1, **BN)
        spatial.layer3 = ConvModule(64, 64, 3, stride=2, padding=1, **BN)
        spatial.layer4 = ConvModule(64, 128, 1, **BN)
        fusion = self.backbone.ffm = nn.Module()
        fusion.conv1 = ConvModule(256, 256, 1, **BN)
        fusion.conv_atten = nn.Sequential(ConvModule(256, 256, 1, **BN), nn.Sigmoid())
        self.decode_head = self.head(256, 256, classes)
        self.auxiliary_head = nn.ModuleList(self.head(128, 64, classes) for _ in range(2))

    @staticmethod
    def head(inputs, channels, classes):
        made = nn.Module()
        made.convs = nn.Sequential(ConvModule(inputs, channels, 3, padding=1, **BN))
        made.conv_seg = nn.Conv2d(channels, classes, 1)
        return made

    def forward(self, x):
        path, spatial = self.backbone.context_path, self.backbone.spatial_path
        _, map8, map16, map32 = stages(path.backbone, x)

        def refined(arm, y):
            y = arm.conv_layer(y)
            return y * arm.atten_conv_layer(y)

        deep = refined(path.arm32, map32) + path.gap_conv(map32)
        deep = path.conv_head32(interpolate(deep, map16.shape[2:]))
        fine = refined(path.arm16, map16) + deep
        fine = path.conv_head16(interpolate(fine, map8.shape[2:]))
        for layer in spatial.children():
            x = layer(x)
        fused = self.backbone.ffm.conv1(torch.cat([x, fine], 1))
        fused = fused + fused * self.backbone.ffm.conv_atten(fused.mean((2, 3), keepdim=True))
        heads = [self.decode_head, *self.auxiliary_head]
        maps = zip(heads, (fused, fine, deep), strict=True)
        return [head.conv_seg(head.convs(y)) for head, y in maps]

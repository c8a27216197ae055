"""WILSON as published, but for the network: see docs/parity.md."""

_base_ = '../wilson/bisenet_r101_15-5.py'
protocol = dict(name='15-1')
eval_mode = 'mib_crop512'  # short side 512, centre crop
model = dict(  # no dropout, torch's own start of a convolution
    decode_head=dict(dropout_ratio=0.0, init_std=None),
    auxiliary_head=dict(
        aux_16=dict(dropout_ratio=0.0, init_std=None),
        aux_32=dict(dropout_ratio=0.0, init_std=None),
    ),
)
data = dict(void_as_background=True, future='background')
schedule = dict(amp=False)  # float32
method = dict(classifier_init=dict(std=None))

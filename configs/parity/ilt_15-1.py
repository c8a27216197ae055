"""ILT as in MiB's published code, but for the network: see docs/parity.md."""

_base_ = '../ilt/bisenet_r101_15-1.py'
eval_mode = 'mib_crop512'  # short side 512, centre crop
model = dict(  # no dropout, torch's own start of a convolution
    decode_head=dict(dropout_ratio=0.0, init_std=None),
    auxiliary_head=dict(
        aux_16=dict(dropout_ratio=0.0, init_std=None),
        aux_32=dict(dropout_ratio=0.0, init_std=None),
    ),
)
data = dict(void_as_background=True)
schedule = dict(amp=False)  # float32
method = dict(classifier_init=dict(std=None))

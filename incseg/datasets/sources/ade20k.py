"""ADE20K: scenes with things and stuff, 150 classes."""

from typing import ClassVar

from incseg.datasets.label_maps.label_file import colour_map
from incseg.datasets.seg_dataset import SegDataset
from incseg.registry import DATASETS

_NAMES = """
    wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk,
    person, earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa,
    shelf, house, sea, mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp,
    bathtub, railing, cushion, base, box, column, signboard, chest of drawers, counter, sand,
    sink, skyscraper, fireplace, refrigerator, grandstand, path, stairs, runway, case, pool
    table, pillow, screen door, stairway, river, bridge, bookcase, blind, coffee table, toilet,
    flower, book, hill, bench, countertop, stove, palm, kitchen island, computer, swivel chair,
    boat, bar, arcade machine, hovel, bus, towel, light, truck, tower, chandelier, awning,
    streetlight, booth, television receiver, airplane, dirt track, apparel, pole, land,
    bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship, fountain, conveyer
    belt, canopy, washer, plaything, swimming pool, stool, barrel, basket, waterfall, tent, bag,
    minibike, cradle, oven, ball, food, step, tank, trade name, microwave, pot, animal, bicycle,
    lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase, traffic light, tray,
    ashcan, fan, pier, crt screen, plate, monitor, bulletin board, shower, radiator, glass,
    clock, flag
"""
#: the classes of the ids 1 to 150, by how often they occur, under their first names
CLASSES = tuple(' '.join(_NAMES.split()).split(', '))


@DATASETS.register_module()
class ADE20KDataset(SegDataset):
    """ADE20K of the scene parsing benchmark (MIT, SceneParsing 2016): 150 classes.

    Reads ``images/{training,validation}`` and ``annotations/{training,validation}`` below
    ``data_root`` (``…/ADEChallengeData2016``), 20,210 and 2,000 pictures.  The ids 1 to 150 in the
    files are the classes, and 0 is everything else.  As in the published incremental protocols
    that is background in training; ``configs/_base_/data/ade20k.py`` makes it void in the test
    (``reduce_zero_label``).
    """

    METAINFO: ClassVar[dict] = dict(classes=('background', *CLASSES), palette=colour_map(151))
    DATA_PREFIX: ClassVar[dict[str, str]] = dict(
        img_path='images/{split}', seg_map_path='annotations/{split}'
    )
    how_to_get: ClassVar[str] = (
        'get ADEChallengeData2016.zip of the MIT scene parsing benchmark, unpack it, and name the '
        'folder ADEChallengeData2016 with data_root'
    )

"""The settings of a test, ``test_cfg``: windows, flips and scales."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incseg.utils.rules import (
    SWITCH,
    Rule,
    check_keys,
    check_values,
    expected,
    is_number,
    one_of,
    one_or_list,
    or_none,
    whole,
)

#: windows begin at multiples of it, so that the maps of all windows lie on one grid
GRID = 32
#: pixels that a window has at least
SMALLEST = 64

SIZE: Rule = or_none(one_or_list(whole(SMALLEST, 16384)))
STRIDE: Rule = or_none(
    one_or_list(
        (
            lambda value: whole(GRID)[0](value) and value % GRID == 0,
            f'a multiple of {GRID}',
        )
    )
)
FACTOR: Rule = (lambda value: is_number(value) and 0 < value <= 8, 'a number above 0, up to 8')

#: the keys of ``test_cfg``: rule, and meaning in one line
KEYS: dict[str, tuple[Rule, str]] = {
    'mode': (one_of('whole', 'slide'), "'whole' pictures (the default) or windows ('slide')."),
    'crop_size': (SIZE, 'Pixels of a window, or (height, width).'),
    'stride': (STRIDE, 'Pixels between two windows; by default two thirds of crop_size.'),
    'flip': (SWITCH, 'Whether each picture is also predicted mirrored.'),
    'scales': (one_or_list(FACTOR), 'Factors on the size at which each picture is predicted.'),
    'pooling_passes': (
        whole(0, 32),
        "Passes that take global pooling's averages over all windows; 1 by default.",
    ),
}


@dataclass(frozen=True)
class PredictionSettings:
    """How a picture is predicted.

    Attributes:
        crop_size: ``(height, width)`` of a window in pixels; None for whole pictures.
        stride: ``(down, across)``, pixels between two windows.
        flip: Whether each picture or window is also predicted mirrored, left to right.
        scales: Factors on its size; it is predicted at each.
        pooling_passes: How many passes over all windows take the averages of global pooling.
    """

    crop_size: tuple[int, int] | None = None
    stride: tuple[int, int] = (GRID, GRID)
    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    pooling_passes: int = 1

    @classmethod
    def of(cls, config: Any, where: str = 'test_cfg') -> 'PredictionSettings | None':
        """Check a section ``test_cfg`` and return its settings.

        Args:
            config: The section; None for no settings.
            where: Its key, for messages.

        Returns:
            The settings; None where they say no more than that a picture is predicted whole.

        Raises:
            InvalidInputError: Naming the first key that is refused.
        """
        if config is None:
            return None
        check_keys(where, config, (), KEYS)
        check_values(where, config, {key: rule for key, (rule, _) in KEYS.items()})
        crop = windows = None
        if config.get('mode', 'whole') == 'slide':
            why = 'as mode is slide; for instance 1024'
            crop = pair(f'{where}.crop_size', config.get('crop_size'), why)
            stride = config.get('stride')
            windows = tuple(two_thirds(each) for each in crop)
            windows = windows if stride is None else pair(f'{where}.stride', stride)
            for step, size in zip(windows, crop):
                if step > size - GRID:
                    most = (size - GRID) // GRID * GRID
                    what = f'at most {most}, so that windows of {size} pixels overlap'
                    raise expected(f'{where}.stride', stride, what)
        else:
            for key in ('crop_size', 'stride'):
                if config.get(key) is not None:
                    raise expected(f'{where}.{key}', config[key], "None, or mode='slide'")
        scales = config.get('scales', 1.0)
        made = cls(
            crop,
            windows or (GRID, GRID),  # type: ignore[arg-type]
            config.get('flip', False),
            tuple(map(float, scales if isinstance(scales, Sequence) else [scales])),
            config.get('pooling_passes', 1),
        )
        return None if crop is None and not made.averages else made

    def check_grid(self, grid: int) -> None:
        """Refuse windows whose maps would not lie on one grid.

        Args:
            grid: Pixels of which windows have to begin at multiples, see
                :func:`incseg.models.prediction.windows.grid_of`.

        Raises:
            InvalidInputError: Naming the strides between windows that fit the network.
        """
        wrong = [step for step in self.stride if step % grid]
        if self.crop_size is not None and wrong:
            least = grid + GRID
            size = '' if min(self.crop_size) >= least else f', and windows of at least {least}'
            raise expected(
                'test_cfg.stride',
                wrong[0],
                f'a multiple of {grid}, as the maps of this network have strides that do not '
                f'divide {GRID}{size}',
            )

    @property
    def averages(self) -> bool:
        """Whether a prediction is the mean of several, or one at another size."""
        return self.flip or self.scales != (1.0,)

    def __str__(self) -> str:
        parts = [] if self.crop_size is None else [self._windows()]
        parts += ['flip'] if self.flip else []
        if self.scales != (1.0,):
            parts.append(f'scales {" ".join(f"{scale:g}" for scale in self.scales)}')
        return ', '.join(parts)

    def _windows(self) -> str:
        assert self.crop_size is not None
        crop, stride = (
            str(two[0]) if two[0] == two[1] else f'{two[0]}x{two[1]}'
            for two in (self.crop_size, self.stride)
        )
        pooled = '' if self.pooling_passes == 1 else f' pooled {self.pooling_passes} times'
        return f'windows of {crop} every {stride}{pooled}'


def test_title(config: Mapping[str, Any]) -> str:
    """Return how a config's test differs from that of whole pictures, in words; empty if not."""
    settings = PredictionSettings.of(config.get('test_cfg'))
    return '' if settings is None else str(settings)


test_title.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it


def pair(key: str, value: Any, why: str = '') -> tuple[int, int]:
    """Return one number, or two, as two numbers: down and across.

    Raises:
        InvalidInputError: There are none, or more than two.
    """
    numbers = list(value) if isinstance(value, Sequence) else [value, value]
    if value is None or len(numbers) != 2:
        raise expected(key, value, f'pixels, or (height, width){why and f", {why}"}')
    return numbers[0], numbers[1]


def two_thirds(size: int) -> int:
    """Return two thirds of the size of a window, as a multiple of ``GRID``."""
    return max(GRID, size * 2 // 3 // GRID * GRID)

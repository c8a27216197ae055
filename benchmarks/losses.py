"""The fused losses against upsampling first: time of forward and backward, extra memory.

python benchmarks/losses.py [--batch 4 8] [--classes 21] [--size 512]
"""

import argparse

import torch
from side_by_side import CUDA, in_fresh_process, interleaved, ms, peak_above, report, target, times

from incseg.models.losses.fused import fused_losses
from incseg.models.losses.fused.incremental import plain_losses

#: least gain of time and of memory; on a GPU 22 to 28 times the memory was estimated
TARGETS = (5, 15) if CUDA else (3, 10)


class Case:
    """Student and teacher at 1/8 of the size, labels at full size."""

    def __init__(self, batch: int, classes: int, size: int, teacher: bool):
        torch.manual_seed(0)
        device = 'cuda' if CUDA else 'cpu'
        self.num_old = classes * 3 // 4 + 1
        self.size = (size, size)
        low = (size // 8, size // 8)
        self.logits = torch.randn(batch, classes, *low, device=device, requires_grad=True)
        self.teacher = torch.randn(batch, self.num_old, *low, device=device) if teacher else None
        self.target = torch.randint(0, classes, (batch, *self.size), device=device)
        if classes < 255:
            self.target = self.target.to(torch.uint8)

    def ours(self) -> None:
        sum(
            fused_losses(  # type: ignore[union-attr]
                self.logits, self.teacher, self.target, num_old=self.num_old
            )
        ).backward()

    def plain(self) -> None:
        sum(
            plain_losses(  # type: ignore[union-attr]
                self.logits, self.teacher, self.target, self.size, self.num_old, True, 255
            )
        ).backward()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--batch', type=int, nargs='+', default=[4, 24] if CUDA else [4, 8])
    parser.add_argument('--classes', type=int, nargs='+', default=[21])
    parser.add_argument('--size', type=int, nargs='+', default=[512])
    parser.add_argument('--rounds', type=int, default=20 if CUDA else 5)
    parser.add_argument('--memory', nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory:
        form, *numbers, distils = args.memory
        batch, classes, size = map(int, numbers)
        measured = Case(batch, classes, size, distils == 'True')
        Case(1, 2, 64, True).ours()  # what torch itself loads at the first call
        print(peak_above(getattr(measured, form)))
        return
    cases = [
        (batch, classes, size)
        for size in args.size
        for classes in args.classes
        for batch in args.batch
    ]
    rows, gains = [], {}
    for batch, classes, size in cases:
        for teacher in (True, False):
            row, gain = line(batch, classes, size, teacher, args.rounds)
            rows.append(row)
            gains[batch, classes, size, teacher] = gain
    report(
        'Losses from low-resolution logits, forward and backward',
        (
            'losses',
            'batch',
            'classes',
            'size',
            'ours',
            'plain',
            'gain',
            'ours, extra',
            'plain, extra',
            'gain',
        ),
        rows,
    )
    for (batch, classes, size, teacher), (faster, smaller) in gains.items():
        if teacher and (classes, size) == (21, 512):
            target(f'MiB losses, batch {batch}, less time', faster, at_least=TARGETS[0])
            target(f'MiB losses, batch {batch}, less extra memory', smaller, at_least=TARGETS[1])


def line(
    batch: int, classes: int, size: int, teacher: bool, rounds: int
) -> tuple[list[object], tuple[float, float]]:
    """A line of the table, and the gains of time and of memory."""
    case = Case(batch, classes, size, teacher)
    took = interleaved(dict(ours=case.ours, plain=case.plain), rounds)
    extra = {
        form: in_fresh_process('--memory', form, batch, classes, size, teacher)
        for form in ('ours', 'plain')
    }
    gains = took['plain'] / took['ours'], extra['plain'] / max(extra['ours'], 1e-3)
    return [
        'MiB' if teacher else 'auxiliary head',
        batch,
        classes,
        size,
        ms(took['ours']),
        ms(took['plain']),
        times(gains[0]),
        f'{extra["ours"]:.0f} MB',
        f'{extra["plain"]:.0f} MB',
        times(gains[1]),
    ], gains


if __name__ == '__main__':
    main()

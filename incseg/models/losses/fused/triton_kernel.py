"""The fused losses on a GPU: one program per cell between four low-resolution logits.

Cell ``(r, s)`` holds the pixels whose bilinear source lies between rows ``r - 1`` and ``r`` and
columns ``s - 1`` and ``s``; at the border both are the outermost row or column.
"""

import triton
import triton.language as tl

NO_LOGIT = tl.constexpr(float('-inf'))

#: places of the arguments that change between steps: Triton would compile the kernel anew where
#: one of them becomes 1 or a multiple of 16
AT_RUN_TIME = tuple(range(21))


@triton.jit(do_not_specialize=AT_RUN_TIME)
def cell_losses(
    logits,
    teacher,
    target,
    sums,
    corner_grads,
    logits_n: tl.int64,
    logits_c: tl.int64,
    logits_y: tl.int64,
    logits_x: tl.int64,
    teacher_n: tl.int64,
    teacher_c: tl.int64,
    teacher_y: tl.int64,
    teacher_x: tl.int64,
    height,
    width,
    full_height,
    full_width,
    ignore_index,
    channels,
    cut,
    merged,
    UNBIASED: tl.constexpr,
    LABELS: tl.constexpr,
    TEACHER: tl.constexpr,
    GRAD: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Compute the losses of one cell's pixels, and their gradients by the four logits around it.

    Writes ``sums[cell, 2]`` (cross-entropy, distillation) and ``corner_grads[cell, term, 4, C]``
    for the requested terms.  Programs add nothing to each other's results, so results repeat.

    The first ``cut`` channels are background and old classes, the others new.  Labels below
    ``merged`` mean any of the first ``cut`` channels; with 0 each means its own channel.  NaN in a
    channel, or a label that is neither a channel nor ignored, makes the cell's loss NaN.
    ``BLOCK`` channels are held at once.
    """
    column, row, image = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    top, bottom = tl.maximum(row - 1, 0), tl.minimum(row, height - 1)
    left, right = tl.maximum(column - 1, 0), tl.minimum(column, width - 1)

    pixel = tl.arange(0, ROWS * COLUMNS)
    y = first_pixel(row, height, full_height) + pixel // COLUMNS
    x = first_pixel(column, width, full_width) + pixel % COLUMNS
    inside = (y < first_pixel(row + 1, height, full_height)) & (
        x < first_pixel(column + 1, width, full_width)
    )
    down = (y + 0.5) * (height / full_height) - 0.5 - (row - 1)
    across = (x + 0.5) * (width / full_width) - 0.5 - (column - 1)
    w0, w1 = (1 - down) * (1 - across), (1 - down) * across
    w2, w3 = down * (1 - across), down * across

    logits += image.to(tl.int64) * logits_n
    corner0 = logits + top * logits_y + left * logits_x
    corner1 = logits + top * logits_y + right * logits_x
    corner2 = logits + bottom * logits_y + left * logits_x
    corner3 = logits + bottom * logits_y + right * logits_x
    teacher += image.to(tl.int64) * teacher_n
    teacher0 = teacher + top * teacher_y + left * teacher_x
    teacher1 = teacher + top * teacher_y + right * teacher_x
    teacher2 = teacher + bottom * teacher_y + left * teacher_x
    teacher3 = teacher + bottom * teacher_y + right * teacher_x

    label = tl.zeros_like(pixel)
    valid = inside
    foreign = inside & False
    if LABELS:
        offset = (image.to(tl.int64) * full_height + y) * full_width + x
        given = tl.load(target + offset, mask=inside, other=0)
        valid = inside & (given != ignore_index)
        foreign = valid & ((given < 0) | (given >= channels))
        valid = valid & (foreign == 0)
        label = tl.where(valid & (given >= merged), given, 0).to(tl.int32)

    nothing = tl.full((ROWS * COLUMNS,), NO_LOGIT, tl.float32)
    zero = tl.zeros((ROWS * COLUMNS,), tl.float32)
    z_background, z_own = zero, zero
    old_peak, old_sum, new_peak, new_sum = nothing, zero, nothing, zero
    t_background, t_peak, t_sum, matched = zero, nothing, zero, zero
    for start in range(0, channels, BLOCK):
        channel = start + tl.arange(0, BLOCK)[None, :]
        exists = channel < channels
        z = upsampled(corner0, corner1, corner2, corner3, w0, w1, w2, w3, channel, logits_c, exists)
        z_background += tl.sum(tl.where(channel == 0, z, 0.0), 1)
        z_own += tl.sum(tl.where(channel == label[:, None], z, 0.0), 1)
        old_peak, old_sum = more_exponentials(
            old_peak, old_sum, z, (channel >= 1) & (channel < cut)
        )
        new_peak, new_sum = more_exponentials(new_peak, new_sum, z, exists & (channel >= cut))
        if TEACHER:
            known = channel < cut
            t = upsampled(
                teacher0, teacher1, teacher2, teacher3, w0, w1, w2, w3, channel, teacher_c, known
            )
            t_background += tl.sum(tl.where(channel == 0, t, 0.0), 1)
            before = t_peak
            t_peak, t_sum = more_exponentials(t_peak, t_sum, t, known)
            shift = finite(t_peak)
            scores_of_old = tl.where(known & (channel >= 1), tl.exp(t - shift[:, None]) * z, 0.0)
            matched = matched * tl.exp(before - shift) + tl.sum(scores_of_old, 1)

    lse_old = tl.where(old_sum == 0, NO_LOGIT, finite(old_peak) + tl.log(old_sum))
    lse_new = tl.where(new_sum == 0, NO_LOGIT, finite(new_peak) + tl.log(new_sum))
    lse_merged = log_add_exp(z_background, lse_old)
    lse = log_add_exp(lse_merged, lse_new)
    any_old = valid & (label == 0) & (merged > 0)
    q_background = tl.exp(t_background - t_peak) / t_sum
    if UNBIASED:
        total, background = lse, log_add_exp(z_background, lse_new)
    else:
        total, background = lse_merged, z_background

    cell = (image.to(tl.int64) * (height + 1) + row) * (width + 1) + column
    if LABELS:
        loss = tl.where(valid, lse - tl.where(any_old, lse_merged, z_own), 0.0)
        tl.store(sums + cell * 2, tl.sum(tl.where(foreign, float('nan'), loss), 0))
    if TEACHER:
        distilled = total - q_background * background - matched / t_sum
        tl.store(sums + cell * 2 + 1, tl.sum(tl.where(inside, distilled, 0.0), 0))

    if GRAD:
        terms: tl.constexpr = LABELS + TEACHER
        corner_grads += cell * terms * 4 * channels
        for start in range(0, channels, BLOCK):
            channel = start + tl.arange(0, BLOCK)[None, :]
            exists = channel < channels
            z = upsampled(
                corner0, corner1, corner2, corner3, w0, w1, w2, w3, channel, logits_c, exists
            )
            probability = tl.exp(z - lse[:, None])
            among_merged = tl.where(channel < cut, tl.exp(z - lse_merged[:, None]), 0.0)
            if LABELS:
                own_class = tl.where(
                    any_old[:, None], among_merged, tl.where(channel == label[:, None], 1.0, 0.0)
                )
                grad = (probability - own_class) * valid.to(tl.float32)[:, None]
                grad = tl.where(inside[:, None], grad, 0.0)
                store_corners(corner_grads, grad, w0, w1, w2, w3, channel, exists, channels)
            if TEACHER:
                known = channel < cut
                t = upsampled(
                    teacher0,
                    teacher1,
                    teacher2,
                    teacher3,
                    w0,
                    w1,
                    w2,
                    w3,
                    channel,
                    teacher_c,
                    known,
                )
                q = tl.where(
                    known & (channel >= 1), tl.exp(t - t_peak[:, None]) / t_sum[:, None], 0.0
                )
                if UNBIASED:
                    predicted = probability
                    shares = (channel == 0) | (channel >= cut)
                else:
                    predicted = among_merged
                    shares = channel == 0
                share = tl.exp(z - background[:, None]) * q_background[:, None]
                grad = predicted - q - tl.where(shares, share, 0.0)
                grad = tl.where(inside[:, None], grad, 0.0)
                store_corners(
                    corner_grads + LABELS * 4 * channels,
                    grad,
                    w0,
                    w1,
                    w2,
                    w3,
                    channel,
                    exists,
                    channels,
                )


@triton.jit
def first_pixel(cell, low, full):
    """Return the first output row of a cell, computed in whole numbers.

    Cells neither overlap nor leave gaps.  ``cell`` is 0 to ``low + 1``, ``low`` and ``full`` are
    the numbers of rows before and after upsampling; the same holds for columns.
    """
    first = ((2 * cell - 1) * full - low + 2 * low - 1) // (2 * low)
    return tl.where(cell == 0, 0, tl.where(cell == low + 1, full, first))


@triton.jit
def upsampled(corner0, corner1, corner2, corner3, w0, w1, w2, w3, channel, stride, mask):
    """Return upsampled logits ``(pixels, channels)``, float32, from those at the four corners."""
    offset = channel * stride
    return (
        w0[:, None] * tl.load(corner0 + offset, mask=mask, other=0.0).to(tl.float32)
        + w1[:, None] * tl.load(corner1 + offset, mask=mask, other=0.0).to(tl.float32)
        + w2[:, None] * tl.load(corner2 + offset, mask=mask, other=0.0).to(tl.float32)
        + w3[:, None] * tl.load(corner3 + offset, mask=mask, other=0.0).to(tl.float32)
    )


@triton.jit
def more_exponentials(peak, total, z, mask):
    """Add a block of channels to a running sum of exponentials.

    Returns the new peak (largest logit so far) and the sum of ``exp(logit - peak)``.
    """
    higher = tl.maximum(peak, tl.max(tl.where(mask, z, NO_LOGIT), 1))
    shift = finite(higher)
    block = tl.sum(tl.where(mask, tl.exp(z - shift[:, None]), 0.0), 1)
    return higher, total * tl.exp(peak - shift) + block


@triton.jit
def finite(peak):
    """Return the peak, or 0 where it is minus infinity because no logit was seen yet."""
    return tl.where(peak == NO_LOGIT, 0.0, peak)


@triton.jit
def log_add_exp(a, b):
    """Return ``log(exp(a) + exp(b))``; ``b`` may be minus infinity."""
    peak = tl.maximum(a, b)
    return peak + tl.log(tl.exp(a - peak) + tl.exp(b - peak))


@triton.jit
def store_corners(place, grad, w0, w1, w2, w3, channel, mask, channels):
    """Write the gradient of a cell's loss by the logits at its four corners, ``(4, C)``.

    Args:
        place: Pointer to the result.
        grad: Gradient by the upsampled logits, ``(pixels, channels)``.
        w0, w1, w2, w3: Weight of each corner in each pixel.
        channel, mask: The channels, and whether they exist.
        channels: Number of all channels.
    """
    channel = tl.sum(channel, 0)
    mask = tl.max(mask.to(tl.int32), 0) > 0
    tl.store(place + channel, tl.sum(w0[:, None] * grad, 0), mask=mask)
    tl.store(place + channels + channel, tl.sum(w1[:, None] * grad, 0), mask=mask)
    tl.store(place + 2 * channels + channel, tl.sum(w2[:, None] * grad, 0), mask=mask)
    tl.store(place + 3 * channels + channel, tl.sum(w3[:, None] * grad, 0), mask=mask)

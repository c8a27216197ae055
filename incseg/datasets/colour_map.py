def colour_map(num_colours: int) -> list[list[int]]:
    """The colours that PASCAL VOC gives to ids 0, 1, 2, …, for any number of ids.

    The bits of an id are dealt to red, green and blue in turn, the lowest
    three becoming the highest bit of each.

    Returns:
        ``num_colours`` lists ``[red, green, blue]``, 0..255.
    """
    colours = []
    for index in range(num_colours):
        rgb = [0, 0, 0]
        for bit in range(8):
            if index >> bit & 1:
                rgb[bit % 3] |= 128 >> bit // 3
        colours.append(rgb)
    return colours
